/* Input from the machine's console: it goes to one guest or to the hypervisor, whose keys are
 * here; Ctrl-a three times selects the next. A timer, which main starts, polls the serial line.
 * Putting characters into a guest's ring is in console_ring.c. */
#include "arch/arch.h"
#include "common/printf.h"
#include "xen/core/console.h"
#include "xen/core/console_terminal.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_show.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/hypercall_counts.h"
#include "xen/pv/input.h"
#include "xen/pv/store.h"

#define SWITCH_CHAR 1                   /* Ctrl-a */
#define ESC '\033'
#define BEL '\007'
#define POLL_NS 20000000ull
/* poll interval while input comes: the receiver's buffer has 16 characters */
#define TYPING_NS 1000000ull
#define SENDING_NS 1400000ull /* poll interval while output is sent: 16 characters at 115200 baud */
#define PAUSE_NS 50000000ull /* that interval is kept for this time after the last input */
#define PATIENCE_NS 2000000000ull       /* how long input waits for a guest that does not read */
#define INPUT_MAX 64u                   /* characters taken at one poll */

static domid_t input_domain; /* 0: the hypervisor; the service domain (number 0) gets no input */
/* What the last key does to the domain whose digit comes next; NULL: that key needs no digit. */
static void (*choosing)(domid_t id);
static domid_t last_guest;              /* the last guest that got input */
static unsigned nr_switch;              /* number of Ctrl-a that came one after the other, 0 to 2 */
static uint64_t full_since;             /* ns; 0: there is room */

/* One that has not ended; also while it is built. */
static struct domain *live(domid_t id)
{
    struct domain *d = domain_at(id);

    return d != NULL && d->state < DOM_DYING ? d : NULL;
}

static void choose_raw(void)
{
    console_choose_raw(live(last_guest), input_domain == 0 && last_guest != 0);
}

static void set_input(domid_t id)
{
    char who[8] = "Xen";

    input_domain = id;
    if (id != 0)
        last_guest = id;
    choose_raw();
    if (id != 0)
        snprintf(who, sizeof(who), "DOM%u", id);
    log_info("*** Serial input to %s (type 'CTRL-a' three times to switch input)", who);
}

/* Guests in the order of their numbers, then the hypervisor, then the first guest again. */
static void next_input(void)
{
    struct domain *d;

    for_each_domain(d)
        if (d->console_ring != NULL && d->id > input_domain) {
            set_input(d->id);
            return;
        }
    set_input(0);
}

void console_input_offer(struct domain *d)
{
    struct domain *other;

    for_each_domain(other)
        if (other != d && !other->serves && other->console_ring != NULL) {
            choose_raw();                           /* d is not alone */
            return;
        }
    if (!d->serves)
        set_input(d->id);
}

void console_input_withdraw(struct domain *d)
{
    struct domain *other;

    for_each_domain(other)
        if (input_domain == d->id && !other->serves && other->console_ring != NULL)
            set_input(other->id);
    if (input_domain == d->id)
        input_domain = 0;
    choose_raw();
}

static void log_domains(void)
{
    static const char *const states[] = { "building", "running", "shutting down", "dying", "dead" };
    struct domain *d;
    struct vcpu *v;
    unsigned i;

    for_each_domain(d) {
        log_info("d%u (%s): %s, %lu frames", d->id, d->name, states[d->state], d->nr_frames);
        for_each_vcpu(d, v, i) log_info("  v%u: %s, ran %lu ms", i,
                                        !v->up       ? "down"
                                        : v->blocked ? "blocked"
                                                     : "runnable",
                                        v->cpu_ns / 1000000);
    }
}

static void request_shutdown(domid_t id)
{
    if (store_shutdown(id))
        log_info("d%u is asked to power off", id);
    else
        log_info("d%u cannot be asked: no such guest, or nobody serves its store", id);
}

static void destroy(domid_t id)
{
    struct domain *d = live(id);

    log_info(d != NULL ? "d%u is ended, by a key" : "d%u: no such domain", id);
    if (d != NULL)
        domain_shutdown(d, SHUTDOWN_poweroff);
}

static void choose_shutdown(void)
{
    choosing = request_shutdown;
}

static void choose_destroy(void)
{
    choosing = destroy;
}

/* The digit after such a key. */
static void choose(char c)
{
    void (*fn)(domid_t id) = choosing;

    choosing = NULL;
    if (c >= '0' && c <= '9')
        fn((domid_t)(c - '0'));
}

static void toggle_raw(void)
{
    options.console_raw = console_wants_raw() ? RAW_OFF : RAW_ON;
    choose_raw();
    log_info("Guests' output is shown %s",
             console_wants_raw() ? "as it is, of the guest that has the input" : "line by line");
}

static void reboot(void)
{
    console_wait();
    arch_reboot();
}

static void log_keys(void);

/* Keys while input goes to the hypervisor. */
static const struct {
    char key;
    void (*fn)(void);
    const char *what;
} keys[] = {
    { 'h', log_keys, "show this" },
    { 'q', log_domains, "show the domains" },
    { 'c', hypercalls_report, "show how often each hypercall was made" },
    { 't', trace_toggle, "switch the trace on or off" },
    { 'T', trace_show, "show the last records of the trace" },
    { 'r', toggle_raw,
      "show the output of the guest that has the input as it is, or that of all by lines" },
    { 's', choose_shutdown, "and a digit: ask that guest to power off" },
    { 'x', choose_destroy, "and a digit: end that domain at once" },
    { 'R', reboot, "reboot the machine" },
};

static void log_keys(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
        log_info(" key '%c' => %s", keys[i].key, keys[i].what);
}

/* A terminal may send the answer to a guest's request just after the input moved to the
 * hypervisor. Such escape sequences must not act as keys, so they are skipped as a whole: CSI to
 * its last byte, strings (OSC, DCS and others) to BEL or the backslash of ST. */
static bool in_sequence(char c)
{
    static enum { KEYS, ESCAPE, SEQUENCE, STRING } state;

    if (c == ESC) {
        state = state == STRING ? STRING : ESCAPE;
        return true;
    }
    switch (state) {
    case KEYS:
        return false;
    case ESCAPE:
        state = c == '[' || c == 'O'                                       ? SEQUENCE
                : c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_' ? STRING
                                                                           : KEYS;
        return true;
    case SEQUENCE:
        state = c >= '@' && c <= '~' ? KEYS : SEQUENCE;
        return true;
    default:
        state = c == BEL || c == '\\' ? KEYS : STRING;
        return true;
    }
}

static void give_input(char c)
{
    struct domain *d = input_domain != 0 ? live(input_domain) : NULL;

    if (d != NULL)
        console_give(d, c);
    if (input_domain == 0 && in_sequence(c))
        return;
    if (input_domain == 0 && choosing != NULL) {
        choose(c);
        return;
    }
    for (unsigned i = 0; input_domain == 0 && i < ARRAY_SIZE(keys); i++)
        if (keys[i].key == c)
            keys[i].fn();
}

/* One or two Ctrl-a that another character follows go to the guest. */
static void handle_char(char c)
{
    if (c == SWITCH_CHAR) {
        if (++nr_switch == 3) {
            nr_switch = 0;
            next_input();
        }
        return;
    }
    for (; nr_switch != 0; nr_switch--)
        give_input(SWITCH_CHAR);
    give_input(c);
}

/* While the guest's ring is full, characters stay in the receiver, so none is lost. After
 * PATIENCE_NS they are read and dropped, or a guest that does not read would keep Ctrl-a from
 * working. */
static bool input_has_room(void)
{
    struct domain *d = input_domain != 0 ? live(input_domain) : NULL;

    if (d == NULL || console_has_room(d, nr_switch + 1)) {
        full_since = 0;
        return true;
    }
    if (full_since == 0)
        full_since = now_ns();
    return now_ns() - full_since > PATIENCE_NS;
}

/* Whether there was input within PAUSE_NS. */
static bool handle_input(void)
{
    static uint64_t typed_at;
    int c;

    for (unsigned i = 0; i < INPUT_MAX && input_has_room() && (c = arch_console_getc()) >= 0; i++) {
        handle_char((char)c);
        typed_at = now_ns();
    }
    return typed_at != 0 && now_ns() - typed_at < PAUSE_NS;
}

bool console_input(void)
{
    bool came = handle_input();

    store_poll();
    console_poll();
    return came;
}

static struct timer poll_timer;

static void poll(void *arg)
{
    bool typing = console_input();

    (void)arg;
    timer_set(&poll_timer, now_ns() + (typing ? TYPING_NS : console_busy() ? SENDING_NS : POLL_NS));
}

void console_poll_soon(void)
{
    uint64_t soon = now_ns() + SENDING_NS;

    if (this_cpu() != cpus[0])          /* that one has the timer, and comes in POLL_NS */
        return;
    if (!timer_armed(&poll_timer) || poll_timer.deadline_ns <= soon)
        return;
    timer_cancel(&poll_timer);
    timer_set(&poll_timer, soon);
}

void console_input_start(void)
{
    timer_cancel(&poll_timer);          /* in host tests the machine starts more than once */
    timer_init(&poll_timer, poll, NULL);
    timer_set(&poll_timer, now_ns() + POLL_NS);
    console_go_on();
}
