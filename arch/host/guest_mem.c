/* The fake MMU's page walks, and copies from and to guest memory. A walk reads the tables of the
 * loaded L4 as a CPU does, sets accessed and dirty bits, and caches its results (tlb.c) until the
 * hypervisor flushes them. If the hypervisor forgets a flush, an access of the guest uses the stale
 * translation, which the checks here or in tlb.c find. The test also ends when the hypervisor
 * copies from or to the hole, or when a walk goes through a frame that is no longer a table.
 *
 * Called by xen/ (arch_copy_from_guest and others), and by tests for accesses of the guest itself
 * (host_guest_read). */
#include <string.h>
#include "arch/arch.h"
#include "common/atomic.h"
#include "host.h"
#include "xen/core/frame.h"
#include "xen/core/walk.h"

static HOST_TLS bool guest_runs;        /* the access is the guest's own, not the hypervisor's */

/* The true level of the table at mfn, which the CPU uses as a table of the given level. The two
 * differ only behind a linear entry, which has no RW, so that nothing can be written through it.
 * Through a stale cache entry the CPU may also use a frame that was a table: it was not written,
 * nor given to another owner, before the next flush. */
static unsigned level_of_table(mfn_t mfn, unsigned level, bool writable)
{
    HOST_CHECK(host_walkable(mfn, level, writable), "level %u table at mfn %#lx has type %#lx",
               level, mfn, mfn_valid(mfn) ? mfn_to_frame(mfn)->word : 0);
    return MAX(level, (unsigned)(mfn_to_frame(mfn)->word >> TYPE_SHIFT));
}

/* One page walk that starts at a table of the given level. False: page fault. Through a linear
 * entry a walk may reach the hypervisor's entries of an L4. Those are supervisor-only: an access of
 * the guest faults; the hypervisor's would not, so it must not happen (linear_copy). */
static bool walk_from(unsigned level, mfn_t mfn, bool writable, uint64_t va, bool write)
{
    uint64_t *slot, entry, used;

    for (;; level--) {
        unsigned index = table_index(va, level), true_level = level_of_table(mfn, level, writable);

        if (true_level == 4 && index >= HOLE_FIRST_SLOT && index <= HOLE_LAST_SLOT) {
            HOST_CHECK(guest_runs, "the hypervisor reads its own memory at %#lx as the guest's",
                       va);
            return false;
        }
        slot = (uint64_t *)mfn_to_virt(mfn) + index;
        do {                    /* again when another CPU changed the entry meanwhile */
            entry = READ_ONCE(*slot);
            if (!(entry & PTE_P) || (write && !(writable && (entry & PTE_RW))))
                return false;
            HOST_CHECK(entry & PTE_US, "va %#lx level %u: entry %#lx", va, level, entry);
            HOST_CHECK(!(entry & PTE_PS), "va %#lx level %u: entry %#lx", va, level, entry);
            HOST_CHECK(!(entry & PTE_G) == (true_level > 1 || (entry & PTE_GUEST_KERNEL)),
                       "F12: va %#lx level %u: entry %#lx", va, level, entry);
            used = entry | PTE_A | (write && level == 1 ? PTE_D : 0);
        } while (used != entry && !try_cmpxchg(slot, &entry, used));
        writable &= (used & PTE_RW) != 0;
        mfn = PTE_MFN(used);
        HOST_CHECK(mfn_valid(mfn), "va %#lx leads to mfn %#lx", va, mfn);
        if (level == 1)
            break;
        host_tlb_add(level - 1, va, mfn, writable, false);
    }
    host_tlb_add(0, va, mfn, writable && (used & PTE_D), used & PTE_G);
    return true;
}

/* From the lowest table that is remembered. A fault by that makes the CPU forget it; the guest, or
 * the hypervisor, would then try again, and meets the tables as they are. */
static bool walk(uint64_t va, bool write)
{
    const struct host_translation *t = NULL;

    for (unsigned level = 1; level < 4 && t == NULL; level++) {
        t = host_tlb_find(level, va);
        if (t != NULL && (!write || t->writable) &&
            walk_from(level, t->mfn, t->writable, va, write))
            return true;
    }
    if (t != NULL)
        host_tlb_fault(va);
    return walk_from(4, host.cr3 >> PAGE_SHIFT, true, va, write);
}

void host_walk_again(uint64_t va)
{
    if (host.cr3 == 0 || host_tlb_find(0, va) != NULL)
        return;
    guest_runs = true;
    (void)walk(va, false);
    guest_runs = false;
}

/* The mapping of the bytes at va up to the end of its page; NULL: fault. */
static uint8_t *translate(uint64_t va, bool write)
{
    const struct host_translation *t;

    if (!is_canonical(va) || host.cr3 == 0)
        return NULL;
    HOST_CHECK(va < HOLE_START || va >= HOLE_END, "%#lx is in the hypervisor's hole", va);
    t = host_tlb_find(0, va);
    if (t == NULL || (write && !t->writable)) {
        if (!walk(va, write)) {
            host_tlb_fault(va);
            return NULL;
        }
        t = host_tlb_find(0, va);
    }
    return (uint8_t *)mfn_to_virt(t->mfn) + va % PAGE_SIZE;
}

/* Guests may write their memory while it is read. ThreadSanitizer would complain if this were
 * memcpy. */
static void copy_bytes(uint8_t *dst, const uint8_t *src, size_t len)
{
#ifdef HOST_THREADS
    for (size_t i = 0; i < len; i++)
        WRITE_ONCE(dst[i], READ_ONCE(src[i]));
#else
    memcpy(dst, src, len);
#endif
}

/* Copies between `ours`, memory of the hypervisor, and the guest's memory at va; write: to the
 * guest. Returns the number of bytes not copied. */
static size_t copy_now(void *ours, uint64_t va, size_t len, bool write)
{
    uint8_t *p = ours;

    while (len > 0) {
        size_t n = MIN(len, PAGE_SIZE - va % PAGE_SIZE);
        uint8_t *guest = translate(va, write);

        if (guest == NULL)
            break;
        if (write)
            copy_bytes(guest, p, n);
        else
            copy_bytes(p, guest, n);
        p += n;
        va += n;
        len -= n;
    }
    return len;
}

/* The same for the hypervisor, with a point before it at which another CPU may run. */
static size_t copy(void *ours, uint64_t va, size_t len, bool write)
{
    host_step();
    return copy_now(ours, va, len, write);
}

/* A write of another vCPU of the guest at that moment: flips bits in memory that the guest can
 * write. */
static void scribble(uint64_t va, size_t len)
{
    uint64_t at = va + (len > 8 ? host_random() % (len - 7) : 0);
    mfn_t mfn;
    uint8_t *p;

    for (size_t i = 0; i < MIN(len, 8u); i++) {
        p = translate(at + i, false);
        if (p == NULL)
            return;
        mfn = virt_to_mfn(p);
        if (frame_type(mfn_to_frame(mfn)) == TYPE_WRITABLE &&
            nr_type_refs(mfn_to_frame(mfn)->word) != 0)
            *p ^= (uint8_t)(1u << host_random() % 8);
    }
}

/* translate() checks that the hypervisor never copies from the hole. */
static size_t copy_in_unhidden(void *dst, uint64_t va, size_t len)
{
    size_t left = copy(dst, va, len, false);

    if (host.hostile_memory && left == 0 && len > 0)
        scribble(va, len);
    return left;
}

static size_t copy_in(void *dst, uint64_t va, size_t len)
{
    return READ_ONCE(linear_tables) ? linear_copy(dst, va, len) : copy_in_unhidden(dst, va, len);
}

size_t arch_copy_from_guest_unhidden(void *dst, uint64_t va, size_t len)
{
    return copy_in_unhidden(dst, va, len);
}

size_t arch_copy_from_guest(void *dst, uint64_t va, size_t len)
{
    return copy_in(dst, va, len);
}

size_t arch_copy_to_guest(uint64_t va, const void *src, size_t len)
{
    return copy((void *)(uintptr_t)src, va, len, true);
}

bool get_guest_words(void *dst, uint64_t va, unsigned n)
{
    HOST_CHECK(n >= 1 && n <= 9, "n = %u", n);
    return copy_in(dst, va, 8ul * n) == 0;
}

bool get_guest_words_unhidden(void *dst, uint64_t va, unsigned n)
{
    HOST_CHECK(n >= 1 && n <= 9, "n = %u", n);
    return copy_in_unhidden(dst, va, 8ul * n) == 0;
}

bool put_guest_words(uint64_t va, const void *src, unsigned n)
{
    HOST_CHECK(n >= 1 && n <= 9, "n = %u", n);
    return copy((void *)(uintptr_t)src, va, 8ul * n, true) == 0;
}

static bool guest_copy(void *ours, uint64_t va, size_t len, bool write)
{
    size_t left;

    if (!guest_range_ok(va, len))
        return false;
    host_step();
    host_take_interrupts();
    guest_runs = true;
    left = copy_now(ours, va, len, write);
    guest_runs = false;
    return left == 0;
}

bool host_guest_read(void *dst, uint64_t va, size_t len)
{
    return guest_copy(dst, va, len, false);
}

bool host_guest_write(uint64_t va, const void *src, size_t len)
{
    return guest_copy((void *)(uintptr_t)src, va, len, true);
}
