/* Random hypercalls for suite "fuzz": the arguments of each number, and rule W3 of fuzz.h. Called
 * by fuzz.c, which makes the calls. */
#include "clock.h"
#include "fuzz.h"
#include "gnttab.h"
#include "hypercall.h"
#include "start.h"

/* The words that an argument points to, to be changed, if it points into the argument pages; else
 * words that no call uses. */
static uint64_t *pointed_to(uint64_t pointer)
{
    static uint64_t unused[16];

    for (unsigned i = 0; i < ARG_PAGES; i++)
        if (pointer - (uint64_t)p2v(fuzz_mem.scratch[i]) < PAGE_SIZE - sizeof(unused))
            return (uint64_t *)pointer;
    return unused;
}

/* The pointer, if all of a structure there can be changed, else one that cannot be read. */
static uint64_t only_changeable(uint64_t pointer)
{
    return pointed_to(pointer) == (uint64_t *)pointer ? pointer : fuzz_bad_pointer();
}

static void tame_sched(uint64_t a[5])
{
    uint32_t cmd = a[0];

    a[1] = only_changeable(a[1]);
    if (cmd == SCHEDOP_block)
        xen_set_timer_op(clock_ns() + NS_PER_MS);
    else if (cmd == SCHEDOP_shutdown || cmd == SCHEDOP_shutdown_code)
        a[1] = BAD_POINTER;
    else if (cmd == SCHEDOP_poll)
        pointed_to(a[1])[2] = fuzz_random() % 2 ? 1 : clock_ns() + NS_PER_MS;
    else if (cmd == SCHEDOP_remote_shutdown)
        pointed_to(a[1])[0] = NO_SUCH_DOMAIN;
    else if (cmd == SCHEDOP_watchdog)
        pointed_to(a[1])[0] &= 0xffffffff;              /* no timeout: it may only be turned off */
    else if (cmd == SCHEDOP_pin_override)
        pointed_to(a[1])[0] |= 0x80000000;
}

static void tame_sched_compat(uint64_t a[5])
{
    if ((uint32_t)a[0] == SCHEDOP_shutdown)
        a[0] = SCHEDOP_yield;
    else if ((uint32_t)a[0] == SCHEDOP_block)
        xen_set_timer_op(clock_ns() + NS_PER_MS);
}

static void tame_vcpu(uint64_t a[5])
{
    uint32_t cmd = a[0];

    a[2] = only_changeable(a[2]);
    if (cmd == VCPUOP_up || cmd == VCPUOP_down || cmd == VCPUOP_send_nmi)
        a[1] = 0x10000;
    else if (cmd == VCPUOP_register_vcpu_info)
        pointed_to(a[2])[0] = ~0ul;
}

static void tame_event(uint64_t a[5])
{
    uint32_t cmd = a[0];
    uint64_t *arg;

    a[1] = only_changeable(a[1]);
    arg = pointed_to(a[1]);
    if (cmd == EVTCHNOP_close && (uint32_t)arg[0] < fuzz_mem.first_port)
        arg[0] = fuzz_mem.first_port + fuzz_random() % 8;
    else if (cmd == EVTCHNOP_init_control)
        arg[0] = ~0ul;
    else if (cmd == EVTCHNOP_reset || cmd == 14)   /* 14: its continuation in Xen */
        arg[0] = NO_SUCH_DOMAIN;
}

static void tame_memory(uint64_t a[5])
{
    a[1] = only_changeable(a[1]);
    if (fuzz_random() % 8) {
        pointed_to(a[1])[1] &= 7;    /* the extents, also of an exchange's two halves */
        pointed_to(a[1])[6] &= 7;
    }
    if ((uint32_t)a[0] == XENMEM_increase_reservation || (uint32_t)a[0] == XENMEM_populate_physmap)
        pointed_to(a[1])[1] &= 7;
}

static void tame_console(uint64_t a[5])
{
    if ((uint32_t)a[0] == CONSOLEIO_write)
        a[2] = BAD_POINTER;                         /* the console is for the results */
}

static void tame_va(uint64_t a[5])
{
    if (fuzz_random() % 4 || pointed_to(a[0]) == (uint64_t *)a[0] ||
        (a[0] >= VIRT_BASE && a[0] < -PAGE_SIZE))
        a[0] = fuzz_window_va();
    else
        a[0] = fuzz_bad_pointer();
}

/* mmu_update and mmuext_op: mostly short lists for the own domain, as others are refused at
 * once. */
static void tame_list(uint64_t a[5])
{
    if (fuzz_random() % 4) {
        a[0] = fuzz_arg_pointer();
        a[1] = 1 + fuzz_random() % 4;
        a[2] = fuzz_random() % 2 ? 0 : fuzz_arg_pointer();
        a[3] = DOMID_SELF;
    }
}

static void tame_first_pointer(uint64_t a[5])
{
    a[0] = fuzz_bad_pointer();
}

/* SPECIAL: called by fuzz.c only. */
enum { NOT_DOM0 = 1, NOT_IN_BATCH = 2, SPECIAL = 4 };
static const struct rule {
    unsigned flags;
    void (*tame)(uint64_t a[5]);
} rules[64] = {
    [__HYPERVISOR_set_trap_table] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_mmu_update] = { 0, tame_list },
    [__HYPERVISOR_set_callbacks] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_fpu_taskswitch] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_sched_op_compat] = { NOT_IN_BATCH, tame_sched_compat },
    [__HYPERVISOR_platform_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_set_debugreg] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_memory_op] = { 0, tame_memory },
    [__HYPERVISOR_multicall] = { SPECIAL, NULL },
    [__HYPERVISOR_update_va_mapping] = { 0, tame_va },
    [__HYPERVISOR_event_channel_op_compat] = { 0, tame_first_pointer },
    [__HYPERVISOR_console_io] = { 0, tame_console },
    [__HYPERVISOR_physdev_op_compat] = { NOT_DOM0, NULL },
    [__HYPERVISOR_update_va_mapping_otherdomain] = { 0, tame_va },
    [__HYPERVISOR_iret] = { SPECIAL, NULL },
    [__HYPERVISOR_vcpu_op] = { 0, tame_vcpu },
    [__HYPERVISOR_mmuext_op] = { 0, tame_list },
    [__HYPERVISOR_xsm_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_nmi_op] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_sched_op] = { NOT_IN_BATCH, tame_sched },
    [__HYPERVISOR_callback_op] = { NOT_IN_BATCH, NULL },
    [__HYPERVISOR_xenoprof_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_event_channel_op] = { 0, tame_event },
    [__HYPERVISOR_physdev_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_hvm_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_sysctl] = { NOT_DOM0, NULL },
    [__HYPERVISOR_domctl] = { NOT_DOM0, NULL },
    [__HYPERVISOR_kexec_op] = { NOT_DOM0, NULL },
    [__HYPERVISOR_arch_0] = { NOT_DOM0, NULL },     /* machine checks */
};

bool fuzz_pick(uint64_t *nr, uint64_t a[5], bool batch)
{
    const struct rule *r;

    *nr = fuzz_random() % 16 ? fuzz_random() % 64 : fuzz_word();
    for (unsigned i = 0; i < 5; i++)
        a[i] = fuzz_word();
    if (fuzz_random() % 2) {      /* a command and a structure, like most calls */
        a[0] = fuzz_random() % 32;
        a[1] = fuzz_random() % 2 ? fuzz_arg_pointer() : fuzz_random() % 4;
        a[2] = fuzz_random() % 2 ? fuzz_arg_pointer() : fuzz_random() % 4;
    }
    if ((uint32_t)*nr >= 64)
        return true;
    r = &rules[(uint32_t)*nr];
    if ((r->flags & SPECIAL) || ((r->flags & NOT_DOM0) && is_dom0()) ||
        ((r->flags & NOT_IN_BATCH) && batch))
        return false;
    if (r->tame)
        r->tame(a);
    return true;
}
