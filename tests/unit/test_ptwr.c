/* Stores to page tables that the guest has mapped read-only: each short form (common/x86) has the
 * same effect as the same instruction with a prefix that means nothing, which only the general
 * decoder knows. */
#include "cmocka_main.h"
#include "common/x86/alu.h"
#include "common/x86/regs.h"
#include "xen/core/frame.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/insn_access.h"
#include "xen/pv/traps.h"
#include "pages_fixture.h"

#define CODE (GUEST_BASE + 0x300)
#define CS_IGNORED 0x2e         /* in 64-bit code */
#define HANDLER (GUEST_BASE + 0x500)

static uint64_t table_va, mapped, frame;

/* The table of `mapped`, which maps the frame, is mapped read-only at table_va. */
static int a_mapped_table(void **state)
{
    static const struct trap_info traps[3] = {
        { .vector = TRAP_PF, .cs = FLAT_KERNEL_CS64, .address = HANDLER },
        { .vector = TRAP_DB, .cs = FLAT_KERNEL_CS64, .address = HANDLER },
    };

    low_machine_up(state);
    make_two_guests();
    table_va = FREE_PFN_VA;
    mapped = FREE_PFN_VA + PAGE_SIZE;
    frame = mfn_of_va(mapped) << PAGE_SHIFT;
    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    assert_int_equal(
        hcall(__HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables), 0);
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, table_va,
                           (slot_maddr(mapped) & PAGE_MASK) | RO_FLAGS, UVMF_INVLPG), 0);
    return 0;
}
#define with_table(test) cmocka_unit_test_setup_teardown(test, a_mapped_table, machine_down)

/* The entry before, what the guest's registers are, and the instruction. */
struct store {
    uint64_t entry, regs[16], flags, rip;
    uint8_t bytes[8];
    unsigned len, base, offset;
    unsigned away;              /* the operand from the address of the fault */
    int8_t disp;
};

/* After it the struct has the entry and registers that it left; rip is how far it went. */
static void execute(struct store *s, bool generally)
{
    struct cpu_user_regs *r = guest_regs(v);
    uint64_t va = table_va + slot_maddr(mapped) % PAGE_SIZE + s->offset;
    uint64_t rip = s->rip != 0 ? s->rip : CODE;
    uint8_t code[16] = { CS_IGNORED };

    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, mapped, s->entry, UVMF_INVLPG), 0);
    memcpy(code + generally, s->bytes, s->len);
    guest_put(rip, code, s->len + generally);
    for (unsigned i = 0; i < 16; i++)
        *reg_by_number(saved_regs(r), i) = s->regs[i];
    *reg_by_number(saved_regs(r), s->base) = va + s->away - (uint64_t)(int64_t)s->disp;
    r->rip = rip;
    r->rflags = s->flags;
    r->error_code = 3;          /* write, present */
    r->cs = FLAT_KERNEL_CS64;
    handle_page_fault(r, va);
    audit();
    s->entry = pte_at(mapped);
    for (unsigned i = 0; i < 16; i++)
        s->regs[i] = reg_value(saved_regs(r), i);
    s->flags = r->rflags;
    s->rip = r->rip == HANDLER ? HANDLER : r->rip - rip - generally;
}

/* Gives the same by both ways; done: that it is executed, and not a fault of the guest's. */
static void both(const struct store *s, bool done)
{
    struct store a = *s, b = *s;

    execute(&a, false);
    execute(&b, true);
    if (a.rip != (done ? s->len : HANDLER))
        fail_msg("%02x %02x %02x %02x: rip %lx", s->bytes[0], s->bytes[1], s->bytes[2], s->bytes[3],
                 a.rip);
    assert_memory_equal(&a, &b, sizeof(a));
}

static void put_memory_operand(struct store *s, unsigned reg)
{
    s->bytes[s->len++] = (uint8_t)((s->disp ? 0x40 : 0) | (reg & 7) << 3 | (s->base & 7));
    if ((s->base & 7) == RSP)
        s->bytes[s->len++] = 0x24;
    if (s->disp)
        s->bytes[s->len++] = (uint8_t)s->disp;
}

static struct store store_with(unsigned base, int8_t disp)
{
    struct store s = { .base = base, .disp = disp, .flags = FLAG_MBS | FLAGS_ARITHMETIC,
                       .entry = frame | RW_FLAGS | PTE_D };

    /* A stack, and else what may be stored as an entry: not present */
    for (unsigned i = 0; i < 16; i++)
        s.regs[i] = i == RSP ? SCRATCH + 0x1000 : 0x123456789a00ull + 0x10000 * i;
    return s;
}

static void all_registers(void **state)
{
    static const uint16_t opcodes[] = { 0x89, 0x87, 0xb10f };

    (void)state;
    for (unsigned i = 0; i < 3 * 16 * 16; i++) {
        unsigned source = i & 15, base = i >> 4 & 15, o = i >> 8;
        struct store s = store_with(base, (base & 7) == RBP || (i & 1) ? -16 : 0);

        if (o == 2)
            s.regs[RAX] = s.entry;
        s.bytes[s.len++] = (uint8_t)(0x48 | (source >> 3) << 2 | base >> 3);
        s.bytes[s.len++] = (uint8_t)opcodes[o];
        if (o == 2)
            s.bytes[s.len++] = (uint8_t)(opcodes[o] >> 8);
        put_memory_operand(&s, source);
        both(&s, true);
    }
}

static void parts_by_and(void **state)
{
    static const uint8_t values[] = { 0xff, 0xfd, 0xdf, 0xbf, 0x9f, 0xfe, 0x7f, 0x00, 0x81 };

    (void)state;
    for (unsigned i = 0; i < sizeof(values); i++)
        for (unsigned base = 0; base < 16; base += 3)
            for (unsigned offset = 0; offset < 8; offset++)
                for (unsigned locked = 0; locked < 3; locked++) {
                    struct store s = store_with(base, base & 1 ? 8 : 0);

                    s.entry = frame | RW_FLAGS | PTE_D | 7ull << 52;
                    if (offset != 0 && (offset < 6 || i == 0))
                        s.entry &= ~(uint64_t)PTE_P; /* part of the frame's number would go */
                    s.flags = offset & 1 ? FLAG_MBS : FLAG_MBS | FLAGS_ARITHMETIC;
                    if (locked != 0)
                        s.bytes[s.len++] = locked == 1 ? 0xf0 : 0x3e;
                    if (base > 7)
                        s.bytes[s.len++] = 0x41;
                    s.bytes[s.len++] = 0x80;
                    put_memory_operand(&s, 4);
                    s.bytes[s.len++] = values[i];
                    s.offset = offset;
                    both(&s, true);
                }
}

/* Values that no entry may have, a comparison that fails, addresses that are not aligned. */
static void what_is_not_simple(void **state)
{
    struct store s = store_with(RDI, 0);

    (void)state;
    memcpy(s.bytes, "\x48\x89\x07", s.len = 3);
    s.regs[RAX] = s.entry | PTE_PS;
    both(&s, false);
    s.regs[RAX] = mfn_of_pfn(other, 3) << PAGE_SHIFT | RO_FLAGS;
    both(&s, false);
    s.regs[RAX] = v->root_kernel | RW_FLAGS;
    both(&s, false);
    s.regs[RAX] = v->root_kernel | RO_FLAGS;
    both(&s, true);
    s.regs[RAX] = s.entry & ~(uint64_t)PTE_RW;
    both(&s, true);
    s.away = 8;                 /* another vCPU has changed the instruction */
    both(&s, false);
    s.away = 0;
    s.offset = 4;
    both(&s, false);
    s = store_with(RDI, 0);
    memcpy(s.bytes, "\xf0\x48\x0f\xb1\x0f", s.len = 5);
    s.regs[RAX] = s.entry & ~(uint64_t)PTE_D;
    both(&s, true);
    s.flags |= FLAG_TF;
    both(&s, false);            /* it is done, and then there is a #DB */
}

/* In the last bytes of a page behind which nothing is mapped. */
static void at_the_end_of_a_page(void **state)
{
    uint64_t page = FREE_PFN_VA + 4 * PAGE_SIZE;
    struct store s = store_with(RDI, 0);

    (void)state;
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, page + PAGE_SIZE, 0, UVMF_INVLPG), 0);
    for (unsigned left = 4; left < 10; left++) {
        memcpy(s.bytes, "\x48\x87\x07", s.len = 3);
        s.rip = page + PAGE_SIZE - left;
        both(&s, true);
    }
}

/* What the bytes mean is kept from store to store; before the first one nothing is. */
static void the_same_bytes_again(void **state)
{
    struct store s = store_with(RAX, 0);

    (void)state;
    guest_put(CODE, (const uint8_t[16]){ 0 }, 16);
    s.len = 2;                                  /* add %al, (%rax), and zeros behind it */
    s.entry = frame;
    both(&s, true);
    s = store_with(RDI, 0);
    memcpy(s.bytes, "\x48\x87\x07", s.len = 3);
    for (unsigned i = 0; i < 3; i++) {
        s.regs[RAX] = 0x1000ull * i;
        both(&s, true);
    }
    s.bytes[1] = 0x89;
    both(&s, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_table(all_registers), with_table(parts_by_and), with_table(what_is_not_simple),
        with_table(at_the_end_of_a_page), with_table(the_same_bytes_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
