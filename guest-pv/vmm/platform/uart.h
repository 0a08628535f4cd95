/* A 16550A serial port with its line at the vmm's console. A byte is sent as soon as it is written,
 * into a buffer that goes out at a line end, when it is full, and at uart_flush. Received bytes
 * wait at the console until the FIFO has room, so none is lost. Names: National's PC16550D data
 * sheet.
 *
 * U1: thre is the "transmitter empty" interrupt, which reading IIR takes back. */
#ifndef VMM_PLATFORM_UART_H
#define VMM_PLATFORM_UART_H

#include <stdbool.h>
#include <stdint.h>

struct host;

#define UART_FIFO 16
#define UART_BUFFER 256

struct uart {
    const struct host *host;
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scratch;
    uint8_t divisor[2];
    bool thre;
    bool pulse;                 /* the interrupt went away and came back: an edge */
    uint8_t fifo[UART_FIFO];
    unsigned first, waiting;    /* in fifo */
    char out[UART_BUFFER];
    unsigned len;               /* of out */
    uint64_t flush_at;          /* TSC, if len > 0 */
};

void uart_init(struct uart *u, const struct host *host);
uint8_t uart_read(struct uart *u, unsigned reg); /* 0 to 7 */
void uart_write(struct uart *u, unsigned reg, uint8_t value);
void uart_receive(struct uart *u);      /* takes what the console has and the FIFO can hold */
void uart_flush(struct uart *u);
bool uart_interrupt(const struct uart *u);
uint64_t uart_deadline(const struct uart *u); /* when buffered output should go out */

#endif
