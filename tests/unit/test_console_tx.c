/* The console's transmit ring: a slow or unread serial line blocks nobody; guests share the ring;
 * lines of the hypervisor that are lost are counted and reported, and none is lost at the end; a
 * line printed in the middle of another one waits. */
#include "cmocka_main.h"
#include <stdio.h>
#include <string.h>
#include "support.h"
#include "xen/core/bug.h"
#include "xen/core/console.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/input.h"

#define MS 1000000ull
#define BAUD_115200 208333u             /* ticks a byte */

static struct domain *a, *b;

static int running_machine(void **state)
{
    (void)state;
    a = guest_up(1);
    b = guest_make(2, 1);
    console_input_start();
    host.console_len = 0;
    host.console[0] = '\0';
    return 0;
}

/* Prints as much of the text as there is room for, again and again from its start; returns the
 * number of bytes. */
static unsigned fill(struct domain *d, const char *text)
{
    struct xencons_interface *ring = d->console_ring;
    unsigned n = 0;

    for (size_t len = strlen(text); ring->out_prod - ring->out_cons + len <= sizeof(ring->out);
         n += len)
        for (size_t i = 0; i < len; i++)
            ring->out[ring->out_prod++ % sizeof(ring->out)] = text[i];
    return n;
}

static unsigned count(const char *text)
{
    unsigned n = 0;

    for (const char *p = host.console; (p = strstr(p, text)) != NULL; p += strlen(text))
        n++;
    return n;
}

static uint32_t in_ring(const struct domain *d)
{
    return d->console_ring->out_prod - d->console_ring->out_cons;
}

static void run_for(unsigned ms)
{
    for (unsigned i = 0; i < 10 * ms; i++)
        host_advance(MS / 10);
}

/* The serial line's rate is reached, and no caller waits more than a fraction of a millisecond. */
static void a_slow_line_is_used_and_not_waited_for(void **state)
{
    uint64_t start, sent;

    (void)state;
    host.byte_ticks = BAUD_115200;
    fill(a, "0123456789012345678\n");
    start = now_ns();
    console_drain(a);
    assert_in_range(now_ns() - start, 0, MS / 2);
    assert_in_range(in_ring(a), 1500, 2048);
    sent = host.console_len;
    run_for(100);
    /* less the carriage returns, which are not kept */
    assert_in_range(host.console_len - sent, 900, 1153);
    run_for(300);
    assert_int_equal(in_ring(a), 0);
    assert_int_equal(count("(d1) 0123456789012345678\n"), 102);
}

static void a_full_ring_gets_its_event(void **state)
{
    (void)state;
    host.byte_ticks = BAUD_115200;
    fill(a, "0123456789012345678\n");
    console_drain(a);
    a->shared->evtchn_pending[0] = 0;
    run_for(20);
    assert_true(a->shared->evtchn_pending[0] >> a->console_port & 1);
}

/* A guest's line feed is eight bytes on the serial line. Its cost is limited to a part of the
 * ring's time. */
static void a_flood_of_lines_takes_little_of_others_time(void **state)
{
    uint64_t start, spent = 0, most = 0;

    (void)state;
    host.port_ticks = 4800;             /* 2 us */
    for (unsigned i = 0; i < 1000; i++) {
        fill(b, "\n");
        start = now_ns();
        console_poll();                 /* as the timer does every 1.4 ms */
        spent += now_ns() - start;
        most = MAX(most, now_ns() - start);
    }
    assert_in_range(count("(d2) \n"), 1000, 100000);
    assert_in_range(most, 0, MS / 4);
    assert_in_range(spent / 1000, 0, 15 * MS / 100);
    start = now_ns();
    console_drain(b);
    assert_in_range(now_ns() - start, 0, MS / 2);
}

/* One guest prints whenever it can, the other only sometimes. */
static void guests_share_a_slow_line(void **state)
{
    unsigned of_a, of_b;

    (void)state;
    host.byte_ticks = BAUD_115200;
    for (unsigned i = 0; i < 20000; i++) {
        fill(a, "of the first guest\n");
        console_drain(a);
        if (i % 100 == 0)
            fill(b, "of the other guest\n");
        host_advance(MS / 10);
    }
    of_a = count("of the first guest");
    of_b = count("of the other guest");
    assert_in_range(of_a + of_b, 700, 1000);
    assert_in_range(of_a, of_b * 8 / 10, of_b * 12 / 10);
}

static void (*at_poll)(unsigned n);
static unsigned polls;
static int no_key(void)
{
    if (at_poll != NULL)
        at_poll(polls++);
    return -1;
}

static void reader_comes_back(unsigned n)
{
    if (n == 500)
        host.stuck = false;
}

/* Only the guest that prints by hypercall waits for room. */
static void only_the_hypercall_waits_when_nobody_reads(void **state)
{
    static const char text[] = "by hypercall, 64 bytes in all, and that is what a chunk is, too\n";
    (void)state;
    polls = 0;
    host.getc = no_key;
    host.stuck = true;
    fill(b, "of the other guest\n");
    console_drain(b);
    for (unsigned i = 0; i < 100; i++)
        log_error("line %u of the hypervisor", i);
    at_poll = reader_comes_back;
    guest_put(SCRATCH, text, sizeof(text) - 1);
    assert_int_equal(hcall(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(text) - 1, SCRATCH), 0);
    assert_int_equal(hcall(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(text) - 1, SCRATCH), 0);
    at_poll = NULL;
    assert_in_range(polls, 500, 520);
    run_for(500);
    assert_int_equal(count(text), 2);
    assert_int_equal(count("(XEN) line "), 100);
    assert_true(console_has("(XEN) line 0 of the hypervisor\n(XEN) line 1 of"));
    assert_int_equal(count("of the other guest"), 107);
}

static void lost_lines_are_counted(void **state)
{
    (void)state;
    host.stuck = true;
    for (unsigned i = 0; i < 3000; i++)
        log_error("line %04u of the hypervisor", i);
    assert_int_equal(host.console_len, 0);
    host.stuck = false;
    run_for(500);
    log_error("and on it goes");
    assert_true(console_has(" lines lost: no room\n(XEN) and on it goes\n"));
    assert_in_range(count("(XEN) line "), 1500, 2999);
    assert_true(console_has("(XEN) line 0000"));
}

/* A guest ends after its last output is sent, however slow the line. */
static void guest_ends_after_its_last_words(void **state)
{
    (void)state;
    host.byte_ticks = BAUD_115200;
    fill(b, "of the other guest\n");
    fill(b, ".");
    domain_shutdown(b, SHUTDOWN_poweroff);
    host_become(cpus[0]->idle);
    host_run(1000 * MS);
    assert_null(domain_by_id(2));
    assert_int_equal(count("(d2) of the other guest\n"), 107);
    assert_true(console_has("of the other guest\n(d2) ...............\n"
                            "(XEN) Domain 2 (guest) ended"));
}

/* A guest ends and is freed, too, when nothing reads the line. */
static void guest_ends_when_nobody_reads(void **state)
{
    (void)state;
    host.stuck = true;
    host.tsc_step = 1000;
    fill(b, "of the other guest\n");
    domain_shutdown(b, SHUTDOWN_poweroff);
    host_become(cpus[0]->idle);
    host_run(2000 * MS);
    assert_non_null(domain_by_id(2));
    host_run(5000 * MS);
    assert_null(domain_by_id(2));
}

static unsigned nmis;
static void an_nmi(void)
{
    host.on_send = NULL;
    nmis++;
    log_error("NMI %u", nmis);
    log_error("its second line");
}

/* The lock is held by the code that was interrupted. */
static void line_of_an_nmi_follows_the_interrupted_one(void **state)
{
    (void)state;
    nmis = 0;
    host.on_send = an_nmi;
    log_error("the first");
    assert_true(console_has("(XEN) the first\n(XEN) NMI 1\n(XEN) its second line\n"));
    host.on_send = an_nmi;
    fill(a, "of the guest\n");
    console_drain(a);
    assert_true(console_has("(d1) of the guest\n(XEN) NMI 2\n(XEN) its second line\n"
                            "(d1) of the guest\n"));
}

static void many_lines(void)
{
    host.on_send = NULL;
    for (unsigned i = 0; i < 1000; i++)
        log_error("line %u of a long story", i);
}

static void lines_without_room_are_counted(void **state)
{
    (void)state;
    host.on_send = many_lines;
    log_error("the first");
    log_error("the next");
    assert_true(console_has("(XEN) the first\n(XEN) line 0 of a long story\n"
                            "(XEN) line 1 of a long story\n"));
    assert_true(console_has("lines lost: no room\n"));
    assert_true(console_has("\n(XEN) the next\n"));
}

static void panics(void)
{
    host.on_send = NULL;
    panic("in the middle of a line");
}

static void sync_console_waits_for_each_line(void **state)
{
    uint64_t start = now_ns();

    (void)state;
    options.sync_console = true;
    console_go_on();
    host.byte_ticks = BAUD_115200;
    host.tsc_step = BAUD_115200 / 4;
    log_error("0123456789012345678901234567890123456789");
    assert_string_equal(host.console, "(XEN) 0123456789012345678901234567890123456789\n");
    assert_in_range(now_ns() - start, 4 * MS, 6 * MS);          /* 48 bytes */
    options.sync_console = false;
}

/* The machine can still power off. */
static void machine_ends_when_nobody_reads(void **state)
{
    (void)state;
    host.stuck = true;
    host.tsc_step = 1000000;
    log_error("before it");
    console_wait();
    log_error("in the end");
    assert_int_equal(host.console_len, 0);
    assert_in_range(now_ns(), 3000 * MS, 5000 * MS);
    host.stuck = false;
    log_error("somebody reads again");
    assert_string_equal(host.console,
                        "(XEN) before it\n(XEN) in the end\n(XEN) somebody reads again\n");
}

/* Waiting output comes first, then the panic, whichever locks were held. Can run only once in a
 * program. */
static void panic_prints_everything(void **state)
{
    const char *story;

    (void)state;
    host.byte_ticks = BAUD_115200;
    host.tsc_step = BAUD_115200 / 4;
    fill(a, "of the first guest\n");
    console_drain(a);
    log_error("before it");
    host.on_send = panics;
    if (HOST_CATCH_END() == 0)
        log_error("and this");
    assert_non_null(story = strstr(host.console, "(XEN) before it\n(XEN) and this\n"));
    assert_non_null(story = strstr(story, "(XEN) in the middle of a line\n"));
    assert_non_null(strstr(story, "(XEN) Rebooting.\n"));
}

#define with_machine_running(test) \
    cmocka_unit_test_setup_teardown(test, running_machine, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_machine_running(a_slow_line_is_used_and_not_waited_for),
        with_machine_running(a_full_ring_gets_its_event),
        with_machine_running(a_flood_of_lines_takes_little_of_others_time),
        with_machine_running(guests_share_a_slow_line),
        with_machine_running(only_the_hypercall_waits_when_nobody_reads),
        with_machine_running(lost_lines_are_counted),
        with_machine_running(guest_ends_after_its_last_words),
        with_machine_running(guest_ends_when_nobody_reads),
        with_machine_running(line_of_an_nmi_follows_the_interrupted_one),
        with_machine_running(lines_without_room_are_counted),
        with_machine_running(sync_console_waits_for_each_line),
        with_machine_running(machine_ends_when_nobody_reads),
        with_machine_running(panic_prints_everything),
    };

    return cmocka_run_group_tests_name("console_tx", tests, NULL, NULL);
}
