/* The CPUID leaves that guests see: the host's values without the features that a PV guest
 * cannot or may not use. The hypervisor's own leaves (0x40000000) are in cpuid_xen.c. Called by
 * emulate.c for a CPUID with the forced-emulation prefix. A plain CPUID runs natively and shows
 * the host's values, so hiding a feature here does not keep a guest from using it; CR4 and XCR0
 * do. */
#include "common/string.h"
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/cpu/cpuid.h"
#include "xen/cpu/cpuid_xen.h"
#include "xen/cpu/cpuid_xstate.h"

#define ALL (~0u)
#define ANY_SUBLEAF (~0u)

#define EXTENDED 0x80000000u
#define MAX_BASIC 0xdu
#define MAX_EXTENDED 0x80000008u
#define MAX_EXTENDED_AMD 0x80000021u
#define HYPERVISOR_BIT B(31)
#define OSXSAVE B(27)
#define XSAVE B(26)
#define FSGSBASE B(0)
#define CR4_FSGSBASE (1ull << 16)
#define SEP B(11)
#define ARCH_CAPS B(29)
#define LFENCE_DISPATCH B(2)
#define MSR_DE_CFG 0xc0011029u
#define ADDRESS_BITS 48u /* the ABI has page tables of four levels, also on a CPU with five */

enum cpu_vendor cpu_vendor(void)
{
    static enum cpu_vendor vendor;      /* set at the first call; it never changes */
    uint32_t out[4];

    if (unlikely(vendor == 0)) {
        arch_cpuid(0, 0, out);
        vendor = out[EBX] == 0x756e6547 ? CPU_INTEL                             /* "Genu" */
                 : out[EBX] == 0x68747541 || out[EBX] == 0x6f677948 ? CPU_AMD   /* "Auth", "Hygo" */
                 : CPU_OTHER;
    }
    return vendor;
}

/* Whether LFENCE is serialising. On AMD's CPUs up to family 11h it always is; on later ones an
 * MSR makes it so, which the hypervisor sets. */
static bool lfence_serialises(void)
{
    uint32_t out[4], family;
    uint64_t de_cfg;

    arch_cpuid(1, 0, out);
    family = (out[EAX] >> 8 & 0xf) + ((out[EAX] >> 8 & 0xf) == 0xf ? out[EAX] >> 20 & 0xff : 0);
    return family == 0xf || family == 0x11 || (arch_rdmsr(MSR_DE_CFG, &de_cfg) && (de_cfg & 2));
}

static uint32_t host_last_leaf(uint32_t leaf)
{
    static uint32_t last[2];            /* basic, extended; set at the first call */
    uint32_t out[4], *range = &last[leaf / EXTENDED];

    if (unlikely(*range == 0)) {
        arch_cpuid(leaf & EXTENDED, 0, out);
        *range = out[EAX];
    }
    return *range;
}

/* The highest leaf shown in the range of this one (basic or extended). host: the CPU's own
 * highest leaf in that range. AMD's leaf 0x80000021 says that LFENCE is serialising; where it
 * is, the leaf is shown even on CPUs that do not have it. */
static uint32_t last_leaf(uint32_t leaf, uint32_t host)
{
    if (!(leaf & EXTENDED))
        return MIN(host, MAX_BASIC);
    if (cpu_vendor() != CPU_AMD)
        return MIN(host, MAX_EXTENDED);
    return host < MAX_EXTENDED_AMD && !lfence_serialises() ? host : MAX_EXTENDED_AMD;
}

static void fix_last_leaf(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    out[EAX] = last_leaf(out[EAX], out[EAX]);
}

/* OSXSAVE is shown even before the guest sets CR4.OSXSAVE: Linux does not use XSAVE if it finds
 * the feature XSAVE without OSXSAVE. */
static void fix_features(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    static const struct xstate_feature xstate[] = { { AVX, B4(12, 28, 29, 29), ECX } };

    (void)v, (void)subleaf;
    hide_without_state(xstate, ARRAY_SIZE(xstate), out);
    if (cpu_vendor() == CPU_AMD)
        out[EDX] &= ~SEP;               /* SYSENTER raises #UD in long mode there */
    out[ECX] |= HYPERVISOR_BIT;
    if (arch_xcr0_mask() == 0)
        out[ECX] &= ~(XSAVE | OSXSAVE);
    else if (out[ECX] & XSAVE)
        out[ECX] |= OSXSAVE;
}

static void fix_leaf_2(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    out[EAX] = (out[EAX] & ~0xffu) | 1;     /* low byte: how often to execute it: once */
}

static void fix_caches(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    uint32_t type = out[EAX] & 0x1f;

    (void)v;
    if (type < 1 || type > 3 || subleaf > 5)
        memset(out, 0, 4 * sizeof(out[0]));
}

/* FSGSBASE is shown only where a guest may set its bit of CR4, because some emulators execute
 * these instructions wrongly. ARCH_CAPABILITIES is always shown: the MSR reads 0 where the CPU
 * has none (msr.c). */
static void fix_leaf_7(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    static const struct xstate_feature xstate[] = {
        { AVX, B(5), EBX },
        { AVX, B2(9, 10), ECX },
        { AVX512, B4(16, 17, 21, 26) | B4(27, 28, 30, 31), EBX },
        { AVX512, B4(1, 6, 11, 12) | B(14), ECX },
        { AVX512, B2(2, 3), EDX },
    };

    (void)v, (void)subleaf;
    hide_without_state(xstate, ARRAY_SIZE(xstate), out);
    out[EAX] = MIN(out[EAX], 2u);
    if (!(arch_cr4_guest_mask() & CR4_FSGSBASE))
        out[EBX] &= ~FSGSBASE;
    if (cpu_vendor() == CPU_INTEL)
        out[EDX] |= ARCH_CAPS;
}

static void fix_leaf_7_1(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    static const struct xstate_feature xstate[] = { { AVX, B(4), EAX }, { AVX512, B(5), EAX } };

    (void)v, (void)subleaf;
    hide_without_state(xstate, ARRAY_SIZE(xstate), out);
}

static void fix_extended_features(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    static const struct xstate_feature xstate[] = { { AVX, B2(11, 16), ECX } };

    (void)v, (void)subleaf;
    hide_without_state(xstate, ARRAY_SIZE(xstate), out);
}

static void fix_address_bits(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    out[EAX] = (out[EAX] & 0xff) | ADDRESS_BITS << 8;
    if (cpu_vendor() != CPU_AMD)
        out[ECX] = 0;
}

static void fix_lfence(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    if (lfence_serialises())
        out[EAX] |= LFENCE_DISPATCH;
}

/* Linux takes the TSC for its clock only if the TSC is said to be invariant. Domains are never
 * moved to a machine where it has another rate. */
static void fix_invariant_tsc(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    out[EDX] = arch_tsc_is_invariant() ? B(8) : 0;
}

/* FPU DE TSC MSR PAE MCE CX8 APIC MCA CMOV PAT MMX FXSR: AMD repeats these bits in leaf
 * 0x80000001. Left out are VME PSE PSE36 PGE MTRR, which a PV guest cannot use. */
#define COMMON_EDX (B4(0, 2, 4, 5) | B4(6, 7, 8, 9) | B4(14, 15, 16, 16) | B2(23, 24))

#define ANY (CPU_INTEL | CPU_AMD | CPU_OTHER)
#define NOT_AMD (CPU_INTEL | CPU_OTHER)

/* Leaves that are not in this table read 0, and so do those of another vendor and those above
 * the highest. Topology is the host's, as on Xen: a plain CPUID shows it too, and the two must
 * agree. Some features are hidden here though Xen may show them: the speculation controls (IBRS,
 * STIBP, SSBD, IBPB) and DBEXT, because their MSRs are not switched between vCPUs; and
 * transactional memory, which Xen hides on the CPUs where it is broken. */
static const struct cpuid_leaf {
    uint32_t leaf, subleaf;
    unsigned vendors;
    uint32_t allow[4];
    void (*fix)(const struct vcpu *v, uint32_t subleaf, uint32_t out[4]);
} policy[] = {
    { 0, ANY_SUBLEAF, ANY, { ALL, ALL, ALL, ALL }, fix_last_leaf },
    { 1, ANY_SUBLEAF, ANY, {
        0x0fff0fff,
        0x00ffffff,                             /* all but the APIC id */
        B4(0, 1, 9, 12)                         /* SSE3 PCLMUL SSSE3 FMA */
            | B4(13, 19, 20, 22)                /* CX16 SSE4.1 SSE4.2 MOVBE */
            | B4(23, 25, 26, 28) | B2(29, 30),  /* POPCNT AES XSAVE AVX, F16C RDRAND */
        COMMON_EDX | SEP | B4(19, 22, 25, 26) | B2(27, 28),     /* CLFSH ACPI SSE SSE2, SS HTT */
    }, fix_features },
    { 2, ANY_SUBLEAF, NOT_AMD, { ALL, ALL, ALL, ALL }, fix_leaf_2 },
    { 4, ANY_SUBLEAF, NOT_AMD, { 0xffffc3ff, ALL, ALL, 7 }, fix_caches },
    { 7, 0, ANY, {
        ALL,
        B4(0, 3, 5, 6)                          /* FSGSBASE BMI1 AVX2 FDP_EXCPTN */
            | B4(8, 9, 13, 16)                  /* BMI2 ERMS NO_FPU_SEL AVX512F */
            | B4(17, 18, 19, 21)                /* AVX512DQ RDSEED ADX IFMA */
            | B4(23, 24, 26, 27)                /* CLFLUSHOPT CLWB PF ER */
            | B4(28, 29, 30, 31),               /* CD SHA BW VL */
        B4(0, 1, 6, 8)                          /* PREFETCHWT1 VBMI VBMI2 GFNI */
            | B4(9, 10, 11, 12)                 /* VAES VPCLMUL VNNI BITALG */
            | B4(14, 22, 25, 25),               /* VPOPCNTDQ RDPID CLDEMOTE */
        B4(2, 3, 4, 10) | B(14),                /* 4VNNIW 4FMAPS FSRM MD_CLEAR, SERIALIZE */
    }, fix_leaf_7 },
    { 7, 1, ANY, {
        B4(4, 5, 10, 11) | B(12), 0, 0, 0       /* AVX_VNNI AVX512_BF16, fast short REP */
    }, fix_leaf_7_1 },
    { 7, 2, ANY, { 0, 0, 0, B(5) }, NULL },     /* MCDT_NO */
    { 0xd, ANY_SUBLEAF, ANY, { ALL, ALL, ALL, ALL }, fix_xstate },
    { 0x80000000, ANY_SUBLEAF, CPU_AMD, { ALL, ALL, ALL, ALL }, fix_last_leaf },
    { 0x80000000, ANY_SUBLEAF, NOT_AMD, { ALL, 0, 0, 0 }, fix_last_leaf },
    { 0x80000001, ANY_SUBLEAF, CPU_AMD, {
        0x0fff0fff, 0xff00ffff,
        B4(0, 1, 5, 6)                          /* LAHF CMP_LEGACY ABM SSE4A */
            | B4(7, 8, 11, 16)                  /* MISALIGNSSE PREFETCHW XOP FMA4 */
            | B(21),                            /* TBM */
        COMMON_EDX | B4(11, 20, 22, 25)         /* SYSCALL NX MMXEXT FFXSR */
            | B4(27, 29, 30, 31),               /* RDTSCP LM 3DNOWEXT 3DNOW */
    }, fix_extended_features },
    { 0x80000001, ANY_SUBLEAF, NOT_AMD, { 0, 0, B4(0, 5, 8, 8), B4(11, 20, 27, 29) }, NULL },
    { 0x80000002, ANY_SUBLEAF, ANY, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000003, ANY_SUBLEAF, ANY, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000004, ANY_SUBLEAF, ANY, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000005, ANY_SUBLEAF, CPU_AMD, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000006, ANY_SUBLEAF, CPU_AMD, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000006, ANY_SUBLEAF, NOT_AMD, { 0, 0, ALL, 0 }, NULL },
    { 0x80000007, ANY_SUBLEAF, ANY, { 0, 0, 0, B(8) }, fix_invariant_tsc },
    { 0x80000008, ANY_SUBLEAF, ANY, {
        0x000000ff,
        B4(0, 2, 26, 29),                       /* CLZERO RSTR_FP_ERR_PTRS SSB_NO BTC_NO */
        0x0003f0ff, 0,
    }, fix_address_bits },
    { 0x8000001a, ANY_SUBLEAF, CPU_AMD, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000021, ANY_SUBLEAF, CPU_AMD, {
        B4(2, 5, 6, 29), 0,                     /* LFENCE_DISPATCH VERW_CLEAR NSCB SRSO_NO */
        B2(1, 2), 0,                            /* TSA_SQ_NO TSA_L1_NO */
    }, fix_lfence },
};

static void host_leaf(const struct vcpu *v, const struct cpuid_leaf *p, uint32_t subleaf,
                      uint32_t out[4])
{
    uint32_t last = host_last_leaf(p->leaf);

    if (last_leaf(p->leaf, last) < p->leaf)
        return;
    /* Intel answers leaves beyond the last with its data */
    if (last >= p->leaf)
        arch_cpuid(p->leaf, subleaf, out);
    out[EAX] &= p->allow[EAX];
    out[EBX] &= p->allow[EBX];
    out[ECX] &= p->allow[ECX];
    out[EDX] &= p->allow[EDX];
    if (p->fix)
        p->fix(v, subleaf, out);
}

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof(out[0]));
    if (leaf - XEN_CPUID_FIRST_LEAF < 0x100) {
        xen_cpuid_leaf(v, leaf - XEN_CPUID_FIRST_LEAF, subleaf, out);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(policy); i++) {
        if (policy[i].leaf == leaf &&
            (policy[i].subleaf == ANY_SUBLEAF || policy[i].subleaf == subleaf) &&
            (policy[i].vendors & cpu_vendor())) {
            host_leaf(v, &policy[i], subleaf, out);
            return;
        }
    }
}
