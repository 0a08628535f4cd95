/* A guest whose registers the test sets, and the frames that the hypervisor pushes for it.
 * Included by test_upcall.c, test_debug_trap.c and test_iret.c. */
#ifndef UPCALL_FIXTURE_H
#define UPCALL_FIXTURE_H

#include "arch/arch.h"
#include "common/x86/flags.h"
#include <string.h>
#include "support.h"
#include "xen/core/domain.h"
#include "xen/cpu/exceptions.h"

#define STACK (SCRATCH + 0x2000)
#define USER_STACK (SCRATCH + 0x3000)
#define HANDLER(n) (GUEST_BASE + 0x100 + 16 * (uint64_t)(n))

static struct domain *d;
static struct vcpu *v;
static struct cpu_user_regs *r;
static uint64_t pt_base;

static inline int one_guest(void **state)
{
    struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR };
    struct trap_info traps[5] = {
        { .vector = TRAP_PF, .flags = 4, .cs = FLAT_KERNEL_CS64, .address = HANDLER(TRAP_PF) },
        { .vector = TRAP_UD, .flags = 0, .cs = FLAT_KERNEL_CS64, .address = HANDLER(TRAP_UD) },
        { .vector = TRAP_GP, .flags = 0, .cs = FLAT_KERNEL_CS64, .address = HANDLER(TRAP_GP) },
        { .vector = 0x80, .flags = 3, .cs = FLAT_KERNEL_CS64, .address = HANDLER(0x80) },
    };

    (void)state;
    d = guest_up(1);
    v = d->vcpu[0];
    r = guest_regs(v);
    pt_base = guest_start_info(d)->pt_base;
    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    assert_int_equal(hcall(__HYPERVISOR_set_callbacks, HANDLER(1), HANDLER(2), HANDLER(3)), 0);
    assert_int_equal(hcall(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS64, STACK), 0);
    op.arg1.mfn = v->root_kernel >> PAGE_SHIFT;
    guest_put(SCRATCH, &op, sizeof(op));
    assert_int_equal(hcall(__HYPERVISOR_mmuext_op, SCRATCH, 1, 0, DOMID_SELF), 0);
    v->info->evtchn_upcall_mask = 0;
    return 0;
}

static inline void in_kernel(void)
{
    memset(r, 0, sizeof(*r));
    r->rcx = 0xc0c0;
    r->r11 = 0x1111;
    r->rip = GUEST_BASE + 0x42;
    r->cs = FLAT_KERNEL_CS64;
    r->ss = FLAT_KERNEL_SS64;
    r->rsp = STACK - 0x108;         /* 8 modulo 16 */
    r->rflags = 0x246 | FLAG_TF | FLAG_AC | FLAG_NT;
    v->kernel_mode = true;
}

static inline void in_user(void)
{
    in_kernel();
    r->cs = 0x33;
    r->ss = 0x2b;
    r->rsp = USER_STACK;
    v->kernel_mode = false;
    arch_load_root(v);
}
#define with_guest(test) cmocka_unit_test_setup_teardown(test, one_guest, machine_down)

#endif
