/* What must hold in each state, told anew from the entries, pins, roots and owners; shares no code with the hypervisor. */
#include "arch/arch.h"
#include "model.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"

struct found {
    unsigned refs, types, writable, tables, linear_entries, linear_uses;
};
static struct found found[MAX_FRAMES];

static unsigned type_of(const struct frame *f)
{
    return f->type & 0xffffffff ? (unsigned)(f->type >> 60) : 0;
}

/* An entry of a table of this level; self: which of the model's frames the table is, -1 for another. */
static const char *check_entry(uint64_t entry, unsigned level, int self)
{
    int i = frame_index(entry << 12 >> 24);
    struct found *t;
    const struct frame *f;

    if (!(entry & 1))
        return NULL;
    if (i < 0)
        return "an entry leads to a frame that is not the domain's";
    t = &found[i];
    f = mfn_to_frame(model_mfn[i]);
    if (f->owner != model_domain->mfn)
        return "an entry leads to a frame that the domain does not own";
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
    } else if (level > 1 && (type_of(f) != level - 1 || !(f->type >> 59 & 1))) {
        return "an entry of a table leads to what is no valid table of the level below";
    }
    t->refs++;
    t->types += level > 1 || (entry & 2);
    t->writable += level == 1 && (entry & 2);
    t->tables += level > 1;
    return NULL;
}

static const char *check_frame(unsigned i)
{
    const struct frame *f = mfn_to_frame(model_mfn[i]);
    struct found *t = &found[i];
    unsigned level = type_of(f);
    bool root = model_domain->vcpu[0]->root_user >> 12 == model_mfn[i], pinned = f->type >> 58 & 1;

    if (f->type >> 57 & 1)
        return "a frame is still being validated";
    if (t->writable && (t->tables || pinned || root || (level >= 1 && level <= 4)))
        return "a table is mapped writable";
    if (f->owner == 0)
        return t->refs || root || pinned ? "a free frame is referenced" : NULL;
    t->refs += (f->count >> 63) + pinned + root;
    t->types += pinned + root;
    if ((f->count & 0xffffffff) != t->refs)
        return "references";
    if ((f->type & 0xffffffff) != t->types)
        return "type references";
    if (root && level != 4)
        return "a root that is no L4";
    if ((f->type >> 32 & 0x3ff) != t->linear_entries || (f->type >> 42 & 0x3fff) != t->linear_uses)
        return "counts of linear entries";
    return t->refs == 0 ? "a frame without references is not free" : NULL;
}

/* What the CPU remembers at this level: 0 is a translation, otherwise it walks what is there as a table. */
static const char *check_remembered(const struct host_translation *t, unsigned level)
{
    int i = t != NULL ? frame_index(t->mfn) : -1;
    const struct frame *f = mfn_to_frame(model_mfn[i < 0 ? 0 : i]);
    unsigned type = type_of(f);

    if (i < 0 || (f->owner == 0 && (f->count & 0xffffffff) == 0))
        return NULL;
    if (f->owner != model_domain->mfn)
        return "the CPU still leads the guest to a frame that is not its own";
    if (level == 0)
        return t->writable && type >= 1 && type <= 4 ? "the TLB still has a writable mapping of a table" : NULL;
    if (found[i].writable || (type != 0 && type != level && (type < level || type > 4 || t->writable)))
        return "the CPU still walks, as a table, what is none of that level";
    return NULL;
}

/* All of the domain's, between the two frames that never leave. */
static const char *check_ring(unsigned mine)
{
    uint32_t at = ring_last;

    for (unsigned left = mine; ; left--) {
        uint32_t next = mfn_to_frame(at)->next;

        if (mfn_to_frame(next)->prev != at)
            return "a broken ring";
        at = next;
        if (left == 0)
            return at == ring_first && model_domain->frames == ring_first ? NULL : "too many in the domain's ring";
        if (frame_index(at) < 0 || mfn_to_frame(at)->owner != model_domain->mfn)
            return "too few in the domain's ring, or somebody else's";
    }
}

const char *world_check(void)
{
    const char *wrong = NULL;
    unsigned mine = 0, nr_free = 0;

    for (unsigned i = 0; i < scope->nr_frames; i++)
        found[i] = (struct found){ 0 };
    for (unsigned i = 0; i < nr_places && wrong == NULL; i++)
        wrong = check_entry(*places[i].slot, places[i].level, -1);
    for (unsigned i = 0; i < scope->nr_frames && wrong == NULL; i++) {
        const struct frame *f = mfn_to_frame(model_mfn[i]);

        for (unsigned e = 0; e < scope->nr_entries && wrong == NULL; e++)
            if (type_of(f) >= 1 && type_of(f) <= 4)
                wrong = check_entry(((const uint64_t *)mfn_to_virt(model_mfn[i]))[e], type_of(f), (int)i);
        mine += f->owner == model_domain->mfn;
        nr_free += f->owner == 0 && (f->count & 0xffffffff) == 0;
    }
    for (unsigned i = 0; i < scope->nr_frames && wrong == NULL; i++)
        wrong = check_frame(i);
    if (wrong == NULL)
        wrong = check_ring(mine);
    for (unsigned i = 0; i < nr_places && wrong == NULL; i++)
        for (unsigned level = 0; level < places[i].level && wrong == NULL; level++)
            wrong = check_remembered(host_tlb_find(level, places[i].va), level);
    if (wrong == NULL && (nr_free != nr_free_frames() ||
                          model_domain->nr_frames + scope->nr_frames - mine != model_domain->max_frames))
        wrong = "numbers of frames";
    return wrong;
}
