/* The PV console ring of each guest. Its output is read in chunks: when it sends the event, by
 * the input timer, and by the idle vCPU. input.c and store.c put characters in. core/console.c
 * decides when a guest's output may be shown; until then it stays in the ring. The guest gets an
 * event when some of it was read.
 *
 * The ring's page is the guest's memory: each index is read once and then checked. The
 * hypervisor's type reference keeps the page from becoming a page table while it is written
 * here. */
#include "arch/arch.h"
#include "xen/core/console.h"
#include "xen/core/console_line.h"
#include "xen/core/console_tx.h"
#include "xen/core/cpu.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/input.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/store.h"

#define DRAIN_NS 100000ull              /* how long a guest's own hypercall reads its ring */
/* How long one poll of all rings may take. */
#define POLL_NS 100000ull
/* An unfinished line is shown after this time at the latest. */
#define PROMPT_NS 1000000000ull

int console_attach(struct domain *d, mfn_t ring)
{
    struct frame *f;
    int rc, port;

    spin_lock(&d->mm_lock);
    rc = get_page_and_type(ring, d, TYPE_WRITABLE, &f);
    spin_unlock(&d->mm_lock);
    if (rc != 0)
        return rc;
    port = evtchn_bind_hypervisor(d, 0, console_drain);
    if (port < 0) {
        spin_lock(&d->mm_lock);
        put_page_and_type(f);
        spin_unlock(&d->mm_lock);
        return port;
    }
    d->console_mfn = ring;
    d->console_port = (evtchn_port_t)port;
    d->console_ring = mfn_to_virt(ring);
    console_input_offer(d);
    return port;
}

/* Number of bytes in the ring to be read; 0 if its indices are invalid. */
static uint32_t nr_waiting(const struct domain *d)
{
    const struct xencons_interface *ring = d->console_ring;
    uint32_t n;

    if (ring == NULL)
        return 0;
    n = READ_ONCE(ring->out_prod) - READ_ONCE(ring->out_cons);
    return n <= sizeof(ring->out) ? n : 0;
}

/* Reads at most limit bytes and at most one chunk; returns how many. The guest may write to the
 * ring meanwhile. */
static uint32_t drain_chunk(struct domain *d, uint32_t limit)
{
    struct xencons_interface *ring = d->console_ring;
    uint32_t len, cons;
    char chunk[CONSOLE_CHUNK];

    spin_lock(&d->line_lock);
    len = MIN(MIN(nr_waiting(d), limit), CONSOLE_CHUNK);
    if (len == 0) {
        spin_unlock(&d->line_lock);
        return 0;
    }
    cons = READ_ONCE(ring->out_cons);
    for (uint32_t i = 0; i < len; i++)
        chunk[i] = READ_ONCE(ring->out[MASK_XENCONS_IDX(cons + i, ring->out)]);
    guest_console_write(d, CONSOLE_BY_RING, chunk, len);
    barrier();
    WRITE_ONCE(ring->out_cons, cons + len);
    spin_unlock(&d->line_lock);
    return len;
}

/* It runs in the guest's own hypercall and counts as its run time, but it delays others, so it
 * is limited to DRAIN_NS. */
void console_drain(struct domain *d)
{
    uint64_t start = 0;
    uint32_t left;
    bool any = false, more;

    do {
        more = console_may_write(d) ? drain_chunk(d, CONSOLE_CHUNK) != 0
                                    : console_pump(CONSOLE_PUMP_NS);
        any |= more;
        left = nr_waiting(d);
        if (left == 0)
            break;
        start = start != 0 ? start : now_ns();
    } while (more && now_ns() - start < DRAIN_NS);
    if (!tx_empty())
        console_pump(CONSOLE_PUMP_NS);
    if (any)
        evtchn_raise(d, d->console_port);       /* the guest may be waiting for room in the ring */
    if (left != 0 || !tx_empty())
        console_poll_soon();
    if (d->id == STORE_DOMID && this_cpu() == cpus[0])
        store_poll();       /* it may have made room; the first CPU alone gives the ring input */
}

/* Reads only the bytes that are in the ring at the beginning: another domain may have the page
 * mapped and go on writing. */
bool console_finished(struct domain *d)
{
    uint64_t start = now_ns();
    uint32_t len;

    if (!d->console_ending) {
        d->console_ending = true;
        d->console_left = nr_waiting(d);
    }
    console_pump(CONSOLE_PUMP_NS);
    while (d->console_left != 0 && console_may_write(d) && now_ns() - start < DRAIN_NS) {
        len = drain_chunk(d, d->console_left);
        d->console_left = len != 0 ? d->console_left - len : 0;
    }
    if (d->console_left != 0)
        console_poll_soon();
    return d->console_left == 0 || tx_stuck();
}

void console_detach(struct domain *d)
{
    mfn_t mfn = d->console_mfn;

    console_end_lines(d);
    if (d->console_ring == NULL)
        return;
    d->console_ring = NULL;
    d->console_mfn = 0;
    spin_lock(&d->mm_lock);
    put_page_and_type(mfn_to_frame(mfn));
    spin_unlock(&d->mm_lock);
    console_input_withdraw(d);
}

bool console_has_room(const struct domain *d, unsigned n)
{
    const struct xencons_interface *ring = d->console_ring;
    uint32_t used;

    if (ring == NULL)
        return false;
    used = READ_ONCE(ring->in_prod) - READ_ONCE(ring->in_cons);
    return used <= sizeof(ring->in) && sizeof(ring->in) - used >= n;
}

void console_give(struct domain *d, char c)
{
    struct xencons_interface *ring = d->console_ring;
    uint32_t prod;

    if (!console_has_room(d, 1))
        return;
    prod = READ_ONCE(ring->in_prod);
    WRITE_ONCE(ring->in[MASK_XENCONS_IDX(prod, ring->in)], c);
    barrier();
    WRITE_ONCE(ring->in_prod, prod + 1);
    evtchn_raise(d, d->console_port);
}

/* If all vCPUs of a guest sleep, its unfinished line is a prompt. */
static bool is_prompt(const struct domain *d, const struct console_line *l)
{
    struct vcpu *v;
    unsigned i;

    if (l->len == 0)
        return false;
    if (now_ns() - l->since > PROMPT_NS)
        return true;
    for_each_vcpu(d, v, i)
        if (v->up && !v->blocked)
            return false;
    return true;
}

/* A dying domain's ring was read to its end, and its event channels may be closed. */
static bool poll_guest(struct domain *d)
{
    bool any;

    if (d->state >= DOM_DYING)
        return false;
    any = console_may_write(d) && drain_chunk(d, CONSOLE_CHUNK) != 0;
    if (any)
        evtchn_raise(d, d->console_port);
    spin_lock(&d->line_lock);
    for (unsigned way = 0; way < NR_CONSOLE_WAYS; way++)
        if (is_prompt(d, &d->console_line[way]) && console_may_write(d))
            console_show_line(d, &d->console_line[way], false);
    spin_unlock(&d->line_lock);
    if (d->console_ending && d->console_left != 0 && console_finished(d)) {
        sched_wake_idle(); /* domain_reap waits until its output has been read */
        any = true;
    }
    return any;
}

/* Reads one chunk of each guest in turn, and begins the next time after the last one. */
static bool poll_guests(uint64_t end)
{
    static domid_t last;
    domid_t from = last;
    bool any = false;
    struct domain *d;

    for (unsigned pass = 0; pass < 2; pass++)
        for_each_domain(d) {
            if ((d->id > from) != (pass == 0))
                continue;
            any |= poll_guest(d);
            last = d->id;
            if (now_ns() >= end)
                return any;
        }
    return any;
}

/* It runs in the timer interrupt, whose time is charged to no vCPU, and the serial line may be
 * slow. So its time is limited, or guests that always write would take the whole CPU. */
bool console_poll(void)
{
    uint64_t end = now_ns() + POLL_NS, now;
    bool any = false, more = true;

    for (now = end - POLL_NS; more && now < end; now = now_ns()) {
        more = console_pump(end - now);
        more |= poll_guests(end);
        any |= more;
    }
    return any;
}

bool console_busy(void)
{
    struct domain *d;

    if (!tx_empty())
        return true;
    for_each_domain(d)
        if (d->state < DOM_DYING && nr_waiting(d) != 0)
            return true;
    return false;
}
