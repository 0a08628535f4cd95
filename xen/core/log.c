/* Log lines of the hypervisor, "(XEN) " and a text, filtered by level; and panic. Lines that a
 * guest can cause are guest_log.c's. Output goes through log_hooks to console.c. A text may contain
 * words of a guest (a domain's name), so control characters and invalid UTF-8 are replaced here.
 * Called everywhere. */
#include <stdarg.h>

#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "common/utf8.h"
#include "xen/core/bug.h"
#include "xen/core/log.h"
#include "xen/core/options.h"

#define LINE_MAX 320u

static void drop(const char *s, size_t len)
{
    (void)s, (void)len;
}

static void nothing(void)
{
}

struct log_hooks log_hooks = { drop, nothing, nothing };
enum log_level log_threshold = LOG_INFO;

/* Replaces each byte of a control character or of invalid UTF-8 by a question mark. */
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

void log_prefixed(const char *prefix, const char *fmt, va_list ap)
{
    char line[LINE_MAX];
    int start = snprintf(line, sizeof(line), "(XEN) %s", prefix);
    int len = start + vsnprintf(line + start, sizeof(line) - (size_t)start, fmt, ap);

    if (len > (int)sizeof(line) - 2) {
        len = (int)sizeof(line) - 2;
        memcpy(line + len - 3, "...", 3);       /* the text was cut */
    }
    make_harmless(line + start, len - start);
    line[len++] = '\n';
    log_hooks.put(line, (size_t)len);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if (level > log_threshold)
        return;
    va_start(ap, fmt);
    log_prefixed("", fmt, ap);
    va_end(ap);
}

static const char stars[] = "****************************************";

unsigned panic_depth;

bool panic_begin(void)
{
    arch_stop_cpus();
    if (++panic_depth > 2)
        arch_halt();
    log_threshold = LOG_DEBUG;          /* all lines from now on are printed */
    log_hooks.panic_begins();
    return panic_depth == 1;
}

static void show_reason(const char *circumstance, const char *fmt, va_list ap)
{
    log_error("%s", "");
    log_error("%s", stars);
    log_error("Panic on CPU %u%s:", arch_cpu_id(), circumstance);
    log_prefixed("", fmt, ap);
    log_error("%s", stars);
    log_error("%s", "");
}

static _Noreturn void end_va(bool whole, const char *fmt, va_list ap)
{
    if (whole)
        arch_show_stack();
    show_reason(whole ? "" : ", while another was being shown", fmt, ap);
    if (whole) {
        arch_show_stopped();
        log_hooks.panic_shows();
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
