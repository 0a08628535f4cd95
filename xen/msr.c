/* Owns the MSRs that guests may name. One table says for each what reading gives and what writing does;
 * everything else is #GP(0), which kernels survive by their exception tables - except before they have one:
 * until the guest has a #GP handler, reading an unknown MSR gives 0. */
#include "xen/builder.h"
#include "xen/emulate.h"
#include "xen/mm.h"
#include "xen/upcall.h"

#define EFER_SVME (1ull << 12)

static bool read_zero(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = 0;
    return true;
}

static bool read_base(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    *value = arch_get_base(msr == 0xc0000100 ? BASE_FS :
                           (msr == 0xc0000101) == (v->kernel_mode != 0) ? BASE_GS_KERNEL : BASE_GS_USER);
    return true;
}

static bool write_base(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (!is_canonical(value))
        return false;
    arch_set_base(msr == 0xc0000100 ? BASE_FS :
                  (msr == 0xc0000101) == (v->kernel_mode != 0) ? BASE_GS_KERNEL : BASE_GS_USER, value);
    return true;
}

static bool read_tsc_aux(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)msr;
    *value = v->tsc_aux;
    return true;
}

static bool write_tsc_aux(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)msr;
    if (value >> 32)
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
    *value &= ~EFER_SVME;
    return true;
}

/* Enabled, at its usual place, and on the boot CPU for vCPU 0: nothing is there, but kernels ask. */
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

static bool read_microcode(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if (!read_host(v, msr, value))
        *value = 0;
    return true;
}

/* An Intel MSR; the host's, with BTS and PEBS said to be missing. */
static bool read_misc_enable(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    if (!arch_rdmsr(msr, value))
        return false;
    *value |= 1u << 11 | 1u << 12;
    return true;
}

static bool host_is_amd(void)
{
    uint32_t out[4];

    arch_cpuid(0, 0, out);
    return out[1] == 0x68747541 || out[1] == 0x6f677948;        /* "Auth", "Hygo" */
}

static bool read_amd_zero(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    return host_is_amd() && read_zero(v, msr, value);
}

static bool read_amd_lfence(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v, (void)msr;
    *value = 2;                         /* LFENCE serialises */
    return host_is_amd();
}

static bool ignore(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v, (void)msr, (void)value;
    return true;
}

static bool ignore_amd(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v, (void)msr, (void)value;
    return host_is_amd();
}

static bool same_only(struct vcpu *v, uint32_t msr, uint64_t value)
{
    uint64_t now;

    return guest_rdmsr(v, msr, &now) && now == value;
}

/* value: the page's machine address, and in its low bits which of the hypercall pages: there is one. */
static bool install_hypercall_page(struct vcpu *v, uint32_t msr, uint64_t value)
{
    struct domain *d = v->domain;
    struct frame *f;
    int rc;

    (void)msr;
    if (value & ~PAGE_MASK)
        return false;
    spin_lock(&d->mm_lock);
    rc = get_page_and_type(value >> PAGE_SHIFT, d, TYPE_WRITABLE, &f);
    if (rc == 0) {
        write_hypercall_page(mfn_to_virt(value >> PAGE_SHIFT));
        put_page_and_type(f);
    }
    spin_unlock(&d->mm_lock);
    return rc == 0;
}

/* NULL: #GP. */
static const struct msr_policy {
    uint32_t first, last;
    bool (*read)(struct vcpu *v, uint32_t msr, uint64_t *value);
    bool (*write)(struct vcpu *v, uint32_t msr, uint64_t value);
} policy[] = {
    { 0xc0000100, 0xc0000102, read_base, write_base },          /* FS, GS, the other GS */
    { 0xc0000103, 0xc0000103, read_tsc_aux, write_tsc_aux },
    { 0xc0000080, 0xc0000080, read_efer, same_only },
    { 0x0010, 0x0010, read_tsc, NULL },
    { 0x001b, 0x001b, read_apic_base, NULL },
    { 0x003a, 0x003a, read_zero, NULL },                        /* FEATURE_CONTROL */
    { 0x008b, 0x008b, read_microcode, ignore },                 /* written with 0 before it is read */
    { 0x00cf, 0x00cf, read_zero, NULL },                        /* CORE_CAPABILITIES */
    { 0x00fe, 0x00fe, read_zero, NULL },                        /* MTRRcap */
    { 0x0140, 0x0140, read_zero, same_only },                   /* MISC_FEATURES_ENABLES */
    { 0x0179, 0x017a, read_zero, ignore },                      /* machine check: no banks, or silent ones */
    { 0x0400, 0x0407, read_zero, ignore },
    { 0x01a0, 0x01a0, read_misc_enable, same_only },
    { 0x0277, 0x0277, read_host, same_only },                   /* PAT: the hypervisor's */
    { MSR_HYPERCALL_PAGE, MSR_HYPERCALL_PAGE, read_zero, install_hypercall_page },
    { 0xc0010000, 0xc0010003, read_amd_zero, ignore_amd },      /* performance events and counters */
    { 0xc0010004, 0xc0010007, read_amd_zero, ignore_amd },
    { 0xc0010015, 0xc0010015, read_amd_zero, ignore_amd },      /* HWCR */
    { 0xc0011029, 0xc0011029, read_amd_lfence, same_only },     /* DE_CFG */
};

static const struct msr_policy *find_policy(uint32_t msr)
{
    for (const struct msr_policy *p = policy; p < policy + ARRAY_SIZE(policy); p++)
        if (msr >= p->first && msr <= p->last)
            return p;
    return NULL;
}

bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct msr_policy *p = find_policy(msr);

    if (likely(p != NULL && p->read != NULL))
        return p->read(v, msr, value);
    *value = 0;
    return v->traps[TRAP_GP].address == 0;
}

bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value)
{
    const struct msr_policy *p = find_policy(msr);

    return p != NULL && p->write != NULL && p->write(v, msr, value);
}
