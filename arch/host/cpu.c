/* The fake CPU's state per vCPU (registers, descriptor windows, a stack: fiber.h), arch_switch,
 * CPUID, MSRs and control registers. Values on which a real CPU would fault end the test here:
 * xen/ must have checked them. Page tables and TLB are guest_mem.c's and tlb.c's, the rest of the
 * machine machine.c's. Called by xen/ through arch/arch.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "arch/arch.h"
#include "fiber.h"
#include "host.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/cpu/upcall.h"

#if HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else /* without sanitizers, a change of stacks is not announced */
#define ASAN_UNPOISON_MEMORY_REGION(start, bytes) ((void)0)
#define __sanitizer_start_switch_fiber(fake, bottom, size) ((void)0)
#define __sanitizer_finish_switch_fiber(fake, bottom, size) \
    ((void)(fake), *(bottom) = NULL, *(size) = 0)
#endif

#define FIBER_STACK (512ul << 10)

struct fiber {
    struct context context;
    void *stack;                /* NULL: the stack of the test itself */
    const void *bottom;
    size_t size;
    void *fake;                 /* AddressSanitizer's fake stack */
};

HOST_TLS struct vcpu *host_current;
static struct fiber *leaving;   /* the fiber that was left last, for AddressSanitizer */

static void check_value(bool ok, const char *what, uint64_t value)
{
    if (ok)
        return;
    fprintf(stderr, "fake machine: a real CPU faults on %s = %#lx\n", what, value);
    abort();
}

static struct fiber *fiber_new(void)
{
    struct fiber *f = calloc(1, sizeof(*f));

    if (f == NULL)
        abort();
    return f;
}

void fiber_free(struct vcpu *v)
{
    struct fiber *f = host_vcpu(v)->fiber;

    if (f == NULL)
        return;
    if (f->stack != NULL) {
        /* Functions that never returned have left their frames poisoned. */
        ASAN_UNPOISON_MEMORY_REGION(f->stack, FIBER_STACK);
        munmap(f->stack, FIBER_STACK);
    }
    free(f);
    host_vcpu(v)->fiber = NULL;
}

static void arrived(struct fiber *self)
{
    const void *bottom;
    size_t size;

    __sanitizer_finish_switch_fiber(self->fake, &bottom, &size);
    if (leaving != NULL && leaving->stack == NULL) {
        leaving->bottom = bottom;
        leaving->size = size;
    }
}

static void trampoline(void)
{
    struct vcpu *v = current;

    arrived(host_vcpu(v)->fiber);
    if (this_cpu()->leaving != NULL)    /* not of a CPU that runs one program (cpus.c) */
        sched_switched();
    host_vcpu(v)->program(v);
    for (;;)                    /* the program has ended: block again after each wake-up */
        vcpu_block();
}

void host_fiber_make(struct vcpu *v)
{
    struct fiber *f = fiber_new();

    f->stack = mmap(NULL, FIBER_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (f->stack == MAP_FAILED || getcontext(&f->context.start) != 0)
        abort();
    f->bottom = f->stack;
    f->size = FIBER_STACK;
    f->context.start.uc_stack.ss_sp = f->stack;
    f->context.start.uc_stack.ss_size = FIBER_STACK;
    makecontext(&f->context.start, trampoline, 0);
    host_vcpu(v)->fiber = f;
}

/* v, which runs, can be left: on the test's own stack there was nothing to keep yet. */
void host_fiber_ready(struct vcpu *v)
{
    if (host_vcpu(v)->fiber == NULL)
        host_vcpu(v)->fiber = fiber_new();
}

/* Continues on the stack of `to`. Returns when another switch comes back to that of `from`. */
void host_fiber_switch(struct vcpu *from, struct vcpu *to)
{
    struct fiber *old = host_vcpu(from)->fiber, *new = host_vcpu(to)->fiber;

    leaving = old;
    __sanitizer_start_switch_fiber(&old->fake, new->bottom, new->size);
    context_switch(&old->context, &new->context);
    arrived(old);
}

/* The test's own stack is the uppermost memory there is. */
bool host_on_stack(const void *p)
{
    const struct fiber *f = host_vcpu(current)->fiber;

    if (f == NULL || f->stack == NULL)
        return (uintptr_t)p > (uintptr_t)__builtin_frame_address(0);
    return (uintptr_t)p - (uintptr_t)f->stack < FIBER_STACK;
}

void arch_switch(struct vcpu *prev, struct vcpu *next)
{
    check_value(prev == current, "arch_switch from a vCPU that does not run", prev->id);
    for (unsigned cpu = 0; cpu < host_nr_cpus; cpu++)
        HOST_CHECK(host_current_of(cpu) != next, "d%uv%u runs on CPU %u already", next->domain->id,
                   next->id, cpu);
    host.switches++;
    if (host.no_stacks) {
        current = next;
        return;
    }
    host_fiber_ready(prev);
    if (host_vcpu(next)->fiber == NULL)
        host_fiber_make(next);
    current = next;
    host_load_root(next);       /* the idle vCPU's root is 0: it has no guest's tables */
    host_fiber_switch(prev, next);
}

/* A guest that only blocks, and does the work of each exit to the guest, until its domain ends. */
void host_idle_guest(struct vcpu *v)
{
    for (;;) {
        v->info->evtchn_upcall_mask = 1;
        if (v->work != 0)
            exit_to_guest_work();
        vcpu_block();
    }
}

/* A real vCPU needs frames for its stack; the token is as many frames, so that the allocation can
 * fail here too. The struct itself is host memory, where AddressSanitizer detects accesses beyond
 * its ends. */
struct vcpu *arch_vcpu_alloc(void)
{
    void *token = alloc_pages(2);
    struct vcpu *v = token ? calloc(1, sizeof(*v)) : NULL;

    if (v == NULL)
        return NULL;
    v->arch = calloc(1, sizeof(struct host_vcpu));
    if (v->arch == NULL)
        abort();
    host_vcpu(v)->token = token;
    host_vcpu(v)->program = host.program != NULL ? host.program : host_idle_guest;
    return v;
}

void arch_vcpu_free(struct vcpu *v)
{
    if (v == NULL)
        return;
    for (unsigned cpu = 0; cpu < host_nr_cpus; cpu++)
        check_value(v != host_current_of(cpu), "freeing a vCPU that runs", v->id);
    fiber_free(v);
    free_pages(host_vcpu(v)->token, 2);
    free(v->arch);
    free(v);
}

int arch_vcpu_init(struct vcpu *v)
{
    struct cpu_user_regs *r = guest_regs(v);

    memset(r, 0, sizeof(*r));
    return 0;
}

int arch_domain_init(struct domain *d)
{
    d->arch = alloc_page();
    return d->arch != NULL ? 0 : -ENOMEM;
}

void arch_domain_free(struct domain *d)
{
    free_page(d->arch);
    d->arch = NULL;
}

struct cpu_user_regs *guest_regs(const struct vcpu *v)
{
    return &host_vcpu(v)->regs;
}

void arch_map_gdt(struct vcpu *v, const mfn_t *mfns, unsigned nr_frames)
{
    check_value(nr_frames <= 14, "GDT frames", nr_frames);
    for (unsigned i = 0; i < nr_frames; i++)
        check_value(frame_type(mfn_to_frame(mfns[i])) == TYPE_SEGDESC,
                    "type of a GDT frame", mfns[i]);
    memset(host_vcpu(v)->gdt, 0, sizeof(host_vcpu(v)->gdt));
    memcpy(host_vcpu(v)->gdt, mfns, nr_frames * sizeof(mfn_t));
    host_vcpu(v)->nr_gdt = nr_frames;
}

void arch_map_ldt_page(struct vcpu *v, unsigned page, mfn_t mfn)
{
    check_value(page < 16, "LDT page", page);
    check_value(frame_type(mfn_to_frame(mfn)) == TYPE_SEGDESC, "type of an LDT frame", mfn);
    host_vcpu(v)->ldt[page] = mfn;
}

void arch_clear_ldt(struct vcpu *v)
{
    memset(host_vcpu(v)->ldt, 0, sizeof(host_vcpu(v)->ldt));
}

void arch_load_ldt(struct vcpu *v)
{
    check_value(v == current, "loading the LDT of another vCPU", v->id);
    check_value(v->ldt_ents <= 8192, "LDT entries", v->ldt_ents);
    host_vcpu(v)->loaded_ldt_ents = v->ldt_ents;
}

#define WINDOW_START 0xffff820000000000ull
int64_t arch_ldt_window_offset(struct vcpu *v, uint64_t va)
{
    uint64_t start = WINDOW_START + ((uint64_t)v->id << 17) + 0x10000;

    return va >= start && va < start + 0x10000 ? (int64_t)(va - start) : -1;
}

uint64_t arch_get_base(enum arch_base which)
{
    return which == BASE_FS          ? current->base_fs
           : which == BASE_GS_KERNEL ? current->base_gs_kernel
                                     : current->base_gs_user;
}

void arch_set_base(enum arch_base which, uint64_t value)
{
    check_value(is_canonical(value), "a segment base", value);
    *(which == BASE_FS          ? &current->base_fs
      : which == BASE_GS_KERNEL ? &current->base_gs_kernel
                                : &current->base_gs_user) = value;
}

unsigned arch_get_selector(unsigned segment)
{
    check_value(segment == 0 || (segment >= 3 && segment <= 5), "a segment register", segment);
    return segment == 0 ? current->sel_es :
           segment == 3 ? current->sel_ds :
           segment == 4 ? current->sel_fs : current->sel_gs;
}

void arch_load_user_gs(unsigned selector)
{
    check_value(selector <= 0xffff, "GS selector", selector);
    current->base_gs_user = 0;
}

void arch_swap_gs(void)
{
    host.gs_swaps++;
}

void arch_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value)
{
    (void)v;
    check_value(reg < 8 && reg != 4 && reg != 5, "debug register number", reg);
    if (reg < 4)
        check_value(is_canonical(value) && (value < HOLE_START || value >= HOLE_END),
                    "a breakpoint address", value);
    else
        check_value(value >> 32 == 0, "DR6 or DR7", value);
    if (reg == 7)
        check_value(!(value & 0x2000), "DR7.GD", value);
}

bool arch_db_is_early(void)
{
    return host.early_db;
}

void arch_load_fpu_image(struct vcpu *v, const void *image)
{
    check_value(v != current && !v->initialised, "the FPU image of a vCPU that runs", v->id);
    memcpy(host_vcpu(v)->fpu_image, image, sizeof(host_vcpu(v)->fpu_image));
}

void arch_set_tsc_aux(uint64_t value)
{
    check_value(value >> 32 == 0, "TSC_AUX", value);
}

void arch_set_ts(bool on)
{
    host.ts = on;
}

void arch_load_cr4(struct vcpu *v)
{
    check_value(!(v->cr4_guest & ~arch_cr4_guest_mask()), "CR4", v->cr4_guest);
    host.cr4 = arch_cr4_host() | v->cr4_guest;
}

bool arch_xsetbv(uint64_t value)
{
    return !host.deny_xsave && (value & 1) && !(value & ~arch_xcr0_mask()) &&
           !((value & 4) && !(value & 2));
}

uint64_t arch_xcr0_mask(void)
{
    return host.deny_xsave ? 0 : 7;
}

uint64_t arch_cr4_guest_mask(void)
{
    /* TSD, DE, OSXSAVE, FSGSBASE */
    return 0xc | (host.deny_xsave ? 0 : 1u << 18) | (host.deny_fsgsbase ? 0 : 1u << 16);
}

uint64_t arch_cr4_host(void)
{
    /* PSE PAE OSFXSR OSXMMEXCPT; no PGE: loading a root flushes everything */
    return 0x630;
}

void arch_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    static const struct { uint32_t leaf, subleaf, regs[4]; } table[] = {
        { 0, 0, { 0xd, 0x756e6547, 0x6c65746e, 0x49656e69 } },
        { 1, 0, { 0x000306c3, 0x00010800, 0xfffaffff, 0xbfebfbff } },
        { 7, 0, { 0, 0xffffffff, 0xffffffff, 0xffffffff } },
        { 0xd, 0, { 7, 0x340, 0x340, 0 } },
        { 0xd, 1, { 0xf, 0, 0, 0 } },
        { 0xd, 2, { 0x100, 0x240, 0, 0 } },
        { 0x80000000, 0, { 0x80000008, 0, 0, 0 } },
        { 0x80000001, 0, { 0, 0, 0x121, 0x2c100800 } },
        { 0x80000008, 0, { 0x3928, 0, 0, 0 } },
    };

    memset(out, 0, 4 * sizeof(out[0]));
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
        if (table[i].leaf == leaf && table[i].subleaf == subleaf)
            memcpy(out, table[i].regs, sizeof(table[i].regs));
}

bool arch_rdmsr(uint32_t msr, uint64_t *value)
{
    *value = msr == 0xc0000080 ? 0xd01 : 0;     /* EFER: SCE LME LMA NX */
    return msr < 0x2000 || (msr >= 0xc0000080 && msr <= 0xc0000103);
}

unsigned arch_paddr_bits(void)
{
    return 40;
}

unsigned arch_cpu_id(void)
{
    return host_nr_cpus > 1 ? host_cpu : host.cpu_id;
}

void arch_log_cpu(void)
{
}

bool arch_has_nx(void)
{
    return true;
}
