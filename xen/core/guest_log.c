/* Log lines that a guest can cause: limited to GUEST_LINES per guest and interval, so that no guest
 * can flood the console. Other lines are log.c's. Called where a guest's request is refused. */
#include <stdarg.h>

#include "arch/arch.h"
#include "common/printf.h"
#include "xen/core/domain.h"
#include "xen/core/guest_log.h"
#include "xen/core/log.h"
#include "xen/core/time.h"

#define GUEST_LINES 10u                 /* of one guest, in an interval */
#define GUEST_INTERVAL_NS 5000000000ull

enum log_level guest_log_threshold = LOG_WARNING;

static bool may_log(struct domain *d)
{
    uint64_t now = now_ns();

    if (now - d->log_since >= GUEST_INTERVAL_NS) {
        if (d->log_withheld != 0)
            log_line(LOG_WARNING, "d%u: %u messages suppressed", d->id, d->log_withheld);
        d->log_since = now;
        d->log_lines = d->log_withheld = 0;
    }
    if (d->log_lines == GUEST_LINES) {
        d->log_withheld++;
        return false;
    }
    d->log_lines++;
    return true;
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
