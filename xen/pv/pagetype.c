/* Page types: what a frame may be used as, and validation of the contents of a page table before
 * its frame gets that type. Single entries are in l1_entry.c and mmu_update.c, descriptors in
 * cpu/segments.c, entries to the same level in linear.c. The invariants F2 to F8 are in
 * core/frame.h. A present entry may not have PWT, PCD, bit 7 (a large page; in an L1 entry PAT), an
 * address that no CPU has, NX where the CPU lacks it, nor, above L1, G; but an L1 entry for a
 * device's registers always has PCD (P2 of core/pci.h). Called wherever references on a frame's
 * type are taken or dropped.
 *
 * Validating or dropping a table of tables can take long. Between two of its children the owner's
 * mm_lock may be dropped, so that other vCPUs run. Meanwhile the table's type has TYPE_VALIDATING,
 * and a vCPU that asks for that same type sleeps until it is woken when that ends. There is no
 * deadlock, because validating a table waits only for tables of lower levels, and a vCPU that the
 * guest stops, or whose domain ends, stops only when its hypercall is done. */
#include "arch/arch.h"
#include "xen/core/alloc.h"
#include "xen/core/bug.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/lock.h"
#include "xen/core/pci.h"
#include "xen/core/sched.h"
#include "xen/core/sched_wake.h"
#include "xen/core/walk.h"
#include "xen/pv/desc.h"
#include "xen/pv/linear.h"
#include "xen/pv/pagetype.h"

#define WORK_PER_EMPTY_TABLE 700u
/* To take or drop the references of one table entry, or to check one descriptor. */
#define WORK_PER_ENTRY 32u

uint64_t l1_refused; /* bits that no present entry of a guest may have; set once */
static uint64_t table_refused;

void pagetype_init(void)
{
    uint64_t address = PTE_ADDR_MASK & ~((1ull << arch_paddr_bits()) - 1);

    table_refused = PTE_PWT | PTE_PCD | PTE_PS | PTE_G | address | (arch_has_nx() ? 0 : PTE_NX);
    /* Bit 7 of an L1 entry is PAT: guests may not choose memory types. An address beyond the RAM
     * is found later, as no frame. */
    l1_refused = table_refused & ~(PTE_G | PTE_ADDR_MASK);
}

/* The errno for a frame that is not the guest's. */
static int refuse_l1e_frame(mfn_t mfn)
{
    if (mfn == PTE_NO_MFN)
        return -EINVAL;
    return mfn >= max_mfn || is_no_ram(mfn_to_frame(mfn)) ? -EPERM : -EBUSY;
}

/* Takes the references one after the other: the frame is not of type writable yet, or cannot be, or
 * its word changed meanwhile. -EBUSY also if the frame has too many, or has another owner by
 * now. */
int get_l1e_slow(uint64_t l1e, struct domain *owner)
{
    struct frame *f;

    if (!l1e_flags_ok(l1e))
        return -EINVAL;
    f = get_frame(PTE_MFN(l1e), owner);
    if (f == NULL)
        return refuse_l1e_frame(PTE_MFN(l1e));
    if (!(l1e & PTE_RW) || get_page_type(f, TYPE_WRITABLE) == 0)
        return 0;
    put_page(f);
    return -EBUSY;
}

/* When a mapping of a descriptor page is removed, the page may be in use as an LDT page of some
 * vCPU; the guest expects that removing the mapping ends that use. */
void put_segdesc_page(struct frame *f, struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    count_work(d->nr_vcpus * WORK_PER_ENTRY);
    if (READ_ONCE(f->owner) == d->mfn)
        for_each_vcpu(d, v, i)
            drop_ldt(v);
}

#define OR_OF_8(e) ((e)[0] | (e)[1] | (e)[2] | (e)[3] | (e)[4] | (e)[5] | (e)[6] | (e)[7])
#define OR_OF_32(e) (OR_OF_8(e) | OR_OF_8(e + 8) | OR_OF_8(e + 16) | OR_OF_8(e + 24))

/* Most entries of most tables are 0, so where 8 are, the next ones are looked at by 32. */
static __attribute__((noinline)) uint64_t *skip_more(uint64_t *e, const uint64_t *end)
{
    for (;; e += 8) {
        while (end - e >= 32 && OR_OF_32(e) == 0)
            e += 32;
        if (e == end || OR_OF_8(e) != 0)
            return e;
    }
}

/* From an entry at which 8 entries begin, or from the next 8 that are not all 0; end: there are
 * none. */
static inline uint64_t *skip_empty(uint64_t *e, const uint64_t *end)
{
    return e < end && OR_OF_8(e) == 0 ? skip_more(e + 8, end) : e;
}

/* The same by numbers. */
static inline unsigned next_not_empty(uint64_t *table, unsigned i)
{
    return (unsigned)(skip_empty(&table[i], &table[PTES_PER_TABLE]) - table);
}

/* For an entry that gets no references. False: it is not for a device's registers, either. */
static __attribute__((noinline)) bool validate_device_l1e(uint64_t *entry, const struct domain *d)
{
    uint64_t to_store = pci_l1e(d, *entry);

    if (to_store != 0)
        *entry = l1e_to_store(to_store);
    return to_store != 0;
}

static int validate_l1(uint64_t *table, struct domain *d)
{
    uint64_t *end = table + PTES_PER_TABLE, *e = table;
    unsigned work = WORK_PER_EMPTY_TABLE;
    int rc = 0;

    while ((e = skip_empty(e, end)) < end) {
        work += 8 * WORK_PER_ENTRY;
        for (const uint64_t *next = e + 8; e < next; e++) {
            uint64_t entry = *e;

            if (!(entry & PTE_P))
                continue;
            rc = get_page_from_l1e(entry, d);
            if (likely(rc == 0))
                *e = l1e_to_store(entry);
            else if (!validate_device_l1e(e, d))
                goto undo;
        }
    }
    count_work(work);
    return 0;
undo:
    while (e-- > table)
        put_page_from_l1e(*e, d);
    count_work(work);
    return rc;
}

static void devalidate_l1(uint64_t *table, struct domain *d)
{
    uint64_t *end = table + PTES_PER_TABLE, *e = table;
    unsigned work = WORK_PER_EMPTY_TABLE;
    bool flushed = false;

    while ((e = skip_empty(e, end)) < end) {
        work += 8 * WORK_PER_ENTRY;
        for (const uint64_t *next = e + 8; e < next; e++)
            put_page_from_old_l1e(*e, d, &flushed);
    }
    count_work(work);
}

/* The child must be of the type one level down, or the entry is linear: a table of the same
 * level fails that check and is then tried as linear. */
int get_page_from_table_entry(uint64_t entry, struct frame *table)
{
    struct frame *f;
    int rc;

    if (unlikely(entry & table_refused))
        return -EINVAL;
    rc = get_page_and_type(PTE_MFN(entry), frame_owner(table), frame_type(table) - TYPE_L1, &f);
    return likely(rc != -EINVAL) ? rc : get_linear_table(entry, table);
}

void put_page_from_table_entry(uint64_t entry, struct frame *table)
{
    struct frame *child = mfn_to_frame(PTE_MFN(entry));

    if (!(entry & PTE_P))
        return;
    if (unlikely(frame_type(child) == frame_type(table)))
        put_linear_table(table, child);
    else
        put_page_and_type(child);
}

static bool is_hole_slot(uint64_t type, unsigned i)
{
    return type == TYPE_L4 && i >= HOLE_FIRST_SLOT && i <= HOLE_LAST_SLOT;
}

static void drop_entries(struct frame *f, uint64_t type, unsigned nr)
{
    uint64_t *table = mfn_to_virt(frame_to_mfn(f));
    unsigned work = WORK_PER_EMPTY_TABLE;

    for (unsigned i = 0; i < nr; i++) {
        if (!(i & 7)) {
            i = next_not_empty(table, i);
            if (i >= nr)
                break;
            work += 8 * WORK_PER_ENTRY;
        }
        if (is_hole_slot(type, i) || !(table[i] & PTE_P))
            continue;
        if (nr_type_refs(READ_ONCE(mfn_to_frame(PTE_MFN(table[i]))->word)) == 1)
            /* The child may be dropped with this reference. */
            mm_preempt_after(frame_owner(f), WORK_PER_ENTRY);
        put_page_from_table_entry(table[i], f);
    }
    count_work(work);
}

static int validate_table(struct frame *f, uint64_t type, struct domain *d)
{
    uint64_t *table = mfn_to_virt(frame_to_mfn(f));
    unsigned work = WORK_PER_EMPTY_TABLE;

    for (unsigned i = 0; i < PTES_PER_TABLE; i++) {
        int rc;

        if (!(i & 7)) {
            i = next_not_empty(table, i);
            if (i == PTES_PER_TABLE)
                break;
            work += 8 * WORK_PER_ENTRY;
        }
        if (!(table[i] & PTE_P) || is_hole_slot(type, i))
            continue;
        rc = get_page_from_table_entry(table[i], f);
        if (rc != 0) {
            drop_entries(f, type, i);
            return rc;
        }
        table[i] |= PTE_US | (type == TYPE_L4 ? PTE_A : 0);
        if (nr_type_refs(READ_ONCE(mfn_to_frame(PTE_MFN(table[i]))->word)) == 1)
            mm_preempt_after(d, WORK_PER_ENTRY);
    }
    count_work(work);
    if (type == TYPE_L4) {
        arch_fill_l4(table, d);
        arch_show_m2p(table, m2p_is_strict(d));
    }
    return 0;
}

static int validate_frame(struct frame *f, uint64_t type, struct domain *d)
{
    if (type == TYPE_L1)
        return validate_l1(mfn_to_virt(frame_to_mfn(f)), d);
    if (type == TYPE_SEGDESC) {
        count_work(PTES_PER_TABLE * WORK_PER_ENTRY);
        return validate_segdesc_frame(f);
    }
    return validate_table(f, type, d);
}

static void devalidate_frame(struct frame *f, uint64_t type)
{
    if (type == TYPE_L1)
        devalidate_l1(mfn_to_virt(frame_to_mfn(f)), frame_owner(f));
    else if (type != TYPE_SEGDESC)
        drop_entries(f, type, PTES_PER_TABLE);
}

static inline bool is_validating_as(uint64_t word, uint64_t type)
{
    return (word & (TYPE_MASK | TYPE_VALIDATING)) == (type | TYPE_VALIDATING);
}

/* Waits while the frame is being validated as that type, or dropped. An event wakes the vCPU too,
 * and then it sleeps again. */
static __attribute__((noinline)) void wait_while_validating(struct frame *f, uint64_t type)
{
    struct vcpu *v = current;
    struct domain *d = v->domain;
    uint32_t bit = 1u << v->id;

    locked_add(&mm_preempted, 1u);
    while (is_validating_as(READ_ONCE(f->word), type)) {
        ASSERT(locks_held() <= 1);
        d->type_waiters |= bit;
        d->awaited[v->id] = (uint32_t)frame_to_mfn(f);
        vcpu_wait(&d->mm_lock);
        d->type_waiters &= ~bit;
    }
    locked_add(&mm_preempted, -1u);
}

static void wake_type_waiters(struct domain *d, const struct frame *f)
{
    struct vcpu *v;
    unsigned i;

    for_each_vcpu(d, v, i)
        if ((d->type_waiters >> i & 1) && d->awaited[i] == frame_to_mfn(f))
            vcpu_wake(v);
}

/* VALIDATING was cleared, whatever came of it. */
static inline void validating_ended(struct domain *d, const struct frame *f)
{
    if (unlikely(d->type_waiters != 0))
        wake_type_waiters(d, f);
}

/* The frame is of that type in use: one reference more. */
static int add_type_ref(struct frame *f, uint64_t *word, uint64_t type)
{
    if ((*word & TYPE_MASK) != type)
        return -EINVAL;
    if (!may_get(nr_type_refs(*word)))
        return -EBUSY;
    return try_cmpxchg(&f->word, word, *word + TYPE_REF) ? 0 : -EAGAIN;
}

/* VALIDATING is set and keeps others away. */
static int validate_claimed(struct frame *f, uint64_t type)
{
    struct domain *d = frame_owner(f);
    int rc = validate_frame(f, type, d);

    if (rc == 0)
        locked_add(&f->word, TYPE_VALIDATED - TYPE_VALIDATING);
    else
        locked_add(&f->word, -(type | TYPE_VALIDATING | TYPE_REF));
    validating_ended(d, f);
    return rc;
}

/* The first reference of a type, on a frame with this word. Under mm_lock, no other use can begin
 * between the flush and the claim. -EAGAIN: the word changed meanwhile. */
static int claim_type(struct frame *f, uint64_t *word, uint64_t type)
{
    uint64_t claimed = (*word & ~(TYPE_MASK | TYPE_VALIDATED)) | type | TYPE_REF;

    if ((*word & TYPE_MASK) != type)
        flush_since(frame_owner(f), f->stamp);
    claimed |= type == TYPE_WRITABLE ? TYPE_VALIDATED : TYPE_VALIDATING;
    if (!try_cmpxchg(&f->word, word, claimed))
        return -EAGAIN;
    return type == TYPE_WRITABLE ? 0 : validate_claimed(f, type);
}

/* Every case that get_page_type does not decide inline: a new type, the wrong type, one that is
 * being validated, or a word that another CPU changes meanwhile. */
int get_page_type_slow(struct frame *f, uint64_t type)
{
    uint64_t word = READ_ONCE(f->word);
    int rc;

    if (unlikely(is_validating_as(word, type))) {
        wait_while_validating(f, type);
        word = READ_ONCE(f->word);
    }
    do {
        rc = nr_type_refs(word) != 0 ? add_type_ref(f, &word, type) : claim_type(f, &word, type);
    } while (rc == -EAGAIN);
    return rc;
}

int get_page_and_type_slow(struct frame *f, const struct domain *d, uint64_t type)
{
    int rc = -EINVAL;

    if (get_page(f, d)) {
        rc = get_page_type_slow(f, type);
        if (rc != 0)
            put_page(f);
    }
    return rc;
}

/* Drops the last reference of the type of a table or a descriptor page, and with it the references
 * that the table's entries hold. The type stays recorded, without VALIDATED and with count 0. */
void put_page_type_last(struct frame *f)
{
    struct domain *d = frame_owner(f);

    locked_add(&f->word, TYPE_VALIDATING - TYPE_VALIDATED);
    devalidate_frame(f, frame_type(f));
    ASSERT(nr_type_refs(READ_ONCE(f->word)) == 1 && (READ_ONCE(f->word) & TYPE_VALIDATING));
    f->stamp = d->epoch;
    locked_add(&f->word, -(TYPE_VALIDATING | TYPE_REF));
    validating_ended(d, f);
}
