/*
 * Owns the transport: for each guest the mapping of its ring page, by the grant that its builder
 * made, and the event channel to its first port. Bytes go between ring and connection here and are
 * judged in wire.c. The page is the guest's memory: indices are read once, ours are kept on our
 * side, and a ring that claims more than it holds is given up, as is a stream that cannot be
 * followed; the guest finds the reason in its page.
 *
 * We may die, and another store of the same number take our place, which knows of us only what the
 * pages say. So a request that was taken from the ring is kept in the page until its answer is in
 * the other ring (struct journal), and if it was lost with us, our successor carries it out. (To
 * leave it in the ring would not do: guests send an event only if everything before was taken.) A
 * request too long for that, or half an answer, ends the connection.
 */
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "gnttab.h"
#include "hypercall.h"
#include "ring.h"
#include "store.h"

#define JOURNAL_AT 2080u
#define SAVED_AT   (PAGE_SIZE - 8u - SAVED_BYTES)
#define STORE_PORT 1   /* the same in every guest: the first port that the builder allocates */

/* In the ring page, behind the structure of xs_wire.h. The store changes both words with one store,
 * so that they always match. */
struct journal {
    /* The ring's req_cons; bits 63:32: how many bytes of a request are kept here. */
    uint64_t state;
    uint8_t bytes[SAVED_AT - JOURNAL_AT - 8];
};
#define LOST UINT32_MAX   /* instead of the number: the connection cannot be resumed */

/* Behind it, what saved.c keeps for our successor. len is 0 while it is not whole. */
struct saved {
    uint32_t len, left_out;
    char text[SAVED_BYTES];
};

struct ring {
    struct ring *next;
    uint16_t domid;
    struct conn *conn;                  /* NULL: given up */
    volatile struct xenstore_domain_interface *page;
    grant_handle_t handle;
    int port;
    uint32_t req_cons, rsp_prod;
    uint32_t kept;                      /* bytes in the journal, or LOST */
    volatile bool due;                  /* an event came, or there was something the last time */
    bool stale;                         /* what is saved in the page is not true any more */
};
static struct ring *rings;
static bool any_stale;

static struct ring *find(uint16_t domid)
{
    struct ring *r = rings;

    while (r && r->domid != domid)
        r = r->next;
    return r;
}

static void on_event(port_t port, void *arg)
{
    struct ring *r = arg;

    (void)port;
    r->due = true;
    console_wake();
}

static bool refuse(struct ring *r, const char *what, int rc)
{
    kprintf("store: domain %u: %s: %d\n", r->domid, what, rc);
    if (r->conn)
        conn_free(r->conn);
    free(r);
    return false;
}

static void give_up(struct ring *r, uint32_t error)
{
    kprintf("store: domain %u: %s: it is not served any more\n", r->domid,
            error == XENSTORE_ERROR_RINGIDX ? "senseless ring indices"
            : error == XENSTORE_ERROR_COMM  ? "the store before us died inside of a message"
                                            : "a message beyond the protocol");
    r->page->error = error;
    conn_free(r->conn);
    r->conn = NULL;
    event_mask(r->port);
    event_send(r->port);
}

static struct journal *journal(struct ring *r)
{
    return (struct journal *)((uint8_t *)(uintptr_t)r->page + JOURNAL_AT);
}

static void journal_write(struct ring *r, uint32_t kept)
{
    r->kept = kept;
    __atomic_store_n(&journal(r)->state, (uint64_t)kept << 32 | r->req_cons, __ATOMIC_RELEASE);
}

/* The next bytes of a request have been taken. */
static void journal_add(struct ring *r, const void *bytes, uint32_t n)
{
    if (n > sizeof(journal(r)->bytes) || r->kept > sizeof(journal(r)->bytes) - n) {
        journal_write(r, LOST);
        return;
    }
    memcpy(journal(r)->bytes + r->kept, bytes, n);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    journal_write(r, r->kept + n);
}

static struct saved *saved(struct ring *r)
{
    return (struct saved *)((uint8_t *)(uintptr_t)r->page + SAVED_AT);
}

void ring_stale(uint16_t domid)
{
    struct ring *r = find(domid);

    if (!r || !r->conn)
        return;
    r->stale = any_stale = true;
}

static void save(struct ring *r)
{
    static char text[SAVED_BYTES];
    unsigned left_out;
    size_t len = saved_text(r->conn, text, &left_out);

    r->stale = false;
    __atomic_store_n(&saved(r)->len, 0, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(saved(r)->text, text, len);
    saved(r)->left_out = left_out;
    __atomic_store_n(&saved(r)->len, len, __ATOMIC_RELEASE);
}

/* Before what has changed is answered. */
static void save_all(void)
{
    if (!any_stale)
        return;
    any_stale = false;
    for (struct ring *r = rings; r; r = r->next)
        if (r->stale && r->conn)
            save(r);
}

/* The guest may have written anything there. */
static void restore(struct ring *r)
{
    uint32_t len = __atomic_load_n(&saved(r)->len, __ATOMIC_ACQUIRE);
    char text[SAVED_BYTES];

    if (saved(r)->left_out)
        kprintf("store: domain %u: there was no room to save all of its devices and watches\n",
                r->domid);
    if (len == 0 || len > sizeof(text))
        return;
    memcpy(text, saved(r)->text, len);
    text[len - 1] = '\0';
    saved_restore(r->conn, text, len);
}

/* The request that is kept in the page, in part, or whole and unanswered. Its bytes are a guest's,
 * as those of the ring are. */
static void carry_on(struct ring *r)
{
    uint8_t bytes[sizeof(journal(r)->bytes)];
    uint32_t n, at = 0;

    memcpy(bytes, journal(r)->bytes, r->kept);
    r->conn->repeats = true;
    while (at < r->kept && (n = conn_wants(r->conn))) {
        n = n < r->kept - at ? n : r->kept - at;
        conn_put(r->conn, bytes + at, n);
        at += n;
    }
    r->conn->repeats = false;
}

/* Continues from what a previous store has left in the page. Transaction ids start at a number that
 * the previous store hardly used, so that an old id is not taken for a new one. */
static void resume(struct ring *r)
{
    uint64_t state = journal(r)->state;

    r->req_cons = (uint32_t)state;
    r->kept = state >> 32;
    r->rsp_prod = r->page->rsp_prod;
    r->page->server_features = XENSTORE_SERVER_FEATURE_ERROR;
    r->conn->held = false;
    r->conn->resumed = r->req_cons != 0;
    if (r->conn->resumed)
        r->conn->last_transaction = (uint32_t)(clock_ns() >> 8);
    if (r->page->error != XENSTORE_ERROR_NONE)
        give_up(r, r->page->error);
    else if (r->kept > sizeof(journal(r)->bytes))
        give_up(r, XENSTORE_ERROR_COMM);
    else
        carry_on(r);
    if (r->conn && r->conn->out_len == 0)
        watch_pay(r->conn);
    /* The previous store may have ended after its journal and before this. */
    r->page->req_cons = r->req_cons;
    event_send(r->port);
}

bool ring_connect(uint16_t domid)
{
    struct ring *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return false;
    r->domid = domid;
    r->conn = conn_new(domid);
    if (!r->conn)
        return refuse(r, "no memory for its connection", 0);
    r->page = va_alloc(1);
    rc = grant_map((uint64_t)r->page, GNTMAP_host_map, domid, GNTTAB_RESERVED_XENSTORE, &r->handle);
    if (rc)
        return refuse(r, "its ring cannot be mapped", rc);
    r->port = event_bind_interdomain(domid, STORE_PORT, on_event, r);
    if (r->port < 0) {
        grant_unmap((uint64_t)r->page, r->handle);
        return refuse(r, "no event channel", r->port);
    }
    r->next = rings;
    rings = r;
    r->conn->held = true;
    restore(r);
    return true;
}

bool ring_begin(uint16_t domid)
{
    struct ring *r;

    if (!find(domid) && !ring_connect(domid))
        return false;
    r = find(domid);
    r->due = true;
    resume(r);
    return true;
}

void ring_disconnect(uint16_t domid)
{
    struct ring **at = &rings, *r;

    while (*at && (*at)->domid != domid)
        at = &(*at)->next;
    r = *at;
    if (!r)
        return;
    *at = r->next;
    if (r->conn)
        conn_free(r->conn);
    event_close(r->port);
    grant_unmap((uint64_t)r->page, r->handle);
    free(r);
}

static uint32_t load(volatile uint32_t *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/* Writes waiting output to the guest as far as there is room, and returns the number of bytes.
 * UINT32_MAX: invalid indices. */
static uint32_t push(struct ring *r)
{
    volatile struct xenstore_domain_interface *p = r->page;
    uint32_t used = r->rsp_prod - load(&p->rsp_cons), n = r->conn->out_len;

    if (used > XENSTORE_RING_SIZE)
        return UINT32_MAX;
    if (n > XENSTORE_RING_SIZE - used)
        n = XENSTORE_RING_SIZE - used;
    for (uint32_t i = 0; i < n; i++)
        p->rsp[MASK_XENSTORE_IDX(r->rsp_prod++)] = r->conn->out[i];
    if (n < r->conn->out_len)
        journal_write(r, LOST);
    if (n) {
        __atomic_store_n(&p->rsp_prod, r->rsp_prod, __ATOMIC_RELEASE);
        if (r->kept && n == r->conn->out_len && r->conn->in_len == 0)
            /* answered: cleared at once, or the next store would answer it again */
            journal_write(r, 0);
        conn_sent(r->conn, n);
    }
    return n;
}

/* Up to the end of one request. */
static uint32_t pull(struct ring *r)
{
    volatile struct xenstore_domain_interface *p = r->page;
    uint32_t there = load(&p->req_prod) - r->req_cons, taken = 0, n;
    char bytes[XENSTORE_RING_SIZE];

    if (there > XENSTORE_RING_SIZE)
        return UINT32_MAX;
    while ((n = conn_wants(r->conn)) && taken < there) {
        if (n > there - taken)
            n = there - taken;
        for (uint32_t i = 0; i < n; i++)
            bytes[i] = p->req[MASK_XENSTORE_IDX(r->req_cons++)];
        taken += n;
        journal_add(r, bytes, n);
        __atomic_store_n(&p->req_cons, r->req_cons, __ATOMIC_RELEASE);
        conn_put(r->conn, bytes, n);        /* it may be our last */
    }
    return taken;
}

static bool serve(struct ring *r)
{
    uint32_t in, out = push(r), more = 0;

    in = out != UINT32_MAX ? pull(r) : 0;
    save_all();
    if (out != UINT32_MAX && in != UINT32_MAX && !r->conn->broken && r->conn->out_len)
        more = push(r);
    if (out == UINT32_MAX || in == UINT32_MAX || more == UINT32_MAX)
        give_up(r, XENSTORE_ERROR_RINGIDX);
    else if (r->conn->broken)
        give_up(r, XENSTORE_ERROR_PROTO);
    else if (in | out | more)
        event_send(r->port);
    return in | out | more;
}

unsigned rings_count(void)
{
    unsigned n = 0;

    for (const struct ring *r = rings; r; r = r->next)
        n++;
    return n;
}

bool rings_serve(void)
{
    bool moved = false;

    save_all();
    for (struct ring *r = rings; r; r = r->next) {
        if (!r->conn || r->conn->held || (!r->due && !r->conn->out_len))
            continue;
        r->due = false;                 /* first: an event meanwhile counts */
        if (serve(r))
            r->due = moved = true;
    }
    return moved;
}
