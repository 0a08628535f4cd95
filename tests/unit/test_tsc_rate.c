/* The rate of the TSC (arch/x86_64/tsc_rate.c): from CPUID, and from readings of a PIT that this
 * file simulates. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "arch/x86_64/tsc_rate.h"

#define GHZ 1000000000ull

/* --- CPUID ------------------------------------------------------------------------------------ */

#define VIRTUAL (1u << 31)
static uint32_t max_leaf, features, crystal[4], max_virtual, timing_khz;

/* Leaves above the highest give another one's values, as Intel's CPUs and QEMU do it. */
static void fake(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    assert_int_equal(subleaf, 0);
    memset(out, 0xab, 16);
    if (leaf == 0)
        out[0] = max_leaf;
    else if (leaf == 1)
        out[2] = features;
    else if (leaf == 0x40000000)
        out[0] = max_virtual;
    else if (leaf == 0x15 && max_leaf >= 0x15)
        memcpy(out, crystal, 16);
    else if (leaf == 0x40000010)
        out[0] = max_virtual >= 0x40000010 ? timing_khz : 1234567;
}

static void cpuid_says_the_rate(void **state)
{
    static const struct {
        const char *what;
        uint32_t max_leaf, features, crystal[3], max_virtual, timing_khz;
        uint64_t hz;
    } table[] = {
        { "nothing", 0xd, 0, { 2, 250, 24000000 }, 0x40000010, 1000000, 0 },
        { "a crystal", 0x15, 0, { 2, 250, 24000000 }, 0x40000010, 1000000, 3 * GHZ },
        { "no rate of the crystal", 0x16, 0, { 2, 284, 0 }, 0, 0, 0 },
        { "no ratio", 0x16, 0, { 0, 0, 24000000 }, 0, 0, 0 },
        { "more than a TSC can have", 0x16, 0, { 1, 1000, 24000000 }, 0, 0, 0 },
        { "a hypervisor", 0xd, VIRTUAL, { 0 }, 0x40000010, 2400001, 2400001000 },
        { "both", 0x16, VIRTUAL, { 2, 250, 24000000 }, 0x40000010, 2400001, 2400001000 },
        { "a hypervisor not", 0x16, VIRTUAL, { 2, 250, 24000000 }, 0x40000010, 0, 3 * GHZ },
        { "fewer leaves", 0xd, VIRTUAL, { 0 }, 0x40000001, 2400001, 0 },
        { "no such leaves", 0xd, VIRTUAL, { 0 }, 0xabababab, 2400001, 0 },
        { "less than a TSC can have", 0xd, VIRTUAL, { 0 }, 0x40000010, 1000, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        max_leaf = table[i].max_leaf;
        features = table[i].features;
        memcpy(crystal, table[i].crystal, sizeof(table[i].crystal));
        max_virtual = table[i].max_virtual;
        timing_khz = table[i].timing_khz;
        if (tsc_hz_by_cpuid(fake) != table[i].hz)
            fail_msg("%s: %lu", table[i].what, tsc_hz_by_cpuid(fake));
    }
}

/* --- The PIT ---------------------------------------------------------------------------------- */

/* What a machine is like: its TSC's rate, and how long the parts of a reading take. */
struct machine {
    const char *what;
    uint64_t hz;
    double latch_ns, answer_ns, rest_ns;    /* before the count is latched; after it; the rest */
    double jitter;              /* all of them take up to so much longer */
    unsigned slow_every;        /* of the first group, one of so many takes a millisecond */
    double apart_ms;
    unsigned ppm;               /* the error may be no larger */
};

static double now_ns;

static double take(const struct machine *m, double ns)
{
    return now_ns += ns * (1 + m->jitter * rand() / RAND_MAX);
}

static uint64_t tsc(const struct machine *m)
{
    return 77777777777ull + (uint64_t)(now_ns * (double)m->hz / 1e9);
}

static void read_group(const struct machine *m, unsigned slow_every, struct pit_reading *r,
                       double phase)
{
    for (unsigned i = 0; i < PIT_READINGS; i++) {
        bool slow = slow_every != 0 && i % slow_every == slow_every - 1;

        r[i].before = tsc(m);
        take(m, slow ? 500000 : m->latch_ns);
        r[i].count = (uint16_t)(0xffff - (uint64_t)(now_ns * 1193181.8181818 / 1e9 + phase));
        take(m, slow ? 500000 : m->answer_ns);
        r[i].after = tsc(m);
        take(m, m->rest_ns);
    }
}

static const struct machine machines[] = {
    { "emulated, instructions counted", GHZ, 4, 4, 21, 0, 0, 1, 60 },
    { "a slower TSC", 500000000, 4, 4, 21, 0, 0, 2, 30 },
    { "emulated", 2300000000, 300, 300, 1300, 0.7, 0, 1, 500 },
    { "emulated, 5 ms", 2300000000, 300, 300, 1300, 0.7, 0, 5, 100 },
    { "a PC", 5 * GHZ, 500, 500, 2100, 0.05, 0, 5, 60 },
    { "a PC in 5 ms that the firmware often stops", 3 * GHZ, 500, 500, 2100, 0.05, 5, 5, 60 },
    { "a virtual machine", 3 * GHZ, 1500, 1500, 6000, 0.3, 9, 5, 200 },
    { "a PC in a short time", 3 * GHZ, 500, 500, 2100, 0.05, 0, 0.2, 1000 },
    { "a long time", 3 * GHZ, 500, 500, 2100, 0.05, 0, 50, 6 },
};

/* The error is below what the function says and below what the table says, wherever in its tick and
 * in its round the PIT is. */
static void the_pit_tells_the_rate(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < ARRAY_SIZE(machines); i++) {
        const struct machine *m = &machines[i];

        for (unsigned run = 0; run < 1000; run++) {
            struct pit_reading first[PIT_READINGS], last[PIT_READINGS];
            double phase = 65535.0 * rand() / RAND_MAX, wrong;
            uint64_t hz, ppm;

            now_ns = 0;
            read_group(m, m->slow_every, first, phase);
            now_ns = MAX(now_ns, m->apart_ms * 1e6);
            read_group(m, 0, last, phase);
            hz = tsc_hz_by_pit(first, last, &ppm);
            wrong = 1e6 * (hz > m->hz ? hz - m->hz : m->hz - hz) / (double)m->hz;
            if (wrong > (double)ppm || wrong > m->ppm)
                fail_msg("%s: %lu Hz, %.1f ppm, said %lu", m->what, hz, wrong, ppm);
        }
    }
}

/* Whatever the readings are, there is a rate and no fault. */
static void nonsense_gives_some_rate(void **state)
{
    struct pit_reading first[PIT_READINGS], last[PIT_READINGS];
    uint64_t ppm;

    (void)state;
    for (unsigned run = 0; run < 1000; run++) {
        uint64_t at = 1000;

        for (unsigned i = 0; i < 2 * PIT_READINGS; i++) {
            struct pit_reading *r = i < PIT_READINGS ? &first[i] : &last[i - PIT_READINGS];

            r->before = at += (unsigned)rand() % 100000;
            r->after = at += (unsigned)rand() % 100000;
            r->count = run == 0 ? 0xffff : (uint16_t)rand();
        }
        (void)tsc_hz_by_pit(first, last, &ppm);
        assert_true(ppm > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpuid_says_the_rate),
        cmocka_unit_test(the_pit_tells_the_rate),
        cmocka_unit_test(nonsense_gives_some_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
