/* The two events that come between any two instructions, whoever runs and whatever lock is held: NMI and machine
 * check. Their handlers take no lock and print nothing: they make a note, which the next timer interrupt prints, because it
 * comes only where the hypervisor lets it. A machine check after which the CPU cannot go on is a panic, whose lines need no
 * lock. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fault.h"
#include "arch/x86_64/features.h"
#include "arch/x86_64/nmi.h"
#include "arch/x86_64/symbols.h"
#include "xen/core/log.h"
#include "xen/core/time.h"
#include "common/printf.h"

#define LINE_INTERVAL_NS 1000000000ull  /* one line in this time, however many there are */

#define MCG_CAP_BANKS 0xff
#define MCG_CAP_SER (1ull << 24)        /* errors may be recoverable, and say so */
#define MCG_STATUS_RIPV 1               /* going on at the interrupted instruction is sound */
#define MCI_VALID (1ull << 63)
#define MCI_UNCORRECTED (1ull << 61)
#define MCI_ADDRV (1ull << 58)
#define MCI_CONTEXT_CORRUPT (1ull << 57)
#define MCI_ACTION_REQUIRED (1ull << 55)

/* Written by the handlers only. Whoever reads may see half of the next: a line of mixed values does no harm. */
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
    nmi.rip = regs->rip;
    nmi.cs = regs->cs;
    WRITE_ONCE(nmi.count, nmi.count + 1);
}

/* An error that only says that data somewhere are lost can wait for who uses them; all others that are not corrected
 * have damaged what was to run next. */
static bool bank_is_fatal(uint64_t status, uint64_t cap)
{
    bool can_wait = (cap & MCG_CAP_SER) && !(status & (MCI_ACTION_REQUIRED | MCI_CONTEXT_CORRUPT));

    return (status & MCI_UNCORRECTED) && !can_wait;
}

/* Every bank that has something is noted and emptied: a bank that is not is taken for overrun at the next error, and while
 * MCG_STATUS is not 0, the next machine check switches the machine off. */
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

        snprintf(why, sizeof(why), "machine check: bank %u, status %016lx, address %lx", machine_check.bank,
                 machine_check.status, machine_check.address);
        fatal_trap(regs, why);
    }
    WRITE_ONCE(machine_check.count, machine_check.count + 1);
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
    last = now_ns();
    if (n != nmis) {
        name = symbol_of(nmi.rip, &offset);
        log_error("NMI: %u so far, the last at %04x:[<%016lx>] %s", n, nmi.cs, nmi.rip,
                  name != NULL ? name : nmi.cs & 3 ? "in a guest" : "in the firmware");
    }
    if (m != machine_checks)
        log_error("Machine check: %u so far, the last in bank %u, status %016lx, address %lx: going on", m,
                  machine_check.bank, machine_check.status, machine_check.address);
    nmis = n;
    machine_checks = m;
}
