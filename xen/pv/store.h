/* The service domain, which serves xenstore to the guests: store.c. Without a service domain
 * these functions do nothing. */
#ifndef XEN_STORE_H
#define XEN_STORE_H

#include "xen/core/claim.h"
#include "xen/core/domain.h"

/* Starting the service domain and the driver domain again, which boot/service.c does; xen/hooks.c
 * sets these once. */
struct store_hooks {
    /* NULL: it cannot be started, or was started too often */
    struct domain *(*start_store)(void), *(*start_driver)(void);
    void (*forget)(enum service_kind kind);     /* it will not be started again */
};
extern struct store_hooks store_hooks;

void store_serve(struct domain *d);     /* d, which is built, is the service domain */
/* d, which is built, is the driver domain; before the guests are introduced. */
void store_driver(struct domain *d);
bool store_present(void);
/* A guest that was built with a store: d->store_mfn, d->store_port. */
void store_introduce(struct domain *d);
void store_domain_ended(struct domain *d);      /* any domain, the service domain included */
/* Asks guest id to power off; false: no such guest, or no service domain that could ask it. */
bool store_shutdown(domid_t id);
void store_poll(void);                  /* sends the events that waited for room in the ring */
/* From the idle vCPU: the driver domain ends after the guests, and then the service domain, which
 * either is started again if guests outlive it. */
void store_idle_work(void);

#endif
