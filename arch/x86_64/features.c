/* Detects the CPU's features (CPUID, probes) and sets its control registers for the hypervisor.
 * Called at boot by start.c and boot code; which features guests see is xen/cpu/cpuid.c's. SMAP
 * stays off: QEMU 7.2 checks the stack of an IRET to ring 3 as a supervisor access, which would
 * fault. */
#include "arch/x86_64/clock.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fault.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/lapic.h"
#include "xen/core/log.h"
#include "xen/core/options.h"

#define DR7_OFF 0x400u
#define DR7_WATCH_WORD 0x70401u         /* DR0: two bytes, reads and writes */

struct cpu_features cpu_features;

void arch_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
            : "a"(leaf), "c"(subleaf));
}

/* On AMD's CPUs each load of CR4 in a virtual machine is an exit to the hypervisor below, which
 * costs more than global pages gain. */
static void detect_pge(bool amd)
{
    struct cpu_features *f = &cpu_features;
    uint32_t r[4];

    arch_cpuid(1, 0, r);
    f->pge = (r[3] >> 13 & 1) && (!amd || !f->hypervisor || f->tcg);
}

static void detect(void)
{
    struct cpu_features *f = &cpu_features;
    uint32_t r[4], max, max_ext;
    bool amd;

    arch_cpuid(0, 0, r);
    max = r[0];
    f->keeps_fp_pointers = amd = r[1] == 0x68747541 || r[1] == 0x6f677948;     /* "Auth", "Hygo" */
    arch_cpuid(0x80000000u, 0, r);
    max_ext = r[0];
    arch_cpuid(1, 0, r);
    f->x2apic = r[2] >> 21 & 1;
    f->xsave = r[2] >> 26 & 1;
    f->hypervisor = r[2] >> 31;
    f->mca = r[3] >> 14 & 1;
    f->de = r[3] >> 2 & 1;
    f->sep = r[3] >> 11 & 1;
    f->sysenter = f->sep && !amd;
    if (max >= 7) {
        arch_cpuid(7, 0, r);
        f->fsgsbase = r[1] & 1;
        f->smep = r[1] >> 7 & 1;
        f->tsc_adjust = r[1] >> 1 & 1;
    }
    arch_cpuid(0x80000001u, 0, r);
    f->nx = r[3] >> 20 & 1;
    f->rdtscp = r[3] >> 27 & 1;
    if (max_ext >= 0x80000007u) {
        arch_cpuid(0x80000007u, 0, r);
        f->invariant_tsc = r[3] >> 8 & 1;
    }
    f->paddr_bits = 36;
    if (max_ext >= 0x80000008u) {
        arch_cpuid(0x80000008u, 0, r);
        f->paddr_bits = MIN(r[0] & 0xff, 52u);
        f->keeps_fp_pointers = f->keeps_fp_pointers && !(r[1] & 4);         /* RstrFpErrPtrs */
    }
    if (f->hypervisor) {
        arch_cpuid(0x40000000u, 0, r);
        /* "TCGTCGTCGTCG" */
        f->tcg = r[1] == 0x54474354 && r[2] == 0x43544743 && r[3] == 0x47435447;
    }
    detect_pge(amd);
    f->xsave_bytes = 512;
    if (f->xsave && max >= 0xd) {
        arch_cpuid(0xd, 0, r);
        f->xcr0_mask = r[0] & 7;        /* x87, SSE, AVX */
    } else {
        f->xsave = false;
    }
}

uint64_t arch_cr4_host(void)
{
    const struct cpu_features *f = &cpu_features;

    return CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | (f->pge ? CR4_PGE : 0) |
           (f->smep ? CR4_SMEP : 0) | (f->xsave ? CR4_OSXSAVE : 0);
}

uint64_t arch_cr4_guest_mask(void)
{
    const struct cpu_features *f = &cpu_features;

    return CR4_TSD | (f->de ? CR4_DE : 0) | (f->fsgsbase ? CR4_FSGSBASE : 0);
}

bool arch_xsetbv(uint64_t value)
{
    __asm__ goto("1: xsetbv\n2:\n" EXTABLE_ASM("1b", "2b", "%l[fault]")
                 : : "a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0) : "memory" : fault);
    return true;
fault:
    return false;
}

bool arch_rdmsr(uint32_t msr, uint64_t *value)
{
    __asm__ goto("1: rdmsr\n2:\tmovl %%eax, (%0)\n\tmovl %%edx, 4(%0)\n"
                 EXTABLE_ASM("1b", "2b", "%l[fault]")
                 : : "r"(value), "c"(msr) : "eax", "edx", "memory" : fault);
    return true;
fault:
    return false;
}

static bool wrmsr_safe(uint32_t msr, uint64_t value)
{
    __asm__ goto("1: wrmsr\n2:\n" EXTABLE_ASM("1b", "2b", "%l[fault]")
                 : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : : fault);
    return true;
fault:
    return false;
}

/* An MSR of AMD's CPUs; CPUID tells guests that LFENCE is serialising. */
static void make_lfence_serialise(void)
{
    uint64_t value;

    if (arch_rdmsr(MSR_DE_CFG, &value))
        wrmsr_safe(MSR_DE_CFG, value | DE_CFG_LFENCE);
}

static void set_registers(void)
{
    struct cpu_features *f = &cpu_features;

    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | (f->nx ? EFER_NXE : 0));
    write_cr4(arch_cr4_host());
    if (f->xsave)
        arch_xsetbv(f->xcr0_mask);
    __asm__ volatile("fninit");
    wrmsr_safe(MSR_PAT, PAT_VALUE);
    if (f->rdtscp)
        wrmsr(MSR_TSC_AUX, 0);
}

void cpu_init(void)
{
    uint32_t r[4];

    detect();
    set_registers();
    if (cpu_features.xsave) {
        arch_cpuid(0xd, 0, r);
        cpu_features.xsave_bytes = r[1];
    }
}

void cpu_load(void)
{
    set_registers();
    make_lfence_serialise();
}

static uint64_t xgetbv(void)
{
    uint32_t lo, hi;

    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo | (uint64_t)hi << 32;
}

/* QEMU's emulation of SVM does not intercept XSETBV of a nested virtual machine; KVM, which does
 * not know the new XCR0, restores its own at the next exit, for example at CPUID. Then XRSTOR of a
 * state that is off in XCR0 would be #GP at a context switch. */
static void probe_xcr0(void)
{
    struct cpu_features *f = &cpu_features;
    uint32_t r[4];

    if (!f->xsave)
        return;
    arch_cpuid(0, 0, r);
    if (xgetbv() == f->xcr0_mask)
        return;
    f->loses_xcr0 = true;
    f->xsave = false;
    f->xcr0_mask = 0;
    f->xsave_bytes = 512;
    write_cr4(arch_cr4_host());
}

static bool write_fs_base(uint64_t value)
{
    __asm__ goto("1: wrfsbase %0\n2:\n" EXTABLE_ASM("1b", "2b", "%l[fault]")
                 : : "r"(value) : "memory" : fault);
    return true;
fault:
    return false;
}

/* QEMU's TCG lets WRFSBASE write any value; a CPU raises #GP for a value that is not canonical. A
 * guest's kernel would save such a value at a switch, and restore it by set_segment_base, which
 * refuses it; Linux prints a warning then. So on such a CPU guests do not get these instructions:
 * they raise #UD. To emulate them with the check would cost as much as the hypercall that guests
 * use without them. */
static void probe_fsgsbase(void)
{
    struct cpu_features *f = &cpu_features;

    if (!f->fsgsbase)
        return;
    write_cr4(arch_cr4_host() | CR4_FSGSBASE);
    f->any_base = write_fs_base(1ull << 63);
    wrmsr(MSR_FS_BASE, 0);
    write_cr4(arch_cr4_host());
    f->fsgsbase = !f->any_base;
}

/* Loads SS from a memory word with a data breakpoint. A CPU raises the #DB after the next
 * instruction, the NOP. */
static void probe_debug_trap(void)
{
    static const uint16_t selector = SEL_HV_DS;
    uint64_t next;

    __asm__ volatile("mov %1, %%db0\n\tmov %2, %%db7\n\tlea 1f(%%rip), %0\n\t"
                     "mov %3, %%ss\n1:\tnop\n\tmov %4, %%db7"
                     : "=&r"(next)
                     : "r"((uint64_t)&selector), "r"((uint64_t)DR7_WATCH_WORD), "m"(selector),
                       "r"((uint64_t)DR7_OFF)
                     : "memory");
    cpu_features.early_db = last_hypervisor_db == next;
}

bool arch_db_is_early(void)
{
    return cpu_features.early_db;
}

void cpu_probe(void)
{
    make_lfence_serialise();
    probe_debug_trap();
    probe_xcr0();
    probe_fsgsbase();
}

void arch_log_cpu(void)
{
    const struct cpu_features *f = &cpu_features;

    log_debug("Local APIC: %s", lapic_mode());
    clock_log();
    if (f->loses_xcr0)
        log_warning("XSAVE is not used: XCR0 does not keep its value, a fault of the hypervisor "
                    "below; -cpu host,-xsave hides it");
    if (f->early_db)
        log_debug("Debug traps of MOV SS are held back: this CPU raises them an instruction early");
    if (f->any_base)
        log_debug("FSGSBASE is not offered: WRFSBASE accepts values that are not canonical");
    if (!f->nx)
        log_info("This CPU has no NX: whatever can be read can be executed");
    if (!arch_tsc_is_stable())
        log_info("The TSC is not known to be invariant: guests are not told that it is "
                 "(tsc=stable does)");
}

unsigned arch_paddr_bits(void)
{
    return cpu_features.paddr_bits;
}

bool arch_has_nx(void)
{
    return cpu_features.nx;
}

uint64_t arch_xcr0_mask(void)
{
    return cpu_features.xcr0_mask;
}

bool arch_tsc_is_invariant(void)
{
    return options.tsc == TSC_AUTO ? cpu_features.invariant_tsc : options.tsc == TSC_STABLE;
}

bool arch_tsc_is_stable(void)
{
    return arch_tsc_is_invariant() || (options.tsc == TSC_AUTO && cpu_features.tcg);
}
