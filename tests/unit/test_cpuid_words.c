/* Which CPUs may be used beside the one that booted (arch/x86_64/cpuid_words.c). */
#include "cmocka_main.h"
#include <string.h>
#include "arch/x86_64/cpuid_words.h"

static struct {
    uint32_t leaf, subleaf, out[4];
} leaves[9];
static uint32_t max_leaf, max_extended;

/* As Intel's CPUs answer: a leaf above the highest gives the highest one's values. */
static void fake(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    if (leaf == 0 || leaf == 0x80000000u) {
        memcpy(out, (uint32_t[4]){ leaf ? max_extended : max_leaf, 0x756e6547, 0x6c65746e, 0 }, 16);
        return;
    }
    if (leaf < 0x80000000u && leaf > max_leaf)
        leaf = max_leaf;
    memset(out, 0, 16);
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
        if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
            memcpy(out, leaves[i].out, 16);
}

static void reset(void)
{
    static const uint32_t which[][2] = { { 1, 0 }, { 7, 0 }, { 0xd, 0 }, { 0xd, 1 },
                                         { 0x80000001u, 0 }, { 0x80000007u, 0 },
                                         { 0x80000008u, 0 } };

    max_leaf = 0xd;
    max_extended = 0x80000008u;
    for (unsigned i = 0; i < ARRAY_SIZE(which); i++) {
        leaves[i].leaf = which[i][0];
        leaves[i].subleaf = which[i][1];
        for (unsigned r = 0; r < 4; r++)
            leaves[i].out[r] = 0xffff00ff;
    }
}

static const char *lacks(uint32_t leaf, uint32_t subleaf, unsigned reg, uint32_t flip)
{
    struct cpuid_words boot, other;

    reset();
    cpuid_words_read(fake, &boot);
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
        if (leaves[i].leaf == leaf && leaves[i].subleaf == subleaf)
            leaves[i].out[reg] ^= flip;
    cpuid_words_read(fake, &other);
    return cpuid_words_lack(&boot, &other);
}

static void what_differs_is_named(void **state)
{
    static const struct {
        uint32_t leaf, subleaf;
        unsigned reg;
        uint32_t flip;
        const char *name;
    } table[] = {
        { 1, 0, 2, 1, "leaf 1 ecx" }, { 1, 0, 2, 0x100, NULL },         /* one more */
        { 1, 0, 2, 1u << 27, NULL }, { 1, 0, 1, ~0u, NULL },            /* OSXSAVE, APIC id */
        { 7, 0, 1, 1u << 31, "leaf 7 ebx" }, { 0xd, 0, 0, 4, "leaf d eax" },
        { 0xd, 0, 2, 0x100, "leaf d ecx" }, { 0x80000001u, 0, 3, 1u << 20, "leaf 80000001 edx" },
        { 0x80000008u, 0, 0, 1, "width of addresses" },
        { 0x80000008u, 0, 0, 0xff00, NULL },                            /* of virtual ones */
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        const char *name = lacks(table[i].leaf, table[i].subleaf, table[i].reg, table[i].flip);

        if ((name == NULL) != (table[i].name == NULL) ||
            (name != NULL && strcmp(name, table[i].name) != 0))
            fail_msg("row %u: %s", i, name != NULL ? name : "nothing");
    }
}

static void missing_leaves_have_no_features(void **state)
{
    struct cpuid_words boot, other;

    (void)state;
    reset();
    max_leaf = 1;
    cpuid_words_read(fake, &boot);
    reset();
    cpuid_words_read(fake, &other);
    assert_null(cpuid_words_lack(&boot, &boot));
    assert_string_equal(cpuid_words_lack(&other, &boot), "leaf 7 ebx");
    assert_string_equal(cpuid_words_lack(&boot, &other), "leaf d ecx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_differs_is_named),
        cmocka_unit_test(missing_leaves_have_no_features),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
