/* Random words for suite "fuzz", under rules W1 and W2 of fuzz.h. Called by fuzz.c and
 * fuzz_calls.c. */
#include <string.h>
#include "fuzz.h"
#include "start.h"
#include "suite.h"

#define POOL 1024

struct fuzz_mem fuzz_mem;

static uint64_t state;
static const volatile uint64_t *const m2p = (const volatile uint64_t *)HOLE_START;

void fuzz_words_begin(uint64_t seed)
{
    char *va = va_alloc(1024);
    int port = event_bind_ipi(NULL, NULL);

    for (unsigned i = 0; i < NR_SCRATCH; i++) {
        fuzz_mem.scratch[i] = frame_alloc();
        fuzz_mem.scratch_mfn[i] = pfn_to_mfn(fuzz_mem.scratch[i]);
    }
    fuzz_mem.window = (volatile uint64_t *)(((uint64_t)va + 511 * PAGE_SIZE) & -(512 * PAGE_SIZE));
    fuzz_mem.window_table = pte_maddr(fuzz_mem.window, 1);
    ASSERT(fuzz_mem.window_table != 0);
    fuzz_mem.window_pfn = mfn_to_pfn(fuzz_mem.window_table >> PAGE_SHIFT);
    ASSERT(port > 0);
    fuzz_mem.first_port = port + 1;
    for (pfn_t pfn = 0; pfn < mem_pages(); pfn++)
        if (pfn_to_mfn(pfn) != INVALID_MFN && pfn_to_mfn(pfn) > fuzz_mem.highest_mfn)
            fuzz_mem.highest_mfn = pfn_to_mfn(pfn);
    state = seed * 0x9e3779b97f4a7c15 | 1;
}

uint64_t fuzz_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1d;
}

/* True for a frame of this domain that is not a scratch frame; the argument may be any word. */
static bool names_own_frame(uint64_t mfn)
{
    uint64_t pfn;

    for (unsigned i = 0; i < NR_SCRATCH; i++)
        if (mfn == fuzz_mem.scratch_mfn[i])
            return false;
    if (mfn == start_info->shared_info >> PAGE_SHIFT)
        return true;
    /* Above the domain's frames the M2P may have holes. */
    return mfn <= fuzz_mem.highest_mfn && try_read64(m2p + mfn, &pfn).vector == FAULT_NONE &&
           pfn_to_mfn(pfn) == mfn;
}

uint64_t fuzz_arg_pointer(void)
{
    return (uint64_t)p2v(fuzz_mem.scratch[fuzz_random() % ARG_PAGES]) +
        fuzz_random() % WORDS_PER_PAGE * 8;
}

uint64_t fuzz_bad_pointer(void)
{
    static const uint64_t bad[] = { BAD_POINTER, HOLE_START, 0xffff830000000000,
                                    0xffff82d040200000, 0x8000000000000000, 0x7ffffffffff8, 0,
                                    ~7ul, HOLE_END - 8, 0xffff7ffffffffff8 };
    uint64_t pointer = bad[fuzz_random() % (sizeof(bad) / sizeof(bad[0]))];

    return fuzz_random() % 4 ? pointer : pointer + fuzz_random() % 512 * 8;
}

uint64_t fuzz_window_va(void)
{
    return (uint64_t)fuzz_mem.window + fuzz_random() % 512 * PAGE_SIZE;
}

uint64_t fuzz_word(void)
{
    mfn_t mfn = fuzz_mem.scratch_mfn[fuzz_random() % NR_SCRATCH];
    uint64_t w;

    switch (fuzz_random() % 14) {
    case 0: case 1: case 2: w = fuzz_random() % 32; break;
    case 3: w = fuzz_random() % 0x10000; break;
    case 4: case 5: return fuzz_arg_pointer();
    case 6: return mfn;
    case 7: return (mfn << PAGE_SHIFT) + fuzz_random() % WORDS_PER_PAGE * 8 + fuzz_random() % 4;
    case 8: return fuzz_mem.window_table + fuzz_random() % WORDS_PER_PAGE * 8 + fuzz_random() % 4;
    case 9: return make_pte(mfn, fuzz_random() & (fuzz_random() % 2
                                                  ? PTE_KERNEL | PTE_US | PTE_NX_BIT
                                                  : ~PTE_ADDR_MASK));
    case 10: return fuzz_bad_pointer();
    case 11: return fuzz_window_va();
    case 12: w = DOMID_SELF + fuzz_random() % 16; break;
    default: w = fuzz_random() % 2 ? fuzz_random() | 1ul << 50 : 1ul << fuzz_random() % 64; break;
    }
    if (names_own_frame(w) || names_own_frame(pte_mfn(w)) || (w >= VIRT_BASE && w < -PAGE_SIZE))
        return ~0ul;
    return w;
}

void fuzz_refill(void)
{
    static uint64_t pool[POOL], nr_refills;

    if (nr_refills++ % 16 == 0)
        for (unsigned i = 0; i < POOL; i++)
            pool[i] = fuzz_word();
    for (unsigned i = 0; i < NR_SCRATCH; i++)
        memcpy(p2v(fuzz_mem.scratch[i]), pool + fuzz_random() % (POOL - WORDS_PER_PAGE), PAGE_SIZE);
}
