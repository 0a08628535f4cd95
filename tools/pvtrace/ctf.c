/* --ctf DIR: the trace in the Common Trace Format 1.8, for babeltrace2, Trace Compass and what
 * reads those. This file writes items as events: see ctf.h. Called by main.c for each item.
 *
 * The streams hold the TSC as it was recorded. The metadata's clock turns it into system time (0 is
 * the machine's start), and is written again when the trace tells another clock than the one
 * assumed. */
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"
#include "tools/pvtrace/ctf.h"

/* --- An item ---------------------------------------------------------------------------------- */
static void call_facts(struct ctf *c, const struct call *call, bool end)
{
    struct ctf_facts *f = &c->facts;

    f->name = hypercall_label(call->nr, &f->label);
    f->operation = call_operation(call);
    f->known = call->known & 0x3f;
    f->length = f->known != 0 ? (uint8_t)(32 - __builtin_clz(f->known)) : 0;
    for (unsigned i = 0; i < f->length; i++)
        f->list[i] = f->known >> i & 1 ? call->args[i] : 0;
    if (!end)
        return;
    f->how = !call->returned ? 0 : call_has_result(call) ? 1 : 2;
    f->result = f->how == 1 ? call->result : 0;
    f->error = call_error(call);
    f->ticks = call->returned ? call->ticks : 0;
    f->arguments = export_arguments(&c->x, call)->buf;
    f->outcome = export_outcome(&c->x, call)->buf;
}

static void list_words(struct ctf_facts *f, const struct record *rec)
{
    f->record = rec->event;
    f->length = (uint8_t)MIN(rec->n, TRACE_EXTRA_MAX);
    for (unsigned i = 0; i < f->length; i++)
        f->list[i] = rec->w[i];
}

static void find_facts(struct ctf *c, const struct item *item)
{
    struct ctf_facts *f = &c->facts;
    struct text *t = export_details(&c->x);

    *f = (struct ctf_facts){ .arguments = t->buf };
    switch (item->kind) {
    case ITEM_CALL_BEGIN:
    case ITEM_CALL_END:
        call_facts(c, item->call, item->kind == ITEM_CALL_END);
        return;
    case ITEM_DOMAIN:
        snprintf(f->label.s, sizeof(f->label.s), "%.*s", (int)sizeof(item->domain.name),
                 item->domain.name);
        f->name = f->label.s;
        return;
    case ITEM_EMULATED:
        decode_instruction(t, item);
        f->length = (uint8_t)MIN(item->emulated.len, sizeof(item->emulated.bytes));
        for (unsigned i = 0; i < f->length; i++)
            f->list[i] = item->emulated.bytes[i];
        return;
    case ITEM_CLASSES:
        text_classes(t, item->classes.classes, ",");
        return;
    case ITEM_SCHED:
    case ITEM_OTHER:
        list_words(f, item->rec);
        break;
    default:
        break;
    }
    f->name = item_label(item, &f->label);
}

static void put_field(struct ctf *c, struct ctf_stream *s, const struct ctf_field *f,
                      const struct item *item)
{
    const char *base = f->within == FACTS  ? (const char *)&c->facts
                       : f->within == CALL ? (const char *)item->call
                                           : (const char *)item;
    const char *string;
    uint64_t value = 0;

    if (f->type == STRING) {
        memcpy(&string, base + f->at, sizeof(string));
        ctf_string(s, string);
    } else if (f->type == LIST) {
        for (unsigned i = 0; i < c->facts.length; i++)
            text_put(&s->packet, (const char *)&c->facts.list[i], f->bytes);
    } else {
        memcpy(&value, base + f->at, f->size);
        text_put(&s->packet, (const char *)&value, f->bytes);
    }
}

/* A call that does not return is seen not to when it cannot any more, at no time of its own. */
static uint64_t event_time(const struct ctf_stream *s, const struct item *item)
{
    bool returned = item->kind != ITEM_CALL_END || item->call->returned;

    return returned ? item->tsc : MAX(item->tsc, s->last);
}

static void ctf_item(void *state, const struct item *item)
{
    struct ctf *c = state;
    struct ctf_stream *s = ctf_stream_of(&c->files, item->cpu);
    unsigned kind = item->kind;

    if (s == NULL)
        return;
    if (item->kind == ITEM_LOST)
        ctf_lost(s, item->lost.records);
    if (kind == ITEM_TRAP && (item->rec->event & ~TRC_64_FLAG) == TRC_PV_PAGE_FAULT)
        kind = PAGE_FAULT;
    find_facts(c, item);
    ctf_event(s, c->ids[kind], event_time(s, item));
    for (unsigned i = c->first[kind]; i < nr_ctf_fields && ctf_fields[i].type != EVENT; i++)
        put_field(c, s, &ctf_fields[i], item);
}

/* --- The output ------------------------------------------------------------------------------- */
static void *ctf_open(const struct output_options *o, struct model *m)
{
    struct ctf *c = export_open(sizeof(*c), o, m);

    for (uint16_t i = 0, id = 0; i < nr_ctf_fields; i++)
        if (ctf_fields[i].type == EVENT) {
            c->ids[ctf_fields[i].bytes] = id++;
            c->first[ctf_fields[i].bytes] = i + 1u;
        }
    ctf_open_files(&c->files, o->directory);
    ctf_write_metadata(c);
    return c;
}

static void ctf_idle(void *state)
{
    struct ctf *c = state;

    ctf_refresh_metadata(c);
    ctf_flush(&c->files);
}

static int ctf_end(void *state)
{
    struct ctf *c = state;
    int rc;

    ctf_refresh_metadata(c);
    rc = ctf_close_files(&c->files);
    free(c);
    return rc;
}

const struct output_type ctf_output = {
    .name = "ctf", .open = ctf_open, .item = ctf_item, .idle = ctf_idle, .end = ctf_end,
};
