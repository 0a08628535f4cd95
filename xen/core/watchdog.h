/* Debug builds watch that all CPUs take interrupts. */
#ifndef XEN_WATCHDOG_H
#define XEN_WATCHDOG_H

#define WATCHDOG_SECONDS 10u

/* Called once, when all CPUs have come up. Nothing in builds without DEBUG, or with one CPU. */
void watchdog_start(void);

#endif
