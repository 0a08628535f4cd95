/* Log lines that a guest can cause: limited to GUEST_LINES per guest and interval, so that no guest
 * can flood the console. Other lines are log.c's. Called where a guest's request is refused. */
#include <stdarg.h>

#include "arch/arch.h"
#include "common/printf.h"
#include "xen/core/domain.h"
#include "xen/core/guest_log.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/time.h"

#define GUEST_LINES 10u                 /* of one guest, in an interval */
#define GUEST_INTERVAL_NS 5000000000ull

enum log_level guest_log_threshold = LOG_WARNING;

/* *withheld: so many lines were suppressed in the interval that has just ended. */
static bool count_line(struct domain *d, uint64_t now, unsigned *withheld)
{
    bool may;

    spin_lock(&d->line_lock);
    *withheld = 0;
    if (now - d->log_since >= GUEST_INTERVAL_NS) {
        *withheld = d->log_withheld;
        d->log_since = now;
        d->log_lines = d->log_withheld = 0;
    }
    may = d->log_lines < GUEST_LINES;
    d->log_lines += may;
    d->log_withheld += !may;
    spin_unlock(&d->line_lock);
    return may;
}

static bool may_log(struct domain *d)
{
    unsigned withheld;
    bool may = count_line(d, now_ns(), &withheld);

    if (withheld != 0)
        log_line(LOG_WARNING, "d%u: %u messages suppressed", d->id, withheld);
    return may;
}

void guest_log(struct domain *d, enum log_level level, const char *fmt, ...)
{
    char prefix[24];
    va_list ap;

    if (level > guest_log_threshold || !may_log(d))
        return;
    if (current->domain == d)
        snprintf(prefix, sizeof(prefix), "d%uv%u ", d->id, current->id);
    else
        snprintf(prefix, sizeof(prefix), "d%u ", d->id);
    va_start(ap, fmt);
    log_prefixed(prefix, fmt, ap);
    va_end(ap);
}
