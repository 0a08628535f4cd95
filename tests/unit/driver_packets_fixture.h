/* The driver domain's pool of packets in a test. Included by the tests of its network. */
#ifndef DRIVER_PACKETS_FIXTURE_H
#define DRIVER_PACKETS_FIXTURE_H

#include <stdlib.h>
#include <string.h>
#include "guest-pv/driver/disk.h"
#include "guest-pv/driver/packet.h"

#define PAGE 4096u
#define NR_LARGE 20u

static inline unsigned one_of(unsigned n)
{
    return (unsigned)rand() % n;
}

static void *chunks[40];
static unsigned nr_chunks;

static inline void *alloc(size_t bytes)
{
    void *p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);

    memset(p, 0, bytes);
    chunks[nr_chunks++] = p;
    return p;
}

static inline int setup(void **state)
{
    (void)state;
    return packets_init(600) && packets_init_large(NR_LARGE) ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    while (nr_chunks != 0)
        free(chunks[--nr_chunks]);
    return 0;
}

#endif
