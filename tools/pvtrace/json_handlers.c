/* Handlers of traps and upcalls in the guest, as slices of the JSON export: see json.h.
 *
 * When does the handler of a trap end? A PV guest returns from it by iret, or (a guest's own business) by
 * the CPU's instruction, which nobody sees. The iret hypercall's frame tells where it returns to, if the
 * contents of arguments were traced. H1: a return to where a trap was ends its handler, and says nothing
 * about those inside it. H2: a return to user mode ends all. H3: any other iret ends the youngest; so
 * does one whose frame is not known, unless MAX_HANDLER_SECONDS have passed. What is never seen to end is
 * an instant. */
#include "tools/pvtrace/json_tracks.h"

#include <string.h>
#include <public/xen.h>

#define MAX_HANDLER_SECONDS 1u

static void write_arrow(struct json *j, const struct arrow *a, struct track to, uint64_t tsc)
{
    event_begin(j, 's', "event", "event", a->on, a->tsc);
    event_number(j, "id", a->id);
    event_end(j);
    event_begin(j, 'f', "event", "event", to, tsc);
    event_number(j, "id", a->id);
    event_word(j, "bp", "e");
    event_end(j);
}

/* end 0: it was not seen. */
static void write_handler(struct json *j, const struct vcpu *v, const struct handler *h, uint64_t end,
                          const char *how)
{
    if (end == 0 && h->nr_arrows == 0) {
        event_begin(j, 'i', h->category, h->name, v->track, h->tsc);
        event_word(j, "s", "t");
    } else {
        /* An arrow wants a slice, be it a short one. */
        slice_begin(j, h->category, h->name, v->track, h->tsc, end > h->tsc ? end : h->tsc);
    }
    if (h->details_len > 0)
        argument_text(j, "details", h->details, h->details_len);
    argument_word(j, "until", how);
    event_end(j);
    for (unsigned i = 0; i < h->nr_arrows; i++)
        write_arrow(j, &h->arrows[i], v->track, h->tsc);
}

void handlers_forget(struct json *j, struct vcpu *v)
{
    for (unsigned i = 0; i < v->nr_handlers; i++)
        write_handler(j, v, &v->handlers[i], 0, "not known");
    v->nr_handlers = 0;
    v->nr_arrows = 0;
}

bool handler_begin(struct json *j, const struct item *item, const char *name, const struct text *details,
                   uint64_t rip)
{
    struct vcpu *v = vcpu_of(j, item->v);
    if (v == NULL)
        return false;
    if (v->nr_handlers == NR_HANDLERS) {
        write_handler(j, v, &v->handlers[0], 0, "not known");
        v->nr_handlers--;
        memmove(&v->handlers[0], &v->handlers[1], v->nr_handlers * sizeof(v->handlers[0]));
    }
    struct handler *h = &v->handlers[v->nr_handlers++];
    h->tsc = item->tsc;
    h->rip = rip;
    h->category = item_kind_names[item->kind];
    h->nr_arrows = 0;
    if (item->kind == ITEM_UPCALL) {
        h->nr_arrows = v->nr_arrows;
        memcpy(h->arrows, v->arrows, v->nr_arrows * sizeof(v->arrows[0]));
        v->nr_arrows = 0;
    }
    snprintf(h->name, sizeof(h->name), "%s", name);
    h->details_len = details->len < sizeof(h->details) ? details->len : sizeof(h->details);
    memcpy(h->details, details->buf, h->details_len);
    return true;
}

void handlers_call_begin(struct json *j, const struct item *item)
{
    struct vcpu *v = vcpu_of(j, item->call->v);
    if (v == NULL)
        return;
    v->in_call = true;
}

/* What the guest gave to iret: false when the trace does not have it. */
static bool iret_frame(const struct call *c, struct iret_context *frame)
{
    for (unsigned i = 0; i < c->nr_copies && i < MAX_COPIES; i++)
        if (!c->copies[i].out)
            return call_memory(c, false, c->copies[i].va, frame, sizeof(*frame)) == sizeof(*frame);
    return false;
}

static void end_from(struct json *j, struct vcpu *v, unsigned first, unsigned nr, uint64_t end,
                     const char *how)
{
    for (unsigned i = first; i < nr; i++)
        write_handler(j, v, &v->handlers[i], end, how);
}

/* The youngest nr of v's handlers began before this iret. Returns how many of them remain. See H1 to H3. */
static unsigned iret_ends(struct json *j, struct vcpu *v, unsigned nr, const struct call *c, uint64_t end)
{
    struct iret_context frame;
    bool known = iret_frame(c, &frame);
    if (nr == 0)
        return 0;
    for (unsigned i = nr; known && i-- > 0;)
        if (v->handlers[i].rip != 0 && v->handlers[i].rip == frame.rip) {
            end_from(j, v, i, i + 1, end, "returned to where it was");
            end_from(j, v, i + 1, nr, 0, "not known");
            return i;
        }
    if (known && ((frame.cs & 3) == 3 || (frame.flags & VGCF_in_syscall) != 0)) {
        end_from(j, v, 0, nr, end, "returned to user mode");
        return 0;
    }
    const struct handler *youngest = &v->handlers[nr - 1];
    bool late = end - youngest->tsc > MAX_HANDLER_SECONDS * clock_hz(j->clock);
    if (known || !late)
        end_from(j, v, nr - 1, nr, end, known && youngest->rip != 0 ? "returned elsewhere" : "the next iret");
    else
        end_from(j, v, nr - 1, nr, 0, "not known");
    return nr - 1;
}

void handlers_call_end(struct json *j, const struct item *item)
{
    const struct call *c = item->call;
    struct vcpu *v = vcpu_of(j, c->v);
    uint64_t start = call_start(item), end = c->returned ? c->end : start;
    unsigned before = 0, left;
    if (v == NULL)
        return;
    while (before < v->nr_handlers && v->handlers[before].tsc < start)
        before++;
    left = before;
    if (c->nr == __HYPERVISOR_iret)
        left = iret_ends(j, v, before, c, end);
    memmove(&v->handlers[left], &v->handlers[before], (v->nr_handlers - before) * sizeof(v->handlers[0]));
    v->nr_handlers -= before - left;
    for (unsigned i = left; i < v->nr_handlers; i++)
        if (v->handlers[i].tsc < end)
            v->handlers[i].tsc = end;
    v->in_call = false;
}
