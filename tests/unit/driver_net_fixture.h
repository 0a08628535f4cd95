/* The two rings of a network device and a guest whose granted pages are an array. Included by
 * test_driver_net_tx.c and test_driver_net_rx.c. */
#ifndef DRIVER_NET_FIXTURE_H
#define DRIVER_NET_FIXTURE_H

#include "driver_packets_fixture.h"
#include "guest-pv/driver/net_ring.h"

#define PAGES 64u                       /* granted: their numbers are the references */
#define READ_ONLY_PAGES 8u
#define GUEST 7u

static uint8_t pages[PAGES][PAGE];
static uint8_t tx_page[PAGE] __attribute__((aligned(PAGE)));
static uint8_t rx_page[PAGE] __attribute__((aligned(PAGE)));
static netif_tx_front_ring_t tx;
static netif_rx_front_ring_t rx;
static struct net_ring ring;

static void copy(struct gnttab_copy *ops, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool to_guest = ops[i].flags == GNTCOPY_dest_gref;
        struct gnttab_copy_ptr *own = to_guest ? &ops[i].source : &ops[i].dest,
                               *guest = to_guest ? &ops[i].dest : &ops[i].source;
        uint8_t *ours = (uint8_t *)(own->u.gmfn * PAGE) + own->offset, *theirs;

        assert_true(own->offset + ops[i].len <= PAGE && guest->offset + ops[i].len <= PAGE);
        assert_int_equal(guest->domid, GUEST);
        ops[i].status = GNTST_bad_gntref;
        if (guest->u.ref >= PAGES || (to_guest && guest->u.ref < READ_ONLY_PAGES))
            continue;
        theirs = pages[guest->u.ref] + guest->offset;
        memcpy(to_guest ? theirs : ours, to_guest ? ours : theirs, ops[i].len);
        ops[i].status = GNTST_okay;
    }
}

static xen_pfn_t frame(const void *address)
{
    return (uintptr_t)address / PAGE;
}

static const struct driver_host host = { .copy = copy, .frame = frame, .alloc = alloc };
const struct driver_host *driver_host = &host;

static inline void attach(void)
{
    memset(tx_page, 0, PAGE);
    memset(rx_page, 0, PAGE);
    SHARED_RING_INIT((netif_tx_sring_t *)tx_page);
    SHARED_RING_INIT((netif_rx_sring_t *)rx_page);
    FRONT_RING_INIT(&tx, (netif_tx_sring_t *)tx_page, PAGE);
    FRONT_RING_INIT(&rx, (netif_rx_sring_t *)rx_page, PAGE);
    net_ring_attach(&ring, tx_page, rx_page, GUEST, false);
}

static inline void push(netif_tx_request_t q)
{
    memcpy(RING_GET_REQUEST(&tx, tx.req_prod_pvt), &q, sizeof(q));
    tx.req_prod_pvt++;
}

static inline void show(void)
{
    bool a = false, b = false;
    int wanted;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&tx, wanted);
    (void)wanted;
    net_ring_push(&ring, &a, &b);
}

static inline netif_tx_response_t next_answer(void)
{
    netif_tx_response_t a;
    bool n = false;

    net_ring_push(&ring, &n, &n);
    assert_true(tx.rsp_cons != tx.sring->rsp_prod);
    memcpy(&a, RING_GET_RESPONSE(&tx, tx.rsp_cons), sizeof(a));
    tx.rsp_cons++;
    return a;
}

#endif
