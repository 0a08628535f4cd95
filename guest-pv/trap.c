/* The trap table, the handler of each vector, try_fault() and panic. entry.S calls trap_dispatch()
 * with the saved registers, and returns by the iret hypercall with them as the handler left
 * them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "jump.h"
#include "thread.h"
#include "trap.h"
#include "user.h"

#define STUB_SIZE 32
#define TI_MASK_EVENTS 4

struct catcher {
    jmp_buf jb;
    struct fault fault;
    struct catcher *outer;
};

uint64_t trap_count[NR_VECTORS];
unsigned irq_depth;
static trap_handler handlers[NR_VECTORS];

void *trap_stub(unsigned vector)
{
    return trap_stubs + vector * STUB_SIZE;
}

int trap_table_install(void)
{
    static struct trap_info table[257];     /* the last, address 0, ends it */

    for (unsigned n = 0; n < 256; n++) {
        unsigned dpl = n == TRAP_BP || n == TRAP_OF || n == 0x80 ? 3 : 0;

        table[n] = (struct trap_info){
            .vector = n, .flags = dpl | TI_MASK_EVENTS,
            .cs = FLAT_KERNEL_CS, .address = (unsigned long)trap_stub(n),
        };
    }
    return xen_set_trap_table(table);
}

int trap_table_set(unsigned vector, unsigned dpl, bool open)
{
    struct trap_info t[2] = { { .vector = vector, .flags = dpl | (open ? 0 : TI_MASK_EVENTS),
                                .cs = FLAT_KERNEL_CS,
                                .address = (unsigned long)trap_stub(vector) } };

    return xen_set_trap_table(t);
}

static int callback_register(unsigned type, const void *entry)
{
    struct callback_register cb = { .type = type, .flags = CALLBACKF_mask_events,
                                    .address = (unsigned long)entry };

    return xen_callback_op(CALLBACKOP_register, &cb);
}

int trap_callbacks_install(void)
{
    int rc = callback_register(CALLBACKTYPE_event, event_entry);

    rc = rc ? rc : callback_register(CALLBACKTYPE_failsafe, failsafe_entry);
    rc = rc ? rc : callback_register(CALLBACKTYPE_syscall, syscall_entry);
    /* Each of these callbacks exists on one vendor's CPUs only, so it may be refused. */
    callback_register(CALLBACKTYPE_syscall32, syscall32_entry);
    callback_register(CALLBACKTYPE_sysenter, sysenter_entry);
    return rc;
}

void trap_init(void)
{
    int rc = trap_table_install();

    if (!rc)
        rc = trap_callbacks_install();
    if (rc)
        panic("trap table or callbacks refused: %d", rc);
}

trap_handler trap_set_handler(unsigned vector, trap_handler fn)
{
    trap_handler old = handlers[vector];

    handlers[vector] = fn;
    return old;
}

bool trap_handled(struct regs *r)
{
    return handlers[r->vector] && handlers[r->vector](r);
}

static struct fault fault_of(const struct regs *r)
{
    return (struct fault){
        .vector = r->vector, .error = r->error, .rip = r->rip, .rsp = r->rsp, .rflags = r->rflags,
        .cr2 = r->vector == TRAP_PF ? shared_info->vcpu_info[0].arch.cr2 : 0,
        .user = regs_user(r),
    };
}

void trap_events(void)
{
    irq_depth++;
    event_dispatch();
    if (--irq_depth == 0)
        thread_irq_exit();
}

void trap_dispatch(struct regs *r)
{
    struct catcher *c = current->catcher;

    trap_count[r->vector]++;
    if (r->vector == VECTOR_EVENT) {
        trap_events();
        if (handlers[VECTOR_EVENT])
            handlers[VECTOR_EVENT](r);
        return;
    }
    if (trap_handled(r))
        return;
    struct fault f = fault_of(r);
    if (f.user)
        user_fault(&f);
    if (!c) {
        regs_print(r);
        panic("unexpected trap %u", r->vector);
    }
    c->fault = f;
    longjmp(c->jb, 1);
}

/* Restores what a test that faulted may have left changed in the CPU, besides registers. */
static void fpu_reset(void)
{
    static const uint32_t mxcsr = 0x1f80;

    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
}

struct fault try_fault(void (*fn)(void *), void *arg)
{
    bool masked = events_masked();
    unsigned depth = irq_depth;
    struct user_run *user = current->user;
    struct catcher c = { .fault = { .vector = FAULT_NONE }, .outer = current->catcher };

    current->catcher = &c;
    if (!setjmp(c.jb))
        fn(arg);
    else
        fpu_reset();
    current->catcher = c.outer;
    current->user = user;
    irq_depth = depth;
    events_restore(masked);
    return c.fault;
}

struct access {
    uint64_t va, val;
};

static void do_read(void *arg)
{
    struct access *a = arg;

    a->val = *(volatile uint64_t *)a->va;
}

static void do_write(void *arg)
{
    struct access *a = arg;

    *(volatile uint64_t *)a->va = a->val;
}

static void do_exec(void *arg)
{
    ((void (*)(void))arg)();
}

struct fault try_read64(const volatile void *va, uint64_t *val)
{
    struct access a = { .va = (uint64_t)va };
    struct fault f = try_fault(do_read, &a);

    if (val && f.vector == FAULT_NONE)
        *val = a.val;
    return f;
}

struct fault try_write64(volatile void *va, uint64_t val)
{
    struct access a = { .va = (uint64_t)va, .val = val };

    return try_fault(do_write, &a);
}

struct fault try_exec(const void *va)
{
    return try_fault(do_exec, (void *)va);
}

void regs_print(const struct regs *r)
{
    kprintf("trap %u error %#x rip %04x:%016lx rsp %04lx:%016lx rflags %#lx cr2 %016lx\n",
            r->vector, r->error, r->cs, r->rip, r->ss, r->rsp, r->rflags,
            (uint64_t)shared_info->vcpu_info[0].arch.cr2);
    kprintf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    kprintf("rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    kprintf("r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    kprintf("r13 %016lx r14 %016lx r15 %016lx thread %s\n", r->r13, r->r14, r->r15, current->name);
}

/* By the saved rbp of each frame, as far as they stay on this thread's stack. */
static void backtrace(void)
{
    uint64_t *fp = __builtin_frame_address(0), low = (uint64_t)fp, high = low + STACK_SIZE;

    kprintf("call trace:");
    for (unsigned i = 0; i < 16 && (uint64_t)fp >= low && (uint64_t)fp < high &&
         !((uint64_t)fp & 7); i++) {
        if (!fp[1])
            break;
        kprintf(" %lx", fp[1]);
        fp = (uint64_t *)fp[0];
    }
    kprintf("\n");
}

_Noreturn void panic(const char *fmt, ...)
{
    char line[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    kprintf("guest-pv: panic: %s\n", line);
    backtrace();
    shutdown(SHUTDOWN_crash);
}
