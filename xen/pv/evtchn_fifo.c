/* FIFO event channels: pages of the guest hold an event word for each port and, for each vCPU, a
 * control block with the heads of 16 queues, one for each priority. A queue is a list of ports
 * linked by their words. The hypervisor adds ports at the tail, the guest removes them at the
 * head. Ports are in evtchn.c, the hypercalls in evtchn_op.c, which call this.
 *
 * All of this is the guest's memory. The hypervisor reads only the flags of a word, and each
 * value of them is harmless: it keeps the tails, which say where to link, in its own memory, and
 * only writes links, heads and the ready word. A guest that writes nonsense there loses its own
 * events. Nothing here waits for a guest.
 *
 * A word while its port goes through the queue (P pending, L linked, M masked):
 *
 *      0 --send--> P L --the guest takes it off--> P --and handles it--> 0
 *      M --send--> P M --EVTCHNOP_unmask--> P L
 *
 * The guest takes a port off by clearing L and its link at once, and takes the link as the new
 * head; 0 was the last. A tail without L is therefore the end of an empty queue. */
#include "arch/arch.h"
#include "common/atomic.h"
#include "xen/core/claim.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/sched.h"
#include "xen/pv/evtchn_fifo.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/pagetype.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)   /* asks the guest not to change the word */
#define LINK_MASK ((uint32_t)EVTCHN_FIFO_LINK_MASK)
#define LINK_TRIES 8u

/* NULL: the guest has given no page for it yet. nr_pages is read before the pointer to the page. */
static inline event_word_t *word_of(struct evtchn_fifo *f, evtchn_port_t port)
{
    unsigned n = port / WORDS_PER_PAGE;

    return n < load_acquire(&f->nr_pages) ? &f->page[n][port % WORDS_PER_PAGE] : NULL;
}

static inline bool has_flag(struct domain *d, evtchn_port_t port, uint32_t flag)
{
    const event_word_t *word = word_of(d->evtchn->fifo, port);

    return word != NULL && (READ_ONCE(*word) & flag);
}

/* Links port behind the tail, unless the guest has removed the tail from the queue. If the guest
 * keeps changing the word on another CPU, BUSY asks it to stop; if it does not, the event may be
 * lost, which harms only that guest. */
static bool link_to_tail(event_word_t *tail, evtchn_port_t port)
{
    uint32_t w = READ_ONCE(*tail);

    for (unsigned i = 0; i < LINK_TRIES && (w & LINKED); i++) {
        if (try_cmpxchg(tail, &w, (w & ~(LINK_MASK | BUSY)) | port))
            return true;
        if (i == LINK_TRIES / 2)
            w = fetch_or(tail, BUSY) | BUSY;
    }
    if (w & BUSY)
        locked_and(tail, ~BUSY);
    return false;
}

/* Adds the port to the queue of v for its priority. If the port is still recorded as the tail of
 * another queue, the guest has removed it from there and that queue is empty. The record is
 * cleared, or the next port of that queue would be linked to this one, in the wrong queue. */
static void enqueue(struct evtchn_fifo *f, struct vcpu *v, struct evtchn *e, evtchn_port_t port,
                    event_word_t *word)
{
    struct evtchn_fifo_control_block *control = READ_ONCE(f->vcpu[v->id].control);
    uint8_t priority = READ_ONCE(e->priority);
    evtchn_port_t *last = &f->vcpu[e->last_vcpu].tail[e->last_priority];
    evtchn_port_t *tail = &f->vcpu[v->id].tail[priority];

    if (control == NULL || (fetch_or(word, LINKED) & LINKED))
        return;
    if (*last == port)
        *last = 0;
    e->last_vcpu = (uint8_t)v->id;
    e->last_priority = priority;
    if (*tail == 0 || !link_to_tail(word_of(f, *tail), port)) {
        uint32_t ready = 1u << priority;

        WRITE_ONCE(control->head[priority], port);
        if (!(fetch_or(&control->ready, ready) & ready))
            mark_events_pending(v);
    }
    *tail = port;
}

/* `old` is the word before the change that may make its port due. */
static inline void enqueue_if_due(struct vcpu *v, struct evtchn *e, evtchn_port_t port,
                                  event_word_t *word, uint32_t old)
{
    struct evtchn_fifo *f = v->domain->evtchn->fifo;

    if (old & LINKED)
        return;
    spin_lock(&f->lock);
    enqueue(f, v, e, port, word);
    spin_unlock(&f->lock);
}

/* There is no page for the port's word yet: the event is recorded in the port, and delivered when
 * the page comes (add_page). NULL, unless the page has come meanwhile and add_page has not seen the
 * record. */
static event_word_t *note_pending(struct domain *d, struct evtchn *e, evtchn_port_t port)
{
    event_word_t *word;

    WRITE_ONCE(e->pending, true);
    smp_mb();
    word = word_of(d->evtchn->fifo, port);
    return word != NULL && xchg(&e->pending, false) ? word : NULL;
}

static void fifo_set_pending(struct vcpu *v, struct evtchn *e, evtchn_port_t port)
{
    struct domain *d = v->domain;
    event_word_t *word = word_of(d->evtchn->fifo, port);
    uint32_t old;

    if (unlikely(word == NULL)) {
        word = note_pending(d, e, port);
        if (word == NULL)
            return;
    }
    old = fetch_or(word, PENDING);
    if (!(old & MASKED))
        enqueue_if_due(v, e, port, word, old);
    if (!(old & PENDING) && unlikely(READ_ONCE(d->poll_mask) != 0))
        evtchn_wake_pollers(d, port);
}

/* The port may stay in a queue: the guest skips ports that are not pending. */
static void fifo_clear_pending(struct domain *d, evtchn_port_t port)
{
    event_word_t *word = word_of(d->evtchn->fifo, port);

    if (word != NULL)
        locked_and(word, ~PENDING);
}

static bool fifo_is_pending(struct domain *d, evtchn_port_t port)
{
    return has_flag(d, port, PENDING);
}

static bool fifo_is_busy(struct domain *d, evtchn_port_t port)
{
    return has_flag(d, port, LINKED);
}

static void fifo_unmask(struct vcpu *v, struct evtchn *e, evtchn_port_t port)
{
    event_word_t *word = word_of(v->domain->evtchn->fifo, port);
    uint32_t old;

    if (word == NULL)
        return;
    old = fetch_and(word, ~MASKED);
    if (old & PENDING)
        enqueue_if_due(v, e, port, word, old);
}

static const struct evtchn_abi fifo_abi = {
    EVTCHN_FIFO_NR_CHANNELS, fifo_set_pending, fifo_clear_pending,
    fifo_is_pending,         fifo_is_busy,     fifo_unmask,
};

/* Takes references on a guest frame, which keep it plain writable memory (E5); mm_lock is held.
 * NULL: it is not such a frame. */
static void *hold_page(struct domain *d, mfn_t mfn)
{
    struct frame *f;

    return get_page_and_type(mfn, d, TYPE_WRITABLE, &f) == 0 ? mfn_to_virt(mfn) : NULL;
}

static void drop_page(const void *page)
{
    put_page_and_type(mfn_to_frame(virt_to_mfn(page)));
}

/* Events that are pending in the bitmaps are recorded in the ports until the pages of their
 * words are there. The bits are cleared, or they would still be set when a reset brings the
 * bitmaps back. A sender on another CPU may set a bit behind this search; but then it sees the new
 * abi, because it looks again after it has set the bit (a locked instruction). */
static void leave_two_level(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;

    store_release(&t->abi, &fifo_abi);
    smp_mb();
    for (evtchn_port_t port = 1; port < t->nr_valid; port++)
        if (evtchn_two_level.is_pending(d, port)) {
            struct evtchn *e = evtchn_lookup(d, port);

            if (e->state != EVTCHNSTAT_closed)
                WRITE_ONCE(e->pending, true);
            evtchn_two_level.clear_pending(d, port);
        }
    count_work(t->nr_valid * WORK_PER_STATE);
}

void fifo_set_pending_again(struct vcpu *v, struct evtchn *e, evtchn_port_t port)
{
    evtchn_two_level.clear_pending(v->domain, port);
    fifo_set_pending(v, e, port);
}

/* The locks are held. `fresh` is used up (NULL afterwards) by the first vCPU. */
static int give_control(struct domain *d, const struct evtchn_init_control *op,
                        struct evtchn_fifo **fresh)
{
    struct evtchn_table *t = d->evtchn;
    struct evtchn_fifo *f = t->fifo != NULL ? t->fifo : *fresh;
    char *page;

    if (f == NULL)
        return -ENOMEM;
    if (f->vcpu[op->vcpu].control != NULL)
        return -EINVAL;
    page = hold_page(d, op->control_gfn);
    if (page == NULL)
        return -EINVAL;
    /* A sender to another vCPU may be in a queue meanwhile. */
    WRITE_ONCE(f->vcpu[op->vcpu].control,
               (struct evtchn_fifo_control_block *)(page + op->offset));
    if (t->fifo == NULL) {
        *fresh = NULL;
        spin_lock_init(&f->lock, LOCK_FIFO, d->id);
        store_release(&t->fifo, f);
        leave_two_level(d);
    }
    return 0;
}

int fifo_init_control(struct domain *d, struct evtchn_init_control *op)
{
    struct evtchn_fifo *fresh;
    int rc;

    if (op->vcpu >= d->nr_vcpus)
        return -ENOENT;
    if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset % 8 != 0)
        return -EINVAL;
    fresh = READ_ONCE(d->evtchn->fifo) == NULL ? alloc_page_for(d) : NULL;
    spin_lock(&d->mm_lock);
    spin_lock(&d->evtchn->lock);
    rc = give_control(d, op, &fresh);
    spin_unlock(&d->evtchn->lock);
    spin_unlock(&d->mm_lock);
    free_page_for(d, fresh);
    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    return rc;
}

/* The page is complete before nr_pages covers it. Then the events that came for its ports before
 * there was a page are delivered; a sender that this search misses sees the page (note_pending). */
static int add_page(struct domain *d, mfn_t mfn)
{
    struct evtchn_fifo *f = d->evtchn->fifo;
    evtchn_port_t port;
    struct evtchn *e;

    if (f == NULL)
        return -EOPNOTSUPP;
    if (f->nr_pages == MAX_ARRAY_PAGES)
        return -ENOSPC;
    f->page[f->nr_pages] = hold_page(d, mfn);
    if (f->page[f->nr_pages] == NULL)
        return -EINVAL;
    port = f->nr_pages * WORDS_PER_PAGE;
    store_release(&f->nr_pages, f->nr_pages + 1);
    smp_mb();
    for (; port < f->nr_pages * WORDS_PER_PAGE && (e = evtchn_lookup(d, port)) != NULL; port++)
        if (READ_ONCE(e->pending) && xchg(&e->pending, false)) {
            evtchn_set_pending(d, e, port);
            count_work(WORK_PER_PORT);
        }
    count_work(WORDS_PER_PAGE * WORK_PER_STATE);
    return 0;
}

int fifo_expand_array(struct domain *d, mfn_t mfn)
{
    int rc;

    spin_lock(&d->mm_lock);
    spin_lock(&d->evtchn->lock);
    rc = add_page(d, mfn);
    spin_unlock(&d->evtchn->lock);
    spin_unlock(&d->mm_lock);
    return rc;
}

void fifo_destroy(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;
    struct evtchn_fifo *f = READ_ONCE(t->fifo);

    if (f == NULL)
        return;
    spin_lock(&d->mm_lock);
    spin_lock(&t->lock);
    WRITE_ONCE(t->abi, &evtchn_two_level);
    WRITE_ONCE(t->nr_valid, MIN(t->nr_valid, t->abi->nr_ports));
    evtchn_reset_has_room(t);
    WRITE_ONCE(t->fifo, NULL);
    spin_unlock(&t->lock);
    for (unsigned i = 0; i < f->nr_pages; i++)
        drop_page(f->page[i]);
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        if (f->vcpu[i].control != NULL)
            drop_page(f->vcpu[i].control);
    spin_unlock(&d->mm_lock);
    free_page_for(d, f);
}
