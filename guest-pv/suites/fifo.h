/* What the files of suite "fifo" share: the guest's side of FIFO event channels, with a log of the
 * events that it has delivered. The state and the functions are in fifo_consumer.c. */
#ifndef GUEST_FIFO_H
#define GUEST_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/event_channel.h>
#include "event.h"
#include "mm.h"

#define FIFO_PENDING   (1u << EVTCHN_FIFO_PENDING)
#define FIFO_MASKED    (1u << EVTCHN_FIFO_MASKED)
#define FIFO_LINKED    (1u << EVTCHN_FIFO_LINKED)
#define FIFO_BUSY      (1u << EVTCHN_FIFO_BUSY)
#define FIFO_LINK_MASK ((uint32_t)EVTCHN_FIFO_LINK_MASK)

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define MAX_PAGES      (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)
#define TWO_LEVEL_PORTS 4096            /* as many as the bitmaps of the two-level ABI have */

extern struct fifo {
    volatile struct evtchn_fifo_control_block *control;
    volatile event_word_t *pages[MAX_PAGES];
    unsigned nr_pages;                  /* 0: the domain still uses the bitmaps */
    pfn_t control_pfn;
    port_t head[EVTCHN_FIFO_MAX_QUEUES];        /* 0: the control block has it */
    struct {
        port_t port;
        unsigned priority;
    } log[64];                          /* of delivered events; later ones are only counted */
    volatile unsigned nr_logged;        /* without those of the timer and of the console */
} fifo;

/* The word of a port whose page has been added. */
volatile event_word_t *fifo_word(port_t port);
void fifo_set_flags(port_t port, uint32_t flags);
/* True if one of the flags was set. */
bool fifo_clear_flags(port_t port, uint32_t flags);
/* Delivers all that is pending; for event_set_dispatcher(). */
void fifo_dispatch(void);

/* Expects the logged events to be those of these ports, in this order; empties the log. */
void fifo_expect(const char *file, int line, const port_t *ports, unsigned n);
#define EXPECT_EVENTS(...)                                  \
    fifo_expect(__FILE__, __LINE__, (const port_t[]){ __VA_ARGS__ },  \
                sizeof((const port_t[]){ __VA_ARGS__ }) / sizeof(port_t))
#define EXPECT_NO_EVENTS() fifo_expect(__FILE__, __LINE__, NULL, 0)

/* One hypercall each; the result. */
long fifo_init_control(mfn_t mfn, uint32_t offset, uint32_t vcpu, unsigned *link_bits);
long fifo_expand_array(mfn_t mfn);
/* expand_array for the next page of words. A port may be bound before the page of its word exists:
 * its pending event is delivered at the end of this call. */
long fifo_add_page(pfn_t pfn);
long fifo_set_priority(port_t port, uint32_t priority);

/* A bound port below TWO_LEVEL_PORTS. Ends the test if there is none. */
port_t fifo_new_port(void);
/* Skips the test if the domain does not use FIFO event channels yet. */
void need_fifo(void);
#endif
