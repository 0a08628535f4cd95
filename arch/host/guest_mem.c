/* Owns the fake MMU: it walks the tables of the loaded root like the CPU does, sets accessed and dirty bits,
 * and keeps translations in a TLB for as long as the hypervisor does not flush them. What the hypervisor
 * forgets to flush, a guest write then goes through. A copy that the hypervisor did not check against the
 * hole, or a root that is no validated L4, ends the test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host.h"
#include "xen/frame.h"
#include "xen/grant.h"
#include "xen/mm.h"

#define TLB_ENTRIES 256u

struct translation {
    uint64_t page;              /* virtual page number + 1; 0: unused */
    mfn_t mfn;
    bool writable;
    struct domain *owner;       /* of the frame, when the translation was made */
};
static struct translation tlb[TLB_ENTRIES];

static bool guest_runs;         /* the access is the guest's own */
static uint64_t hole_l3;        /* what every L4 must hold in the hypervisor's slots, with the slot added */

#define HARNESS_CHECK(cond, ...)                                                \
    do {                                                                        \
        if (!(cond)) {                                                          \
            fprintf(stderr, "fake machine: %s: ", #cond);                       \
            fprintf(stderr, __VA_ARGS__);                                       \
            fputc('\n', stderr);                                                \
            abort();                                                            \
        }                                                                       \
    } while (0)

void host_tlb_forget(void)
{
    memset(tlb, 0, sizeof(tlb));
}

void arch_flush_tlb(void)
{
    host.full_flushes++;
    host_tlb_forget();
    boot_cpu.flush_stamp = ++tlb_clock;
}

void arch_flush_tlb_one(uint64_t va)
{
    struct translation *t = &tlb[(va >> PAGE_SHIFT) % TLB_ENTRIES];

    host.page_flushes++;
    if (t->page == (va >> PAGE_SHIFT) + 1)
        t->page = 0;
}

void arch_load_root(struct vcpu *v)
{
    host.root_loads++;
    host.cr3 = v->kernel_mode ? v->root_kernel : v->root_user;
    host_tlb_forget();
    boot_cpu.flush_stamp = ++tlb_clock;
}

/* There is no M2P window here. */
void arch_show_m2p(uint64_t *l4, bool show)
{
    (void)l4, (void)show;
}

void arch_fill_l4(uint64_t *l4, struct domain *d)
{
    (void)d;
    for (unsigned i = HOLE_FIRST_SLOT; i <= HOLE_LAST_SLOT; i++)
        l4[i] = (hole_l3 | PTE_P | PTE_RW) + ((uint64_t)i << 52);
}

/* The level of the table at mfn, which the CPU takes for one of this level: they are the same but below linear entries,
 * that is where nothing can be written. */
static unsigned level_of_table(mfn_t mfn, unsigned level, bool writable)
{
    uint64_t type = mfn_valid(mfn) ? mfn_to_frame(mfn)->type >> TYPE_SHIFT : 0;

    HARNESS_CHECK(type == level || (type > level && type <= 4 && !writable),
                  "level %u table at mfn %#lx has type %#lx", level, mfn, type);
    return (unsigned)type;
}

/* One walk, as the CPU does it: false is a page fault. By a linear entry it may come to the hypervisor's part of an L4,
 * where a guest stops, and the hypervisor would not. */
static bool walk(uint64_t va, bool write, struct translation *t)
{
    uint64_t table = host.cr3, *slot = NULL;
    bool writable = true;

    for (unsigned level = 4; level > 0; level--) {
        mfn_t mfn = table >> PAGE_SHIFT;
        unsigned index = table_index(va, level);

        if (level_of_table(mfn, level, writable) == 4 && index >= HOLE_FIRST_SLOT && index <= HOLE_LAST_SLOT) {
            HARNESS_CHECK(guest_runs, "the hypervisor reads its own memory at %#lx as the guest's", va);
            return false;
        }
        slot = (uint64_t *)mfn_to_virt(mfn) + index;
        if (!(*slot & PTE_P))
            return false;
        HARNESS_CHECK(*slot & PTE_US, "va %#lx level %u: entry %#lx", va, level, *slot);
        HARNESS_CHECK(!(*slot & PTE_PS), "va %#lx level %u: entry %#lx", va, level, *slot);
        writable &= (*slot & PTE_RW) != 0;
        if (write && !writable)
            return false;
        *slot |= PTE_A;
        table = *slot & PTE_ADDR_MASK;
    }
    if (write)
        *slot |= PTE_D;
    *t = (struct translation){ .page = (va >> PAGE_SHIFT) + 1, .mfn = table >> PAGE_SHIFT,
                               .writable = writable && (*slot & PTE_D) };
    HARNESS_CHECK(mfn_valid(t->mfn), "va %#lx leads to mfn %#lx", va, t->mfn);
    t->owner = frame_owner(mfn_to_frame(t->mfn));
    return true;
}

/* The mapping of the bytes at va up to the end of its page; NULL: fault. */
static uint8_t *translate(uint64_t va, bool write)
{
    struct translation *t = &tlb[(va >> PAGE_SHIFT) % TLB_ENTRIES];

    if (!is_canonical(va) || host.cr3 == 0)
        return NULL;
    HARNESS_CHECK(va < HOLE_START || va >= HOLE_END, "%#lx is in the hypervisor's hole", va);
    if (t->page != (va >> PAGE_SHIFT) + 1 || (write && !t->writable))
        if (!walk(va, write, t)) {
            t->page = 0;
            return NULL;
        }
    return (uint8_t *)mfn_to_virt(t->mfn) + va % PAGE_SIZE;
}

/* Bytes not copied. From: direction of the copy as seen from the guest. */
static size_t copy(void *ours, uint64_t va, size_t len, bool write)
{
    uint8_t *p = ours;

    while (len > 0) {
        size_t n = MIN(len, PAGE_SIZE - va % PAGE_SIZE);
        uint8_t *guest = translate(va, write);

        if (guest == NULL)
            break;
        if (write)
            memcpy(guest, p, n);
        else
            memcpy(p, guest, n);
        p += n;
        va += n;
        len -= n;
    }
    return len;
}

/* Another thread of the guest, just behind the hypervisor's back: it can write what the guest can write. */
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
        if ((mfn_to_frame(mfn)->type & TYPE_MASK) == TYPE_WRITABLE &&
            (mfn_to_frame(mfn)->type & TYPE_COUNT_MASK))
            *p ^= (uint8_t)(1u << host_random() % 8);
    }
}

/* What guest_range_ok() lets through must never reach the hole: translate() sees to that. */
static size_t copy_in_unhidden(void *dst, uint64_t va, size_t len)
{
    size_t left = copy(dst, va, len, false);

    if (host.hostile_memory && left == 0 && len > 0)
        scribble(va, len);
    return left;
}

static size_t copy_in(void *dst, uint64_t va, size_t len)
{
    return linear_tables && linear_hides(va, len) ? len : copy_in_unhidden(dst, va, len);
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
    HARNESS_CHECK(n >= 1 && n <= 9, "n = %u", n);
    return copy_in(dst, va, 8ul * n) == 0;
}

bool get_guest_words_unhidden(void *dst, uint64_t va, unsigned n)
{
    HARNESS_CHECK(n >= 1 && n <= 9, "n = %u", n);
    return copy_in_unhidden(dst, va, 8ul * n) == 0;
}

bool put_guest_words(uint64_t va, const void *src, unsigned n)
{
    HARNESS_CHECK(n >= 1 && n <= 9, "n = %u", n);
    return copy((void *)(uintptr_t)src, va, 8ul * n, true) == 0;
}

static bool guest_copy(void *ours, uint64_t va, size_t len, bool write)
{
    size_t left;

    if (!guest_range_ok(va, len))
        return false;
    guest_runs = true;
    left = copy(ours, va, len, write);
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

/* Another domain's frame: its grant must still be pinned for us. */
static bool granted(const struct translation *t, struct grant_table *gt)
{
    for (grant_ref_t ref = 0; ref < gt->nr_frames * GRANTS_PER_FRAME; ref++) {
        const struct grant_pins *p = grant_pins_of(gt, ref);

        if (p->mfn == t->mfn && p->domid == current->domain->id &&
            (p->writers || (p->readers && !t->writable)))
            return true;
    }
    return false;
}

static void audit_translation(const struct translation *t)
{
    const struct frame *f = mfn_to_frame(t->mfn);
    uint64_t type = (f->type & TYPE_COUNT_MASK) ? f->type & TYPE_MASK : TYPE_NONE;

    if (f->owner == 0 && (f->count & FRAME_COUNT_MASK) == 0)
        return;                 /* free: nobody's, until somebody flushes and takes it */
    HARNESS_CHECK(frame_owner(f) == t->owner,
                  "mfn %#lx changed hands while a TLB still maps it at page %#lx (%s)", t->mfn, t->page - 1,
                  t->writable ? "writable" : "read-only");
    HARNESS_CHECK(t->owner == current->domain || is_idle(current) || granted(t, t->owner->grant),
                  "mfn %#lx of another domain is in a TLB at page %#lx, and no longer granted", t->mfn,
                  t->page - 1);
    HARNESS_CHECK(!t->writable || type == TYPE_WRITABLE || type == TYPE_NONE,
                  "mfn %#lx became type %#lx while a TLB still maps it writable at page %#lx", t->mfn,
                  type >> TYPE_SHIFT, t->page - 1);
}

void host_tlb_audit(void)
{
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        if (tlb[i].page != 0)
            audit_translation(&tlb[i]);
}

void host_audit(void)
{
    uint64_t want[PTES_PER_TABLE];

    host_tlb_audit();
    arch_fill_l4(want, NULL);
    for (mfn_t mfn = 0; mfn < max_mfn; mfn++) {
        const struct frame *f = mfn_to_frame(mfn);
        const uint64_t *l4;

        if ((f->type & (TYPE_MASK | TYPE_VALIDATED)) != (TYPE_L4 | TYPE_VALIDATED) ||
            !(f->type & TYPE_COUNT_MASK) || f->owner == 0)
            continue;
        l4 = mfn_to_virt(mfn);
        HARNESS_CHECK(memcmp(&l4[HOLE_FIRST_SLOT], &want[HOLE_FIRST_SLOT],
                             8 * (HOLE_LAST_SLOT - HOLE_FIRST_SLOT + 1)) == 0,
                      "L4 at mfn %#lx lost the hypervisor's entries", mfn);
    }
}
