/* The MSRs that guests may access: one table with the functions that read and write each, and
 * the vendors whose CPUs have it. Called by emulate.c for RDMSR and WRMSR; the MSR of the
 * hypercall page is in pv/hypercall_page.c. Any other MSR raises #GP(0), which kernels handle
 * with their exception tables. Early in boot they have no #GP handler yet: until then, reading
 * an MSR that this CPU has but guests have not gives 0. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/cpu/control_regs.h"
#include "xen/cpu/cpuid.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/msr.h"

/* SCE LME LMA NXE FFXSR; SVME is hidden */
#define EFER_KNOWN 0x4d01u
#define MISC_ENABLE_SET 0x801800u       /* no BTS, no PEBS, no task priority messages */
#define MISC_ENABLE_CLEAR 0x40080u      /* no performance monitoring, no MONITOR */
#define FEATURE_CONTROL_LOCK 1u
#define MCG_CAP_INTEL 0x1000c00u        /* SER_P, TES_P, CMCI_P */
#define DE_CFG_LFENCE 2u                /* LFENCE serialises */
#define MC_BASE 0x400u                  /* four MSRs for each bank: CTL STATUS ADDR MISC */
#define MC_CTL2_BASE 0x280u

/* Bits of the host's ARCH_CAPABILITIES that are true in a guest, too: the vulnerabilities that
 * the CPU does not have, and what VERW clears (RDCL_NO SSB_NO MDS_NO IF_PSCHANGE_MC_NO TAA_NO
 * SBDR_SSDP_NO FBSDP_NO PSDP_NO FB_CLEAR BHI_NO PBRSB_NO GDS_NO RFDS_NO RFDS_CLEAR, ITS_NO); and
 * that returns may be predicted from another predictor (RSBA, or RRSBA, which without EIBRS is
 * the same). */
#define ARCH_CAPS_SHOWN (0x1d12e170ull | 1ull << 0 | 1ull << 62)
#define ARCH_CAPS_RSBA (1u << 2)
#define ARCH_CAPS_RRSBA (1u << 19)

static bool read_zero(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = 0;
    return true;
}

/* GS_BASE is the base of the current mode, KERNEL_GS_BASE that of the other mode. */
static enum arch_base base_of(const struct vcpu *v, uint32_t msr)
{
    bool current_mode = msr == 0xc0000101;

    if (msr == 0xc0000100)
        return BASE_FS;
    return current_mode == (v->kernel_mode != 0) ? BASE_GS_KERNEL : BASE_GS_USER;
}

static bool read_base(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = arch_get_base(base_of(v, msr));
    return true;
}

static bool write_base(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!is_canonical(value))
        return false;
    arch_set_base(base_of(v, msr), value);
    return true;
}

static bool has_tsc_aux(const struct vcpu *v)
{
    uint32_t extended[4], features[4];

    guest_cpuid(v, 0x80000001, 0, extended);
    guest_cpuid(v, 7, 0, features);
    return (extended[3] >> 27 & 1) || (features[2] >> 22 & 1);      /* RDTSCP, RDPID */
}

static bool read_tsc_aux(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = v->tsc_aux;
    return has_tsc_aux(v);
}

static bool write_tsc_aux(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    if (!has_tsc_aux(v) || value >> 32)
        return false;
    v->tsc_aux = value;
    arch_set_tsc_aux(value);
    return true;
}

static bool read_tsc(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = arch_tsc();
    return true;
}

static bool read_efer(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    if (!arch_rdmsr(msr, value))
        return false;
    *value &= EFER_KNOWN;
    return true;
}

/* APIC_BASE: enabled, at its usual address, and with the BSP bit on vCPU 0. Guests have no APIC,
 * but kernels read this. */
static bool read_apic_base(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = 0xfee00000u | 1u << 11 | (v->id == 0 ? 1u << 8 : 0);
    return true;
}

static bool read_host(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    return arch_rdmsr(msr, value);
}

static bool read_feature_control(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = FEATURE_CONTROL_LOCK;
    return true;
}

static bool read_arch_capabilities(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    uint32_t last[4], features[4];
    uint64_t host = 0;

    (void)v;
    arch_cpuid(0, 0, last);
    arch_cpuid(7, 0, features);
    if (last[0] < 7 || !(features[3] >> 29 & 1) || !arch_rdmsr(msr, &host))
        host = 0;
    *value = host & ARCH_CAPS_SHOWN;
    if (host & (ARCH_CAPS_RSBA | ARCH_CAPS_RRSBA))
        *value |= ARCH_CAPS_RSBA;
    return true;
}

static bool read_misc_enable(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    if (!arch_rdmsr(msr, value))
        return false;
    *value = (*value & ~(uint64_t)MISC_ENABLE_CLEAR) | MISC_ENABLE_SET;
    return true;
}

/* Any value, if the MSR exists. */
static bool write_misc_enable(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)value;
    return read_misc_enable(v, msr, &value);
}

static bool read_lfence(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = DE_CFG_LFENCE;
    return true;
}

static bool ignore(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v, (void)msr, (void)value;
    return true;
}

static bool write_zero_only(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v, (void)msr;
    return value == 0;
}

static bool same_only(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t now;

    return guest_rdmsr(v, msr, &now) && now == value;
}

/* AMD's families 10h to 16h have it. */
static bool has_mmio_conf(void)
{
    uint32_t leaf[4], family;

    arch_cpuid(1, 0, leaf);
    family = leaf[0] >> 8 & 0xf;
    if (family == 0xf)
        family += leaf[0] >> 20 & 0xff;
    return family >= 0x10 && family < 0x17;
}

static bool read_mmio_conf(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    return has_mmio_conf() && read_zero(v, msr, value);
}

static bool write_mmio_conf(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v, (void)msr, (void)value;
    return has_mmio_conf();
}

/* --- Machine check: MC_BANKS banks that never report anything --------------------------------- */

static bool read_mcg_cap(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = MC_BANKS | (cpu_vendor() == CPU_INTEL ? MCG_CAP_INTEL : 0);
    return true;
}

static bool read_mcg_status(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = v->mcg_status;
    return true;
}

static bool write_mcg_status(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    v->mcg_status = value;
    return true;
}

static bool is_bank(uint32_t msr)
{
    return (msr - MC_BASE) / 4 < MC_BANKS;
}

static bool read_bank(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    *value = is_bank(msr) && msr % 4 == 0 ? ~0ull : 0;      /* MCi_CTL: all bits set */
    return true;
}

/* MCi_STATUS, _ADDR and _MISC accept 0 only; writes to banks that do not exist are ignored. */
static bool write_bank(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    return !is_bank(msr) || msr % 4 == 0 || value == 0;
}

static bool read_bank_ctl2(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    uint32_t bank = msr - MC_CTL2_BASE;

    *value = cpu_vendor() == CPU_INTEL && bank < MC_BANKS ? v->mc_ctl2[bank] : 0;
    return true;
}

static bool write_bank_ctl2(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint32_t bank = msr - MC_CTL2_BASE;

    if (bank < MC_BANKS)
        v->mc_ctl2[bank] = value;
    return true;
}

static bool write_hypercall_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    return cpu_hooks.hypercall_page(v, value);
}

#define ANY (CPU_INTEL | CPU_AMD | CPU_OTHER)

/* NULL: #GP. */
static const struct msr_policy {
    uint32_t first, last;
    unsigned vendors;
    bool (*read)(struct vcpu *v, uint32_t msr, uint64_t *value);
    bool (*write)(struct vcpu *v, uint32_t msr, uint64_t value);
} policy[] = {
    { 0xc0000100, 0xc0000102, ANY, read_base, write_base },             /* FS, GS, the other GS */
    { 0xc0000103, 0xc0000103, ANY, read_tsc_aux, write_tsc_aux },
    { 0xc0000080, 0xc0000080, ANY, read_efer, same_only },
    { 0x0000, 0x0001, ANY, read_zero, NULL },                           /* P5_MC_ADDR, _TYPE */
    { 0x0010, 0x0010, ANY, read_tsc, NULL },
    { 0x0017, 0x0017, CPU_INTEL, read_host, NULL },                     /* PLATFORM_ID */
    { 0x001b, 0x001b, ANY, read_apic_base, NULL },
    { 0x003a, 0x003a, CPU_INTEL, read_feature_control, NULL },
    /* microcode: written with 0, then read */
    { 0x008b, 0x008b, CPU_INTEL, read_host, write_zero_only },
    { 0x008b, 0x008b, CPU_AMD, read_host, NULL },
    { 0x00c1, 0x00c8, CPU_INTEL, read_zero, ignore },                   /* performance counters */
    { 0x00ce, 0x00ce, ANY, read_zero, NULL },                           /* PLATFORM_INFO */
    { 0x00e7, 0x00e8, CPU_INTEL | CPU_AMD, NULL, ignore },              /* MPERF, APERF */
    { 0x010a, 0x010a, CPU_INTEL, read_arch_capabilities, NULL },
    { 0x0140, 0x0140, ANY, read_zero, write_zero_only },                /* MISC_FEATURES_ENABLES */
    { 0x0179, 0x0179, ANY, read_mcg_cap, ignore },
    { 0x017a, 0x017a, ANY, read_mcg_status, write_mcg_status },
    { 0x017b, 0x017b, ANY, read_zero, ignore },                         /* MCG_CTL */
    { 0x0186, 0x0189, CPU_INTEL, read_zero, ignore },                   /* performance events */
    { 0x0198, 0x0198, CPU_INTEL, read_zero, NULL },                     /* PERF_STATUS */
    { 0x0199, 0x0199, CPU_INTEL, read_zero, ignore },                   /* PERF_CTL */
    { 0x019a, 0x019a, CPU_INTEL, NULL, ignore },                        /* CLOCK_MODULATION */
    { 0x019c, 0x019c, CPU_INTEL, read_zero, NULL },                     /* THERM_STATUS */
    { 0x01a0, 0x01a0, ANY, read_misc_enable, write_misc_enable },
    { 0x01b0, 0x01b0, CPU_INTEL, NULL, ignore },                        /* ENERGY_PERF_BIAS */
    /* DEBUGCTL: no branch traces, no BTF */
    { 0x01d9, 0x01d9, ANY, read_zero, NULL },
    { 0x0277, 0x0277, ANY, read_host, NULL },                           /* PAT: the hypervisor's */
    { MC_CTL2_BASE, 0x029f, ANY, read_bank_ctl2, write_bank_ctl2 },
    /* Fixed performance counters. */
    { 0x0309, 0x030b, CPU_INTEL, read_zero, ignore },
    { 0x0345, 0x0345, ANY, read_zero, NULL },                           /* PERF_CAPABILITIES */
    /* Control of the fixed counters, global control and status. */
    { 0x038d, 0x0390, CPU_INTEL, read_zero, ignore },
    { MC_BASE, 0x047f, ANY, read_bank, write_bank },
    { MSR_HYPERCALL_PAGE, MSR_HYPERCALL_PAGE, ANY, read_zero, write_hypercall_msr },
    /* Performance events and counters. */
    { 0xc0010000, 0xc0010007, CPU_AMD, read_zero, ignore },
    { 0xc0010015, 0xc0010015, CPU_AMD, read_zero, ignore },             /* HWCR */
    { 0xc001001f, 0xc001001f, ANY, read_zero, ignore },                 /* NB_CFG */
    { 0xc0010041, 0xc0010042, CPU_AMD, read_zero, ignore },             /* FID_VID_CTL, _STATUS */
    { 0xc0010058, 0xc0010058, CPU_AMD, read_mmio_conf, write_mmio_conf },
    { 0xc0010061, 0xc001006b, CPU_AMD, read_zero, ignore },             /* P-states */
    /* More events and counters. */
    { 0xc0010200, 0xc001020b, CPU_AMD, read_zero, ignore },
    { 0xc0011029, 0xc0011029, CPU_AMD, read_lfence, ignore },           /* DE_CFG */
};

static const struct msr_policy *find_policy(uint32_t msr)
{
    for (const struct msr_policy *p = policy; p < policy + ARRAY_SIZE(policy); p++)
        if (msr >= p->first && msr <= p->last && (p->vendors == ANY || (p->vendors & cpu_vendor())))
            return p;
    return NULL;
}

bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct msr_policy *p = find_policy(msr);
    uint64_t unseen;

    if (likely(p != NULL && p->read != NULL && p->read(v, msr, value)))
        return true;
    *value = 0;
    return v->traps[TRAP_GP].address == 0 && msr >> 16 != MSR_HYPERCALL_PAGE >> 16 &&
           arch_rdmsr(msr, &unseen);
}

bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    const struct msr_policy *p = find_policy(msr);

    return p != NULL && p->write != NULL && p->write(v, msr, value);
}
