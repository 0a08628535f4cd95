/* The 16550A: see uart.h. */
#include "common/compiler.h"
#include "guest-pv/vmm/platform/platform.h"

enum { REG_DATA, REG_IER, REG_IIR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCRATCH };
enum { IER_RECEIVED = 0x01, IER_EMPTY = 0x02, IER_LINE = 0x04, IER_MODEM = 0x08, IER_BITS = 0x0f };
enum { IIR_NONE = 0x01, IIR_EMPTY = 0x02, IIR_RECEIVED = 0x04, IIR_LINE = 0x06, IIR_TIMEOUT = 0x0c,
       IIR_MODEM = 0x00, IIR_FIFO = 0xc0 };
enum { FCR_FIFO = 0x01, FCR_CLEAR = 0x02 };
enum { LCR_DLAB = 0x80 };
enum { MCR_OUT2 = 0x08, MCR_LOOP = 0x10, MCR_BITS = 0x1f };
enum { LSR_READY = 0x01, LSR_OVERRUN = 0x02, LSR_EMPTY = 0x60 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80, MSR_DELTA = 0x0f,
       MSR_RI_WENT = 0x04 };

static unsigned fifo_size(const struct uart *u)
{
    return u->fcr & FCR_FIFO ? UART_FIFO : 1;
}
/* How many bytes make the receiver ask. */
static unsigned trigger(const struct uart *u)
{
    static const uint8_t levels[] = { 1, 4, 8, 14 };

    return u->fcr & FCR_FIFO ? levels[u->fcr >> 6] : 1;
}

static void push(struct uart *u, uint8_t byte)
{
    if (u->waiting == fifo_size(u)) {
        u->lsr |= LSR_OVERRUN;
        return;
    }
    u->fifo[(u->first + u->waiting++) % UART_FIFO] = byte;
}
static uint8_t pop(struct uart *u)
{
    uint8_t byte = u->fifo[u->first];

    if (u->waiting == 0)
        return 0;
    u->first = (u->first + 1) % UART_FIFO;
    u->waiting--;
    return byte;
}

/* What IIR says. Bytes below the trigger level ask by the timeout at once: nobody waits for
 * more. */
static uint8_t source(const struct uart *u)
{
    if (u->ier & IER_LINE && u->lsr & LSR_OVERRUN)
        return IIR_LINE;
    if (u->ier & IER_RECEIVED && u->waiting > 0)
        return u->waiting >= trigger(u) ? IIR_RECEIVED : IIR_TIMEOUT;
    if (u->ier & IER_EMPTY && u->thre)
        return IIR_EMPTY;
    if (u->ier & IER_MODEM && u->msr & MSR_DELTA)
        return IIR_MODEM;
    return IIR_NONE;
}

/* On a PC the pin OUT2 connects the interrupt, and a loop disconnects the pins. */
bool uart_interrupt(const struct uart *u)
{
    return (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2 && source(u) != IIR_NONE;
}

/* The modem's lines: somebody is always there, or what the loop feeds back. */
static void update_modem(struct uart *u)
{
    uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD, was = u->msr & ~MSR_DELTA, changed;

    if (u->mcr & MCR_LOOP)
        lines = (uint8_t)((u->mcr & 0x01) << 5 | (u->mcr & 0x02) << 3 | (u->mcr & 0x0c) << 4);
    changed = (was ^ lines) >> 4;
    if (lines & MSR_RI)
        changed &= ~MSR_RI_WENT;
    u->msr = lines | (u->msr & MSR_DELTA) | changed;
}

void uart_init(struct uart *u, const struct host *host)
{
    *u = (struct uart){ .host = host, .divisor = { 12 }, .msr = MSR_CTS | MSR_DSR | MSR_DCD };
}

void uart_flush(struct uart *u)
{
    if (u->len > 0)
        u->host->console_write(u->out, u->len);
    u->len = 0;
}

uint64_t uart_deadline(const struct uart *u)
{
    return u->len > 0 ? u->flush_at : UINT64_MAX;
}

void uart_receive(struct uart *u)
{
    char bytes[UART_FIFO];
    unsigned n = fifo_size(u) - MIN(u->waiting, fifo_size(u));

    if (n == 0 || u->mcr & MCR_LOOP)
        return;
    n = u->host->console_read(bytes, n);
    for (unsigned i = 0; i < n; i++)
        push(u, (uint8_t)bytes[i]);
}

/* Held for a hundredth of a second at most. */
static void send(struct uart *u, uint8_t byte)
{
    if (u->len == 0)
        u->flush_at = u->host->tsc() + u->host->tsc_hz / 100;
    u->out[u->len++] = (char)byte;
    if (byte == '\n' || u->len == sizeof(u->out))
        uart_flush(u);
}

/* The register is full for no time at all, but its interrupt goes away and comes back. */
static void write_data(struct uart *u, uint8_t value)
{
    u->thre = false;
    if (!uart_interrupt(u))
        u->pulse = true;
    if (u->mcr & MCR_LOOP)
        push(u, value);
    else
        send(u, value);
    u->thre = true;
}

static void write_ier(struct uart *u, uint8_t value)
{
    if (value & ~u->ier & IER_EMPTY)
        u->thre = true;
    u->ier = value & IER_BITS;
}

/* Switching the FIFO clears it. */
static void write_fcr(struct uart *u, uint8_t value)
{
    if (value & FCR_CLEAR || (value ^ u->fcr) & FCR_FIFO)
        u->first = u->waiting = 0;
    u->fcr = value & FCR_FIFO ? value : 0;
}

static uint8_t read_iir(struct uart *u)
{
    uint8_t s = source(u);

    if (s == IIR_EMPTY)
        u->thre = false;
    return s | (u->fcr & FCR_FIFO ? IIR_FIFO : 0);
}

static uint8_t read_lsr(struct uart *u)
{
    uint8_t lsr;

    uart_receive(u);
    lsr = u->lsr | LSR_EMPTY | (u->waiting > 0 ? LSR_READY : 0);
    u->lsr = 0;
    return lsr;
}

static uint8_t read_msr(struct uart *u)
{
    uint8_t msr = u->msr;

    u->msr &= ~MSR_DELTA;
    return msr;
}

uint8_t uart_read(struct uart *u, unsigned reg)
{
    if (u->lcr & LCR_DLAB && reg <= REG_IER)
        return u->divisor[reg];
    switch (reg) {
    case REG_DATA:
        return pop(u);
    case REG_IER:
        return u->ier;
    case REG_IIR:
        return read_iir(u);
    case REG_LCR:
        return u->lcr;
    case REG_MCR:
        return u->mcr;
    case REG_LSR:
        return read_lsr(u);
    case REG_MSR:
        return read_msr(u);
    default:
        return u->scratch;
    }
}

void uart_write(struct uart *u, unsigned reg, uint8_t value)
{
    if (u->lcr & LCR_DLAB && reg <= REG_IER) {
        u->divisor[reg] = value;
        return;
    }
    switch (reg) {
    case REG_DATA:
        write_data(u, value);
        break;
    case REG_IER:
        write_ier(u, value);
        break;
    case REG_IIR:
        write_fcr(u, value);
        break;
    case REG_LCR:
        u->lcr = value;
        break;
    case REG_MCR:
        u->mcr = value & MCR_BITS;
        update_modem(u);
        break;
    case REG_SCRATCH:
        u->scratch = value;
        break;
    }
}
