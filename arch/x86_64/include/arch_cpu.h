/* The functions of the seam that are inline on x86-64, because they are called often. Contracts:
 * arch/arch.h. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "common/atomic.h"
#include "common/compiler.h"
#include "xen/core/domain.h"
#include "xen/core/vtimer.h"
#include "arch/x86_64/memlayout.h"

struct vcpu;

/* Every stack is STACK_SIZE bytes and aligned to that; this struct is at its upper end. On a vCPU's
 * own stack, regs is the frame with the guest's registers. The IST stacks of a CPU lie in one such
 * block, so they share one of these, of which vcpu and frame are written at every context
 * switch. */
struct stack_top {
    struct cpu_user_regs regs;
    struct vcpu *vcpu;
    uint64_t frame;         /* of the IST stacks: &regs on vcpu's own stack. &regs.es is aligned */
};

static inline struct stack_top *this_stack_top(void)
{
    uint64_t sp;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct stack_top *)((sp | (STACK_SIZE - 1)) + 1) - 1;
}

#define current (this_stack_top()->vcpu)

static inline void *mfn_to_virt(mfn_t mfn)
{
    return (void *)(DIRECTMAP_START + (mfn << PAGE_SHIFT));
}

static inline void *maddr_to_virt(uint64_t maddr)
{
    return (void *)(DIRECTMAP_START + maddr);
}

static inline mfn_t virt_to_mfn(const void *va)
{
    return ((uint64_t)va - DIRECTMAP_START) >> PAGE_SHIFT;
}

struct cpu_user_regs *guest_regs(const struct vcpu *v);

static inline uint64_t arch_tsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return lo | (uint64_t)hi << 32;
}

static inline uint64_t arch_cmpxchg64(uint64_t *p, uint64_t old, uint64_t val)
{
    return cmpxchg64(p, old, val);
}

/* An entry of the exception table: a fault at an instruction in [from, to) continues at fixup
 * (fault.c). */
#define EXTABLE_ASM(from, to, fixup)                                            \
    ".pushsection .extable, \"a\"\n.balign 4\n"                                 \
    ".long " from " - .\n.long " to " - .\n.long " fixup " - .\n.popsection\n"

/* The word is written to memory, not to an output register: gcc 12 can lose an output of asm
 * goto. */
static inline bool get_guest_word(uint64_t *dst, uint64_t va)
{
    __asm__ goto("1: movq %0, %%rax\n2:\tmovq %%rax, %1\n" EXTABLE_ASM("1b", "2b", "%l[fault]")
                 : : "m"(*(const uint64_t *)va), "m"(*dst) : "rax", "memory" : fault);
    return true;
fault:
    return false;
}

static inline bool put_guest_word(uint64_t va, uint64_t value)
{
    __asm__ goto("1: movq %0, %1\n2:\n" EXTABLE_ASM("1b", "2b", "%l[fault]")
                 : : "er"(value), "m"(*(uint64_t *)va) : "memory" : fault);
    return true;
fault:
    return false;
}

#ifdef __clang__
#define UNROLL_WORDS                    /* clang unrolls by itself, and rejects the pragma */
#else
#define UNROLL_WORDS _Pragma("GCC unroll 9")
#endif

/* n is a constant at every call, so that the loops unroll. The caller has checked the range against
 * the hole. */
static inline __attribute__((always_inline)) bool get_guest_words_unhidden(void *dst, uint64_t va,
                                                                           unsigned n)
{
    uint64_t *d = dst;

    UNROLL_WORDS for (unsigned i = 0; i < n; i++)
        if (!get_guest_word(&d[i], va + 8 * i))
            return false;
    return true;
}

static inline __attribute__((always_inline)) bool get_guest_words(void *dst, uint64_t va,
                                                                  unsigned n)
{
    if (unlikely(linear_tables))
        return linear_copy(dst, va, 8 * n) == 0;
    return get_guest_words_unhidden(dst, va, n);
}

static inline __attribute__((always_inline)) bool put_guest_words(uint64_t va, const void *src,
                                                                  unsigned n)
{
    const uint64_t *s = src;

    UNROLL_WORDS for (unsigned i = 0; i < n; i++)
        if (!put_guest_word(va + 8 * i, s[i]))
            return false;
    return true;
}

#endif
