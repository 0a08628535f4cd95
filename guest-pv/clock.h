/* Time: the paravirtual clock from shared_info, and software timers on VCPUOP_set_singleshot_timer
 * (clock.c). A test that wants VIRQ_TIMER for itself installs a function with clock_hook(). */
#ifndef GUEST_CLOCK_H
#define GUEST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS 1000000ul
#define NS_PER_S  1000000000ul

uint64_t clock_ns(void);                    /* system time, monotonic */
uint64_t clock_ns_of(unsigned vcpu);        /* the same, by that vCPU's factors */
uint64_t clock_wall_ns(void);               /* since 1970 */
uint64_t clock_tsc(void);
uint64_t clock_tsc_hz(void);                /* as the hypervisor's factors say it */
void clock_spin(uint64_t ns);               /* busy */

struct timer {
    uint64_t at_ns;
    void (*fn)(void *arg);
    void *arg;
    struct timer *next;
    bool queued;
};
void timer_start(struct timer *t, uint64_t at_ns, void (*fn)(void *), void *arg);
void timer_cancel(struct timer *t);

extern volatile uint64_t clock_irqs;        /* VIRQ_TIMER seen */
extern uint32_t clock_port;                 /* its port */
/* Called at every VIRQ_TIMER instead of the timers' own handler; NULL restores that and rearms the
 * queued timers. */
void clock_hook(void (*fn)(void));

void clock_init(void);
#endif
