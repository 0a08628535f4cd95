/* A CPU that smp.c starts: from its first line of C to its idle loop. Called by trampoline.S, on
 * the stack of the CPU's idle vCPU. struct ap says what each state means. */
#include "common/atomic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/smp.h"
#include "xen/core/alloc.h"
#include "xen/main.h"

_Noreturn void ap_main(void);

static enum ap_state state_of(const struct ap *ap)
{
    return (enum ap_state)load_acquire(&ap->state);
}

/* This CPU starts only after CPU 0 has given it up. */
static void be_late(const struct ap *ap)
{
    while (cpu_fault(ap->candidate) == FAULT_LATE && state_of(ap) == AP_STARTING)
        cpu_relax();
}

static void read_words(struct ap *ap)
{
    smp_read_words(&ap->words);
    if (cpu_fault(ap->candidate) == FAULT_FEATURE)
        ap->words.word[2] = 0;
}

/* A second, in the TSC itself if it can be set. */
static void be_skewed(struct ap *ap)
{
    if (cpu_fault(ap->candidate) != FAULT_SKEW)
        return;
    if (cpu_features.tsc_adjust)
        wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + arch_tsc_hz());
    else
        ap->sync.skew = arch_tsc_hz();
}

/* The CPU that boots may have given this one up meanwhile. */
static void change(struct ap *ap, uint32_t from, enum ap_state to)
{
    if (!try_cmpxchg(&ap->state, &from, to))
        arch_halt();
}

static void stop_at(const struct ap *ap, enum cpu_fault fault)
{
    if (cpu_fault(ap->candidate) == fault)
        arch_halt();
}

/* Halts between interrupts, as CPUs that spin would take time from those that work if there is a
 * hypervisor below. */
static void wait_for_go(struct ap *ap)
{
    enum ap_state state;

    while ((state = state_of(ap)) != AP_GO) {
        if (state == AP_UNFIT || state == AP_LOST)
            arch_halt();
        if (state == AP_SYNC) {
            stop_at(ap, FAULT_STUCK);
            tsc_sync_answer(&ap->sync);
            change(ap, AP_SYNC, AP_ALIVE);
        } else {
            arch_idle();
        }
    }
}

_Noreturn void ap_main(void)
{
    struct ap *ap = (struct ap *)((char *)current->cpu - offsetof(struct ap, cpu));

    write_cr3(idle_root);
    segments_load(&ap->arch);           /* faults are reported from here on */
    be_late(ap);
    cpu_load();
    read_words(ap);
    be_skewed(ap);
    lapic_init(ap->madt);
    change(ap, AP_STARTING, AP_ALIVE);
    wait_for_go(ap);
    stop_at(ap, FAULT_GONE);
    change(ap, AP_GO, AP_READY);        /* from here on the number is this CPU's */
    segments_set_entries(ap->cpu.id);
    segments_set_vcpu(&ap->cpu, current);
    lapic_start_timer();
    secondary_main();
}
