/* Ports: which device answers, and the interrupts that follow. The devices are in pic.c, pit.c,
 * uart.c and cmos.c; how the run loop asks is in platform.h. */
#include "guest-pv/vmm/platform/platform.h"

#define IRQ_PIT 0
#define IRQ_UART 4

static void update_uart_line(struct platform *p)
{
    if (p->uart.pulse)
        pic_set_line(&p->pic, IRQ_UART, false);
    p->uart.pulse = false;
    pic_set_line(&p->pic, IRQ_UART, uart_interrupt(&p->uart));
}

static void poll_pit(struct platform *p, uint64_t now)
{
    if (pit_edge(&p->pit, now)) {
        pic_set_line(&p->pic, IRQ_PIT, false);
        pic_set_line(&p->pic, IRQ_PIT, true);
    }
}

static uint8_t read_pic(struct platform *p, uint16_t port)
{
    poll_pit(p, p->host->tsc());
    return pic_read(&p->pic, port >> 7 & 1, port & 1);
}
static void write_pic(struct platform *p, uint16_t port, uint8_t value)
{
    pic_write(&p->pic, port >> 7 & 1, port & 1, value);
}

static uint8_t read_pit(struct platform *p, uint16_t port)
{
    return pit_read(&p->pit, port & 3, p->host->tsc());
}
/* Edges of the old count first. */
static void write_pit(struct platform *p, uint16_t port, uint8_t value)
{
    uint64_t now = p->host->tsc();

    poll_pit(p, now);
    pit_write(&p->pit, port & 3, value, now);
    pic_set_line(&p->pic, IRQ_PIT, pit_output(&p->pit, 0, now));
}

static uint8_t read_61(struct platform *p, uint16_t port)
{
    (void)port;
    return pit_read61(&p->pit, p->host->tsc());
}
static void write_61(struct platform *p, uint16_t port, uint8_t value)
{
    (void)port;
    pit_write61(&p->pit, value, p->host->tsc());
}

/* No keyboard controller: "output full" ends a driver's probe at once, since what it then reads
 * from port 60h goes on for ever, and "input empty" the waiting before a reset. */
static uint8_t read_64(struct platform *p, uint16_t port)
{
    (void)p, (void)port;
    return 0xfd;
}
static void write_64(struct platform *p, uint16_t port, uint8_t value)
{
    (void)port;
    if (value == 0xfe)
        p->reset = true;
}

static uint8_t read_cmos(struct platform *p, uint16_t port)
{
    return cmos_read(&p->cmos, port & 1, p->host->wall_seconds());
}
static void write_cmos(struct platform *p, uint16_t port, uint8_t value)
{
    cmos_write(&p->cmos, port & 1, value);
}

static uint8_t read_uart(struct platform *p, uint16_t port)
{
    uint8_t value = uart_read(&p->uart, port & 7);

    update_uart_line(p);
    return value;
}
static void write_uart(struct platform *p, uint16_t port, uint8_t value)
{
    uart_write(&p->uart, port & 7, value);
    update_uart_line(p);
}

/* A port in no row is absent. */
static const struct {
    uint16_t first, last;
    uint8_t (*read)(struct platform *p, uint16_t port);
    void (*write)(struct platform *p, uint16_t port, uint8_t value);
} devices[] = {
    { 0x20,  0x21,  read_pic,  write_pic },
    { 0x40,  0x43,  read_pit,  write_pit },
    { 0x61,  0x61,  read_61,   write_61 },
    { 0x64,  0x64,  read_64,   write_64 },
    { 0x70,  0x71,  read_cmos, write_cmos },
    { 0xa0,  0xa1,  read_pic,  write_pic },
    { 0x3f8, 0x3ff, read_uart, write_uart },
};

static int find_device(uint16_t port)
{
    for (unsigned i = 0; i < ARRAY_SIZE(devices) && port >= devices[i].first; i++)
        if (port <= devices[i].last)
            return (int)i;
    return -1;
}

uint32_t port_read(struct platform *p, uint16_t port, unsigned bytes)
{
    uint32_t value = 0;

    p->reads++;
    for (unsigned i = 0; i < bytes; i++) {
        uint16_t at = (uint16_t)(port + i);
        int device = find_device(at);

        value |= (uint32_t)(device < 0 ? 0xff : devices[device].read(p, at)) << 8 * i;
    }
    return value;
}

void port_write(struct platform *p, uint16_t port, unsigned bytes, uint32_t value)
{
    p->writes++;
    for (unsigned i = 0; i < bytes; i++) {
        uint16_t at = (uint16_t)(port + i);
        int device = find_device(at);

        if (device >= 0)
            devices[device].write(p, at, (uint8_t)(value >> 8 * i));
    }
}

void platform_init(struct platform *p, const struct host *host)
{
    *p = (struct platform){ .host = host };
    pic_init(&p->pic);
    pit_init(&p->pit, host->tsc_hz);
    uart_init(&p->uart, host);
    cmos_init(&p->cmos);
    pic_set_line(&p->pic, IRQ_PIT, true);
}

void platform_poll(struct platform *p)
{
    poll_pit(p, p->host->tsc());
    uart_flush(&p->uart);
    uart_receive(&p->uart);
    update_uart_line(p);
}

bool platform_interrupt(const struct platform *p)
{
    return pic_output(&p->pic);
}

uint8_t platform_acknowledge(struct platform *p)
{
    return pic_acknowledge(&p->pic);
}

uint64_t platform_deadline(const struct platform *p)
{
    uint64_t pit = pit_deadline(&p->pit), uart = uart_deadline(&p->uart);

    return MIN(pit, uart);
}
