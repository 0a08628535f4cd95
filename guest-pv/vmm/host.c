/* The world outside of the guest's machine: the domain's console is its serial line, the TSC its
 * clock, and while it is halted the thread sleeps. Used by the platform through struct host. */
#include "clock.h"
#include "console.h"
#include "event.h"
#include "guest-pv/vmm/platform/platform.h"
#include "guest-pv/vmm/vmm.h"
#include "thread.h"

static uint64_t get_wall_seconds(void)
{
    return clock_wall_ns() / NS_PER_S;
}

static void write_console(const char *bytes, unsigned len)
{
    console_write(bytes, len);
}

static unsigned read_console(char *bytes, unsigned len)
{
    return (unsigned)console_read(bytes, len);
}

static void wake(void *thread)
{
    thread_wake(thread);
}

static void on_console(port_t port, void *thread)
{
    (void)port;
    thread_wake(thread);
}

/* An event after the caller's last poll is kept by thread_wake, so that thread_block returns at
 * once: no input is slept through. It may return early; the caller polls again anyhow. */
static void wait_until(uint64_t tsc)
{
    struct timer timer = { 0 };
    uint64_t now = clock_tsc();

    if (tsc <= now)
        return;
    if (tsc != UINT64_MAX) {
        uint64_t seconds = (tsc - now) / host.tsc_hz, ticks = (tsc - now) % host.tsc_hz;

        timer_start(&timer, clock_ns() + seconds * NS_PER_S + ticks * NS_PER_S / host.tsc_hz + 1,
                    wake, current);
    }
    thread_block();
    timer_cancel(&timer);
}

struct host host = {
    .tsc = clock_tsc, .wall_seconds = get_wall_seconds,
    .console_write = write_console, .console_read = read_console, .wait = wait_until,
};

void host_init(void)
{
    host.tsc_hz = clock_tsc_hz();
    event_set_handler(console_port(), on_console, current);
    event_unmask(console_port());
}
