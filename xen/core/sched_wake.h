/* Blocking and waking vCPUs, and the idle vCPU. */
#ifndef XEN_SCHED_WAKE_H
#define XEN_SCHED_WAKE_H

#include "xen/core/domain.h"

/* Clears blocked; asks the CPU on whose queue it comes to switch, if v preempts what runs there. */
void vcpu_wake(struct vcpu *v);
/* The running vCPU sleeps, unless an upcall can be delivered; returns when woken. */
void vcpu_block(void);
/* The same, after blocked was set and a fence: a wake-up since then has its effect. */
void vcpu_block_woken(void);
/* The running vCPU sleeps inside a hypercall: it waits for another vCPU of its domain, which calls
 * vcpu_wake() under l. Releases l meanwhile. Returns also for no reason, as when an event comes. A
 * vCPU that is put down (VCPUOP_down) is woken all the same, and stops at its next exit to the
 * guest. */
void vcpu_wait(struct spinlock *l);
/* Blocks v and removes it from the queue, until vcpu_wake. */
void vcpu_pause(struct vcpu *v);
/* Another CPU has put v down: stops it at its next exit to the guest, if it is not
 * blocked there. */
void vcpu_stop(struct vcpu *v);
/* Up to now: the time since the last change is in it. */
void vcpu_get_runstate(const struct vcpu *v, struct vcpu_runstate_info *r);
/* There is a domain to reap. Until domain_reap() is done, the idle vCPU is scheduled like a vCPU of
 * weight 256. */
void sched_wake_idle(void);
/* On the idle vCPU: there is nothing to reap, it is blocked from now on. False: there is. */
bool sched_idle_done(void);

#endif
