/* The console while one guest has the terminal (console_raw): all of its output passes, lines of
 * others start on a new line, and the terminal's state is restored afterwards. And lines that a
 * guest prints by both console_io and ring. */
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/core/console_terminal.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/input.h"

static struct domain *a, *b, *service;

static void clear(void)
{
    host.console_len = 0;
    host.console[0] = '\0';
}

static int one_guest(void **state)
{
    machine_up(state);
    options.console_raw = RAW_AUTO;
    service = guest_make(0, 1);
    a = guest_make(1, 1);
    host_become(a->vcpu[0]);
    clear();
    return 0;
}

static int down(void **state)
{
    options.console_raw = RAW_OFF;
    return machine_down(state);
}

static void write_text(struct domain *d, const char *text)
{
    struct xencons_interface *ring = d->console_ring;

    for (; *text != '\0'; text++)
        ring->out[ring->out_prod++ % sizeof(ring->out)] = *text;
    console_drain(d);
}

static void call(const char *text)
{
    guest_put(SCRATCH, text, strlen(text));
    assert_int_equal(hcall(__HYPERVISOR_console_io, CONSOLEIO_write, strlen(text), SCRATCH), 0);
}

/* The fake machine's console keeps no carriage returns. */
#define EXPECT_TEXT(text) (assert_string_equal(host.console, text), clear())
#define SANE "\033(B\033[?25h\033[?7h\033[?1l\033>\033[?1000l\033[?2004l"

static void all_bytes_pass(void **state)
{
    static char bytes[256];

    (void)state;
    for (unsigned i = 1; i < 256; i++)
        bytes[i - 1] = (char)(i != '\r' ? i : 'x');
    write_text(a, bytes);
    EXPECT_TEXT(bytes);
    write_text(a, "\033[2J\033[10;20H\033[1;31mred");
    EXPECT_TEXT("\033[2J\033[10;20H\033[1;31mred");
}

static void hypervisor_lines_start_on_a_new_line(void **state)
{
    (void)state;
    log_error("first");
    EXPECT_TEXT("(XEN) first\n");
    write_text(a, "prompt$ ");
    log_error("second");
    EXPECT_TEXT("prompt$ \n(XEN) second\n");
    write_text(a, "a line\r\n");
    log_error("third");
    EXPECT_TEXT("a line\n(XEN) third\n");
    write_text(a, "\033[31mred\n");
    log_error("fourth");
    EXPECT_TEXT("\033[31mred\n\033[0m(XEN) fourth\n");
    write_text(a, "cut off \033[3");
    log_error("fifth");
    EXPECT_TEXT("cut off \033[3\030\033[0m\n(XEN) fifth\n");
    write_text(a, "\033]0;a title\007$ \033]0;half a");
    log_error("sixth");
    EXPECT_TEXT("\033]0;a title\007$ \033]0;half a\030\033[0m\n(XEN) sixth\n");
}

static void the_service_is_heard(void **state)
{
    (void)state;
    write_text(a, "prompt$ ");
    write_text(service, "of the service\033[2J\n");
    write_text(a, "ls\n");
    EXPECT_TEXT("prompt$ \n(d0) of the service\nls\n");
}

static void console_io_has_lines_of_its_own(void **state)
{
    (void)state;
    write_text(a, "prompt$ ");
    call("panic: \033[2Jno\n");
    EXPECT_TEXT("prompt$ \npanic: no\n");
}

/* A guest that dies in its editor. */
static void terminal_is_restored(void **state)
{
    (void)state;
    write_text(a, "\033[?1049h\033[?25l\033[7mvi");
    clear();
    guest_end(a);
    EXPECT_TEXT("\033[0m\n(XEN) Domain 1 (guest) ended: power off\n\033[?1049l\033[0m" SANE);
}

static void a_plain_guest_leaves_no_sequences(void **state)
{
    (void)state;
    write_text(a, "hello\n");
    clear();
    guest_end(a);
    EXPECT_TEXT("(XEN) Domain 1 (guest) ended: power off\n");
}

static void two_guests_have_lines(void **state)
{
    (void)state;
    b = guest_make(2, 1);
    clear();
    write_text(a, "\033[2Jfrom a\n");
    write_text(b, "from b\n");
    EXPECT_TEXT("(d1) from a\n(d2) from b\n");
    options.console_raw = RAW_ON;   /* the guest with the input then has the terminal */
    console_choose_raw(a, false);
    clear();
    write_text(b, "half ");
    host_advance(2000000000ull);
    console_poll();
    write_text(a, "\033[2Jfrom a");
    write_text(b, "a line\n");
    EXPECT_TEXT("(d2) half \n\033[2Jfrom a\033[0m\n(d2) a line\n");
}

static const char *typed;
static int type(void)
{
    return *typed != '\0' ? *typed++ : -1;
}

static void a_key_switches(void **state)
{
    (void)state;
    host.getc = type;
    typed = "\1\1\1r\1\1\1";
    console_input();
    clear();
    write_text(a, "\033[2Jby lines\n");
    EXPECT_TEXT("(d1) by lines\n");
    typed = "\1\1\1r\1\1\1";
    console_input();
    clear();
    write_text(a, "\033[2Jraw");
    EXPECT_TEXT("\033[2Jraw");
    /* the hypervisor has the keys: no output may make the terminal send an answer */
    typed = "\1\1\1";
    console_input();
    clear();
    write_text(a, "\033[6nby lines\n");
    EXPECT_TEXT("(d1) by lines\n");
    typed = "\1\1\1";
    console_input();
    clear();
    write_text(a, "\033[2Jraw");
    EXPECT_TEXT("\033[2Jraw");
}

/* Output that was held back goes out when the terminal becomes the guest's. */
static void nothing_is_lost_on_the_way(void **state)
{
    (void)state;
    options.console_raw = RAW_OFF;
    console_choose_raw(NULL, false);
    clear();
    write_text(a, "half a li");
    options.console_raw = RAW_AUTO;
    console_choose_raw(NULL, false);
    write_text(a, "ne\n");
    EXPECT_TEXT("(d1) half a li\n(XEN) *** d1 has the terminal to itself (console_raw)\nne\n");
}

static void a_line_by_both_ways(void **state)
{
    (void)state;
    options.console_raw = RAW_OFF;
    console_choose_raw(NULL, false);
    clear();
    write_text(a, "[    0.1] a line\r\n");                    /* each at once */
    call("[    0.1] a line\n");
    EXPECT_TEXT("(d1) [    0.1] a line\n");
    call("[    0.2] two\n\n[    0.3] this is three\n[    0.4] four\n\n");
    clear();
    /* and again */
    write_text(a, "[    0.2] two\r\n[    0.3] this is three\r\n[    0.4] four\r\n\r\n"
                  "[    0.5] five\n");
    EXPECT_TEXT("(d1) [    0.2] two\n(d1) [    0.5] five\n");
    write_text(a, "once, by one way\nonce, by one way\n");     /* as often as it was printed */
    call("once, by one way\nonce, by one way\nonce, by one way\n");
    EXPECT_TEXT("(d1) once, by one way\n(d1) once, by one way\n(d1) once, by one way\n");
    call("half ");                                      /* two lines, and neither is in the other */
    write_text(a, "of another\n");
    call("a line\n");
    EXPECT_TEXT("(d1) of another\n(d1) half a line\n");
}

static void a_line_by_both_ways_raw(void **state)
{
    (void)state;
    write_text(a, "[    0.1] \033[1mline one\033[0m\r\n");
    call("[    0.1] line one\n");
    call("[    0.2] line two\n");
    EXPECT_TEXT("[    0.1] \033[1mline one\033[0m\n\033[0m[    0.2] line two\n");
}

#define alone(test) cmocka_unit_test_setup_teardown(test, one_guest, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        alone(all_bytes_pass), alone(hypervisor_lines_start_on_a_new_line),
        alone(the_service_is_heard),
        alone(console_io_has_lines_of_its_own), alone(terminal_is_restored),
        alone(a_plain_guest_leaves_no_sequences), alone(two_guests_have_lines),
        alone(a_key_switches), alone(nothing_is_lost_on_the_way), alone(a_line_by_both_ways),
        alone(a_line_by_both_ways_raw),
    };

    return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
