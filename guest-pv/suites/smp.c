/* Suite "smp": what several vCPUs of one guest may rely on. They go up and down, and each runs its
 * own code; run states and time are right for all of them. Page tables are in smp_tables.c, events,
 * timers and grants in smp_events.c, more races in smp_races.c, and arguments that change under a
 * hypercall in smp_flips.c. With one CPU the vCPUs take turns, with several they run at
 * the same time; the tests are the same. A test ends after a number of rounds or some seconds;
 * rounds= on the command line multiplies both. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "hypercall.h"
#include "start.h"
#include "smp.h"
#include "suite.h"
#include "worker.h"

volatile bool smp_stop;
static uint64_t time_is_over_ns;

unsigned smp_rounds(unsigned n)
{
    char buf[8];
    unsigned times = 0;

    if (!cmdline_get("rounds", buf, sizeof(buf)))
        return n;
    for (const char *c = buf; *c >= '0' && *c <= '9'; c++)
        times = times * 10 + (unsigned)(*c - '0');
    return n * times;
}

uint64_t smp_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

unsigned smp_begin(void)
{
    unsigned nr = workers_nr();

    if (nr == 0)
        SKIP("one vCPU");
    smp_stop = false;
    time_is_over_ns = clock_ns() + smp_rounds(2) * NS_PER_S;
    return nr;
}

bool smp_goes_on(unsigned done, unsigned n)
{
    return done < smp_rounds(n) && (done < SMP_LEAST || clock_ns() < time_is_over_ns);
}

static void count_once(struct worker *w)
{
    w->count++;
    __atomic_fetch_add((unsigned *)w->arg, 1, __ATOMIC_SEQ_CST);
}

/* Each vCPU runs the function once for each time it goes up, and goes down behind it. */
static void each_runs(void)
{
    unsigned nr = smp_begin(), ran = 0;

    for (unsigned i = 0; smp_goes_on(i, 50); i++) {
        ASSERT(workers_start(count_once, &ran));
        ASSERT(workers_join());
        EXPECT_EQ(ran, (i + 1) * nr);
    }
    for (unsigned i = 0; i < nr; i++)
        EXPECT_EQ(workers[i].done, 1);
}

static void count_on(struct worker *w)
{
    while (!smp_stop)
        __atomic_store_n(&w->count, w->count + 1, __ATOMIC_RELAXED);
}

static uint64_t count_of(const struct worker *w)
{
    return __atomic_load_n(&w->count, __ATOMIC_RELAXED);
}

static bool counts_on(const struct worker *w)
{
    uint64_t before = count_of(w), end = clock_ns() + 10 * NS_PER_S;

    while (count_of(w) == before && clock_ns() < end)
        xen_sched_op(SCHEDOP_yield, NULL);
    return count_of(w) != before;
}

static bool runs(const struct worker *w)
{
    struct vcpu_runstate_info state = { 0 };

    EXPECT_EQ(xen_vcpu_op(VCPUOP_get_runstate_info, w->id, &state), 0);
    return state.state != RUNSTATE_offline;
}

/* A vCPU that another one takes down stops soon, and goes on where it was when it is up again. */
static void down_from_outside(void)
{
    struct worker *w = &workers[0];

    smp_begin();
    ASSERT(workers_start(count_on, NULL));
    for (unsigned i = 0; smp_goes_on(i, 20); i++) {
        uint64_t end = clock_ns() + 10 * NS_PER_S, seen;

        ASSERT(counts_on(w));
        ASSERT_EQ(xen_vcpu_op(VCPUOP_down, w->id, NULL), 0);
        EXPECT_EQ(xen_vcpu_op(VCPUOP_is_up, w->id, NULL), 0);
        while (runs(w) && clock_ns() < end)
            ;
        seen = count_of(w);
        clock_spin(NS_PER_MS);
        EXPECT_EQ(count_of(w), seen);
        ASSERT_EQ(xen_vcpu_op(VCPUOP_up, w->id, NULL), 0);
    }
    EXPECT(counts_on(w));
    smp_stop = true;
    workers_join();
}

/* Takes the next one down, again and again: the last of all is taken down by nobody. */
static void down_the_next(struct worker *w)
{
    unsigned nr = workers_nr();

    while (!smp_stop) {
        w->count++;
        xen_vcpu_op(VCPUOP_down, w->id % nr + 1, NULL);
    }
}

/* vCPUs that take each other down at the same time: vCPU 0 brings them up again, and the domain
 * does not end. */
static void down_each_other(void)
{
    unsigned nr = smp_begin();

    ASSERT(workers_start(down_the_next, NULL));
    for (unsigned i = 0; smp_goes_on(i, 2000); i++) {
        EXPECT_EQ(xen_vcpu_op(VCPUOP_up, i % nr + 1, NULL), 0);
        if (i % 16 == 0)
            xen_sched_op(SCHEDOP_yield, NULL);
    }
    smp_stop = true;
    for (uint64_t end = clock_ns() + 30 * NS_PER_S; clock_ns() < end;) {
        unsigned done = 0;

        for (unsigned i = 0; i < nr; i++) {
            done += __atomic_load_n(&workers[i].done, __ATOMIC_ACQUIRE) != 0;
            if (!workers[i].done)
                EXPECT_EQ(xen_vcpu_op(VCPUOP_up, i + 1, NULL), 0);
        }
        if (done == nr)
            break;
        xen_sched_op(SCHEDOP_yield, NULL);
    }
    ASSERT(workers_join());
    /* One that was done right after vCPU 0 had looked was brought up again, and did it twice. */
    for (unsigned i = 0; i < nr; i++)
        EXPECT(workers[i].done >= 1);
}

/* Several vCPUs initialise the same one, which is there already; all are told so. */
static void initialise_again(struct worker *w)
{
    static struct vcpu_guest_context ctx;
    unsigned nr = workers_nr();

    for (unsigned i = 0; i < 200; i++)
        w->count += xen_vcpu_op(VCPUOP_initialise, i % (nr + 1), &ctx) != -XEN_EEXIST;
}

static void initialise_of_all(void)
{
    unsigned nr = smp_begin();

    ASSERT(workers_start(initialise_again, NULL));
    workers_join();
    for (unsigned i = 0; i < nr; i++)
        EXPECT_EQ(workers[i].count, 0);
}

/* --- Run states and time ---------------------------------------------------------------------- */

static void be_busy_and_yield(struct worker *w)
{
    while (!smp_stop)
        if (++w->count % 64 == 0)
            xen_sched_op(SCHEDOP_yield, NULL);
}

/* A run state, and the interval in which it was read. */
struct reading {
    struct vcpu_runstate_info state;
    uint64_t from, to;
};

static struct reading read_runstate(unsigned vcpu)
{
    struct reading r = { .from = clock_ns() };

    EXPECT_EQ(xen_vcpu_op(VCPUOP_get_runstate_info, vcpu, &r.state), 0);
    r.to = clock_ns();
    return r;
}

static uint64_t total_of(const struct reading *r)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < 4; i++)
        total += r->state.time[i];
    return total;
}

/* The system time of all vCPUs is the same. Xen does not promise it where it corrects the time of
 * each CPU by itself. */
static bool time_is_one(void)
{
    return shared_info->vcpu_info[0].time.flags & XEN_PVCLOCK_TSC_STABLE_BIT;
}

/* Between two readings no part goes back, and the sum of all grows by the time between them. 1 us
 * for what rounding makes of it. */
static bool follows(const struct reading *a, const struct reading *b)
{
    uint64_t grown = total_of(b) - total_of(a);

    for (unsigned i = 0; i < 4; i++)
        if (b->state.time[i] < a->state.time[i])
            return false;
    return b->state.state_entry_time >= a->state.state_entry_time &&
           grown + 1000 >= b->from - a->to && grown <= b->to - a->from + 1000;
}

/* The run state of a vCPU that runs elsewhere is of one instant, at every instant. */
static void runstates_of_others(void)
{
    unsigned nr = smp_begin(), wrong = 0;
    struct reading last[MAX_WORKERS];

    if (!time_is_one())
        SKIP("system time is not promised to be the same for all vCPUs");
    ASSERT(workers_start(be_busy_and_yield, NULL));
    for (unsigned i = 0; i < nr; i++)
        last[i] = read_runstate(i + 1);
    for (unsigned i = 0; smp_goes_on(i, 5000); i++) {
        struct reading now = read_runstate(i % nr + 1);

        wrong += !follows(&last[i % nr], &now);
        last[i % nr] = now;
    }
    EXPECT_EQ(wrong, 0);
    smp_stop = true;
    workers_join();
}

static uint64_t latest;

/* Counts how often the time by this vCPU's factors is before one that another vCPU has seen. */
static uint64_t look_at_clock(unsigned vcpu)
{
    uint64_t before = __atomic_load_n(&latest, __ATOMIC_SEQ_CST), now = clock_ns_of(vcpu), old;

    old = before;
    while (old < now && !__atomic_compare_exchange_n(&latest, &old, now, false, __ATOMIC_SEQ_CST,
                                                     __ATOMIC_SEQ_CST))
        ;
    return now < before;
}

static void watch_clock(struct worker *w)
{
    unsigned rounds = smp_rounds(20000);

    for (unsigned i = 0; i < rounds; i++)
        w->count += look_at_clock(w->id);
}

/* System time never goes back from one vCPU to another. */
static void one_time_for_all(void)
{
    unsigned nr = smp_begin(), rounds = smp_rounds(20000), backwards = 0;

    if (!time_is_one())
        SKIP("system time is not promised to be the same for all vCPUs");
    latest = 0;
    ASSERT(workers_start(watch_clock, NULL));
    for (unsigned i = 0; i < rounds; i++)
        backwards += look_at_clock(0);
    ASSERT(workers_join());
    for (unsigned i = 0; i < nr; i++)
        backwards += workers[i].count;
    EXPECT_EQ(backwards, 0);
}

SUITE(smp, 57, SUITE_NAMED_ONLY, TEST(each_runs), TEST(down_from_outside), TEST(down_each_other),
      TEST(initialise_of_all), TEST(runstates_of_others), TEST(one_time_for_all));
