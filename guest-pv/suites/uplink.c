/* Suite "uplink" (only by name): the first network device reaches the machine's network card. The
 * gateway of QEMU's user networking is asked for its address again and again, and answers. */
#include <string.h>
#include "front.h"
#include "suite.h"

#define ROUNDS 50u
#define ARP_BYTES 42u
#define ARP_REQUEST 1u
#define ARP_REPLY 2u

static struct netfront net;

/* Ethernet's header, then RFC 826: 10.0.2.77 asks for 10.0.2.2. */
static void make_request(uint8_t *p)
{
    static const uint8_t type[] = { 8, 6, 0, 1, 8, 0, 6, 4, 0, ARP_REQUEST },
                         ask[] = { 10, 0, 2, 77, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2 };

    memset(p, 0xff, 6);
    memcpy(p + 6, net.mac, 6);
    memcpy(p + 12, type, sizeof(type));
    memcpy(p + 22, net.mac, 6);
    memcpy(p + 28, ask, sizeof(ask));
}

static bool is_reply(const uint8_t *p, int len)
{
    static const uint8_t gateway[] = { 10, 0, 2, 2 };

    return len >= (int)ARP_BYTES && memcmp(p, net.mac, 6) == 0 && p[12] == 8 && p[13] == 6 &&
           p[21] == ARP_REPLY && memcmp(p + 28, gateway, 4) == 0;
}

/* Other packets may come before it. */
static bool gateway_answers(void)
{
    netif_rx_response_t answer;
    bool found = false;

    make_request(net.tx_page[0]);
    if (!EXPECT_EQ(net_send(&net, ARP_BYTES), NETIF_RSP_OKAY))
        return false;
    while (!found) {
        if (!EXPECT(net_receive(&net, &answer, FRONT_PATIENCE)))
            return false;
        found = is_reply(net.rx_page[answer.id % NET_BUFFERS] + answer.offset, answer.status);
        net_give(&net, answer.id, 1);
    }
    return true;
}

static void gateway_is_asked(void)
{
    ASSERT(net_init(&net, 0) && net_connect(&net));
    net_give(&net, 0, NET_BUFFERS);
    for (unsigned i = 0; i < ROUNDS; i++)
        ASSERT(gateway_answers());
    EXPECT(net_close(&net));
}

SUITE(uplink, 93, SUITE_NAMED_ONLY | SUITE_NEEDS_STORE, TEST(gateway_is_asked));
