/* mmu_update, mmuext_op and update_va_mapping when more than one thing is wrong: which error wins,
 * what was done before it, and what is written back; and which page faults are the guest's. The
 * answers are those of Xen 4.17 to an ordinary domain. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include <string.h>
#include "support.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/walk.h"
#include "xen/cpu/exceptions.h"
#include "xen/pv/traps.h"

#define NOWHERE (GUEST_BASE + (1ull << 30))     /* not mapped */
#define NOT_CANONICAL (1ull << 47)
#define PDONE (SCRATCH + 0x800)
#define OWN 1u
#define OTHER 2u
#define NOBODY 77u
#define RW (PTE_P | PTE_RW | PTE_US | PTE_A)
#define RO (PTE_P | PTE_US | PTE_A)

static struct domain *d;
static struct vcpu *v;

static int two_guests(void **state)
{
    low_machine_up(state);
    d = guest_make(OWN, 2);
    assert_true(d != NULL && guest_make(OTHER, 1) != NULL);
    v = d->vcpu[0];
    host_become(v);
    return 0;
}

static void set_pdone(unsigned value)
{
    guest_put(PDONE, &value, sizeof(value));
}

static unsigned pdone(void)
{
    unsigned value;

    guest_get(&value, PDONE, sizeof(value));
    return value;
}

#define UNTOUCHED 77u

struct call {
    const char *what;
    uint64_t array;
    unsigned count, foreigndom;
    long rc;
    unsigned done;
};

static void try(unsigned nr, const struct call *c)
{
    long rc;

    set_pdone(UNTOUCHED);
    rc = hcall(nr, c->array, c->count, PDONE, c->foreigndom);
    if (rc != c->rc || pdone() != c->done)
        fail_msg("%s: %ld and %u done, not %ld and %u", c->what, rc, pdone(), c->rc, c->done);
    rc = hcall(nr, c->array, c->count, NOWHERE, c->foreigndom);     /* which changes nothing */
    if (rc != c->rc)
        fail_msg("%s, with pdone nowhere: %ld, not %ld", c->what, rc, c->rc);
}

/* Two valid entries at SCRATCH, then an invalid one. */
static void put_updates(uint64_t command)
{
    uint64_t slot = slot_maddr(FREE_PFN_VA), pte = pte_at(FREE_PFN_VA);
    struct mmu_update u[3] = {
        { slot | command, pte }, { slot | command, pte }, { max_mfn << PAGE_SHIFT, 0 },
    };

    guest_put(SCRATCH, u, sizeof(u));
}

static void mmu_update_checks_in_xens_order(void **state)
{
    static const struct call calls[] = {
        { "all well", SCRATCH, 2, DOMID_SELF, 0, 2 },
        { "nothing", SCRATCH, 0, DOMID_SELF, 0, 0 },
        { "the third is wrong", SCRATCH, 3, DOMID_SELF, -EINVAL, 2 },
        { "own id", SCRATCH, 2, OWN, -ESRCH, 0 },
        { "own id, nothing", SCRATCH, 0, OWN, -ESRCH, 0 },
        { "another", SCRATCH, 2, OTHER, -EPERM, 0 },
        { "another, nothing", SCRATCH, 0, OTHER, 0, 0 },
        { "nobody", SCRATCH, 2, NOBODY, -ESRCH, 0 },
        { "the hypervisor", SCRATCH, 2, DOMID_XEN, -EPERM, 0 },
        { "no frame of the I/O domain", SCRATCH, 3, DOMID_IO, -EINVAL, 2 },
        { "own tables", SCRATCH, 2, DOMID_SELF | (OWN + 1) << 16, 0, 2 },
        { "another's tables", SCRATCH, 2, DOMID_SELF | (OTHER + 1) << 16, -EPERM, 0 },
        { "another's tables, nothing", SCRATCH, 0, DOMID_SELF | (OTHER + 1) << 16, 0, 0 },
        { "nobody's tables", SCRATCH, 2, DOMID_SELF | (NOBODY + 1) << 16, -ESRCH, UNTOUCHED },
        { "nobody's tables, nobody's frames", SCRATCH, 2, NOBODY | (NOBODY + 1) << 16, -ESRCH,
          UNTOUCHED },
        { "another's tables, nobody's frames", SCRATCH, 2, NOBODY | (OTHER + 1) << 16, -ESRCH, 0 },
        { "array nowhere", NOWHERE, 1, DOMID_SELF, -EFAULT, 0 },
        { "array nowhere, nothing", NOWHERE, 0, DOMID_SELF, 0, 0 },
        { "array nowhere, nobody", NOWHERE, 1, NOBODY, -ESRCH, 0 },
        { "array nowhere, another", NOWHERE, 1, OTHER, -EFAULT, 0 },
        { "array in the hole", HOLE_START, 1, DOMID_SELF, -EFAULT, UNTOUCHED },
        { "array in the hole, nothing", HOLE_START, 0, DOMID_SELF, -EFAULT, UNTOUCHED },
        { "array in the hole, nobody", HOLE_START, 1, NOBODY, -EFAULT, UNTOUCHED },
        { "array not canonical", NOT_CANONICAL, 1, NOBODY | (NOBODY + 1) << 16, -EFAULT,
          UNTOUCHED },
        { "array ends not canonical", NOT_CANONICAL - 8, 1, DOMID_SELF, -EFAULT, 0 },
        { "more than there is", SCRATCH, ~0u, DOMID_SELF, -EINVAL, 2 },
    };

    (void)state;
    put_updates(MMU_NORMAL_PT_UPDATE);
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        try(__HYPERVISOR_mmu_update, &calls[i]);
}

static void mmu_update_refuses_unknown_commands(void **state)
{
    (void)state;
    for (unsigned command = 4; command < 8; command++) {
        const struct call calls[] = {
            { "unknown command", SCRATCH, 2, DOMID_SELF, -ENOSYS, 0 },
            { "unknown command, another", SCRATCH, 2, OTHER, -ENOSYS, 0 },
            { "unknown command, another's tables", SCRATCH, 2, DOMID_SELF | (OTHER + 1) << 16,
              -ENOSYS, 0 },
            { "unknown command, nobody", SCRATCH, 2, NOBODY, -ESRCH, 0 },
        };

        put_updates(command);
        for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
            try(__HYPERVISOR_mmu_update, &calls[i]);
    }
    for (unsigned command = 0; command < 4; command++)
        if (command != MMU_MACHPHYS_UPDATE) {
            put_updates(command);
            try(__HYPERVISOR_mmu_update,
                &(const struct call){ "known", SCRATCH, 2, DOMID_SELF, 0, 2 });
        }
}

static long update(uint64_t ptr, uint64_t val, unsigned foreigndom)
{
    struct mmu_update u = { ptr, val };

    guest_put(SCRATCH, &u, sizeof(u));
    return hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, 0, foreigndom);
}

/* DOMID_IO is a valid owner; its frames are not RAM, and an ordinary guest may map none of them. */
static void io_domain_gives_no_frame(void **state)
{
    uint64_t slot = slot_maddr(FREE_PFN_VA), pte = pte_at(FREE_PFN_VA), root = v->root_kernel,
        ram = pte_at(SCRATCH);

    (void)state;
    assert_int_equal(update(slot, ram, DOMID_IO), -EBUSY);
    assert_int_equal(update(slot, 0xb8000 | RO, DOMID_IO), -EPERM);
    assert_int_equal(update(slot, 0xb8000 | RO, DOMID_SELF), -EPERM);
    assert_int_equal(update(slot, max_mfn << PAGE_SHIFT | RO, DOMID_IO), -EPERM);
    assert_int_equal(update(slot, PTE_ADDR_MASK | RO, DOMID_IO), -EINVAL);
    /* the same frame: only flags change */
    assert_int_equal(update(slot, pte | PTE_NX, DOMID_IO), 0);
    assert_int_equal(pte_at(FREE_PFN_VA) & PTE_NX, PTE_NX);
    assert_int_equal(update(slot, 0, DOMID_IO), 0);
    /* tables refer to tables of their own domain */
    assert_int_equal(update(root + 5 * 8, 0, DOMID_IO), -EINVAL);
    assert_int_equal(update(root + 5 * 8, 0, DOMID_SELF), 0);
    assert_int_equal(update(slot | MMU_MACHPHYS_UPDATE, 1, DOMID_IO), -EINVAL);
}

static void put_ops(unsigned cmd)
{
    struct mmuext_op op[3] = { { .cmd = cmd }, { .cmd = cmd }, { .cmd = 99 } };

    op[0].arg2.src_mfn = op[1].arg2.src_mfn = SCRATCH;
    guest_put(SCRATCH, op, sizeof(op));
}

static void mmuext_op_checks_in_xens_order(void **state)
{
    static const struct call calls[] = {
        { "all well", SCRATCH, 2, DOMID_SELF, 0, 2 },
        { "only 16 bits count", SCRATCH, 2, DOMID_SELF | 5 << 16, 0, 2 },
        { "the third is wrong", SCRATCH, 3, DOMID_SELF, -ENOSYS, 2 },
        { "own id", SCRATCH, 2, OWN, -ESRCH, UNTOUCHED },
        { "own id, nothing", SCRATCH, 0, OWN, -ESRCH, UNTOUCHED },
        { "another", SCRATCH, 2, OTHER, -EPERM, UNTOUCHED },
        { "another, nothing", SCRATCH, 0, OTHER, -EPERM, UNTOUCHED },
        { "nobody", SCRATCH, 2, NOBODY, -ESRCH, UNTOUCHED },
        { "the I/O domain", SCRATCH, 2, DOMID_IO, -EPERM, UNTOUCHED },
        { "the hypervisor", SCRATCH, 2, DOMID_XEN, -EPERM, UNTOUCHED },
        { "array nowhere", NOWHERE, 1, DOMID_SELF, -EFAULT, 0 },
        { "array nowhere, another", NOWHERE, 1, OTHER, -EPERM, UNTOUCHED },
        { "array in the hole", HOLE_START, 1, DOMID_SELF, -EFAULT, UNTOUCHED },
        { "array in the hole, nobody", HOLE_START, 0, NOBODY, -EFAULT, UNTOUCHED },
        { "array not canonical", NOT_CANONICAL, 1, OTHER, -EFAULT, UNTOUCHED },
        { "more than there is", SCRATCH, ~0u, DOMID_SELF, -ENOSYS, 2 },
    };
    static const struct { unsigned cmd; long rc; } cmds[] = {
        { MMUEXT_FLUSH_CACHE, -EACCES }, { MMUEXT_FLUSH_CACHE_GLOBAL, -EINVAL },
        { MMUEXT_MARK_SUPER, -EOPNOTSUPP },
        { MMUEXT_UNMARK_SUPER, -EOPNOTSUPP }, { 14, -ENOSYS }, { 21, -ENOSYS }, { ~0u, -ENOSYS },
        { MMUEXT_TLB_FLUSH_MULTI, 0 }, { MMUEXT_INVLPG_MULTI, 0 },
    };

    (void)state;
    put_ops(MMUEXT_TLB_FLUSH_LOCAL);
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        try(__HYPERVISOR_mmuext_op, &calls[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++) {
        put_ops(cmds[i].cmd);
        try(__HYPERVISOR_mmuext_op,
            &(const struct call){ "a command", SCRATCH, 2, DOMID_SELF, cmds[i].rc,
                                  cmds[i].rc ? 0 : 2 });
    }
}

static void update_va_mapping_checks_in_xens_order(void **state)
{
    const uint64_t va = FREE_PFN_VA, good = pte_at(va), bad = good | PTE_PCD,
        bits_nowhere = NOWHERE | UVMF_INVLPG;
    static const struct { unsigned domid; long rc; } domids[] = {
        { DOMID_SELF, 0 }, { OWN, -ESRCH }, { NOBODY, -ESRCH }, { OTHER, -EPERM },
        { DOMID_IO, -EPERM },
        { DOMID_XEN, -EPERM }, { DOMID_SELF | 1u << 16, 0 },
    };
    uint64_t edge = FREE_PFN_VA + PAGE_SIZE, flushes;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(domids); i++) {
        const uint64_t nr = __HYPERVISOR_update_va_mapping_otherdomain;
        unsigned domid = domids[i].domid;

        assert_int_equal(hcall(nr, va, good, UVMF_INVLPG, domid), domids[i].rc);
        assert_int_equal(hcall(nr, va, bad, bits_nowhere, domid),
                         domids[i].rc ? domids[i].rc : -EINVAL);
        assert_int_equal(hcall(nr, NOWHERE, good, 0, domid), domids[i].rc ? domids[i].rc : -EINVAL);
    }
    flushes = host.full_flushes;
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, bad, UVMF_TLB_FLUSH), -EINVAL);
    assert_int_equal(host.full_flushes, flushes);       /* nothing changed, nothing to flush */
    /* the set of vCPUs is read last, after the entry is set; in whole words */
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, good | PTE_NX, bits_nowhere),
                     -EFAULT);
    assert_int_equal(pte_at(va) & PTE_NX, PTE_NX);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, edge, 0, UVMF_INVLPG), 0);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, good, (edge - 4) | UVMF_INVLPG),
                     -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, good, (edge - 8) | UVMF_INVLPG), 0);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, good, NOWHERE | UVMF_NONE), 0);
}

/* A fault that the present tables do not explain is not passed to the guest. */
static void spurious_faults_are_not_seen(void **state)
{
    const uint64_t va = FREE_PFN_VA, page = pte_at(va) & PTE_ADDR_MASK,
        handler = GUEST_BASE + 0x500, rip = GUEST_BASE + 0x300;
    const unsigned present = 1, write = 2, user = 4, fetch = 16, key = 32;
    const struct { uint64_t pte; unsigned code; bool seen; } rows[] = {
        { page | RW, present | write | user, false },
        { page | RW, present | user, false },
        { page | RW, present | user | fetch, false },
        { page | RW | PTE_NX, present | write | user, false },
        { page | RW | PTE_NX, present | user | fetch, true },
        { page | RO, present | write | user, true },
        { page | RO, present | user, false },
        /* the entry was not present, so the TLB is not the cause */
        { page | RW, write | user, true },
        { page | RW, present | write | user | key, true },
        { 0, present | write | user, true },
    };
    struct trap_info traps[2] = {
        { .vector = TRAP_PF, .cs = FLAT_KERNEL_CS64, .address = handler },
    };
    struct cpu_user_regs *regs = guest_regs(v);

    (void)state;
    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, rows[i].pte, UVMF_INVLPG), 0);
        regs->rip = rip;
        regs->rsp = SCRATCH + 0x1000;
        regs->error_code = rows[i].code;
        handle_guest_trap(regs, TRAP_PF, va + 8);
        if (regs->rip != (rows[i].seen ? handler : rip))
            fail_msg("row %u: rip %lx", i, regs->rip);
    }
    /* an address that is not mapped, and one that the root maps read-only */
    regs->rip = rip;
    regs->rsp = SCRATCH + 0x1000;
    regs->error_code = present | write | user;
    handle_guest_trap(regs, TRAP_PF, NOWHERE);
    assert_int_equal(regs->rip, handler);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, va, page | RW, UVMF_INVLPG), 0);
    assert_int_equal(update(v->root_kernel + 8 * 300, v->root_kernel | RO, DOMID_SELF), 0);
    regs->rip = rip;
    regs->rsp = SCRATCH + 0x1000;
    handle_guest_trap(regs, TRAP_PF, 0xffffull << 48 | 300ull << 39 | 511ull << 30 | 510ull << 21);
    assert_int_equal(regs->rip, handler);
    /* and the hypervisor's own entries, seen through a linear table: present, but not for guests */
    regs->rip = rip;
    regs->rsp = SCRATCH + 0x1000;
    regs->error_code = present | user;
    handle_guest_trap(regs, TRAP_PF, 0xffffull << 48 | 300ull << 39 | 262ull << 30);
    assert_int_equal(regs->rip, handler);
}

/* The CPU caches which L1 an address leads to. When no entry leads there any more, this must be
 * flushed before the guest may write to the frame: the audit after each call checks that. */
static void former_tables_are_forgotten(void **state)
{
    uint64_t table = mfn_of_va(FREE_PFN_VA), page = pte_at(FREE_PFN_VA + PAGE_SIZE), word;
    uint64_t *l2_slot = (uint64_t *)maddr_to_virt(v->root_kernel) + 511,
        va = GUEST_BASE + (100ul << 21), maddr;

    (void)state;
    l2_slot = (uint64_t *)maddr_to_virt(*l2_slot & PTE_ADDR_MASK) + table_index(GUEST_BASE, 3);
    maddr = (*l2_slot & PTE_ADDR_MASK) + 8 * table_index(va, 2);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_INVLPG), 0);
    memset(mfn_to_virt(table), 0, PAGE_SIZE);
    *(uint64_t *)mfn_to_virt(table) = page;
    for (unsigned flushed = 0; flushed < 2; flushed++) {
        assert_int_equal(update(maddr, table << PAGE_SHIFT | RW, DOMID_SELF), 0);
        guest_get(&word, va, sizeof(word));
        assert_true(host_tlb_find(1, va) != NULL && host_tlb_find(1, va)->mfn == table);
        assert_int_equal(update(maddr, 0, DOMID_SELF), 0);
        assert_non_null(host_tlb_find(1, va));
        if (flushed)   /* the flush of one page drops all cached upper entries, but no other page */
            arch_flush_tlb_one(0);
        assert_true((host_tlb_find(1, va) == NULL) == flushed);
        assert_non_null(host_tlb_find(0, va));
        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA,
                               table << PAGE_SHIFT | RW, 0), 0);
        assert_null(host_tlb_find(1, va));
        assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, 0, UVMF_INVLPG), 0);
    }
}

#define with_guests(test) cmocka_unit_test_setup_teardown(test, two_guests, machine_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_guests(mmu_update_checks_in_xens_order),
        with_guests(mmu_update_refuses_unknown_commands),
        with_guests(io_domain_gives_no_frame),
        with_guests(mmuext_op_checks_in_xens_order),
        with_guests(update_va_mapping_checks_in_xens_order),
        with_guests(spurious_faults_are_not_seen),
        with_guests(former_tables_are_forgotten),
    };

    return cmocka_run_group_tests_name("mmu", tests, NULL, NULL);
}
