/* Owns the hypervisor's lines: "(XEN) " and one line of text, by level; those that a guest can cause,
 * limited; and panic. The bytes go out through console.c. Texts may hold words of a guest, so control
 * characters are made harmless here. */
#include <stdarg.h>

#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "common/utf8.h"
#include "xen/core/console.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"

#define LINE_MAX 320u
#define GUEST_LINES 10u                 /* of one guest, in an interval */
#define GUEST_INTERVAL_NS 5000000000ull

enum log_level log_threshold = LOG_INFO;
enum log_level guest_log_threshold = LOG_WARNING;

/* What is no text becomes question marks, one for each byte. */
static void make_harmless(char *s, int len)
{
    struct utf8 u = { 0 };
    int begin = 0;                      /* of the character */

    for (int i = 0; i < len; i++) {
        enum utf8_result result = utf8_feed(&u, s[i]);
        bool bad = result == UTF8_BAD || (result == UTF8_WHOLE && utf8_steers(u.code)) ||
                   (result == UTF8_MORE && i == len - 1);

        if (result == UTF8_WHOLE && u.len == 1)
            bad = (u.code < ' ' && u.code != '\t') || u.code == 0x7f;
        if (bad || result == UTF8_CUT)
            memset(s + begin, '?', (size_t)(result == UTF8_CUT ? i - begin : i + 1 - begin));
        if (result == UTF8_CUT)
            begin = i--;
        else if (result != UTF8_MORE)
            begin = i + 1;
    }
}

static void put_line(const char *prefix, const char *fmt, va_list ap)
{
    char line[LINE_MAX];
    int start = snprintf(line, sizeof(line), "(XEN) %s", prefix);
    int len = start + vsnprintf(line + start, sizeof(line) - (size_t)start, fmt, ap);

    if (len > (int)sizeof(line) - 2) {
        len = (int)sizeof(line) - 2;
        memcpy(line + len - 3, "...", 3);       /* and more, which has no room */
    }
    make_harmless(line + start, len - start);
    line[len++] = '\n';
    console_put(line, (size_t)len);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (level > log_threshold)
        return;
    va_start(ap, fmt);
    put_line("", fmt, ap);
    va_end(ap);
}

static bool may_log(struct domain *d)
{
    uint64_t now = now_ns();

    if (now - d->log_since >= GUEST_INTERVAL_NS) {
        if (d->log_withheld != 0)
            log_line(LOG_WARNING, "d%u: %u messages suppressed", d->id, d->log_withheld);
        d->log_since = now;
        d->log_said = d->log_withheld = 0;
    }
    if (d->log_said == GUEST_LINES) {
        d->log_withheld++;
        return false;
    }
    d->log_said++;
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
    put_line(prefix, fmt, ap);
    va_end(ap);
}

static const char stars[] = "****************************************";

unsigned panic_depth;

bool panic_begin(void)
{
    if (++panic_depth > 2)
        arch_halt();
    log_threshold = LOG_DEBUG;          /* said whatever the levels are */
    console_panic();
    return panic_depth == 1;
}

static void show_reason(const char *circumstance, const char *fmt, va_list ap)
{
    log_error("%s", "");
    log_error("%s", stars);
    log_error("Panic on CPU %u%s:", arch_cpu_id(), circumstance);
    put_line("", fmt, ap);
    log_error("%s", stars);
    log_error("%s", "");
}

static _Noreturn void end_va(bool whole, const char *fmt, va_list ap)
{
    if (whole)
        arch_show_stack();
    show_reason(whole ? "" : ", while another was being shown", fmt, ap);
    if (whole) {
        trace_show();
        trace_end();
    }
    if (options.noreboot) {
        log_error("Manual reset required ('noreboot' specified)");
        arch_halt();
    }
    log_error("Rebooting.");
    arch_reboot();
}

_Noreturn void panic_end(bool whole, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    end_va(whole, fmt, ap);
}

_Noreturn void panic(const char *fmt, ...)
{
    bool whole = panic_begin();
    va_list ap;

    va_start(ap, fmt);
    end_va(whole, fmt, ap);
}
