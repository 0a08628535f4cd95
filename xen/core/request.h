/* Requests from one CPU to another: a word of bits in struct cpu, and an interrupt. The interrupt
 * is sent only when the bit was clear: else one is on its way already. */
#ifndef XEN_REQUEST_H
#define XEN_REQUEST_H

#include "arch/arch.h"
#include "xen/core/cpu.h"

/* Choose a vCPU anew, at the next exit to the guest or preemption point. */
#define REQUEST_RESCHED 1u
/* Leave the guest: its exit looks at events that another CPU has made pending. */
#define REQUEST_KICK 2u
#define REQUEST_FLUSH 4u        /* flush the TLB: request_flush() */
#define REQUEST_GRACE 8u        /* grace_period() */
#define REQUEST_ALIVE 32u       /* request_alive() */
#define REQUEST_HOLD 64u        /* wait until release_cpus() */
#define REQUEST_TRACE 128u      /* trace_cpus() */

static inline void request_cpu(struct cpu *c, uint32_t bit)
{
    if (!(fetch_or(&c->requests, bit) & bit))
        arch_send_ipi(c->id);
}

/* Serves REQUEST_RESCHED; set once, by the scheduler. */
extern void (*reschedule_requested)(void);

/* The interrupt that arch_send_ipi() raised. It comes only while the CPU runs a guest, is idle, or
 * in a preemption point: so no lock is held. */
void serve_requests(void);
/* While this CPU waits for another: serves what that one may wait for. */
void serve_flush_requests(void);

/* Asks c, which is not this CPU, to flush its TLB. The flush begins after this call. */
uint32_t request_flush(struct cpu *c);
/* Waits until the flush that request_flush() returned the number of is done. No lock may be held
 * that an interrupt handler takes; others may be, as CPUs serve flushes while they wait for a
 * lock. */
void wait_for_flush(struct cpu *c, uint32_t number);

/* Asks c for a sign that it takes interrupts: c->alive.done becomes the number of times it was
 * asked. */
void request_alive(struct cpu *c);

/* For the checks of debug builds: returns when every other CPU waits where an interrupt came, in a
 * guest, idle or in a preemption point; and lets them go on. Called by the first CPU only, without
 * locks. */
void hold_cpus(void);
void release_cpus(void);

/* Serves REQUEST_TRACE; set once, by trace_control.c. */
extern void (*trace_requested)(void);
/* Every CPU, this one too, calls trace_requested. Returns when all have done so. Without locks, and
 * by one CPU at a time. */
void trace_cpus(void);

/* Returns when every other CPU has been, since the call, in a guest, idle or in a preemption point.
 * Code between two of these that found an object, which was unlinked before the call, has ended: so
 * the object may be freed. Without locks. */
void grace_period(void);

#endif
