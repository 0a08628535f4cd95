/* What a guest is told of its CPU, where the suites cannot see it: answers before the guest has
 * handlers, and features that the test machine does not have. */
#include "cmocka_main.h"
#include "support.h"
#include "xen/core/domain.h"
#include "xen/core/options.h"
#include "xen/cpu/cpuid.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/msr.h"

static struct vcpu *v;

static int one_guest(void **state)
{
    (void)state;
    v = guest_up(1)->vcpu[0];
    return 0;
}

/* A kernel without a #GP handler reads 0 from an MSR that the CPU has, whether guests have it or
 * not; reading any other MSR crashes it. The fake CPU has all below 0x2000. */
static void msr_of_the_cpu_reads_0_without_a_handler(void **state)
{
    uint64_t value = 1;

    (void)state;
    v->traps[TRAP_GP].address = 0;
    assert_true(guest_rdmsr(v, 0x174, &value));
    assert_int_equal(value, 0);
    assert_true(guest_rdmsr(v, 0xe7, &value));          /* one that can only be written */
    assert_false(guest_rdmsr(v, 0x12345678, &value));
    assert_false(guest_rdmsr(v, 0x40000001, &value));
    assert_false(guest_wrmsr(v, 0x174, 0));
    v->traps[TRAP_GP].address = GUEST_BASE;
    assert_false(guest_rdmsr(v, 0x174, &value));
    assert_false(guest_rdmsr(v, 0xe7, &value));
}

/* The fake CPU has every feature of these leaves, and five levels of tables. */
static void hidden_features_are_not_shown(void **state)
{
    uint32_t r[4];

    (void)state;
    guest_cpuid(v, 1, 0, r);
    /* DTES64 MONITOR DSCPL VMX SMX EIST TM2 XTPR PDCM PCID DCA ... */
    assert_int_equal(r[2] & 0x0126c1fc, 0);
    assert_int_equal(r[3] & 0xa022300a, 0);             /* VME PSE MTRR PGE PSE36 DS TM PBE */
    assert_int_equal(r[3] & 0x00404080, 0x00404080);    /* MCE MCA ACPI */
    guest_cpuid(v, 7, 0, r);
    /* TSC_ADJUST SGX HLE SMEP INVPCID RTM PQM MPX PQE SMAP PT ... */
    assert_int_equal(r[1] & 0x0250dc96, 0);
    /* UMIP PKU OSPKE CET_SS LA57 MOVDIRI MOVDIR64B ENQCMD */
    assert_int_equal(r[2] & 0x3801009c, 0);
    /* VP2INTERSECT ... TSX, PCONFIG, IBT, IBRS STIBP L1D SSBD */
    assert_int_equal(r[3] & 0xdc13ab00, 0);
    assert_int_equal(r[3] & 1u << 29, 1u << 29);        /* ARCH_CAPABILITIES */
    guest_cpuid(v, 0x80000008, 0, r);
    assert_int_equal(r[0], 48 << 8 | 40);
    guest_cpuid(v, XEN_CPUID_LEAF(3), 1, r);
    assert_int_equal(r[2], v->info->time.tsc_to_system_mul);
    assert_int_equal((int32_t)r[3], v->info->time.tsc_shift);
}

/* As the hypervisor's option has it, or the CPU, which does not say so here. */
static void invariant_tsc_where_it_is_known(void **state)
{
    static const struct {
        int tsc;
        uint32_t reliable, mode, invariant;
    } table[] = {
        { TSC_AUTO, 1u << 1, 0, 0 },
        { TSC_STABLE, 1u << 1, 2, 1u << 8 },
        { TSC_UNSTABLE, 0, 0, 0 },
    };
    uint32_t r[4];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        options.tsc = table[i].tsc;
        guest_cpuid(v, XEN_CPUID_LEAF(3), 0, r);
        assert_int_equal(r[0] & 1u << 1, table[i].reliable);
        assert_int_equal(r[1], table[i].mode);
        assert_int_equal(r[3], 0);
        guest_cpuid(v, 0x80000007, 0, r);
        assert_int_equal(r[0] | r[1] | r[2], 0);
        assert_int_equal(r[3], table[i].invariant);
    }
    options.tsc = TSC_AUTO;
}

#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guest(msr_of_the_cpu_reads_0_without_a_handler),
        with_guest(hidden_features_are_not_shown),
        with_guest(invariant_tsc_where_it_is_known),
    };

    return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
