/* Owns the 16550 at COM1: polled, 115200 8n1. It is the console of everything. */
#include "arch/x86_64/cpu.h"

#define COM1 0x3f8
#define LSR (COM1 + 5)
#define LSR_DATA 1u
#define LSR_EMPTY 0x20u
#define SPIN_LIMIT 100000u      /* a port that is not there must not stop us */

void serial_init(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80);
    outb(COM1 + 0, 1);          /* divisor 1: 115200 baud */
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);          /* 8n1 */
    outb(COM1 + 2, 7);          /* FIFOs on and empty */
    outb(COM1 + 4, 3);
}

void arch_console_putc(char c)
{
    for (unsigned i = 0; i < SPIN_LIMIT && !(inb(LSR) & LSR_EMPTY); i++)
        __asm__ volatile("pause");
    outb(COM1, (uint8_t)c);
}

int arch_console_getc(void)
{
    uint8_t lsr = inb(LSR);

    return lsr != 0xff && (lsr & LSR_DATA) ? inb(COM1) : -1;
}
