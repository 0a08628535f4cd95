/* The trace's records of exceptions and of what is emulated, word for word. */
#include "cmocka_main.h"
#include "arch/arch.h"
#include "xen/core/walk.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/traps.h"
#include "trace_records.h"

#define RO_FLAGS (PTE_P | PTE_US | PTE_A)

static void exceptions_are_recorded(void **state)
{
    static const struct {
        unsigned vector;
        uint32_t code;
        const char *insn;
        uint32_t word;
    } table[] = {
        { TRAP_DE, 0, "\xf7\xf0", 0 },
        { TRAP_UD, 0, "\x0f\x0b", 6 },
        { TRAP_GP, 0, "\xf3\x90", 13 | 1 << 15 },
        { TRAP_GP, 0x18, "\x8e\xd8", 13 | 1 << 15 | 0x18u << 16 },
        { TRAP_SS, 0xfff8, "\x8e\xd0", 12 | 1 << 15 | 0xfff8u << 16 },
        /* INT 80 through the gate; behind the instruction */
        { TRAP_GP, 0x80 * 8 + 2, "\xcd\x80", 0x80 },
        { TRAP_GP, 0x42 * 8 + 2, "\xcd\x42", 13 | 1 << 15 | 0x212u << 16 },
    };

    (void)state;
    start(TRACE_TRAP);
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        struct cpu_user_regs *r = in_kernel(table[i].insn, 2);

        r->error_code = table[i].code;
        handle_guest_trap(r, table[i].vector, 0);
        EXPECT(TRC_PV_TRAP | TRC_64_FLAG, V64(CODE + (table[i].word == 0x80 ? 2 : 0)),
               table[i].word);
    }
    /* one record, and no second one as an exception */
    for (unsigned code = 0; code < 8; code++) {
        struct cpu_user_regs *r = in_kernel("\x48\x89\x07", 3);

        r->error_code = code;
        handle_guest_trap(r, TRAP_PF, 0x123456789abc);
        EXPECT(TRC_PV_PAGE_FAULT | TRC_64_FLAG, V64(CODE), 0x56789abc, 0x1234, code & 3);
    }
    current->kernel_mode = false;
    inject_page_fault(current, 0x8000, 2);
    EXPECT(TRC_PV_PAGE_FAULT | TRC_64_FLAG, ANY, ANY, 0x8000, 0, 6);
    EXPECT_END();
    assert_int_equal(a->state, DOM_RUNNING);
}

static void emulated_instructions_are_recorded(void **state)
{
    static const struct {
        unsigned vector;
        uint32_t event;
        size_t len;
        const char *insn;
    } table[] = {
        { TRAP_GP, TRC_PV_EMULATE_PRIVOP, 3, "\x0f\x20\xc0\x90\x90" },          /* mov %cr0, %rax */
        { TRAP_GP, TRC_PV_EMULATE_PRIVOP, 2, "\x0f\x06\xcc\xcc\xcc" },          /* clts */
        { TRAP_GP, TRC_PV_EMULATE_PRIVOP, 2, "\xe4\x70\xcc\xcc\xcc" },          /* in $0x70, %al */
        /* mov %cr2, %rax, a prefix too many */
        { TRAP_GP, TRC_PV_EMULATE_PRIVOP, 4, "\x48\x0f\x20\xd0\x90" },
        { TRAP_UD, TRC_PV_FORCED_INVALID_OP, 7, "\x0f\x0bxen\x0f\xa2\x90" },
    };

    (void)state;
    start(TRACE_EMUL);
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        struct cpu_user_regs *r = in_kernel(table[i].insn, table[i].len);
        uint32_t bytes[4] = { 0 };

        memcpy(bytes, table[i].insn, table[i].len);
        handle_guest_trap(r, table[i].vector, 0);
        assert_int_equal(r->rip, CODE + table[i].len);
        EXPECT(table[i].event | TRC_64_FLAG, V64(CODE));
        EXPECT(TRC_PARAGON_EMULATED, V64(CODE), (uint32_t)table[i].len, bytes[0], bytes[1],
               bytes[2], bytes[3]);
    }
    /* for the guest alone */
    handle_guest_trap(in_kernel("\x0f\x0b\x90\x90\x90", 5), TRAP_UD, 0);
    handle_guest_trap(in_kernel("\xf3\x90\x90", 3), TRAP_GP, 0);
    EXPECT_END();
}

static void stores_to_page_tables_are_recorded(void **state)
{
    uint64_t table_va = FREE_PFN_VA, mapped = FREE_PFN_VA + PAGE_SIZE,
        l1 = PTE_MFN(slot_maddr(mapped));
    uint64_t slot_va = table_va + slot_maddr(mapped) % PAGE_SIZE, entry = pte_at(mapped);
    struct cpu_user_regs *r;

    (void)state;
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, table_va, l1 << PAGE_SHIFT | RO_FLAGS,
                           UVMF_INVLPG), 0);
    assert_int_equal(hcall(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                           VMASST_TYPE_writable_pagetables), 0);
    start(TRACE_EMUL);
    r = in_kernel("\x48\x89\x07", 3);   /* mov %rax, (%rdi) */
    r->rdi = slot_va;
    r->rax = entry & ~(uint64_t)PTE_RW;
    r->error_code = 3;
    handle_guest_trap(r, TRAP_PF, slot_va);
    assert_int_equal(r->rip, CODE + 3);
    assert_int_equal(pte_at(mapped), entry & ~(uint64_t)PTE_RW);
    EXPECT(TRC_PV_PTWR_EMULATION | TRC_64_FLAG, V64(entry & ~(uint64_t)PTE_RW), V64(slot_va),
           V64(CODE));
    r = in_kernel("\x48\x89\x07", 3);
    r->rdi = slot_va;
    r->rax = entry | PTE_PS;            /* refused */
    r->error_code = 3;
    handle_guest_trap(r, TRAP_PF, slot_va);
    EXPECT_END();
}

static void ldt_page_faults_are_recorded(void **state)
{
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT };
    uint64_t window = 0, pte = (mfn_of_va(FREE_PFN_VA) << PAGE_SHIFT) | RO_FLAGS;
    static uint64_t zeroes[512];

    (void)state;
    guest_put(FREE_PFN_VA, zeroes, sizeof(zeroes));
    assert_int_equal(hcall(__HYPERVISOR_update_va_mapping, FREE_PFN_VA, pte, UVMF_INVLPG), 0);
    op.arg1.linear_addr = FREE_PFN_VA;
    op.arg2.nr_ents = 512;
    guest_put(SCRATCH, &op, sizeof(op));
    assert_int_equal(hcall(__HYPERVISOR_mmuext_op, SCRATCH, 1, 0, DOMID_SELF), 0);
    for (window = HOLE_START; arch_ldt_window_offset(current, window) != 0; window += PAGE_SIZE)
        assert_true(window < HOLE_START + (1ull << 46));
    start(TRACE_EMUL | TRACE_TRAP);
    handle_guest_trap(in_kernel("\x8e\xd8", 2), TRAP_PF, window + 24);
    EXPECT(TRC_PV_GDT_LDT_MAPPING_FAULT | TRC_64_FLAG, V64(CODE), 24, 0);
    /* the guest has none there */
    handle_guest_trap(in_kernel("\x8e\xd8", 2), TRAP_PF, window + PAGE_SIZE + 8);
    EXPECT(TRC_PV_PAGE_FAULT | TRC_64_FLAG, V64(CODE), V64(FREE_PFN_VA + PAGE_SIZE + 8), 0);
    EXPECT_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(exceptions_are_recorded),
        with_trace(emulated_instructions_are_recorded),
        with_trace(stores_to_page_tables_are_recorded),
        with_trace(ldt_page_faults_are_recorded),
    };

    return cmocka_run_group_tests_name("trace traps", tests, NULL, NULL);
}
