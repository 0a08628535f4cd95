/* The nodes of a network device: its address, what the back end offers, what the front end has
 * written. Called by vif.c. */
#include <stdio.h>
#include <string.h>
#include "vif_nodes.h"

/* Six numbers of two hexadecimal digits; no multicast address, not all 0. */
static bool parse_mac(const char *text, uint8_t mac[MAC_BYTES])
{
    unsigned byte[MAC_BYTES], any = 0;
    char rest;

    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4],
               &byte[5], &rest) != 6)
        return false;
    for (unsigned i = 0; i < MAC_BYTES; i++) {
        mac[i] = (uint8_t)byte[i];
        any |= byte[i];
    }
    return any != 0 && !(mac[0] & 1);
}

bool vif_read_address(const struct pair *p, uint8_t mac[MAC_BYTES], bool *strict)
{
    char text[24], flag[4];

    *strict = xs_read(NO_TRANSACTION, back_node(p, "strict"), flag, sizeof(flag)) &&
              strcmp(flag, "1") == 0;
    return xs_read(NO_TRANSACTION, back_node(p, "mac"), text, sizeof(text)) &&
           parse_mac(text, mac);
}

/* Large packets need memory of their own. */
bool vif_write_features(const struct pair *p, bool large_packets)
{
    static const char *const features[] = {
        "feature-rx-copy", "feature-sg", "feature-ipv6-csum-offload",
        "feature-split-event-channels", "feature-gso-tcpv4", "feature-gso-tcpv6",
    };
    unsigned n = sizeof(features) / sizeof(features[0]);

    for (unsigned i = 0; i < (large_packets ? n : n - 2); i++)
        if (!xs_write(back_node(p, features[i]), "1"))
            return false;
    return true;
}

/* What it takes, of the packets that are longer than a frame; they need several slots. */
static void read_gso(const struct pair *p, uint32_t t, struct vif_front *f)
{
    uint64_t sg = 0;

    if (!xs_read_number(t, front_node(p, "feature-sg"), 1, &sg) || sg == 0)
        return;
    xs_read_number(t, front_node(p, "feature-gso-tcpv4"), 1, &f->gso[GSO_TCPV4]);
    xs_read_number(t, front_node(p, "feature-gso-tcpv6"), 1, &f->gso[GSO_TCPV6]);
}

static bool read_front(const struct pair *p, uint32_t t, void *front)
{
    struct vif_front *f = front;
    bool there;

    memset(f, 0, sizeof(*f));
    there = xs_read_number(t, front_node(p, "tx-ring-ref"), UINT32_MAX, &f->tx_ref) &&
            xs_read_number(t, front_node(p, "rx-ring-ref"), UINT32_MAX, &f->rx_ref) &&
            xs_read_number(t, front_node(p, "request-rx-copy"), 1, &f->copy) && f->copy == 1;
    f->split = there && xs_read_number(t, front_node(p, "event-channel-tx"), MAX_PORT,
                                       &f->tx_port);
    if (f->split)
        there = xs_read_number(t, front_node(p, "event-channel-rx"), MAX_PORT, &f->rx_port);
    else
        there = there && xs_read_number(t, front_node(p, "event-channel"), MAX_PORT, &f->tx_port);
    read_gso(p, t, f);
    return there;
}

bool vif_read_front(const struct pair *p, struct vif_front *f)
{
    return pair_read_front(p, read_front, f);
}
