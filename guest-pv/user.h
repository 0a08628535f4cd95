/*
 * User mode: code and data linked at USER_BASE, a page-table root of its own (the kernel's low
 * half, nothing of the upper one), and a call that runs a function there and says how it came back.
 *
 * A user function is written in C or asm and marked USER_CODE; its variables USER_DATA. Kernel code
 * reaches those as *USER_PTR(variable): by name they are out of the reach of a relative address. A
 * user function must not call kernel functions or libc, nor use string literals or large switches:
 * those live in the kernel's sections. It ends with user_exit(); returning does the same with its
 * result.
 */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include <stdbool.h>
#include <stdint.h>
#include "trap.h"
#include "mm.h"

#define USER_CODE __attribute__((section(".user.text"), noinline, used))
/* A static user function whose body is one asm statement. */
#define USER_ASM  USER_CODE __attribute__((naked)) static
#define USER_DATA __attribute__((section(".user.data")))
#define USER_PTR(sym)   \
    ({ __typeof__(&(sym)) p_; __asm__("movq %1, %0" : "=r"(p_) : "i"(&(sym))); p_; })

/* Syscalls: rax = number, rdi, rsi, rdx = arguments; result in rax. xmm registers are lost. */
enum { SYS_EXIT = 0, SYS_PUTS = 1, SYS_YIELD = 2, SYS_TEST = 16, NR_SYSCALLS = 64 };

typedef uint64_t (*syscall_fn)(uint64_t a, uint64_t b, uint64_t c, struct regs *r);
/* Numbers from SYS_TEST on are for tests; NULL removes. An unknown number returns -XEN_ENOSYS to
 * the user. */
void user_set_syscall(unsigned nr, syscall_fn fn);

struct user_result {
    bool exited;                            /* by SYS_EXIT (or by returning), else by the fault */
    uint64_t code;
    struct fault fault;                     /* .vector FAULT_NONE when exited */
};

/*
 * Runs fn(a, b, c) in user mode until it exits or faults without a handler taking it. Events are on
 * meanwhile.
 */
struct user_result user_run(void *fn, uint64_t a, uint64_t b, uint64_t c);
/*
 * The same from a full register image (rip, cs, ss, rsp, rflags as given): for tests of odd
 * selectors and flags.
 */
struct user_result user_run_regs(const struct regs *r);
void user_init_regs(struct regs *r, void *fn, uint64_t a, uint64_t b, uint64_t c);
/* The same, entered by this function, which goes on as user_enter(). */
typedef void user_enter_fn(const struct regs *r, uint64_t *kernel_sp);
struct user_result user_run_by(user_enter_fn *enter, const struct regs *r);
/* From a handler or syscall: end the innermost user_run with this. */
_Noreturn void user_end(struct user_result res);

/* For user code. Always inlined: it must not become a function in the kernel's text. */
static inline __attribute__((always_inline)) uint64_t
user_syscall(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    __asm__ volatile("syscall" : "+a"(nr), "+D"(a), "+S"(b), "+d"(c)
                     : : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                         "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
                         "xmm14", "xmm15");
    return nr;
}
static inline __attribute__((always_inline)) void user_exit(uint64_t code)
{
    user_syscall(SYS_EXIT, code, 0, 0);
}

/* The user root. map_user() maps in both halves; va below 512 GiB. */
pfn_t user_root(void);
int map_user(const volatile void *va, uint64_t pte);
int set_user_root(pfn_t l4);                /* NEW_USER_BASEPTR of the current thread; 0 = none */

int set_user_root_raw(pfn_t l4);            /* the hypercall only: thread.c */

void user_init(void);
void user_fault(const struct fault *f);     /* trap.c; returns only if there is no user_run */
#endif
