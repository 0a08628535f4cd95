/* The layout of the region (translate.h), and the data structures of blocks: for the files of this
 * folder. */
#ifndef VMM_TRANSLATE_REGION_H
#define VMM_TRANSLATE_REGION_H

#include "common/x86/map.h"
#include "guest-pv/vmm/translate/translate.h"

#define REGION_BASE 0xffff880000000000ull       /* slot 272 of an L4: Linux has its LDT there */
#define STATE_BYTES 4096u
#define RETURN_SLOTS 16384u
#define RETURNS_OFFSET STATE_BYTES
#define TARGETS 0x10000u                        /* of one table */
#define TARGETS_OFFSET (RETURNS_OFFSET + RETURN_SLOTS * 8u)
#define CODE_OFFSET (TARGETS_OFFSET + NR_LOOKUPS * TARGETS * 8u)
#define WRITABLE_BYTES TARGETS_OFFSET           /* by guest code: what the region begins with */

/* The state page: registers that a sequence has put aside, and the virtual IF. */
struct state_page {
    uint64_t rax, rcx, rdx, r11;
    uint64_t rip;               /* guest address of an indirect branch's target */
    uint64_t from;              /* guest address of the last indirect branch */
    uint64_t link;              /* host address to which the last indirect call returns */
    uint64_t if_word;           /* 0: IF is 1; else -FLAG_IF: what to add to the real flags */
    uint64_t rsp, next_if_word; /* of an IRET that has popped RFLAGS, and not set these yet */
    uint64_t pending;
    uint64_t flush;             /* INVLPG was executed since the vmm looked */
    uint64_t selectors[6];      /* by SEG_* */
    uint64_t minus_cs, minus_ss; /* the same, negative: to compare with by LEA and JRCXZ */
    /* By bits 8 to 15 of the RFLAGS that an IRET loads: the if_word, or IRET_BY_CORE. */
    uint64_t iret_if_words[256];
};

#define IRET_BY_CORE 1u

/* Indirect branches find a host address by the low 16 bits of the target, in one table for calls
 * and one for the others. It is an entry's (branch.c), which compares the whole target. */
enum lookup { LOOKUP_JUMP, LOOKUP_CALL, NR_LOOKUPS };

enum { FIX_RAX = 1, FIX_RCX = 2, FIX_RDX = 4, FIX_RSP = 8 /* += 8 */, RIP_IN_RCX = 16,
       RIP_IN_STATE = 32, IN_SHADOW = 64 /* of STI: no interrupt yet */,
       FIX_RSP_16 = 128 /* -= 16 */, RSP_IN_STATE = 256, IF_IS_NEXT = 512,
       RIP_PLUS_RCX = 1024 /* the point's RIP and RCX */,
       RIP_OF_STUB = 2048 /* delta is the stub's number in its block */ };
#define RIP_OF_BRANCH (RIP_IN_RCX | RIP_IN_STATE | RIP_PLUS_RCX)

/* From this offset in the block on, up to the next point. */
struct point {
    int32_t delta;              /* guest RIP - the block's */
    uint16_t offset, fix;
};

/* PLACE_OF_RETURN has no callout: RETs that find the place behind a call go on in its block, unless
 * the displacement of the JRCXZ there is 0. */
enum exit_kind { EXIT_OF_BRANCH, EXIT_TO_EMULATE, EXIT_OF_LOOKUP, PLACE_OF_RETURN };
#define OVER_MISS 12u                   /* that displacement: over a LEA and a JMP */

#define STUB_BYTES 16u
struct stub {
    uint64_t rip;               /* where the branch leads, or of the instruction to emulate */
    uint32_t at;                /* offset in the region of what is behind the callout */
    uint32_t patch;             /* of the 32-bit displacement that leads here or to the target; of a
                                 * place of return, of the 8-bit one */
    uint32_t next;              /* in the list of the block that it is chained to; 0: end */
    union {
        uint32_t to;            /* chained: the offset in the region that it leads to */
        uint32_t insn;          /* to emulate */
    };
    uint32_t block;             /* that it is part of */
    uint16_t slot;              /* of the return cache, for a block made for this branch */
    uint8_t kind;
    bool chained;               /* it is in the list of a block */
    bool is_store;              /* that could run here, but for store.c */
    bool in_shadow;             /* it is the instruction behind an STI */
    bool goes_on;               /* behind it is the code of the next instruction */
};

/* LIVE: may run. SUSPECT: its bytes or what led to them may have changed; nothing leads to it, and
 * it is compared before it runs again. ROUTINE: is no guest code (lookups, entries, adapters). */
enum block_state { BLOCK_DEAD, BLOCK_LIVE, BLOCK_SUSPECT, BLOCK_ROUTINE };

#define NO_FRAME UINT32_MAX

struct tblock {
    uint64_t rip;
    uint32_t frame[2];          /* of its first byte; of its last, if that is another page's */
    uint32_t start;             /* in the region */
    uint32_t first_point, first_stub;
    uint32_t source;            /* its guest bytes as they were translated, in t->source */
    uint16_t nr_points, nr_stubs, length;
    uint16_t slot;              /* of the return cache, for its RET. Of an entry the lookup, of an
                                 * adapter NR_LOOKUPS + the slot of where it is reached from */
    uint32_t same_hash;         /* number of a block; 0: end */
    uint32_t same_frame[2];     /* twice the number of a block, and which of its frames; 0: end */
    uint32_t incoming;          /* stubs whose branches lead here */
    uint32_t epoch;             /* t->epoch when what leads to its bytes was last looked at */
    uint8_t state;
};

/* An instruction that the core executes. */
struct kept_callout {
    struct insn in;
    const struct insn_case *k;
    struct operand operands[DECODED_OPERANDS];
};

/* How often the store at that guest address has met a frame with flags. */
struct store_count {
    uint64_t rip;
    uint32_t faults;            /* since it was translated as a store */
    uint32_t balance;           /* of its callouts; 0: it does not call out */
};

#define ROOTS 16u
#define BLOCK_HASH (1u << 15)
#define ENTRY_HASH (1u << 13)
#define WALKED (1u << 12)
#define STORES (1u << 8)
#define RECENT (1u << 8)

struct translator {
    const struct translate_host *host;
    struct state_page *state;
    uint64_t *returns;          /* the return cache */
    uint64_t *targets[NR_LOOKUPS];
    struct tblock *blocks;      /* from 1 on, by ascending start; the first is the lookups' */
    struct point *points;
    struct stub *stubs;         /* from 1 on, by ascending at */
    struct kept_callout *insns; /* from 1 on */
    uint8_t *source;
    uint32_t nr_blocks, nr_points, nr_stubs, nr_insns, nr_source, used;
    uint32_t last_block;        /* where the CPU stopped: it may go on in the middle; 0: nowhere */
    uint32_t last_point;        /* of that block: not behind where it stopped */
    uint32_t last_stub;         /* of the last callout; 0: none */
    /* By their places, where the CPU has stopped: points, and stubs that have called out. */
    struct recent_point {
        uint32_t at, block, point;
    } recent_points[RECENT];
    uint32_t recent_stubs[RECENT];
    uint32_t lookup[NR_LOOKUPS];        /* offsets of the routines for indirect branches, */
    uint32_t missed[NR_LOOKUPS];        /* and of where they go on with the target in RCX */
    uint32_t *hash, *frames;
    uint32_t *granules;         /* of the region: the block that each begins in */
    uint32_t *entries;          /* hash of entries and adapters */
    uint64_t walked[WALKED];    /* physical addresses of entries that blocks depend on; 0: free */
    unsigned nr_walked;
    /* Slots of level 4 that blocks depend on, and what is there; kernels have two or three. */
    struct {
        uint64_t entry;
        unsigned slot;
    } roots[ROOTS];
    unsigned nr_roots;
    struct store_count stores[STORES];
    bool flagged_write;         /* since translate_execute() began */
    bool all_stale;             /* one of them was written: X1 */
    uint32_t epoch;             /* how often that was so */
    uint64_t changes;           /* how often a block stopped being LIVE */
    struct translate_counters counters;
};

/* emit.c: host code at t->used. */
struct emitter {
    struct translator *t;
    struct tblock *b;
    uint64_t rip;               /* of the guest's instruction, and what it is */
    const struct insn *in;
    const struct insn_case *k;
    const uint8_t *bytes;       /* its own, */
    unsigned left;              /* and how many there are at least behind its start */
    uint64_t shadow;            /* of the instruction behind an STI; 0: there is none */
    bool is_last;               /* the block has no room for another one */
};
void emit_bytes(struct emitter *e, const void *bytes, unsigned n);
void emit_point(struct emitter *e, uint64_t rip, unsigned fix);
/* RIP is where a stub's branch leads. */
void emit_point_of_stub(struct emitter *e, uint32_t stub);
void emit_save(struct emitter *e, unsigned reg);        /* RAX, RCX, RDX or R11 */
void emit_restore(struct emitter *e, unsigned reg);
void emit_load(struct emitter *e, unsigned reg, unsigned offset);      /* from the region */
void emit_store(struct emitter *e, unsigned reg, unsigned offset);
void emit_set(struct emitter *e, unsigned offset, int32_t value);      /* 64 bits, sign-extended */
/* The low half of a word whose high half is that of all the region's addresses. Returns where the
 * host's offset is to be put by set_host_address(). */
uint32_t emit_set_host_address(struct emitter *e, unsigned offset);
void set_host_address(struct translator *t, uint32_t at, uint32_t to);
void emit_add_to_rcx(struct emitter *e, int32_t value);        /* no flags change */
void emit_jump_by(struct emitter *e, unsigned offset);          /* jmp *offset(%rip) */
/* A branch with a 32-bit displacement: Jcc (0F 8x), or JMP when cc is JMP_ALWAYS. Returns where the
 * displacement is. */
#define JMP_ALWAYS 16u
uint32_t emit_branch(struct emitter *e, unsigned cc);
void patch_branch(struct translator *t, uint32_t at, uint32_t to);
/* A callout here. */
uint32_t emit_stub(struct emitter *e, enum exit_kind kind, uint64_t rip);
/* A branch whose stub follows at the block's end. */
uint32_t emit_exit(struct emitter *e, unsigned cc, uint64_t rip, unsigned slot);
void emit_stubs_of_exits(struct emitter *e);
/* jrcxz of a place of return. */
void emit_jump_of_return(struct emitter *e, uint64_t rip);
/* The instruction with its RIP-relative operand made absolute, and opcode byte and register changed
 * if opcode is not 0. False: it is out of reach. */
bool emit_operand_of(struct emitter *e, const uint8_t *bytes, const struct insn *in, int opcode,
                     unsigned reg);

/* sequence.c: the instructions that a few others replace. */
void call_out(struct emitter *e, bool goes_on);
void store_by_core(struct emitter *e);
void translate_pushf(struct emitter *e);
void translate_cli(struct emitter *e);
void translate_sti(struct emitter *e);
void translate_mov_from_segment(struct emitter *e);
void translate_invlpg(struct emitter *e);
void translate_iret(struct emitter *e);
void translate_other(struct emitter *e);

/* branch.c: branches, and the routines that they use. False: behind it nothing follows. */
bool translate_jcc(struct emitter *e);
bool translate_jump(struct emitter *e);
bool translate_call(struct emitter *e);
bool translate_ret(struct emitter *e);
bool translate_indirect_call(struct emitter *e);
bool translate_indirect_jump(struct emitter *e);
void branch_to(struct emitter *e, uint64_t rip);
void build_lookups(struct translator *t);
/* A block that is jumped to with the target in RCX, by LOOKUP_*; its stub leads to rip, to a block
 * with that slot. False: no instruction can compare with it. */
bool build_entry(struct translator *t, struct tblock *b, enum lookup by, unsigned slot);
/* A block that leads to rip, too: what is in one slot of the return cache is put into another. */
void build_adapter(struct translator *t, struct tblock *b, unsigned from, unsigned to);
static inline unsigned return_slot(uint64_t rip)
{
    return (unsigned)(rip * 0x9e3779b97f4a7c15ull >> 50);
}

/* build.c: translates from RIP on; the bytes are those of frame[0], and of frame[1], which it sets.
 * False: not even one instruction. */
bool build_block(struct cpu *c, struct tblock *b);

/* table.c: the block with that place of the region. */
uint32_t block_at(const struct translator *t, uint32_t at);

/* suspect.c: the block that has this place is never run again. */
void drop_block_at(struct translator *t, uint64_t host_rip);

/* store.c: stores that write to frames with flags again and again are the core's. */
bool store_calls_out(const struct emitter *e);
/* One has been done by the core; flagged: to a frame with flags. */
void note_store_called_out(struct translator *t, const struct stub *stub, bool flagged);

/* state.c: in the middle of the block that the CPU stopped in, for RIP; 0: not there. */
uint64_t translate_resume(struct cpu *c);
/* The offset in the region where the block has the start of that instruction; 0: nowhere. */
uint32_t place_in_block(const struct translator *t, const struct tblock *b, uint64_t rip);

/* depend.c: what leads to the bytes of blocks. There is room for one search for a block. */
bool has_room_for_walks(const struct translator *t);
void remember_walk(struct cpu *c, uint64_t rip);
void walks_written(struct cpu *c, uint64_t phys, unsigned bytes);
void forget_walks(struct cpu *c);

#endif
