/* What must hold of grants in each state, recounted from the handles, without code of the
 * hypervisor: an entry's pins are the handles for it and nothing else, and without pins the
 * entry does not say that it is in use; an entry of a page table that maps another domain's
 * frame belongs to a handle of its domain; and what a device may use stays the granter's. */
#include "model.h"
#include "xen/pv/grant.h"

struct uses {
    unsigned readers, writers;
};
static struct uses uses[2][MAX_REFS];
static unsigned mapped[2][MAX_FRAMES][2]; /* handles with a host mapping: domain, frame, writable */

static const struct grant_pins *pins_of(const struct maptrack *t)
{
    return &t->granter->grant->pins[t->ref / 256][t->ref % 256];
}

static const struct maptrack *handle_of(unsigned d, unsigned h)
{
    const struct maptrack *t = &domains[d]->grant->maptrack[0][h];

    return t->flags & 3 ? t : NULL;
}

static const char *count_handle(unsigned d, const struct maptrack *t)
{
    bool readonly = t->flags & 4;
    unsigned number = t->ref - 8;
    int frame = frame_index(pins_of(t)->mfn);

    if (t->granter != domains[1 - d] || number >= scope->second.refs[1 - d])
        return "a handle for what was not granted";
    *(readonly ? &uses[1 - d][number].readers : &uses[1 - d][number].writers) += 1;
    if ((t->flags & 2) && frame >= 0)
        mapped[d][frame][!readonly]++;
    if (!(t->flags & 1))
        return NULL;
    if (frame < 0 || mfn_to_frame(model_mfn[frame])->owner != domains[1 - d]->mfn)
        return "a device may use a frame that is not the granter's any more";
    found[frame].refs++;
    found[frame].types += !readonly;
    found[frame].writable += !readonly;
    return NULL;
}

static uint16_t flags_of(const struct grant_table *gt, unsigned ref)
{
    return gt->version == 1 ? ((const uint16_t *)gt->shared[0])[ref * 4] : gt->status[0][ref];
}

static const char *check_entry(unsigned d, unsigned number)
{
    const struct grant_table *gt = domains[d]->grant;
    const struct grant_pins *p = &gt->pins[0][8 + number];
    const struct uses *u = &uses[d][number];

    if (p->readers != u->readers || p->writers != u->writers)
        return "pins of a grant that are not its handles";
    if ((u->readers | u->writers) != 0 &&
        (p->domid != domains[1 - d]->id || p->start != 0 || p->length != 4096))
        return "pins for something else";
    if ((u->writers == 0 && (flags_of(gt, 8 + number) & 16)) ||
        ((u->readers | u->writers) == 0 && (flags_of(gt, 8 + number) & 8)))
        return "a grant that nobody uses is said to be in use";
    return NULL;
}

static const char *check_table(unsigned d)
{
    const char *wrong = NULL;
    unsigned pins = 0;

    for (unsigned i = 0; i < scope->second.refs[d] && wrong == NULL; i++) {
        wrong = check_entry(d, i);
        pins += uses[d][i].readers + uses[d][i].writers;
    }
    return wrong == NULL && domains[d]->grant->nr_pins != pins ? "the number of pins" : wrong;
}

/* Each such entry has a handle, but not each handle has an entry, because a guest may overwrite
 * it. */
static const char *check_foreign(unsigned i)
{
    unsigned owner = domain_number(mfn_to_frame(model_mfn[i])->owner);

    for (unsigned w = 0; w < 2; w++)
        if (found[i].foreign[w] != 0 && found[i].foreign[w] > mapped[2 - owner][i][w])
            return "an entry leads to another domain's frame without a handle";
    return NULL;
}

const char *check_grants(void)
{
    const char *wrong = NULL;

    for (unsigned d = 0; d < 2; d++) {
        for (unsigned i = 0; i < MAX_REFS; i++)
            uses[d][i] = (struct uses){ 0, 0 };
        for (unsigned i = 0; i < MAX_FRAMES; i++)
            mapped[d][i][0] = mapped[d][i][1] = 0;
    }
    for (unsigned d = 0; d < 2; d++)
        for (unsigned h = 0; h < scope->second.handles[d] && wrong == NULL; h++)
            if (handle_of(d, h) != NULL)
                wrong = count_handle(d, handle_of(d, h));
    for (unsigned d = 0; d < 2 && wrong == NULL; d++)
        wrong = check_table(d);
    for (unsigned i = 0; i < scope->nr_frames && wrong == NULL; i++)
        wrong = check_foreign(i);
    return wrong;
}

static bool has_handle(unsigned to, mfn_t mfn, bool writable)
{
    for (unsigned h = 0; h < scope->second.handles[to]; h++) {
        const struct maptrack *t = handle_of(to, h);

        if (t != NULL && pins_of(t)->mfn == mfn && (!writable || !(t->flags & 4)))
            return true;
    }
    return false;
}

static bool is_pinned(unsigned to, mfn_t mfn, bool writable)
{
    for (unsigned i = 0; i < scope->second.refs[1 - to]; i++) {
        const struct grant_pins *p = grant_pins_of(domains[1 - to]->grant, ref_of(i));

        if (p->mfn == mfn && (p->writers != 0 || (p->readers != 0 && !writable)))
            return true;
    }
    return false;
}

/* A call that ends a handle gives up the pin last. */
bool is_granted(unsigned to, mfn_t mfn, bool writable, bool in_a_call)
{
    return in_a_call ? is_pinned(to, mfn, writable) : has_handle(to, mfn, writable);
}
