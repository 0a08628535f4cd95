/* What must hold in each state, recounted from the entries, pins, roots, owners and handles,
 * without code of the hypervisor. In the middle of a call there may be references that no entry
 * accounts for; all else must hold there, too. */
#include "model.h"

struct found found[MAX_FRAMES];
static bool in_a_call;

static uint64_t refs_of(const struct frame *f)
{
    return f->word & 0x7ffffff;
}

static uint64_t type_refs_of(const struct frame *f)
{
    return f->word >> 27 & 0x7ffffff;
}

static unsigned type_of(const struct frame *f)
{
    return type_refs_of(f) != 0 ? (unsigned)(f->word >> 60) : 0;
}

/* Entries of its tables that map another domain's frame are grants. */
static const char *check_owner(const struct frame *f, struct found *t, uint64_t entry,
                               unsigned level, unsigned domain)
{
    if (f->owner == domains[domain]->mfn)
        return NULL;
    if (f->owner == 0 || nr_domains == 1)
        return "an entry leads to a frame that the domain does not own";
    if (level > 1)
        return "an entry leads to another domain's table";
    t->foreign[entry >> 1 & 1]++;
    return NULL;
}

/* An entry of a table of this level; self: which of the model's frames the table is, -1 for
 * another. */
static const char *check_entry(uint64_t entry, unsigned level, int self, unsigned domain)
{
    int i = frame_index(entry << 12 >> 24);
    struct found *t;
    const struct frame *f;
    const char *wrong;

    if (!(entry & 1))
        return NULL;
    if (i < 0)
        return "an entry leads to a frame that is not the domain's";
    t = &found[i];
    f = mfn_to_frame(model_mfn[i]);
    wrong = check_owner(f, t, entry, level, domain);
    if (wrong != NULL)
        return wrong;
    if (level > 1 && type_of(f) == level) {         /* linear */
        if (entry & 2)
            return "an entry to a table of its own level is writable";
        if (i == self)
            return NULL;
        t->linear_uses++;
        if (self >= 0)
            found[self].linear_entries++;
        if (t->linear_uses && t->linear_entries)
            return "a chain of linear entries";
    } else if (level > 1 && (type_of(f) != level - 1 || !(f->word >> 59 & 1))) {
        return "an entry of a table leads to what is no valid table of the level below";
    }
    t->refs++;
    t->types += level > 1 || (entry & 2);
    t->writable += level == 1 && (entry & 2);
    t->mapped += level == 1;
    t->tables += level > 1;
    return NULL;
}

static unsigned roots_at(mfn_t mfn)
{
    unsigned nr = 0;

    for (unsigned a = 0; a < nr_actors; a++)
        nr += actors[a]->root_user >> 12 == mfn && !ended[domain_of_actor(a)];
    return nr;
}

static const char *check_counts(const struct frame *f, const struct found *t)
{
    uint64_t refs = refs_of(f), types = type_refs_of(f);

    if (in_a_call ? refs < t->refs : refs != t->refs)
        return "references";
    if (in_a_call ? types < t->types : types != t->types)
        return "type references";
    if (!in_a_call && ((f->linear & 0x3ff) != t->linear_entries ||
                       f->linear >> 10 != t->linear_uses))
        return "counts of linear entries";
    return refs == 0 ? "a frame without references is not free" : NULL;
}

static const char *check_frame(unsigned i)
{
    const struct frame *f = mfn_to_frame(model_mfn[i]);
    struct found *t = &found[i];
    unsigned level = type_of(f), roots = roots_at(model_mfn[i]),
             uses = descriptor_uses(model_mfn[i]);
    bool pinned = f->word >> 57 & 1, validated = f->word >> 59 & 1;

    if (!in_a_call && (f->word >> 58 & 1))
        return "a frame is still being validated";
    if (f->owner != 0 && type_refs_of(f) == 0 && validated != (f->word >> 60 == 7))
        return "a type without references is valid, or writable is not";
    if (t->writable && (t->tables || pinned || roots || uses || (level >= 1 && level <= 5)))
        return "a table is mapped writable";
    if (f->owner == 0)
        return t->refs || roots || pinned || uses ? "a free frame is referenced" : NULL;
    t->refs += (f->word >> 56 & 1) + pinned + roots + uses;
    t->types += pinned + roots + uses;
    if (roots && level != 4)
        return "a root that is no L4";
    if (uses && level != 5)
        return "a descriptor table that is none";
    return check_counts(f, t);
}

/* What the CPU has cached at this level: level 0 is a translation, at the others it walks the
 * frame as a table. */
static const char *check_remembered(const struct host_translation *t, unsigned level, unsigned cpu)
{
    unsigned domain = domain_of_cpu(cpu);
    int i = t != NULL ? frame_index(t->mfn) : -1;
    const struct frame *f = mfn_to_frame(model_mfn[i < 0 ? 0 : i]);
    unsigned type = type_of(f);

    if (i < 0)
        return NULL;
    if (f->owner != domains[domain]->mfn && (f->owner == 0 || level != 0 || nr_domains == 1 ||
                                             !is_granted(domain, t->mfn, t->writable, in_a_call)))
        return "the CPU still leads the guest to a frame that is not its own";
    if (f->owner != domains[domain]->mfn && t->writable && type != 7)
        return "the CPU still leads the guest to a frame that it may not write any more";
    if (level == 0)
        return t->writable && type >= 1 && type <= 5
                   ? "the TLB still has a writable mapping of a table"
                   : NULL;
    if (found[i].writable ||
        (type != 0 && type != level && (type < level || type > 4 || t->writable)))
        return "the CPU still walks, as a table, what is none of that level";
    return NULL;
}

/* No entry leads there any more, or no writable one: before the frame's next use the CPU must be
 * flushed, so the frame's stamp must say so. A table may be read by linear entries, and be walked
 * when no entry leads to it any more, until its use as a table ends. */
static const char *check_owed(const struct host_translation *t, unsigned level, unsigned cpu)
{
    int i = t != NULL ? frame_index(t->mfn) : -1;
    const struct frame *f = mfn_to_frame(model_mfn[i < 0 ? 0 : i]);
    bool is_table = type_of(f) >= 1 && type_of(f) <= 4;

    if (i < 0 || f->owner != domains[domain_of_cpu(cpu)]->mfn ||
        (is_table && !(level == 0 && t->writable)))
        return NULL;
    if (level == 0 && (t->writable ? found[i].writable : found[i].mapped) != 0)
        return NULL;
    return actors[cpu]->flushed > f->stamp ? "a CPU has cached what is gone, and no flush is owed"
                                           : NULL;
}

static const char *check_place(const struct place *p, unsigned cpu)
{
    const char *wrong = NULL;

    if (p->domain != domain_of_cpu(cpu))
        return NULL;
    for (unsigned level = 0; level < p->level && wrong == NULL; level++)
        wrong = check_remembered(translation(cpu, level, p->va), level, cpu);
    for (unsigned level = 0; level < p->level && wrong == NULL && scope->two_cpus && !in_a_call;
         level++)
        wrong = check_owed(translation(cpu, level, p->va), level, cpu);
    return wrong;
}

void check_flushed_everywhere(const struct place *p)
{
    for (unsigned cpu = 0; cpu < nr_tlbs(); cpu++) {
        const struct host_translation *t = translation(cpu, p->level - 1, p->va);

        if (t != NULL && (t->mfn != *p->slot << 12 >> 24 || (t->writable && !(*p->slot & 2))))
            violation("a flush of all CPUs has left a translation");
    }
}

void check_flushed_here(void)
{
    for (unsigned i = 0; i < nr_places; i++)
        for (unsigned level = 0; level < places[i].level; level++)
            if (places[i].domain == domain_of_cpu(host_cpu) &&
                translation(host_cpu, level, places[i].va) != NULL)
                violation("a flush has left a translation");
}

const char *check_caches(unsigned cpu)
{
    const char *wrong = NULL;

    in_a_call = true;
    for (unsigned i = 0; i < scope->nr_frames; i++)
        found[i] = (struct found){ 0 };
    for (unsigned i = 0; i < nr_places && wrong == NULL; i++)
        wrong = check_place(&places[i], cpu);
    return wrong != NULL ? wrong : check_windows(cpu, true);
}

/* All frames of the domain, between the two in the ring that it keeps until its end. */
static const char *check_ring(unsigned d, unsigned mine)
{
    uint32_t at = ended[d] ? domains[d]->frames : ring_last[d], end = ended[d] ? at : ring_first[d];

    if (ended[d] && mine == 0)
        return at != 0 ? "a ring of what is gone" : NULL;
    if (ended[d])
        mine--;
    for (unsigned left = mine; ; left--) {
        uint32_t next = mfn_to_frame(at)->next;

        if (mfn_to_frame(next)->prev != at)
            return "a broken ring";
        at = next;
        if (left == 0)
            return at == end && domains[d]->frames == end ? NULL : "too many in the domain's ring";
        if (frame_index(at) < 0 || mfn_to_frame(at)->owner != domains[d]->mfn)
            return "too few in the domain's ring, or somebody else's";
    }
}

/* While a frame becomes a table, or ceases to be one, only the call that does it knows which of
 * its entries hold references. */
static const char *check_entries(void)
{
    const char *wrong = NULL;

    for (unsigned i = 0; i < nr_places && wrong == NULL; i++)
        if (!ended[places[i].domain])
            wrong = check_entry(*places[i].slot, places[i].level, -1, places[i].domain);
    for (unsigned i = 0; i < scope->nr_frames && wrong == NULL; i++) {
        const struct frame *f = mfn_to_frame(model_mfn[i]);
        bool table = type_of(f) >= 1 && type_of(f) <= 4 && !(in_a_call && (f->word >> 58 & 1));

        for (unsigned e = 0; e < scope->nr_entries && wrong == NULL && table; e++)
            wrong = check_entry(((const uint64_t *)mfn_to_virt(model_mfn[i]))[e], type_of(f),
                                (int)i, domain_number(f->owner) - 1);
    }
    return wrong;
}

static const char *check_numbers(void)
{
    unsigned mine[2] = { 0, 0 }, nr_free = 0;
    const char *wrong = NULL;

    for (unsigned i = 0; i < scope->nr_frames; i++) {
        const struct frame *f = mfn_to_frame(model_mfn[i]);

        if (f->owner != 0)
            mine[domain_number(f->owner) - 1]++;
        nr_free += f->owner == 0 && refs_of(f) == 0;
    }
    for (unsigned d = 0; d < nr_domains && wrong == NULL; d++) {
        if (domains[d]->nr_frames != other_frames[d] + mine[d])
            return "numbers of frames";
        wrong = check_ring(d, mine[d]);
    }
    return wrong == NULL && nr_free != nr_free_frames() ? "numbers of frames" : wrong;
}

const char *world_check(bool within)
{
    const char *wrong;

    in_a_call = within;
    for (unsigned i = 0; i < scope->nr_frames; i++)
        found[i] = (struct found){ 0 };
    wrong = check_entries();
    if (wrong == NULL && nr_domains == 2)
        wrong = check_grants();
    for (unsigned i = 0; i < scope->nr_frames && wrong == NULL; i++)
        wrong = check_frame(i);
    if (wrong == NULL)
        wrong = check_numbers();
    for (unsigned cpu = 0; cpu < nr_tlbs() && wrong == NULL; cpu++) {
        for (unsigned i = 0; i < nr_places && wrong == NULL; i++)
            wrong = check_place(&places[i], cpu);
        wrong = wrong != NULL ? wrong : check_windows(cpu, within);
    }
    return wrong;
}
