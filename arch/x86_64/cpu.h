/* Instructions of the CPU that C has no word for, and what this CPU can do. */
#ifndef ARCH_X86_CPU_H
#define ARCH_X86_CPU_H

#include "arch/arch.h"

struct cpu;

#define MSR_APIC_BASE 0x1b
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT 0x277
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

#define MSR_DE_CFG 0xc0011029u
#define DE_CFG_LFENCE 2u

#define EFER_SCE (1u << 0)
#define EFER_NXE (1u << 11)

#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17a
#define MSR_MC0_STATUS 0x401            /* four MSRs a bank */
#define MSR_MC0_ADDR 0x402

#define CR4_TSD (1ul << 2)
#define CR4_DE (1ul << 3)
#define CR4_PAE (1ul << 5)
#define CR4_MCE (1ul << 6)
#define CR4_OSFXSR (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_FSGSBASE (1ul << 16)
#define CR4_OSXSAVE (1ul << 18)
#define CR4_SMEP (1ul << 20)

/* The PAT that Xen guests expect to find: WB WT UC- UC WC WP UC UC. */
#define PAT_VALUE 0x050100070406ull

struct cpu_features {
    bool nx, xsave, fsgsbase, smep, rdtscp, de, invariant_tsc, x2apic, mca;
    bool sep, sysenter;         /* SYSENTER exists; it can be used: AMD's CPUs have none in long mode */
    bool hypervisor, tcg;       /* another hypervisor below us, and it is QEMU's emulation of a CPU */
    bool loses_xcr0;            /* has XSAVE, but XCR0 does not stay what XSETBV sets: xsave is false */
    bool early_db;              /* see arch_db_is_early() */
    bool any_base;              /* WRFSBASE takes values that are no addresses: fsgsbase is false */
    bool keeps_fp_pointers;     /* (F)XRSTOR leaves the x87 instruction and operand pointers as they are */
    unsigned paddr_bits;
    uint64_t xcr0_mask;     /* states that guests may have; 0 without XSAVE */
    unsigned xsave_bytes;
};
extern struct cpu_features cpu_features;

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t v;

    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline void write_cr3(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static inline uint64_t read_cr3(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}

static inline void write_cr4(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}

static inline uint64_t read_cr0(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr0, %0" : "=r"(v));
    return v;
}

static inline void write_cr0(uint64_t v)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

void cpu_init(void);                    /* features.c: detects, sets CR0, CR4, EFER, PAT, XCR0 */
void cpu_probe(void);                   /* features.c: tries what CPUID does not tell; faults can be mended by then */
void segments_init(void);               /* segments.c: GDT, TSS, IDT, the SYSCALL MSRs */
void segments_leave_vcpu(void);         /* the GDT that is there under every root; before it changes */
void segments_set_vcpu(struct vcpu *v); /* entry stacks and descriptor tables for the vCPU about to run */
void paging_init(void);                 /* paging.c: directmap, M2P, frame table, free lists */
/* Loads a root, which flushes this CPU's TLB, and counts the flush: every load after boot goes this way. */
void load_cr3(struct cpu *cpu, uint64_t cr3);
void clock_init(void);                  /* clock.c: LAPIC on, TSC and LAPIC rates from the PIT */
void log_noted_events(void);            /* nmi.c: prints what NMIs and machine checks left; where no lock is held */
void serial_init(void);
bool multiboot_parse(uint32_t magic, uint64_t mbi);     /* fills boot_info; false: not its magic */
const char *symbol_of(uint64_t address, uint64_t *offset);  /* NULL: not in our text */
_Noreturn void arch_start(uint32_t magic, uint64_t info);
extern uint64_t idle_root;              /* machine address of root_l4 */
extern uint64_t root_l4[512];           /* boot.S: our own root, whose upper entries all others have too */
bool acpi_no_cmos(void);                /* acpi.c: the firmware says that there is no CMOS clock */
void efi_runtime_init(void);            /* efi_runtime.c */
void efi_reset(bool off);               /* by the firmware, if it can be called; off: for good */
extern bool efi_runtime_entered;        /* it is running now */

extern uint64_t image_shift;            /* how far above 2 MiB, its place with multiboot, the image was put (boot.S) */

/* One word of our own image, by its linker name, as a physical address. */
static inline uint64_t image_phys(const void *p)
{
    return (uint64_t)p - IMAGE_START + image_shift;
}

#endif
