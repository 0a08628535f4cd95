/* System time (ns since boot), and what guests see of it: vcpu_time_info, the wall clock, runstate. */
#ifndef XEN_TIME_H
#define XEN_TIME_H

#include "xen/core/domain.h"

void time_init(void);                       /* after the TSC is calibrated */
uint64_t tsc_at_boot(void);                 /* the TSC at system time 0 */
uint64_t tsc_to_ns(uint64_t tsc);           /* system time of a TSC value */
uint64_t now_ns(void);                      /* monotonic; 0 at boot */
uint64_t ns_to_tsc(uint64_t ns);            /* absolute system time -> absolute TSC value */
void time_move_points(void);                /* from now on guests get a later point of the function each second */
void time_update_vcpu(struct vcpu *v);      /* writes info->time; a registered copy follows (WORK_PUBLISH) */
void time_init_domain(struct domain *d);    /* wall clock into shared_info */
/* Accounts the state change. The guest sees it in its area when the vCPU leaves the CPU and when it is back. */
void runstate_change(struct vcpu *v, int state, uint64_t now);
void runstate_publish(struct vcpu *v);      /* v == current, any mode: the registered areas, fault tolerant */
void runstate_publish_leaving(struct vcpu *v);  /* the same, of the runstate only, just before arch_switch from v */

#endif
