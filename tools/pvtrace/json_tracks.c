/* What is open on the tracks of the JSON export, and what they are called: see json.h. A slice is written
 * when it ends, so that the file never has one without an end; all that is kept meanwhile is here, and is
 * bounded: vCPUs share NR_VCPUS places (one more than that ends what was open on another), and to each
 * lead NR_ARROWS arrows at a time. Handlers of traps are json_handlers.c's. */
#include "tools/pvtrace/json_tracks.h"

#include <stdlib.h>
#include <string.h>

#define PID_CPUS 65537u
#define TID_CPUS 1000000000u

struct tracks *tracks_new(void)
{
    struct tracks *t = calloc(1, sizeof(*t));
    if (t != NULL)
        vcpu_table_init(&t->places, NR_VCPUS);
    return t;
}

void tracks_free(struct tracks *t)
{
    for (unsigned i = 0; i < NR_VCPUS; i++)
        free(t->vcpus[i]);
    free(t);
}

/* --- Slices and instants of what was open ----------------------------------------------------------- */
void slice_begin(struct json *j, const char *category, const char *name, struct track on, uint64_t from,
                 uint64_t to)
{
    event_begin(j, 'X', category, name, on, from);
    event_duration(j, from, to);
}

static void write_state(struct json *j, const struct vcpu *v, uint64_t until)
{
    struct track on = { v->track.pid, v->track.tid + 1 };
    if (!v->state_known || v->state >= 4 || until <= v->state_since)
        return;
    slice_begin(j, "runstate", runstate_names[v->state], on, v->state_since, until);
    event_end(j);
}

static void write_run(struct json *j, unsigned i, uint64_t until)
{
    struct cpu *c = &j->tracks->cpus[i];
    struct text *t = details_begin(&j->details);
    if (!c->runs || c->who.domid >= DOMID_NOBODY || until <= c->since)
        return;
    text_vcpu(t, c->who);
    slice_begin(j, "sched", t->buf, (struct track){ PID_CPUS, TID_CPUS + i }, c->since, until);
    event_end(j);
}

/* --- Who there is ----------------------------------------------------------------------------------- */
static void name_vcpu(struct json *j, const struct vcpu *v, struct vcpu_id id)
{
    struct text *t = details_begin(&j->details);
    struct track state = { v->track.pid, v->track.tid + 1 };
    const char *name = model_domain_name(j->model, id.domid);
    text_add(t, "domain %u%s%s", id.domid, name[0] != '\0' ? ": " : "", name);
    metadata_name(j, "process_name", v->track, t->buf, t->len);
    metadata_order(j, "process_sort_index", v->track, id.domid);
    text_cut(t, 0);
    text_vcpu(t, id);
    metadata_name(j, "thread_name", v->track, t->buf, t->len);
    metadata_order(j, "thread_sort_index", v->track, id.vcpu * 2);
    text_add(t, " state");
    metadata_name(j, "thread_name", state, t->buf, t->len);
    metadata_order(j, "thread_sort_index", state, id.vcpu * 2 + 1);
}

struct vcpu *vcpu_of(struct json *j, struct vcpu_id id)
{
    struct tracks *t = j->tracks;
    struct vcpu *v;
    unsigned place;
    bool fresh;

    if (id.domid >= DOMID_NOBODY)
        return NULL;
    place = vcpu_place(&t->places, id, &fresh);
    v = t->vcpus[place];
    if (v == NULL) {
        fresh = true;
        v = t->vcpus[place] = malloc(sizeof(*v));
        if (v == NULL)
            return NULL;
    } else if (fresh) {
        handlers_forget(j, v);
        write_state(j, v, t->last);
    }
    if (fresh) {
        memset(v, 0, sizeof(*v));
        /* Numbers of their own: a reader may take a thread with its process's number, or 0, for a special
         * one. */
        v->track = (struct track){ id.domid != 0 ? id.domid : PID_CPUS - 1, 100000 + 2 * t->serial++ };
        v->losses = t->losses;
        name_vcpu(j, v, id);
    }
    if (v->losses != t->losses) {
        handlers_forget(j, v);
        v->in_call = v->state_known = false;
        v->losses = t->losses;
    }
    return v;
}

static struct track cpu_track(struct json *j, uint16_t cpu)
{
    unsigned i = cpu < EXPORT_MAX_CPUS ? cpu : EXPORT_MAX_CPUS;
    struct track on = { PID_CPUS, TID_CPUS + i };
    struct text *t = &j->details.t;
    if (!j->tracks->cpus[i].named) {
        text_add(details_begin(&j->details), i == cpu ? "CPU %u" : "CPUs from %u on", i);
        metadata_name(j, "process_name", on, "physical CPUs", strlen("physical CPUs"));
        metadata_order(j, "process_sort_index", on, -1);
        metadata_name(j, "thread_name", on, t->buf, t->len);
        metadata_order(j, "thread_sort_index", on, i);
        j->tracks->cpus[i].named = true;
    }
    return on;
}

void tracks_time(struct json *j, const struct item *item)
{
    if (item->tsc > j->tracks->last)
        j->tracks->last = item->tsc;
}

struct track track_of(struct json *j, const struct item *item)
{
    bool call = item->kind == ITEM_CALL_BEGIN || item->kind == ITEM_CALL_END;
    struct vcpu *v = vcpu_of(j, call ? item->call->v : item->v);
    if (v == NULL)
        return cpu_track(j, item->cpu);
    return v->track;
}

/* --- Arrows, states, losses ------------------------------------------------------------------------- */
void arrow_from(struct json *j, const struct item *send)
{
    struct vcpu *from = vcpu_of(j, send->v), *to = vcpu_of(j, send->send.to);
    if (from == NULL || to == NULL || !from->in_call || to->nr_arrows == NR_ARROWS)
        return;
    to->arrows[to->nr_arrows++] = (struct arrow){ from->track, send->tsc, ++j->tracks->arrows };
}

void runstate_change(struct json *j, const struct item *item)
{
    struct vcpu *v = vcpu_of(j, item->runstate.who);
    if (item->runstate.to == 0)
        cpu_runs(j, item, item->runstate.who);
    else if (item->cpu < EXPORT_MAX_CPUS && same_vcpu(j->tracks->cpus[item->cpu].who, item->runstate.who))
        cpu_runs(j, item, (struct vcpu_id){ DOMID_NOBODY, 0 });
    if (v == NULL)
        return;
    if (v->state == item->runstate.from)
        write_state(j, v, item->tsc);
    v->state_known = true;
    v->state = item->runstate.to;
    v->state_since = item->tsc;
}

void cpu_runs(struct json *j, const struct item *item, struct vcpu_id who)
{
    unsigned i = item->cpu;
    if (i >= EXPORT_MAX_CPUS)
        return;
    struct cpu *c = &j->tracks->cpus[i];
    cpu_track(j, item->cpu);
    if (c->runs && same_vcpu(c->who, who))
        return;
    write_run(j, i, item->tsc);
    *c = (struct cpu){ .named = true, .runs = true, .who = who, .since = item->tsc };
}

void tracks_lost(struct json *j, const struct item *item)
{
    j->tracks->losses++;
    if (item->cpu >= EXPORT_MAX_CPUS)
        return;
    write_run(j, item->cpu, item->tsc);
    j->tracks->cpus[item->cpu].runs = false;
}

void tracks_end(struct json *j)
{
    struct tracks *t = j->tracks;
    for (unsigned i = 0; i < NR_VCPUS; i++)
        if (t->vcpus[i] != NULL) {
            handlers_forget(j, t->vcpus[i]);
            write_state(j, t->vcpus[i], t->last);
            name_vcpu(j, t->vcpus[i], t->places.keys[i]);          /* the domain's name may have come later */
        }
    for (unsigned i = 0; i < EXPORT_MAX_CPUS; i++)
        write_run(j, i, t->last);
}
