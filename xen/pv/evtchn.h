/* Event channels, for the rest of the hypervisor: evtchn.c. evtchn_table.h has what only the
 * files about event channels use. */
#ifndef XEN_EVTCHN_H
#define XEN_EVTCHN_H

#include "xen/core/domain.h"

#define POLL_SEVERAL (~0u)                   /* vcpu.poll_port: woken by any port */

int evtchn_init(struct domain *d);          /* 0 or -ENOMEM */
void evtchn_destroy(struct domain *d);      /* closes every port, frees the tables */
/* Raises the port that is bound to this VIRQ of v; does nothing if none is. */
void send_guest_virq(struct vcpu *v, unsigned virq);
/* A port of d whose other end is the hypervisor itself (console). notify runs when the guest sends.
 * The port, or negative errno. */
int evtchn_bind_hypervisor(struct domain *d, unsigned vcpu, void (*notify)(struct domain *d));
/* A port of d that only `remote` may bind to; or negative errno. */
int evtchn_open_unbound(struct domain *d, domid_t remote);
/* Raises a port whose other end has closed. */
void evtchn_raise_unbound(struct domain *d, evtchn_port_t port);
/* Raises a port whose other end is the hypervisor. */
void evtchn_raise(struct domain *d, evtchn_port_t port);
/* Whether the port is within the tables; it may be closed. */
bool evtchn_port_valid(struct domain *d, evtchn_port_t port);
bool evtchn_port_pending(struct domain *d, evtchn_port_t port);
/* VCPUOP_register_vcpu_info: after v->info has moved, makes the guest check all of its ports, so
 * that no event is lost. */
void evtchn_info_moved(struct vcpu *v);

#endif
