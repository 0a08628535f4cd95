/* The machine itself: descriptor tables, the two interrupt controllers, the timer, the serial port,
 * the end. Only what the kernel needs: the rest of a PC is left as the firmware set it. */
#include <stddef.h>
#include <string.h>
#include "bare.h"
#include "start.h"

#define PIT_HZ 1193182u
#define COM1 0x3f8
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_SFMASK 0xc0000084u
#define SFMASK 0x47700ull               /* AC, NT, DF, IF, TF, and IOPL */
#define GATE_PRESENT 0x8e00ull          /* an interrupt gate */

struct tss {
    uint32_t reserved;
    uint64_t rsp[3];
    uint64_t reserved2, ist[7], reserved3;
    uint16_t reserved4, io_bitmap;
} __attribute__((packed));

struct gate {
    uint16_t low, selector, flags, middle;
    uint32_t high, reserved;
};

uint64_t tsc_hz;
static struct tss tss = { .io_bitmap = sizeof(struct tss) };
static struct gate idt[256];
static uint64_t gdt[10] = {
    [BARE_KERNEL_CS / 8] = 0x00af9b000000ffff, [BARE_KERNEL_SS / 8] = 0x00cf93000000ffff,
    [BARE_USER_SS / 8] = 0x00cff3000000ffff, [BARE_USER_CS / 8] = 0x00affb000000ffff,
};

const struct table_pointer bare_gdt = { sizeof(gdt) - 1, (uint64_t)gdt };
const struct table_pointer bare_idt = { sizeof(idt) - 1, (uint64_t)idt };

void set_gate(unsigned vector, unsigned dpl)
{
    uint64_t to = (uint64_t)bare_stubs + vector * BARE_STUB_SIZE;

    idt[vector] = (struct gate){
        .low = (uint16_t)to, .middle = (uint16_t)(to >> 16), .high = (uint32_t)(to >> 32),
        .selector = BARE_KERNEL_CS, .flags = (uint16_t)(GATE_PRESENT | dpl << 13),
    };
}

void set_kernel_stack(uint64_t rsp)
{
    tss.rsp[0] = kernel_stack = rsp;
}

static void load_tables(void)
{
    uint64_t base = (uint64_t)&tss;

    gdt[BARE_TSS / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
                        (base >> 24 & 0xff) << 56;
    gdt[BARE_TSS / 8 + 1] = base >> 32;
    for (unsigned i = 0; i < 256; i++)
        set_gate(i, 0);
    __asm__ volatile("lgdt %0\n\tlidt %1\n\tltr %w2"
                     : : "m"(bare_gdt), "m"(bare_idt), "r"(BARE_TSS));
    wrmsr(MSR_STAR, (uint64_t)(BARE_USER_SS - 8) << 48 | (uint64_t)BARE_KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)bare_syscall);
    wrmsr(MSR_SFMASK, SFMASK);
}

/* --- interrupts ------------------------------------------------------------------------------- */

/* Both controllers, only input 0 open. */
static void init_controllers(void)
{
    static const uint8_t words[2][4] = { { 0x11, IRQ_BASE, 4, 1 }, { 0x11, IRQ_BASE + 8, 2, 1 } };

    for (unsigned chip = 0; chip < 2; chip++) {
        uint16_t port = chip ? 0xa0 : 0x20;

        outb(port, words[chip][0]);
        for (unsigned i = 1; i < 4; i++)
            outb(port + 1, words[chip][i]);
        outb(port + 1, chip ? 0xff : 0xfe);
    }
}

void end_of_interrupt(unsigned irq)
{
    if (irq >= 8)
        outb(0xa0, 0x20);
    outb(0x20, 0x20);
}

/* Mode 0 of channel 0: the output rises when the count is done. */
void timer_arm(uint64_t ticks)
{
    uint64_t count = ticks < 1 ? 1 : ticks > 0xffff ? 0xffff : ticks;

    outb(0x43, 0x30);
    outb(0x40, (uint8_t)count);
    outb(0x40, (uint8_t)(count >> 8));
}

/* The rate of the TSC: 10 ms of channel 2, whose output is bit 5 of port 61h. */
static void measure_tsc(void)
{
    uint64_t start;

    outb(0x61, (inb(0x61) & ~2) | 1);
    outb(0x43, 0xb0);
    outb(0x42, (uint8_t)(PIT_HZ / 100));
    outb(0x42, PIT_HZ / 100 >> 8);
    start = rdtsc();
    while (!(inb(0x61) & 0x20))
        ;
    waited_ticks = rdtsc() - start;
    tsc_hz = waited_ticks * 100;
}

/* --- the serial port -------------------------------------------------------------------------- */

static void serial_init(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x83);               /* 115200 baud, 8 bits, no parity */
    outb(COM1, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x03);
    outb(COM1 + 2, 0x07);
    outb(COM1 + 4, 0x03);
}

static void serial_byte(char byte)
{
    while (!(inb(COM1 + 5) & 0x20))
        ;
    outb(COM1, (uint8_t)byte);
}

void serial_write(const char *bytes, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++) {
        if (bytes[i] == '\n')
            serial_byte('\r');
        serial_byte(bytes[i]);
    }
}

uint64_t serial_read(char *bytes, uint64_t len)
{
    uint64_t n = 0;

    while (n < len && inb(COM1 + 5) & 1)
        bytes[n++] = (char)inb(COM1);
    return n;
}

/* --- the beginning and the end ---------------------------------------------------------------- */

void machine_init(void)
{
    serial_init();
    load_tables();
    init_controllers();
    measure_tsc();
}

/* The keyboard controller's reset line; and without one, an exception that cannot be delivered. */
_Noreturn void machine_end(void)
{
    static const struct table_pointer none;

    outb(0x64, 0xfe);
    for (unsigned i = 0; i < 1000000; i++)
        inb(0x80);
    __asm__ volatile("lidt %0\n\tint3" : : "m"(none));
    for (;;)
        ;
}
