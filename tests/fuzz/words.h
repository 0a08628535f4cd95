/* Where a guest has what, and the words that it makes requests of. */
#ifndef FUZZ_WORDS_H
#define FUZZ_WORDS_H

#include "support.h"

#define STACK_TOP (SCRATCH + 0x8000)
#define CODE (SCRATCH + 0x9000)
#define ARGS (SCRATCH + 0xa000)
#define LISTS (SCRATCH + 0xb000)
#define PLAY (GUEST_BASE + 0x20000)     /* sixteen pages whose mappings come and go */
#define TABLES_VA (GUEST_BASE + 0x38000)
#define LINEAR_SLOT 300u                /* four of the root's, which map nothing else */

struct vcpu *some_vcpu(void);
mfn_t some_mfn(void);
/* One of the guest's tables of tables: of the type given, or any; the root when there is none. */
mfn_t some_table(uint64_t type);
uint64_t some_pte(void);
uint64_t some_va(void);
/* Where the CPU comes by tables that take the place of lower ones, the hypervisor's entries too. */
uint64_t linear_va(void);
domid_t some_domid(void);
uint64_t some_word(void);               /* any of these, or a number */

/* What the guest would write itself, where it can. */
void poke(uint64_t va, const void *src, size_t len);
void poke_words(uint64_t va, unsigned n);

#endif
