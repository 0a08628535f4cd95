/* The RAM of the fake machine: chunks of host memory, with high frame numbers, gaps between chunks,
 * and in permuted order, so that wrong address arithmetic fails. Frame table and M2P are host
 * memory too. Also host_leave_free, for tests of failing allocations. Called by machine.c, tests,
 * and xen/ (mfn_to_virt). */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "arch/arch.h"
#include "host.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"

#define M2P_MFN 0x100ull        /* the M2P lies in frames that no guest can have */

static mfn_t base_mfn;
static unsigned nr_chunks;
static uint8_t *ram, *guard;
/* mapped; a machine like the last one gets the same, which takes less time than to map it */
static size_t ram_bytes;
static unsigned place_of[MAX_CHUNKS], chunk_at[MAX_CHUNKS];
static size_t table_bytes, m2p_bytes;
static void *taken;             /* list through the first words of the frames */

static void *zeroed(size_t bytes, int prot)
{
    void *p = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap");
        abort();
    }
    return p;
}

uint64_t host_random(void)
{
    host.random ^= host.random << 13;
    host.random ^= host.random >> 7;
    host.random ^= host.random << 17;
    return host.random * 0x2545f4914f6cdd1dull;
}

static void map_ram(size_t bytes)
{
    if (guard == NULL)
        guard = zeroed(CHUNK_FRAMES * PAGE_SIZE, PROT_NONE);
    if (ram_bytes == bytes)
        return;
    if (ram_bytes != 0)
        munmap(ram, ram_bytes);
    ram = zeroed(bytes, PROT_READ | PROT_WRITE);
    ram_bytes = bytes;
}

void host_ram_init(mfn_t base, unsigned chunks)
{
    mfn_t end = base + 2ull * chunks * CHUNK_FRAMES;

    base_mfn = base;
    nr_chunks = chunks;
    map_ram((size_t)chunks * CHUNK_FRAMES * PAGE_SIZE);
    for (unsigned i = 0; i < chunks; i++)
        place_of[i] = i;
    for (unsigned i = chunks; i-- > 1;) {
        unsigned j = (unsigned)(host_random() % (i + 1)), t = place_of[i];

        place_of[i] = place_of[j];
        place_of[j] = t;
    }
    for (unsigned i = 0; i < chunks; i++)
        chunk_at[place_of[i]] = i;
    for (size_t i = 0; i < ram_bytes / 8; i++)
        ((uint64_t *)(void *)ram)[i] = 0xdeadbea7cafe0000 + i;  /* RAM is not zeroed at power-on */

    table_bytes = end * sizeof(struct frame);
    m2p_bytes = end * sizeof(uint64_t);
    frames_init(zeroed(table_bytes, PROT_READ | PROT_WRITE), end,
                zeroed(m2p_bytes, PROT_READ | PROT_WRITE));
    for (mfn_t mfn = 0; mfn < end; mfn++)
        if (mfn < base || ((mfn - base) >> CHUNK_ORDER) % 2)
            frame_table[mfn].word = FRAME_NO_RAM;
    for (unsigned i = 0; i < chunks; i++)
        frames_add_range(base + 2ull * i * CHUNK_FRAMES, base + (2ull * i + 1) * CHUNK_FRAMES,
                         true);
}

mfn_t host_first_mfn(void)
{
    return base_mfn;
}

void host_ram_free(void)
{
    munmap(frame_table, table_bytes);
    munmap(m2p_table, m2p_bytes);
    taken = NULL;
}

/* A frame that is not RAM is not mapped: its address may be computed, but accesses to it fault. */
void *mfn_to_virt(mfn_t mfn)
{
    mfn_t chunk = (mfn - base_mfn) >> CHUNK_ORDER, offset = (mfn - base_mfn) % CHUNK_FRAMES;

    if (mfn < base_mfn || chunk >= 2 * nr_chunks || chunk % 2)
        return guard + (mfn % CHUNK_FRAMES) * PAGE_SIZE;
    return ram + ((uint64_t)place_of[chunk / 2] * CHUNK_FRAMES + offset) * PAGE_SIZE;
}

mfn_t virt_to_mfn(const void *va)
{
    uint64_t frame = (uint64_t)((const uint8_t *)va - ram) / PAGE_SIZE;

    if ((const uint8_t *)va < ram || frame >= (uint64_t)nr_chunks * CHUNK_FRAMES) {
        fprintf(stderr, "virt_to_mfn(%p): not an address of RAM\n", va);
        abort();
    }
    return base_mfn + 2ull * chunk_at[frame / CHUNK_FRAMES] * CHUNK_FRAMES + frame % CHUNK_FRAMES;
}

mfn_t arch_m2p_mfn(void)
{
    return M2P_MFN;
}

bool arch_map_m2p(uint64_t va)          /* all of it is always mapped */
{
    (void)va;
    return false;
}

void host_leave_free(uint64_t free_frames)
{
    while (nr_free_frames() > free_frames) {
        void **page = mfn_to_virt(alloc_frames(0));

        *page = taken;
        taken = page;
    }
}

void host_free_taken(void)
{
    while (taken != NULL) {
        void **page = taken;

        taken = *page;
        free_frames(virt_to_mfn(page), 0, true);
    }
}
