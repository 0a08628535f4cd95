/* Suite "mappings" (without a hypervisor): rights of a page that are in an entry above the last,
 * and stores of SSE registers to pages that a vmm watches, the kernel's code and its page tables.
 * The bare machine has neither shadow tables nor translations, so all of it is easy there. */
#include <string.h>
#include "bare/bare.h"
#include "mm.h"
#include "sensitive.h"
#include "user.h"

#define LARGE (2ul << 20)
#define RET 0xc3

static void invlpg(const volatile void *va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* --- Rights ----------------------------------------------------------------------------------- */

USER_CODE static uint64_t read_as_user(const volatile uint64_t *word)
{
    return *word;
}

/* What the kernel may do with a word, and its user with the byte behind it, a RET. Each reads
 * first, so that the page is there for it and only its rights can refuse what comes then. */
static void expect_rights(volatile uint64_t *word, bool writable, bool executable)
{
    uint64_t value;
    struct fault f;
    struct user_result res;

    EXPECT_NO_FAULT(try_read64(word, &value));
    EXPECT_EQ(value, 0x1234);
    f = try_write64(word, 0x1234);
    if (writable)
        EXPECT_NO_FAULT(f);
    else
        EXPECT_FAULT(f, TRAP_PF, PF_PRESENT | PF_WRITE);
    EXPECT_EQ(user_run(read_as_user, (uint64_t)word, 0, 0).code, 0x1234);
    res = user_run((void *)(word + 1), 0, 0, 0);
    if (executable)
        EXPECT(res.exited);
    else
        EXPECT_FAULT(res.fault, TRAP_PF, PF_PRESENT | PF_USER | PF_INSN);
}

static void prepare(pfn_t frame)
{
    uint64_t *word = p2v(frame);

    word[0] = 0x1234;
    word[1] = RET;
}

static volatile void *large_aligned(void)
{
    return (volatile void *)(((uint64_t)va_alloc(2 * LARGE / PAGE_SIZE) + LARGE - 1) &
                             ~(LARGE - 1));
}

static void rights_of_large_pages(void)
{
    static const struct {
        uint64_t flags;
        bool writable, executable;
    } rights[] = {
        { PTE_USER, true, true },
        { PTE_USER & ~PTE_RW, false, true },
        { PTE_USER & ~PTE_D, true, true },
        { PTE_USER | PTE_NX_BIT, true, false },
        { (PTE_USER & ~PTE_RW) | PTE_NX_BIT, false, false },
    };
    volatile char *va = large_aligned();
    pfn_t frame = frame_alloc();
    uint64_t *slot = direct(pte_maddr(va, 2)), table = *slot;
    uint64_t maddr = pfn_to_mfn(frame) << PAGE_SHIFT, within = maddr & (LARGE - 1);

    prepare(frame);
    for (unsigned i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        *slot = (maddr - within) | rights[i].flags | PTE_PSE;
        invlpg(va + within);            /* of a large page QEMU forgets only this part's code */
        expect_rights((void *)(va + within), rights[i].writable, rights[i].executable);
        EXPECT_EQ(*slot & PTE_D, rights[i].writable || (rights[i].flags & PTE_D) ? PTE_D : 0);
    }
    *slot = table;
    invlpg(va);
    frame_free(frame);
}

/* A page that may be written and executed by its own entry, under tables that do not let it. */
static void rights_of_tables(void)
{
    volatile void *va = large_aligned();
    pfn_t frame = frame_alloc();

    prepare(frame);
    ASSERT_EQ(map_page(va, make_pte(frame, PTE_USER)), 0);
    for (unsigned level = 2; level <= 3; level++) {
        uint64_t *slot = direct(pte_maddr(va, level)), table = *slot;

        expect_rights((void *)va, true, true);
        *slot = table & ~PTE_RW;
        write_cr3(read_cr3());
        expect_rights((void *)va, false, true);
        *slot = table | PTE_NX_BIT;
        write_cr3(read_cr3());
        expect_rights((void *)va, true, false);
        *slot = table;
        write_cr3(read_cr3());
    }
    expect_rights((void *)va, true, true);
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(frame);
}

/* --- Stores of SSE registers ------------------------------------------------------------------ */

struct pair {
    uint64_t word[2];
} __attribute__((aligned(16)));

enum store { MOVUPS, MOVAPS, MOVNTDQ, NR_STORES };

/* *to = value, out of XMM9, while the other registers have `kept`; they are compared afterwards. */
static void store(enum store kind, struct pair *to, const struct pair *value)
{
    static const struct pair kept = { { 0x0123456789abcdef, 0xfedcba9876543210 } };
    struct pair low, high, source;

    __asm__ volatile("movups %[value], %%xmm9\n\tmovups %[kept], %%xmm0\n\t"
                     "movups %[kept], %%xmm15\n\tcmpl $1, %[kind]\n\tja 2f\n\tje 1f\n\t"
                     "movups %%xmm9, (%[to])\n\tjmp 3f\n"
                     "1:\tmovaps %%xmm9, (%[to])\n\tjmp 3f\n"
                     "2:\tmovntdq %%xmm9, (%[to])\n"
                     "3:\tmovups %%xmm0, %[low]\n\tmovups %%xmm15, %[high]\n\t"
                     "movups %%xmm9, %[source]"
                     : [low] "=m"(low), [high] "=m"(high), [source] "=m"(source)
                     : [value] "m"(*value), [kept] "m"(kept), [to] "r"(to), [kind] "r"(kind)
                     : "memory", "cc", "xmm0", "xmm9", "xmm15");
    EXPECT(memcmp(&low, &kept, sizeof(kept)) == 0);
    EXPECT(memcmp(&high, &kept, sizeof(kept)) == 0);
    EXPECT(memcmp(&source, value, sizeof(*value)) == 0);
}

/* Two entries at once, of a table that is in use. */
static void sse_stores_to_tables(void)
{
    volatile uint64_t *va = large_aligned();
    pfn_t frames[2 + 2 * NR_STORES];
    struct pair *slot;

    for (unsigned i = 0; i < 2 + 2 * NR_STORES; i++) {
        frames[i] = frame_alloc();
        *(uint64_t *)p2v(frames[i]) = i;
    }
    for (unsigned i = 0; i < 2; i++)
        ASSERT_EQ(map_page(va + 512 * i, make_pte(frames[i], PTE_KERNEL)), 0);
    slot = direct(pte_maddr(va, 1));
    for (unsigned i = 0; i < 2 * NR_STORES; i += 2) {
        struct pair entries = { { make_pte(pfn_to_mfn(frames[i + 2]), PTE_KERNEL),
                                  make_pte(pfn_to_mfn(frames[i + 3]), PTE_KERNEL) } };

        EXPECT_EQ(va[0], i);
        EXPECT_EQ(va[512], i + 1);
        store(i / 2, slot, &entries);
        invlpg(va);
        invlpg(va + 512);
    }
    EXPECT_EQ(va[0], 2 * NR_STORES);
    EXPECT_EQ(va[512], 2 * NR_STORES + 1);
    for (unsigned i = 0; i < 2; i++)
        EXPECT_EQ(unmap_page(va + 512 * i), 0);
    for (unsigned i = 0; i < 2 + 2 * NR_STORES; i++)
        frame_free(frames[i]);
}

/* MOV EAX, number; RET: run often enough to be translated, where code is. */
static void sse_stores_to_code(void)
{
    void *va = va_alloc(1);
    pfn_t frame = frame_alloc();

    ASSERT_EQ(map_page(va, make_pte(frame, PTE_KERNEL)), 0);
    for (unsigned i = 0; i < 3 * NR_STORES; i++) {
        struct pair code = { { 0xb8 | (uint64_t)(i + 1) << 8 | (uint64_t)RET << 40, i } };

        store(i % NR_STORES, va, &code);
        for (unsigned n = 0; n < 4; n++)
            EXPECT_EQ(((unsigned (*)(void))va)(), i + 1);
        EXPECT_EQ(((uint64_t *)va)[1], i);
    }
    EXPECT_EQ(unmap_page(va), 0);
    frame_free(frame);
}

SUITE(mappings, 03, SUITE_NEEDS_BARE, TEST(rights_of_large_pages), TEST(rights_of_tables),
      TEST(sse_stores_to_tables), TEST(sse_stores_to_code));
