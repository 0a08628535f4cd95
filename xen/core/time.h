/* System time (ns since boot) and what guests read of it: vcpu_time_info, the wall clock,
 * runstates. */
#ifndef XEN_TIME_H
#define XEN_TIME_H

#include "xen/core/domain.h"

void time_init(void);                       /* after the TSC is calibrated */
uint64_t tsc_at_boot(void);                 /* the TSC at system time 0 */
uint64_t tsc_to_ns(uint64_t tsc);           /* system time of a TSC value */
uint64_t now_ns(void);                      /* monotonic; 0 at boot */
uint64_t ns_to_tsc(uint64_t ns);            /* absolute system time -> absolute TSC value */
/* Starts the timer that gives guests a later point each second. */
void time_move_points(void);
/* Writes info->time; the vCPU writes a registered copy itself (WORK_TIME). */
void time_update_vcpu(struct vcpu *v);
void time_init_domain(struct domain *d);    /* writes the wall clock into shared_info */
/* Accounts the time in the old state. The registered area is written when the vCPU leaves the CPU
 * and when it runs again. */
void runstate_change(struct vcpu *v, int state, uint64_t now);
/* v == current, in either mode: writes the registered runstate and time areas. */
void runstate_publish(struct vcpu *v);
/* Writes the runstate area only, right before arch_switch from v. */
void runstate_publish_leaving(struct vcpu *v);

#endif
