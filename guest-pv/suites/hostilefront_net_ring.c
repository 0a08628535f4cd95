/* A network device's front end that does everything wrong: room for packets, addresses, indices,
 * nodes. What it sends is in hostilefront_net.c. */
#include <string.h>
#include "clock.h"
#include "event.h"
#include "gnttab.h"
#include "hostilefront.h"
#include "mm.h"
#include "suite.h"

#define NR(a) (sizeof(a) / sizeof((a)[0]))
#define LEN HOSTILE_LEN

static struct netfront *const net = &hostile_nets[0], *const peer = &hostile_nets[1];

/* --- Room for packets ------------------------------------------------------------------------- */

/* The second device's buffers, one with a grant that is none: that packet is lost, and said so. */
static void wrong_grants_to_receive_into(void)
{
    netif_rx_response_t answer;
    unsigned errors = 0, good = 0;

    hostile_connect_both();
    net_give(net, 0, 4);
    grant_offer(net->rx_ref, net->x.driver, v2mfn(net->rx_page[0]), GTF_readonly);
    grant_offer(net->rx_ref + 1, 0x7123, v2mfn(net->rx_page[1]), 0);
    gnttab()[net->rx_ref + 2].flags = 0;
    grant_offer(net->rx_ref + 3, net->x.driver, pfn_to_mfn(kernel_root()), 0);
    net_give(net, 4, 1);
    for (unsigned i = 0; i < 5; i++) {
        net_frame(peer, net->mac, peer->mac, LEN, (uint8_t)i);
        EXPECT_EQ(net_send(peer, LEN), NETIF_RSP_OKAY);
        ASSERT(net_receive(net, &answer, FRONT_PATIENCE));
        EXPECT_EQ(answer.id, i);
        errors += answer.status == NETIF_RSP_ERROR;
        good += answer.status == LEN;
    }
    EXPECT_EQ(errors, 4);
    EXPECT_EQ(good, 1);
    EXPECT(hostile_sends());
    ASSERT(net_close(net));
}

/* A device that takes nothing: its packets are dropped beyond some, and the sender is not held
 * up. */
static void room_that_is_never_given(void)
{
    netif_rx_response_t answer;
    unsigned got = 0;

    hostile_connect_both();
    for (unsigned i = 0; i < 400; i++) {
        net_frame(peer, net->mac, peer->mac, LEN, (uint8_t)i);
        ASSERT_EQ(net_send(peer, LEN), NETIF_RSP_OKAY);
    }
    EXPECT(hostile_sends());
    for (unsigned i = 0; i < 400; i++) {
        if (i % NET_BUFFERS == 0)
            net_give(net, 0, NET_BUFFERS);
        if (!net_receive(net, &answer, FRONT_SOON))
            break;
        EXPECT_EQ(answer.status, LEN);
        got++;
    }
    EXPECT_MSG(got >= 64 && got < 300, "%u packets were kept of 400", got);
    while (net_receive(net, &answer, 0))
        ;
    for (unsigned i = 0; i < 100; i++) {        /* some still wait when it closes */
        net_frame(peer, net->mac, peer->mac, LEN, (uint8_t)i);
        ASSERT_EQ(net_send(peer, LEN), NETIF_RSP_OKAY);
    }
    ASSERT(net_close(net));
}

/* --- Addresses -------------------------------------------------------------------------------- */

static void send_as(struct netfront *n, const uint8_t *to, const uint8_t *from)
{
    net_frame(n, to, from, LEN, 9);
    EXPECT_EQ(net_send(n, LEN), NETIF_RSP_OKAY);
}

static void addresses_of_others(void)
{
    static const uint8_t nobody[6] = { 2, 1, 1, 1, 1, 1 }, group[6] = { 3, 1, 1, 1, 1, 1 };
    netif_rx_response_t answer;

    hostile_connect_both();
    net_give(net, 0, NET_BUFFERS / 2);
    send_as(net, peer->mac, peer->mac);
    hostile_nothing_arrives("sent from the receiver's address");
    send_as(net, peer->mac, group);
    hostile_nothing_arrives("sent from a group's address");
    send_as(peer, net->mac, nobody);            /* strict */
    EXPECT_MSG(!net_receive(net, &answer, 5 * NS_PER_MS), "a strict device sends as another");
    send_as(peer, net->mac, net->mac);
    EXPECT_MSG(!net_receive(net, &answer, 5 * NS_PER_MS), "it comes from itself");
    send_as(net, peer->mac, nobody);            /* not strict */
    ASSERT(net_receive(peer, &answer, FRONT_PATIENCE));
    net_give(peer, answer.id % NET_BUFFERS, 1);
    EXPECT(hostile_sends());
    ASSERT(net_close(net));
}

/* More addresses than are kept of one device, and the others' are known still. */
static void floods_of_addresses(void)
{
    uint8_t from[6] = { 2, 7 };

    hostile_connect_both();
    for (unsigned i = 0; i < 2000; i++) {
        netif_tx_request_t q = { .gref = net->tx_ref, .size = LEN };

        from[4] = (uint8_t)(i >> 8), from[5] = (uint8_t)i;
        net_frame(net, net->mac, from, LEN, 1);
        net_put(net, &q);
        if (i % 16 != 15)
            continue;
        net_push(net);
        for (unsigned j = 0; j < 16; j++)
            ASSERT_EQ(net_status(net, FRONT_PATIENCE), NETIF_RSP_OKAY);
    }
    EXPECT(hostile_sends());
    ASSERT(net_close(net));
}

/* --- Indices, nodes --------------------------------------------------------------------------- */

static void senseless_indices_of_packets(void)
{
    static const uint32_t ahead[] = { 257, 1000, 0x7fffffff, 0x80000000, -3u, -256u };

    hostile_connect_both();
    for (unsigned i = 0; i < 2 * NR(ahead); i++) {
        RING_IDX *index = i % 2 ? &net->rx_shared->req_prod : &net->tx_shared->req_prod;

        net_give(net, 0, 2);
        ASSERT(hostile_sends());
        *(volatile RING_IDX *)index += ahead[i / 2];
        event_send(net->port);
        if (i % 2) {                    /* looked at when there is something for it */
            net_frame(peer, net->mac, peer->mac, LEN, 1);
            ASSERT_EQ(net_send(peer, LEN), NETIF_RSP_OKAY);
        }
        ASSERT_MSG(hostile_given_up(&hostile_vif), "%s req_prod + %#x is served",
                   i % 2 ? "rx" : "tx", ahead[i / 2]);
        ASSERT(net_close(net) && net_connect(net));
    }
    ASSERT(net_close(net));
}

static void wrong_values_of_a_network(void)
{
    static const struct hostile_value values[] = {
        { "tx-ring-ref", NULL }, { "rx-ring-ref", NULL }, { "tx-ring-ref", "511" },
        { "rx-ring-ref", "511" }, { "tx-ring-ref", "abc" }, { "rx-ring-ref", huge_value },
        { "rx-ring-ref", "4294967296" }, { "event-channel", NULL }, { "event-channel", "0" },
        { "event-channel", "1" }, { "event-channel", "131072" }, { "event-channel", huge_value },
        { "event-channel-tx", "5" }, { "request-rx-copy", "0" }, { "request-rx-copy", NULL },
        { "request-rx-copy", "2" },
    };

    hostile_need_devices();
    hostile_values(&hostile_vif, values, NR(values));
}

/* Both rings in one page: whatever comes of it, it is this device's. */
static void one_ring_for_both(void)
{
    hostile_need_devices();
    ASSERT(front_begin(&net->x));
    hostile_vif.offer();
    front_set(&net->x, "rx-ring-ref", "%u", net->rings);
    front_set_state(&net->x, XenbusStateConnected);
    ASSERT(front_wait(&net->x, STATE(Connected) | STATE(Closing)));
    for (unsigned i = 0; i < 20; i++) {
        netif_tx_request_t q = { .gref = net->tx_ref, .size = LEN };

        net_put(net, &q);
        net_push(net);
        net_frame(peer, net->mac, peer->mac, LEN, 1);
        ASSERT_EQ(net_send(peer, LEN), NETIF_RSP_OKAY);
    }
    ASSERT(net_close(net));
    EXPECT(hostile_vif.works());
}

static void values_of_a_network_that_change(void)
{
    hostile_connect_both();
    hostile_changes(&hostile_vif);
    EXPECT(hostile_sends());
    ASSERT(net_close(net));
}

static void states_of_a_network_in_any_order(void)
{
    hostile_need_devices();
    hostile_states(&hostile_vif, 41);
}

static void the_device_is_given_up(void)
{
    hostile_need_devices();
    if (!net_init(net, 2))
        SKIP("no third network device");
    ASSERT(net_connect(net));
    hostile_removed(&hostile_vif);
}

static void the_peer_is_well(void)
{
    if (!hostile_has_peer)
        SKIP("less than two network devices");
    EXPECT(net_close(peer));
}

SUITE_PART(hostilefront, 92, 3, TEST(wrong_grants_to_receive_into),
           TEST(room_that_is_never_given), TEST(addresses_of_others), TEST(floods_of_addresses),
           TEST(senseless_indices_of_packets), TEST(wrong_values_of_a_network),
           TEST(one_ring_for_both), TEST(values_of_a_network_that_change),
           TEST(states_of_a_network_in_any_order), TEST(the_device_is_given_up),
           TEST(the_peer_is_well));
