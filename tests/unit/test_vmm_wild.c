/* A hostile kernel in the vmm: random system instructions on a machine whose page tables, GDT, LDT,
 * IDT, TSS and stacks are random, partly right and partly wild. The sanitizers watch the vmm's
 * memory; after each step the CPU's state has to be one that a CPU can be in, and an instruction
 * that raises an exception has to leave every register as it was (E1 of emulate.h). Every fourth
 * machine runs directly, too: its memory is touched through shadow tables, of which there are few.
 * Fixed seeds. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/direct/shadow.h"
#include "tests/unit/vmm_kernel.h"
#include "tests/unit/vmm_mmu.h"

#define NR_FRAMES 256u
#define ROUNDS 2000u
#define STEPS 60u
#define NR_SHADOWS 40u

static struct cpu *c, *before;
static uint64_t seed;
static uint64_t executed, refused, by_user, stops[5];
static uint64_t exceptions[32], fills, drops;

static uint64_t random_64(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}
static unsigned below(unsigned n)
{
    return (unsigned)((random_64() >> 32) % n);
}
static bool one_in(unsigned n)
{
    return below(n) == 0;
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Frames 1 to 3 are tables: with the right ones, wild ones, and some that lead to tables again. */
static void make_page_tables(void)
{
    for (unsigned frame = 1; frame <= 3; frame++) {
        uint64_t *table = vmm_word(c, frame * 4096);

        for (unsigned n = below(40); n > 0; n--) {
            uint64_t entry = (uint64_t)below(NR_FRAMES + 40) << 12 | 7;

            if (one_in(4))
                entry ^= 1ull << below(64);
            if (one_in(8))
                entry = random_64();
            if (one_in(4))
                entry = (uint64_t)(1 + below(3)) << 12 | 0x67;
            table[one_in(2) ? below(4) : below(512)] = entry;
        }
    }
}

/* In the area of tables: bits of what vmm_kernel_new() has put there. */
static void spoil(uint64_t from, unsigned bytes, unsigned times)
{
    for (; times > 0; times--) {
        uint8_t *byte = c->ram.bytes + from + below(bytes);

        *byte = one_in(2) ? (uint8_t)(*byte ^ 1 << below(8)) : (uint8_t)random_64();
    }
}

static void make_machine(void)
{
    c = vmm_kernel_new();
    for (unsigned v = 0; v < 40; v++)
        if (one_in(16))
            vmm_set_gate(c, v, one_in(2) ? 0xee : 0x8f, one_in(2) ? USER_CS & ~3 : CODE_CONFORMING,
                         one_in(3) ? below(8) : 0, HANDLER_AT(v));
    c->seg[SEG_GS].base = KERNEL_GDT;
    c->kernel_gs_base = KERNEL_IDT;
    if (one_in(3))
        make_page_tables();
    if (one_in(2))
        spoil(KERNEL_GDT, GDT_LIMIT + 1, below(6));
    if (one_in(2))
        spoil(KERNEL_IDT, 640, below(16));
    if (one_in(2))
        spoil(KERNEL_TSS, 0x80, below(6));
    tlb_flush(c);
}

/* --- Registers -------------------------------------------------------------------------------- */

static uint64_t interesting(void)
{
    static const uint64_t values[] = {
        0, 1, 3, KERNEL_CS, KERNEL_SS, USER_CS, USER_SS, CODE_CONFORMING, CODE_32, DATA_ABSENT,
        TSS_SELECTOR, LDT_SELECTOR, LDT_DATA, CALL_GATE, KERNEL_GDT, KERNEL_IDT, KERNEL_TSS,
        DATA_AT, CODE_AT, KERNEL_STACK, USER_STACK, 0x1000, 0x2ff8, 0x3000, 0x1ffff0,
        1ull << 47, 0x7fffffffffff, 0xffff800000000000, 0xffffffff80010000, ~0ull, 0x3fffffff,
        0x40000000, 0xa0000, 0x80050033, 0x6b0, 0xc0000080, 0xc0000101, 0x277, 0x3f8, 0x42, 0xd01,
    };

    if (one_in(8))
        return random_64();
    return values[below(ARRAY_SIZE(values))] + (one_in(8) ? below(16) : 0);
}

/* Back to where something can happen, with the memory as it is. */
static void revive(void)
{
    c->stop = STOP_NOT;
    c->gdtr = (struct table_register){ KERNEL_GDT, GDT_LIMIT };
    c->idtr = (struct table_register){ KERNEL_IDT, 0xfff };
    c->tr = (struct segment){ TSS_SELECTOR, 0x8b, TSS_LIMIT, KERNEL_TSS };
    c->cr3 = 0x1000;
    tlb_flush(c);
    c->regs[REG_RIP] = CODE_AT;
    c->regs[RSP] = KERNEL_STACK - 8 * below(64);
    if (one_in(2))
        vmm_enter_user(c);
}

static void poke_registers(void)
{
    for (unsigned n = below(4); n > 0; n--) {
        unsigned reg = below(16);

        if (reg != RSP)
            c->regs[reg] = interesting();
    }
    if (one_in(8))
        c->regs[RSP] = one_in(2) ? KERNEL_STACK - 8 * below(64) : interesting();
    if (one_in(4) && is_canonical(c->regs[RSP]))        /* something to return to */
        for (unsigned i = 0; i < 5; i++)
            write_linear(c, c->regs[RSP] + 8 * i, &(uint64_t){ interesting() }, 8, ACCESS_SYSTEM);
    if (one_in(16))
        c->regs[REG_RFLAGS] ^= (uint64_t)one_in(2) ? FLAG_IF : FLAG_IOPL;
    if (one_in(64))
        c->cr3 = (random_64() & 0xff) << 12;
}

/* --- Instructions ----------------------------------------------------------------------------- */

/* Those that random bytes hardly ever are: SWAPGS, LFS, IRETQ, SYSRET, far CALL and JMP. */
static unsigned whole_insn(uint8_t *bytes)
{
    static const uint8_t insns[][4] = {
        { 0x0f, 0x01, 0xf8 }, { 0x48, 0x0f, 0xb4, 0x03 }, { 0x48, 0xcf }, { 0x48, 0x0f, 0x07 },
        { 0x48, 0xff, 0x1b }, { 0x48, 0xff, 0x2b },
    };

    memset(bytes, 0, MAX_INSN);
    memcpy(bytes, insns[below(ARRAY_SIZE(insns))], 4);
    return MAX_INSN;
}

/* Opcodes of the system part, with a ModRM behind them where they have one. */
static unsigned random_insn(uint8_t *bytes)
{
    static const uint8_t one_byte[] = { 0x8c, 0x8e, 0xcc, 0xcd, 0xcf, 0xca, 0xcb, 0xf1, 0xf4, 0xfa,
                                        0xfb, 0xff, 0xe4, 0xe5, 0xe6, 0xec, 0xed, 0xee, 0xef, 0x6c,
                                        0x6d, 0x6e, 0x6f, 0x9c, 0x9d, 0xc8, 0xc9 };
    static const uint8_t escaped[] = { 0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x09, 0x20, 0x21,
                                       0x22, 0x23, 0x30, 0x31, 0x32, 0xa1, 0xa9, 0xa2, 0xae, 0xb2,
                                       0xb4, 0xb5, 0x00, 0x01, 0x01 };
    unsigned n = 0;

    if (one_in(8))
        return whole_insn(bytes);
    if (one_in(6))
        bytes[n++] = (uint8_t[]){ 0x66, 0xf3, 0xf2, 0x64, 0x65, 0x67 }[below(6)];
    if (one_in(2))
        bytes[n++] = (uint8_t)(0x40 | below(16));
    if (one_in(16)) {
        bytes[n++] = (uint8_t)random_64();              /* anything at all */
    } else if (one_in(2)) {
        bytes[n++] = one_byte[below(ARRAY_SIZE(one_byte))];
    } else {
        bytes[n++] = 0x0f;
        bytes[n++] = escaped[below(ARRAY_SIZE(escaped))];
    }
    while (n < MAX_INSN)
        bytes[n++] = (uint8_t)random_64();
    return n;
}

static void expect_sane(void)
{
    assert_ptr_equal(c->tlb, &c->tlbs[c->cpl == 3]);
    assert_int_equal(c->mapping & 1, c->cpl == 3);
    assert_in_range(c->cpl, 0, 3);
    assert_true((c->regs[REG_RFLAGS] & FLAG_MBS) && !(c->regs[REG_RFLAGS] & (FLAG_RF | FLAG_VM)));
    assert_int_equal(c->regs[REG_RFLAGS] >> 22, 0);
    assert_int_equal(c->cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
    assert_int_equal(c->cr3 >> 40, 0);
    assert_true(c->cr4 & CR4_PAE);
    assert_int_equal(c->efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
    assert_true(is_canonical(c->gdtr.base) && is_canonical(c->idtr.base));
    assert_true(is_canonical(c->ldtr.base) && is_canonical(c->tr.base));
    for (unsigned i = 0; i < 6; i++)
        assert_true(is_canonical(c->seg[i].base));
    assert_true(is_canonical(c->lstar) && is_canonical(c->kernel_gs_base));
    if (c->stop != STOP_NOT)
        assert_true(c->reason[0] != '\0');
}

/* E1: #DB of GD has a reason in DR6; TLB, counters and the mapping's number are no registers. */
static void expect_unchanged(const uint8_t *bytes)
{
    before->fault = c->fault;
    before->mapping = c->mapping;
    memcpy(before->dr, c->dr, sizeof(c->dr));
    if (memcmp(before, c, offsetof(struct cpu, stop)) != 0 ||
        memcmp(&before->fx, &c->fx, sizeof(c->fx)) != 0)
        fail_msg("%02x %02x %02x %02x: exception %u, and a register has changed", bytes[0],
                 bytes[1], bytes[2], bytes[3], c->fault.vector);
}

static void one_step(void)
{
    uint8_t bytes[MAX_INSN];
    struct insn in;

    if (one_in(32) && is_canonical(c->regs[REG_RIP])) {
        deliver_interrupt(c, (uint8_t)below(64));
        return;
    }
    if (!decode_insn(bytes, random_insn(bytes), MODE_64, &in))
        return;
    by_user += c->cpl == 3;
    memcpy(before, c, offsetof(struct cpu, ram));
    if (emulate(c, &in)) {
        executed++;
    } else if (c->stop == STOP_NOT) {
        refused++;
        expect_unchanged(bytes);
        deliver_fault(c);
    }
    c->halted = false;
}

/* --- Shadow tables ---------------------------------------------------------------------------- */

static void begin_shadows(void)
{
    vmm_mmu_init(c, NR_SHADOWS);
    assert_true(shadows_init(c, &vmm_mmu, NR_SHADOWS));
}

static void end_shadows(void)
{
    fills += shadow_counts(c)->fills;
    drops += shadow_counts(c)->drops;
    shadows_free(c);
}

/* What is filled the MMU lets through, and the fault does not come back. */
static void touch(void)
{
    uint64_t linear = interesting();
    unsigned how = (unsigned[]){ ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH }[below(3)];
    struct vmm_leaf leaf;

    switch (shadow_fault(c, linear, how | 4)) {
    case SHADOW_FILLED:
        assert_true(vmm_mmu_lets(linear, how, &leaf));
        break;
    case SHADOW_FAILED:
        assert_in_range(linear >> 39 & 511, 256, 271);
        c->stop = STOP_NOT;
        break;
    case SHADOW_WRITE:
        assert_int_equal(how, ACCESS_WRITE);
        break;
    case SHADOW_GUEST:
        break;
    }
}

static void touch_directly(void)
{
    const char *wrong;

    if (c->stop != STOP_NOT)
        return;
    assert_true(shadow_load(c));
    for (unsigned n = below(4); n > 0; n--)
        touch();
    assert_true(shadow_load(c));
    wrong = vmm_mmu_check();
    if (wrong == NULL && one_in(4))
        wrong = shadow_audit(c);
    if (wrong != NULL)
        fail_msg("%s", wrong);
}

static void random_steps(void **state)
{
    static const uint8_t zeroes[4096];

    (void)state;
    before = test_malloc(sizeof(*before));
    for (unsigned round = 0; round < ROUNDS; round++) {
        seed = round * 0x9e3779b97f4a7c15ull + 1;
        make_machine();
        if (round % 4 == 0)
            begin_shadows();
        for (unsigned i = 0; i < STEPS; i++) {
            poke_registers();
            one_step();
            expect_sane();
            if (c->shadows != NULL)
                touch_directly();
            stops[c->stop]++;
            if (c->stop != STOP_NOT || one_in(32))
                revive();
        }
        assert_memory_equal(c->ram.zeroes, zeroes, sizeof(zeroes));
        for (unsigned v = 0; v < 32; v++)
            exceptions[v] += c->counters.exceptions[v];
        if (c->shadows != NULL)
            end_shadows();
        vmm_cpu_free(c);
    }
    test_free(before);
}

/* That the steps above have been where they were meant to go. */
static void reached(void **state)
{
    static const uint8_t vectors[] = { VECTOR_DB, VECTOR_UD, VECTOR_NP, VECTOR_SS, VECTOR_GP,
                                       VECTOR_PF };

    (void)state;
    print_message("%llu executed, %llu refused, %llu at CPL 3, %llu triple faults\n",
                  (unsigned long long)executed, (unsigned long long)refused,
                  (unsigned long long)by_user, (unsigned long long)stops[STOP_SHUTDOWN]);
    for (unsigned v = 0; v < 32; v++)
        if (exceptions[v] != 0)
            print_message("exception %u: %llu\n", v, (unsigned long long)exceptions[v]);
    print_message("%llu fills of shadow tables, %llu tables dropped\n", (unsigned long long)fills,
                  (unsigned long long)drops);
    assert_true(fills > 5000 && drops > 20);
    assert_true(executed > 5000 && refused > 5000 && by_user > 2000);
    assert_true(stops[STOP_SHUTDOWN] > 10 && stops[STOP_HALTED] > 10);
    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
        assert_true(exceptions[vectors[i]] > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps), cmocka_unit_test(reached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
