/* The virtual interrupt flag, and event channels with handlers (event.c). A handler runs with
 * events masked, on the stack of the interrupted code: it must not sleep or print through stdio
 * (kprintf is fine). */
#ifndef GUEST_EVENT_H
#define GUEST_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <public/event_channel.h>
#include "start.h"

typedef uint32_t port_t;
typedef void (*event_fn)(port_t port, void *arg);

/* --- The flag: 1 = masked --------------------------------------------------------------------- */
bool events_masked(void);
void events_off(void);                      /* `cli` */
void events_on(void);                       /* `sti`; delivers what is pending before it returns */
bool events_save_off(void);                 /* returns the old mask, for events_restore() */
void events_restore(bool masked);
/* A hypercall that does nothing: pending events are delivered at its end. */
void event_force_upcall(void);

/* --- channels: a port, or a negative errno ---------------------------------------------------- */
int event_bind_virq(unsigned virq, event_fn fn, void *arg);
int event_bind_ipi(event_fn fn, void *arg);
int event_alloc_unbound(domid_t remote, event_fn fn, void *arg);
int event_bind_interdomain(domid_t remote, port_t remote_port, event_fn fn, void *arg);
void event_set_handler(port_t port, event_fn fn, void *arg);    /* NULL: counted, nothing else */
int event_send(port_t port);
int event_close(port_t port);
int event_status(port_t port, evtchn_status_t *st);                 /* of our own domain */
void event_mask(port_t port);
void event_unmask(port_t port);             /* redelivers what came while masked */
bool event_pending(port_t port);
bool event_clear(port_t port);              /* take the pending bit; was it set? */
uint64_t event_count(port_t port);          /* dispatched since boot */

/* For another event-channel ABI (suites/fifo_consumer.c): fn replaces this file's handler of the
 * event callback and calls event_deliver() for each port; NULL: two-level again. event_mask,
 * _pending and _clear know the two-level bitmaps only. */
void event_set_dispatcher(void (*fn)(void));
void event_deliver(port_t port);            /* counts, and calls the handler */

void event_dispatch(void);                  /* trap.c, on the event callback */
void event_init(void);
#endif
