/* The functions of the seam that arch/arch.h leaves to each architecture, for the fake machine.
 * What tests can set is in host.h. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "common/compiler.h"
#include "xen/core/domain.h"
#include "xen/core/vtimer.h"

struct vcpu;

/* In a program whose fake CPUs are threads (arch/host/threads.c) each has what only it uses. */
#ifdef HOST_THREADS
#define HOST_TLS __thread
#else
#define HOST_TLS
#endif

extern HOST_TLS struct vcpu *host_current;
#define current host_current

void *mfn_to_virt(mfn_t mfn);
static inline void *maddr_to_virt(uint64_t maddr)
{
    return (char *)mfn_to_virt(maddr >> PAGE_SHIFT) + maddr % PAGE_SIZE;
}
mfn_t virt_to_mfn(const void *va);
struct cpu_user_regs *guest_regs(const struct vcpu *v);
bool get_guest_words(void *dst, uint64_t va, unsigned n);
bool get_guest_words_unhidden(void *dst, uint64_t va, unsigned n);
bool put_guest_words(uint64_t va, const void *src, unsigned n);
static inline bool get_guest_word(uint64_t *dst, uint64_t va)
{
    return get_guest_words(dst, va, 1);
}

static inline bool put_guest_word(uint64_t va, uint64_t value)
{
    return put_guest_words(va, &value, 1);
}

uint64_t arch_tsc(void);
uint64_t arch_cmpxchg64(uint64_t *p, uint64_t old, uint64_t val);

#endif
