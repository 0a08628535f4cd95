/* Each CPU's descriptor tables: the reserved part of its vCPUs' GDT, with the hypervisor's segments
 * and the TSS; the IDT, which all share; and the MSRs of SYSCALL and SYSENTER. Windows, where the
 * vCPUs' tables are mapped, are windows.c's; which descriptors a guest may have is xen/pv/desc.c's.
 * Called by start.c, by the context switch (vcpu.c), and by xen/ through arch/arch.h.
 *
 * The GDTR of a running vCPU points to its window: pages 0..13 are the guest's frames (or a page of
 * zeros), page 14 is the reserved part of the CPU that it runs on. While no guest's GDT is loaded,
 * GDTR points 14 pages below that part: only selectors of the reserved page are used then. */
#include "arch/x86_64/boot.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/vcpu.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"

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

/* The four IST stacks of a CPU are parts of one block, each with its upper end here. The two whose
 * handlers may print a panic have the more room. */
enum { IST_NMI = 1, IST_DF, IST_MCE, IST_DB };
static const unsigned ist_end[] = {
    [IST_DB] = 2048, [IST_NMI] = 4096, [IST_MCE] = 10240, [IST_DF] = STACK_SIZE,
};

extern char trap_stubs[], entry_stubs[], sysenter_entry[];
extern char boot_stack[];

static char boot_ist[STACK_SIZE] __attribute__((aligned(STACK_SIZE)));
static uint64_t boot_gdt[512] __attribute__((aligned(4096)));
static struct gate idt[256] __attribute__((aligned(4096)));
static struct arch_cpu boot_arch_cpu = { .gdt = boot_gdt, .ist = boot_ist, .stack = boot_stack };
struct entry_words entry_words[MAX_CPUS] __attribute__((aligned(64)));

#define RESERVED(cpu, sel) (cpu)->gdt[((sel) & 0xfff) >> 3]

static void set_system_descriptor(struct arch_cpu *c, unsigned selector, uint64_t base,
                                  uint32_t limit, unsigned type)
{
    RESERVED(c, selector) = (limit & 0xffff) | (base & 0xffffff) << 16 |
                            (uint64_t)(0x80 | type) << 40 | (base >> 24 & 0xff) << 56;
    RESERVED(c, selector + 8) = base >> 32;
}

static void load_gdtr(uint64_t base)
{
    struct table_register r = { GDT_LIMIT, base };

    __asm__ volatile("lgdt %0" : : "m"(r));
}

void segments_leave_vcpu(struct arch_cpu *c)
{
    load_gdtr((uint64_t)c->gdt - GDT_RESERVED_PAGE * PAGE_SIZE);
}

static struct stack_top *stack_top_of(char *stack)
{
    return (struct stack_top *)(stack + STACK_SIZE) - 1;
}

/* #BP, #OF and INT 0x80, the old system call of Linux, have DPL 3, so that guests can raise them by
 * INT n. Any other INT n is a #GP, and xen/pv/traps.c reads the guest's own trap table. */
static void set_gate(unsigned vector, unsigned ist)
{
    uint64_t offset = (uint64_t)trap_stubs + 16 * vector;
    unsigned dpl = vector == 3 || vector == 4 || vector == 0x80 ? 3 : 0;

    idt[vector] = (struct gate){
        .offset_low = (uint16_t)offset, .selector = SEL_HV_CS, .ist = (uint8_t)ist,
        .type = (uint8_t)(0x8e | dpl << 5), .offset_mid = (uint16_t)(offset >> 16),
        .offset_high = (uint32_t)(offset >> 32),
    };
}

static void load_idtr(void)
{
    struct table_register r = { sizeof(idt) - 1, (uint64_t)idt };

    __asm__ volatile("lidt %0" : : "m"(r));
}

static void idt_init(void)
{
    for (unsigned v = 0; v < 256; v++)
        set_gate(v, 0);
    set_gate(1, IST_DB);
    set_gate(2, IST_NMI);
    set_gate(8, IST_DF);
    set_gate(18, IST_MCE);
}

void segments_set_number(struct arch_cpu *c, unsigned number)
{
    RESERVED(c, SEL_CPU) = number | 0x91ull << 40;      /* data, DPL 0: a guest's LSL fails */
}

void segments_load(struct arch_cpu *c)
{
    RESERVED(c, SEL_HV_CS) = 0x00af9b000000ffff;
    RESERVED(c, SEL_HV_DS) = 0x00cf93000000ffff;
    RESERVED(c, SEL_GUEST_CS32) = 0x00cffb000000ffff;
    RESERVED(c, SEL_GUEST_SS) = 0x00cff3000000ffff;
    RESERVED(c, SEL_GUEST_CS64) = 0x00affb000000ffff;
    for (unsigned i = IST_NMI; i <= IST_DB; i++)
        c->tss.ist[i - 1] = (uint64_t)(c->ist + ist_end[i]);
    c->tss.ist[IST_DF - 1] = (uint64_t)&stack_top_of(c->ist)->regs.es;
    c->tss.iomap = sizeof(c->tss);
    stack_top_of(c->ist)->vcpu = stack_top_of(c->stack)->vcpu;
    set_system_descriptor(c, SEL_TSS, (uint64_t)&c->tss, sizeof(c->tss) - 1, 9);
    segments_leave_vcpu(c);
    __asm__ volatile("pushq %0\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n"
                     "1:\tmov %1, %%ss" : : "i"(SEL_HV_CS), "r"(SEL_HV_DS) : "rax", "memory");
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    __asm__ volatile("lldt %w0" : : "r"(0));
    load_idtr();
}

void segments_set_entries(unsigned number)
{
    uint64_t stub = (uint64_t)entry_stubs + ((uint64_t)number << ENTRY_STUBS_SHIFT);

    wrmsr(MSR_STAR, (uint64_t)SEL_HV_CS << 32 | (uint64_t)SEL_GUEST_CS32 << 48);
    wrmsr(MSR_LSTAR, stub);
    wrmsr(MSR_CSTAR, stub + ENTRY_STUB_32);
    wrmsr(MSR_SFMASK, 0x47700);         /* TF IF DF IOPL NT AC */
    if (cpu_features.sep)
        wrmsr(MSR_SYSENTER_CS,
              cpu_features.sysenter ? SEL_HV_CS : 0); /* 0: the instruction is #GP(0) */
    if (cpu_features.sysenter)
        wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
}

void segments_init(void)
{
    cpus[0]->arch = &boot_arch_cpu;
    idt_init();
    segments_set_number(&boot_arch_cpu, 0);
    segments_load(&boot_arch_cpu);
    segments_set_entries(0);
}

/* LSL reads the limit of SEL_CPU, which is 0 if the boot loader's GDT is still loaded. */
unsigned arch_cpu_id(void)
{
    unsigned number = 0;

    __asm__ volatile("lsl %1, %0" : "+r"(number) : "r"(SEL_CPU) : "cc");
    return number;
}

struct arch_cpu *this_arch_cpu(void)
{
    return cpus[arch_cpu_id()]->arch;
}

struct vcpu *running_vcpu(void)
{
    uint64_t rsp = entry_words[arch_cpu_id()].rsp;

    return rsp != 0 ? stack_top_of((char *)ALIGN_DOWN(rsp, STACK_SIZE))->vcpu : NULL;
}

bool on_known_stack(uint64_t sp)
{
    const struct arch_cpu *c = this_arch_cpu();
    const uint64_t known[] = { (uint64_t)boot_stack, c != NULL ? (uint64_t)c->ist : 0,
                               c != NULL ? (uint64_t)c->stack : 0,
                               ALIGN_DOWN(entry_words[arch_cpu_id()].rsp, STACK_SIZE) };

    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        if (known[i] != 0 && known[i] == ALIGN_DOWN(sp, STACK_SIZE))
            return true;
    return false;
}

static void load_ldt(struct arch_cpu *c, struct vcpu *v)
{
    if (v->ldt_ents == 0) {
        __asm__ volatile("lldt %w0" : : "r"(0));
        return;
    }
    set_system_descriptor(c, SEL_LDT, LDT_WINDOW((uint64_t)v->id), v->ldt_ents * 8 - 1, 2);
    __asm__ volatile("lldt %w0" : : "r"(SEL_LDT));
}

/* cpu: this one, on whose previous vCPU's stack we still are. */
void segments_set_vcpu(struct cpu *cpu, struct vcpu *v)
{
    const struct arch_vcpu *a = v->arch;
    struct arch_cpu *c = cpu->arch;
    struct stack_top *top = stack_top_of(a->stack), *ist = stack_top_of(c->ist);

    entry_words[cpu->id].rsp = (uint64_t)&top->regs - 8;
    c->tss.rsp[0] = (uint64_t)&top->regs.es;
    if (cpu_features.sysenter)
        wrmsr(MSR_SYSENTER_ESP, c->tss.rsp[0]);
    ist->vcpu = v;
    ist->frame = (uint64_t)&top->regs;
    if (is_idle(v)) {
        __asm__ volatile("lldt %w0" : : "r"(0));
        return;
    }
    load_gdtr(GDT_WINDOW(v->id));
    load_ldt(c, v);
}

void arch_load_ldt(struct vcpu *v)
{
    load_ldt(v->cpu->arch, v);
}
