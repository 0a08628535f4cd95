/* Hypercalls of known shapes: their arguments, in a[] and at ARGS. Grants are in grants.c.
 * requests.c chooses among these, structures by the table of the ABI, and random words. */
#include <string.h>
#include "arch/arch.h"
#include "tests/fuzz/choice.h"
#include "tests/fuzz/grants.h"
#include "tests/fuzz/shapes.h"
#include "tests/fuzz/words.h"
#include "xen/core/frame.h"
#include "xen/core/time.h"
#include "xen/core/walk.h"

/* An array of n at ARGS, where to write how many were done, and whose tables. */
static void shape_batch(uint64_t *a, unsigned n)
{
    a[0] = ARGS;
    a[1] = n;
    a[2] = one_in(3) ? some_va() : 0;
    a[3] = one_in(6) ? some_word() : DOMID_SELF;
}

static void shape_mmu_update(uint64_t *a)
{
    unsigned n = one_in(20) ? 200 : 1 + (unsigned)below(5);

    for (unsigned i = 0; i < n; i++) {
        struct mmu_update u = { some_mfn() << PAGE_SHIFT | below(512) * 8, some_pte() };

        if (one_in(3))
            u.ptr = slot_maddr(PLAY + below(16) * PAGE_SIZE);
        u.ptr |= one_in(4) ? below(8) : 0;
        poke(ARGS + i * sizeof(u), &u, sizeof(u));
    }
    shape_batch(a, n);
}

/* Entries of tables to tables of the same level, most of them without RW. */
static void shape_linear_update(uint64_t *a)
{
    unsigned n = 1 + (unsigned)below(4);

    for (unsigned i = 0; i < n; i++) {
        mfn_t table = some_table(0),
              target = one_in(2) ? table : some_table(frame_type(mfn_to_frame(table)));
        struct mmu_update u = {
            .ptr = table << PAGE_SHIFT | (LINEAR_SLOT + below(4)) * 8 |
                   (one_in(6) ? MMU_PT_UPDATE_PRESERVE_AD : 0),
            .val = one_in(3) ? 0 : target << PAGE_SHIFT | PTE_P | (one_in(8) ? PTE_RW : 0),
        };

        poke(ARGS + i * sizeof(u), &u, sizeof(u));
    }
    a[0] = ARGS;
    a[1] = n;
    a[3] = DOMID_SELF;
}

static void shape_mmuext_op(uint64_t *a)
{
    unsigned n = 1 + (unsigned)below(4);

    for (unsigned i = 0; i < n; i++) {
        static const unsigned common[] = {
            MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE,
            MMUEXT_UNPIN_TABLE,  MMUEXT_UNPIN_TABLE,  MMUEXT_NEW_BASEPTR,  MMUEXT_NEW_USER_BASEPTR,
        };
        struct mmuext_op op = { .cmd = one_in(2) ? common[below(8)] : (unsigned)below(24) };

        op.arg1.mfn = one_in(5) ? some_word() : some_mfn();
        op.arg2.src_mfn = one_in(2) ? some_word() : some_mfn();
        if (op.cmd == MMUEXT_SET_LDT) {
            op.arg1.linear_addr = PLAY + below(16) * PAGE_SIZE;
            op.arg2.nr_ents = (unsigned)below(8200);
        }
        poke(ARGS + i * sizeof(op), &op, sizeof(op));
    }
    shape_batch(a, n);
}

static void shape_update_va_mapping(uint64_t *a)
{
    a[0] = one_in(4) ? some_va() : PLAY + below(16) * PAGE_SIZE;
    a[1] = some_pte();
    a[2] = one_in(8) ? some_word() : below(3);
    a[3] = some_domid();
}

static void shape_memory_op(uint64_t *a)
{
    static const unsigned cmds[] = {
        XENMEM_increase_reservation, XENMEM_decrease_reservation, XENMEM_populate_physmap,
        XENMEM_exchange,
    };
    struct xen_memory_reservation r = {
        .nr_extents = below(6), .extent_order = one_in(4) ? (unsigned)below(10) : 0,
        .domid = some_domid(),
    };
    unsigned which = (unsigned)below(5);

    for (unsigned i = 0; i < 8; i++) {
        uint64_t mfn = one_in(8) ? some_word() : some_mfn();

        poke(LISTS + 8 * i, &mfn, 8);
    }
    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)(one_in(6) ? some_va() : LISTS));
    a[0] = which < 4 ? cmds[which] : below(32);
    a[1] = ARGS;
    if (which == 3) {
        struct xen_memory_exchange x = { .in = r, .out = r };

        x.in.domid = x.out.domid = DOMID_SELF;
        x.nr_exchanged = one_in(8) ? any() : 0;
        set_xen_guest_handle_raw(x.out.extent_start,
                                 (xen_pfn_t *)(one_in(6) ? some_va() : LISTS + 64));
        poke(ARGS, &x, sizeof(x));
    } else if (which < 3) {
        poke(ARGS, &r, sizeof(r));
    } else {
        poke_words(ARGS, 6);
    }
}

static void shape_event_channel_op(uint64_t *a)
{
    uint32_t words[4];

    for (unsigned i = 0; i < 4; i++)
        words[i] = (uint32_t)(one_in(4) ? some_word() : below(12));
    a[0] = one_in(40) ? EVTCHNOP_reset : below(14);
    if (a[0] == EVTCHNOP_reset && !one_in(20))
        a[0] = EVTCHNOP_send;
    if (a[0] == EVTCHNOP_alloc_unbound && !one_in(4))
        words[0] = DOMID_SELF | (uint32_t)some_vcpu()->domain->id << 16;
    else if (a[0] == EVTCHNOP_bind_interdomain && !one_in(4))
        words[0] = some_vcpu()->domain->id;
    else if (one_in(6))
        words[0] = some_domid() | (uint32_t)some_domid() << 16;
    if (a[0] == EVTCHNOP_init_control || a[0] == EVTCHNOP_expand_array) {
        uint64_t mfn = some_mfn();

        memcpy(words, &mfn, sizeof(mfn));
        words[2] = (uint32_t)(below(4) * 8);
        words[3] = (uint32_t)below(3);
    }
    poke(ARGS, words, sizeof(words));
    a[1] = ARGS;
}

static void shape_vcpu_op(uint64_t *a)
{
    static __thread struct vcpu_guest_context c;

    a[0] = one_in(3) ? VCPUOP_initialise : below(15);
    a[1] = one_in(8) ? some_word() : below(3);
    a[2] = one_in(3) ? some_va() : ARGS;
    if (a[0] != VCPUOP_initialise) {
        struct vcpu_register_vcpu_info info = {
            .mfn = some_mfn(), .offset = (uint32_t)below(4200) & ~7u,
        };

        poke_words(ARGS, 4);
        if (a[0] == VCPUOP_register_vcpu_info)
            poke(ARGS, &info, sizeof(info));
        return;
    }
    memset(&c, 0, sizeof(c));
    for (unsigned i = 0; i < 40; i++)
        if (one_in(3))
            ((uint64_t *)(void *)&c)[below(sizeof(c) / 8)] = some_word();
    c.user_regs.rip = CODE;
    c.user_regs.rsp = STACK_TOP;
    c.gdt_ents = one_in(3) ? below(20) * 100 : 0;
    for (unsigned i = 0; i < 14; i++)
        c.gdt_frames[i] = some_mfn();
    c.ctrlreg[3] = one_in(3) ? some_word() : current->root_kernel;
    c.ctrlreg[1] = one_in(3) ? some_word() : 0;
    a[2] = LISTS;
    poke(LISTS, &c, sizeof(c));
}

static void shape_set_gdt(uint64_t *a)
{
    for (unsigned i = 0; i < 14; i++) {
        uint64_t mfn = some_mfn();

        poke(LISTS + 8 * i, &mfn, 8);
    }
    a[0] = LISTS;
    a[1] = one_in(3) ? some_word() : below(3) * 512;
}

static void shape_update_descriptor(uint64_t *a)
{
    uint64_t gdt = current->gdt_frames[0];

    a[0] = (gdt != 0 && one_in(2) ? gdt : some_mfn()) << PAGE_SHIFT | below(512) * 8;
    a[1] = one_in(2) ? any() : 0x00cffb000000ffff;
}

static void shape_iret(uint64_t *a)
{
    uint64_t frame[9] = {any(),
                         2,
                         3,
                         one_in(2) ? VGCF_in_syscall : 0,
                         CODE,
                         one_in(3) && (current->root_user != 0 || one_in(50)) ? 0x33 : 0xe030,
                         some_word() | 0x200,
                         STACK_TOP - 64,
                         0x2b};

    (void)a;
    guest_regs(current)->rsp = one_in(50) ? some_va() : STACK_TOP - 0x100;
    poke(STACK_TOP - 0x100, frame, sizeof(frame));
}

static void shape_set_callbacks(uint64_t *a)
{
    a[0] = CODE + 0x10;
    a[1] = CODE + 0x20;
    a[2] = one_in(4) ? some_word() : CODE + 0x30;
}

static void shape_sched_op(uint64_t *a)
{
    a[0] = below(10);
    a[1] = ARGS;
    poke_words(ARGS, 4);
    if (a[0] == SCHEDOP_shutdown && !one_in(30))
        a[0] = SCHEDOP_yield;
    if (a[0] == SCHEDOP_poll) {
        uint32_t ports[4] = {(uint32_t)below(12), (uint32_t)below(12), (uint32_t)below(12),
                             (uint32_t)below(6000)};

        poke(LISTS, ports, sizeof(ports));
        struct sched_poll p = {
            .nr_ports = (unsigned)below(4), .timeout = now_ns() + below(3000000),
        };

        set_xen_guest_handle_raw(p.ports, (evtchn_port_t *)(one_in(10) ? some_va() : LISTS));
        poke(ARGS, &p, sizeof(p));
    }
}

static const struct shape shapes[] = {
    { __HYPERVISOR_mmu_update, shape_mmu_update },
    { __HYPERVISOR_mmu_update, shape_mmu_update },
    { __HYPERVISOR_mmu_update, shape_linear_update },
    { __HYPERVISOR_mmuext_op, shape_mmuext_op },
    { __HYPERVISOR_mmuext_op, shape_mmuext_op },
    { __HYPERVISOR_update_va_mapping, shape_update_va_mapping },
    { __HYPERVISOR_update_va_mapping_otherdomain, shape_update_va_mapping },
    { __HYPERVISOR_memory_op, shape_memory_op },
    { __HYPERVISOR_event_channel_op, shape_event_channel_op },
    { __HYPERVISOR_event_channel_op, shape_event_channel_op },
    { __HYPERVISOR_grant_table_op, shape_grant_table_op },
    { __HYPERVISOR_grant_table_op, shape_grant_table_op },
    { __HYPERVISOR_vcpu_op, shape_vcpu_op },
    { __HYPERVISOR_set_gdt, shape_set_gdt },
    { __HYPERVISOR_update_descriptor, shape_update_descriptor },
    { __HYPERVISOR_iret, shape_iret },
    { __HYPERVISOR_set_callbacks, shape_set_callbacks },
    { __HYPERVISOR_sched_op, shape_sched_op },
};

const struct shape *some_shape(void)
{
    return &shapes[below(ARRAY_SIZE(shapes))];
}
