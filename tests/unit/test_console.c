/* The console: guests' lines, whole and filtered, from rings whose indices may be invalid; and
 * which guest typed characters go to. Transmission is in test_console_tx.c, the raw mode in
 * test_terminal.c. */
#include "cmocka_main.h"
#include <stdio.h>
#include <string.h>
#include "support.h"
#include "xen/core/domain.h"
#include "xen/core/guest_log.h"
#include "xen/core/log.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/input.h"

static struct domain *a, *b;

static int two_guests(void **state)
{
    (void)state;
    a = guest_up(1);
    b = guest_make(2, 1);
    return 0;
}

static void write_line(struct domain *d, const char *text)
{
    struct xencons_interface *ring = d->console_ring;

    for (; *text != '\0'; text++)
        ring->out[ring->out_prod++ % sizeof(ring->out)] = *text;
}

static void lines_are_whole(void **state)
{
    (void)state;
    write_line(a, "hello ");
    console_drain(a);
    write_line(b, "from b\n");
    console_drain(b);
    write_line(a, "world\nnext\n");
    console_drain(a);
    assert_true(console_has("(d2) from b\n(d1) hello world\n(d1) next\n"));
    assert_int_equal(a->console_ring->out_cons, a->console_ring->out_prod);
    assert_true(evtchn_port_pending(a, a->console_port));       /* there is room again */
}

static void control_characters_are_filtered(void **state)
{
    (void)state;
    write_line(a, "x\033[2J\033[31m\033(B\033c\001\x9by\tz\r\n");
    console_drain(a);
    assert_true(console_has("(d1) x" UTF8_REPLACEMENT "y\tz\n"));
    write_line(a, "cut off \033[12\nwhole\n");
    console_drain(a);
    assert_true(console_has("(d1) cut off \n(d1) whole\n"));
}

#define STATUS "\xe2\x97\x8f Starting\xe2\x80\xa6 \xe2\x80\x94 \xc3\xa9\xf0\x9f\x98\x80\n"

/* The output of systemd, in one piece and byte by byte. */
static void utf8_passes(void **state)
{
    static const char text[] = STATUS;
    char piece[2] = "";

    (void)state;
    write_line(a, text);
    console_drain(a);
    assert_true(console_has("(d1) " STATUS));
    host.console_len = 0;
    for (const char *p = text; *p != '\0'; p++) {
        piece[0] = *p;
        write_line(a, piece);
        console_drain(a);
    }
    assert_string_equal(host.console, "(d1) " STATUS);
}

/* Each of these is an invalid or a control character, and is printed as one or more U+FFFD and
 * nothing else. */
static void what_is_no_utf8_is_replaced(void **state)
{
    static const char *const bad[] = {
        /* stray bytes, and bytes that cannot begin a character */
        "\x80", "\xbf", "\xff", "\xfe", "\xf8\x88\x80\x80\x80",
        /* overlong: one would be a line feed */
        "\xc0\x8a", "\xc1\xbf", "\xe0\x80\x9b", "\xf0\x80\x80\x8a",
        /* surrogates, too large */
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf7\xbf\xbf\xbf",
        "\xc2\x9b", "\xc2\x85", "\xc2\x80", "\xc2\x9f",                     /* C1 */
        /* bidi controls, line separator */
        "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x80\xa8",
        "\xe2", "\xe2\x80", "\xf0\x9f\x98",                                 /* cut off by the x */
    };
    char text[32];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *p = host.console;

        host.console_len = 0;
        snprintf(text, sizeof(text), "<%sx\n", bad[i]);
        write_line(a, text);
        console_drain(a);
        assert_memory_equal(p, "(d1) <" UTF8_REPLACEMENT, 9);
        for (p += 6; strncmp(p, UTF8_REPLACEMENT, 3) == 0; p += 3)
            ;
        assert_string_equal(p, "x\n");
    }
    write_line(a, "cut\xe2\x97\n\x8fnext\xe2\x97\033[K\x8f\n");
    console_drain(a);
    assert_true(console_has("(d1) cut" UTF8_REPLACEMENT "\n(d1) " UTF8_REPLACEMENT "next"
                            UTF8_REPLACEMENT "\033[K" UTF8_REPLACEMENT "\n"));
}

/* Backspace: over characters that surely have one column, but not over others. */
static void columns_of_utf8_are_counted(void **state)
{
    (void)state;
    write_line(a, "\xc3\xa9\xe6\xbc\xa2\b\b\b\b\b!\n");                 /* one narrow, one wide */
    console_drain(a);
    assert_true(console_has("(d1) \xc3\xa9\xe6\xbc\xa2\b\b\b!\n"));
    /* accents that join the letter */
    write_line(a, "e\xcc\x81\xcc\x81\xcc\x81\rx\n");
    console_drain(a);
    assert_true(console_has("(d1) e\xcc\x81\xcc\x81\xcc\x81\bx\n"));
}

static void hypervisor_lines_do_not_disturb_a_guests(void **state)
{
    (void)state;
    log_error("a\x9b" "2J \xc2\x9b" "2J \xe2\x80\xa6 \xe2\x80 \033 \xe2\x80\xae\tz\xe2\x80");
    assert_true(console_has("(XEN) a?2J ??2J \xe2\x80\xa6 ?? ? ???\tz??\n"));
}

/* A shell moves back and forth on its line, and never to the left of its start. */
static void a_line_is_edited(void **state)
{
    (void)state;
    write_line(a, "$ lx\b\033[Js\a\n");
    console_drain(a);
    assert_true(console_has("(d1) $ lx\b\033[Ks\a\n"));
    write_line(a, "10%\r20%\rdone\n");
    console_drain(a);
    assert_true(console_has("(d1) 10%\033[3D20%\033[3Ddone\n"));
    write_line(a, "ab\b\b\b\b(XEN)\033[200D\033[9D!\n");
    console_drain(a);
    assert_true(console_has("(d1) ab\b\b(XEN)\b\b\b\b\b!\n"));
}

/* The same after another line came in between, and the guest's line was begun again. */
static void an_interrupted_line_is_not_left(void **state)
{
    (void)state;
    write_line(a, "long prompt ");
    console_drain(a);
    a->vcpu[0]->blocked = true;
    host_advance(2000000000ull);
    console_poll();
    write_line(b, "other\n");
    console_drain(b);
    write_line(a, "x\r\b\by\n");
    console_drain(a);
    assert_true(console_has("(d1) long prompt \n(d2) other\n(d1) x\by\n"));
}

/* No guest's line can be taken for the hypervisor's: its prefix comes first, at every line and
 * every length. */
static void no_line_is_forged(void **state)
{
    char text[300];

    (void)state;
    memset(text, 'x', sizeof(text));
    strcpy(text + sizeof(a->console_line[0].text), "(XEN) panic\n");
    write_line(a, text);
    console_drain(a);
    assert_false(console_has("\n(XEN) panic"));
    assert_true(console_has("x(XEN) panic\n"));
}

static void hostile_indices_do_nothing(void **state)
{
    static const uint32_t prods[] = { 2049, 0x80000000, ~0u, 1u << 20 };
    size_t before = host.console_len;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(prods); i++) {
        a->console_ring->out_cons = 0;
        a->console_ring->out_prod = prods[i];
        console_drain(a);
        assert_int_equal(a->console_ring->out_cons, 0);
    }
    assert_int_equal(host.console_len, before);
    a->console_ring->out_cons = a->console_ring->out_prod = ~0u - 3;    /* indices wrap */
    write_line(a, "wraps\n");
    console_drain(a);
    assert_true(console_has("(d1) wraps\n"));
    a->console_ring->in_prod = 5;
    a->console_ring->in_cons = 77;
    console_give(a, 'q');
    assert_int_equal(a->console_ring->in_prod, 5);
}

static const char *typed;
static int type(void)
{
    return *typed != '\0' ? *typed++ : -1;
}

static void input_follows_ctrl_a(void **state)
{
    (void)state;
    host.getc = type;
    typed = "to a\1\1!\1\1\1to b";
    console_input();
    assert_memory_equal(a->console_ring->in, "to a\1\1!", 7);
    assert_int_equal(a->console_ring->in_prod, 7);
    assert_memory_equal(b->console_ring->in, "to b", 4);
    assert_int_equal(b->console_ring->in_prod, 4);
    assert_true(console_has("Serial input to DOM2"));
    typed = "\1\1\1q\1\1\1";
    console_input();
    assert_true(console_has("d2 (guest): running"));
    for (unsigned i = 0; i < 2000; i++)                 /* a full ring takes no more */
        console_give(b, 'x');
    assert_int_equal(b->console_ring->in_prod, 1024);
}

static void nothing_typed_is_lost(void **state)
{
    struct xencons_interface *ring = a->console_ring;
    char text[3001];
    uint32_t got = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)('a' + i % 23);
    text[sizeof(text) - 1] = '\0';
    host.getc = type;
    typed = text;
    for (unsigned polls = 0; got < sizeof(text) - 1 && polls < 1000; polls++) {
        console_input();
        for (; polls % 40 == 39 && ring->in_cons != ring->in_prod; ring->in_cons++)
            assert_int_equal(ring->in[ring->in_cons % sizeof(ring->in)], text[got++]);
    }
    assert_int_equal(got, sizeof(text) - 1);
}

static void guests_cannot_flood_the_log(void **state)
{
    size_t before = host.console_len;

    (void)state;
    guest_log_threshold = LOG_DEBUG;
    for (unsigned i = 0; i < 100000; i++)
        guest_log(a, LOG_WARNING, "line %u", i);
    assert_in_range(host.console_len - before, 10, 20000);
    guest_log_threshold = LOG_WARNING;
}

/* While the last output of one guest waits for the serial line, the frames of the other are freed,
 * with much time at each preemption point: more than tests otherwise allow for the end of a
 * guest. */
static void last_words_outlast_the_end_of_another(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++)
        write_line(a, "one of many last words\n");
    write_line(a, "the very last\n");
    host.tsc_step = 30000;
    host.window_ticks = 30000000;
    guests_end();
    host.window_ticks = 0;
    assert_true(console_has("Domain 2 (guest) ended"));
    assert_true(console_has("(d1) the very last\n(XEN) Domain 1 (guest) ended"));
}

#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(lines_are_whole), with_guests(control_characters_are_filtered),
        with_guests(no_line_is_forged), with_guests(hostile_indices_do_nothing),
        with_guests(input_follows_ctrl_a), with_guests(nothing_typed_is_lost),
        with_guests(utf8_passes), with_guests(what_is_no_utf8_is_replaced),
        with_guests(columns_of_utf8_are_counted),
        with_guests(hypervisor_lines_do_not_disturb_a_guests),
        with_guests(a_line_is_edited), with_guests(an_interrupted_line_is_not_left),
        with_guests(guests_cannot_flood_the_log),
        with_guests(last_words_outlast_the_end_of_another),
    };

    return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
