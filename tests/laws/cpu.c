/* Calls the hypervisor's code about flags and registers that cpu.smt2 models. */
#include <stdlib.h>
#include <string.h>
#include "hooks.h"
#include "tie.h"
#include "xen/core/frame.h"
#include "xen/cpu/control_regs.h"
#include "xen/cpu/emulate.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/hypercalls.h"

#define CR4_DE 8u
#define STACK 0x1000ull

enum emulation write_cr(struct vcpu *v, unsigned cr, uint64_t value);
bool xcr0_ok(uint64_t value);
int set_dr7(struct vcpu *v, uint64_t value);
void set_registers(struct vcpu *v, const struct vcpu_guest_context *c);
void bounce(struct vcpu *v, uint64_t handler, const uint64_t *extra, unsigned nr, bool mask_events);

static struct vcpu *v;

/* --- Flags and selectors ---------------------------------------------------------------------- */

/* The registers that the guest has after an iret with that frame. */
static const struct cpu_user_regs *iret(struct iret_context frame)
{
    hooks.deaf = true;
    hooks.guest_bytes = &frame;
    guest_regs(v)->rsp = STACK;
    v->root_user = STACK;
    do_iret();
    v->root_user = 0;
    v->kernel_mode = 1;
    v->work = 0;
    hooks.deaf = false;
    hooks.guest_bytes = NULL;
    return guest_regs(v);
}

static uint64_t call_iret_rflags(const uint64_t *a)
{
    return iret((struct iret_context){ .rflags = a[0] })->rflags;
}

static uint64_t call_iret_selector(const uint64_t *a)
{
    const struct cpu_user_regs *regs = iret((struct iret_context){ .cs = a[0], .ss = a[0] });

    if (regs->cs != regs->ss)
        abort();
    return regs->cs;
}

static uint64_t call_initial_rflags(const uint64_t *a)
{
    static struct vcpu_guest_context c;

    c.user_regs.rflags = a[0];
    set_registers(v, &c);
    v->iopl = 0;
    return guest_regs(v)->rflags;
}

static uint64_t call_initial_selector(const uint64_t *a)
{
    static struct vcpu_guest_context c;

    c.user_regs.cs = c.user_regs.ss = (uint16_t)a[0];
    set_registers(v, &c);
    if (guest_regs(v)->cs != guest_regs(v)->ss)
        abort();
    return guest_regs(v)->cs;
}

static void enter_handler(uint64_t flags)
{
    static const uint64_t extra[1];
    struct cpu_user_regs *regs = guest_regs(v);

    regs->rsp = STACK;
    regs->rflags = flags;
    hooks.guest_bytes = extra;
    hooks.push_base = STACK - 8 * ARRAY_SIZE(hooks.pushed);
    bounce(v, 1, extra, 0, false);
    hooks.guest_bytes = NULL;
}

static uint64_t call_handler_rflags(const uint64_t *a)
{
    enter_handler(a[0]);
    return guest_regs(v)->rflags;
}

static void shape_frame_rflags(uint64_t *a)
{
    a[3] %= 4;
}

static uint64_t call_frame_rflags(const uint64_t *a)
{
    uint64_t before = guest->vm_assist;

    v->info->evtchn_upcall_mask = (uint8_t)a[1];
    guest->vm_assist = a[2] << VMASST_TYPE_architectural_iopl;
    v->iopl = (uint8_t)a[3];
    enter_handler(a[0]);
    v->info->evtchn_upcall_mask = 0;
    guest->vm_assist = before;
    v->iopl = 0;
    return hooks.pushed[ARRAY_SIZE(hooks.pushed) - 3];
}

/* --- Control and debug registers -------------------------------------------------------------- */

static uint64_t call_loaded_cr4(const uint64_t *a)
{
    hooks.cr4_host = a[1];
    hooks.cr4_mask = a[2];
    guest_write_cr4(v, a[0]);
    v->cr4_guest = 0;
    return host.cr4;
}

static void shape_cr0(uint64_t *a)
{
    if (a[0] % 2)
        a[0] = 0x80050033 ^ (1ull << (a[0] >> 1) % 64) ^ (a[0] & CR4_DE);
}

static uint64_t call_write_cr0_ok(const uint64_t *a)
{
    return write_cr(v, 0, a[0]) == EMULATED;
}

static void shape_xcr0(uint64_t *a)
{
    if (a[0] % 3)
        a[0] &= 0xff;
    if (a[1] % 3)
        a[1] |= 0xe7;
}

static uint64_t call_xcr0_ok(const uint64_t *a)
{
    hooks.xcr0_mask = a[1];
    return xcr0_ok(a[0]);
}

/* Often without GD, and often with all four breakpoints at ports. */
static void shape_dr7(uint64_t *a)
{
    if (a[0] % 2)
        a[0] &= ~0x2000ull;
    if (a[0] % 3)
        a[0] |= 0x22220000;
}

static void shape_fixed(uint64_t *a)
{
    shape_dr7(a);
    a[0] = (a[0] & 0xffff03ff) | 0x400;
}

static void shape_io_of(uint64_t *a)
{
    shape_fixed(a);
    a[1] %= 4;
}

static void shape_no_gd(uint64_t *a)
{
    shape_dr7(a);
    a[0] &= ~0x2000ull;
}

static bool write_dr7(uint64_t value, bool de)
{
    int rc;

    v->cr4_guest = de ? CR4_DE : 0;
    rc = set_dr7(v, value);
    v->cr4_guest = 0;
    return rc == 0;
}

static uint64_t call_set_dr7_ok(const uint64_t *a)
{
    return write_dr7(a[0], a[1]);
}

static uint64_t call_dr7_has_io(const uint64_t *a)
{
    return !write_dr7(a[0], false);
}

static uint64_t call_dr7_fixed(const uint64_t *a)
{
    return write_dr7(a[0], true) ? v->debugreg[7] | v->debugreg[5] : 0;
}

static uint64_t call_dr7_io_of(const uint64_t *a)
{
    return write_dr7(a[0], true) ? v->debugreg[5] & 3ull << (2 * a[1]) : ~0ull;
}

static uint64_t call_set_dr7_io(const uint64_t *a)
{
    return write_dr7(a[0], true) ? v->debugreg[5] : ~0ull;
}

static uint64_t call_set_dr7_cpu(const uint64_t *a)
{
    return write_dr7(a[0], true) ? v->debugreg[7] : ~0ull;
}

void cpu_up(void)
{
    v = guest->vcpu[0];
}

const struct real reals_cpu[] = {
    { "iret_rflags", call_iret_rflags, NULL, 0 },
    { "iret_selector", call_iret_selector, NULL, 0 },
    { "initial_rflags", call_initial_rflags, NULL, 0 },
    { "initial_selector", call_initial_selector, NULL, 0 },
    { "handler_rflags", call_handler_rflags, NULL, 0 },
    { "frame_rflags", call_frame_rflags, shape_frame_rflags, 0 },
    { "loaded_cr4", call_loaded_cr4, NULL, 0 },
    { "write_cr0_ok", call_write_cr0_ok, shape_cr0, 0 },
    { "xcr0_ok", call_xcr0_ok, shape_xcr0, 0 },
    { "set_dr7_ok", call_set_dr7_ok, shape_dr7, 0 },
    { "dr7_fixed", call_dr7_fixed, shape_no_gd, 0 },
    { "dr7_has_io", call_dr7_has_io, shape_fixed, 0 },
    { "dr7_io_of", call_dr7_io_of, shape_io_of, 0 },
    { "set_dr7_io", call_set_dr7_io, shape_no_gd, 0 },
    { "set_dr7_cpu", call_set_dr7_cpu, shape_no_gd, 0 },
    { .name = NULL },
};
