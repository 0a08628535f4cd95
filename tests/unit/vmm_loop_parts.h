/* For tests of way 3's run loop, of which direct_run() is here: it calls the loop as if guest code
 * had stopped, and keeps the host address at which it is to go on. Nothing runs. The memory behind
 * the shadow tables, and an MMU that walks them, are vmm_mmu.h's. */
#ifndef TEST_VMM_LOOP_PARTS_H
#define TEST_VMM_LOOP_PARTS_H

#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "guest-pv/vmm/direct/direct.h"
#include "guest-pv/vmm/direct/shadow.h"
#include "guest-pv/vmm/translate/region.h"
#include "tests/unit/vmm_kernel.h"
#include "tests/unit/vmm_mmu.h"

#define REGION_BYTES (CODE_OFFSET + (1u << 20))
#define NR_SHADOWS 60u
#define ROOT 0x1000u                    /* vmm_host.c's, and its table of level 3 */
#define LEVEL_3 0x2000u
#define LEVEL_2 0x3000u
#define OTHER_ROOT 0x29000u
#define OTHER_LEVEL_3 0x2a000u
#define OTHER_LEVEL_2 0x2b000u
#define OTHER_LEVEL_1 0x2c000u
#define SLOT 511u                       /* of level 4, by which FUNCTION is reached */
#define FUNCTION_FRAME 0x30u            /* by ROOT; the next one by the other tables */
#define FUNCTION (0xffffffff80000000ull + FUNCTION_FRAME * GUEST_PAGE)
#define FLAGS 0x67u                     /* P, RW, US, A, D */
#define PF_P 1u
#define PF_W 2u
#define PF_U 4u                         /* always set: all of the guest runs in ring 3 */
#define LINE 1u                         /* of the interrupt controller, and its vector */
#define VECTOR 0x41u
#define BYTE_OF(n, i) (uint8_t)((n) >> 8 * (i))

static struct cpu *c;
static exit_fn *loop;
static uint64_t host_rip;       /* where the CPU goes on, as it says; 0: the guest has ended */
static unsigned nr_alarms;      /* calls of direct_alarm() */
static struct translate_host host = {
    .base = REGION_BASE, .bytes = REGION_BYTES, .callout = { 0x0f, 0x05 },
    .protect = shadow_protect,
};

void direct_run(struct cpu *cpu, exit_fn *fn)
{
    struct exit e = { .vector = EXIT_START };

    loop = fn;
    host_rip = fn(cpu, &e);
}

void direct_alarm(uint64_t tsc)
{
    (void)tsc;
    nr_alarms++;
}

/* The CPU has stopped at that address. */
static inline void stop_at(uint64_t at, unsigned vector, uint32_t error, uint64_t address)
{
    struct exit e = { .vector = vector, .error = error, .address = address };

    c->regs[REG_RIP] = at;
    host_rip = loop(c, &e);
}

/* The frame with the code that the CPU goes on with. */
static inline uint32_t frame_that_runs(void)
{
    const struct translator *t = c->translator;

    assert_true(translate_is_code(c, host_rip));
    return t->blocks[block_at(t, (uint32_t)(host_rip - host.base))].frame[0];
}

/* FUNCTION is hlt; by way of OTHER_LEVEL_3 it is so in the next frame. */
static void set_memory(void)
{
    c->ram.bytes[FUNCTION_FRAME * GUEST_PAGE] = 0xf4;
    c->ram.bytes[(FUNCTION_FRAME + 1) * GUEST_PAGE] = 0xf4;
    memcpy(vmm_word(c, OTHER_ROOT), vmm_word(c, ROOT), GUEST_PAGE);
    memcpy(vmm_word(c, OTHER_LEVEL_3), vmm_word(c, LEVEL_3), GUEST_PAGE);
    *vmm_word(c, OTHER_LEVEL_3 + 8 * 510) = OTHER_LEVEL_2 | FLAGS;
    *vmm_word(c, OTHER_LEVEL_2) = OTHER_LEVEL_1 | FLAGS;
    *vmm_word(c, OTHER_LEVEL_1 + 8 * FUNCTION_FRAME) = (FUNCTION_FRAME + 1) * GUEST_PAGE | FLAGS;
}

static inline int setup(void **state)
{
    (void)state;
    c = vmm_kernel_new();
    host.memory = aligned_alloc(GUEST_PAGE, REGION_BYTES);
    set_memory();
    vmm_mmu_init(c, NR_SHADOWS);
    assert_true(shadows_init(c, &vmm_mmu, NR_SHADOWS));
    assert_true(translate_init(c, &host));
    return 0;
}

static inline int teardown(void **state)
{
    const char *wrong = shadow_audit(c);

    (void)state;
    if (wrong == NULL)
        wrong = vmm_mmu_check();
    if (wrong != NULL)
        fail_msg("%s", wrong);
    translate_free(c);
    shadows_free(c);
    free(host.memory);
    vmm_cpu_free(c);
    return 0;
}

/* --- Where the guest stands ------------------------------------------------------------------- */

static inline const struct tblock *block_that_runs(void)
{
    const struct translator *t = c->translator;

    assert_true(translate_is_code(c, host_rip));
    return &t->blocks[block_at(t, (uint32_t)(host_rip - host.base))];
}

/* The host address of a guest instruction in the block that runs. */
static inline uint64_t host_of(uint64_t rip)
{
    uint32_t place = place_in_block(c->translator, block_that_runs(), rip);

    assert_int_not_equal(place, 0);
    return host.base + place;
}

/* The guest goes on with that instruction. */
static inline void expect_goes_on(uint64_t rip)
{
    assert_int_equal(c->stop, STOP_NOT);
    assert_int_equal(host_rip, host_of(rip));
}

/* From these instructions on, as the kernel. Behind them is HLT. */
static inline void start_at(uint64_t rip, const uint8_t *code, unsigned len)
{
    memset(c->ram.bytes + CODE_AT, 0xf4, 64);
    memcpy(c->ram.bytes + CODE_AT, code, len);
    c->regs[REG_RIP] = rip;
    run_translated(c);
    expect_goes_on(rip);
}
#define START(...)                                                                                 \
    start_at(CODE_AT, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* SYSCALL at the end of the stub for that instruction or branch target. */
static inline void call_out_at(uint64_t rip, enum exit_kind kind)
{
    const struct translator *t = c->translator;
    const struct tblock *b = block_that_runs();

    for (uint32_t nr = b->first_stub; nr < b->first_stub + b->nr_stubs; nr++)
        if (t->stubs[nr].rip == rip && t->stubs[nr].kind == kind) {
            t->state->rcx = c->regs[RCX];
            t->state->r11 = c->regs[R11];
            c->regs[RCX] = c->regs[R11] = 0xbad;
            stop_at(host.base + t->stubs[nr].at, EXIT_SYSCALL, 0, 0);
            return;
        }
    fail_msg("no stub for %#lx", rip);
}

static inline uint64_t stack_word(unsigned n)
{
    return *vmm_word(c, c->regs[RSP] + 8 * n);
}

/* In the handler of that vector, from the instruction at rip. */
static inline void expect_in_handler(unsigned vector, uint64_t rip, bool has_error)
{
    expect_goes_on(HANDLER_AT(vector));
    assert_int_equal(c->regs[REG_RIP], HANDLER_AT(vector));
    assert_int_equal(stack_word(has_error), rip);
    assert_int_equal(c->cpl, 0);
}

static inline int setup_handlers(void **state)
{
    int rc = setup(state);

    for (unsigned v = 0; v < 256; v++)
        c->ram.bytes[HANDLER_AT(v)] = 0xf4;
    c->platform->pic.chip[0].base = VECTOR - LINE;
    c->platform->pic.chip[0].imr = (uint8_t)~(1u << LINE);
    nr_alarms = 0;
    return rc;
}

static inline void raise_line(void)
{
    pic_set_line(&c->platform->pic, LINE, true);
}

#endif
