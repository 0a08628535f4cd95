/* Suite "writable": the writable page tables of vm_assist: plain stores of the guest's kernel to a
 * live L1 table, which fault, and which the hypervisor emulates after it has checked the new entry.
 * Changes by hypercall are in pagetables.c, entries that must be refused in protections.c. */
#include "area.h"
#include "hypercall.h"
#include "start.h"

/* Each executes one instruction on *p, and returns the registers afterwards. */
#define STORE(name, text)                                                       \
    static uint64_t name(volatile uint64_t *p, uint64_t v, uint64_t old)        \
    {                                                                           \
        __asm__ volatile(text : "+r"(v), "+a"(old) : "r"(p) : "memory", "cc");  \
        return v ^ (old & OURS);                                                \
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
    ENTRY(w_mov8), ENTRY(w_mov4), ENTRY(w_mov4_high), ENTRY(w_mov2), ENTRY(w_mov2_top),
    ENTRY(w_mov1),
    ENTRY(w_mov_imm), ENTRY(w_xchg), ENTRY(w_cmpxchg), ENTRY(w_cmpxchg_miss), ENTRY(w_lock_and8),
    ENTRY(w_lock_and1), ENTRY(w_and), ENTRY(w_lock_or), ENTRY(w_lock_bts), ENTRY(w_lock_btr),
    ENTRY(w_bts),
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

/* Every kind of store to a live L1 entry has the effect that it has on ordinary memory. */
static void writable_stores(void)
{
    struct area x = area_new();
    volatile uint64_t word;

    writable_assist(true);
    for (unsigned i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        struct attempt a = { .op = &stores[i], .p = x.slot,
                             .v = make_pte(pfn_to_mfn(x.b), PTE_RO | PTE_NX) };
        uint64_t expected;

        if (stores[i].fn == w_lock_bts && !pte_nx)
            continue;                                   /* NX is refused on this CPU */
        ASSERT_EQ(mmu_set(x.maddr, make_pte(pfn_to_mfn(x.a), PTE_KERNEL)), 0);
        a.old = word = *x.slot;
        expected = a.op->fn(&word, a.v, a.old);
        EXPECT_MSG(try_fault(do_attempt, &a).vector == FAULT_NONE, "%s: faulted", a.op->name);
        EXPECT_MSG(((*x.slot ^ word) & OURS) == 0, "%s: stored %#lx, expected %#lx", a.op->name,
                   *x.slot, word);
        EXPECT_MSG(a.result == expected, "%s: registers %#lx, expected %#lx", a.op->name,
                   a.result, expected);
    }
    writable_assist(false);
    EXPECT_EQ(mmu_set(x.maddr, 0), 0);
    flush_local();
    area_free(&x);
}

/* All other integer instructions that write memory, on an entry that is not present: what is
 * stored, and the flags. CF is set before; rcx is a count, rax and rdx are what cmpxchg8b compares.
 * RCL and RCR are in the host test of the ALU: QEMU changes CF before their store faults. */
#define FLAGS_ALWAYS_DEFINED 0xc5ul     /* SF ZF PF CF */
#define INTEGER(name, text)                                                             \
    static uint64_t name(volatile uint64_t *p, uint64_t v, uint64_t old)                \
    {                                                                                   \
        uint64_t flags, d = old >> 32, c = 5;                                           \
        __asm__ volatile("stc\n\t" text "\n\tpushfq\n\tpopq %0"                         \
                         : "=&r"(flags), "+b"(v), "+a"(old), "+d"(d), "+c"(c) : "S"(p)  \
                         : "memory", "cc");                                             \
        return (flags & FLAGS_ALWAYS_DEFINED) ^ v << 32 ^ old << 8 ^ d << 16 ^ c << 56; \
    }
INTEGER(i_add, "addl %k1, 4(%5)")
INTEGER(i_adc, "adcl $0x1234, 4(%5)")
INTEGER(i_sbb, "lock sbbb %b1, 5(%5)")
INTEGER(i_sub, "subw $-2, 2(%5)")
INTEGER(i_xor, "xorb %%bh, 7(%5)")
INTEGER(i_inc, "incb 3(%5)")
INTEGER(i_dec, "lock decl 4(%5)")
INTEGER(i_not, "notl 4(%5)")
INTEGER(i_neg, "negb 5(%5)")
INTEGER(i_shl, "shlq $3, (%5)")
INTEGER(i_shr, "shrl 4(%5)")
INTEGER(i_sar, "sarb %%cl, 7(%5)")
INTEGER(i_rol, "rolw $4, 6(%5)")
INTEGER(i_shld, "shldl $7, %k1, 4(%5)")
INTEGER(i_shrd, "shrdw %%cl, %w1, 2(%5)")
INTEGER(i_xadd, "lock xaddl %k1, 4(%5)")
INTEGER(i_bts_reg, "btsq %4, (%5)")
INTEGER(i_btr_reg, "btrl %k4, 4(%5)")
INTEGER(i_btc, "lock btcq $40, (%5)")
INTEGER(i_setcc, "setc 6(%5)")
INTEGER(i_movnti, "movnti %k1, 4(%5)")
INTEGER(i_movq_imm, "movq $0x7ffffffe, (%5)")
INTEGER(i_cmpxchg8b, "lock cmpxchg8b (%5)")
INTEGER(i_cmpxchg8b_miss, "leal 4(%%rax), %%eax\n\tlock cmpxchg8b (%5)")
INTEGER(i_cmpxchg_1, "cmpxchgb %b1, 7(%5)")
INTEGER(i_stos, "pushq %%rdi\n\tmovq %5, %%rdi\n\tandb $0xfe, %%al\n\tstosb\n\tsubq %5, %%rdi\n\t"
                "movq %%rdi, %1\n\tpopq %%rdi")
INTEGER(i_pop, "pushq $0x4440\n\tpopq (%5)")

static const struct store integers[] = {
    ENTRY(i_add), ENTRY(i_adc), ENTRY(i_sbb), ENTRY(i_sub), ENTRY(i_xor), ENTRY(i_inc),
    ENTRY(i_dec), ENTRY(i_not),
    ENTRY(i_neg), ENTRY(i_shl), ENTRY(i_shr), ENTRY(i_sar), ENTRY(i_rol), ENTRY(i_shld),
    ENTRY(i_shrd), ENTRY(i_xadd), ENTRY(i_bts_reg), ENTRY(i_btr_reg), ENTRY(i_btc), ENTRY(i_setcc),
    ENTRY(i_movnti),
    ENTRY(i_movq_imm), ENTRY(i_cmpxchg8b), ENTRY(i_cmpxchg8b_miss), ENTRY(i_cmpxchg_1),
    ENTRY(i_stos), ENTRY(i_pop),
};

static void writable_integers(void)
{
    struct area x = area_new();
    volatile uint64_t word;

    ASSERT_EQ(mmu_set(x.maddr, 0), 0);
    flush_local();
    writable_assist(true);
    for (unsigned i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        struct attempt a = { .op = &integers[i], .p = x.slot, .v = 0x2a5c3e72 };
        uint64_t expected;

        ASSERT_EQ(mmu_set(x.maddr, 0x4b1d9a31f2c60e46), 0);
        a.old = word = *x.slot;
        expected = a.op->fn(&word, a.v, a.old);
        EXPECT_MSG(try_fault(do_attempt, &a).vector == FAULT_NONE, "%s: faulted", a.op->name);
        EXPECT_MSG(*x.slot == word, "%s: stored %#lx, expected %#lx", a.op->name, *x.slot, word);
        EXPECT_MSG(a.result == expected, "%s: registers %#lx, expected %#lx", a.op->name,
                   a.result, expected);
    }
    writable_assist(false);
    EXPECT_EQ(mmu_set(x.maddr, 0), 0);
    area_free(&x);
}

#define RUN 6
struct strings {
    volatile uint64_t *to;
    const uint64_t *from;
    uint64_t count, left, moved;
    bool down;
};

static void do_rep_movs(void *arg)
{
    struct strings *s = arg;
    volatile uint64_t *to = s->to;
    const uint64_t *from = s->from;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(s->left) : : "memory");
    s->moved = (uint64_t)(to - s->to) << 8 | (uint64_t)(from - s->from);
}

static void do_rep_stos(void *arg)
{
    struct strings *s = arg;
    volatile uint64_t *to = s->to;

    if (s->down)
        __asm__ volatile("std");
    __asm__ volatile("rep stosq\n\tcld" : "+D"(to), "+c"(s->left) : "a"(0) : "memory");
    s->moved = (uint64_t)(to - s->to);
}

/* Repeated string instructions change one entry at a time; a refused entry raises the fault, with
 * the registers as they are at that entry. */
static void writable_strings(void)
{
    volatile uint64_t *va = va_alloc(RUN);
    volatile uint64_t *slot;
    uint64_t entries[RUN];
    pfn_t pfn[RUN];
    struct strings s = { 0 };

    for (unsigned i = 0; i < RUN; i++) {
        pfn[i] = frame_alloc();
        *(uint64_t *)p2v(pfn[i]) = 100 + i;
        entries[i] = make_pte(pfn_to_mfn(pfn[i]), PTE_KERNEL);
        ASSERT_EQ(map_page(va + 512 * i, 0), 0);
    }
    slot = (volatile uint64_t *)pte_slot((void *)va, 1);
    writable_assist(true);
    s = (struct strings){ .to = slot, .from = entries, .left = RUN };
    EXPECT_NO_FAULT(try_fault(do_rep_movs, &s));
    EXPECT_EQ(s.left, 0);
    EXPECT_EQ(s.moved, RUN << 8 | RUN);
    for (unsigned i = 0; i < RUN; i++)
        EXPECT_EQ(va[512 * i], 100 + i);
    s = (struct strings){ .to = slot + RUN - 1, .left = RUN - 1, .down = true };
    EXPECT_NO_FAULT(try_fault(do_rep_stos, &s));
    EXPECT_EQ(s.left, 0);
    EXPECT_EQ(s.moved, (uint64_t)1 - RUN);
    flush_local();
    EXPECT_EQ(va[0], 100);
    for (unsigned i = 1; i < RUN; i++)
        EXPECT_EQ(slot[i], 0);
    entries[2] |= PTE_ADDR_MASK;                        /* no such frame */
    s = (struct strings){ .to = slot, .from = entries, .left = RUN };
    EXPECT_FAULT(try_fault(do_rep_movs, &s), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(slot[1] & OURS, entries[1] & OURS);
    EXPECT_EQ(slot[2], 0);
    s = (struct strings){ .to = slot, .left = RUN };
    EXPECT_NO_FAULT(try_fault(do_rep_stos, &s));
    writable_assist(false);
    flush_local();
    for (unsigned i = 0; i < RUN; i++) {
        EXPECT_EQ(slot[i], 0);
        frame_free(pfn[i]);
    }
}

/* The new mapping is used, and the frame's type reference is counted with it. */
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

/* A store that is not one aligned entry or part of one, or any store without the assist, is a plain
 * fault. */
static void writable_refused(void)
{
    struct area x = area_new();
    uint64_t before = *x.slot & OURS;

    /* For domain 0 Xen emulates stores to read-only MMIO, and with them stores to tables. */
    if (!is_dom0())
        EXPECT_FAULT(try_write64(x.slot, 0), TRAP_PF, PF_PRESENT | PF_WRITE);
    writable_assist(true);
    EXPECT_FAULT(try_fault(do_split_store, (void *)x.slot), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_fault(do_sse_store, (void *)x.slot), TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_FAULT(try_write64(x.slot, make_pte(pfn_to_mfn(x.a), PTE_KERNEL) | PTE_ADDR_MASK),
                 TRAP_PF, PF_PRESENT | PF_WRITE);
    for (unsigned level = 2; level <= 4; level++)
        EXPECT_FAULT(try_write64((volatile uint64_t *)pte_slot(x.va, level), 0), TRAP_PF,
                     PF_PRESENT | PF_WRITE);
    writable_assist(false);
    EXPECT_EQ(*x.slot & OURS, before);
    EXPECT_EQ(*x.va, 0xaaaa);
    area_free(&x);
}

SUITE(writable, 22, 0, TEST(writable_stores), TEST(writable_integers), TEST(writable_strings),
      TEST(writable_counts), TEST(writable_refused));
