/* The machine around the vmm's CPU, as far as it is there: two 8259, an 8254, an 8250 or 16550A
 * (COM1), a CMOS clock, port 61h; every other port is absent, reads all ones and swallows writes,
 * except that 64h reads FDh (no keyboard controller: output full, input empty) and takes FEh as a
 * reset. Times are TSC ticks of the host, which are the guest's too. Plain C: what the console and
 * the clock are is said by functions that the vmm or a test gives.
 *
 * Order: platform_init, then anything. Nobody but the run loop calls it, so there are no locks. */
#ifndef VMM_PLATFORM_PLATFORM_H
#define VMM_PLATFORM_PLATFORM_H

#include "common/compiler.h"
#include "guest-pv/vmm/platform/cmos.h"
#include "guest-pv/vmm/platform/pic.h"
#include "guest-pv/vmm/platform/pit.h"
#include "guest-pv/vmm/platform/uart.h"

/* What the platform needs of the world outside. */
struct host {
    uint64_t (*tsc)(void);
    uint64_t tsc_hz;
    uint64_t (*wall_seconds)(void);                     /* since 1970, UTC */
    void (*console_write)(const char *bytes, unsigned len);
    unsigned (*console_read)(char *bytes, unsigned len); /* what is there now, 0: nothing */
    void (*wait)(uint64_t tsc); /* sleeps until then, or until there is console input */
};

struct platform {
    const struct host *host;
    struct pic pic;             /* both of them */
    struct pit pit;
    struct uart uart;
    struct cmos cmos;
    bool reset;                 /* the guest asked for it by a port */
    uint64_t reads, writes;     /* of ports, for the statistics */
};

void platform_init(struct platform *p, const struct host *host);

/* 1, 2 or 4 bytes; a word or double word of byte-wide devices is that many ports. */
uint32_t port_read(struct platform *p, uint16_t port, unsigned bytes);
void port_write(struct platform *p, uint16_t port, unsigned bytes, uint32_t value);

/* Brings timers and the serial port up to host->tsc(): raises the interrupts that are due and takes
 * console input. */
void platform_poll(struct platform *p);
/* Is an interrupt waiting for the CPU? platform_acknowledge gives its vector, once. */
bool platform_interrupt(const struct platform *p);
uint8_t platform_acknowledge(struct platform *p);
/* The TSC at which platform_poll will have something to do without input; UINT64_MAX: never. */
uint64_t platform_deadline(const struct platform *p);

#endif
