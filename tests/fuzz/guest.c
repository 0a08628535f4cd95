/* A random kernel, as the program of each vCPU: it makes requests (requests.c), has traps
 * (traps.c), and writes to its own memory, until its domain or the world ends. world.c makes the
 * domains. */
#include "arch/arch.h"
#include "tests/fuzz/choice.h"
#include "tests/fuzz/follow.h"
#include "tests/fuzz/grants.h"
#include "tests/fuzz/guest.h"
#include "tests/fuzz/requests.h"
#include "tests/fuzz/traps.h"
#include "tests/fuzz/words.h"
#include "tests/fuzz/world.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/trace.h"
#include "xen/core/walk.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/mmuext.h"

static void leave(struct vcpu *v)
{
    if (v->work != 0 || upcall_due(v))
        exit_to_guest_work();
}

static void enter_kernel(struct vcpu *v)
{
    struct cpu_user_regs *r = guest_regs(v);

    r->rip = CODE;
    r->rsp = one_in(200) ? some_va() : STACK_TOP;
    r->cs = FLAT_KERNEL_CS64;
    r->ss = FLAT_KERNEL_SS64;
    r->rflags = 0x202;
    if (v->kernel_mode)
        return;
    v->kernel_sp = STACK_TOP;
    v->callback[CB_SYSCALL] = one_in(10) ? 0 : CODE;
    if (one_in(4))
        handle_syscall32(v);
    else if (one_in(3))
        handle_sysenter(v);
    else if (one_in(3))
        handle_failsafe(v, 1, 2, 3, 4);
    else
        handle_user_syscall(v);
    leave(v);
}

static void guest_hypercall(struct vcpu *v)
{
    uint64_t a[6];
    unsigned nr;
    bool quiet;
    long rc;

    for (unsigned i = 0; i < 4; i++) {          /* the translation is then in the TLB */
        uint64_t va = PLAY + below(16) * PAGE_SIZE, word;

        if (host_guest_read(&word, va, 8) && one_in(2))
            poke(va, &word, 8);
        (void)host_guest_read(&word, linear_va(), 8);
    }
    maps_asked = 0;
    nr = choose_request(a);
    quiet = nr == __HYPERVISOR_sched_op;
    world.inside += !quiet;
    host_held = false;
    if (tracing(TRACE_HYPERCALL))
        rc = hypercall_traced(nr, a);
    else
        rc = hypercall_table[nr](a[0], a[1], a[2], a[3], a[4], a[5]);
    world.inside -= !quiet;
    host_tlb_audit();
    guest_regs(v)->rax = (uint64_t)rc;
    if (nr == __HYPERVISOR_grant_table_op && rc == 0)
        remember_maps(v, maps_asked);
    world.result.hypercalls++;
    world.result.succeeded += rc >= 0;
    world.hypercalls_left -= world.hypercalls_left != 0;
    follow_now_and_then();
    follow_change_now_and_then();
    audit_now_and_then();
}

/* What a guest may do without a hypercall. */
static void guest_scribble(struct vcpu *v)
{
    uint64_t w = some_word();

    switch (below(5)) {
    case 0:
        poke(PLAY + below(16 * 512) * 8, &w, 8);
        break;
    case 1:
        ((uint64_t *)v->domain->shared)[below(512)] = w;
        v->callback[CB_EVENT] = CODE + 0x10;
        break;
    case 2:
        grant_something(v->domain);
        break;
    case 3:
        if (v->domain->console_ring != NULL)
            ((uint32_t *)(void *)v->domain->console_ring)[one_in(2) ? 768 + below(4)
                                                                    : below(1024)] = (uint32_t)w;
        break;
    default:
        v->info->evtchn_upcall_mask = (uint8_t)below(2);
    }
}

static void give_up(struct vcpu *v)
{
    host_held = false;
    domain_shutdown(v->domain, SHUTDOWN_poweroff);
    exit_to_guest_work();
}

static int new_user_root_of(struct vcpu *v, mfn_t mfn)
{
    int rc;

    spin_lock(&v->domain->mm_lock);
    rc = new_user_root(v, mfn);
    spin_unlock(&v->domain->mm_lock);
    return rc;
}

void random_guest(struct vcpu *v)
{
    mfn_t l1;

    for (unsigned i = 0; i < 256; i++)
        v->traps[i] = (struct trap_info){.vector = (uint8_t)i,
                                         .flags = (uint8_t)(i % 3 ? 0 : 4),
                                         .cs = FLAT_KERNEL_CS64,
                                         .address = CODE + 0x40};
    v->callback[CB_EVENT] = v->callback[CB_FAILSAFE] = v->callback[CB_SYSCALL] = CODE + 0x10;
    host_held = true;
    if (walk_to_l1(v->root_kernel, PLAY) == NULL)
        give_up(v);             /* another vCPU gave it tables without these mappings */
    l1 = PTE_MFN(slot_maddr(PLAY));
    for (unsigned i = 0; i < 8; i++)
        grant_something(v->domain);
    host_held = false;
    world.inside++;
    for (unsigned i = 0; i < 4; i++)            /* its tables, to read and to store to */
        (void)do_update_va_mapping(TABLES_VA + i * PAGE_SIZE, l1 << PAGE_SHIFT | PTE_P, 0);
    if (one_in(2))
        (void)do_vm_assist(VMASST_CMD_enable, VMASST_TYPE_writable_pagetables);
    (void)new_user_root_of(v, v->root_kernel >> PAGE_SHIFT);
    world.inside--;
    leave(v);
    for (;;) {
        world.over |= world.hypercalls_left == 0 || choices_end();
        if (world.over || v->domain->state != DOM_RUNNING)
            give_up(v);
        host_advance(below(100000));
        enter_kernel(v);
        audit_if_wanted();
        host_held = true;       /* until the request is made: its choice looks at tables */
        if (walk_to_l1(v->root_kernel, PLAY) == NULL || !(entry_at(STACK_TOP - 8) & PTE_RW))
            give_up(v);         /* its stack or its pages are no longer mapped */
        if (one_in(6))
            guest_scribble(v);
        if (one_in(5))
            guest_trap(v);
        else
            guest_hypercall(v);
        leave(v);
    }
}
