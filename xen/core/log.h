/* Log lines of the hypervisor, "(XEN) ..." on the console. Levels are those of Xen's loglvl= and
 * guest_loglvl=. */
#ifndef XEN_LOG_H
#define XEN_LOG_H

#include <stdarg.h>
#include "common/compiler.h"
#include "xen/core/domain.h"
#include "xen/core/vtimer.h"

enum log_level { LOG_NONE, LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

extern enum log_level log_threshold;        /* loglvl=: lines above it are dropped */
/* One whole line, without newline; the "(XEN) " prefix is added. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same whatever the level is, with a prefix between "(XEN) " and the text. */
void log_prefixed(const char *prefix, const char *fmt, va_list ap);

/* Where lines go, and what else happens in a panic; set once. */
struct log_hooks {
    /* Prints complete lines; in a panic without taking locks. */
    void (*put)(const char *line, size_t len);
    void (*panic_begins)(void);
    /* After the reason: prints what helps to find the cause. */
    void (*panic_shows)(void);
};
extern struct log_hooks log_hooks;

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
