/* A machine whose kernel code is translated and runs in this process, and beside it the same one
 * run by the core alone: for test_vmm_translate.c and test_vmm_translate_blocks.c. The guest's
 * linear addresses from WINDOW on, 16 pages, are memory of this process at the same addresses, with
 * the rights that the guest's tables give; the region lies at REGION. A callout is UD2.
 *
 * Lockstep: the translated machine executes one host instruction at a time (TF). After each the
 * guest's state is mapped back, and has to be the core's before or after the same instruction of
 * the guest, registers and memory: so every point of every block that runs is checked. */
#ifndef TEST_VMM_TRANSLATED_H
#define TEST_VMM_TRANSLATED_H

#include "guest-pv/vmm/translate/region.h"
#include "tests/unit/vmm_kernel.h"

#define WINDOW 0x10000000ull
#define REGION 0x18000000ull
#define PAGE_AT(n) (WINDOW + GUEST_PAGE * (n))

/* The pages of the window, by number. CODE_ALIAS is CODE's frame. TABLE is the guest's page table
 * of the window itself. */
enum {
    PAGE_CODE = 0, PAGE_CODE_2 = 1, PAGE_HANDLERS = 2, PAGE_VARS = 3, PAGE_DATA = 4, /* and 5 */
    PAGE_READ_ONLY = 6, PAGE_ABSENT = 7, PAGE_STACK = 8, /* and 9 */
    PAGE_TABLE = 11, PAGE_CODE_ALIAS = 12, PAGE_IST = 13, PAGE_CODE_3 = 14, NR_PAGES = 16,
};
/* Where the handlers of exceptions and interrupts go on: the program writes it beforehand. */
#define RESUME_AT PAGE_AT(PAGE_VARS)
#define VECTOR_OF_TEST 0x40u

struct pair {
    struct cpu *core, *translated;
    uint64_t host;              /* where translated goes on; 0: at its RIP */
    uint64_t state, rip;        /* for people: what the program was made with, the core's last */
    uint64_t undefined;         /* flags, after the core's last instruction */
    unsigned op;                /* of the core's last instruction */
    unsigned nr_steps, nr_points;   /* of the guest, of the host */
    bool foreign;               /* the program has left the window's half of memory: given up */
};

bool translated_init(struct pair *p);   /* false: this process cannot have the addresses */
void translated_free(struct pair *p);
/* Both as new, with no blocks; memory of the window is zeroes but for the handlers. */
void translated_renew(struct pair *p);
/* The same bytes in the memory of both. */
void translated_write(struct pair *p, uint64_t linear, const void *bytes, unsigned len);
/* What the translated machine's memory has there, by frame. */
uint8_t *translated_at(struct cpu *c, uint64_t linear);

/* The frame of a page of the window. */
uint64_t window_frame(unsigned page);

struct lockstep {
    unsigned max_steps;
    unsigned interrupts;        /* one in so many points; 0: none */
    unsigned leave_at;          /* the point where it does; 0: none */
    unsigned leave;             /* at one in so many points the core goes on alone; 0: never */
};
/* Until both have stopped. Fails the test where they differ. */
void run_lockstep(struct pair *p, const struct lockstep *how);
/* At full speed until it stops. */
void run_translated_alone(struct pair *p);
void run_core_alone(struct pair *p, unsigned max_steps);
void compare_pair(struct pair *p, const char *where);
/* X3. NULL, or what is wrong. */
const char *check_chains(const struct cpu *c);

#endif
