/* Console output and input: over the shared ring in an ordinary domain, by the hypercall
 * console_io in domain 0. kprintf() and newlib's write() (libc.c) end here. */
#include <stdarg.h>
#include <stdio.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"

static volatile struct xencons_interface *ring;

volatile struct xencons_interface *console_ring(void)
{
    return ring;
}

uint32_t console_port(void)
{
    return is_dom0() ? 0 : start_info->console.domU.evtchn;
}

void console_init(void)
{
    if (!is_dom0() && start_info->console.domU.evtchn)
        ring = p2v(mfn_to_pfn(start_info->console.domU.mfn));
}

static uint32_t ring_put(const char *buf, uint32_t len)
{
    uint32_t prod = ring->out_prod, room = sizeof(ring->out) - (prod - ring->out_cons), n;

    for (n = 0; n < len && n < room; n++)
        ring->out[(prod + n) % sizeof(ring->out)] = buf[n];
    __atomic_thread_fence(__ATOMIC_RELEASE);        /* the bytes before the index */
    ring->out_prod = prod + n;
    event_send(console_port());
    return n;
}

void console_write(const void *buf, size_t len)
{
    const char *p = buf;
    bool masked = events_save_off();        /* lines of two threads must not mix */

    while (!ring && len) {                  /* bounded by what a hypervisor copies in one go */
        size_t n = len < 1024 ? len : 1024;

        if (xen_console_io(CONSOLEIO_write, n, p) < 0)
            break;                          /* no way to report it */
        p += n, len -= n;
    }
    while (ring && len) {
        uint32_t n = ring_put(p, len);

        p += n, len -= n;
        if (len)
            xen_sched_op(SCHEDOP_yield, NULL);
    }
    events_restore(masked);
}

int console_read(void *buf, size_t len)
{
    char *p = buf;
    uint32_t cons, n = 0;

    if (!ring) {
        long rc = xen_console_io(CONSOLEIO_read, len, buf);

        return rc < 0 ? 0 : rc;
    }
    for (cons = ring->in_cons; n < len && cons + n != ring->in_prod; n++)
        p[n] = ring->in[(cons + n) % sizeof(ring->in)];
    ring->in_cons = cons + n;
    if (n)
        event_send(console_port());
    return n;
}

void console_flush(void)
{
    uint64_t end = clock_ns() + 10 * NS_PER_S;  /* a nested machine's serial line is slow */

    while (ring && ring->out_cons != ring->out_prod && clock_ns() < end) {
        event_send(console_port());
        xen_sched_op(SCHEDOP_yield, NULL);
    }
}

void kprintf(const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    console_write(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}
