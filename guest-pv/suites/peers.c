/* Suite "peers": two domains, each told the other's number by peer=. The one with the lower number
 * offers a control page under a grant reference that both know; the page holds the port to connect
 * to, and the other domain maps it. From then on both domains run every test, each its own side,
 * and meet() at the steps. Every wait has a time limit, and neither side relies on the other
 * having started at the same time. The pages that they share are in peers_grants.c.
 *
 * If peer= is the domain's own number, both sides run in this domain, the second in a thread. That
 * tests this file. */
#include "clock.h"
#include "hypercall.h"
#include "peers.h"
#include "suite.h"
#include "thread.h"

#define MAGIC        0x70656572
#define FIRST_MEET   (120 * NS_PER_S)   /* the other domain may still run other suites */
#define PATIENCE     (30 * NS_PER_S)
#define ROUNDS       100

static struct side sides[2];
static volatile uint32_t rings[2];              /* events seen by each side */

static void on_ring(port_t port, void *arg)
{
    (void)port;
    ++*(volatile uint32_t *)arg;
}

/* --- Waiting ---------------------------------------------------------------------------------- */

/* Until *word, which only grows, is at least so large. */
static bool wait_for(const volatile uint32_t *word, uint32_t at_least, uint64_t ns)
{
    for (uint64_t end = clock_ns() + ns; (int32_t)(*word - at_least) < 0;) {
        if (clock_ns() > end)
            return false;
        thread_sleep(NS_PER_MS);
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return true;
}

static bool meet_within(struct side *s, uint64_t ns)
{
    if (!s->joined)
        return false;
    __atomic_store_n(&s->control->step[s->nr], ++s->step, __ATOMIC_RELEASE);
    s->joined = EXPECT_MSG(wait_for(&s->control->step[!s->nr], s->step, ns),
                           "the other side is not at step %u", s->step);
    return s->joined;
}

bool meet(struct side *s)
{
    return meet_within(s, PATIENCE);
}

/* --- Joining ---------------------------------------------------------------------------------- */

static bool offer(struct side *s)
{
    pfn_t control = frame_alloc(), rw = frame_alloc(), ro = frame_alloc();
    int port = event_alloc_unbound(s->other, on_ring, (void *)&rings[0]);

    if (!EXPECT(port > 0))
        return false;
    s->port = port;
    s->control = p2v(control);
    s->rw = p2v(rw), s->ro = p2v(ro);
    s->control->port = port;
    __atomic_store_n(&s->control->magic, MAGIC, __ATOMIC_RELEASE);
    grant_offer(REF_RW, s->other, pfn_to_mfn(rw), 0);
    grant_offer(REF_RO, s->other, pfn_to_mfn(ro), GTF_readonly);
    grant_offer(REF_FOREIGN, 0x7123, pfn_to_mfn(ro), 0);
    grant_offer(REF_CONTROL, s->other, pfn_to_mfn(control), 0);
    return true;
}

static grant_handle_t control_handle;

/* The other domain may not have started yet; until then its reference is invalid. */
static bool join(struct side *s)
{
    uint64_t end = clock_ns() + FIRST_MEET;
    int rc, port;

    s->control = va_alloc(1);
    s->rw = va_alloc(1), s->ro = va_alloc(1);
    while ((rc = grant_map((uint64_t)s->control, GNTMAP_host_map, s->other, REF_CONTROL,
                           &control_handle))) {
        if (clock_ns() > end)
            return EXPECT_MSG(false, "domain %u never offered its page: %d", s->other, rc);
        thread_sleep(10 * NS_PER_MS);
    }
    if (!EXPECT_EQ(__atomic_load_n(&s->control->magic, __ATOMIC_ACQUIRE), MAGIC))
        return false;
    port = event_bind_interdomain(s->other, s->control->port, on_ring, (void *)&rings[1]);
    s->port = port;
    return EXPECT_MSG(port > 0, "connecting to port %u of domain %u: %d", s->control->port,
                      s->other, port);
}

/* --- One function for both sides of each test ------------------------------------------------- */

static void send_hello(struct side *s)
{
    evtchn_status_t st;

    s->joined = s->nr ? join(s) : offer(s);
    if (!meet_within(s, FIRST_MEET))
        return;
    EXPECT_EQ(event_status(s->port, &st), 0);
    EXPECT_EQ(st.status, EVTCHNSTAT_interdomain);
    EXPECT_EQ(st.u.interdomain.dom, s->other);
    if (s->nr)
        EXPECT_EQ(st.u.interdomain.port, s->control->port);
    meet(s);
}

/* Each answers the other's event, and each counts. */
static void ping_pong(struct side *s)
{
    uint32_t base;

    if (!meet(s))
        return;
    event_force_upcall();
    base = rings[s->nr];                        /* connecting may have sent one, too */
    if (!meet(s))
        return;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        if (s->nr == 0 && event_send(s->port))
            break;
        if (!wait_for(&rings[s->nr], base + i, PATIENCE))
            break;
        if (s->nr == 1 && event_send(s->port))
            break;
    }
    meet(s);
    EXPECT_EQ(rings[s->nr] - base, ROUNDS);
    meet(s);
}

/* Grants to another domain, closed grants, a connected port, and operations that name the other
 * domain. */
static void refusals(struct side *s)
{
    grant_handle_t handle;
    struct evtchn_alloc_unbound alloc = { .dom = s->other, .remote_dom = s->other };
    evtchn_status_t st = { .dom = s->other, .port = 1 };
    domid_t other = s->other;

    if (!meet(s))
        return;
    if (s->nr == 1) {
        uint64_t at = (uint64_t)s->rw;

        EXPECT(grant_map(at, GNTMAP_host_map, s->other, REF_FOREIGN, &handle) < 0);
        EXPECT(grant_map(at, GNTMAP_host_map, s->other, REF_CLOSED, &handle) < 0);
        EXPECT(grant_map(at, GNTMAP_host_map, s->other, REF_RW, &handle) < 0);
        EXPECT_EQ(event_bind_interdomain(s->other, s->control->port, NULL, NULL), -XEN_EINVAL);
    }
    if (s->other != own_domid()) {              /* a domain may not act for another */
        EXPECT_EQ(xen_event_channel_op(EVTCHNOP_alloc_unbound, &alloc), -XEN_EPERM);
        EXPECT_EQ(xen_event_channel_op(EVTCHNOP_status, &st), -XEN_EPERM);
        EXPECT_EQ(xen_memory_op(XENMEM_current_reservation, &other), -XEN_EPERM);
    }
    meet(s);
}

/* One end closes: the other becomes unbound and waits for a new partner; its sends are dropped. */
static void parting(struct side *s)
{
    evtchn_status_t st;

    if (!meet(s))
        return;
    if (s->nr == 1)
        EXPECT_EQ(event_close(s->port), 0);
    if (!meet(s))
        return;
    if (s->nr == 0) {
        EXPECT_EQ(event_status(s->port, &st), 0);
        EXPECT_EQ(st.status, EVTCHNSTAT_unbound);
        EXPECT_EQ(event_send(s->port), 0);
        EXPECT_EQ(event_close(s->port), 0);
    }
    meet(s);
    if (s->nr == 1)
        EXPECT_EQ(grant_unmap((uint64_t)s->control, control_handle), GNTST_okay);
    else if (s->joined)
        for (uint64_t end = clock_ns() + PATIENCE; !grant_revoke(REF_CONTROL) && clock_ns() < end;)
            thread_sleep(NS_PER_MS);
    if (s->nr == 0)
        EXPECT_EQ(gnttab()[REF_CONTROL].flags, 0);
    s->joined = false;
}

/* --- The tests -------------------------------------------------------------------------------- */

static void (*both_sides)(struct side *);

static void run_side(void *arg)
{
    both_sides(arg);
}

static void run(void (*fn)(struct side *))
{
    domid_t own = own_domid(), other = test_peer();
    unsigned nr = own > other;
    struct thread *t;

    if (!gnttab())
        SKIP("no grant tables");
    if (fn != send_hello && !sides[nr].joined)
        SKIP("the other side was never met, or lost");
    sides[0].other = sides[1].other = other;
    sides[1].nr = 1;
    both_sides = fn;
    if (own != other) {
        fn(&sides[nr]);
        return;
    }
    t = thread_create("other side", run_side, &sides[1]);
    fn(&sides[0]);
    thread_join(t);
}

static void meeting(void)           { run(send_hello); }
static void events(void)            { run(ping_pong); }
static void page_for_writing(void)  { run(peers_shared_page); }
static void page_for_reading(void)  { run(peers_read_only_page); }
static void copies(void)            { run(peers_copies); }
static void refused(void)           { run(refusals); }
static void closing(void)           { run(parting); }

SUITE(peers, 90, SUITE_NEEDS_PEER, TEST(meeting), TEST(events), TEST(page_for_writing),
      TEST(page_for_reading), TEST(copies), TEST(refused), TEST(closing));
