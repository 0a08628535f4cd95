/* Owns the 16550 of the console: polled, COM1 and 115200 8n1 unless com1= says otherwise. */
#include "arch/x86_64/cpu.h"

#define LSR ((uint16_t)(com1 + 5))
#define BASE_BAUD 115200u
#define LSR_DATA 1u
#define LSR_EMPTY 0x20u
#define SPIN_LIMIT 100000u      /* a port that is not there must not stop us */

static uint16_t com1 = 0x3f8;

void arch_console_setup(uint16_t port, uint32_t baud)
{
    uint32_t divisor = baud ? BASE_BAUD / baud : 0;

    com1 = port;
    outb((uint16_t)(com1 + 1), 0);
    if (divisor != 0) {
        outb((uint16_t)(com1 + 3), 0x80);
        outb((uint16_t)(com1 + 0), (uint8_t)divisor);
        outb((uint16_t)(com1 + 1), (uint8_t)(divisor >> 8));
    }
    outb((uint16_t)(com1 + 3), 3);          /* 8n1 */
    outb((uint16_t)(com1 + 2), 0xc7);       /* FIFOs on and empty; QEMU fills them up to the interrupt level only: 14 */
    outb((uint16_t)(com1 + 4), 3);
}

void serial_init(void)
{
    arch_console_setup(com1, BASE_BAUD);
}

void arch_console_putc(char c)
{
    for (unsigned i = 0; i < SPIN_LIMIT && !(inb(LSR) & LSR_EMPTY); i++)
        __asm__ volatile("pause");
    outb(com1, (uint8_t)c);
}

int arch_console_getc(void)
{
    uint8_t lsr = inb(LSR);

    return lsr != 0xff && (lsr & LSR_DATA) ? inb(com1) : -1;
}
