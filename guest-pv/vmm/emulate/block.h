/* Way 1's decoded blocks: guest code, straight on to its first branch, as an array of operations.
 * block.c keeps them, build.c makes them, the ops_*.c execute them.
 *
 * An operation is executed by its function, which ends by calling the next one's: the compiler
 * makes jumps of these calls. Registers are named by their offset in struct cpu, where the general
 * registers come first, so that AH is as good a register as AL.
 *
 * B1: a block may run while its mapping is the CPU's: then its RIP leads to its bytes at this CPL,
 *     and they have not changed. Chains need no other check, and are never undone.
 * B2: a frame with a block that is alive has FRAME_CODE set; the first write drops all its blocks.
 * B3: the memory of blocks is used again only when all are dropped at once, between blocks. */
#ifndef VMM_EMULATE_BLOCK_H
#define VMM_EMULATE_BLOCK_H

#include "guest-pv/vmm/core/cpu.h"

struct op;
struct insn_case;
typedef void op_fn(struct cpu *c, const struct op *op);

struct op {
    op_fn *run;
    uint8_t dst, src;           /* offsets of registers */
    uint8_t base, index, scale; /* of a memory operand: offsets, and a shift */
    uint8_t odd;                /* of a condition: its opposite */
    uint16_t segment;           /* offset of the 64-bit base */
    int32_t disp, imm;
    union {
        struct block *next;     /* of a branch; never NULL */
        const struct kept_insn *insn; /* for generic() */
        uint64_t wide;          /* an immediate or an address */
    };
};
_Static_assert(sizeof(struct op) == 32, "");

struct kept_insn {
    struct insn in;
    const struct insn_case *k;
};

#define BLOCK_INSNS 32u

struct block {
    uint64_t mapping;           /* B1; NEVER: dropped */
    uint64_t rip, phys;
    struct block *same_hash, *same_frame;
    const uint16_t *offsets;    /* of each instruction from rip, and of what is behind the last */
    uint32_t nr_insns;
    struct op ops[];
};
#define NEVER UINT64_MAX

#define JUMPS 4096u

/* Pages that code was fetched from, as paging.c said while the mapping was this. */
#define FETCHES 64u
struct fetch {
    uint64_t page, mapping, frame;
};

struct emulator {
    struct op *chain;           /* the branch that left the last block, if it can be chained */
    bool fault;                 /* the last block ended by c->fault */
    struct fetch fetches[FETCHES];
    struct block *jumps[JUMPS]; /* by RIP: where indirect branches look first */
    struct block **hash;
    struct block **frames;      /* by frame: its blocks */
    char *arena, *arena_end, *free;
};

static inline unsigned jump_index(uint64_t rip)
{
    return (unsigned)(rip ^ rip >> 12) & (JUMPS - 1);
}

/* A block that never runs: what branches that are not chained lead to. */
extern struct block no_block;

bool blocks_init(struct cpu *c, uint64_t arena_bytes);
void blocks_free(struct cpu *c);
/* The block at RIP, made if need be; NULL: there is none (a fetch that faults, an instruction over
 * the end of a page), and emulate_step() is to do it. */
struct block *block_at_rip(struct cpu *c);
/* struct cpu's hook. */
void blocks_frame_written(struct cpu *c, uint64_t phys, unsigned bytes);

/* build.c: decodes from bytes (to the end of the page, len of them) into ops, BLOCK_INSNS
 * instructions at most, with their offsets. False: not even one that is whole. */
struct build {
    struct cpu *c;
    uint64_t rip;
    const uint8_t *bytes;
    unsigned len;
    struct op ops[BLOCK_INSNS + 2];
    uint16_t offsets[BLOCK_INSNS + 2];
    unsigned nr_ops, nr_insns;
    const struct kept_insn *(*keep)(struct cpu *c, const struct insn *in,
                                    const struct insn_case *k);
};
bool build_ops(struct build *b);

#endif
