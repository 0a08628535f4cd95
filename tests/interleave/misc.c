/* What else two vCPUs of one domain may do at once: lines on the console, also on a slow line on
 * which another CPU prints much, vCPUs brought up, descriptor tables, runstate areas and vcpu_info
 * moved; and timers that another CPU ends for good while they fire. */
#include <stdio.h>
#include <string.h>
#include "arch/arch.h"
#include "tests/interleave/interleave.h"
#include "xen/core/console.h"
#include "xen/core/console_tx.h"
#include "xen/core/frame.h"
#include "xen/core/guest_log.h"
#include "xen/core/time.h"
#include "xen/core/timer.h"
#include "xen/core/walk.h"

#define ROUNDS 12u

static mfn_t descriptors[2];

static void prepare(struct domain *d[2])
{
    host_become(d[0]->vcpu[0]);
    for (unsigned i = 0; i < 2; i++)
        descriptors[i] = unmapped_frame();
}

static void lines(struct vcpu *v)
{
    char text[64];
    uint64_t va = SCRATCH + (2 + v->id) * PAGE_SIZE;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned len = 1 + pick(60);

        memset(text, 'a' + (int)v->id, sizeof(text));
        if (pick(3) == 0)
            text[len - 1] = '\n';
        guest_put(va, text, len);
        (void)call(__HYPERVISOR_console_io, CONSOLEIO_write, len, va, 0);
    }
}

static unsigned turns;          /* of CPU 0, before it does something */
static bool printed;
/* How often a CPU has tried to send bytes, in all, and most while a line was printed. */
static unsigned tried, most_tried;

static void count_try(void)
{
    tried++;
    host.tsc += 10 * host.byte_ticks;
}

static void print(char what, unsigned i)
{
    char line[48];
    int len = snprintf(line, sizeof(line), "of %c: %u..................\n", what, i);
    unsigned before = tried;

    console_put(line, (size_t)len);
    most_tried = MAX(most_tried, tried - before);
}

/* As the trace is shown on CPU 0: each line waits until half of the ring is free. */
static void print_much(void)
{
    if (printed)
        return;
    printed = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        console_make_room();
        print('0', i);
    }
}

static void prepare_slow_line(struct domain *d[2])
{
    char line[64];

    (void)d;
    console_go_on();
    host.stuck = true;
    memset(line, '.', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    while (tx_room() > TX_BYTES / 2 - 1000)
        console_put(line, sizeof(line));
    host.stuck = false;
    host.byte_ticks = 1000000;
    printed = false;
    most_tried = 0;
    host.on_send = count_try;
    host.on_turn = print_much;
}

static void print_lines(struct vcpu *v)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        print((char)('0' + host_cpu), i);
    (void)v;
}

/* No line is lost or in two pieces. */
static void check_slow_line(struct domain *d[2])
{
    char line[48];

    (void)d;
    host.byte_ticks = host.sending_until = 0;
    console_wait();
    host.on_send = NULL;
    HOST_CHECK(most_tried < 60, "a line waited until bytes were sent %u times", most_tried);
    for (unsigned i = 0; i < 3 * ROUNDS; i++) {
        (void)snprintf(line, sizeof(line), "\nof %u: %u..................\n", i % 3, i / 3);
        HOST_CHECK(strstr(host.console, line) != NULL, "lost:%s", line);
    }
}

static struct ending {
    struct timer timer;
    bool setting, ending, ended;
} endings[2];

/* It sets itself again, as periodic timers do. */
static void fires(void *arg)
{
    struct ending *e = arg;

    for (unsigned i = pick(30); i > 0; i--) {
        HOST_CHECK(!e->ended, "a timer that has been ended is firing");
        host_step();
    }
    if (pick(2) == 0)
        timer_set(&e->timer, now_ns());
}

static void end_timers(void)
{
    struct ending *e = &endings[pick(2)];

    if (e->ending || e->setting || turns-- != 0)
        return;
    turns = 1;
    e->ending = true;
    timer_end(&e->timer);
    HOST_CHECK(!timer_armed(&e->timer), "a timer that has been ended is set");
    e->ended = true;
}

static void prepare_timers(struct domain *d[2])
{
    (void)d;
    for (unsigned i = 0; i < 2; i++) {
        endings[i] = (struct ending){ 0 };
        timer_init(&endings[i].timer, fires, &endings[i]);
    }
    turns = pick(6);
    host.on_turn = end_timers;
}

/* Nobody sets a timer that is being ended, but its function. */
static void set_timer(struct vcpu *v)
{
    struct ending *e = &endings[v->id];

    while (!e->ended) {
        e->setting = true;
        if (!e->ending)
            timer_set(&e->timer, now_ns());
        e->setting = false;
        host_take_interrupts();
        host_step();
        host_run_timer();
    }
}

static void vcpus(struct vcpu *v)
{
    static struct vcpu_guest_context context;
    uint64_t va = SCRATCH + (2 + 2 * v->id) * PAGE_SIZE;
    struct vcpu_guest_context c = context;

    c.flags = VGCF_in_kernel;
    c.ctrlreg[3] = v->root_kernel;
    c.user_regs.rip = GUEST_BASE;
    c.user_regs.rsp = SCRATCH;
    c.user_regs.cs = FLAT_KERNEL_CS64;
    c.user_regs.ss = FLAT_KERNEL_SS64;
    guest_put(va, &c, sizeof(c));
    for (unsigned i = 0; i < ROUNDS; i++)
        (void)call(__HYPERVISOR_vcpu_op, pick(2) ? VCPUOP_initialise : VCPUOP_is_up, 2 + pick(2),
                   va, 0);
}

static void tables(struct vcpu *v)
{
    uint64_t list = SCRATCH + (2 + v->id) * PAGE_SIZE;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t mfn = descriptors[pick(2)];

        switch (pick(5)) {
        case 0:
            guest_put(list, &mfn, 8);
            (void)call(__HYPERVISOR_set_gdt, list, pick(2) ? 512 : 0, 0, 0);
            break;
        case 1:
            (void)call(__HYPERVISOR_update_va_mapping, FREE_PFN_VA + pick(2) * PAGE_SIZE,
                       pick(2) ? mfn << PAGE_SHIFT | PTE_P | PTE_RW : 0, 0, 0);
            break;
        case 2:
            (void)call(__HYPERVISOR_update_descriptor, (mfn << PAGE_SHIFT) + 8 * pick(4), 0, 0, 0);
            break;
        case 3:
            (void)call_mmuext(MMUEXT_SET_LDT, FREE_PFN_VA, pick(2) ? 8 : 0);
            break;
        default:
            guest_store(FREE_PFN_VA + pick(2) * PAGE_SIZE, 0);
        }
    }
}

/* Words of the domain that all its vCPUs write. */
static void words(struct vcpu *v)
{
    static const unsigned types[] = { VMASST_TYPE_4gb_segments, VMASST_TYPE_runstate_update_flag,
                                      VMASST_TYPE_m2p_strict };

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct sched_shutdown s = { .reason = 1 + v->id };

        (void)call(__HYPERVISOR_vm_assist, pick(2) ? VMASST_CMD_enable : VMASST_CMD_disable,
                   types[v->id], 0, 0);
        guest_log(v->domain, LOG_WARNING, "line %u", i);
        if (i == ROUNDS / 2)
            (void)call_struct(__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, &s, sizeof(s));
    }
    (void)call(__HYPERVISOR_vm_assist, VMASST_CMD_enable, types[v->id], 0, 0);
}

static void check_words(struct domain *d[2])
{
    uint64_t all = 1ull << VMASST_TYPE_4gb_segments | 1ull << VMASST_TYPE_runstate_update_flag |
                   1ull << VMASST_TYPE_m2p_strict;

    HOST_CHECK((d[0]->vm_assist & all) == all, "a bit of vm_assist is lost");
    HOST_CHECK(d[0]->log_lines + d[0]->log_withheld == 3 * ROUNDS, "%u lines, %u withheld",
               d[0]->log_lines, d[0]->log_withheld);
}

const struct scenario misc_scenarios[] = {
    { "lines", { 2 }, prepare, { lines }, NULL },
    { "vcpus", { 2 }, prepare, { vcpus }, NULL },
    { "descriptors", { 2 }, prepare, { tables }, NULL },
    { "slow-line", { 2 }, prepare_slow_line, { print_lines }, check_slow_line },
    { "timer-ends", { 2 }, prepare_timers, { set_timer }, NULL },
    { "words", { 3 }, prepare, { words }, check_words },
    { NULL },
};
