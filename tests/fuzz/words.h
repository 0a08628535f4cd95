/* Where things are in a guest's memory, and the words of which its requests are made. */
#ifndef FUZZ_WORDS_H
#define FUZZ_WORDS_H

#include "support.h"

#define STACK_TOP (SCRATCH + 0x8000)
#define CODE (SCRATCH + 0x9000)
#define ARGS (SCRATCH + 0xa000)
#define LISTS (SCRATCH + 0xb000)
#define PLAY (GUEST_BASE + 0x20000)     /* sixteen pages whose mappings come and go */
#define TABLES_VA (GUEST_BASE + 0x38000)
#define LINEAR_SLOT 300u                /* four slots of the root that map nothing else */

struct vcpu *some_vcpu(void);
mfn_t some_mfn(void);
/* One of the guest's L2 to L4 tables, of the given type or of any; the root if there is none. */
mfn_t some_table(uint64_t type);
uint64_t some_pte(void);
uint64_t some_va(void);
/* An address that the CPU translates through tables in the place of lower ones, by way of the
 * linear slots; some of them through the hypervisor's entries. */
uint64_t linear_va(void);
domid_t some_domid(void);
uint64_t some_word(void);               /* any of the above, or a random number */

uint64_t entry_at(uint64_t va);         /* the L1 entry that maps va; 0: there is none */

/* Stores to guest memory as the guest could; nothing happens where it may not. */
void poke(uint64_t va, const void *src, size_t len);
void poke_words(uint64_t va, unsigned n);

#endif
