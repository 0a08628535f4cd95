/* Panic, NMI and machine check: what is printed, and how the machine ends; and what of the host's
 * CPU decides which features guests see. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/boot/cmdline.h"
#include "xen/core/bug.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/time.h"
#include "xen/cpu/cpuid.h"

#define CPUID_FSGSBASE 1u       /* leaf 7, EBX */
#define CPUID_TSC_RELIABLE 2u   /* the time leaf, EAX */

static unsigned count(const char *text)
{
    unsigned n = 0;

    for (const char *p = host.console; (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

/* What the hypervisor's trap handler does. */
static enum host_end end_by(const char *why, bool *whole)
{
    int how = HOST_CATCH_END();

    if (how == 0) {
        *whole = panic_begin();
        panic_end(*whole, "%s", why);
    }
    return (enum host_end)how;
}

static void nested_panics_print_less(void **state)
{
    bool whole = false;

    (void)state;
    panic_depth = 0;
    host.cpu_id = 3;
    log_threshold = LOG_NONE;
    assert_int_equal(end_by("the first", &whole), END_REBOOT);
    assert_true(whole);
    assert_true(console_has("Panic on CPU 3:\n(XEN) the first\n"));
    assert_int_equal(end_by("the second", &whole), END_REBOOT);
    assert_false(whole);
    assert_true(console_has("Panic on CPU 3, while another was being shown:\n(XEN) the second\n"));
    assert_int_equal(end_by("the third", &whole), END_HALT);
    assert_int_equal(count("the third"), 0);
    assert_int_equal(count("Rebooting."), 2);
    panic_depth = 0;
    log_threshold = LOG_INFO;
}

static void halts_where_it_may_not_reboot(void **state)
{
    bool whole;

    (void)state;
    panic_depth = 0;
    options.noreboot = true;
    assert_int_equal(end_by("halt", &whole), END_HALT);
    assert_true(console_has("Manual reset required"));
    panic_depth = 0;
    options.noreboot = false;
    log_threshold = LOG_INFO;
}

static void fsgsbase_is_offered_where_it_works(void **state)
{
    uint32_t r[4];

    (void)state;
    guest_cpuid(current, 7, 0, r);
    assert_int_equal(r[1] & CPUID_FSGSBASE, CPUID_FSGSBASE);
    host.deny_fsgsbase = true;
    guest_cpuid(current, 7, 0, r);
    assert_int_equal(r[1] & CPUID_FSGSBASE, 0);
}

/* The CPUID leaf and the flag in the time records agree. */
static void a_tsc_is_promised_stable_or_not(void **state)
{
    static const struct { const char *option; bool stable; } table[] = {
        { "tsc=unstable", false }, { "tsc=skewed", false }, { "tsc=stable", true },
        { "tsc=stable:socket", true },
        { "tsc=moon", true /* without a value nothing changes */ },
    };
    struct vcpu_info info = { 0 };
    uint32_t r[4];

    (void)state;
    current->info = &info;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        options_parse(table[i].option);
        time_init();
        time_update_vcpu(current);
        guest_cpuid(current, XEN_CPUID_LEAF(3), 0, r);
        assert_int_equal(!!(info.time.flags & XEN_PVCLOCK_TSC_STABLE_BIT), table[i].stable);
        assert_int_equal(!!(r[0] & CPUID_TSC_RELIABLE), table[i].stable);
    }
    assert_true(console_has("\"moon\" is not a value"));
    options.tsc = TSC_AUTO;
    current->info = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_machine(nested_panics_print_less), with_machine(halts_where_it_may_not_reboot),
        with_machine(fsgsbase_is_offered_where_it_works),
        with_machine(a_tsc_is_promised_stable_or_not),
    };

    return cmocka_run_group_tests_name("panic", tests, NULL, NULL);
}
