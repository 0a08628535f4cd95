/* Log lines about a guest whose request was wrong. */
#ifndef XEN_GUEST_LOG_H
#define XEN_GUEST_LOG_H

#include "xen/core/log.h"

extern enum log_level guest_log_threshold;  /* guest_loglvl=: for lines that a guest can cause */

/* A line that a guest can cause, "(XEN) dNvM ..."; rate limited, so that no guest can flood the
 * console. */
struct domain;
void guest_log(struct domain *d, enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
