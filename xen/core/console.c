/* The lines on the machine's console: the hypervisor's and the guests' share it line by line. All
 * bytes go through the transmit ring of console_tx.c. A guest's output comes by its PV console ring
 * (pv/console_ring.c) or by console_io; each line is prefixed "(dN) " and held back until it is
 * complete, or until the guest has written nothing more for a while (a prompt). Input is
 * pv/input.c's, filtering of a guest's bytes console_line.c's.
 *
 * Printing does not wait: bytes that the transmitter does not accept at once stay in the transmit
 * ring. A guest's next output is taken only when all of its earlier output was sent
 * (console_may_write); so guests share a slow line in turn, and a guest's own ring stays full
 * meanwhile. A part of the transmit ring is for the hypervisor alone; its lines for which there is
 * no room are dropped and counted. */
#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "xen/core/console.h"
#include "xen/core/console_line.h"
#include "xen/core/console_terminal.h"
#include "xen/core/console_tx.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/lock.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/request.h"
#include "xen/core/time.h"

static struct spinlock console_lock = SPINLOCK(LOCK_CONSOLE, 0);
static bool panicking;
/* Synchronous: each print waits until all is sent (console_wait) */
static bool waiting = true;
/* The unfinished line at the cursor; NULL: the cursor is at the start of a line. */
static struct console_line *open_line;
/* The domain that has the terminal in raw mode (console_terminal.c); NULL: none. */
static struct domain *raw_guest;
static unsigned lines_lost;             /* dropped for lack of room, and not reported yet */

/* Lines that an NMI or machine-check handler printed while its CPU held the lock, or waited for it:
 * printed when the lock is released. */
static struct {
    char text[2048];
    uint64_t len;
    unsigned lost;
    uint32_t adding;                    /* a handler on one of the CPUs is adding a line */
} late;

static void put_own(const char *s, size_t len);

static bool *printing(void)
{
    return &cpus[arch_cpu_id()]->printing;
}

/* The flag is set before: an NMI may come at any point of spin_lock(). */
static void lock_console(void)
{
    if (panicking)
        return;
    WRITE_ONCE(*printing(), true);
    barrier();
    spin_lock(&console_lock);
}

/* After output of the hypervisor was put into the transmit ring. */
static void send(void)
{
    if (waiting)
        tx_flush();
    else
        tx_pump(CONSOLE_PUMP_NS);
}

/* After output of a guest was put there. Otherwise the caller that read it from the guest calls
 * console_pump, once for all of its lines. */
static void send_if_waiting(void)
{
    if (waiting)
        tx_flush();
}

/* An NMI may add to `late` while this runs, so it repeats until nothing was added. */
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
    bool again;

    if (panicking)
        return;
    do {
        if (READ_ONCE(late.len) != 0)
            put_late();
        spin_unlock(&console_lock);
        WRITE_ONCE(*printing(), false);
        barrier();
        again = READ_ONCE(late.len) != 0;
        if (again)
            lock_console();
    } while (again);
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
    tx_flush();
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

/* One or more complete lines; all of them, or none. Room is needed for twice the bytes: a \r goes
 * before each \n. */
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
        console_raw(lost, (size_t)snprintf(lost, sizeof(lost), "(XEN) %u lines lost: no room\n",
                                           lines_lost));
    lines_lost = 0;
    console_raw(s, len);
}

/* A CPU that holds the lock may set len to 0 meanwhile, when it has printed the lines. */
static void add_late(const char *s, size_t len)
{
    uint64_t at;

    while (xchg(&late.adding, 1))
        cpu_relax();
    do {
        at = READ_ONCE(late.len);
        if (len > sizeof(late.text) - at) {
            late.lost++;
            break;
        }
        memcpy(late.text + at, s, len);
    } while (arch_cmpxchg64(&late.len, at, at + len) != at);
    store_release(&late.adding, 0);
}

void console_put(const char *s, size_t len)
{
    if (!panicking && READ_ONCE(*printing())) {
        add_late(s, len);
        return;
    }
    lock_console();
    put_own(s, len);
    send();
    unlock_console();
}

bool console_pump(uint64_t ns)
{
    bool any;

    lock_console();
    any = tx_pump(ns);
    unlock_console();
    return any;
}

/* Without the lock, for longer than it takes to see that nothing can be sent: so CPUs that print
 * get it. They may also wait until this one has flushed its TLB. */
static void let_others_print(void)
{
    for (unsigned i = 0; i < 200; i++) {
        serve_flush_requests();
        cpu_relax();
    }
}

/* A slow line takes seconds for half a ring. */
void console_make_room(void)
{
    bool enough;

    do {
        lock_console();
        tx_pump(CONSOLE_PUMP_NS);
        enough = tx_room() >= TX_BYTES / 2 || tx_stuck();
        unlock_console();
        if (!enough)
            let_others_print();
    } while (!enough);
}

bool console_may_write(const struct domain *d)
{
    return waiting ||
           (tx_sent(d->console_position) && TX_BYTES - tx_room() + TX_CHUNK_MOST <= TX_GUESTS_MOST);
}

/* The lines of the raw guest's ring are not shown: its bytes went to the terminal directly
 * (write_raw). */
static bool is_hidden(const struct domain *d, const struct console_line *l)
{
    return d == raw_guest && l == &d->console_line[CONSOLE_BY_RING];
}

void console_show_line(struct domain *d, struct console_line *l, bool whole)
{
    char prefix[16];

    ASSERT(is_locked(&d->line_lock));
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
    spin_lock(&d->line_lock);
    for (unsigned way = 0; way < NR_CONSOLE_WAYS; way++)
        if (d->console_line[way].len != 0 || open_line == &d->console_line[way])
            console_show_line(d, &d->console_line[way], true);
    spin_unlock(&d->line_lock);
}

/* The lines of d that are held back are shown before it gets the terminal. */
void console_set_raw(struct domain *d)
{
    struct domain *before = raw_guest;

    if (d == before)
        return;
    if (d != NULL)
        console_end_lines(d);
    if (before != NULL)
        spin_lock(&before->line_lock);
    lock_console();
    if (before != NULL) {
        terminal_end();
        before->console_line[CONSOLE_BY_RING].len = 0;
        raw_guest = NULL;
    }
    end_open_line();
    raw_guest = d;
    terminal_begin();
    send();
    unlock_console();
    if (before != NULL)
        spin_unlock(&before->line_lock);
    if (d != NULL)
        log_info("*** d%u has the terminal to itself (console_raw)", d->id);
}

/* Nothing, if another has got the terminal meanwhile. */
static void write_raw(struct domain *d, const char *s, size_t len)
{
    lock_console();
    if (d != raw_guest) {
        unlock_console();
        return;
    }
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
    struct console_line *l = &d->console_line[way],
                        *other = &d->console_line[NR_CONSOLE_WAYS - 1 - way];

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
