/* The hypercalls that the kernel itself makes, as functions: console, clock and one timer, the trap
 * table, callbacks, the end. What only a hypervisor can do is -ENOSYS, as any unknown number is.
 * Those about page tables are in memory.c. Called by entry.S with interrupts off. */
#include <stdint.h>
#include <public/callback.h>
#include <public/errno.h>
#include <public/event_channel.h>
#include <public/memory.h>
#include <public/sched.h>
#include <public/vcpu.h>
#include <public/xen.h>
#include "bare.h"

#define PIT_HZ 1193182u
#define TIMER_PORT 1                    /* VIRQ_TIMER's, the only one */
#define SLOT_SIZE 32                    /* of the hypercall page */
#define NEVER UINT64_MAX
#define VERSION (4 << 16 | 17)

extern uint8_t hypercall_page[];
extern volatile shared_info_t shared_info_page;
_Noreturn void bare_lost(unsigned vector, const uint64_t *frame);

static uint64_t deadline = NEVER;       /* TSC */

/* --- time ------------------------------------------------------------------------------------- */

/* The record that public/xen.h describes: ns = (tsc << shift) * mul / 2^32, counted from TSC 0. */
static void fill_time(volatile struct vcpu_time_info *t)
{
    uint64_t hz = tsc_hz;
    int shift = 0;

    for (; hz <= 1000000000; hz <<= 1)
        shift++;
    t->tsc_shift = (int8_t)shift;
    t->tsc_to_system_mul = (uint32_t)((1000000000ull << 32) / hz);
    t->version += 2;
}

/* As a domain finds it. */
void fill_shared_info(volatile shared_info_t *s)
{
    fill_time(&s->vcpu_info[0].time);
    s->vcpu_info[0].evtchn_upcall_mask = 1;
}

static uint64_t tsc_of_ns(uint64_t ns)
{
    return ns / 1000000000 * tsc_hz + ns % 1000000000 * tsc_hz / 1000000000;
}

static void raise_timer(void)
{
    volatile struct vcpu_info *v = &shared_info_page.vcpu_info[0];

    deadline = NEVER;
    shared_info_page.evtchn_pending[0] |= 1ul << TIMER_PORT;
    if (shared_info_page.evtchn_mask[0] >> TIMER_PORT & 1)
        return;
    v->evtchn_pending_sel |= 1;
    v->evtchn_upcall_pending = 1;
}

/* The timer counts 55 ms at most, so a far deadline takes several turns. */
static void check_deadline(void)
{
    uint64_t now = rdtsc(), ticks;

    if (deadline == NEVER)
        return;
    if (now >= deadline) {
        raise_timer();
        return;
    }
    ticks = (deadline - now) / (tsc_hz / PIT_HZ + 1) + 1;
    timer_arm(ticks);
}

void arm_interrupt(uint64_t tsc)
{
    deadline = tsc;
    timer_arm(1);
}

void bare_irq(uint64_t irq)
{
    end_of_interrupt((unsigned)irq);
    if (irq == 0)
        check_deadline();
}

/* --- calls ------------------------------------------------------------------------------------ */

static long set_trap_table(uint64_t list)
{
    for (const struct trap_info *t = (const struct trap_info *)list; t->address; t++) {
        trap_address[t->vector] = t->address;
        trap_flags[t->vector] = t->flags;
        set_gate(t->vector, t->flags & 3);
    }
    return 0;
}

static long callback_op(uint64_t cmd, const struct callback_register *cb)
{
    if (cmd != CALLBACKOP_register)
        return -XEN_ENOSYS;
    if (cb->type == CALLBACKTYPE_event)
        event_address = cb->address;
    else if (cb->type == CALLBACKTYPE_syscall)
        syscall_address = cb->address;
    else if (cb->type != CALLBACKTYPE_failsafe)
        return -XEN_ENOSYS;
    return 0;
}

static long event_channel_op(uint64_t cmd, void *arg)
{
    struct evtchn_bind_virq *bind = arg;
    const struct evtchn_unmask *unmask = arg;

    if (cmd == EVTCHNOP_bind_virq && bind->virq == VIRQ_TIMER) {
        bind->port = TIMER_PORT;
        return 0;
    }
    if (cmd == EVTCHNOP_unmask && unmask->port == TIMER_PORT) {
        shared_info_page.evtchn_mask[0] &= ~(1ul << TIMER_PORT);
        if (shared_info_page.evtchn_pending[0] >> TIMER_PORT & 1)
            raise_timer();
        return 0;
    }
    return -XEN_ENOSYS;
}

static long vcpu_op(uint64_t cmd, const void *arg)
{
    const struct vcpu_set_singleshot_timer *timer = arg;

    if (cmd == VCPUOP_stop_singleshot_timer)
        deadline = NEVER;
    if (cmd == VCPUOP_set_singleshot_timer) {
        deadline = tsc_of_ns(timer->timeout_abs_ns);
        check_deadline();
    }
    return cmd == VCPUOP_set_singleshot_timer || cmd == VCPUOP_stop_singleshot_timer ||
           cmd == VCPUOP_stop_periodic_timer ? 0 : -XEN_ENOSYS;
}

/* Between STI and HLT no interrupt comes in, so none is slept through. */
static long block(void)
{
    volatile struct vcpu_info *v = &shared_info_page.vcpu_info[0];

    v->evtchn_upcall_mask = 0;
    while (!v->evtchn_upcall_pending)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    return 0;
}

static long sched_op(uint64_t cmd)
{
    if (cmd == SCHEDOP_shutdown)
        machine_end();
    if (cmd == SCHEDOP_block)
        return block();
    return cmd == SCHEDOP_yield ? 0 : -XEN_ENOSYS;
}

static long console_io(uint64_t cmd, uint64_t len, char *bytes)
{
    if (cmd == CONSOLEIO_read)
        return (long)serial_read(bytes, len);
    if (cmd != CONSOLEIO_write)
        return -XEN_ENOSYS;
    serial_write(bytes, len);
    return 0;
}

/* The p2m is the identity, so it is the M2P as well. */
static long memory_op(uint64_t cmd, struct xen_machphys_mapping *map)
{
    extern start_info_t *start_info;

    if (cmd != XENMEM_machphys_mapping)
        return -XEN_ENOSYS;
    map->v_start = start_info->mfn_list;
    map->v_end = map->v_start + start_info->nr_pages * 8;
    map->max_mfn = start_info->nr_pages - 1;
    return 0;
}

static long set_segment_base(uint64_t which, uint64_t base)
{
    static const uint32_t msr[] = {
        [SEGBASE_FS] = 0xc0000100, [SEGBASE_GS_USER] = 0xc0000102, [SEGBASE_GS_KERNEL] = 0xc0000101,
    };

    if (which > SEGBASE_GS_KERNEL)
        return -XEN_ENOSYS;
    wrmsr(msr[which], base);
    return 0;
}

static long stack_switch(uint64_t rsp)
{
    set_kernel_stack(rsp);
    return 0;
}

long bare_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t nr)
{
    (void)d, (void)e;
    switch (nr) {
    case __HYPERVISOR_set_trap_table:
        return set_trap_table(a);
    case __HYPERVISOR_mmu_update:
        return bare_mmu_update(a, b, c);
    case __HYPERVISOR_stack_switch:
        return stack_switch(b);
    case __HYPERVISOR_memory_op:
        return memory_op(a, (void *)b);
    case __HYPERVISOR_update_va_mapping:
        return bare_update_va_mapping(a, b);
    case __HYPERVISOR_xen_version:
        return a == 0 ? VERSION : -XEN_ENOSYS;
    case __HYPERVISOR_console_io:
        return console_io(a, b, (char *)c);
    case __HYPERVISOR_vcpu_op:
        return vcpu_op(a, (const void *)c);
    case __HYPERVISOR_set_segment_base:
        return set_segment_base(a, b);
    case __HYPERVISOR_mmuext_op:
        return bare_mmuext_op(a, b, c);
    case __HYPERVISOR_sched_op:
        return sched_op(a);
    case __HYPERVISOR_callback_op:
        return callback_op(a, (const void *)b);
    case __HYPERVISOR_event_channel_op:
        return event_channel_op(a, (void *)b);
    default:
        return -XEN_ENOSYS;
    }
}

/* mov $number, %eax; jmp bare_hypercall - but for iret, which takes its frame as it is. */
void fill_hypercall_page(void)
{
    for (unsigned nr = 0; nr < PAGE_SIZE / SLOT_SIZE; nr++) {
        uint8_t *slot = hypercall_page + nr * SLOT_SIZE, *jump = slot + 5;
        const char *to = nr == __HYPERVISOR_iret ? bare_iret : bare_hypercall;

        slot[0] = 0xb8;
        *(uint32_t *)(slot + 1) = nr;
        if (nr == __HYPERVISOR_iret)
            jump = slot;
        jump[0] = 0xe9;
        *(int32_t *)(jump + 1) = (int32_t)(to - (const char *)jump - 5);
    }
}

static void print_word(const char *name, uint64_t word)
{
    char text[17];

    for (unsigned i = 0; i < 16; i++)
        text[i] = "0123456789abcdef"[word >> (60 - 4 * i) & 15];
    text[16] = '\n';
    serial_write(name, 8);
    serial_write(text, sizeof(text));
}

/* A trap before the kernel has told where its handlers are. */
_Noreturn void bare_lost(unsigned vector, const uint64_t *frame)
{
    print_word("\nvector ", vector);
    for (unsigned i = 0; i < 7; i++)
        print_word("frame   ", frame[i]);
    machine_end();
}
