/* The pool of packets. Called by the switch and its ports. */
#include <stddef.h>
#include "disk.h"
#include "packet.h"

static struct packet *free_list;
static unsigned nr_free;

bool packets_init(unsigned n)
{
    struct packet *p = driver_host->alloc(n * sizeof(*p));

    if (p == NULL)
        return false;
    for (unsigned i = 0; i < n; i++) {
        p[i].next = free_list;
        free_list = &p[i];
    }
    nr_free += n;
    return true;
}

struct packet *packet_new(void)
{
    struct packet *p = free_list;

    if (p == NULL)
        return NULL;
    free_list = p->next;
    nr_free--;
    p->refs = 1;
    p->len = 0;
    p->csum_blank = false;
    return p;
}

void packet_get(struct packet *p)
{
    p->refs++;
}

void packet_put(struct packet *p)
{
    if (--p->refs != 0)
        return;
    p->next = free_list;
    free_list = p;
    nr_free++;
}

unsigned packets_free(void)
{
    return nr_free;
}
