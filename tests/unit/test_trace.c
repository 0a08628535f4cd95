/* The trace's records, each kind word for word: hypercalls and what they read and wrote,
 * exceptions, emulated instructions, events, scheduling. The ring that holds them is tested by
 * test_trace_ring.c. */
#include "arch/arch.h"
#include "cmocka_main.h"
#include "trace_fixture.h"
#include "common/trace_format.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/sched.h"
#include "xen/core/time.h"
#include "xen/core/trace.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_ring.h"
#include "xen/core/walk.h"
#include "xen/cpu/exceptions.h"
#include "xen/cpu/upcall.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/hypercall_counts.h"
#include "xen/pv/hypercalls.h"
#include "xen/pv/traps.h"

#define V2 TRC_PV_HYPERCALL_V2
#define SUB TRC_PV_HYPERCALL_SUBCALL
#define RESULT TRC_PARAGON_RESULT
#define CALLS (SCRATCH + 2048)
#define CODE (GUEST_BASE + 0x300)
#define RO_FLAGS (PTE_P | PTE_US | PTE_A)

/* --- Hypercalls ------------------------------------------------------------------------------- */
/* Widths of the arguments, first one lowest: two bits each from bit 20 on. */
#define W(a, b, c, d, e, f) \
    ((a) << 20 | (b) << 22 | (c) << 24 | (d) << 26 | (e) << 28 | (uint32_t)(f) << 30)

static const struct {
    uint64_t nr;
    /* words of the record; the first argument is in ARGS; 0: there is no record */
    unsigned n, rest;
    uint32_t words[7];
} calls[] = {
    { __HYPERVISOR_iret, 1, 0, { 23 } },
    { __HYPERVISOR_fpu_taskswitch, 2, 0, { 5 | W(1, 0, 0, 0, 0, 0), 0x10 } },
    { __HYPERVISOR_set_timer_op, 3, 0, { 15 | W(2, 0, 0, 0, 0, 0), 0x10, 0x11 } },
    { __HYPERVISOR_xen_version, 4, 0, { 17 | W(1, 2, 0, 0, 0, 0), 0x10, 0x20, 0x21 } },
    { __HYPERVISOR_set_gdt, 4, 0, { 2 | W(2, 1, 0, 0, 0, 0), 0x10, 0x11, 0x20 } },
    { __HYPERVISOR_vm_assist, 3, 0, { 21 | W(1, 1, 0, 0, 0, 0), 0x10, 0x20 } },
    { __HYPERVISOR_console_io, 5, 0, { 18 | W(1, 1, 2, 0, 0, 0), 0x10, 0x20, 0x30, 0x31 } },
    { __HYPERVISOR_grant_table_op, 5, 0, { 20 | W(1, 2, 1, 0, 0, 0), 0x10, 0x20, 0x21, 0x30 } },
    { __HYPERVISOR_mmu_update, 7, 0,
      { 1 | W(2, 1, 2, 1, 0, 0), 0x10, 0x11, 0x20, 0x30, 0x31, 0x40 } },
    { __HYPERVISOR_mmuext_op, 7, 0,
      { 26 | W(2, 1, 2, 1, 0, 0), 0x10, 0x11, 0x20, 0x30, 0x31, 0x40 } },
    { __HYPERVISOR_set_callbacks, 7, 0,
      { 4 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { __HYPERVISOR_update_va_mapping, 7, 0,
      { 14 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { __HYPERVISOR_update_va_mapping_otherdomain, 7, 3,
      { 22 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { __HYPERVISOR_hypfs_op, 6, 3, { 42 | W(1, 2, 2, 0, 0, 0), 0x10, 0x20, 0x21, 0x30, 0x31 } },
    { __HYPERVISOR_dm_op, 5, 0, { 41 | W(1, 1, 2, 0, 0, 0), 0x10, 0x20, 0x30, 0x31 } },
    /* nobody's number */
    { 63, 7, 3, { 63 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { 64, 7, 3, { 64 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { 4711, 7, 3, { 4711 | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
    { 0x1200345678, 7, 3, { 0xfffff | W(2, 2, 2, 0, 0, 0), 0x10, 0x11, 0x20, 0x21, 0x30, 0x31 } },
};

static const uint64_t arguments[6] =
    { 0x1100000010, 0x2100000020, 0x3100000030, 0x4100000040, 0x5100000050,
                                       0x6100000060 };

static void call_has_its_words(void **state)
{
    (void)state;
    start(TRACE_HYPERCALL);
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(calls); i++) {
        bool member = i >= ARRAY_SIZE(calls);
        typeof(&calls[0]) c = &calls[i % ARRAY_SIZE(calls)];
        uint64_t nr = member ? __HYPERVISOR_multicall : c->nr,
            begin = trace_hypercall(nr, arguments, false);

        if (member) {
            EXPECT(V2, 13 | W(2, 1, 0, 0, 0, 0), 0x10, 0x11, 0x20);
            begin = trace_hypercall(c->nr, arguments, true);
        }
        expect_record(__LINE__, member ? SUB : V2, c->words, c->n);
        assert_int_equal(seen[next_seen - 1].tsc, begin);
        assert_int_equal(begin, host.tsc - (c->rest != 0 ? host.tsc_step : 0));
        assert_int_equal(seen[next_seen - 1].who, A0);
        if (c->rest != 0)
            EXPECT(TRC_PARAGON_ARGS, 3, 0x40, 0x41, 0x50, 0x51, 0x60, 0x61);
        host.tsc += 0x5000000000;
        trace_result(c->nr, -0x3344, begin);
        EXPECT(RESULT, (uint32_t)MIN(c->nr, 0xfffffull), V64(-0x3344), V64(host.tsc - 7 - begin));
        if (member) {
            trace_result(nr, 0, begin);
            EXPECT(RESULT, 13, V64(0), V64(host.tsc - 7 - begin));
        }
    }
    EXPECT_END();
}

static void put_call(unsigned i, uint64_t op, uint64_t x, uint64_t y)
{
    struct multicall_entry e = { .op = op, .args = { x, y, 0x31, 0x41, 0x51, 0x61 } };

    guest_put(CALLS + i * sizeof(e), &e, sizeof(e));
}

/* Real hypercalls, and unserved numbers, alone and as members of an array. */
static void call_has_its_result(void **state)
{
    uint64_t *counts = hypercall_counts, versions = counts[17], refused = counts[63];
    long version;

    (void)state;
    start(TRACE_HYPERCALL);
    version = TRACED(__HYPERVISOR_xen_version, XENVER_version);
    assert_true(version > 0);
    EXPECT(V2, 17 | W(1, 2, 0, 0, 0, 0), XENVER_version, 0, 0);
    EXPECT(RESULT, 17, V64(version), 7, 0);             /* two readings of the clock */
    assert_int_equal(TRACED(63, 1), -ENOSYS);
    EXPECT(V2, 63 | W(2, 2, 2, 0, 0, 0), 1, 0, 0, 0, 0, 0);
    EXPECT(TRC_PARAGON_ARGS, 3, 0, 0, 0, 0, 0, 0);
    EXPECT(RESULT, 63, V64(-ENOSYS), ANY, 0);
    assert_int_equal(TRACED(0x1200345678, 1), -ENOSYS);
    EXPECT(V2, 0xfffff | W(2, 2, 2, 0, 0, 0), 1, 0, 0, 0, 0, 0);
    EXPECT(TRC_PARAGON_ARGS, 3, 0, 0, 0, 0, 0, 0);
    EXPECT(RESULT, 0xfffff, V64(-ENOSYS), ANY, 0);

    put_call(0, __HYPERVISOR_xen_version, XENVER_version, 0);
    put_call(1, __HYPERVISOR_multicall, CALLS, 1);
    put_call(2, 4711, 1, 2);
    put_call(3, 63, 1, 2);
    assert_int_equal(TRACED(__HYPERVISOR_multicall, CALLS, 4), 0);
    EXPECT(V2, 13 | W(2, 1, 0, 0, 0, 0), V64(CALLS), 4);
    EXPECT(SUB, 17 | W(1, 2, 0, 0, 0, 0), XENVER_version, 0, 0);
    EXPECT(RESULT, 17, V64(version), 7, 0);
    EXPECT(SUB, 13 | W(2, 1, 0, 0, 0, 0), V64(CALLS), 1);
    EXPECT(RESULT, 13, V64(-EINVAL), ANY, 0);
    EXPECT(SUB, 4711 | W(2, 2, 2, 0, 0, 0), 1, 0, 2, 0, 0x31, 0);
    EXPECT(TRC_PARAGON_ARGS, 3, 0x41, 0, 0x51, 0, 0x61, 0);
    EXPECT(RESULT, 4711, V64(-ENOSYS), ANY, 0);
    EXPECT(SUB, 63 | W(2, 2, 2, 0, 0, 0), 1, 0, 2, 0, 0x31, 0);
    EXPECT(TRC_PARAGON_ARGS, 3, 0x41, 0, 0x51, 0, 0x61, 0);
    EXPECT(RESULT, 63, V64(-ENOSYS), ANY, 0);
    EXPECT(RESULT, 13, V64(0), ANY, 0);
    EXPECT_END();
    assert_int_equal(counts[17] - versions, 2);         /* counted as they are without a trace */
    assert_int_equal(counts[63] - refused, 2);
}

/* --- What they read and wrote ----------------------------------------------------------------- */
static void check_copy(uint32_t event, uint64_t va, const uint8_t *bytes, size_t len)
{
    size_t kept = len < 1024 ? len : 1024;

    for (size_t done = 0; done < kept;) {
        const struct trace_record *r = next_record((int)len);
        size_t n = kept - done < 20 ? kept - done : 20;
        bool cut = len > 1024 && done + n == kept;

        assert_int_equal(r->event, event);
        assert_int_equal(r->tsc, 0);
        assert_int_equal(r->words[0], (uint32_t)(va + done));
        assert_int_equal(r->words[1],
                         ((va + done) >> 32 & 0xffff) | n << 16 | (cut ? 0x80000000u : 0));
        assert_int_equal(r->n, 2 + (n + 3) / 4);
        assert_memory_equal(&r->words[2], bytes + done, n);
        for (size_t i = n; i % 4 != 0; i++)     /* nothing of what was there before */
            assert_int_equal(((const uint8_t *)&r->words[2])[i], 0);
        done += n;
    }
}

static void copies_show_guest_memory(void **state)
{
    static const size_t sizes[] =
    { 1, 2, 3, 4, 5, 7, 8, 19, 20, 21, 23, 24, 39, 40, 41, 1019, 1020, 1021, 1023, 1024,
                                    1025, 1044, 4096 };
    static const uint64_t addresses[] =
        { SCRATCH, 0x12345678fff8, 0x0000fffffff5, 0xffff8880fffffffc };
    uint8_t bytes[4096];

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(1 + i * 7 % 255);
    start(TRACE_ARGS);
    /* what was there before, of another block */
    memset(trace_rings[0].pos, 0xee, TRACE_BLOCK_BYTES / 2);
    memset((char *)trace_rings[0].slots + TRACE_BLOCK_BYTES, 0xee, 3 * TRACE_BLOCK_BYTES);
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
        for (unsigned j = 0; j < ARRAY_SIZE(addresses); j++) {
            uint32_t event = (i + j) % 2 ? TRC_PARAGON_COPY_IN : TRC_PARAGON_COPY_OUT;

            trace_copy(event, addresses[j], bytes, sizes[i]);
            check_copy(event, addresses[j], bytes, sizes[i]);
            EXPECT_END();
        }
    trace_copy(TRC_PARAGON_COPY_IN, SCRATCH, bytes, 0);
    trace_domain(a, TRACE_ALL & ~TRACE_ARGS);
    EXPECT(TRC_PARAGON_CLASSES, TRACE_ALL & ~TRACE_ARGS);
    trace_copy(TRC_PARAGON_COPY_IN, SCRATCH, bytes, 8);
    EXPECT_END();
}

static void copies_follow_their_call(void **state)
{
    struct mmu_update u =
        { (mfn_of_va(SCRATCH) << PAGE_SHIFT) | MMU_MACHPHYS_UPDATE, m2p_table[mfn_of_va(SCRATCH)] };
    struct trap_info traps[2] =
        { { .vector = 6, .flags = 1, .cs = FLAT_KERNEL_CS64, .address = CODE } };
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = 2 };
    static const char text[] = "written to the console\n";
    char extra[16];
    unsigned one = 1;

    (void)state;
    start(TRACE_ARGS);
    guest_put(SCRATCH, &u, sizeof(u));
    assert_int_equal(hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, SCRATCH + 64, DOMID_SELF), 0);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH, (void *)&u, sizeof(u));
    check_copy(TRC_PARAGON_COPY_OUT, SCRATCH + 64, (void *)&one, sizeof(one));
    EXPECT_END();

    guest_put(SCRATCH, traps, sizeof(traps));
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, SCRATCH), 0);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH, (void *)&traps[0], 16);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH + 16, (void *)&traps[1], 16);
    EXPECT_END();

    guest_put(SCRATCH, text, sizeof(text));
    assert_int_equal(hcall(__HYPERVISOR_console_io, CONSOLEIO_write, sizeof(text), SCRATCH), 0);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH, (const void *)text, sizeof(text));
    EXPECT_END();

    assert_int_equal(hcall_struct(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &alloc,
                                  sizeof(alloc)), 0);
    assert_int_not_equal(alloc.port, 0);
    check_copy(TRC_PARAGON_COPY_IN, SCRATCH,
               (void *)&(struct evtchn_alloc_unbound){ DOMID_SELF, 2, 0 }, 8);
    check_copy(TRC_PARAGON_COPY_OUT, SCRATCH, (void *)&alloc, 8);
    EXPECT_END();

    assert_int_equal(hcall(__HYPERVISOR_xen_version, XENVER_extraversion, SCRATCH), 0);
    guest_get(extra, SCRATCH, 16);
    check_copy(TRC_PARAGON_COPY_OUT, SCRATCH, (void *)extra, 16);
    EXPECT_END();

    assert_int_equal(hcall(__HYPERVISOR_xen_version, XENVER_extraversion, HOLE_START), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_set_trap_table, 0x1000), -EFAULT);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, 0x1000), -EFAULT);
    EXPECT_END();                       /* what could not be read or written was not */
}

/* --- Exceptions and instructions -------------------------------------------------------------- */
static struct cpu_user_regs *in_kernel(const void *code, size_t len)
{
    struct cpu_user_regs *r = guest_regs(current);
    struct trap_info traps[8];
    static const uint8_t vectors[] = { TRAP_DE, TRAP_UD, TRAP_GP, TRAP_PF, 0x80, TRAP_SS };

    memset(traps, 0, sizeof(traps));
    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
        traps[i] = (struct trap_info){ .vector = vectors[i], .flags = 3, .cs = FLAT_KERNEL_CS64,
                                       .address = CODE + 0x100 };
    guest_put(SCRATCH, traps, sizeof(traps));
    (void)do_set_trap_table(SCRATCH);
    guest_put(CODE, code, len);
    memset(r, 0, sizeof(*r));
    r->rip = CODE;
    r->cs = FLAT_KERNEL_CS64;
    r->ss = FLAT_KERNEL_SS64;
    r->rsp = SCRATCH + 0x1000;
    r->rflags = 0x202;
    current->kernel_mode = true;
    current->iopl = 1;
    return r;
}

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
    /* one record, and not another as an exception */
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
    /* the guest's own affair */
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

/* --- Events ----------------------------------------------------------------------------------- */
static long op(unsigned cmd, void *arg, size_t len)
{
    return hcall_struct(__HYPERVISOR_event_channel_op, cmd, arg, len);
}
#define OP(cmd, s) assert_int_equal(op(EVTCHNOP_##cmd, &(s), sizeof(s)), 0)

static void sends_are_recorded(void **state)
{
    struct evtchn_alloc_unbound alloc = { .dom = DOMID_SELF, .remote_dom = 1 };
    struct evtchn_bind_interdomain bind = { .remote_dom = 2 };
    struct evtchn_bind_virq virq = { .virq = VIRQ_DEBUG, .vcpu = 1 };
    struct evtchn_bind_ipi ipi = { .vcpu = 1 };
    struct evtchn_send port;

    (void)state;
    become(b->vcpu[0]);
    OP(alloc_unbound, alloc);           /* not the number that it has on the other side */
    OP(alloc_unbound, alloc);
    OP(alloc_unbound, alloc);
    become(a->vcpu[0]);
    bind.remote_port = alloc.port;
    OP(bind_interdomain, bind);
    assert_int_not_equal(bind.local_port, alloc.port);
    OP(bind_virq, virq);
    OP(bind_ipi, ipi);
    start(TRACE_EVENT);
    port.port = bind.local_port;
    OP(send, port);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_PORT, bind.local_port, B0, alloc.port);
    EXPECT(CHANGE(blocked, runnable), B0);
    port.port = ipi.port;
    OP(send, port);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_IPI, ipi.port, A1, ipi.port);
    send_guest_virq(a->vcpu[1], VIRQ_DEBUG);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_VIRQ, VIRQ_DEBUG, A1, virq.port);
    a->console_ring->out[0] = 'x';
    a->console_ring->out_prod = 1;
    console_drain(a);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_XEN, a->console_port, A0, a->console_port);
    send_guest_virq(a->vcpu[1], VIRQ_CONSOLE);          /* bound to nothing */
    EXPECT_END();
    become(b->vcpu[0]);         /* is not traced, but a is who gets it */
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(CHANGE(runnable, running), B0);
    port.port = alloc.port;
    OP(send, port);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_PORT, alloc.port, A0, bind.local_port);
    send_guest_virq(a->vcpu[1], VIRQ_DEBUG);            /* a's timer would run out like this */
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_VIRQ, VIRQ_DEBUG, A1, virq.port);
    EXPECT_END();
}

/* The hypervisor's work for a guest that is not traced appears in no record: neither the
 * interrupted guest's nor idle's. */
static void work_for_untraced_guests_is_not_shown(void **state)
{
    struct evtchn_bind_virq virq = { .virq = VIRQ_DEBUG };

    (void)state;
    become(b->vcpu[0]);
    OP(bind_virq, virq);
    become(a->vcpu[0]);
    start(TRACE_EVENT | TRACE_SCHED);
    send_guest_virq(b->vcpu[0], VIRQ_DEBUG);
    EXPECT(CHANGE(blocked, runnable), B0);
    become(boot_cpu.idle);
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(CHANGE(runnable, running), IDLE_WORD);
    send_guest_virq(b->vcpu[0], VIRQ_DEBUG);
    vcpu_pause(b->vcpu[0]);
    EXPECT(CHANGE(runnable, offline), B0);
    vcpu_wake(b->vcpu[0]);
    EXPECT(CHANGE(offline, runnable), B0);
    EXPECT_END();
    vcpu_wake(a->vcpu[0]);
    EXPECT(TRC_SCHED_WAKE, 1, 0);
    EXPECT(CHANGE(blocked, runnable), A0);
    EXPECT_END();
}

static void upcalls_are_recorded(void **state)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };
    struct vcpu *v = current;

    (void)state;
    OP(bind_ipi, ipi);
    assert_int_equal(hcall(__HYPERVISOR_set_callbacks, CODE + 0x40, CODE + 0x50, CODE + 0x60), 0);
    (void)in_kernel("", 1);
    v->info->evtchn_upcall_pending = 0;
    v->info->evtchn_upcall_mask = 0;
    start(TRACE_EVENT);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, SCRATCH + 0x100) == 0, 0);
    guest_put(SCRATCH, &ipi.port, 4);
    assert_int_equal(hcall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, SCRATCH), 0);
    EXPECT(TRC_PARAGON_SEND, TRACE_SEND_IPI, ipi.port, A0, ipi.port);
    exit_to_guest_work();
    EXPECT(TRC_PARAGON_UPCALL, V64(CODE + 0x40));
    assert_int_equal(guest_regs(v)->rip, CODE + 0x40);
    exit_to_guest_work();               /* masked by then */
    EXPECT_END();
}

/* --- Who runs --------------------------------------------------------------------------------- */
/* Sleeping for a millisecond, with only idle to run. */
static long sleep_call(void)
{
    struct sched_poll poll = { .nr_ports = 0, .timeout = now_ns() + 1000000 };

    guest_put(SCRATCH, &poll, sizeof(poll));
    return TRACED(__HYPERVISOR_sched_op, SCHEDOP_poll, SCRATCH);
}

static void runstates_are_recorded(void **state)
{
    (void)state;
    start(TRACE_HYPERCALL);             /* said whatever else is */
    assert_int_equal(sleep_call(), 0);
    EXPECT(V2, 29 | W(1, 2, 0, 0, 0, 0), SCHEDOP_poll, V64(SCRATCH));
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(CHANGE(runnable, running), IDLE_WORD);
    EXPECT(CHANGE(blocked, runnable), A0);
    EXPECT(CHANGE(running, runnable), IDLE_WORD);
    EXPECT(CHANGE(runnable, running), A0);
    EXPECT(RESULT, 29, V64(0), ANY, 0);
    assert_int_equal(seen[next_seen - 1].who, A0);
    assert_true(seen[next_seen - 1].words[3] >= 2400000);       /* what it slept counts */
    EXPECT_END();
}

static void switches_are_recorded(void **state)
{
    (void)state;
    start(TRACE_SCHED);
    assert_int_equal(sleep_call(), 0);
    EXPECT(CHANGE(running, blocked), A0);
    EXPECT(TRC_SCHED_SWITCH, 1, 0, DOMID_IDLE, 0);
    EXPECT(CHANGE(runnable, running), IDLE_WORD);
    EXPECT(TRC_SCHED_WAKE, 1, 0);
    EXPECT(CHANGE(blocked, runnable), A0);
    EXPECT(CHANGE(running, runnable), IDLE_WORD);
    EXPECT(TRC_SCHED_SWITCH, DOMID_IDLE, 0, 1, 0);
    EXPECT(CHANGE(runnable, running), A0);
    EXPECT_END();
}

/* --- The rest --------------------------------------------------------------------------------- */
static void domains_are_recorded(void **state)
{
    uint32_t name[5] = { 0 };
    struct domain *c;

    (void)state;
    memcpy(name, "guest", 5);
    start(TRACE_TRAP);
    c = guest_make(3, 1);
    EXPECT(TRC_PARAGON_DOMAIN, 3, TRACE_DOMAIN_BUILT, name[0], name[1], 0, 0, 0);
    become(boot_cpu.idle);
    strcpy(b->name, "a name of as many letters as fit");
    domain_shutdown(c, SHUTDOWN_crash);
    guest_end(c);
    guest_end(b);
    for (unsigned left = 2; left != 0; left--) {
        const struct trace_record *r;

        do
            r = next_record(__LINE__);
        while (r->event != TRC_PARAGON_DOMAIN);
        assert_int_equal(r->words[1], r->words[0] == 3 ? TRACE_DOMAIN_CRASHED : TRACE_DOMAIN_ENDED);
        assert_memory_equal(&r->words[2], r->words[0] == 3 ? "guest\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                            : "a name of as many le", 20);
    }
}

/* The hypervisor's own counters, of all guests that were counted and of no other. */
static void counters_end_the_trace(void **state)
{
    (void)state;
    trace_boot((struct trace_config){ .size = 64 << 10, .lines = 32, .wanted = true });
    start(0);
    for (unsigned i = 0; i < 5; i++)
        (void)TRACED(__HYPERVISOR_xen_version, XENVER_version);
    hypercall_counts[17] += 0x300000005;
    (void)hypercall_traced(63, arguments);
    trace_end();
    for (unsigned nr = 0; nr < NR_HYPERCALLS; nr++)
        if (hypercall_counts[nr] != 0)
            EXPECT(TRC_PARAGON_COUNTER, nr, V64(hypercall_counts[nr]));
    EXPECT_END();
    assert_true(hypercall_counts[63] != 0 && hypercall_counts[17] > 0x300000000);
    trace_end();                        /* once is enough */
    EXPECT_END();
    hypercall_counts[17] -= 0x300000005;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_trace(call_has_its_words),
        with_trace(call_has_its_result),
        with_trace(copies_show_guest_memory),
        with_trace(copies_follow_their_call),
        with_trace(exceptions_are_recorded),
        with_trace(emulated_instructions_are_recorded),
        with_trace(stores_to_page_tables_are_recorded),
        with_trace(ldt_page_faults_are_recorded),
        with_trace(sends_are_recorded),
        with_trace(work_for_untraced_guests_is_not_shown),
        with_trace(upcalls_are_recorded),
        with_trace(runstates_are_recorded),
        with_trace(switches_are_recorded),
        with_trace(domains_are_recorded),
        with_trace(counters_end_the_trace),
    };

    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
