/* console_io: a guest's emergency console. Xen serves it to domain 0 and, in debug builds, lets
 * every guest write; here every guest may write. The bytes are formatted and sent by
 * core/console.c. Called by the generated dispatch (common/abi.def). */
#include "xen/core/console.h"
#include "xen/core/console_line.h"
#include "xen/core/console_tx.h"
#include "xen/core/domain.h"
#include "xen/core/guest_access.h"
#include "xen/core/sched.h"
#include "xen/pv/hypercalls.h"

/* A CPU that waits halts for this time at most and then looks again. It gets no interrupt when the
 * transmitter accepts bytes again, nor when another CPU has sent all of them. */
#define LOOK_AGAIN_NS 1000000ull

/* Waits until the bytes of current in the transmit ring are sent. Other vCPUs run meanwhile. */
static void wait_to_write(void)
{
    struct vcpu *v = current;

    while (!console_may_write(v->domain) && v->domain->state == DOM_RUNNING) {
        bool moved = console_pump(CONSOLE_PUMP_NS);

        if (preempt_point() || moved)
            continue;
        if (v->cpu->idle_has_work)
            schedule();
        else if (list_empty(&v->cpu->queue))
            sched_halt(LOOK_AGAIN_NS);
        else
            schedule_behind();
    }
}

static long console_io_write(unsigned count, uint64_t buffer)
{
    struct domain *d = current->domain;
    char chunk[CONSOLE_CHUNK];

    while (count != 0 && d->state == DOM_RUNNING) {
        unsigned n = MIN(count, (unsigned)sizeof(chunk));

        if (copy_from_guest(chunk, buffer, n) != 0)
            return -EFAULT;
        spin_lock(&d->line_lock);
        guest_console_write(d, CONSOLE_BY_CALL, chunk, n);
        spin_unlock(&d->line_lock);
        if (!tx_empty())                /* else the line is held back */
            console_pump(CONSOLE_PUMP_NS);
        buffer += n;
        count -= n;
        preempt_point();
        wait_to_write();
    }
    return 0;
}

long do_console_io(unsigned cmd, unsigned count, uint64_t buffer)
{
    if (cmd == CONSOLEIO_write)
        return console_io_write(count, buffer);
    return cmd == CONSOLEIO_read ? -EPERM : -ENOSYS;
}
