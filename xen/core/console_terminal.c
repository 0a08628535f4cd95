/* The raw mode of the console: one guest has the terminal, and the bytes that it writes to its ring
 * are sent unchanged, so that editors, menus and colours work. This file follows the escape
 * sequences in them just enough to print a line of the hypervisor or of another guest in between,
 * and to reset the terminal when the guest ends. Called by console.c under its lock;
 * console_choose_raw also by pv/input.c.
 *
 * Which guest has the terminal: with console_raw=auto the only one there is (the service domain
 * does not count), with console_raw=on the one that has the input. A raw guest may write anything,
 * also lines that look like the hypervisor's, and sequences that make a terminal send answers as if
 * they were typed. Therefore no guest has the terminal while the hypervisor reads the input. */
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
    bool fresh;                 /* the cursor is at the start of a line, as far as is known */
    bool changed;               /* some sequence was sent since the terminal was reset */
    bool alternate;             /* it shows the alternate screen */
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
        if (d->serves || d->console_ring == NULL)
            continue;
        if (found != NULL)
            return NULL;
        found = d;
    }
    return found;
}

bool console_wants_raw(void)
{
    return options.console_raw == RAW_ON ||
           (options.console_raw == RAW_AUTO && only_guest() != NULL);
}

void console_choose_raw(struct domain *input, bool keys_are_ours)
{
    struct domain *d = options.console_raw == RAW_AUTO ? only_guest() :
                       options.console_raw == RAW_ON ? input : NULL;

    console_set_raw(options.no_console || keys_are_ours ? NULL : d);
}
