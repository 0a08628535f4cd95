/* What the hypervisor says: lines "(XEN) ..." on the console. Levels follow Xen's loglvl/guest_loglvl. */
#ifndef XEN_LOG_H
#define XEN_LOG_H

#include "common/compiler.h"
#include "xen/core/bug.h"

enum log_level { LOG_NONE, LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

extern enum log_level log_threshold;        /* loglvl=: lines above it are dropped */
extern enum log_level guest_log_threshold;  /* guest_loglvl=: for lines that a guest can cause */

/* One whole line, without newline; the "(XEN) " prefix is added. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A line that a guest can cause, "(XEN) dNvM ..."; rate limited, so that no guest can flood the console. */
struct domain;
void guest_log(struct domain *d, enum log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
