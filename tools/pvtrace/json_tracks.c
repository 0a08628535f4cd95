/* What is open on the tracks of the JSON export, and what they are called: see json.h. A slice is
 * written when it ends, so that the file never has one without an end; all that is kept meanwhile
 * is here, and is bounded: vCPUs share VCPU_PLACES places (one more than that ends what was open on
 * another). Handlers of traps are json_handlers.c's. */
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/json.h"

#define PID_CPUS 65537u
#define TID_CPUS 1000000000u

/* --- Slices of what was open ------------------------------------------------------------------ */
static void write_slice(struct json *j, const char *category, const char *name, struct track on,
                        uint64_t from, uint64_t to)
{
    if (to <= from)
        return;
    event_begin(j, 'X', category, name, on, from, to);
    event_end(j);
}

static void write_state(struct json *j, const struct json_vcpu *v, uint64_t until)
{
    if (v->state_known && v->state < 4)
        write_slice(j, "runstate", runstate_names[v->state],
                    (struct track){ v->track.pid, v->track.tid + 1 }, v->state_since, until);
}

static void write_run(struct json *j, unsigned i, uint64_t until)
{
    const struct json_cpu *c = &j->cpus[i];
    struct text *t = export_details(&j->x);

    text_vcpu(t, c->who);
    if (c->runs && c->who.domid < DOMID_NOBODY)
        write_slice(j, "sched", t->buf, (struct track){ PID_CPUS, TID_CPUS + i }, c->since, until);
}

/* --- Names ------------------------------------------------------------------------------------ */
/* The track is called what is in x.details, and has that place among others. what: process or
 * thread. */
static void name_track(struct json *j, const char *what, struct track on, int64_t order)
{
    char kind[32];

    snprintf(kind, sizeof(kind), "%s_name", what);
    event_begin(j, 'M', NULL, kind, on, 0, 0);
    event_text(j, "name", j->x.details.buf, j->x.details.len);
    event_end(j);
    snprintf(kind, sizeof(kind), "%s_sort_index", what);
    event_begin(j, 'M', NULL, kind, on, 0, 0);
    event_number(j, "sort_index", order);
    event_end(j);
}

static void name_vcpu(struct json *j, const struct json_vcpu *v)
{
    struct text *t = export_details(&j->x);
    struct track state = { v->track.pid, v->track.tid + 1 };
    struct vcpu_id id = v->id;
    const char *name = model_domain_name(j->x.model, id.domid);

    text_add(t, "domain %u%s%s", id.domid, name[0] != '\0' ? ": " : "", name);
    name_track(j, "process", v->track, id.domid);
    text_cut(t, 0);
    text_vcpu(t, id);
    name_track(j, "thread", v->track, id.vcpu * 2);
    text_str(t, " state");
    name_track(j, "thread", state, id.vcpu * 2 + 1);
}

static struct track cpu_track(struct json *j, uint16_t cpu)
{
    unsigned i = cpu < EXPORT_MAX_CPUS ? cpu : EXPORT_MAX_CPUS;
    struct track on = { PID_CPUS, TID_CPUS + i };

    if (!j->cpus[i].named) {
        text_str(export_details(&j->x), "physical CPUs");
        name_track(j, "process", on, -1);
        text_add(export_details(&j->x), i == cpu ? "CPU %u" : "CPUs from %u on", i);
        name_track(j, "thread", on, i);
        j->cpus[i].named = true;
    }
    return on;
}

/* --- Who there is ----------------------------------------------------------------------------- */
struct json_vcpu *json_vcpu(struct json *j, struct vcpu_id id)
{
    struct json_vcpu **place, *v;
    bool fresh;

    if (id.domid >= DOMID_NOBODY)
        return NULL;
    place = &j->vcpus[vcpu_place(id)];
    fresh = *place == NULL || !same_vcpu((*place)->id, id);
    if (fresh && *place != NULL) {
        handlers_forget(j, *place);
        write_state(j, *place, j->last);
    }
    if (*place == NULL)
        *place = xcalloc(1, sizeof(**place));
    v = *place;
    if (fresh) {
        memset(v, 0, sizeof(*v));
        v->id = id;
        /* Numbers of their own: a reader may take a thread with its process's number, or 0, for a
         * special one. */
        v->track.pid = id.domid != 0 ? id.domid : PID_CPUS - 1;
        v->track.tid = 100000 + 2 * j->serial++;
        v->losses = j->losses;
        name_vcpu(j, v);
    }
    if (v->losses != j->losses) {
        handlers_forget(j, v);
        v->in_call = v->state_known = false;
        v->losses = j->losses;
    }
    return v;
}

struct track track_of(struct json *j, const struct item *item)
{
    const struct json_vcpu *v = json_vcpu(j, item->v);

    return v != NULL ? v->track : cpu_track(j, item->cpu);
}

/* --- States, losses --------------------------------------------------------------------------- */
void runstate_change(struct json *j, const struct item *item)
{
    struct json_vcpu *v = json_vcpu(j, item->runstate.who);

    if (item->runstate.to == 0)
        cpu_runs(j, item, item->runstate.who);
    else if (item->cpu < EXPORT_MAX_CPUS && same_vcpu(j->cpus[item->cpu].who, item->runstate.who))
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
    struct json_cpu *c = &j->cpus[item->cpu < EXPORT_MAX_CPUS ? item->cpu : EXPORT_MAX_CPUS];

    if (item->cpu >= EXPORT_MAX_CPUS)
        return;
    cpu_track(j, item->cpu);
    if (c->runs && same_vcpu(c->who, who))
        return;
    write_run(j, item->cpu, item->tsc);
    *c = (struct json_cpu){ .named = true, .runs = true, .who = who, .since = item->tsc };
}

void tracks_lost(struct json *j, const struct item *item)
{
    j->losses++;
    if (item->cpu >= EXPORT_MAX_CPUS)
        return;
    write_run(j, item->cpu, item->tsc);
    j->cpus[item->cpu].runs = false;
}

void tracks_end(struct json *j)
{
    for (unsigned i = 0; i < VCPU_PLACES; i++)
        if (j->vcpus[i] != NULL) {
            handlers_forget(j, j->vcpus[i]);
            write_state(j, j->vcpus[i], j->last);
            name_vcpu(j, j->vcpus[i]);      /* the domain's name may have come later */
        }
    for (unsigned i = 0; i < EXPORT_MAX_CPUS; i++)
        write_run(j, i, j->last);
}
