/* Way 3, binary translation: the guest's kernel code (virtual CPL 0) is translated, block by
 * block, into code that the real CPU runs in ring 3. All sixteen registers and the flags are the
 * guest's in it. Most instructions are copied; what would be wrong in ring 3 without trapping is
 * replaced, what traps is left to trap. User code runs as it is (way 2's direct execution).
 *
 * The region: one stretch of the vmm's memory, which the guest's kernel roots map too, at
 * REGION_BASE: the state page (writable by guest code: nothing in it is believed to be more than
 * the guest's own registers), the table of indirect branches, the code. Files: region.h (its
 * layout), emit.c (bytes), build.c (a block), sequence.c and branch.c (its instructions),
 * table.c (memory), cache.c (blocks and chains), suspect.c (blocks that may have changed),
 * depend.c (what they depend on), store.c (stores to page tables), state.c (from a host address
 * back to the guest's state), run.c (the way's run loop).
 *
 * X1: a block runs only if its bytes are those of its frames (FRAME_CODE is set, and a write makes
 *     the frame's blocks suspect) and if a walk of the guest's tables for its RIP leads there (the
 *     entries of that walk are remembered, and a write to one makes all blocks suspect). A suspect
 *     block has to be compared before it runs.
 * X2: every host instruction of a block is described by a point: what the guest's RIP is there, and
 *     which registers have to be taken from the state page.
 * X3: direct branches lead to blocks that may run, or to a stub that calls the vmm. What indirect
 *     branches find compares the target that it is for, and then is a direct branch. */
#ifndef VMM_TRANSLATE_TRANSLATE_H
#define VMM_TRANSLATE_TRANSLATE_H

#include "guest-pv/vmm/core/cpu.h"

struct translate_host {
    uint8_t *memory;            /* the region as the vmm writes it, page-aligned */
    uint64_t base;              /* its address for the guest's code: REGION_BASE, or a test's */
    uint64_t bytes;
    uint8_t callout[2];         /* SYSCALL, or in tests UD2 */
    void (*protect)(struct cpu *c, uint64_t frame);     /* no guest mapping of it is writable */
};

/* What it allocates, besides 4 bytes for each frame of the guest. */
uint64_t translate_memory(uint64_t region_bytes);
bool translate_init(struct cpu *c, const struct translate_host *host);
void translate_free(struct cpu *c);

/* The host address at which to run the guest's code at RIP, CPL 0; the state page is set up. 0:
 * there is no block, and emulate_step() is to do the instruction (or to raise the fault). */
uint64_t translate_entry(struct cpu *c);

bool translate_is_code(const struct cpu *c, uint64_t host_rip);
/* The CPU stopped at a host address, with its registers in c->regs: makes them the guest's. */
void translate_map_back(struct cpu *c, uint64_t host_rip);
/* After a callout: the same, and what it was for. RIP is the guest's then. */
enum callout { CALLOUT_EMULATE, CALLOUT_BRANCH };
enum callout translate_callout(struct cpu *c, uint64_t host_rip);

/* The instruction that stopped at the host address has written to a frame with flags, which has
 * them still. */
void translate_note_store(struct cpu *c, uint64_t rip, uint64_t host_rip);
/* The instruction that was mapped back stores there: does the next one store right behind that? */
bool translate_stores_on(struct cpu *c, uint64_t linear);
/* How often a block stopped being one that may run. */
uint64_t translate_changes(const struct cpu *c);

/* What CALLOUT_EMULATE asks for: the core executes the instruction, and a fault is delivered. */
void translate_execute(struct cpu *c);

/* An interrupt waits while the guest's IF is 0: STI is to call out. */
void translate_set_pending(struct cpu *c, bool pending);
/* The guest's IF while its code is stopped at a host address. */
bool translate_interrupts_on(const struct cpu *c, uint64_t host_rip);

/* For struct cpu's hook, beside others: before a write to a frame. own: only A or D are set. */
void translate_written(struct cpu *c, uint64_t phys, unsigned bytes, bool own);
/* After a load of CR3, when the root has its shadow, so that writes to it are seen: are the
 * top-level entries that blocks depend on the same? If not, all are suspect. */
void translate_root_changed(struct cpu *c);

enum { OF_BRANCHES, OF_LOOKUPS, OF_INSTRUCTIONS, NR_CALLOUTS };
struct translate_counters {
    uint64_t blocks, instructions, bytes;       /* translated; bytes of host code */
    uint64_t chained, drops, drops_of_all;
    uint64_t suspended, resumed, all_suspended; /* blocks, whose bytes may have changed; how often
                                                 * all */
    uint64_t callouts[NR_CALLOUTS];             /* by what they are for */
    uint64_t stores;                            /* that call out now */
};
const struct translate_counters *translate_counts(const struct cpu *c);

/* run.c: until c->stop is set. */
void run_translated(struct cpu *c);

#endif
