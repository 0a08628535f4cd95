/* A network device's front end that does everything wrong: what it sends. Room for packets,
 * addresses, indices and nodes are in hostilefront_net_ring.c. The first two devices are ours, and
 * the second one is `strict`: it may send from its own address only. A third one is lost at the
 * end. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "gnttab.h"
#include "hostilefront.h"
#include "mm.h"
#include "suite.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define MORE NETTXF_more_data
#define LEN HOSTILE_LEN

struct netfront hostile_nets[2];
static struct netfront *const net = &hostile_nets[0], *const peer = &hostile_nets[1];

/* --- The device as hostilefront.c sees it ----------------------------------------------------- */

static void offer(void)
{
    net_offer_rings(net);
}

static void withdraw(void)
{
    bool all = grant_revoke(net->rings) && grant_revoke(net->rings + 1);

    EXPECT_MSG(all, "the back end keeps grants");
    event_close(net->port);
    net->port = -1;
    front_remove(&net->x, "event-channel-tx");
}

static bool close_device(void)
{
    return net_close(net);
}

/* A packet goes from here to the second device. */
bool hostile_sends(void)
{
    netif_rx_response_t answer;

    net_frame(net, peer->mac, net->mac, LEN, 1);
    if (!EXPECT_EQ(net_send(net, LEN), NETIF_RSP_OKAY) ||
        !EXPECT(net_receive(peer, &answer, FRONT_PATIENCE)))
        return false;
    net_give(peer, answer.id % NET_BUFFERS, 1);
    return EXPECT_EQ(answer.status, LEN) &&
           EXPECT(memcmp(peer->rx_page[answer.id % NET_BUFFERS], net->tx_page[0], LEN) == 0);
}

static bool works(void)
{
    return net_connect(net) && hostile_sends() && net_close(net);
}

const struct hostile hostile_vif = {
    .x = &hostile_nets[0].x, .ready = XenbusStateConnected, .offer = offer, .withdraw = withdraw,
    .close = close_device, .works = works,
};

bool hostile_has_peer;

void hostile_need_devices(void)
{
    if (!net_init(net, 0) || (!hostile_has_peer && !net_init(peer, 1)))
        SKIP("less than two network devices");
    if (hostile_has_peer)
        return;
    ASSERT(net_connect(peer));
    net_give(peer, 0, NET_BUFFERS / 2);
    hostile_has_peer = true;
}

void hostile_connect_both(void)
{
    hostile_need_devices();
    ASSERT(net_connect(net));
}

bool hostile_nothing_arrives(const char *what)
{
    netif_rx_response_t answer;
    bool came = net_receive(peer, &answer, 5 * NS_PER_MS);

    return EXPECT_MSG(!came, "%s: it arrives", what);
}

/* --- Packets that are none -------------------------------------------------------------------- */

struct part {
    uint16_t size, offset, flags;
};

static const struct row {
    const char *what;
    unsigned n;
    struct part part[3];
} refused_rows[] = {
    { "13 bytes", 1, { { 13, 0, 0 } } },
    { "nothing", 1, { { 0, 0, 0 } } },
    { "65535 bytes", 1, { { 65535, 0, 0 } } },
    { "more than a frame has", 1, { { 1519, 0, 0 } } },
    { "a part behind its page", 1, { { 100, 3997, 0 } } },
    { "a part far behind its page", 1, { { 100, 65535, 0 } } },
    { "a second part behind its page", 2, { { 200, 0, MORE }, { 100, 4000, 0 } } },
    { "parts that exceed the whole", 2, { { 100, 0, MORE }, { 101, 0, 0 } } },
    { "parts that are the whole", 2, { { 100, 0, MORE }, { 100, 0, 0 } } },
    { "a third part that exceeds it", 3, { { 300, 0, MORE }, { 200, 0, MORE }, { 150, 0, 0 } } },
    { "a part of nothing", 2, { { 100, 0, MORE }, { 0, 0, 0 } } },
    { "a part of 65535 bytes", 2, { { 100, 0, MORE }, { 65535, 0, 0 } } },
    { "a first part without a header", 2, { { 100, 0, MORE }, { 87, 0, 0 } } },
};

static void put_row(const struct row *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        netif_tx_request_t q = {
            .gref = net->tx_ref + i, .offset = r->part[i].offset, .flags = r->part[i].flags,
            .id = (uint16_t)i, .size = r->part[i].size,
        };

        net_put(net, &q);
    }
    net_push(net);
}

static void packets_that_are_none(void)
{
    hostile_connect_both();
    net_frame(net, peer->mac, net->mac, PAGE_SIZE, 1);
    for (unsigned i = 0; i < NR(refused_rows); i++) {
        put_row(&refused_rows[i]);
        for (unsigned j = 0; j < refused_rows[i].n; j++) {
            int status = net_status(net, FRONT_PATIENCE);

            EXPECT_MSG(status == NETIF_RSP_ERROR, "%s: %d", refused_rows[i].what, status);
        }
    }
    hostile_nothing_arrives("a packet that is none");
    EXPECT(hostile_sends());
    ASSERT(net_close(net));
}

static void send_from_ref(const char *what, grant_ref_t ref)
{
    netif_tx_request_t q[2] = {
        { .gref = net->tx_ref, .size = 2 * LEN, .flags = MORE }, { .gref = ref, .size = LEN },
    };

    for (unsigned i = 0; i < 2; i++)
        net_put(net, &q[i]);
    net_push(net);
    for (unsigned i = 0; i < 2; i++) {
        int status = net_status(net, FRONT_PATIENCE);

        EXPECT_MSG(status == NETIF_RSP_ERROR, "%s: %d", what, status);
    }
}

static void wrong_grants_to_send_from(void)
{
    static const grant_ref_t none[] = { 511, 512, 1u << 20, 0xffffffff };
    grant_ref_t ref = front_refs(1);

    hostile_connect_both();
    net_frame(net, peer->mac, net->mac, LEN, 1);
    for (unsigned i = 0; i < NR(none); i++)
        send_from_ref("no grant", none[i]);
    grant_offer(ref, 0x7123, v2mfn(net->tx_page[1]), 0);
    send_from_ref("another domain's grant", ref);
    grant_offer(ref, net->x.driver, 0, 0);
    send_from_ref("a frame of nobody's", ref);
    gnttab()[ref].flags = GTF_accept_transfer;
    send_from_ref("a transfer", ref);
    gnttab()[ref].flags = 0;
    send_from_ref("a revoked grant", ref);
    hostile_nothing_arrives("what was not granted");
    EXPECT(hostile_sends());
    ASSERT(net_close(net));
}

/* --- Slots of which it is not clear where a packet ends --------------------------------------- */

static void stops(const char *what)
{
    net_push(net);
    event_send(net->port);
    ASSERT_MSG(hostile_given_up(&hostile_vif), "%s: it is served", what);
    hostile_nothing_arrives(what);
    ASSERT(net_close(net) && works() && net_connect(net));
}

static void put_parts(unsigned n, uint16_t last)
{
    netif_tx_request_t q = { .gref = net->tx_ref, .size = 1000, .flags = MORE };

    for (unsigned i = 0; i < n; i++) {
        if (i == n - 1)
            q.flags = last;
        net_put(net, &q);
        q.size = 10;
    }
}

static void put_extras(uint8_t type, unsigned n, bool more)
{
    netif_tx_request_t q = { .gref = net->tx_ref, .size = LEN, .flags = NETTXF_extra_info };
    netif_extra_info_t extra = { .type = type, .flags = XEN_NETIF_EXTRA_FLAG_MORE };

    net_put(net, &q);
    for (unsigned i = 0; i < n; i++) {
        if (i == n - 1 && !more)
            extra.flags = 0;
        net_put(net, &extra);
    }
}

static void chains_without_an_end(void)
{
    hostile_connect_both();
    put_parts(19, 0);
    stops("19 parts");
    put_parts(200, MORE);
    stops("200 parts without an end");
    put_parts(1, MORE);
    stops("a part without the next");
    put_extras(XEN_NETIF_EXTRA_TYPE_GSO, 0, false);
    stops("no extra where one has to be");
    put_extras(XEN_NETIF_EXTRA_TYPE_GSO, 1, true);
    stops("an extra without the next");
    put_extras(XEN_NETIF_EXTRA_TYPE_GSO, 100, true);
    stops("100 extras");
    put_extras(XEN_NETIF_EXTRA_TYPE_NONE, 1, false);
    stops("an extra of type 0");
    put_extras(XEN_NETIF_EXTRA_TYPE_MAX, 1, false);
    stops("an extra of a type that there is not");
    put_extras(255, 1, false);
    stops("an extra of type 255");
    ASSERT(net_close(net));
}

/* Known extras that were not offered, or make no sense: the packet is refused, the slots are
 * clear. */
static void extras_that_make_no_sense(void)
{
    static const struct { uint8_t type, gso; uint16_t size; } extras[] = {
        { XEN_NETIF_EXTRA_TYPE_GSO, 0, 1448 }, { XEN_NETIF_EXTRA_TYPE_GSO, 3, 1448 },
        { XEN_NETIF_EXTRA_TYPE_GSO, 255, 1448 },
        { XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 0 },
        { XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 65535 },
        { XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0, 0 },
    };

    hostile_connect_both();
    net_frame(net, peer->mac, net->mac, LEN, 1);
    for (unsigned i = 0; i < NR(extras); i++) {
        netif_tx_request_t q = { .gref = net->tx_ref, .size = LEN, .flags = NETTXF_extra_info };
        netif_extra_info_t extra = { .type = extras[i].type };

        extra.u.gso.type = extras[i].gso;
        extra.u.gso.size = extras[i].size;
        net_put(net, &q);
        net_put(net, &extra);
        net_push(net);
        EXPECT_MSG(net_status(net, FRONT_PATIENCE) == NETIF_RSP_ERROR, "extra %u is served", i);
        EXPECT_EQ(net_status(net, FRONT_PATIENCE), NETIF_RSP_NULL);
    }
    hostile_nothing_arrives("a packet with extras");
    EXPECT(hostile_sends());
    ASSERT(net_close(net));
}

/* What stands where the headers of IP and TCP would be is the receiver's business, whatever the
 * sender says of its sum. */
static void sums_that_are_nowhere(void)
{
    static const uint8_t heads[][4] = {
        { 0x08, 0x00, 0x4f, 0xff }, { 0x08, 0x00, 0x40, 0x00 }, { 0x08, 0x00, 0x05, 0x00 },
        { 0x86, 0xdd, 0x60, 0x00 }, { 0x81, 0x00, 0xff, 0xff }, { 0x88, 0xa8, 0x81, 0x00 },
    };
    static const unsigned sizes[] = { 14, 18, 33, 34, 54, 100, 1514 };
    netif_rx_response_t answer;

    hostile_connect_both();
    for (unsigned i = 0; i < NR(heads) * NR(sizes); i++) {
        unsigned len = sizes[i % NR(sizes)];
        netif_tx_request_t q = {
            .gref = net->tx_ref, .size = (uint16_t)len,
            .flags = NETTXF_csum_blank | NETTXF_data_validated,
        };

        net_frame(net, peer->mac, net->mac, len, 0xfe);
        if (len >= 18)
            memcpy(net->tx_page[0] + 12, heads[i / NR(sizes)], 4);
        net_put(net, &q);
        net_push(net);
        EXPECT_EQ(net_status(net, FRONT_PATIENCE), NETIF_RSP_OKAY);
        if (net_receive(peer, &answer, 2 * NS_PER_MS)) {
            EXPECT_EQ(answer.status, len);
            net_give(peer, answer.id % NET_BUFFERS, 1);
        }
    }
    EXPECT(hostile_sends());
    ASSERT(net_close(net));
}

SUITE_PART(hostilefront, 92, 2, TEST(packets_that_are_none), TEST(wrong_grants_to_send_from),
           TEST(chains_without_an_end), TEST(extras_that_make_no_sense),
           TEST(sums_that_are_nowhere));
