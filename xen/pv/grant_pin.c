/* Checks what a grant entry permits, and counts the pins of entries in use: versions 1 and 2,
 * parts of pages, and transitive grants. Called by grant_map.c and grant_copy.c.
 *
 * The guest may write its entries at any time: each is read once and then checked. In version 1
 * the status bits are in the entry, and are set by compare-and-exchange on the 32-bit word that
 * flags and domid share. In version 2 they are in another page, so the word is read again after
 * they are set. A guest that revokes a grant clears the entry first and reads the status then.
 * So either the guest sees the status, or the hypervisor sees the cleared entry. */
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/lock.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_pin.h"

enum purpose { FOR_MAPPING, FOR_COPY };

/* Whether domid may use the grant whose first word this is. If it has the entry pinned already,
 * type and domain were checked then, and only a new wish to write is checked. */
static inline bool permits(uint32_t word, domid_t domid, bool readonly, bool in_use,
                           unsigned version, enum purpose purpose)
{
    uint32_t type = word & (purpose == FOR_MAPPING ? GTF_type_mask | GTF_sub_page : GTF_type_mask);

    if (!readonly && (word & GTF_readonly))
        return false;
    if (in_use)
        return true;
    return word >> 16 == domid && (type == GTF_permit_access ||
                                   (version == 2 && purpose == FOR_COPY && type == GTF_transitive));
}

static inline int claim_v1(struct grant_entry_v1 *e, domid_t domid, bool readonly, bool in_use,
                           enum purpose purpose)
{
    uint32_t *word = (uint32_t *)e, old = READ_ONCE(*word);
    uint32_t bits = readonly ? GTF_reading : GTF_reading | GTF_writing;

    for (unsigned tries = 0; tries < 5; tries++) {
        if (!permits(old, domid, readonly, in_use, 1, purpose))
            break;
        if (__atomic_compare_exchange_n(word, &old, old | bits, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return GNTST_okay;
    }
    return GNTST_general_error;
}

static int claim_v2(struct grant_table *gt, grant_ref_t ref, domid_t domid, bool readonly,
                    bool in_use, enum purpose purpose)
{
    const uint32_t *word = (const uint32_t *)grant_entry_v2_of(gt, ref);
    grant_status_t *status = grant_status_of(gt, ref),
                   bits = readonly ? GTF_reading : GTF_reading | GTF_writing;

    if (!permits(READ_ONCE(*word), domid, readonly, in_use, 2, purpose))
        return GNTST_general_error;
    __atomic_fetch_or(status, bits, __ATOMIC_SEQ_CST);
    if (permits(READ_ONCE(*word), domid, readonly, in_use, 2, purpose))
        return GNTST_okay;
    __atomic_fetch_and(status, (grant_status_t)(in_use ? ~GTF_writing : 0), __ATOMIC_SEQ_CST);
    return GNTST_general_error;
}

/* Sets the status bits, if the entry permits the request. If the guest keeps changing the entry,
 * this gives up after a few attempts. */
static inline int claim(struct grant_table *gt, grant_ref_t ref, domid_t domid, bool readonly,
                        bool in_use, enum purpose purpose)
{
    if (likely(gt->version == 1))
        return claim_v1(grant_entry_v1_of(gt, ref), domid, readonly, in_use, purpose);
    return claim_v2(gt, ref, domid, readonly, in_use, purpose);
}

/* All pins of an entry are for one domain, and their counts have 16 bits. */
static inline bool pins_full(const struct grant_pins *p, domid_t domid)
{
    return p->domid != domid || p->readers == UINT16_MAX || p->writers == UINT16_MAX;
}

static inline void count_pin(struct grant_table *gt, struct grant_pins *p, bool readonly)
{
    *(readonly ? &p->readers : &p->writers) += 1;
    gt->nr_pins++;
}

/* A frame number of more than 32 bits becomes one that no frame has. */
static inline uint32_t frame_of_v2(uint64_t frame)
{
    return (uint32_t)MIN(frame, UINT32_MAX);
}

/* Sets up the pins of an entry that has none. */
static inline void set_area(struct grant_pins *p, domid_t domid, uint32_t mfn, uint16_t start,
                            uint16_t length)
{
    p->mfn = mfn;
    p->domid = domid;
    p->start = start;
    p->length = length;
}

static __attribute__((noinline)) int pin_slow(struct grant_table *gt, grant_ref_t ref,
                                              domid_t domid, bool readonly)
{
    struct grant_pins *p = grant_pins_of(gt, ref);
    bool in_use = (p->readers | p->writers) != 0;
    int rc = GNTST_okay;

    if (in_use && (pins_full(p, domid) || p->length != PAGE_SIZE))
        rc = GNTST_general_error;
    else if (!in_use || (!readonly && p->writers == 0))
        rc = claim(gt, ref, domid, readonly, in_use, FOR_MAPPING);
    if (rc != GNTST_okay)
        return rc;
    if (!in_use)
        set_area(p, domid,
                 gt->version == 1
                     ? READ_ONCE(grant_entry_v1_of(gt, ref)->frame)
                     : frame_of_v2(READ_ONCE(grant_entry_v2_of(gt, ref)->full_page.frame)),
                 0, PAGE_SIZE);
    count_pin(gt, p, readonly);
    return GNTST_okay;
}

/* The usual case: version 1, no pins yet, and the guest does not change the entry meanwhile. */
static inline bool pin_unused_v1(struct grant_table *gt, grant_ref_t ref, domid_t domid,
                                 bool readonly, struct grant_pins *p)
{
    struct grant_entry_v1 *e = grant_entry_v1_of(gt, ref);
    uint32_t *word = (uint32_t *)e, old = READ_ONCE(*word);
    uint32_t bits = readonly ? GTF_reading : GTF_reading | GTF_writing;

    if (!permits(old, domid, readonly, false, 1, FOR_MAPPING) ||
        !__atomic_compare_exchange_n(word, &old, old | bits, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return false;
    set_area(p, domid, READ_ONCE(e->frame), 0, PAGE_SIZE);
    count_pin(gt, p, readonly);
    return true;
}

int grant_pin(struct domain *rd, grant_ref_t ref, domid_t domid, bool readonly, mfn_t *mfn)
{
    struct grant_table *gt = rd->grant;
    struct grant_pins *p;
    int rc = GNTST_okay;

    spin_lock(&gt->lock);
    if (unlikely(ref >= gt->nr_entries)) {
        spin_unlock(&gt->lock);
        return GNTST_bad_gntref;
    }
    p = grant_pins_of(gt, ref);
    if (unlikely(gt->version != 1 || (p->readers | p->writers) != 0 ||
                 !pin_unused_v1(gt, ref, domid, readonly, p)))
        rc = pin_slow(gt, ref, domid, readonly);
    *mfn = p->mfn;
    spin_unlock(&gt->lock);
    return rc;
}

void grant_unpin(struct domain *rd, grant_ref_t ref, bool readonly)
{
    struct grant_table *gt = rd->grant;
    struct grant_pins *p = grant_pins_of(gt, ref);
    uint16_t clear = 0;

    spin_lock(&gt->lock);
    *(readonly ? &p->readers : &p->writers) -= 1;
    gt->nr_pins--;
    if (p->writers == 0)
        clear |= GTF_writing;
    if ((p->readers | p->writers) == 0)
        clear |= GTF_reading;
    if (clear != 0)
        __atomic_fetch_and(grant_status_of(gt, ref), (uint16_t)~clear, __ATOMIC_SEQ_CST);
    spin_unlock(&gt->lock);
}

/* --- Copies ----------------------------------------------------------------------------------- */

/* Reads an entry once, and converts it to the format of version 2. */
static union grant_entry_v2 read_entry(const struct grant_table *gt, grant_ref_t ref)
{
    const volatile union grant_entry_v2 *e = grant_entry_v2_of(gt, ref);
    union grant_entry_v2 copy = { .full_page.hdr.flags = GTF_permit_access };

    if (gt->version == 1)
        copy.full_page.frame = READ_ONCE(grant_entry_v1_of(gt, ref)->frame);
    else
        for (unsigned i = 0; i < ARRAY_SIZE(copy.__spacer); i++)
            copy.__spacer[i] = e->__spacer[i];
    return copy;
}

static bool is_transitive(const union grant_entry_v2 *e)
{
    return (e->hdr.flags & GTF_type_mask) == GTF_transitive;
}

/* Pins the entry itself. The pin of a transitive entry names no frame until the second grant is
 * found, and cannot be used before. */
static int pin_entry(struct domain *rd, grant_ref_t ref, domid_t domid, bool readonly,
                     union grant_entry_v2 *e, bool *first)
{
    struct grant_table *gt = rd->grant;
    struct grant_pins *p;
    int rc = GNTST_okay;

    if (ref >= gt->nr_entries)
        return GNTST_bad_gntref;
    p = grant_pins_of(gt, ref);
    *first = (p->readers | p->writers) == 0;
    if (!*first && pins_full(p, domid))
        return GNTST_general_error;
    if (*first || (!readonly && p->writers == 0))
        rc = claim(gt, ref, domid, readonly, !*first, FOR_COPY);
    if (rc != GNTST_okay)
        return rc;
    *e = read_entry(gt, ref);
    if (*first && is_transitive(e))
        set_area(p, domid, UINT32_MAX, 0, 0);
    else if (*first && (e->hdr.flags & GTF_sub_page))
        set_area(p, domid, frame_of_v2(e->sub_page.frame), e->sub_page.page_off,
                 e->sub_page.length);
    else if (*first)
        set_area(p, domid, frame_of_v2(e->full_page.frame), 0, PAGE_SIZE);
    count_pin(gt, p, readonly);
    return GNTST_okay;
}

/* Pins one entry, and sets the frame and bytes that its pins stand for. */
static int pin_one(struct domain *rd, grant_ref_t ref, domid_t domid, bool readonly,
                   union grant_entry_v2 *e, bool *first, struct grant_area *area)
{
    const struct grant_pins *p;
    int rc;

    spin_lock(&rd->grant->lock);
    rc = pin_entry(rd, ref, domid, readonly, e, first);
    if (rc == GNTST_okay) {
        p = grant_pins_of(rd->grant, ref);
        *area = (struct grant_area){ .owner = rd,
                                    .owner_ref = ref,
                                    .mfn = p->mfn,
                                    .start = p->start,
                                    .length = p->length};
    }
    spin_unlock(&rd->grant->lock);
    return rc;
}

/* Pins the grant that the transitive entry e of rd names, for rd; *area: what that grant
 * permits. */
static int pin_target(struct domain *rd, const union grant_entry_v2 *e, bool readonly,
                      struct grant_area *area)
{
    struct domain *td = e->transitive.trans_domid == rd->id
                            ? NULL
                            : domain_by_id(e->transitive.trans_domid);
    union grant_entry_v2 target;
    bool first;
    int rc;

    if (td == NULL)
        return GNTST_general_error;
    rc = pin_one(td, e->transitive.gref, rd->id, readonly, &target, &first, area);
    if (rc != GNTST_okay || !is_transitive(&target))
        return rc;
    grant_unpin(td, e->transitive.gref, readonly);
    return GNTST_general_error;             /* the second grant is transitive, too */
}

/* The other side of the same copy may have pinned rd's entry already: then both stand for the
 * same bytes. */
static int settle_area(struct domain *rd, grant_ref_t ref, bool first,
                       const struct grant_area *area)
{
    struct grant_pins *p = grant_pins_of(rd->grant, ref);
    int rc = GNTST_okay;

    spin_lock(&rd->grant->lock);
    if (first)
        set_area(p, p->domid, (uint32_t)area->mfn, area->start, area->length);
    else if (p->mfn != area->mfn || p->start != area->start || p->length != area->length)
        rc = GNTST_general_error;
    spin_unlock(&rd->grant->lock);
    return rc;
}

int grant_pin_for_copy(struct domain *rd, grant_ref_t ref, domid_t domid, bool readonly,
                       struct grant_area *area)
{
    union grant_entry_v2 e;
    bool first;
    int rc = pin_one(rd, ref, domid, readonly, &e, &first, area);

    if (rc != GNTST_okay || !is_transitive(&e))
        return rc;
    rc = pin_target(rd, &e, readonly, area);
    if (rc == GNTST_okay) {
        rc = settle_area(rd, ref, first, area);
        if (rc != GNTST_okay)
            grant_unpin(area->owner, area->owner_ref, readonly);
    }
    if (rc != GNTST_okay)
        grant_unpin(rd, ref, readonly);
    return rc;
}

void grant_unpin_copy(struct domain *rd, grant_ref_t ref, bool readonly,
                      const struct grant_area *area)
{
    if (area->owner != rd)
        grant_unpin(area->owner, area->owner_ref, readonly);
    grant_unpin(rd, ref, readonly);
}
