/* The vmm's serial port, through the ports of the platform, so that interrupt 4 is seen, too. */
#include "cmocka_main.h"
#include <string.h>
#include "vmm_host.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCRATCH };
#define FCR IIR

static struct platform platform;

static uint8_t in(unsigned reg)
{
    return (uint8_t)port_read(&platform, (uint16_t)(0x3f8 + reg), 1);
}
static void out(unsigned reg, uint8_t value)
{
    port_write(&platform, (uint16_t)(0x3f8 + reg), 1, value);
}
static void out_text(const char *text)
{
    for (; *text; text++)
        out(DATA, (uint8_t)*text);
}
static bool interrupt(void)
{
    bool yes = platform_interrupt(&platform);

    if (yes) {
        assert_int_equal(platform_acknowledge(&platform), 0x34);
        port_write(&platform, 0x20, 1, 0x20);
    }
    return yes;
}

static int fresh(void **state)
{
    static const uint8_t icws[] = { 0x30, 4, 1, 0xef };

    (void)state;
    vmm_tsc = 0;
    vmm_console[0] = '\0';
    vmm_input = "";
    platform_init(&platform, &vmm_host);
    port_write(&platform, 0x20, 1, 0x11);
    for (unsigned i = 0; i < sizeof(icws); i++)
        port_write(&platform, 0x21, 1, icws[i]);
    return 0;
}

static void output_is_buffered(void **state)
{
    char many[UART_BUFFER + 1] = "";

    (void)state;
    assert_int_equal(platform_deadline(&platform), UINT64_MAX);
    vmm_tsc = 5;
    out_text("/ # ");
    assert_string_equal(vmm_console, "");
    assert_int_equal(platform_deadline(&platform), 5 + vmm_host.tsc_hz / 100);
    assert_int_equal(in(LSR), 0x60);
    platform_poll(&platform);
    assert_string_equal(vmm_console, "/ # ");
    out_text("ls\r\n");
    assert_string_equal(vmm_console, "/ # ls\r\n");
    assert_int_equal(platform_deadline(&platform), UINT64_MAX);
    vmm_console[0] = '\0';
    memset(many, 'x', UART_BUFFER - 1);
    out_text(many);
    assert_string_equal(vmm_console, "");
    out_text("y");
    assert_int_equal(strlen(vmm_console), UART_BUFFER);
}

static void registers_that_are_kept(void **state)
{
    (void)state;
    out(IER, 0xff);
    assert_int_equal(in(IER), 0x0f);
    out(IER, 0);
    out(SCRATCH, 0xa5);
    assert_int_equal(in(SCRATCH), 0xa5);
    out(LCR, 0x83);
    out(DATA, 1);
    out(IER, 2);
    assert_int_equal(in(DATA), 1);
    assert_int_equal(in(IER), 2);
    assert_int_equal(in(LCR), 0x83);
    out(LCR, 0x03);
    assert_int_equal(in(IER), 0);
    assert_int_equal(in(DATA), 0);
    platform_poll(&platform);
    assert_string_equal(vmm_console, "");           /* a divisor is no output */
    out(MCR, 0xff);
    assert_int_equal(in(MCR), 0x1f);
    out(LSR, 0);
    assert_int_equal(in(LSR), 0x60);
}

static void it_is_a_16550a(void **state)
{
    (void)state;
    assert_int_equal(in(IIR), 0x01);
    out(FCR, 0x01);
    assert_int_equal(in(IIR), 0xc1);
    out(FCR, 0x21);                     /* no FIFO of 64 bytes */
    assert_int_equal(in(IIR), 0xc1);
    out(FCR, 0x00);
    assert_int_equal(in(IIR), 0x01);
}

static void empty_interrupt(void **state)
{
    (void)state;
    out(MCR, 0x0b);
    assert_false(interrupt());
    out(IER, 2);
    assert_true(interrupt());
    assert_false(interrupt());          /* one edge */
    assert_int_equal(in(IIR), 0x02);
    assert_int_equal(in(IIR), 0x01);    /* reading takes it back */
    out(IER, 0);
    out(IER, 2);
    assert_true(interrupt());
    out(DATA, 'a');                     /* each byte is gone at once */
    assert_true(interrupt());
    out(DATA, 'b');
    assert_true(interrupt());
    assert_int_equal(in(IIR), 0x02);
    out(IER, 0);
    out(DATA, 'c');
    assert_false(interrupt());
}

static void the_pin_connects_the_interrupt(void **state)
{
    (void)state;
    out(IER, 2);
    assert_false(interrupt());
    out(MCR, 0x18);
    assert_false(interrupt());
    out(MCR, 0x08);
    assert_true(interrupt());
}

static void input(void **state)
{
    (void)state;
    out(MCR, 0x08);
    out(IER, 1);
    vmm_input = "abc";
    platform_poll(&platform);
    assert_true(interrupt());
    assert_int_equal(in(IIR), 0x04);
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(DATA), 'a');    /* without FIFO one byte at a time */
    assert_int_equal(in(LSR), 0x61);    /* and a look for more */
    assert_true(interrupt());
    assert_int_equal(in(DATA), 'b');
    assert_int_equal(in(DATA), 0);
    platform_poll(&platform);
    assert_int_equal(in(DATA), 'c');
    platform_poll(&platform);
    assert_int_equal(in(LSR), 0x60);
    assert_int_equal(in(IIR), 0x01);
}

static void input_with_fifo(void **state)
{
    (void)state;
    out(MCR, 0x08);
    out(IER, 1);
    out(FCR, 0x81);                     /* asks at 8 */
    vmm_input = "0123456789abcdefghij";
    platform_poll(&platform);
    assert_string_equal(vmm_input, "ghij");         /* the rest waits outside */
    assert_true(interrupt());
    assert_int_equal(in(IIR), 0xc4);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(in(DATA), '0' + i);
    assert_int_equal(in(IIR), 0xcc);    /* fewer than 8 */
    assert_int_equal(in(DATA), '9');
    assert_int_equal(in(LSR), 0x61);
    assert_string_equal(vmm_input, "");
    for (const char *c = "abcdefghij"; *c; c++)
        assert_int_equal(in(DATA), *c);
    assert_int_equal(in(LSR), 0x60);
    vmm_input = "x";
    platform_poll(&platform);
    out(FCR, 0x83);                     /* clears */
    assert_int_equal(in(LSR), 0x60);
}

static void loopback(void **state)
{
    (void)state;
    assert_int_equal(in(MSR), 0xb0);
    out(MCR, 0x1a);
    assert_int_equal(in(MSR) & 0xf0, 0x90);
    out(MCR, 0x15);
    assert_int_equal(in(MSR), 0x6b);    /* all changed; the ring began, which is no delta */
    assert_int_equal(in(MSR), 0x60);
    out(MCR, 0x10);
    assert_int_equal(in(MSR), 0x06);
    out(DATA, 'z');
    assert_int_equal(in(LSR), 0x61);
    out(DATA, 'y');                     /* no room */
    assert_int_equal(in(LSR), 0x63);
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(DATA), 'z');
    vmm_input = "q";
    platform_poll(&platform);
    assert_int_equal(in(LSR), 0x60);    /* nor comes anything from outside */
    assert_string_equal(vmm_console, "");
    out(MCR, 0x00);
    assert_int_equal(in(LSR), 0x61);
}

static void other_sources(void **state)
{
    (void)state;
    out(MCR, 0x10);
    in(MSR);
    out(IER, 0x0d);
    out(MCR, 0x12);
    assert_int_equal(in(IIR), 0x00);
    out(DATA, 'a');
    assert_int_equal(in(IIR), 0x04);
    out(DATA, 'b');
    assert_int_equal(in(IIR), 0x06);
    in(LSR);
    assert_int_equal(in(IIR), 0x04);
    in(DATA);
    assert_int_equal(in(IIR), 0x00);
    in(MSR);
    assert_int_equal(in(IIR), 0x01);
}

#define test(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(output_is_buffered), test(registers_that_are_kept), test(it_is_a_16550a),
        test(empty_interrupt), test(the_pin_connects_the_interrupt), test(input),
        test(input_with_fifo), test(loopback), test(other_sources),
    };

    return cmocka_run_group_tests_name("vmm_uart", tests, NULL, NULL);
}
