/*
 * Suite "writable": the writable page tables of vm_assist: plain stores of the guest's kernel to a live L1
 * table, which fault and are done by the hypervisor after judging the entry they make.
 */
#include "area.h"
#include "hypercall.h"
#include "start.h"

/* Each does its one instruction to *p; the result is what the registers hold afterwards. */
#define STORE(name, text)                                                                               \
    static uint64_t name(volatile uint64_t *p, uint64_t v, uint64_t old)                                \
    {                                                                                                   \
        __asm__ volatile(text : "+r"(v), "+a"(old) : "r"(p) : "memory", "cc");                          \
        return v ^ (old & OURS);                                                                        \
    }
STORE(w_mov8, "movq %0, (%2)")
STORE(w_mov4, "movl %k0, (%2)")
STORE(w_mov4_high, "shrq $32, %0\n\tmovl %k0, 4(%2)")
STORE(w_mov2, "movw %w0, (%2)")
STORE(w_mov2_top, "shrq $48, %0\n\tmovw %w0, 6(%2)")
STORE(w_mov1, "movb %b0, (%2)")
STORE(w_mov_imm, "movl $0, (%2)")
STORE(w_xchg, "xchgq %0, (%2)\n\tandq $~0x17c, %0\n\tbtrq $52, %0")
STORE(w_cmpxchg, "lock cmpxchgq %0, (%2)\n\tsetz %b0")
STORE(w_cmpxchg_miss, "xorq $0x400, %1\n\tlock cmpxchgq %0, (%2)\n\tsetz %b0")
STORE(w_lock_and8, "lock andq $~0xe02, (%2)")
STORE(w_lock_and1, "lock andb $0xfd, (%2)")
STORE(w_and, "andl $~2, (%2)")
STORE(w_lock_or, "lock orq $0x202, (%2)")
STORE(w_lock_bts, "lock btsq $63, (%2)\n\tsetc %b0")
STORE(w_lock_btr, "lock btrq $1, (%2)\n\tsetc %b0")
STORE(w_bts, "btsl $9, (%2)\n\tsetc %b0")

#define ENTRY(fn) { #fn, fn }
static const struct store {
    const char *name;
    uint64_t (*fn)(volatile uint64_t *p, uint64_t v, uint64_t old);
} stores[] = {
    ENTRY(w_mov8), ENTRY(w_mov4), ENTRY(w_mov4_high), ENTRY(w_mov2), ENTRY(w_mov2_top), ENTRY(w_mov1),
    ENTRY(w_mov_imm), ENTRY(w_xchg), ENTRY(w_cmpxchg), ENTRY(w_cmpxchg_miss), ENTRY(w_lock_and8),
    ENTRY(w_lock_and1), ENTRY(w_and), ENTRY(w_lock_or), ENTRY(w_lock_bts), ENTRY(w_lock_btr), ENTRY(w_bts),
};

struct attempt {
    const struct store *op;
    volatile uint64_t *p;
    uint64_t v, old, result;
};

static void do_attempt(void *arg)
{
    struct attempt *a = arg;

    a->result = a->op->fn(a->p, a->v, a->old);
}

static void writable_assist(bool on)
{
    ASSERT_EQ(xen_vm_assist(on ? VMASST_CMD_enable : VMASST_CMD_disable, VMASST_TYPE_writable_pagetables), 0);
}

/* Every kind of store to a live L1 entry does what it does to ordinary memory. */
static void writable_stores(void)
{
    struct area x = area_new();
    volatile uint64_t word;

    writable_assist(true);
    for (unsigned i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        struct attempt a = { .op = &stores[i], .p = x.slot, .v = make_pte(pfn_to_mfn(x.b), PTE_RO | pte_nx) };
        uint64_t expected;

        if (stores[i].fn == w_lock_bts && !pte_nx)
            continue;                                   /* it sets NX, which is refused then */
        ASSERT_EQ(mmu_set(x.maddr, make_pte(pfn_to_mfn(x.a), PTE_KERNEL)), 0);
        a.old = word = *x.slot;
        expected = a.op->fn(&word, a.v, a.old);
        EXPECT_MSG(try_fault(do_attempt, &a).vector == FAULT_NONE, "%s: faulted", a.op->name);
        EXPECT_MSG(((*x.slot ^ word) & OURS) == 0, "%s: stored %#lx, expected %#lx", a.op->name, *x.slot,
                   word);
        EXPECT_MSG(a.result == expected, "%s: registers %#lx, expected %#lx", a.op->name, a.result, expected);
    }
    writable_assist(false);
    EXPECT_EQ(mmu_set(x.maddr, 0), 0);
    flush_local();
    area_free(&x);
}

/* The new mapping is used, and the frame's counts moved along with it. */
static void writable_counts(void)
{
    struct area x = area_new();
    pfn_t pfn = frame_alloc();

    writable_assist(true);
    ASSERT_EQ(frame_set_ro(pfn), 0);
    EXPECT_NO_FAULT(try_write64(x.slot, make_pte(pfn_to_mfn(pfn), PTE_KERNEL)));
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)x.va, 0), 0);
    EXPECT_NO_FAULT(try_write64(x.va, 99));
    EXPECT_EQ(*(uint64_t *)p2v(pfn), 99);
    EXPECT_EQ(mmu_pin(1, pfn), -XEN_EINVAL);            /* mapped writable by that store */
    EXPECT_NO_FAULT(try_write64(x.slot, 0));
    EXPECT_EQ(mmuext(MMUEXT_INVLPG_LOCAL, (uint64_t)x.va, 0), 0);
    EXPECT_FAULT(try_read64(x.va, NULL), TRAP_PF, 0);
    writable_assist(false);
    EXPECT_EQ(frame_set_rw(pfn), 0);
    frame_free(pfn);
    area_free(&x);
}

static void do_split_store(void *arg)
{
    *(volatile uint64_t *)((char *)arg + 4) = 0;
}

static void do_sse_store(void *arg)
{
    __asm__ volatile("pxor %%xmm0, %%xmm0\n\tmovaps %%xmm0, (%0)" : : "r"((uint64_t)arg & ~15ul)
                     : "xmm0", "memory");
}

/* What is no single aligned store of an entry or part of one, or without the assist, is a plain fault. */
static void writable_refused(void)
{
    struct area x = area_new();
    uint64_t before = *x.slot & OURS;

    if (!is_dom0())  /* a hardware domain has read-only MMIO emulated, and with it tables */
        EXPECT_FAULT(try_write64(x.slot, 0), TRAP_PF, PF_PRESENT | PF_WRITE);
    writable_assist(true);
    EXPECT_FAULT(try_fault(do_split_store, (void *)x.slot), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_fault(do_sse_store, (void *)x.slot), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_write64(x.slot, make_pte(pfn_to_mfn(x.a), PTE_KERNEL) | PTE_ADDR_MASK), TRAP_PF,
                 PF_PRESENT | PF_WRITE);
    for (unsigned level = 2; level <= 4; level++)
        EXPECT_FAULT(try_write64((volatile uint64_t *)pte_slot(x.va, level), 0), TRAP_PF,
                     PF_PRESENT | PF_WRITE);
    writable_assist(false);
    EXPECT_EQ(*x.slot & OURS, before);
    EXPECT_EQ(*x.va, 0xaaaa);
    area_free(&x);
}

SUITE(writable, 22, 0, TEST(writable_stores), TEST(writable_counts), TEST(writable_refused));
