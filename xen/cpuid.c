/* Owns the CPUID that guests are told: the host's, less what a PV guest cannot or may not use, plus the
 * hypervisor's own leaves. Reached by the forced-emulation prefix; a plain CPUID runs natively and shows the
 * host's values, so nothing here is a protection: CR4 and XCR0 are. */
#include "common/string.h"
#include "xen/emulate.h"
#include "xen/mm.h"

enum { EAX, EBX, ECX, EDX };
#define B(n) (1u << (n))
#define B2(a, b) (B(a) | B(b))
#define B4(a, b, c, d) (B2(a, b) | B2(c, d))
#define ALL (~0u)
#define ANY_SUBLEAF (~0u)

#define MAX_BASIC 0xdu
#define MAX_EXTENDED 0x80000008u
#define HYPERVISOR_BIT B(31)
#define OSXSAVE B(27)
#define XSAVE B(26)
#define FSGSBASE B(0)
#define CR4_FSGSBASE (1ull << 16)

static void limit_basic(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    out[EAX] = MIN(out[EAX], MAX_BASIC);
}

static void limit_extended(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    out[EAX] = MIN(out[EAX], MAX_EXTENDED);
}

/* OSXSAVE is shown before the guest sets CR4.OSXSAVE: Linux drops XSAVE when it finds the one without the
 * other. */
static void fix_features(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    out[ECX] |= HYPERVISOR_BIT;
    if (arch_xcr0_mask() == 0)
        out[ECX] &= ~(XSAVE | OSXSAVE);
    else if (out[ECX] & XSAVE)
        out[ECX] |= OSXSAVE;
}

/* FSGSBASE is offered where its bit of CR4 is: a CPU may have it and do it wrong. */
static void fix_leaf_7(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    out[EAX] = MIN(out[EAX], 1u);
    if (!(arch_cr4_guest_mask() & CR4_FSGSBASE))
        out[EBX] &= ~FSGSBASE;
}

static void fix_invariant_tsc(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    (void)v, (void)subleaf;
    if (!arch_tsc_is_stable())
        out[EDX] &= ~B(8);
}

/* Bytes of an XSAVE image of these states: each at its place in the standard format, or packed. */
static uint32_t xsave_bytes(uint64_t states, bool compact)
{
    uint32_t size = 512 + 64, out[4];

    for (unsigned i = 2; i < 63; i++) {
        if (!(states >> i & 1))
            continue;
        arch_cpuid(0xd, i, out);
        if (!compact)
            size = MAX(size, out[EAX] + out[EBX]);
        else
            size = ((out[ECX] & 2) ? ALIGN_UP(size, 64u) : size) + out[EAX];
    }
    return size;
}

/* Only the states that are offered exist; supervisor states and XSAVES are not. */
static void fix_xstate(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    uint64_t offered = arch_xcr0_mask();

    if (offered == 0 || (subleaf > 1 && (subleaf > 62 || !(offered >> subleaf & 1)))) {
        memset(out, 0, 4 * sizeof(out[0]));
    } else if (subleaf == 0) {
        out[EAX] = (uint32_t)offered;
        out[EBX] = xsave_bytes(v->xcr0, false);
        out[ECX] = xsave_bytes(offered, false);
        out[EDX] = (uint32_t)(offered >> 32);
    } else if (subleaf == 1) {
        out[EAX] &= B(0) | B2(1, 2);            /* XSAVEOPT, XSAVEC, XGETBV(1) */
        out[EBX] = (out[EAX] & B(1)) ? xsave_bytes(v->xcr0, true) : 0;
        out[ECX] = out[EDX] = 0;
    } else {
        out[ECX] &= 2;
        out[EDX] = 0;
    }
}

/* FPU DE TSC MSR PAE CX8 APIC CMOV PAT MMX FXSR: the part that AMD repeats in 80000001. Missing: VME PSE
 * PSE36 PGE MTRR MCE MCA, which are the hypervisor's business. */
#define COMMON_EDX (B4(0, 2, 4, 5) | B4(6, 8, 9, 15) | B4(16, 16, 23, 24))

static const struct cpuid_leaf {
    uint32_t leaf, subleaf;
    uint32_t allow[4];
    void (*fix)(const struct vcpu *v, uint32_t subleaf, uint32_t out[4]);
} policy[] = {
    { 0, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, limit_basic },
    { 1, ANY_SUBLEAF, {
        ALL,
        0x0000ff00,                             /* CLFLUSH size; no APIC id, no siblings */
        B4(0, 1, 9, 12) | B4(13, 19, 20, 22)    /* SSE3 PCLMUL SSSE3 FMA, CX16 SSE4.1 SSE4.2 MOVBE */
            | B4(23, 25, 26, 28) | B2(29, 30),  /* POPCNT AES XSAVE AVX, F16C RDRAND */
        COMMON_EDX | B(11) | B(19) | B2(25, 26),        /* SEP, CLFSH, SSE, SSE2 */
    }, fix_features },
    { 2, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, NULL },
    { 4, ANY_SUBLEAF, { 0x00003fff, ALL, ALL, ALL }, NULL },    /* caches, not who shares them */
    { 7, 0, {
        ALL,
        B4(0, 3, 5, 6) | B4(8, 9, 13, 16)   /* FSGSBASE BMI1 AVX2 FDP_EXCPTN, BMI2 ERMS NO_FPU_SEL AVX512F */
            | B4(17, 18, 19, 21) | B4(23, 24, 26, 27)   /* AVX512DQ RDSEED ADX IFMA, CLFLUSHOPT CLWB PF ER */
            | B4(28, 29, 30, 31),               /* CD SHA BW VL */
        B4(1, 6, 8, 9) | B4(10, 11, 12, 14)     /* VBMI VBMI2 GFNI VAES, VPCLMUL VNNI BITALG VPOPCNTDQ */
            | B4(22, 25, 27, 28),               /* RDPID CLDEMOTE MOVDIRI MOVDIR64B */
        B4(2, 3, 4, 8) | B(14),                 /* 4VNNIW 4FMAPS FSRM VP2INTERSECT, SERIALIZE */
    }, fix_leaf_7 },
    { 7, 1, { B4(4, 5, 10, 11) | B(12), 0, 0, 0 }, NULL },      /* AVX_VNNI AVX512_BF16, fast short REP */
    { 0xd, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, fix_xstate },
    { 0x80000000, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, limit_extended },
    { 0x80000001, ANY_SUBLEAF, {
        ALL, 0,
        B4(0, 5, 6, 7) | B4(8, 11, 16, 21),     /* LAHF ABM SSE4A MISALIGNSSE, PREFETCHW XOP FMA4 TBM */
        COMMON_EDX | B4(11, 20, 22, 27)         /* SYSCALL NX MMXEXT RDTSCP */
            | B4(29, 30, 31, 31),               /* LM 3DNOWEXT 3DNOW */
    }, NULL },
    { 0x80000002, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000003, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000004, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000005, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000006, ANY_SUBLEAF, { ALL, ALL, ALL, ALL }, NULL },
    { 0x80000007, ANY_SUBLEAF, { 0, 0, 0, B(8) }, fix_invariant_tsc },
    { 0x80000008, ANY_SUBLEAF, { 0x0000ffff, B2(0, 2), 0, 0 }, NULL },      /* CLZERO, RSTR_FP_ERR_PTRS */
};

/* Instructions whose registers XCR0 does not offer to guests. */
static const struct xstate_feature {
    uint32_t leaf, subleaf, reg;
    uint64_t needs;
    uint32_t features;
} xstate_features[] = {
    { 1, 0, ECX, 0x4, B4(12, 28, 29, 29) },
    { 7, 0, EBX, 0x4, B(5) },
    { 7, 0, ECX, 0x4, B2(9, 10) },
    { 7, 1, EAX, 0x4, B(4) },
    { 0x80000001, 0, ECX, 0x4, B2(11, 16) },
    { 7, 0, EBX, 0xe0, B4(16, 17, 21, 26) | B4(27, 28, 30, 31) },
    { 7, 0, ECX, 0xe0, B4(1, 6, 11, 12) | B(14) },
    { 7, 0, EDX, 0xe0, B4(2, 3, 8, 8) },
    { 7, 1, EAX, 0xe0, B(5) },
};

static void host_leaf(const struct vcpu *v, const struct cpuid_leaf *p, uint32_t subleaf, uint32_t out[4])
{
    uint64_t xcr0 = arch_xcr0_mask();

    arch_cpuid(p->leaf & 0x80000000, 0, out);
    if (out[EAX] < p->leaf) {                   /* Intel answers leaves beyond the last with its data */
        memset(out, 0, 4 * sizeof(out[0]));
        return;
    }
    arch_cpuid(p->leaf, subleaf, out);
    for (unsigned i = 0; i < 4; i++)
        out[i] &= p->allow[i];
    for (unsigned i = 0; i < ARRAY_SIZE(xstate_features); i++) {
        const struct xstate_feature *x = &xstate_features[i];

        if (x->leaf == p->leaf && (p->subleaf == ANY_SUBLEAF || x->subleaf == subleaf) &&
            (xcr0 & x->needs) != x->needs)
            out[x->reg] &= ~x->features;
    }
    if (p->fix)
        p->fix(v, subleaf, out);
}

static void time_leaf(const struct vcpu *v, uint32_t subleaf, uint32_t out[4])
{
    uint32_t khz = (uint32_t)(arch_tsc_hz() / 1000), features[4];

    if (subleaf == 0) {
        arch_cpuid(0x80000001, 0, features);
        out[EAX] = (arch_tsc_is_stable() ? B(1) : 0) | ((features[EDX] & B(27)) ? B(2) : 0);
        out[ECX] = khz;
    } else if (subleaf == 1) {
        out[ECX] = v->info->time.tsc_to_system_mul;
        out[EDX] = (uint8_t)v->info->time.tsc_shift;
    } else if (subleaf == 2) {
        out[EAX] = khz;
    }
}

/* The hypervisor's own leaves, public/arch-x86/cpuid.h. */
static void xen_leaf(const struct vcpu *v, uint32_t index, uint32_t subleaf, uint32_t out[4])
{
    switch (index) {
    case 0:
        out[EAX] = XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES);
        out[EBX] = XEN_CPUID_SIGNATURE_EBX;
        out[ECX] = XEN_CPUID_SIGNATURE_ECX;
        out[EDX] = XEN_CPUID_SIGNATURE_EDX;
        break;
    case 1:
        out[EAX] = ABI_MAJOR << 16 | ABI_MINOR;
        break;
    case 2:
        out[EAX] = 1;
        out[EBX] = MSR_HYPERCALL_PAGE;
        out[ECX] = XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD;
        break;
    case 3:
        time_leaf(v, subleaf, out);
        break;
    case 5:
        if (subleaf == 0)
            out[EBX] = 64 - (unsigned)__builtin_clzll((max_mfn << PAGE_SHIFT) | 1);
        break;
    }
}

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof(out[0]));
    if (leaf - XEN_CPUID_FIRST_LEAF < 0x100) {
        xen_leaf(v, leaf - XEN_CPUID_FIRST_LEAF, subleaf, out);
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(policy); i++) {
        if (policy[i].leaf == leaf && (policy[i].subleaf == ANY_SUBLEAF || policy[i].subleaf == subleaf)) {
            host_leaf(v, &policy[i], subleaf, out);
            return;
        }
    }
}
