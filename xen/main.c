/* The order of everything: hypervisor_main calls all parts, from the start of the hypervisor to
 * power off. It is called by arch/x86_64/start.c when page tables, traps, clock and frame table are
 * set up. */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/boot/boot_info.h"
#include "xen/boot/cmdline.h"
#include "xen/boot/modules.h"
#include "xen/core/alloc.h"
#include "xen/core/console.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/irqsoff.h"
#include "xen/core/log.h"
#include "xen/core/options.h"
#include "xen/core/request.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/trace_control.h"
#include "xen/core/watchdog.h"
#include "xen/main.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/hypercall_counts.h"
#include "xen/pv/input.h"
#include "xen/pv/pagetype.h"
#include "xen/pv/store.h"

/* The last word of a text; the text ends with a blank. */
static const char *last_word(const char *text)
{
    const char *p = text + strlen(text);

    while (p > text && p[-1] == ' ')
        p--;
    while (p > text && p[-1] != ' ')
        p--;
    return p;
}

static void banner(void)
{
    log_info("Paragon " PARAGON_VERSION " - a paravirtual hypervisor for Xen PV guests");
    log_info("Bootloader: %s", boot_info.loader[0] ? boot_info.loader : "unknown");
    log_info("Command line: %s", boot_string(boot_info.cmdline));
    if (boot_info.cmdline_cut != 0)
        log_error("The command line is cut: of the options behind \"%s\" %lu bytes are ignored",
                  last_word(boot_info.cmdline), boot_info.cmdline_cut);
    log_info("System RAM: %lu MiB (%lu MiB free), TSC %lu.%03lu MHz", boot_info.ram >> 20,
             (nr_free_frames() + module_memory()) >> (20 - PAGE_SHIFT), arch_tsc_hz() / 1000000,
             arch_tsc_hz() / 1000 % 1000);
    if (boot_info.dropped != 0)
        log_warning("%lu KiB of RAM are left out: it lies in more than %u pieces",
                    boot_info.dropped >> 10, BOOT_RANGES);
    if (boot_info.screen.base != 0)
        log_debug("Screen: %ux%u at %#lx, not used", boot_info.screen.width,
                  boot_info.screen.height, boot_info.screen.base);
    for (unsigned i = 0; i < boot_info.nr_modules; i++)
        log_debug("Module %u: %lu KiB at %#lx", i, boot_info.modules[i].size >> 10,
                  boot_info.modules[i].start);
}

/* The time from the boot loader's jump to the hypervisor until now, right before the first guest
 * runs. */
static void log_boot_time(void)
{
    uint64_t ticks = arch_tsc() - boot_info.tsc, us = ticks * 1000 / (arch_tsc_hz() / 1000);

    if (domain_count() == 0)
        return;
    log_info("Guests start %lu.%03lu ms after the boot loader", us / 1000, us % 1000);
    log_debug("Guests start at TSC %lu", arch_tsc());
}

/* The idle vCPU: lets guests run, releases what ended guests held, sends console output, and halts
 * the CPU when there is nothing to do. Returns when no guest is left that could end. */
static void idle_loop(void)
{
    irqsoff_begin(IRQSOFF_IDLE);
    while (domains_left()) {
        schedule();
        domain_reap();
        store_idle_work();
        if (!domains_left() || sched_has_work(this_cpu()))
            continue;
        irqsoff_begin(IRQSOFF_NOTHING);
        if (console_poll())
            arch_interrupt_window();
        else
            arch_idle();
        irqsoff_begin(IRQSOFF_IDLE);
    }
    irqsoff_begin(IRQSOFF_NOTHING);
}

/* Their devices are switched off with the machine. */
static void log_quarantine(void)
{
    struct domain *d;

    for_each_domain(d)
        log_warning("d%u (%s) could not end: its %lu frames are not free", d->id, d->name,
                    d->nr_frames);
}

static bool built;      /* all domains: other CPUs may run them */

/* The idle vCPU of every other CPU. Without a vCPU to run it waits for requests (request.h). */
void secondary_main(void)
{
    while (!load_acquire(&built))
        arch_idle();
    for (;;) {
        schedule();
        if (sched_has_work(this_cpu()))
            arch_interrupt_window();
        else
            arch_idle();
    }
}

/* The first domains are built while no guest runs, as when there is one CPU. */
static void let_others_run(void)
{
    struct cpu *c;

    store_release(&built, true);
    for_each_cpu(c)
        if (c != this_cpu())
            request_cpu(c, REQUEST_RESCHED);
}

void hypervisor_main(void)
{
    options_parse(boot_string(boot_info.cmdline));
    arch_console_setup(options.com1_port, options.com1_baud);
    banner();
    arch_log_cpu();
    pagetype_init();            /* the page-table bits that guests may set on this CPU */
    time_init();                /* system time starts at 0 */
    sched_init(cpus[0], current);
    arch_start_cpus(options.nosmp ? 1 : options.max_cpus);
    sched_nr_cpus = nr_cpus;
    watchdog_start();
    trace_init();               /* allocates its ring before the memory is divided among guests */
    console_input_start();      /* console input goes to the first guest */
    build_all_domains();        /* a domain for each module, or a log line with the reason */
    time_move_points();         /* from now on guests' vcpu_time_info is renewed each second */
    log_boot_time();
    let_others_run();
    idle_loop();
    log_quarantine();
    console_wait();
    if (options.hypercall_counts)
        hypercalls_report();
    irqsoff_report();
    trace_end();
    log_info("memory: %lu frames free after the last guest",
             nr_free_frames() + trace_late_frames());
    log_info("All guests have ended. Powering off.");
    arch_poweroff();
}
