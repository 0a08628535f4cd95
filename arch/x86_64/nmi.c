/* NMI and machine check, which can interrupt any instruction, also one under a lock. Called by
 * traps.S. The handlers take no lock and print nothing: they record the event, and the next timer
 * interrupt prints it (log_noted_events), as it comes only where the hypervisor has enabled
 * interrupts and holds no lock. A machine check after which the CPU cannot continue is a panic,
 * which prints without locks. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fault.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/nmi.h"
#include "arch/x86_64/stop.h"
#include "arch/x86_64/symbols.h"
#include "common/atomic.h"
#include "xen/core/cpu.h"
#include "xen/core/log.h"
#include "xen/core/time.h"
#include "common/printf.h"

#define LINE_INTERVAL_NS 1000000000ull  /* one line in this time, however many there are */

#define MCG_CAP_BANKS 0xff
#define MCG_CAP_SER (1ull << 24)        /* errors may be recoverable, and say so */
#define MCG_STATUS_RIPV 1               /* the interrupted instruction can be continued */
#define MCI_VALID (1ull << 63)
#define MCI_UNCORRECTED (1ull << 61)
#define MCI_ADDRV (1ull << 58)
#define MCI_CONTEXT_CORRUPT (1ull << 57)
#define MCI_ACTION_REQUIRED (1ull << 55)

/* Written by the handlers only, on every CPU: the NMI button interrupts all. A reader may see
 * values of two events mixed, which only makes a log line wrong. */
static struct {
    unsigned count;
    uint64_t rip;
    uint16_t cs;
} nmi;
static struct {
    unsigned count, bank;
    uint64_t status, address;
} machine_check;

void handle_nmi(struct cpu_user_regs *regs);
void handle_machine_check(struct cpu_user_regs *regs);

void handle_nmi(struct cpu_user_regs *regs)
{
    stop_if_wanted(regs);
    nmi.rip = regs->rip;
    nmi.cs = regs->cs;
    locked_add(&nmi.count, 1);
}

/* The CPU cannot continue after an uncorrected error, except one that only reports lost data, which
 * nothing has used yet (SDM vol. 3, 15.6.3). */
static bool bank_is_fatal(uint64_t status, uint64_t cap)
{
    bool can_wait = (cap & MCG_CAP_SER) && !(status & (MCI_ACTION_REQUIRED | MCI_CONTEXT_CORRUPT));

    return (status & MCI_UNCORRECTED) && !can_wait;
}

/* Records and clears every bank that has an error: otherwise the next error counts as an overflow.
 * MCG_STATUS is cleared too: while MCIP is set in it, the next machine check resets the machine. */
static bool read_banks(uint64_t cap)
{
    bool fatal = false;

    for (unsigned bank = 0; bank < (cap & MCG_CAP_BANKS); bank++) {
        uint64_t status = rdmsr(MSR_MC0_STATUS + 4 * bank);

        if (!(status & MCI_VALID))
            continue;
        machine_check.bank = bank;
        machine_check.status = status;
        machine_check.address = status & MCI_ADDRV ? rdmsr(MSR_MC0_ADDR + 4 * bank) : 0;
        if (bank_is_fatal(status, cap)) {
            fatal = true;
            break;
        }
        wrmsr(MSR_MC0_STATUS + 4 * bank, 0);
    }
    return fatal;
}

void handle_machine_check(struct cpu_user_regs *regs)
{
    uint64_t mcg_status;

    if (!cpu_features.mca)
        fatal_trap(regs, "machine check, and this CPU does not tell why");
    mcg_status = rdmsr(MSR_MCG_STATUS);
    if (read_banks(rdmsr(MSR_MCG_CAP)) || !(mcg_status & MCG_STATUS_RIPV)) {
        char why[96];

        snprintf(why, sizeof(why), "machine check: bank %u, status %016lx, address %lx",
                 machine_check.bank, machine_check.status, machine_check.address);
        fatal_trap(regs, why);
    }
    locked_add(&machine_check.count, 1);
    wrmsr(MSR_MCG_STATUS, 0);
}

void log_noted_events(void)
{
    static unsigned nmis, machine_checks;       /* of which lines told */
    static uint64_t last;
    unsigned n = READ_ONCE(nmi.count), m = READ_ONCE(machine_check.count);
    uint64_t offset;
    const char *name;

    if ((n == nmis && m == machine_checks) || (last != 0 && now_ns() - last < LINE_INTERVAL_NS))
        return;
    if (this_cpu() != cpus[0])          /* it has the console, and the words above */
        return;
    last = now_ns();
    if (n != nmis) {
        name = symbol_of(nmi.rip, &offset);
        log_error("NMI: %u so far, the last at %04x:[<%016lx>] %s", n, nmi.cs, nmi.rip,
                  name != NULL ? name : nmi.cs & 3 ? "in a guest" : "in the firmware");
    }
    if (m != machine_checks)
        log_error("Machine check: %u so far, the last in bank %u, status %016lx, address %lx: "
                  "going on", m,
                  machine_check.bank, machine_check.status, machine_check.address);
    nmis = n;
    machine_checks = m;
}
