/* The hypervisor's own page tables, and loads of CR3. */
#ifndef ARCH_X86_PAGING_H
#define ARCH_X86_PAGING_H

#include "common/compiler.h"

struct vcpu;

void paging_init(void);                 /* directmap, M2P, frame table, free lists */
/* At boot, from RAM below 4 GiB; panics if there is none. Not written. */
void *early_alloc(uint64_t bytes, uint64_t align);
/* tlb.c: loads CR3 and flushes all. The second is for a root of v: see arch_flush_all(). */
void load_cr3_and_flush(uint64_t cr3);
void load_root_and_flush(struct vcpu *v, uint64_t root);
extern uint64_t idle_root;              /* machine address of root_l4 */

#endif
