/* pvtrace diff A B: where two runs begin to differ. The hypercalls of each guest vCPU are one sequence, in
 * the order in which they return (members of a multicall before it); the sequences of A and B are compared
 * call by call, each vCPU for itself, since how vCPUs take turns is chance. What is compared of a call is
 * diff_fingerprint's to say. iret is not compared: how many there are depends on when interrupts come. What
 * else is chance to a guest (timers, say) can be taken out with -e.
 *
 * Both files are read at once. Of a vCPU that is ahead in one of them only fingerprints are kept, and only
 * WINDOW of them: one that is further ahead is compared in a reading of its own. Once it is known where they
 * part, a last reading shows the calls there. So memory is constant, and the inputs must be files. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <stdint.h>
#include <public/xen.h>

#include "tools/pvtrace/diff.h"

#define BEFORE 4u               /* calls shown before the first difference */
#define AFTER 2u

/* --- The calls around the first difference ---------------------------------------------------------- */
static void show_call(struct diff *d, const struct side *s, const struct call *call, uint64_t index)
{
    const struct clock_info *clock = model_clock(s->model);
    char buf[2048];
    struct text t = TEXT(buf);

    text_hypercall(&t, call->nr);
    decode_arguments(&t, call);
    if (call->returned)
        decode_result(&t, call);
    else
        text_str(&t, " = ?");
    fprintf(d->o->out, "%c %c %10lu  ", index == d->only->same ? '>' : ' ', "AB"[s->number], index);
    if (d->o->times != TIME_NONE)
        fprintf(d->o->out, "%.9f  ",
                ticks_to_seconds(clock, call->start > clock->zero ? call->start - clock->zero : 0));
    fprintf(d->o->out, "%s%s\n", call->depth > 0 ? "  " : "", buf);
}

/* --- Reading ---------------------------------------------------------------------------------------- */
static void see_call(struct side *s, const struct item *item)
{
    struct diff *d = s->diff;
    const struct call *call = item->call;
    bool again = d->only != NULL;
    struct lane *l;

    if (d->o->filter && !filter_wants(d->o->filter, item, s->model))
        return;
    if (!again)
        diff_table_add(&d->rows, s->number, call);
    if (call->nr == __HYPERVISOR_iret || (again && (!same_vcpu(call->v, d->only->v))))
        return;
    l = again ? d->only : lane_of(d, call->v);
    if (!l) {
        d->left_out++;
    } else if (d->show) {
        uint64_t index = l->calls[s->number]++;

        if (index + BEFORE >= l->same && index <= l->same + AFTER)
            show_call(d, s, call, index);
    } else {
        l->calls[s->number]++;
        if (!l->differs && !l->late)
            lane_align(d, l, s->number, (struct step){ diff_fingerprint(call), item->tsc });
    }
}

static void see_item(void *state, const struct item *item)
{
    struct side *s = state;

    if (item->kind == ITEM_CALL_END)
        see_call(s, item);
    else if (item->kind == ITEM_LOST && !s->diff->only)
        s->diff->lost[s->number] += item->lost.records;
}

static bool open_side(struct diff *d, unsigned number)
{
    static const struct source_options options;
    struct side *s = &d->sides[number];
    struct stat st;

    *s = (struct side){ .diff = d, .number = number };
    if (stat(d->paths[number], &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        fprintf(stderr, "pvtrace: %s: is no file; diff reads its traces twice\n", d->paths[number]);
        return false;
    }
    s->source = source_open(d->paths[number], &options);
    s->model = s->source ? model_new(see_item, s) : NULL;
    return s->model != NULL;
}

static void close_side(struct side *s)
{
    if (s->model)
        model_free(s->model);
    if (s->source)
        source_close(s->source);
    s->model = NULL;
    s->source = NULL;
}

static void read_one(struct side *s)
{
    struct diff *d = s->diff;
    struct record r;
    const char *fault;

    if (source_next(s->source, &r)) {
        model_record(s->model, &r);
        return;
    }
    model_end(s->model);
    s->ended = true;
    d->clocks[s->number] = *model_clock(s->model);
    fault = source_fault(s->source);
    if (fault && !d->only)
        fprintf(stderr, "pvtrace: %s: %s\n", d->paths[s->number], fault);
    d->faulty |= fault != NULL;
}

/* From the side that is behind, always. */
static bool read_both(struct diff *d)
{
    struct side *a = &d->sides[0], *b = &d->sides[1];
    bool good = open_side(d, 0) && open_side(d, 1);

    while (good && !(a->ended && b->ended))
        read_one(a->ended || (!b->ended && b->pending < a->pending) ? b : a);
    for (unsigned i = 0; i < d->nr_lanes; i++)
        if (d->lanes[i].n)
            lane_parts(d, &d->lanes[i], d->lanes[i].side, d->lanes[i].ahead[d->lanes[i].first].tsc, 0);
    close_side(a);
    close_side(b);
    return good;
}

static bool read_alone(struct diff *d, struct lane *l)
{
    bool good;

    free(l->ahead);
    *l = (struct lane){ .v = l->v };
    d->only = l;
    good = read_both(d);
    d->only = NULL;
    return good;
}

/* --- Report ----------------------------------------------------------------------------------------- */
static bool show_difference(struct diff *d, struct lane *l)
{
    bool good = true;

    fprintf(d->o->out, "\nd%uv%u: the first difference is call %lu\n", l->v.domid, l->v.vcpu,
            l->same);
    l->calls[0] = l->calls[1] = 0;
    d->only = l;
    d->show = true;
    for (unsigned side = 0; side < 2 && good; side++) {
        struct side *s = &d->sides[side];

        good = open_side(d, side);
        while (good && !s->ended && l->calls[side] <= l->same + AFTER)
            read_one(s);
        if (good && l->calls[side] <= l->same)
            fprintf(d->o->out, "> %c %10lu  (%s)\n", "AB"[side], l->calls[side],
                    l->calls[side] ? "no more calls" : "no calls of this vCPU");
        close_side(s);
    }
    d->show = false;
    d->only = NULL;
    return good;
}

/* When it parts, by A's time or, where A has ended, by B's: the earliest is shown. */
static struct lane *earliest(struct diff *d)
{
    struct lane *first = NULL;
    uint64_t best = UINT64_MAX;

    for (unsigned i = 0; i < d->nr_lanes; i++) {
        struct lane *l = &d->lanes[i];
        uint64_t tsc = l->tsc[0] ? l->tsc[0] : l->tsc[1];

        if (l->differs && (!first || tsc < best)) {
            first = l;
            best = tsc;
        }
    }
    return first;
}

static void warn(const struct diff *d)
{
    for (unsigned side = 0; side < 2; side++)
        if (d->lost[side])
            fprintf(d->o->out,
                    "%lu records were lost in %c: what follows may differ for that reason alone\n",
                    d->lost[side], "AB"[side]);
    if (d->left_out)
        fprintf(d->o->out, "%lu calls are of vCPUs beyond the first %u and were counted only\n",
                d->left_out, LANES);
}

static int report(struct diff *d)
{
    struct lane *first = earliest(d);
    bool good = true;

    diff_table_print(&d->rows, d->o, d->clocks);
    fputc('\n', d->o->out);
    warn(d);
    for (unsigned i = 0; i < d->nr_lanes; i++) {
        const struct lane *l = &d->lanes[i];

        fprintf(d->o->out, "d%uv%u: %s, %lu calls", l->v.domid, l->v.vcpu,
                l->differs ? "differs" : "same", l->calls[0]);
        if (l->calls[0] != l->calls[1])
            fprintf(d->o->out, " in A and %lu in B", l->calls[1]);
        if (l->differs)
            fprintf(d->o->out, ", the first %lu the same", l->same);
        fputc('\n', d->o->out);
    }
    if (first)
        good = show_difference(d, first);
    return !good ? 2 : d->faulty ? 2 : first ? 1 : 0;
}

int diff_files(const char *a, const char *b, const struct output_options *o)
{
    struct diff *d = calloc(1, sizeof(*d));
    int status = 2;

    if (d) {
        d->o = o;
        d->paths[0] = a;
        d->paths[1] = b;
    }
    if (d != NULL && read_both(d)) {
        bool good = true;

        for (unsigned i = 0; i < d->nr_lanes && good; i++)
            if (d->lanes[i].late)
                good = read_alone(d, &d->lanes[i]);
        status = good ? report(d) : 2;
    }
    for (unsigned i = 0; d && i < d->nr_lanes; i++)
        free(d->lanes[i].ahead);
    free(d);
    return status;
}
