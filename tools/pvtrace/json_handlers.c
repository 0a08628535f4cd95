/* Handlers of traps and upcalls in the guest, as slices of the JSON export: see json.h.
 *
 * When does the handler of a trap end? A PV guest returns from it by iret, or (a guest's own
 * business) by the CPU's instruction, which nobody sees. The iret hypercall's frame tells where it
 * returns to, if the contents of arguments were traced. H1: a return to where a trap was ends its
 * handler, and says nothing about those inside it. H2: a return to user mode ends all. H3: any
 * other iret ends the youngest; so does one whose frame is not known, unless MAX_HANDLER_SECONDS
 * have passed. What is never seen to end is an instant. */
#include <stdint.h>
#include <string.h>
#include <public/xen.h>

#include "common/compiler.h"
#include "tools/pvtrace/decode.h"
#include "tools/pvtrace/json.h"

#define MAX_HANDLER_SECONDS 1u
#define NOT_KNOWN "not known"

/* --- Arrows ----------------------------------------------------------------------------------- */
void arrow_from(struct json *j, const struct item *send)
{
    const struct json_vcpu *from = json_vcpu(j, send->v);
    struct json_vcpu *to = json_vcpu(j, send->send.to);

    if (from == NULL || to == NULL || !from->in_call || to->nr_arrows == NR_ARROWS)
        return;
    to->arrows[to->nr_arrows++] = (struct arrow){ from->track, send->tsc, ++j->arrows };
}

static void write_arrow(struct json *j, const struct arrow *a, struct track to, uint64_t tsc)
{
    event_begin(j, 's', "event", "event", a->on, a->tsc, 0);
    text_add(&j->x.out, ",\"id\":%lu", a->id);
    event_end(j);
    event_begin(j, 'f', "event", "event", to, tsc, 0);
    text_add(&j->x.out, ",\"id\":%lu,\"bp\":\"e\"", a->id);
    event_end(j);
}

/* --- Handlers --------------------------------------------------------------------------------- */
/* Those from first on, before nr. end 0: it was not seen. An arrow wants a slice, be it a short
 * one. */
static void write_handlers(struct json *j, const struct json_vcpu *v, unsigned first, unsigned nr,
                           uint64_t end, const char *how)
{
    for (const struct handler *h = v->handlers + first; h < v->handlers + nr; h++) {
        if (end != 0 || h->nr_arrows > 0)
            event_begin(j, 'X', h->category, h->name, v->track, h->tsc, MAX(end, h->tsc));
        else
            event_instant(j, h->category, h->name, v->track, h->tsc, "t");
        if (h->details_len > 0)
            event_text(j, "details", h->details, h->details_len);
        event_text(j, "until", how, strlen(how));
        event_end(j);
        for (unsigned i = 0; i < h->nr_arrows; i++)
            write_arrow(j, &h->arrows[i], v->track, h->tsc);
    }
}

void handlers_forget(struct json *j, struct json_vcpu *v)
{
    write_handlers(j, v, 0, v->nr_handlers, 0, NOT_KNOWN);
    v->nr_handlers = 0;
    v->nr_arrows = 0;
}

static void remove_handlers(struct json_vcpu *v, unsigned first, unsigned nr)
{
    struct handler *h = v->handlers;

    memmove(&h[first], &h[nr], (v->nr_handlers - nr) * sizeof(*h));
    v->nr_handlers -= nr - first;
}

bool handler_begin(struct json *j, const struct item *item, const char *name,
                   const struct text *details, uint64_t rip)
{
    struct json_vcpu *v = json_vcpu(j, item->v);
    struct handler *h;

    if (v == NULL)
        return false;
    if (v->nr_handlers == NR_HANDLERS) {
        write_handlers(j, v, 0, 1, 0, NOT_KNOWN);
        remove_handlers(v, 0, 1);
    }
    h = &v->handlers[v->nr_handlers++];
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

/* --- iret ------------------------------------------------------------------------------------- */
/* What the guest gave to it: false when the trace does not have it. */
static bool iret_frame(const struct call *c, struct iret_context *frame)
{
    for (unsigned i = 0; i < c->nr_copies && i < MAX_COPIES; i++)
        if (!c->copies[i].out)
            return read_memory(c, IN, c->copies[i].va, frame, sizeof(*frame)) == sizeof(*frame);
    return false;
}

/* The youngest nr of v's handlers began before this iret. Returns how many of them remain: H1 to
 * H3. */
static unsigned iret_ends(struct json *j, struct json_vcpu *v, unsigned nr, const struct call *c,
                          uint64_t end)
{
    const struct handler *youngest = &v->handlers[nr - 1];
    struct iret_context frame;
    bool known = iret_frame(c, &frame), late;

    for (unsigned i = nr; known && i-- > 0;)
        if (v->handlers[i].rip != 0 && v->handlers[i].rip == frame.rip) {
            write_handlers(j, v, i, i + 1, end, "returned to where it was");
            write_handlers(j, v, i + 1, nr, 0, NOT_KNOWN);
            return i;
        }
    if (known && ((frame.cs & 3) == 3 || (frame.flags & VGCF_in_syscall) != 0)) {
        write_handlers(j, v, 0, nr, end, "returned to user mode");
        return 0;
    }
    late = end - youngest->tsc > MAX_HANDLER_SECONDS * clock_hz(j->x.clock);
    if (!known && late)
        write_handlers(j, v, nr - 1, nr, 0, NOT_KNOWN);
    else
        write_handlers(j, v, nr - 1, nr, end,
                       known && youngest->rip != 0 ? "returned elsewhere" : "the next iret");
    return nr - 1;
}

void handlers_call_end(struct json *j, const struct item *item)
{
    const struct call *c = item->call;
    struct json_vcpu *v = json_vcpu(j, c->v);
    uint64_t start = call_start(item), end = c->returned ? c->end : start;
    unsigned before = 0;

    if (v == NULL)
        return;
    while (before < v->nr_handlers && v->handlers[before].tsc < start)
        before++;
    if (c->nr == __HYPERVISOR_iret && before > 0) {
        unsigned left = iret_ends(j, v, before, c, end);

        remove_handlers(v, left, before);
        before = left;
    }
    for (unsigned i = before; i < v->nr_handlers; i++)
        if (v->handlers[i].tsc < end)
            v->handlers[i].tsc = end;
    v->in_call = false;
}
