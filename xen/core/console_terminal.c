/* The raw mode: one guest has the terminal for itself, and what it writes to its ring passes byte for byte, so
 * that editors, menus and colours work. What this file keeps of it is as much as it takes to begin a line of
 * somebody else's (the hypervisor's, another guest's) without harm, and to leave the terminal fit for use when the
 * guest ends.
 *
 * Which guest: with console_raw=auto the one that is alone (the service domain does not count), with console_raw=on
 * the one that has the input. A guest that has the terminal may write anything, lines that look like the
 * hypervisor's included; also what terminals answer to, as if somebody typed. So nobody has it while what is typed is for
 * the hypervisor. */
#include "common/string.h"
#include "xen/core/console.h"
#include "xen/core/console_terminal.h"
#include "xen/core/console_tx.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/options.h"

#define ESC '\033'
#define CAN "\030"                      /* ends whatever sequence has begun */
#define BEL '\007'
#define NORMAL_SCREEN "\033[?1049l"
#define NO_ATTRIBUTES "\033[0m"
/* Character set, cursor, line wrap, keys, mouse, pasting: as a shell expects them. */
#define SANE "\033(B\033[?25h\033[?7h\033[?1l\033>\033[?1000l\033[?2004l"

static struct {
    enum { TEXT, ESCAPE, SEQUENCE, STRING } state;      /* what the next byte belongs to */
    bool private;               /* of a sequence: it begins with ? */
    unsigned number;            /* its last number */
    bool fresh;                 /* the cursor stands at the start of a line, as far as we know */
    bool changed;               /* by some sequence, since the terminal was sane */
    bool alternate;             /* it shows the other screen */
} term;

static void end_sequence(char last)
{
    bool screen = term.number == 47 || term.number == 1047 || term.number == 1049;

    term.state = TEXT;
    if (term.private && screen && (last == 'h' || last == 'l'))
        term.alternate = last == 'h';
}

static void in_sequence(char c)
{
    if (c == '?')
        term.private = true;
    else if (c >= '0' && c <= '9')
        term.number = MIN(term.number * 10 + (unsigned)(c - '0'), 10000u);
    else if (c == ';')
        term.number = 0;
    else if (c >= '@')
        end_sequence(c);
}

static void in_escape(char c)
{
    if (c == '[')
        term.state = SEQUENCE;
    else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_')
        term.state = STRING;
    else if (c < ' ' || c > '/')
        term.state = TEXT;
    term.number = 0;
    term.private = false;
}

static void note(char c)
{
    if (c == ESC) {
        term.state = ESCAPE;
        term.changed = true;
        term.fresh = false;
    } else if (c == CAN[0] || (term.state == STRING && c == BEL)) {
        term.state = TEXT;
    } else if (term.state == ESCAPE) {
        in_escape(c);
    } else if (term.state == SEQUENCE) {
        in_sequence(c);
    } else if (term.state == TEXT) {
        term.fresh = c == '\n' || (c == '\r' && term.fresh);
    }
}

void terminal_write(const char *s, size_t len)
{
    tx_put(s, len);
    for (; len != 0; len--)
        note(*s++);
}

void terminal_interrupt(void)
{
    if (term.state != TEXT)
        tx_put(CAN, 1);
    if (term.changed)
        tx_put(NO_ATTRIBUTES, sizeof(NO_ATTRIBUTES) - 1);
    if (!term.fresh)
        tx_put("\r\n", 2);
    term.state = TEXT;
    term.fresh = true;
}

void terminal_begin(void)
{
    memset(&term, 0, sizeof(term));
    term.fresh = true;
}

void terminal_end(void)
{
    if (term.alternate)
        tx_put(NORMAL_SCREEN, sizeof(NORMAL_SCREEN) - 1);
    terminal_interrupt();
    if (term.changed)
        tx_put(SANE, sizeof(SANE) - 1);
}

static struct domain *only_guest(void)
{
    struct domain *d, *found = NULL;

    for_each_domain(d) {
        if (d->id == STORE_DOMID || d->console_ring == NULL)
            continue;
        if (found != NULL)
            return NULL;
        found = d;
    }
    return found;
}

bool console_wants_raw(void)
{
    return options.console_raw == RAW_ON || (options.console_raw == RAW_AUTO && only_guest() != NULL);
}

void console_choose_raw(struct domain *input, bool keys_are_ours)
{
    struct domain *d = options.console_raw == RAW_AUTO ? only_guest() : options.console_raw == RAW_ON ? input : NULL;

    console_set_raw(options.no_console || keys_are_ours ? NULL : d);
}
