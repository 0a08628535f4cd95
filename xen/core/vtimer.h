/* The timers of a vCPU. */
#ifndef XEN_VTIMER_H
#define XEN_VTIMER_H

#include "xen/core/domain.h"

extern void (*vcpu_timer_fired)(struct vcpu *v);        /* set once: sends VIRQ_TIMER */
void vcpu_timers_init(struct vcpu *v);
/* v starts to run: the periodic tick resumes */
void vcpu_timers_in(struct vcpu *v, uint64_t now);
void vcpu_timers_out(struct vcpu *v);
/* v may have a period now, or VIRQ_TIMER a port: its timer is set anew, by the CPU that runs it. */
void vcpu_timers_changed(struct vcpu *v);
void vcpu_timers_work(void);            /* WORK_TIMERS of current */
int vcpu_set_periodic(struct vcpu *v, uint64_t period_ns);      /* 0: stop */

#endif
