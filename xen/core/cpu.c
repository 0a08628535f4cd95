/* The table of CPUs (cpu.h). It has one entry until other CPUs are started, which replaces it by a
 * table of as many as come up. Used everywhere through this_cpu() and cpus[]. */
#include "xen/core/cpu.h"

static struct cpu boot_cpu = {
    .lock = SPINLOCK(LOCK_QUEUE, 0),
    .timers = { SPINLOCK(LOCK_TIMER, 0), LIST_HEAD_INIT(boot_cpu.timers.armed), NO_DEADLINE, NULL },
};
static struct cpu *only_boot_cpu[1] = { &boot_cpu };

struct cpu **cpus = only_boot_cpu;
unsigned nr_cpus = 1;
