/* For tests of blocks of translated code: small programs, run by the core and by translated code to
 * their end. */
#ifndef TEST_VMM_BLOCK_PARTS_H
#define TEST_VMM_BLOCK_PARTS_H

#include "cmocka_main.h"
#include <string.h>
#include "guest-pv/vmm/core/access.h"
#include "tests/unit/vmm_programs.h"

#define FUNCTION PAGE_AT(PAGE_CODE_2)
#define LEVEL_4 0x1000u
#define OTHER_ROOT 0x29000u
#define OTHER_LEVEL_3 0x2a000u
#define BYTE(to, i) (uint8_t)((to) >> 8 * (i))
#define ADDRESS(to) BYTE(to, 0), BYTE(to, 1), BYTE(to, 2), BYTE(to, 3)

static struct pair pair;

#define PUT(at, ...)                                                                               \
    translated_write(&pair, (at), (const uint8_t[]){ __VA_ARGS__ },                                \
                     sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* Both, from the start of the code to HLT: they agree. */
static inline void run_both(void)
{
    pair.core->stop = pair.translated->stop = STOP_NOT;
    pair.core->halted = pair.translated->halted = false;
    pair.core->regs[REG_RIP] = pair.translated->regs[REG_RIP] = PAGE_AT(PAGE_CODE);
    run_core_alone(&pair, 5000);
    run_translated_alone(&pair);
    compare_pair(&pair, "the end");
    assert_null(check_chains(pair.translated));
}

static inline uint64_t callouts_of(const struct translate_counters *n)
{
    return n->callouts[OF_BRANCHES] + n->callouts[OF_LOOKUPS] + n->callouts[OF_INSTRUCTIONS];
}

static inline uint64_t rax(void)
{
    return pair.translated->regs[RAX];
}

/* As a write by the guest: the core's, with the hook. */
static inline void guest_writes(uint64_t linear, const void *bytes, unsigned len)
{
    assert_true(write_linear(pair.core, linear, bytes, len, ACCESS_WRITE));
    assert_true(write_linear(pair.translated, linear, bytes, len, ACCESS_WRITE));
}

/* mov $1, %eax; ret at FUNCTION, 2 in PAGE_CODE_3; a program that calls FUNCTION. */
static inline void load_call(void)
{
    translated_renew(&pair);
    PUT(FUNCTION, 0xb8, 1, 0, 0, 0, 0xc3);
    PUT(PAGE_AT(PAGE_CODE_3), 0xb8, 2, 0, 0, 0, 0xc3);
    PUT(PAGE_AT(PAGE_CODE), 0xe8, ADDRESS(GUEST_PAGE - 5), 0xf4);
}

static inline int make_pair(void **state)
{
    (void)state;
    return translated_init(&pair) ? 0 : -1;
}
static inline int free_pair(void **state)
{
    (void)state;
    translated_free(&pair);
    return 0;
}

#endif
