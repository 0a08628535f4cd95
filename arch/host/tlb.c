/* The caches of the fake MMU, and audits of their content. Level 0 is the TLB: page number to
 * frame. Levels 1 to 3 are the paging-structure caches (Intel SDM vol. 3, 4.10.3): the address bits
 * above those that index an L1, L2 or L3, to the frame of that table. INVLPG of one page drops all
 * entries of levels 1 to 3, as on a CPU.
 *
 * The caches are filled by guest_mem.c and flushed by xen/ (arch_flush_all). A load of CR3 alone
 * keeps the global translations of level 0. host_audit checks that no translation is left in them
 * which a guest may no longer have; tests call it after each operation. */
#include <string.h>
#include "arch/arch.h"
#include "host.h"
#include "xen/core/alloc.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/sched.h"
#include "xen/core/walk.h"
#include "xen/pv/grant.h"

#define TLB_ENTRIES 256u

/* The cache of one level, of one CPU. `list` names the entries filled since the last flush, so that
 * an audit after each hypercall need not look at all of them. */
static struct level {
    struct host_translation entry[TLB_ENTRIES];
    uint64_t generation;        /* entries with an older one are flushed */
    uint64_t listed[TLB_ENTRIES];   /* the generation in whose list the entry is */
    unsigned list[TLB_ENTRIES], nr_listed;
} caches[HOST_CPUS][4];
static HOST_TLS struct level *levels = caches[0];       /* those of the CPU that runs */
/* What each of the hypervisor's L4 slots holds, without the number of the slot, which is added. */
static uint64_t hole_l3;

static uint64_t prefix_of(unsigned level, uint64_t va)
{
    return (va >> (PAGE_SHIFT + 9 * level)) + 1;
}

static struct host_translation *place_of(unsigned level, uint64_t va)
{
    return &levels[level].entry[prefix_of(level, va) % TLB_ENTRIES];
}

static void forget(struct level *l)
{
    l->generation++;
    l->nr_listed = 0;
}

const struct host_translation *host_tlb_find(unsigned level, uint64_t va)
{
    const struct host_translation *t = place_of(level, va);

    return t->generation == levels[level].generation && t->prefix == prefix_of(level, va) ?
               t : NULL;
}

static void note_filled(struct level *l, unsigned i)
{
    l->entry[i].generation = l->generation;
    if (l->listed[i] == l->generation)
        return;
    l->listed[i] = l->generation;
    l->list[l->nr_listed++] = i;
}

/* t, without its generation and prefix. */
void host_tlb_set(unsigned level, uint64_t va, const struct host_translation *t)
{
    struct level *l = &levels[level];
    uint64_t prefix = prefix_of(level, va);
    unsigned i = prefix % TLB_ENTRIES;

    l->entry[i] = *t;
    l->entry[i].prefix = prefix;
    note_filled(l, i);
}

void host_tlb_add(unsigned level, uint64_t va, mfn_t mfn, bool writable, bool global)
{
    host_tlb_set(level, va,
                 &(struct host_translation){ .mfn = mfn, .writable = writable, .global = global,
                                             .owner = frame_owner(mfn_to_frame(mfn)) });
}

void host_tlb_fault(uint64_t va)
{
    for (unsigned level = 0; level < 4; level++)
        if (host_tlb_find(level, va) != NULL)
            place_of(level, va)->generation = 0;
}

void host_tlb_forget(void)
{
    for (unsigned level = 0; level < 4; level++)
        forget(&levels[level]);
}

/* By a load of CR3. */
static void forget_but_global(void)
{
    struct level *l = &levels[0];
    unsigned nr = l->nr_listed;

    host_tlb_forget();
    for (unsigned n = 0; n < nr; n++) {
        unsigned i = l->list[n];

        if (l->entry[i].generation + 1 == l->generation && l->entry[i].global)
            note_filled(l, i);
    }
}

/* All CPUs', at the start of a machine. */
void host_tlb_start(void)
{
    for (unsigned cpu = HOST_CPUS; cpu-- > 0;) {
        host_tlb_select(cpu);
        host_tlb_forget();
    }
}

void host_tlb_select(unsigned cpu)
{
    levels = caches[cpu];
}

/* What a CPU may do at any time: walks one of the addresses that it has translated before, if the
 * translation is no longer cached, and caches it. */
void host_tlb_speculate(uint64_t random)
{
    const struct host_translation *t = &levels[0].entry[random % TLB_ENTRIES];

    if (t->prefix != 0)
        host_walk_again((t->prefix - 1) << PAGE_SHIFT);
}

void arch_flush_all(void)
{
    uint64_t epoch = READ_ONCE(current->domain->epoch);

    host_step();
    host.full_flushes++;
    host_tlb_forget();
    WRITE_ONCE(current->flushed, epoch);
}

void arch_flush_tlb_one(uint64_t va)
{
    host_step();
    host.page_flushes++;
    if (host_tlb_find(0, va) != NULL)
        place_of(0, va)->generation = 0;
    for (unsigned level = 1; level < 4; level++)
        forget(&levels[level]);
}

static void load_cr3(const struct vcpu *v)
{
    host.root_loads++;
    host.cr3 = root_of(v);
    forget_but_global();
}

void arch_load_root(struct vcpu *v)
{
    host_step();
    load_cr3(v);
}

void arch_load_root_and_flush(struct vcpu *v)
{
    uint64_t epoch = READ_ONCE(v->domain->epoch);

    host_step();
    load_cr3(v);
    host_tlb_forget();
    WRITE_ONCE(v->flushed, epoch);
}

void host_load_root(struct vcpu *v)
{
    uint64_t epoch = READ_ONCE(v->domain->epoch);

    load_cr3(v);
    host_tlb_forget();
    WRITE_ONCE(v->flushed, epoch);
}

/* A CPU may still use the frame as a table of that level: it is one; or it is a table of a higher
 * level and the walk is read-only (a linear entry); or it was a table, and has no type now. */
bool host_walkable(mfn_t mfn, unsigned level, bool writable)
{
    const struct frame *f = mfn_to_frame(mfn);
    unsigned type = mfn_valid(mfn) ? (unsigned)(f->word >> TYPE_SHIFT) : 7;

    if (type == 0)
        return f->owner != 0 && nr_type_refs(f->word) == 0;
    return type == level || (type > level && type <= 4 && !writable);
}

/* The fake machine has no read-only M2P in guests' address spaces. */
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

/* A frame of another domain: some grant of it must still be mapped by d, writable if t is. */
static bool granted(const struct host_translation *t, struct grant_table *gt,
                    const struct domain *d)
{
    for (grant_ref_t ref = 0; ref < gt->nr_frames * GRANTS_PER_FRAME; ref++) {
        const struct grant_pins *p = grant_pins_of(gt, ref);

        if (p->mfn == t->mfn && p->domid == d->id &&
            (p->writers || (p->readers && !t->writable)))
            return true;
    }
    return false;
}

/* t is in the TLB of a CPU that runs v. */
static void audit_translation(const struct host_translation *t, const struct vcpu *v)
{
    const struct frame *f = mfn_to_frame(t->mfn);
    uint64_t type = nr_type_refs(f->word) != 0 ? frame_type(f) : TYPE_NONE;

    HOST_CHECK(f->owner != 0 && frame_owner(f) == t->owner,
               "mfn %#lx got another owner while a TLB still maps it at page %#lx (%s)", t->mfn,
               t->prefix - 1, t->writable ? "writable" : "read-only");
    HOST_CHECK(t->owner == v->domain || is_idle(v) || granted(t, t->owner->grant, v->domain),
               "mfn %#lx of another domain is in a TLB at page %#lx, and no longer granted", t->mfn,
               t->prefix - 1);
    /* While a frame is VALIDATING, the flush may come still. */
    HOST_CHECK(!t->writable || type == TYPE_WRITABLE || type == TYPE_NONE ||
                   (f->word & TYPE_VALIDATING),
               "mfn %#lx became type %#lx while a TLB still maps it writable at page %#lx", t->mfn,
               type >> TYPE_SHIFT, t->prefix - 1);
}

/* t, of a paging-structure cache, must point to a frame that may still be used as a table. */
static void audit_remembered_table(const struct host_translation *t, unsigned level)
{
    const struct frame *f = mfn_to_frame(t->mfn);

    HOST_CHECK(host_walkable(t->mfn, level, t->writable),
               "mfn %#lx became type %#lx while the CPU may still walk it as a table of level %u, "
               "prefix %#lx",
               t->mfn, f->word, level, t->prefix - 1);
    HOST_CHECK(f->owner != 0 && frame_owner(f) == t->owner,
               "mfn %#lx got another owner while the CPU may still walk it as a table of level %u, "
               "prefix %#lx",
               t->mfn, level, t->prefix - 1);
}

static void audit_cpu(unsigned cpu)
{
    for (unsigned level = 0; level < 4; level++) {
        const struct level *l = &caches[cpu][level];

        for (unsigned i = 0; i < l->nr_listed; i++) {
            const struct host_translation *t = &l->entry[l->list[i]];

            if (t->generation != l->generation)
                continue;
            if (level == 0)
                audit_translation(t, host_current_of(cpu));
            else
                audit_remembered_table(t, level);
        }
    }
}

void host_tlb_audit(void)
{
    for (unsigned cpu = 0; cpu < host_nr_cpus; cpu++)
        if (host_current_of(cpu) != NULL)
            audit_cpu(cpu);
}

void host_audit(void)
{
    uint64_t want[PTES_PER_TABLE];

    host_tlb_audit();
    arch_fill_l4(want, NULL);
    for (mfn_t mfn = 0; mfn < max_mfn; mfn++) {
        const struct frame *f = mfn_to_frame(mfn);
        const uint64_t *l4;

        if (!is_valid_as(f, TYPE_L4) || f->owner == 0)
            continue;
        l4 = mfn_to_virt(mfn);
        HOST_CHECK(memcmp(&l4[HOLE_FIRST_SLOT], &want[HOLE_FIRST_SLOT],
                             8 * (HOLE_LAST_SLOT - HOLE_FIRST_SLOT + 1)) == 0,
                      "L4 at mfn %#lx lost the hypervisor's entries", mfn);
    }
}
