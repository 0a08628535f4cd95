/* The rest of the fake machine: clock, timer, console, its ends (power off, reboot, halt), and
 * starting the hypervisor on it. Time advances only when a test calls host_advance, when the clock
 * is read (tsc_step) and when the machine idles. The CPU is cpu.c's, RAM ram.c's. Called by xen/
 * through arch/arch.h, and by tests through host.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "common/atomic.h"
#include "host.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/lock.h"
#include "xen/core/options.h"
#include "xen/core/sched.h"
#include "xen/core/sched_queue.h"
#include "xen/core/sched_wake.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/hooks.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/pagetype.h"

#define TSC_HZ 2400000000ull

HOST_TLS struct host_machine host;
jmp_buf host_end_jmp;
bool host_end_expected;

uint64_t arch_tsc(void)
{
#ifdef HOST_THREADS
    static uint64_t tsc = 1000;

    return host.tsc = __atomic_add_fetch(&tsc, host.tsc_step, __ATOMIC_SEQ_CST);
#else
    return host.tsc += host.tsc_step;
#endif
}

uint64_t arch_cmpxchg64(uint64_t *p, uint64_t old, uint64_t val)
{
    host_step();
    if (host.on_cmpxchg != NULL)
        host.on_cmpxchg(p);
    return cmpxchg64(p, old, val);
}

uint64_t arch_tsc_hz(void)
{
    return TSC_HZ;
}

bool arch_tsc_is_invariant(void)
{
    return options.tsc == TSC_STABLE;
}

bool arch_tsc_is_stable(void)
{
    return options.tsc != TSC_UNSTABLE;
}

uint64_t arch_wallclock_seconds(void)
{
    return 1700000000;
}

/* The test makes the CPUs that it wants. */
void arch_start_cpus(unsigned max)
{
    (void)max;
}

void arch_stop_cpus(void)
{
}

void arch_show_stopped(void)
{
    struct cpu *c;

    for_each_cpu(c)
        locks_show(c);
}

void arch_timer_program(uint64_t tsc_deadline)
{
    host.timer_programs++;
    host.deadline = tsc_deadline;
}

/* The timer interrupt fires once for a deadline, however late. */
void host_run_timer(void)
{
    if (host.deadline == 0 || host.tsc < host.deadline)
        return;
    host.deadline = 0;
    timers_run();
}

void arch_interrupt_window(void)
{
    host.windows++;
    host_step();
    host.tsc += host.window_ticks;
    host_take_interrupts();
    host_run_timer();
    if (host.on_window != NULL)
        host.on_window();
}

void host_advance(uint64_t ns)
{
    host.tsc += (uint64_t)((unsigned __int128)ns * TSC_HZ / 1000000000);
    host_take_interrupts();
    host_run_timer();
}

/* No vCPU is runnable: the clock advances to the timer's deadline. Without a deadline the machine
 * would sleep for ever. Where several CPUs schedule, others go on. */
void arch_idle(void)
{
    if (host_cpus_schedule_now()) {
        (void)host_halt(0);
        host_take_interrupts();
        host_run_timer();
        return;
    }
    if (host.deadline == 0) {
        fprintf(stderr, "fake machine: asleep for ever, nothing is runnable and no timer is set\n");
        abort();
    }
    host.tsc = MAX(host.tsc, host.deadline);
    host_run_timer();
}

static void idle_program(struct vcpu *v)
{
    (void)v;
    for (;;) {
        schedule();
        domain_reap();
        if (!sched_has_work(this_cpu()))
            arch_idle();
    }
}

/* Advances the clock to the timer's deadline, but not beyond system time end. A guest may set a
 * timer centuries ahead: the clock must not advance so far, because the TSC would wrap and time
 * would run backwards. */
static void idle_until(uint64_t end)
{
    uint64_t end_tsc = ns_to_tsc(end);

    if (!host_cpus_schedule_now())      /* else host_halt() did */
        host.tsc = MAX(host.tsc, MIN(host.deadline, end_tsc));
    host_take_interrupts();
    host_run_timer();
}

bool host_run(uint64_t limit_ns)
{
    uint64_t end = now_ns() + limit_ns;

    while (now_ns() < end) {
        schedule();
        host.reaps = true;
        domain_reap();
        host.reaps = false;
        if (sched_has_work(this_cpu()) || console_poll())
            continue;
        if (host_cpus_schedule_now() && !host_halt(ns_to_tsc(end))) {
            host_check_all_idle();
            return true;
        }
        if (!host_cpus_schedule_now() && host.deadline == 0)
            return true;
        idle_until(end);
    }
    return false;
}

/* The vCPU that was current is blocked from now on. */
void host_become(struct vcpu *v)
{
    struct vcpu *old = current;

    if (v == old)
        return;
    fiber_free(v);
    host_vcpu(v)->fiber = host_vcpu(old)->fiber;    /* the test's own stack is now that of v */
    host_vcpu(old)->fiber = NULL;
    old->blocked = true;
    if (!is_idle(v)) {
        vcpu_wake(v);
        if (!v->on_queue) {
            fprintf(stderr, "host_become: d%uv%u cannot run\n", v->domain->id, v->id);
            abort();
        }
    }
    if (v->on_queue) {
        queue_remove(v->cpu, v);
    }
    v->run_since = now_ns();
    old->on_cpu = NULL;
    current = cpus[0]->running = v;
    v->on_cpu = cpus[0];
    host_load_root(v);
}

static struct vcpu *idle;

void host_start(mfn_t base, unsigned nr_chunks, uint64_t seed)
{
    memset(&host, 0, sizeof(host));
    host.random = seed | 1;
    host.tsc = 1000;
    host.tsc_step = 7;
    host.echo = getenv("HOST_ECHO") != NULL;
    host_end_expected = false;
    host_tlb_start();
    hooks_register();
    host_ram_init(base, nr_chunks);
    pagetype_init();
    idle = arch_vcpu_alloc();
    idle->domain = &idle_domain;
    idle->cpu = cpus[0];
    host_vcpu(idle)->program = idle_program;
    idle->kernel_mode = true;
    current = idle;
    time_init();
    /* Every preempt_after() is a preemption point: the most interleavings. */
    work_budget = 0;
    timers_run();               /* forgets the deadline that an earlier machine programmed */
    sched_init(cpus[0], idle);
}

void host_stop(void)
{
    current = NULL;
    arch_vcpu_free(idle);
    host_free_taken();
    host_ram_free();
}

/* --- The console and the machine's end -------------------------------------------------------- */

void arch_console_setup(uint16_t port, uint32_t baud)
{
    (void)port, (void)baud;
}

static void put_console(char c)
{
    if (c == '\r')
        return;                 /* a terminal would not show it either */
    if (host.console_len + 1 >= sizeof(host.console)) {
        memmove(host.console, host.console + sizeof(host.console) / 2, sizeof(host.console) / 2);
        host.console_len -= sizeof(host.console) / 2;
    }
    host.console[host.console_len++] = c;
    host.console[host.console_len] = '\0';
    if (host.echo)
        fputc(c, stderr);
}

unsigned arch_console_write(const char *s, unsigned len)
{
    unsigned n = MIN(len, 16);

    if (host.on_send != NULL)
        host.on_send();
    if (host.stuck || host.tsc < host.sending_until)
        return 0;
    host.sending_until = host.tsc + n * host.byte_ticks;
    for (unsigned i = 0; i < n; i++)
        put_console(s[i]);
    host.tsc += n * host.port_ticks;
    return n;
}

bool arch_console_sent(void)
{
    return !host.stuck && host.tsc >= host.sending_until;
}

int arch_console_getc(void)
{
    return host.getc != NULL ? host.getc() : -1;
}

void arch_sink_setup(enum arch_sink kind, uint16_t port)
{
    (void)kind, (void)port;
}

/* The first bytes that were sent are kept for tests. */
void arch_sink_write(const void *bytes, size_t len)
{
    len = len < sizeof(host.sink) - host.sink_len ? len : sizeof(host.sink) - host.sink_len;
    memcpy(host.sink + host.sink_len, bytes, len);
    host.sink_len += len;
}

uint64_t arch_static_maddr(const void *p)
{
    return (uint64_t)p;
}

static _Noreturn void end(enum host_end how)
{
    if (host_end_expected) {
        host_end_expected = false;
        locks_forget();                 /* locks held in a panic are never released */
        longjmp(host_end_jmp, how);
    }
    fprintf(stderr, "fake machine: ended (%d) unexpectedly; the end of the console:\n%s\n", how,
            host.console + (host.console_len > 2000 ? host.console_len - 2000 : 0));
    abort();
}

_Noreturn void arch_poweroff(void)
{
    end(END_POWEROFF);
}

_Noreturn void arch_reboot(void)
{
    end(END_REBOOT);
}

_Noreturn void arch_halt(void)
{
    end(END_HALT);
}

void arch_show_stack(void)
{
    void __sanitizer_print_stack_trace(void) __attribute__((weak));    /* NULL without sanitizers */

    if (__sanitizer_print_stack_trace != NULL)
        __sanitizer_print_stack_trace();
}
