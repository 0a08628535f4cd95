/* Spinlocks and requests between CPUs (xen/core/lock.h, request.h), with two fake CPUs: locks
 * exclude two threads; debug builds panic at a lock that is taken against the order, twice, or
 * waited for too long, naming it; a CPU that waits serves flushes; each question is answered by
 * work that was begun after it was asked. */
#include "cmocka_main.h"
#include <pthread.h>
#include "arch/arch.h"
#include "support.h"
#include "xen/core/cpu.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/timer.h"
#include "xen/core/watchdog.h"

#define ROUNDS 500000u

static struct cpu second;
static struct cpu *two[2];
static struct cpu **one;

static void set_cpus(unsigned nr)
{
    nr_cpus = nr;
    cpus = nr == 1 ? one : two;
}

static int begins(void **state)
{
    (void)state;
    host_start(LOW_BASE, 2, 1);
    one = cpus;
    two[0] = cpus[0];
    two[1] = &second;
    cpu_set_up(&second, 1);
    set_cpus(2);
    return 0;
}

static int ends(void **state)
{
    (void)state;
    set_cpus(1);
    host_stop();
    return 0;
}

static struct spinlock shared = SPINLOCK(LOCK_MM, 1);
static pthread_barrier_t start;
static unsigned inside, counted;

static void *counts(void *arg)
{
    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0 && !spin_trylock(&shared))
            continue;
        if (i % 3 != 0)
            spin_lock(&shared);
        if (inside++ != 0)
            return "two CPUs are inside";
        counted++;
        *(unsigned *)arg += 1;
        inside--;
        spin_unlock(&shared);
    }
    return NULL;
}

/* With no `current`, as at boot, nothing is checked: the fake machine has one `current`. */
static void one_holds_it_at_a_time(void **state)
{
    unsigned here = 0, there = 0;
    struct vcpu *v = current;
    void *failure = NULL;
    pthread_t thread;

    (void)state;
    current = NULL;
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, counts, &there), 0);
    assert_null(counts(&here));
    assert_int_equal(pthread_join(thread, &failure), 0);
    assert_null(failure);
    assert_int_equal(counted, here + there);
    assert_true(here > ROUNDS / 2 && there > ROUNDS / 2);
    current = v;
}

/* The lines of the panic of takes(). */
static bool panics(void (*takes)(void), const char *line)
{
    panic_depth = 0;
    host.console_len = 0;
    host.console[0] = '\0';
    if (HOST_CATCH_END() == 0) {
        takes();
        host_end_expected = false;
        return false;
    }
    panic_depth = 0;
    log_threshold = LOG_INFO;
    return console_has(line);
}

static struct spinlock outer = SPINLOCK(LOCK_MM, 5), inner = SPINLOCK(LOCK_EVTCHN, 2),
                       sibling = SPINLOCK(LOCK_MM, 6), no_class;

static void in_order(void)
{
    spin_lock(&outer);
    spin_lock(&sibling);
    spin_lock(&inner);
    assert_int_equal(locks_held(), 3);
    spin_unlock(&sibling);
    spin_unlock(&outer);
    assert_true(spin_trylock(&outer));      /* an attempt cannot wait: its order is free */
    spin_unlock(&inner);
    spin_unlock(&outer);
    assert_int_equal(locks_held(), 0);
}

static void against_the_classes(void)
{
    spin_lock(&inner);
    spin_lock(&outer);
}

static void against_the_ids(void)
{
    spin_lock(&sibling);
    spin_lock(&outer);
}

static void without_class(void)
{
    spin_lock(&no_class);
}

static void not_held(void)
{
    spin_unlock(&outer);
}

static void for_too_long(void)
{
    outer.taken = 1;
    outer.holder = 1;
    host.tsc_step = 1000000;
    spin_lock(&outer);
}

static void over_a_sleep(void)
{
    spin_lock(&outer);
    preempt_point();
}

static void with_one_cpu(void)
{
    set_cpus(1);
    inner.taken = 1;
    spin_lock(&inner);
}

static void wrong_use_panics(void **state)
{
    (void)state;
    assert_false(panics(in_order, ""));
    assert_true(panics(against_the_classes, "Taken against the order of locks: lock mm 5"));
    assert_true(console_has("Lock evtchn 2 is held by CPU 0"));
    outer.taken = inner.taken = 0;
    assert_true(panics(against_the_ids, "Taken against the order of locks: lock mm 5"));
    outer.taken = sibling.taken = 0;
    assert_true(panics(without_class, "Not initialised: lock no class"));
    assert_true(panics(not_held, "Released, but not held: lock mm 5"));
    assert_true(panics(for_too_long, "Waited for too long: lock mm 5, taken last by CPU 1"));
    host.tsc_step = 7;
    outer.taken = 0;
    assert_true(panics(over_a_sleep, "locks_held() == 0"));
    outer.taken = 0;
    assert_true(panics(with_one_cpu, "nr_cpus == 1"));
    inner.taken = 0;
    set_cpus(2);
}

static unsigned interrupted;

static void answers_at_once(unsigned cpu)
{
    assert_int_equal(cpu, 1);
    interrupted++;
}

/* The other CPU's half, on this thread. */
static void other_serves(void)
{
    struct cpu *own = current->cpu;

    current->cpu = &second;
    serve_requests();
    current->cpu = own;
}

static void an_interrupt_for_each_bit_that_was_clear(void **state)
{
    struct vcpu *v = current;

    (void)state;
    second.running = v;
    host.on_ipi = answers_at_once;
    request_cpu(&second, REQUEST_KICK);
    request_cpu(&second, REQUEST_KICK);
    assert_int_equal(interrupted, 1);
    request_cpu(&second, REQUEST_RESCHED);
    assert_int_equal(interrupted, 2);
    v->own_work = 0;
    other_serves();
    assert_int_equal(v->work, 0);           /* nobody waits in its queue */
    assert_int_equal(second.requests, 0);
    request_cpu(&second, REQUEST_KICK);
    assert_int_equal(interrupted, 3);
    other_serves();
    v->own_work = 0;
    host.on_ipi = NULL;
}

/* A flush that had begun before the question does not answer it. */
static void a_flush_answers_what_was_asked_before(void **state)
{
    uint64_t flushes = host.full_flushes;
    uint32_t first, second_number;

    (void)state;
    first = request_flush(&second);
    second_number = request_flush(&second);
    assert_true((int32_t)(second.flush.done - first) < 0);
    other_serves();
    assert_int_equal(host.full_flushes, flushes + 1);
    assert_int_equal(second.flush.done, second_number);
    wait_for_flush(&second, first);
    wait_for_flush(&second, second_number);
    assert_true((int32_t)(second.flush.done - request_flush(&second)) < 0);
    other_serves();
}

/* The holder of the lock waits until this CPU has flushed: it is served while it spins. */
static void *holder_waits_for_a_flush(void *arg)
{
    struct cpu *c = arg;
    uint32_t number = xadd(&c->flush.wanted, 1) + 1;

    locked_or(&c->requests, REQUEST_FLUSH);
    while ((int32_t)(load_acquire(&c->flush.done) - number) < 0)
        ;
    store_release(&shared.taken, 0);
    return NULL;
}

static void a_cpu_that_waits_serves_flushes(void **state)
{
    pthread_t thread;

    (void)state;
    host.tsc_step = 0;
    shared.taken = 1;
    request_cpu(cpus[0], REQUEST_GRACE);
    assert_int_equal(pthread_create(&thread, NULL, holder_waits_for_a_flush, cpus[0]), 0);
    spin_lock(&shared);
    spin_unlock(&shared);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(cpus[0]->requests, REQUEST_GRACE);     /* not while it spins */
    serve_requests();
    host.tsc_step = 7;
}

static void answers_grace(unsigned cpu)
{
    interrupted++;
    assert_int_equal(cpu, 1);
    other_serves();
}

static void a_grace_period_asks_all_others(void **state)
{
    unsigned before = interrupted;

    (void)state;
    host.on_ipi = answers_grace;
    grace_period();
    assert_int_equal(interrupted, before + 1);
    assert_int_equal(second.grace.done, second.grace.wanted);
    host.on_ipi = NULL;
    set_cpus(1);
    grace_period();
    assert_int_equal(interrupted, before + 1);
    set_cpus(2);
}

/* --- The watchdog ----------------------------------------------------------------------------- */

static bool deaf;

static void answers_unless_deaf(unsigned cpu)
{
    assert_int_equal(cpu, 1);
    if (!deaf)
        other_serves();
}

static void seconds_pass(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        host.tsc += arch_tsc_hz() + 1000;
        timers_run();
    }
}

static void watched_for_long(void)
{
    watchdog_start();
    seconds_pass(5 * WATCHDOG_SECONDS);
}

static void not_deaf_for_long(void)
{
    deaf = true;
    seconds_pass(WATCHDOG_SECONDS - 2);
    deaf = false;
    other_serves();
    seconds_pass(WATCHDOG_SECONDS - 2);
}

static void deaf_for_long(void)
{
    deaf = true;
    seconds_pass(WATCHDOG_SECONDS + 1);
}

static void a_cpu_that_takes_no_interrupts_is_named(void **state)
{
    (void)state;
    second.requests = 0;
    host.on_ipi = answers_unless_deaf;
    assert_false(panics(watched_for_long, ""));
    assert_false(panics(not_deaf_for_long, ""));
    assert_true(panics(deaf_for_long, "CPU 1 has taken no interrupt for 10 s"));
    host.on_ipi = NULL;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holds_it_at_a_time),
        cmocka_unit_test(wrong_use_panics),
        cmocka_unit_test(an_interrupt_for_each_bit_that_was_clear),
        cmocka_unit_test(a_flush_answers_what_was_asked_before),
        cmocka_unit_test(a_cpu_that_waits_serves_flushes),
        cmocka_unit_test(a_grace_period_asks_all_others),
        cmocka_unit_test(a_cpu_that_takes_no_interrupts_is_named),
    };

    return cmocka_run_group_tests(tests, begins, ends);
}
