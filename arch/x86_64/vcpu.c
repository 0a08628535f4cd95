/* The context switch between vCPUs: stacks, FPU, segment registers and bases, debug and control
 * registers; and creating and freeing a vCPU. Called by the scheduler (arch_switch) and domain.c.
 * GDT and LDT windows are segments.c's. The FPU state is saved and restored completely at each
 * switch (XSA-267); segment bases are read from the CPU at each switch, because a guest with
 * FSGSBASE changes them without a hypercall. */
#include "common/string.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/vcpu.h"
#include "xen/core/alloc.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/sched.h"

void switch_stack(uint64_t *save_sp, uint64_t load_sp);
void vcpu_first_run(void);
extern char fresh_vcpu[], boot_stack[];

#define VCPU_ORDER 1u
#define FXSAVE_BYTES 512u
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE << VCPU_ORDER, "one allocation");

static struct arch_vcpu idle_arch = { .stack = boot_stack };
static struct vcpu idle_vcpu;
static struct vcpu_info idle_info;      /* so that v->info is never NULL */

void idle_vcpu_init(struct vcpu *v, struct arch_vcpu *a, struct vcpu_info *info, struct cpu *cpu)
{
    v->domain = &idle_domain;
    v->arch = a;
    v->info = info;
    info->evtchn_upcall_mask = 1;
    v->kernel_mode = true;
    v->cpu = cpu;
    ((struct stack_top *)(a->stack + STACK_SIZE) - 1)->vcpu = v;
}

void boot_vcpu_init(void)
{
    idle_vcpu_init(&idle_vcpu, &idle_arch, &idle_info, cpus[0]);
    idle_domain.vcpu[0] = &idle_vcpu;
}

struct cpu_user_regs *guest_regs(const struct vcpu *v)
{
    const struct arch_vcpu *a = v->arch;

    return &((struct stack_top *)(a->stack + STACK_SIZE) - 1)->regs;
}

struct vcpu *arch_vcpu_alloc(void)
{
    return alloc_pages(VCPU_ORDER);
}

void arch_vcpu_free(struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;

    if (a != NULL) {
        free_pages(a->stack, STACK_ORDER);
        free_page(a->fpu);
        free_page(a);
    }
    free_pages(v, VCPU_ORDER);
}

static uint32_t *image_mxcsr(const struct arch_vcpu *a)
{
    return (uint32_t *)((char *)a->fpu + 24);
}

/* Prepares the stack for the first switch to the vCPU. Its registers are set later by the builder
 * or VCPUOP_initialise. */
int arch_vcpu_init(struct vcpu *v)
{
    struct arch_vcpu *a = alloc_page();
    struct stack_top *top;
    uint64_t *sp;

    v->arch = a;
    if (a == NULL)
        return -ENOMEM;
    a->stack = alloc_pages(STACK_ORDER);
    a->fpu = alloc_page();
    if (a->stack == NULL || a->fpu == NULL || cpu_features.xsave_bytes > PAGE_SIZE)
        return -ENOMEM;
    /* FCW and MXCSR after reset; XSTATE_BV 0: the rest initial */
    *(uint16_t *)a->fpu = 0x37f;
    *image_mxcsr(a) = 0x1f80;
    v->xcr0 = cpu_features.xcr0_mask ? 1 : 0;
    v->debugreg[6] = 0xffff0ff0;
    v->debugreg[7] = 0x400;
    top = (struct stack_top *)(a->stack + STACK_SIZE) - 1;
    top->vcpu = v;
    sp = (uint64_t *)&top->regs - 1;                /* fresh_vcpu's rsp */
    *--sp = (uint64_t)fresh_vcpu;
    a->sp = (uint64_t)(sp - 6);                     /* what switch_stack pops */
    arch_map_gdt(v, NULL, 0);
    return 0;
}

/* A reserved bit of MXCSR would make (F)XRSTOR fault. Every CPU with long mode has the low
 * sixteen. */
void arch_load_fpu_image(struct vcpu *v, const void *image)
{
    struct arch_vcpu *a = v->arch;

    memcpy(a->fpu, image, FXSAVE_BYTES);
    *image_mxcsr(a) &= 0xffff;
    if (cpu_features.xsave)
        *(uint64_t *)((char *)a->fpu + FXSAVE_BYTES) = 3;       /* XSTATE_BV: x87 and SSE */
}

static void fpu_save(struct arch_vcpu *a, uint64_t xcr0)
{
    if (cpu_features.xsave) {
        if (xcr0 != cpu_features.xcr0_mask)
            arch_xsetbv(cpu_features.xcr0_mask);
        __asm__ volatile("xsave64 (%0)" : : "r"(a->fpu), "a"(~0u), "d"(~0u) : "memory");
    } else {
        __asm__ volatile("fxsave64 (%0)" : : "r"(a->fpu) : "memory");
    }
}

static void fpu_restore(struct arch_vcpu *a, uint64_t xcr0)
{
    static const uint32_t zero;

    if (cpu_features.keeps_fp_pointers) /* AMD: removes the previous guest's pointers (XSA-52) */
        __asm__ volatile("fnclex\n\tffree %%st(7)\n\tfildl %0" : : "m"(zero));
    if (cpu_features.xsave) {
        __asm__ volatile("xrstor64 (%0)" : : "r"(a->fpu), "a"(~0u), "d"(~0u) : "memory");
        if (xcr0 != cpu_features.xcr0_mask)
            arch_xsetbv(xcr0);
    } else {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(a->fpu) : "memory");
    }
}

static void debug_restore(const struct vcpu *v)
{
    __asm__ volatile("mov %0, %%db7" : : "r"(0x400ul));
    if (!(v->debugreg[7] & 0xff))
        return;
    __asm__ volatile("mov %0, %%db0" : : "r"(v->debugreg[0]));
    __asm__ volatile("mov %0, %%db1" : : "r"(v->debugreg[1]));
    __asm__ volatile("mov %0, %%db2" : : "r"(v->debugreg[2]));
    __asm__ volatile("mov %0, %%db3" : : "r"(v->debugreg[3]));
    __asm__ volatile("mov %0, %%db7" : : "r"(v->debugreg[7]));
}

static void save_guest(struct vcpu *v)
{
    uint64_t active = rdmsr(MSR_GS_BASE), inactive = rdmsr(MSR_KERNEL_GS_BASE);

    v->base_fs = rdmsr(MSR_FS_BASE);
    v->base_gs_kernel = v->kernel_mode ? active : inactive;
    v->base_gs_user = v->kernel_mode ? inactive : active;
    if (!(v->work & WORK_FAILSAFE)) {       /* else sel_* are still to be reported to the guest */
        __asm__("mov %%ds, %0" : "=rm"(v->sel_ds));
        __asm__("mov %%es, %0" : "=rm"(v->sel_es));
        __asm__("mov %%fs, %0" : "=rm"(v->sel_fs));
        __asm__("mov %%gs, %0" : "=rm"(v->sel_gs));
    }
    __asm__ volatile("clts");
    fpu_save(v->arch, v->xcr0);
}

/* True: the selector was loaded; false: it could not be, and the null selector was. */
#define LOAD_SELECTOR(reg)                                                                        \
static bool load_##reg(uint16_t selector)                                                         \
{                                                                                                 \
    __asm__ goto("1: mov %w0, %%" #reg "\n2:\n" EXTABLE_ASM("1b", "2b", "%l[fault]")              \
                 : : "r"((uint32_t)selector) : "memory" : fault);                                 \
    return true;                                                                                  \
fault:                                                                                            \
    __asm__ volatile("mov %w0, %%" #reg : : "r"(0));                                              \
    return false;                                                                                 \
}
LOAD_SELECTOR(ds)
LOAD_SELECTOR(es)
LOAD_SELECTOR(fs)
LOAD_SELECTOR(gs)

/* Returns 0 for a base that is not canonical, which the guest may have left by WRFSBASE: WRMSR of
 * it would fault. */
static void load_base(uint32_t msr, uint64_t value)
{
    wrmsr(msr, is_canonical(value) ? value : 0);
}

static void restore_guest(struct vcpu *v)
{
    bool ok = true;

    ok &= load_ds(v->sel_ds);
    ok &= load_es(v->sel_es);
    ok &= load_fs(v->sel_fs);
    ok &= load_gs(v->sel_gs);
    if (!ok)
        v->own_work |= WORK_FAILSAFE;       /* failsafe callback at the next exit, with v->sel_* */
    load_base(MSR_FS_BASE, v->base_fs);
    load_base(MSR_GS_BASE, v->kernel_mode ? v->base_gs_kernel : v->base_gs_user);
    load_base(MSR_KERNEL_GS_BASE, v->kernel_mode ? v->base_gs_user : v->base_gs_kernel);
    if (cpu_features.rdtscp)
        wrmsr(MSR_TSC_AUX, v->tsc_aux);
    fpu_restore(v->arch, v->xcr0);
    arch_set_ts(v->ts);
    arch_load_cr4(v);
    debug_restore(v);
}

static void resume_current(void)
{
    if (!is_idle(current))
        restore_guest(current);
}

void vcpu_first_run(void)
{
    sched_switched();
    resume_current();
}

void arch_switch(struct vcpu *prev, struct vcpu *next)
{
    struct arch_vcpu *from = prev->arch, *to = next->arch;
    struct cpu *cpu = prev->cpu;

    if (!is_idle(prev))
        save_guest(prev);
    /* prev's window is not mapped in next's root, and an NMI needs a GDT */
    segments_leave_vcpu(cpu->arch);
    if (unlikely(to->gdt_of != cpu->arch) && !is_idle(next))
        segments_move_vcpu(cpu->arch, next);
    load_root_and_flush(next, is_idle(next)       ? idle_root
                              : next->kernel_mode ? next->root_kernel
                                                  : next->root_user);
    segments_set_vcpu(cpu, next);
    switch_stack(&from->sp, to->sp);
    resume_current();
}

void arch_swap_gs(void)
{
    __asm__ volatile("swapgs" : : : "memory");
}

static uint32_t base_msr(enum arch_base which)
{
    if (which == BASE_FS)
        return MSR_FS_BASE;
    return (which == BASE_GS_KERNEL) == (bool)current->kernel_mode ? MSR_GS_BASE
                                                                   : MSR_KERNEL_GS_BASE;
}

uint64_t arch_get_base(enum arch_base which)
{
    return rdmsr(base_msr(which));
}

void arch_set_base(enum arch_base which, uint64_t value)
{
    wrmsr(base_msr(which), value);
}

unsigned arch_get_selector(unsigned segment)
{
    unsigned selector;

    switch (segment) {
    case 0:
        __asm__ volatile("mov %%es, %0" : "=r"(selector));
        return selector;
    case 4:
        __asm__ volatile("mov %%fs, %0" : "=r"(selector));
        return selector;
    case 5:
        __asm__ volatile("mov %%gs, %0" : "=r"(selector));
        return selector;
    default:
        __asm__ volatile("mov %%ds, %0" : "=r"(selector));
        return selector;
    }
}

/* Loads the user's %gs: the selector is common to both modes, the base becomes the user's. */
void arch_load_user_gs(unsigned selector)
{
    uint64_t kernel = arch_get_base(BASE_GS_KERNEL);

    if (!load_gs((uint16_t)selector))
        selector = 0;
    arch_set_base(BASE_GS_USER, (selector & ~3u) ? rdmsr(MSR_GS_BASE) : 0);
    arch_set_base(BASE_GS_KERNEL, kernel);
}

void arch_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value)
{
    v->debugreg[reg] = value;
    if (v == current)
        debug_restore(v);
}

void arch_set_tsc_aux(uint64_t value)
{
    if (cpu_features.rdtscp)
        wrmsr(MSR_TSC_AUX, value);
}

void arch_set_ts(bool on)
{
    if (on)
        write_cr0(read_cr0() | 8);
    else
        __asm__ volatile("clts");
}

void arch_load_cr4(struct vcpu *v)
{
    write_cr4(arch_cr4_host() | v->cr4_guest);
}
