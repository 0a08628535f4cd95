/* The serial port (16550) of the console: polled, without waiting; COM1 at 115200 8n1 unless com1=
 * is given. And the port to which the trace is sent, if trace_to= is given. Called by
 * xen/core/console_tx.c and trace_sink.c through arch/arch.h. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/serial.h"

#define IIR(port) ((uint16_t)((port) + 2))
#define LSR(port) ((uint16_t)((port) + 5))
#define IIR_FIFOS 0xc0u
#define FIFO_BYTES 16u
#define BASE_BAUD 115200u
#define LSR_DATA 1u
#define LSR_EMPTY 0x20u          /* the transmit FIFO is empty */
#define LSR_SENT 0x40u
#define SPIN_LIMIT 100000u      /* so that a missing port does not stop the hypervisor */

static uint16_t com1 = 0x3f8;
static uint16_t sink_port;
/* Bytes that it accepts when empty; an 8250 has no FIFO: 1. */
static unsigned com1_fifo = 1;
static enum arch_sink sink;

static void setup_16550(uint16_t port, uint32_t baud)
{
    uint32_t divisor = baud ? BASE_BAUD / baud : 0;

    outb((uint16_t)(port + 1), 0);
    if (divisor != 0) {
        outb((uint16_t)(port + 3), 0x80);
        outb((uint16_t)(port + 0), (uint8_t)divisor);
        outb((uint16_t)(port + 1), (uint8_t)(divisor >> 8));
    }
    outb((uint16_t)(port + 3), 3);          /* 8n1 */
    /* FIFOs on and empty; QEMU fills them up to the interrupt level only: 14 */
    outb((uint16_t)(port + 2), 0xc7);
    outb((uint16_t)(port + 4), 3);
}

void arch_console_setup(uint16_t port, uint32_t baud)
{
    com1 = port;
    setup_16550(port, baud);
    com1_fifo = (inb(IIR(port)) & IIR_FIFOS) == IIR_FIFOS ? FIFO_BYTES : 1;
}

void serial_init(void)
{
    arch_console_setup(com1, BASE_BAUD);
}

static void put_16550(uint16_t port, uint8_t byte)
{
    for (unsigned i = 0; i < SPIN_LIMIT && !(inb(LSR(port)) & LSR_EMPTY); i++)
        __asm__ volatile("pause");
    outb(port, byte);
}

unsigned arch_console_write(const char *s, unsigned len)
{
    unsigned n = MIN(len, com1_fifo);

    if (!(inb(LSR(com1)) & LSR_EMPTY))
        return 0;
    for (unsigned i = 0; i < n; i++)
        outb(com1, (uint8_t)s[i]);
    return n;
}

bool arch_console_sent(void)
{
    return inb(LSR(com1)) & LSR_SENT;
}

int arch_console_getc(void)
{
    uint8_t lsr = inb(LSR(com1));

    return lsr != 0xff && (lsr & LSR_DATA) ? inb(com1) : -1;
}

void arch_sink_setup(enum arch_sink kind, uint16_t port)
{
    sink = kind;
    sink_port = port;
    if (kind == SINK_SERIAL)
        setup_16550(port, BASE_BAUD);
}

void arch_sink_write(const void *bytes, size_t len)
{
    for (const uint8_t *p = bytes; len != 0; p++, len--) {
        if (sink == SINK_SERIAL)
            put_16550(sink_port, *p);
        else
            outb(sink_port, *p);
    }
}
