/* Starts the machine's other CPUs: finds them in the MADT, interrupts them (INIT, then start-up
 * interrupts to the trampoline: SDM vol. 3, 9.4.4), waits until all have come or long enough,
 * compares them with this one, and lets them go to their idle loops. Called by start.c and main.c,
 * on the CPU that boots. The memory that a CPU starts with is ap_memory.c's, what it does meanwhile
 * ap.c's.
 *
 * All are started at the same time: one after the other would cost a second for each hundred. A CPU
 * that does not come, lacks what this one has, or whose TSC differs is named and left out. Guests
 * rely on one clock for all CPUs, so such a TSC is corrected where TSC_ADJUST exists, and otherwise
 * it is better to do without that CPU than to make every reading of the clock slower. */
#include "common/atomic.h"
#include "common/string.h"
#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/ioapic.h"
#include "arch/x86_64/lapic.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/smp.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/sched.h"

#define STARTUP_WAIT_US 200u            /* before the second start-up interrupt */
#define WAIT_US 1000000u
#define WAIT_VIRTUAL_US 10000000u       /* a hypervisor below may have few CPUs for many */

static struct madt madt;
static struct ap *aps[MAX_CPUS];        /* those that are to be started */
static unsigned nr_aps;
static struct cpu *cpu_table[MAX_CPUS];

/* For trampoline.S. */
struct ap_stack {
    uint64_t apic_id, sp;
};
extern struct ap_stack ap_stacks[MAX_CPUS];
extern uint32_t nr_ap_stacks;
struct ap_stack ap_stacks[MAX_CPUS];
uint32_t nr_ap_stacks;

void smp_find_cpus(void)
{
    const struct acpi_header *table = acpi_table("APIC");

    if (table == NULL)
        return;
    madt_parse(table, &madt);
    ioapic_init(&madt);
}

const struct madt_cpu *smp_madt_cpu(uint32_t apic_id)
{
    for (unsigned i = 0; i < madt.nr_cpus; i++)
        if (madt.cpu[i].apic_id == apic_id)
            return &madt.cpu[i];
    return NULL;
}

static void read_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    arch_cpuid(leaf, subleaf, out);
}

void smp_read_words(struct cpuid_words *w)
{
    cpuid_words_read(read_cpuid, w);
}

enum cpu_fault cpu_fault(unsigned candidate)
{
    static const char *const names[] = {
        [FAULT_MISSING] = "missing", [FAULT_LATE] = "late", [FAULT_SKEW] = "skew",
        [FAULT_FEATURE] = "feature", [FAULT_STUCK] = "stuck", [FAULT_GONE] = "gone",
    };

    for (unsigned i = FAULT_MISSING; i < ARRAY_SIZE(names); i++)
        if (options.cpu_fault_at == candidate && strcmp(options.cpu_fault, names[i]) == 0)
            return (enum cpu_fault)i;
    return FAULT_NONE;
}

static void wait_us(uint64_t us)
{
    uint64_t until = arch_tsc() + arch_tsc_hz() / 1000000 * us;

    while (arch_tsc() < until)
        cpu_relax();
}

/* TSC ticks in which a CPU must do what it is waited for. */
static uint64_t patience(void)
{
    return arch_tsc_hz() / 1000000 * (cpu_features.hypervisor ? WAIT_VIRTUAL_US : WAIT_US);
}

/* --- Choosing them ---------------------------------------------------------------------------- */

static void add_ap(const struct madt_cpu *m, unsigned candidate)
{
    struct ap *ap = ap_alloc(m, candidate);

    if (ap == NULL) {
        log_warning("Not enough memory for CPU with APIC id %u: left out", m->apic_id);
        return;
    }
    ap_stacks[nr_aps] = (struct ap_stack){
        m->apic_id, (uint64_t)ap->arch.stack + STACK_SIZE - sizeof(struct stack_top) - 8 };
    aps[nr_aps++] = ap;
}

static void choose_aps(unsigned max)
{
    uint32_t self = cpus[0]->arch->apic_id;
    unsigned candidate = 0;

    if (madt_needs_x2apic(&madt, self, MIN(max, MAX_CPUS) - 1))
        lapic_widen();
    for (unsigned i = 0; i < madt.nr_cpus && nr_aps + 1 < MIN(max, MAX_CPUS); i++) {
        const struct madt_cpu *m = &madt.cpu[i];

        if (m->apic_id == self)
            continue;
        if (!lapic_can_address(m->apic_id))
            log_warning("CPU with APIC id %u is left out: no x2APIC", m->apic_id);
        else
            add_ap(m, ++candidate);
    }
    nr_ap_stacks = nr_aps;
}

/* --- Starting them ---------------------------------------------------------------------------- */

static bool is_starting(const struct ap *ap)
{
    return load_acquire(&ap->state) == AP_STARTING;
}

static void send_startup(uint64_t page)
{
    for (unsigned i = 0; i < nr_aps; i++)
        if (is_starting(aps[i]) && cpu_fault(aps[i]->candidate) != FAULT_MISSING)
            lapic_send(aps[i]->madt->apic_id, ICR_STARTUP | (uint32_t)(page >> PAGE_SHIFT));
}

static bool all_came(void)
{
    for (unsigned i = 0; i < nr_aps; i++)
        if (is_starting(aps[i]))
            return false;
    return true;
}

/* CPUs of today need neither the 10 ms after INIT nor two start-up interrupts; the second is for
 * those that have missed the first. */
static void start_all(uint64_t page)
{
    uint64_t until;

    for (unsigned i = 0; i < nr_aps; i++)
        lapic_send(aps[i]->madt->apic_id, ICR_INIT);
    send_startup(page);
    wait_us(STARTUP_WAIT_US);
    send_startup(page);
    until = arch_tsc() + patience();
    while (!all_came() && arch_tsc() < until)
        cpu_relax();
}

/* --- Comparing them --------------------------------------------------------------------------- */

static void wake(struct ap *ap, enum ap_state state)
{
    store_release(&ap->state, state);
    lapic_send(ap->madt->apic_id, ICR_FIXED | VECTOR_IPI);
}

/* The CPU has not left that state for too long. False: it has just left it. */
static bool give_up(struct ap *ap, uint32_t state)
{
    if (!try_cmpxchg(&ap->state, &state, AP_LOST))
        return false;
    tsc_sync_give_up(&ap->sync);
    log_warning("CPU with APIC id %u has stopped while it was started: left out",
                ap->madt->apic_id);
    return true;
}

/* False: the CPU is lost. */
static bool wait_while(struct ap *ap, enum ap_state state)
{
    uint64_t start = arch_tsc();

    while (load_acquire(&ap->state) == state) {
        if (arch_tsc() - start > patience() && give_up(ap, state))
            return false;
        cpu_relax();
    }
    return true;
}

static bool compare_once(struct ap *ap, bool correct, int64_t *ahead)
{
    ap->sync.patience = patience();
    wake(ap, AP_SYNC);
    if (tsc_sync_measure(&ap->sync, ahead) &&
        tsc_sync_end(&ap->sync, correct ? (uint64_t)-*ahead : 0))
        return wait_while(ap, AP_SYNC);
    return !give_up(ap, AP_SYNC);
}

/* By how much its TSC is ahead, after it was corrected if that was possible. False: it is lost. */
static bool compare_tsc(struct ap *ap, int64_t *ahead)
{
    bool correct = cpu_features.tsc_adjust;

    return compare_once(ap, correct, ahead) &&
           (*ahead == 0 || !correct || compare_once(ap, false, ahead));
}

/* Leaves it ALIVE if it is to be used. Otherwise a line says why not. */
static void judge(struct ap *ap, const struct cpuid_words *boot)
{
    uint32_t id = ap->madt->apic_id, starting = AP_STARTING;
    const char *lacks;
    int64_t ahead;

    if (try_cmpxchg(&ap->state, &starting, AP_LOST)) {
        log_warning("CPU with APIC id %u has not started: left out", id);
        return;
    }
    lacks = cpuid_words_lack(boot, &ap->words);
    if (lacks != NULL) {
        log_warning("CPU with APIC id %u differs from the first one (%s): left out", id, lacks);
        wake(ap, AP_UNFIT);
        return;
    }
    if (!compare_tsc(ap, &ahead))
        return;
    if (ahead != 0) {
        log_warning("CPU with APIC id %u is left out: its TSC is %ld ticks ahead", id, ahead);
        wake(ap, AP_UNFIT);
        return;
    }
}

/* Numbers are given in the order of the MADT to those that are used. One that is lost after all
 * writes nothing that belongs to the number, which the next one gets. */
static void let_go(struct ap *ap)
{
    unsigned number = nr_cpus;

    ap->idle.id = number;
    segments_set_number(&ap->arch, number);
    cpu_set_up(&ap->cpu, number);
    sched_init(&ap->cpu, &ap->idle);
    cpu_table[number] = &ap->cpu;
    nr_cpus = number + 1;
    wake(ap, AP_GO);
    if (!wait_while(ap, AP_GO))
        nr_cpus = number;
}

void arch_start_cpus(unsigned max)
{
    uint64_t page;
    struct cpuid_words boot;

    choose_aps(max);
    if (nr_aps == 0)
        return;
    page = trampoline_prepare();
    if (page == 0) {
        log_warning("There is no memory below 640 KiB to start other CPUs from: one CPU is used");
        return;
    }
    start_all(page);
    smp_read_words(&boot);
    cpu_table[0] = cpus[0];
    cpus = cpu_table;
    for (unsigned i = 0; i < nr_aps; i++)
        judge(aps[i], &boot);
    for (unsigned i = 0; i < nr_aps; i++)
        if (load_acquire(&aps[i]->state) == AP_ALIVE)
            let_go(aps[i]);
    log_info("%u CPUs", nr_cpus);
}
