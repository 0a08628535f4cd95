/* The layout of the region (translate.h), and the data structures of blocks: for the files of this
 * folder. */
#ifndef VMM_TRANSLATE_REGION_H
#define VMM_TRANSLATE_REGION_H

#include "common/x86/map.h"
#include "guest-pv/vmm/translate/translate.h"

#define REGION_BASE 0xffff880000000000ull       /* slot 272 of an L4: Linux has its LDT there */
#define TARGETS 0x10000u
#define STATE_BYTES 4096u
#define TARGET_BYTES (TARGETS * 16u)
#define CODE_OFFSET (STATE_BYTES + TARGET_BYTES)

/* The state page: registers that a sequence has put aside, and the virtual IF. */
struct state_page {
    uint64_t rax, rcx, rdx, r11;
    uint64_t rip;               /* guest address of an indirect branch's target */
    uint64_t host;              /* its host address */
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

/* By the low 16 bits of RIP. */
struct target {
    uint64_t minus_rip, host;   /* minus_rip 0, of the first 1: none */
};

enum { FIX_RAX = 1, FIX_RCX = 2, FIX_RDX = 4, FIX_RSP = 8 /* += 8 */, RIP_IN_RCX = 16,
       RIP_IN_STATE = 32, IN_SHADOW = 64 /* of STI: no interrupt yet */,
       FIX_RSP_16 = 128 /* -= 16 */, RSP_IN_STATE = 256,
       IF_IS_NEXT = 512 };

/* From this offset in the block on, up to the next point. */
struct point {
    int32_t delta;              /* guest RIP - the block's */
    uint16_t offset, fix;
};

enum exit_kind { EXIT_OF_BRANCH, EXIT_TO_EMULATE, EXIT_OF_LOOKUP };
struct stub {
    uint64_t rip;               /* of a branch: where it leads */
    uint32_t at;                /* offset in the region of what is behind the callout */
    uint32_t patch;             /* of the 32-bit displacement that leads here, or to the target */
    uint32_t next;              /* in the list of the block that it is chained to; 0: end */
    uint32_t start;             /* of the stub itself */
    uint32_t insn;              /* to emulate; 0: it has to be fetched */
    uint8_t kind;
    bool chained;
};

struct tblock {
    uint64_t rip, phys;
    uint32_t start, bytes;      /* in the region */
    uint32_t first_point, first_stub;
    uint16_t nr_points, nr_stubs;
    uint32_t same_hash, same_frame;     /* numbers of blocks; 0: end */
    uint32_t incoming;          /* stubs whose branches lead here */
    bool dead;
};

/* An instruction that the core executes. */
struct kept_callout {
    struct insn in;
    const struct insn_case *k;
};

#define ROOTS 16u
#define BLOCK_HASH (1u << 15)
#define WALKED (1u << 12)

struct translator {
    const struct translate_host *host;
    struct state_page *state;
    struct target *targets;
    struct tblock *blocks;      /* from 1 on, by ascending start; 1 is the lookup routine */
    struct point *points;
    struct stub *stubs;         /* from 1 on */
    struct kept_callout *insns; /* from 1 on */
    uint32_t nr_blocks, nr_points, nr_stubs, nr_insns, used;
    uint32_t last_block;        /* where the CPU stopped: it may go on in the middle; 0: nowhere */
    uint32_t last_insn;         /* that the last callout is for; 0: none is kept */
    uint32_t last_stub;         /* of a branch that has called out, until the block is found */
    uint32_t lookup;            /* offset of the routine for indirect branches */
    uint32_t *hash, *frames;
    uint64_t walked[WALKED];    /* physical addresses of entries that blocks depend on; 0: free */
    unsigned nr_walked;
    /* Slots of level 4 that blocks depend on, and what is there; kernels have two or three. */
    struct {
        uint64_t entry;
        unsigned slot;
    } roots[ROOTS];
    unsigned nr_roots;
    bool all_stale;             /* one of them was written: X1 */
    struct translate_counters counters;
};

/* emit.c: host code at t->used. */
struct emitter {
    struct translator *t;
    struct tblock *b;
    uint64_t rip;               /* of the guest's instruction, and what it is */
    const struct insn *in;
    const struct insn_case *k;
    unsigned left;              /* bytes from it to the page's end, or enough for two */
    uint64_t shadow;            /* of the instruction behind an STI; 0: there is none */
};
void emit_bytes(struct emitter *e, const void *bytes, unsigned n);
void emit_point(struct emitter *e, uint64_t rip, unsigned fix);
void emit_save(struct emitter *e, unsigned reg);        /* RAX, RCX, RDX or R11 */
void emit_restore(struct emitter *e, unsigned reg);
void emit_load(struct emitter *e, unsigned reg, unsigned offset);      /* from the state page */
void emit_store(struct emitter *e, unsigned reg, unsigned offset);
void emit_set(struct emitter *e, unsigned offset, int32_t value);
/* A branch with a 32-bit displacement: Jcc (0F 8x), or JMP when cc is JMP_ALWAYS. Returns where the
 * displacement is. */
#define JMP_ALWAYS 16u
uint32_t emit_branch(struct emitter *e, unsigned cc);
void patch_branch(struct translator *t, uint32_t at, uint32_t to);
uint32_t emit_stub(struct emitter *e, enum exit_kind kind, uint64_t rip, uint32_t patch);
void emit_jump_to_lookup(struct emitter *e);
/* The instruction with its RIP-relative operand made absolute, and opcode byte and register changed
 * if opcode is not 0. False: it is out of reach. */
bool emit_operand_of(struct emitter *e, const uint8_t *bytes, const struct insn *in, int opcode,
                     unsigned reg);

/* state.c: in the middle of the block that the CPU stopped in, for RIP; 0: not there. */
uint64_t translate_resume(struct cpu *c);

/* build.c: translates from bytes, len of them up to the page's end. False: not even one
 * instruction.
 */
bool build_block(struct translator *t, struct tblock *b, const uint8_t *bytes, unsigned len);
void build_lookup(struct translator *t);

#endif
