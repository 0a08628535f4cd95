/* What the files of suite "fuzz" share: random words (fuzz_words.c) and random calls
 * (fuzz_calls.c).
 *
 * Nothing that is handed out may rightly end this domain, so that its survival shows something:
 *   W1: every word that is handed out, in a register or in memory, names no frame and no address of
 *       this domain outside the scratch frames. Nothing depends on those, so that any use of them
 *       is harmless.
 *   W2: the scratch frames stay mapped writable, so that none of them can become a page table.
 *   W3: a few commands end or stop a domain, or close what the test needs. fuzz_calls.c changes
 *       them into harmless forms.
 *   W4: what a call may set for the vCPU is restored before anything depends on it. Events are off
 *       until then. */
#ifndef GUEST_FUZZ_H
#define GUEST_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include "event.h"
#include "mm.h"

#define BAD_POINTER 0xffffff0000000000ul
#define NR_SCRATCH  6
#define ARG_PAGES   2                       /* of the scratch frames: where arguments point to */
#define WORDS_PER_PAGE (PAGE_SIZE / 8)

/* What random words may name. */
extern struct fuzz_mem {
    pfn_t scratch[NR_SCRATCH];
    mfn_t scratch_mfn[NR_SCRATCH];
    mfn_t highest_mfn;                      /* of this domain */
    volatile uint64_t *window;              /* 512 pages of address space, not mapped at first */
    pfn_t window_pfn;                       /* the L1 table of the window: an exception to W2 */
    uint64_t window_table;                  /* its machine address */
    port_t first_port;                      /* the ports below are in use by this kernel */
} fuzz_mem;

/* Allocates them, and seeds the random numbers. */
void fuzz_words_begin(uint64_t seed);
uint64_t fuzz_random(void);
/* A random word of one of many kinds, each of which means something to some hypercall; W1. */
uint64_t fuzz_word(void);
uint64_t fuzz_arg_pointer(void);            /* into the first scratch frames */
uint64_t fuzz_bad_pointer(void);            /* to what cannot be read or written */
uint64_t fuzz_window_va(void);
/* Fills the scratch frames with random words. */
void fuzz_refill(void);

/* Picks a number and arguments, in the harmless form (W3). False if this number must not be called
 * now, or not as a member of a multicall. */
bool fuzz_pick(uint64_t *nr, uint64_t a[5], bool batch);
#endif
