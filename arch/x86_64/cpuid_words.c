/* Compares what CPUID says on two CPUs. Features count, the size of the XSAVE image, the width of
 * addresses and the vendor; not what belongs to one CPU (its APIC id), and not the bits that follow
 * what the CPU's own control registers say. Called by smp.c and ap.c. */
#include "arch/x86_64/cpuid_words.h"

enum kind { FEATURES, AT_LEAST, EQUAL };

static const struct {
    uint32_t leaf, subleaf;
    unsigned reg;               /* 0 eax, 1 ebx, 2 ecx, 3 edx */
    uint32_t mask;              /* the bits that count */
    enum kind kind;
    const char *name;
} words[] = {
    { 0, 0, 1, ~0u, EQUAL, "vendor" },
    { 0, 0, 2, ~0u, EQUAL, "vendor" },
    { 1, 0, 2, ~(1u << 27), FEATURES, "leaf 1 ecx" },               /* OSXSAVE: CR4 */
    { 1, 0, 3, ~(1u << 9), FEATURES, "leaf 1 edx" },                /* APIC: its MSR */
    { 7, 0, 1, ~0u, FEATURES, "leaf 7 ebx" },
    { 7, 0, 2, ~(1u << 4), FEATURES, "leaf 7 ecx" },                /* OSPKE: CR4 */
    { 7, 0, 3, ~0u, FEATURES, "leaf 7 edx" },
    { 0xd, 0, 0, ~0u, FEATURES, "leaf d eax" },                     /* bits of XCR0 */
    { 0xd, 0, 2, ~0u, EQUAL, "leaf d ecx" },                        /* bytes for all of them */
    { 0xd, 1, 0, ~0u, FEATURES, "leaf d.1 eax" },
    { 0x80000001u, 0, 2, ~0u, FEATURES, "leaf 80000001 ecx" },
    { 0x80000001u, 0, 3, ~(1u << 9 | 1u << 11), FEATURES, "leaf 80000001 edx" },
    { 0x80000007u, 0, 3, ~0u, FEATURES, "leaf 80000007 edx" },
    { 0x80000008u, 0, 0, 0xff, AT_LEAST, "width of addresses" },
    { 0x80000008u, 0, 1, ~0u, FEATURES, "leaf 80000008 ebx" },
};
_Static_assert(ARRAY_SIZE(words) <= CPUID_WORDS, "struct cpuid_words");

/* A leaf above the highest is not there, though CPUs answer with another. */
void cpuid_words_read(cpuid_fn cpuid, struct cpuid_words *w)
{
    uint32_t out[4], max[2];

    cpuid(0, 0, out);
    max[0] = out[0];
    cpuid(0x80000000u, 0, out);
    max[1] = out[0];
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        w->word[i] = 0;
        if (words[i].leaf > max[words[i].leaf >> 31])
            continue;
        cpuid(words[i].leaf, words[i].subleaf, out);
        w->word[i] = out[words[i].reg] & words[i].mask;
    }
}

const char *cpuid_words_lack(const struct cpuid_words *boot, const struct cpuid_words *other)
{
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        uint32_t have = other->word[i], want = boot->word[i];
        bool ok = words[i].kind == FEATURES   ? (have & want) == want
                  : words[i].kind == AT_LEAST ? have >= want
                                              : have == want;

        if (!ok)
            return words[i].name;
    }
    return NULL;
}
