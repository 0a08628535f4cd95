/* The hypervisor's own page tables. */
#ifndef ARCH_X86_PAGING_H
#define ARCH_X86_PAGING_H

#include "common/compiler.h"

struct cpu;

void paging_init(void);                 /* directmap, M2P, frame table, free lists */
/* At boot, from RAM below 4 GiB; panics if there is none. Not written. */
void *early_alloc(uint64_t bytes, uint64_t align);
/* Loads CR3, which flushes this CPU's TLB, and counts the flush. Every load after boot must use
 * this function. */
/* Loads a root of v and flushes all: see arch_flush_all(). */
void load_cr3(struct vcpu *v, uint64_t cr3);
extern uint64_t idle_root;              /* machine address of root_l4 */

#endif
