/* Guest page tables that are random, for tests of the vmm's shadow tables: they lead to each other,
 * to themselves and to nothing; and what a walk of them finds, independently of the vmm's. */
#ifndef TEST_VMM_TABLES_H
#define TEST_VMM_TABLES_H

#include "guest-pv/vmm/core/cpu.h"

#define P 1ull
#define W 2ull
#define U 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define NX (1ull << 63)
#define FRAME 0x000ffffffffff000ull

#define NR_FRAMES 384u                  /* of the machine's RAM */
#define FIRST_TABLE 4u                  /* tables are frames 4 to 27; 1 to 3 are vmm_cpu_new()'s */
#define NR_TABLES 24u
#define RAM_AT 0xffffffff80000000ull    /* where those map all RAM */

extern uint64_t vmm_seed;               /* not 0 */
uint64_t random_64(void);
unsigned below(unsigned n);
static inline bool one_in(unsigned n)   /* vmm_cases.h has one of its own */
{
    return below(n) == 0;
}

/* A machine whose tables are random, at CPL 0 with a random root; its RAM is also at RAM_AT. */
struct cpu *vmm_tables_new(void);

/* The words of a linear address: an index into a table of that level; the frame of a table, of a
 * page; an entry in a table of that level. */
unsigned random_index(unsigned level);
uint64_t random_table(unsigned level);
uint64_t random_data(void);
uint64_t random_entry(unsigned level);
/* Mostly one that the guest maps, as far as a few tries find one. */
uint64_t random_linear(struct cpu *c);

uint64_t physical_entry(struct cpu *c, uint64_t table, unsigned index);

struct page {
    uint64_t frame;
    bool user, writable, executable;    /* at every level */
    bool used, dirty;                   /* A at every level; D of the leaf */
};
/* The walk of SDM vol. 3, 4.5, without setting A and D; false: not present, or reserved bits. */
bool guest_page(struct cpu *c, uint64_t linear, struct page *page);
/* At the CPL's rights; how: of access.h. */
bool guest_allows(struct cpu *c, uint64_t linear, unsigned how);

#endif
