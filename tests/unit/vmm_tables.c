/* Random page tables of a guest, and a walk of them: see vmm_tables.h. */
#include <string.h>
#include "common/x86/canonical.h"
#include "guest-pv/vmm/core/access.h"
#include "tests/unit/vmm_host.h"
#include "tests/unit/vmm_tables.h"

uint64_t vmm_seed = 1;

uint64_t random_64(void)
{
    vmm_seed ^= vmm_seed << 13;
    vmm_seed ^= vmm_seed >> 7;
    vmm_seed ^= vmm_seed << 17;
    return vmm_seed * 0x2545f4914f6cdd1dull;
}
unsigned below(unsigned n)
{
    return (unsigned)((random_64() >> 32) % n);
}

unsigned random_index(unsigned level)
{
    static const unsigned of_roots[] = { 0, 0, 0, 0, 1, 1, 255, 256, 271, 272, 510 },
                          of_middle[] = { 0, 0, 0, 1, 1, 2, 510, 511 };

    if (one_in(32))
        return below(512);
    if (level == 4)
        return of_roots[below(ARRAY_SIZE(of_roots))];
    return level > 1 ? of_middle[below(ARRAY_SIZE(of_middle))] : below(24);
}

uint64_t random_linear(struct cpu *c)
{
    uint64_t linear = below(GUEST_PAGE / 8) * 8ull, at = c->cr3 & FRAME;

    if (one_in(8))
        return RAM_AT + (uint64_t)below(NR_FRAMES) * GUEST_PAGE + linear % 256;
    if (one_in(64))
        return random_64();
    for (unsigned level = 4; level >= 1; level--) {
        unsigned index = random_index(level);

        for (unsigned tries = 8; tries > 0 && !(physical_entry(c, at, index) & P); tries--)
            index = random_index(level);
        at = physical_entry(c, at, index) & FRAME;
        linear |= (uint64_t)index << (3 + 9 * level);
    }
    return linear >> 47 ? linear | 0xffffull << 48 : linear;
}

/* Each level has frames of its own, and now and then those of another; and frame 0, where a large
 * page can begin, too. */
uint64_t random_table(unsigned level)
{
    static const uint8_t first[] = { 0, 12, 6, 2, 0 }, nr[] = { 0, 12, 6, 4, 2 };

    if (one_in(12))
        return one_in(3) ? 0 : FIRST_TABLE + below(NR_TABLES);
    return FIRST_TABLE + first[level] + below(nr[level]);
}

uint64_t random_data(void)
{
    switch (below(8)) {
    case 0:
        return 0xa0 + below(0x60);                      /* absent */
    case 1:
        return one_in(2) ? NR_FRAMES + below(64) : random_64() >> 36;
    case 2:
        return below(FIRST_TABLE + NR_TABLES);
    default:
        return FIRST_TABLE + NR_TABLES + below(16);     /* few: each is mapped often */
    }
}

static uint64_t random_flags(void)
{
    uint64_t flags = P | A;

    flags |= one_in(6) ? 0 : W;
    flags |= one_in(8) ? 0 : U;
    flags |= one_in(3) ? 0 : D;
    flags |= one_in(8) ? NX : 0;
    flags ^= one_in(8) ? A : 0;
    flags ^= one_in(16) ? P : 0;
    return flags;
}

uint64_t random_entry(unsigned level)
{
    uint64_t entry = random_flags();

    if (one_in(10))
        return 0;
    if (one_in(64))
        return random_64();
    if (level == 1)
        return entry | random_data() << 12;
    if (level < 4 && one_in(level == 2 ? 4 : 6))        /* a page of 2 MiB or 1 GiB */
        return entry | PS | (one_in(16) ? random_64() & FRAME
                                        : (uint64_t)below(2) << (3 + 9 * level)) |
               (one_in(8) ? 0x1000 : 0);
    return entry | random_table(level - 1) << 12;
}

struct cpu *vmm_tables_new(void)
{
    static const unsigned counts[] = { 0, 24, 6, 6, 8 };
    struct cpu *c = vmm_cpu_new(NR_FRAMES);

    c->gigabyte_pages = one_in(2);
    for (unsigned t = 0; t < NR_TABLES; t++) {
        unsigned level = t < 2 ? 4 : t < 6 ? 3 : t < 12 ? 2 : 1;
        uint64_t *table = (uint64_t *)(c->ram.bytes + (FIRST_TABLE + t) * GUEST_PAGE);

        for (unsigned n = counts[level]; n > 0; n--)
            table[random_index(level)] = random_entry(level);
        if (level == 4)
            table[511] = 0x2000 | P | W | U;
    }
    c->cr3 = random_table(4) << 12;
    return c;
}

/* --- The walk --------------------------------------------------------------------------------- */

uint64_t physical_entry(struct cpu *c, uint64_t table, unsigned index)
{
    uint64_t entry;

    memcpy(&entry, frame_to_read(&c->ram, table / GUEST_PAGE) + 8 * index, sizeof(entry));
    return entry;
}

static bool entry_is_valid(const struct cpu *c, uint64_t entry, unsigned level)
{
    bool large = level > 1 && (entry & PS);

    if (!(entry & P) || entry >> 40 & 0xfff || ((entry & NX) && !(c->efer & EFER_NXE)))
        return false;
    if (!large)
        return true;
    return level == 2 ? !(entry & 0x1fe000)
                      : level == 3 && c->gigabyte_pages && !(entry & 0x3fffe000);
}

bool guest_page(struct cpu *c, uint64_t linear, struct page *page)
{
    uint64_t at = c->cr3 & FRAME, within;

    *page = (struct page){ .user = true, .writable = true, .executable = true, .used = true };
    for (unsigned level = 4; level >= 1; level--) {
        uint64_t entry = physical_entry(c, at, linear >> (3 + 9 * level) & 511);

        if (!entry_is_valid(c, entry, level))
            return false;
        page->user &= (entry & U) != 0;
        page->writable &= (entry & W) != 0;
        page->executable &= (entry & NX) == 0;
        page->used &= (entry & A) != 0;
        page->dirty = (entry & D) != 0;
        at = entry & FRAME;
        if (level > 1 && (entry & PS)) {
            within = (1ull << (3 + 9 * level)) - 1;
            at = (at & ~within) | (linear & within);
            break;
        }
    }
    page->frame = at / GUEST_PAGE;
    return true;
}

bool guest_allows(struct cpu *c, uint64_t linear, unsigned how)
{
    struct page page;

    if (!is_canonical(linear) || !guest_page(c, linear, &page) || (c->cpl == 3 && !page.user))
        return false;
    if ((how & ACCESS_WRITE) && !page.writable && (c->cpl == 3 || (c->cr0 & CR0_WP)))
        return false;
    return !(how & ACCESS_FETCH) || page.executable;
}
