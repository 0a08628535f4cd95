/* The CPU's descriptor tables: the reserved part of every guest's GDT, with the hypervisor's
 * segments and the TSS; the IDT; the MSRs of SYSCALL and SYSENTER; and the windows where each
 * vCPU's GDT and LDT are mapped. Called by start.c, by the context switch (vcpu.c), and by xen/
 * through arch/arch.h. Which descriptors a guest may have is xen/pv/desc.c's.
 *
 * The GDTR of a running vCPU points to its window: pages 0..13 are the guest's frames (or a page of
 * zeros), page 14 is reserved_gdt. While no guest's GDT is loaded, it points 14 pages below
 * reserved_gdt: only selectors of the reserved page are used then. */
#include "common/string.h"
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/vcpu.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/walk.h"

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed));

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_mid;
    uint32_t offset_high, reserved;
};

enum { IST_NMI = 1, IST_DF, IST_MCE, IST_DB };

extern char trap_stubs[], syscall_entry[], cstar_entry[], sysenter_entry[];
extern char boot_stack[], nmi_stack[], df_stack[], mce_stack[], db_stack[];
extern uint64_t entry_frame;

static uint64_t reserved_gdt[512] __attribute__((aligned(4096)));
static uint64_t zero_page[512] __attribute__((aligned(4096)));
static struct tss tss __attribute__((aligned(128)));
static struct gate idt[256] __attribute__((aligned(4096)));

#define RESERVED(sel) reserved_gdt[((sel) & 0xfff) >> 3]

static void set_system_descriptor(unsigned selector, uint64_t base, uint32_t limit, unsigned type)
{
    RESERVED(selector) = (limit & 0xffff) | (base & 0xffffff) << 16 |
                         (uint64_t)(0x80 | type) << 40 | (base >> 24 & 0xff) << 56;
    RESERVED(selector + 8) = base >> 32;
}

static void load_gdtr(uint64_t base)
{
    struct table_register r = { GDT_LIMIT, base };

    __asm__ volatile("lgdt %0" : : "m"(r));
}

void segments_leave_vcpu(void)
{
    load_gdtr((uint64_t)reserved_gdt - GDT_RESERVED_PAGE * PAGE_SIZE);
}

static struct stack_top *stack_top_of(char *stack)
{
    return (struct stack_top *)(stack + STACK_SIZE) - 1;
}

/* #BP and #OF have DPL 3, so that guests can raise them by INT n. Any other INT n is a #GP, and
 * xen/pv/traps.c reads the guest's own trap table. */
static void set_gate(unsigned vector, unsigned ist)
{
    uint64_t offset = (uint64_t)trap_stubs + 16 * vector;
    unsigned dpl = vector == 3 || vector == 4 ? 3 : 0;

    idt[vector] = (struct gate){
        .offset_low = (uint16_t)offset, .selector = SEL_HV_CS, .ist = (uint8_t)ist,
        .type = (uint8_t)(0x8e | dpl << 5), .offset_mid = (uint16_t)(offset >> 16),
        .offset_high = (uint32_t)(offset >> 32),
    };
}

static void idt_init(void)
{
    struct table_register r = { sizeof(idt) - 1, (uint64_t)idt };

    for (unsigned v = 0; v < 256; v++)
        set_gate(v, 0);
    set_gate(1, IST_DB);
    set_gate(2, IST_NMI);
    set_gate(8, IST_DF);
    set_gate(18, IST_MCE);
    __asm__ volatile("lidt %0" : : "m"(r));
}

void segments_init(void)
{
    RESERVED(SEL_HV_CS) = 0x00af9b000000ffff;
    RESERVED(SEL_HV_DS) = 0x00cf93000000ffff;
    RESERVED(SEL_GUEST_CS32) = 0x00cffb000000ffff;
    RESERVED(SEL_GUEST_SS) = 0x00cff3000000ffff;
    RESERVED(SEL_GUEST_CS64) = 0x00affb000000ffff;
    tss.ist[IST_NMI - 1] = (uint64_t)&stack_top_of(nmi_stack)->regs.es;
    tss.ist[IST_DF - 1] = (uint64_t)&stack_top_of(df_stack)->regs.es;
    tss.ist[IST_MCE - 1] = (uint64_t)&stack_top_of(mce_stack)->regs.es;
    tss.ist[IST_DB - 1] = (uint64_t)&stack_top_of(db_stack)->regs.es;
    tss.iomap = sizeof(tss);
    set_system_descriptor(SEL_TSS, (uint64_t)&tss, sizeof(tss) - 1, 9);
    segments_leave_vcpu();
    __asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:\tmov %1, %%ss"
                     : : "i"(SEL_HV_CS), "r"(SEL_HV_DS) : "rax", "memory");
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    __asm__ volatile("lldt %w0" : : "r"(0));
    idt_init();

    wrmsr(MSR_STAR, (uint64_t)SEL_HV_CS << 32 | (uint64_t)SEL_GUEST_CS32 << 48);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_CSTAR, (uint64_t)cstar_entry);
    wrmsr(MSR_SFMASK, 0x47700);         /* TF IF DF IOPL NT AC */
    if (cpu_features.sep)
        wrmsr(MSR_SYSENTER_CS,
              cpu_features.sysenter ? SEL_HV_CS : 0); /* 0: the instruction is #GP(0) */
    if (cpu_features.sysenter)
        wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
}

struct vcpu *running_vcpu(void)
{
    return entry_frame != 0 ? ((const struct stack_top *)entry_frame)->vcpu : NULL;
}

bool on_known_stack(uint64_t sp)
{
    const uint64_t known[] = { (uint64_t)boot_stack, (uint64_t)nmi_stack, (uint64_t)df_stack,
                               (uint64_t)mce_stack, (uint64_t)db_stack,
                               ALIGN_DOWN(entry_frame, STACK_SIZE) };

    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i] != 0 && known[i] == ALIGN_DOWN(sp, STACK_SIZE))
            return true;
    return false;
}

void segments_set_vcpu(struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;
    struct stack_top *top = stack_top_of(a->stack);

    entry_frame = (uint64_t)&top->regs;
    tss.rsp[0] = (uint64_t)&top->regs.es;
    if (cpu_features.sysenter)
        wrmsr(MSR_SYSENTER_ESP, tss.rsp[0]);
    stack_top_of(nmi_stack)->vcpu = v;
    stack_top_of(df_stack)->vcpu = v;
    stack_top_of(mce_stack)->vcpu = v;
    stack_top_of(db_stack)->vcpu = v;
    if (is_idle(v)) {
        __asm__ volatile("lldt %w0" : : "r"(0));
        return;
    }
    load_gdtr(GDT_WINDOW(v->id));
    arch_load_ldt(v);
}

/* --- Windows ---------------------------------------------------------------------------------- */

static uint64_t window_pte(const void *page)
{
    uint64_t pa =
        (uint64_t)page >= DIRECTMAP_START ? (uint64_t)page - DIRECTMAP_START : image_phys(page);

    return pa | PTE_P | PTE_RW | PTE_A | PTE_D;
}

int arch_domain_init(struct domain *d)
{
    struct arch_domain *a = alloc_page();
    unsigned pages =
        (unsigned)((((uint64_t)d->nr_vcpus << VCPU_WINDOW_SHIFT) + (1 << 21) - 1) >> 21);

    d->arch = a;
    if (a == NULL)
        return -ENOMEM;
    a->l3 = alloc_page();
    a->l2 = alloc_page();
    if (a->l3 == NULL || a->l2 == NULL)
        return -ENOMEM;
    a->l3[0] = window_pte(a->l2);
    for (unsigned i = 0; i < pages; i++) {
        a->l1[i] = alloc_page();
        if (a->l1[i] == NULL)
            return -ENOMEM;
        a->l2[i] = window_pte(a->l1[i]);
    }
    return 0;
}

void arch_domain_free(struct domain *d)
{
    struct arch_domain *a = d->arch;

    if (a == NULL)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(a->l1); i++)
        free_page(a->l1[i]);
    free_page(a->l2);
    free_page(a->l3);
    free_page(a);
    d->arch = NULL;
}

/* The L1 entries of v's window: 16 for the GDT, then 16 for the LDT. */
static uint64_t *window_slots(struct vcpu *v)
{
    struct arch_domain *a = v->domain->arch;
    unsigned slot = v->id * 32;

    return &a->l1[slot / 512][slot % 512];
}

void arch_map_gdt(struct vcpu *v, const mfn_t *mfns, unsigned nr_frames)
{
    uint64_t *slots = window_slots(v);

    for (unsigned i = 0; i < GDT_RESERVED_PAGE; i++)
        slots[i] = i < nr_frames ? mfns[i] << PAGE_SHIFT | PTE_P | PTE_RW | PTE_A | PTE_D
                                 : window_pte(zero_page) & ~(uint64_t)(PTE_RW | PTE_D);
    slots[GDT_RESERVED_PAGE] = window_pte(reserved_gdt);
    if (v == current)
        arch_flush_tlb();
}

void arch_map_ldt_page(struct vcpu *v, unsigned page, mfn_t mfn)
{
    window_slots(v)[16 + page] = mfn << PAGE_SHIFT | PTE_P | PTE_RW | PTE_A | PTE_D;
}

void arch_clear_ldt(struct vcpu *v)
{
    memset(&window_slots(v)[16], 0, 16 * sizeof(uint64_t));
    if (v == current)
        arch_flush_tlb();
}

void arch_load_ldt(struct vcpu *v)
{
    if (v->ldt_ents == 0) {
        __asm__ volatile("lldt %w0" : : "r"(0));
        return;
    }
    set_system_descriptor(SEL_LDT, LDT_WINDOW((uint64_t)v->id), v->ldt_ents * 8 - 1, 2);
    __asm__ volatile("lldt %w0" : : "r"(SEL_LDT));
}

int64_t arch_ldt_window_offset(struct vcpu *v, uint64_t va)
{
    uint64_t base = LDT_WINDOW((uint64_t)v->id);

    return va >= base && va < base + v->ldt_ents * 8ull ? (int64_t)(va - base) : -1;
}
