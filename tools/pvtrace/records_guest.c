/* Owns what the records about guests mean that are one item each: traps, emulation, events, memory. Called by
 * model.c, which has counted the words. */
#include <string.h>

#include "tools/pvtrace/model.h"

/* Xen has its records twice, with addresses of two words and of one; *i is the next word. */
static uint64_t address(const struct record *r, unsigned *i)
{
    bool wide = r->event & TRC_64_FLAG;
    uint64_t value = wide ? word64(r, *i) : r->w[*i];

    *i += 1 + wide;
    return value;
}

void on_trap(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_TRAP };
    unsigned i = 0;

    item.trap.rip = address(r, &i);
    item.trap.vector = r->w[i] & 0x7fff;
    item.trap.has_code = r->w[i] >> 15 & 1;
    item.trap.code = r->w[i] >> 16;
    emit(m, &item, running(m, r), r);
}

void on_page_fault(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_TRAP };
    unsigned i = 0;

    item.trap.rip = address(r, &i);
    item.trap.va = address(r, &i);
    item.trap.vector = 14;
    item.trap.has_code = true;
    item.trap.code = r->w[i];
    emit(m, &item, running(m, r), r);
}

void on_ptwr(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_PTWR };
    unsigned i = 2;

    item.ptwr.pte = word64(r, 0);
    item.ptwr.va = address(r, &i);
    item.ptwr.rip = address(r, &i);
    emit(m, &item, running(m, r), r);
}

/* The bytes come with the next record, if that is ours. */
void on_privop(struct model *m, const struct record *r)
{
    struct waiting *w = &m->cpus[r->cpu].waiting;

    w->emulated = *r;
    w->has_emulated = true;
}

void emit_emulated(struct model *m, const struct record *first, const struct record *bytes)
{
    struct item item = { .kind = ITEM_EMULATED };
    unsigned i = 0;

    item.emulated.rip = address(first, &i);
    item.emulated.forced = (first->event & ~TRC_64_FLAG) == TRC_PV_FORCED_INVALID_OP;
    if (bytes != NULL) {
        uint32_t known = MIN(4u * (bytes->n - 3u), 16u);

        item.emulated.len = (uint8_t)MIN(bytes->w[2], known);
        memcpy(item.emulated.bytes, &bytes->w[3], known);
    }
    emit(m, &item, running(m, first), bytes != NULL ? bytes : first);
}

void on_emulated(struct model *m, const struct record *r)
{
    struct waiting *w = &m->cpus[r->cpu].waiting;
    struct record first = *r;

    first.event |= TRC_64_FLAG;         /* alone it has the address, too */
    emit_emulated(m, w->has_emulated ? &w->emulated : &first, r);
    w->has_emulated = false;
}

void on_send(struct model *m, const struct record *r)
{
    struct item item = { .kind = ITEM_SEND, .send = {
        .how = (enum trace_send)r->w[0], .from = r->w[1], .to = vcpu_word(r->w[2]), .port = r->w[3],
    } };

    if (r->w[0] > TRACE_SEND_XEN)
        on_other(m, r);
    else
        emit(m, &item, running(m, r), r);
}

void on_upcall(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_UPCALL, .upcall = { word64(r, 0) } }, running(m, r), r);
}

void on_mem(struct model *m, const struct record *r)
{
    emit(m, &(struct item){ .kind = ITEM_MEM, .mem = { r->event, (uint16_t)r->w[0] } }, running(m, r), r);
}
