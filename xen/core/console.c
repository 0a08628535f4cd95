/* The lines on the machine's console: the hypervisor's and the guests' share it line by line, and go by way of
 * console_tx.c's ring. A guest's come by its PV console ring (console_ring.c) or by console_io (here); they are
 * prefixed "(dN) ", and held back until they are whole, or until the guest waits as if behind a prompt. What is
 * typed is input.c's.
 *
 * Whoever prints does not wait: what the transmitter does not take at once waits in the ring. A guest that has
 * something there adds to it only when all of it was sent (console_may_write), so that slow lines are shared guest
 * by guest, and its own ring stays full meanwhile. The hypervisor has more room than guests; lines that find none
 * are counted. */
#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "xen/core/console.h"
#include "xen/core/console_line.h"
#include "xen/core/console_terminal.h"
#include "xen/core/console_tx.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/time.h"

static struct spinlock console_lock;
static bool panicking;
static bool waiting = true;             /* nothing else runs: what is printed is sent before anything goes on */
static struct console_line *open_line;  /* the unfinished one that the cursor stands on; NULL: at the start of a line */
static struct domain *raw_guest;        /* it has the terminal, see console_terminal.c; NULL: nobody */
static unsigned lines_lost;

/* Lines that came while this CPU held the lock, from an NMI or a machine check: they follow when it is free. */
static struct {
    char text[2048];
    uint64_t len;
    unsigned lost;
} late;

static void put_own(const char *s, size_t len);

static void lock_console(void)
{
    if (!panicking)
        spin_lock(&console_lock);
}

/* After anything of ours was put. */
static void send(void)
{
    if (waiting)
        tx_flush(TX_BYTES);
    else
        tx_pump(CONSOLE_PUMP_NS);
}

/* After anything of a guest's was. Who took it from the guest sends it, once for all: it may be many lines. */
static void send_if_waiting(void)
{
    if (waiting)
        tx_flush(TX_BYTES);
}

/* More may come late while we look. */
static void put_late(void)
{
    uint64_t done = 0, len;

    do {
        len = READ_ONCE(late.len);
        put_own(late.text + done, len - done);
        done = len;
    } while (arch_cmpxchg64(&late.len, len, 0) != len);
    lines_lost += late.lost;
    late.lost = 0;
    send();
}

static void unlock_console(void)
{
    if (panicking)
        return;
    do {
        if (late.len != 0)
            put_late();
        spin_unlock(&console_lock);
    } while (READ_ONCE(late.len) != 0 && spin_trylock(&console_lock));
}

void console_panic(void)
{
    panicking = true;
    if (raw_guest != NULL)
        terminal_end();
    raw_guest = NULL;
    console_wait();
}

void console_wait(void)
{
    waiting = true;
    tx_flush(TX_BYTES);
}

void console_go_on(void)
{
    waiting = options.sync_console;
}

void console_raw(const char *s, size_t len)
{
    if (options.no_console)
        return;
    for (; len != 0; len--, s++) {
        if (*s == '\n')
            tx_put("\r", 1);
        tx_put(s, 1);
    }
}

static void end_open_line(void)
{
    if (open_line != NULL)
        console_raw("\n", 1);
    else if (raw_guest != NULL)
        terminal_interrupt();
    open_line = NULL;
}

/* A line or more, whole or not at all. Each byte of it may be a line feed. */
static void put_own(const char *s, size_t len)
{
    char lost[48];

    if (tx_room() < 2 * len + sizeof(lost) + 4) {
        for (; len != 0; len--)
            lines_lost += *s++ == '\n';
        return;
    }
    end_open_line();
    if (lines_lost != 0)
        console_raw(lost, (size_t)snprintf(lost, sizeof(lost), "(XEN) %u lines lost: no room\n", lines_lost));
    lines_lost = 0;
    console_raw(s, len);
}

void console_put(const char *s, size_t len)
{
    if (panicking || spin_trylock(&console_lock)) {
        put_own(s, len);
        send();
        unlock_console();
    } else if (len <= sizeof(late.text) - late.len) {
        memcpy(late.text + late.len, s, len);
        late.len += len;
    } else {
        late.lost++;
    }
}

bool console_pump(uint64_t ns)
{
    bool any;

    lock_console();
    any = tx_pump(ns);
    unlock_console();
    return any;
}

void console_make_room(void)
{
    lock_console();
    tx_flush(TX_BYTES / 2);
    unlock_console();
}

bool console_may_write(const struct domain *d)
{
    return waiting || (tx_sent(d->console_position) && TX_BYTES - tx_room() + TX_CHUNK_MOST <= TX_GUESTS_MOST);
}

/* What the guest with the terminal writes to its ring is there already. */
static bool is_hidden(const struct domain *d, const struct console_line *l)
{
    return d == raw_guest && l == &d->console_line[CONSOLE_BY_RING];
}

void console_show_line(struct domain *d, struct console_line *l, bool whole)
{
    char prefix[16];

    if (is_hidden(d, l)) {
        l->len = 0;
        return;
    }
    lock_console();
    if (open_line != l) {
        end_open_line();
        if (d != raw_guest)
            console_raw(prefix, (size_t)snprintf(prefix, sizeof(prefix), "(d%u) ", d->id));
        console_line_start(l);
    }
    console_line_show(l);
    if (whole)
        console_raw("\n", 1);
    open_line = whole ? NULL : l;
    l->begun = !whole;
    d->console_position = tx_position();
    send_if_waiting();
    unlock_console();
}

void console_end_lines(struct domain *d)
{
    for (unsigned way = 0; way < NR_CONSOLE_WAYS; way++)
        if (d->console_line[way].len != 0 || open_line == &d->console_line[way])
            console_show_line(d, &d->console_line[way], true);
}

/* What was held back is shown by the rule before. */
void console_set_raw(struct domain *d)
{
    if (d == raw_guest)
        return;
    if (d != NULL)
        console_end_lines(d);
    lock_console();
    if (raw_guest != NULL) {
        terminal_end();
        raw_guest->console_line[CONSOLE_BY_RING].len = 0;
        raw_guest = NULL;
    }
    end_open_line();
    raw_guest = d;
    terminal_begin();
    send();
    unlock_console();
    if (d != NULL)
        log_info("*** d%u has the terminal to itself (console_raw)", d->id);
}

static void write_raw(struct domain *d, const char *s, size_t len)
{
    lock_console();
    if (open_line != NULL)
        console_raw("\n", 1);
    open_line = NULL;
    if (!options.no_console)
        terminal_write(s, len);
    d->console_position = tx_position();
    send_if_waiting();
    unlock_console();
}

static void end_line(struct domain *d, struct console_line *l, struct console_line *other)
{
    console_line_end(d, l);
    if (console_line_repeats(l, other) && !is_hidden(d, l))
        l->len = 0;
    else
        console_show_line(d, l, true);
}

void guest_console_write(struct domain *d, enum console_way way, const char *s, size_t len)
{
    struct console_line *l = &d->console_line[way], *other = &d->console_line[NR_CONSOLE_WAYS - 1 - way];

    if (is_hidden(d, l))
        write_raw(d, s, len);
    for (; len != 0; len--, s++) {
        if (*s == '\n')
            end_line(d, l, other);
        else
            console_line_add(d, l, *s);
    }
    if (l->len != 0)
        l->since = now_ns();
}
