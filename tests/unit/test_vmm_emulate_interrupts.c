/* When way 1 delivers an interrupt: at the next instruction after one is there and may come, and
 * not in the shadow of STI, wherever blocks and the time between polls end. */
#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/emulate/block.h"
#include "guest-pv/vmm/emulate/run.h"
#include "tests/unit/vmm_host.h"

#define CODE 0x100000u
#define STACK 0x200100u
#define IDT_AT 0x302000u
#define HANDLER 0x180000u       /* HLT with interrupts off: the end */
#define BASE 0x20u              /* the first chip's vectors */
#define LINE 1u

static struct cpu *c;
static unsigned nr_polls, raise_at;

/* What a poll asks last. */
static unsigned raise_interrupt(char *bytes, unsigned len)
{
    (void)bytes, (void)len;
    if (nr_polls++ == raise_at)
        pic_set_line(&c->platform->pic, LINE, true);
    return 0;
}

static int make_machine(void **state)
{
    static struct host host;
    uint64_t gate[2] = { HANDLER % 0x10000 | 8 << 16 | (uint64_t)0x8e00 << 32 |
                         (uint64_t)(HANDLER >> 16) << 48, 0 };

    (void)state;
    c = vmm_cpu_new(0x400);
    host = vmm_host;
    host.console_read = raise_interrupt;
    c->platform->host = &host;
    platform_init(c->platform, &host);
    c->platform->pic.chip[0].base = BASE;
    c->platform->pic.chip[0].imr = (uint8_t)~(1u << LINE);
    c->idtr = (struct table_register){ IDT_AT, 0xfff };
    memcpy(c->ram.bytes + IDT_AT + 16 * (BASE + LINE), gate, sizeof(gate));
    c->ram.bytes[HANDLER] = 0xf4;
    nr_polls = 0;
    return blocks_init(c, 1 << 20) ? 0 : -1;
}

static int drop_machine(void **state)
{
    (void)state;
    blocks_free(c);
    vmm_cpu_free(c);
    return 0;
}

/* The code, to the handler's end; where it was interrupted. */
static uint64_t run(const uint8_t *code, unsigned len, uint64_t flags)
{
    uint64_t rip;

    memcpy(c->ram.bytes + CODE, code, len);
    c->regs[REG_RIP] = CODE;
    c->regs[RSP] = STACK;
    c->regs[REG_RFLAGS] = FLAG_MBS | flags;
    run_emulated(c);
    assert_int_equal(c->stop, STOP_HALTED);
    assert_int_equal(c->regs[REG_RIP], HANDLER);
    memcpy(&rip, c->ram.bytes + c->regs[RSP], 8);
    return rip - CODE;
}

/* 31 NOPs and STI are a block; HLT is the next. A loop before them uses up the time until the
 * second poll, which raises the interrupt, so that some of the runs poll between STI and HLT. */
static void sti_and_hlt(unsigned turns, unsigned nops)
{
    uint8_t code[64] = {
        0xb9, (uint8_t)turns, (uint8_t)(turns >> 8), 0, 0, 0xff, 0xc9, 0x75, 0xfc,
    };
    unsigned at = 9;

    raise_at = 1;
    memset(code + at, 0x90, 31 + nops);
    at += 31 + nops;
    code[at++] = 0xfb;
    code[at++] = 0xf4;
    code[at] = 0x90;
    assert_int_equal(run(code, sizeof(code), 0), at);
}

static void no_interrupt_between_sti_and_hlt(void **state)
{
    for (unsigned turns = 9940; turns < 10010; turns++)
        for (unsigned nops = 0; nops < 2; nops++) {
            sti_and_hlt(turns, nops);
            drop_machine(state);
            make_machine(state);
        }
}

static void interrupt_right_after_popf(void **state)
{
    (void)state;
    raise_at = 0;
    assert_int_equal(run((const uint8_t *)"\x68\x02\x02\0\0\x9d\xff\xc0\xff\xc0\xf4", 11, 0), 6);
    assert_int_equal(c->regs[RAX], 0);
}

/* MOV $0xfd,%al; OUT %al,$0x21 */
static void interrupt_right_after_unmasking(void **state)
{
    (void)state;
    raise_at = 0;
    c->platform->pic.chip[0].imr = 0xff;
    assert_int_equal(run((const uint8_t *)"\xb0\xfd\xe6\x21\xff\xc3\xff\xc3\xf4", 9, FLAG_IF), 4);
    assert_int_equal(c->regs[RBX], 0);
}

/* Each step of a REP takes time: the second poll, which raises the interrupt, is within it. */
static void interrupt_within_a_rep(void **state)
{
    (void)state;
    raise_at = 1;
    c->regs[RCX] = 0x40000;
    c->regs[RDI] = STACK + 4096;
    assert_int_equal(run((const uint8_t *)"\xfc\xf3\xaa\xf4", 4, FLAG_IF), 1);
    assert_in_range(0x40000 - c->regs[RCX], 20000 - 4096, 20000 + 4096);
    assert_in_range(c->counters.instructions, 0x40000 - c->regs[RCX], 0x40000 - c->regs[RCX] + 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_interrupt_between_sti_and_hlt, make_machine,
                                        drop_machine),
        cmocka_unit_test_setup_teardown(interrupt_right_after_popf, make_machine, drop_machine),
        cmocka_unit_test_setup_teardown(interrupt_right_after_unmasking, make_machine,
                                        drop_machine),
        cmocka_unit_test_setup_teardown(interrupt_within_a_rep, make_machine, drop_machine),
    };

    return cmocka_run_group_tests_name("interrupts in emulation", tests, NULL, NULL);
}
