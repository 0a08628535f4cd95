/* The pool of packets. Called by the switch and its ports. */
#include <stddef.h>
#include "disk.h"
#include "packet.h"

#define LARGE_BYTES 65536u

static struct packet *free_list[2];     /* small and large ones */
static unsigned nr_free, nr_used;

static void add_free(struct packet *p)
{
    p->next = free_list[p->large];
    free_list[p->large] = p;
    nr_free++;
}

bool packets_init(unsigned n)
{
    struct packet *p = driver_host->alloc(n * sizeof(*p));

    if (p == NULL)
        return false;
    for (unsigned i = 0; i < n; i++) {
        p[i].bytes = p[i].room;
        add_free(&p[i]);
    }
    return true;
}

bool packets_init_large(unsigned n)
{
    uint8_t *bytes = driver_host->alloc(n * (LARGE_BYTES + sizeof(struct packet)));
    struct packet *p = (struct packet *)(bytes + (size_t)n * LARGE_BYTES);

    if (bytes == NULL)
        return false;
    for (unsigned i = 0; i < n; i++) {
        p[i].bytes = bytes + (size_t)i * LARGE_BYTES;
        p[i].large = true;
        add_free(&p[i]);
    }
    return true;
}

static struct packet *first_of(bool large)
{
    struct packet *p = free_list[large];

    if (p == NULL)
        return NULL;
    free_list[large] = p->next;
    nr_free--;
    nr_used++;
    p->refs = 1;
    p->len = 0;
    p->csum_blank = p->csum_good = false;
    p->gso = GSO_NONE;
    p->rest = NULL;
    return p;
}

struct packet *packet_new(void)
{
    return first_of(false);
}

struct packet *packet_new_for(unsigned len)
{
    return first_of(len > PACKET_MAX);
}

void packet_get(struct packet *p)
{
    p->refs++;
}

void packet_put(struct packet *p)
{
    if (--p->refs != 0)
        return;
    if (p->rest != NULL)
        packet_put(p->rest);
    add_free(p);
    nr_used--;
}

unsigned packets_free(void)
{
    return nr_free;
}

unsigned packets_used(void)
{
    return nr_used;
}
