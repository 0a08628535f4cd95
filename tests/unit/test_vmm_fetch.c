/* Decoded instructions that are kept: what fetch_insn() finds must be what a CPU finds that keeps
 * none, whatever happens to the bytes and to the pages that they are in. Random bytes, many of them
 * alike, are executed nowhere: only fetched. */
#include "cmocka_main.h"
#include <string.h>
#include "common/x86/map.h"
#include "tests/unit/vmm_host.h"
#include "tests/unit/vmm_tables.h"

#define NR_RAM_FRAMES 1600u
#define FIRST_CODE 0x200u               /* frames: one of them at a time is at LINEAR */
#define NR_CODE 4u
#define LINEAR 0xffffffff80200000ull    /* a page of 2 MiB, which the test splits */
#define TABLE_AT 0x8000u
#define STEPS 200000u

static struct cpu *c;

static uint64_t *leaf(void)
{
    return (uint64_t *)(c->ram.bytes + TABLE_AT);
}

static void map_frame(unsigned i, bool flush)
{
    *leaf() = (uint64_t)(FIRST_CODE + i) << 12 | P | W | U | A;
    if (flush)
        tlb_flush_page(c, LINEAR);
}

static void begin(void)
{
    uint64_t *l2;

    c = vmm_cpu_new(NR_RAM_FRAMES);
    l2 = (uint64_t *)(c->ram.bytes + 0x3000);
    l2[1] = TABLE_AT | P | W | U | A;
    map_frame(0, true);
}

static uint8_t *code(unsigned frame, unsigned offset)
{
    return c->ram.bytes + (FIRST_CODE + frame) * GUEST_PAGE + offset;
}

static void expect_op(enum insn_op op, unsigned length)
{
    const struct decoded *d = fetch_insn(c);

    assert_non_null(d);
    assert_non_null(d->k);
    assert_int_equal(d->k->op, op);
    assert_int_equal(d->in.length, length);
}

/* The last byte of the longest instructions counts, and the one behind them does not. */
static void bytes_change(void **state)
{
    static const uint8_t mov[] = { 0x48, 0xc7, 0x84, 0x24, 1, 2, 3, 4, 5, 6, 7, 8, 0x90 };

    (void)state;
    begin();
    c->regs[REG_RIP] = LINEAR + 0x100;
    memcpy(code(0, 0x100), mov, sizeof(mov));
    expect_op(OP_MOV, 12);
    expect_op(OP_MOV, 12);
    assert_int_equal(fetch_insn(c)->in.imm, 0x08070605);
    *code(0, 0x10b) = 9;
    assert_int_equal(fetch_insn(c)->in.imm, 0x09070605);
    *code(0, 0x10c) = 0xc3;
    expect_op(OP_MOV, 12);
    *code(0, 0x100) = 0xf4;
    expect_op(OP_HLT, 1);
    vmm_cpu_free(c);
}

/* INVLPG and a load of CR3 are when another page may be behind the same address; and rights are
 * those of the CPL. */
static void pages_change(void **state)
{
    (void)state;
    begin();
    c->regs[REG_RIP] = LINEAR + 0x100;
    *code(0, 0x100) = 0xf4;
    *code(1, 0x100) = 0xfa;
    expect_op(OP_HLT, 1);
    map_frame(1, true);
    expect_op(OP_CLI, 1);
    map_frame(0, false);
    tlb_flush(c);
    expect_op(OP_HLT, 1);
    *leaf() &= ~U;
    tlb_flush_page(c, LINEAR);
    expect_op(OP_HLT, 1);
    set_cpl(c, 3);
    assert_null(fetch_insn(c));
    assert_int_equal(c->fault.vector, VECTOR_PF);
    assert_int_equal(c->fault.error, 0x15);
    assert_int_equal(c->fault.address, LINEAR + 0x100);
    vmm_cpu_free(c);
}

/* What is behind a page's end is in the next linear page, and may not be there. */
static void page_ends(void **state)
{
    static const uint8_t mov[] = { 0x48, 0xc7, 0x84, 0x24, 1, 2, 3, 4, 5, 6, 7, 8 };

    (void)state;
    begin();
    c->regs[REG_RIP] = LINEAR + GUEST_PAGE - 9;
    leaf()[1] = (uint64_t)(FIRST_CODE + NR_CODE) << 12 | P | U | A;
    memcpy(code(0, GUEST_PAGE - 9), mov, 9);
    memcpy(code(NR_CODE, 0), mov + 9, 3);
    memset(code(1, 0), 0x90, 16);
    expect_op(OP_MOV, 12);
    assert_int_equal(fetch_insn(c)->in.imm, 0x08070605);
    leaf()[1] = 0;
    assert_null(fetch_insn(c));
    assert_int_equal(c->fault.vector, VECTOR_PF);
    assert_int_equal(c->fault.address, LINEAR + GUEST_PAGE);
    vmm_cpu_free(c);
}

/* --- At random -------------------------------------------------------------------------------- */

static unsigned fetched, refused;

static void expect_the_same(void)
{
    struct cpu_fault none = { .vector = 0 }, fault;
    struct decoded kept = { .at = NULL };
    const struct decoded *d;

    c->fault = none;
    d = fetch_insn(c);
    fault = c->fault;
    if (d != NULL)
        kept = *d;
    memset(&c->fetched, 0, sizeof(c->fetched));
    c->fault = none;
    if (fetch_insn(c) == NULL) {
        assert_true(d == NULL);
        assert_int_equal(fault.vector, c->fault.vector);
        refused++;
        return;
    }
    assert_true(d != NULL);
    fetched++;
    d = fetch_insn(c);
    assert_ptr_equal(d->k, kept.k);
    assert_int_equal(d->in.length, kept.in.length);
    assert_int_equal(d->in.opcode, kept.in.opcode);
    assert_int_equal(d->in.modrm, kept.in.modrm);
    assert_int_equal(d->in.disp, kept.in.disp);
    assert_int_equal(d->in.imm, kept.in.imm);
}

/* Few places, so that each is met in every state; the page's last bytes are among them. */
static unsigned random_place(void)
{
    return one_in(4) ? GUEST_PAGE - 1 - below(18) : below(40);
}

static void change_something(void)
{
    unsigned frame = below(NR_CODE);

    switch (below(4)) {
    case 0:
        memset(code(frame, 0), (int)below(256), 64);
        memset(code(frame, GUEST_PAGE - 32), (int)below(256), 32);
        break;
    case 1:
        map_frame(frame, true);
        break;
    default:
        *code(frame, random_place()) = (uint8_t)random_64();
    }
}

static void random_bytes(void **state)
{
    (void)state;
    begin();
    leaf()[1] = (uint64_t)(FIRST_CODE + NR_CODE) << 12 | P | U | A;
    for (unsigned i = 0; i < STEPS; i++) {
        c->regs[REG_RIP] = LINEAR + random_place();
        if (one_in(3))
            change_something();
        if (one_in(8))
            expect_the_same();
        else
            fetch_insn(c);
    }
    assert_true(fetched > STEPS / 20 && refused > STEPS / 1000);
    vmm_cpu_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_change),
        cmocka_unit_test(pages_change),
        cmocka_unit_test(page_ends),
        cmocka_unit_test(random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
