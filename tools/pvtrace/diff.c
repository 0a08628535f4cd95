/* pvtrace diff A B: where two runs begin to differ. The hypercalls of each guest vCPU are one
 * sequence, in the order in which they return (members of a multicall before it); the sequences of
 * A and B are compared call by call, each vCPU for itself, since how vCPUs take turns is chance.
 * iret is not compared: how many there are depends on when interrupts come. What else is chance to
 * a guest (timers, say) can be taken out with -e. Called by main.c.
 *
 *   1. Both are read, and of each call a step is written to a temporary file of its vCPU and side.
 *   2. The two files of each vCPU are compared.
 *   3. Once it is known where they differ first, both are read once more to show the calls there.
 *
 * So memory is constant, and the inputs must be files. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <public/xen.h>

#include "common/abi_names.h"
#include "common/compiler.h"
#include "tools/pvtrace/account.h"

#define SEQUENCES 128u
#define BEFORE 4u               /* calls shown before the first difference */
#define AFTER 2u

struct step {
    uint64_t fingerprint, tsc;
};

/* A vCPU. */
struct sequence {
    struct vcpu_id v;
    uint64_t calls[2], same;
    bool differs;
    uint64_t tsc[2];            /* of the first difference; 0: the trace ended there */
    FILE *steps[2];
};

struct diff {
    const struct output_options *o;
    const char *paths[2];
    unsigned side;              /* being read; A is 0 */
    struct model *model;
    struct sequence *shown;     /* the difference in it is shown; NULL: comparing */
    uint64_t lost[2], left_out;
    bool faulty;
    unsigned nr;
    struct sequence sequences[SEQUENCES];
    struct clock_info clocks[2];
    struct rows rows;
};

/* --- What is compared of a call --------------------------------------------------------------- */
static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

/* Its hypercall, sub-operation, place in a multicall, errno, and the arguments that two runs of one
 * guest have in common: numbers, sub-operations, types, domains. Not pointers and other addresses,
 * machine frames, page-table entries, descriptors and times. */
static uint64_t fingerprint_of(const struct call *c)
{
    uint64_t hash = mix(1, c->nr | (uint64_t)c->depth << 32);
    const char *kinds = c->nr < ABI_HYPERCALLS ? abi_argument_kinds(c->nr) : "";

    for (const char *s = call_operation(c); s != NULL && *s != '\0'; s++)
        hash = mix(hash, (unsigned char)*s);
    for (unsigned i = 0; i < 6 && kinds[i] != '\0'; i++)
        if (strchr("uoaD", kinds[i]) != NULL && (c->known >> i & 1) != 0)
            hash = mix(hash, (uint64_t)i << 32 | (uint32_t)c->args[i]);
    return call_failed(c) ? mix(hash, (uint64_t)c->result) : hash;
}

static struct sequence *sequence_of(struct diff *d, struct vcpu_id v)
{
    struct sequence *s = d->sequences;

    while (s < d->sequences + d->nr && !same_vcpu(s->v, v))
        s++;
    if (s < d->sequences + d->nr)
        return s;
    if (d->nr == SEQUENCES)
        return NULL;
    d->nr++;
    *s = (struct sequence){ .v = v, .steps = { tmpfile(), tmpfile() } };
    if (s->steps[0] == NULL || s->steps[1] == NULL)
        err(EXIT_TROUBLE, "a temporary file");
    return s;
}

/* How long they are the same, and the step of each at which they are not; 0: it has no more. */
static void compare(struct sequence *s)
{
    struct step step[2];

    for (unsigned side = 0; side < 2; side++)
        if (fseek(s->steps[side], 0, SEEK_SET) != 0)
            err(EXIT_TROUBLE, "a temporary file");
    for (;; s->same++) {
        for (unsigned side = 0; side < 2; side++)
            if (fread_unlocked(&step[side], sizeof(step[side]), 1, s->steps[side]) != 1)
                step[side] = (struct step){ .tsc = 0 };
        if (s->same == MAX(s->calls[0], s->calls[1]))
            return;
        if (s->same == MIN(s->calls[0], s->calls[1]) || step[0].fingerprint != step[1].fingerprint)
            break;
    }
    s->differs = true;
    s->tsc[0] = step[0].tsc;
    s->tsc[1] = step[1].tsc;
}

/* --- The calls around the first difference ---------------------------------------------------- */
static void show_call(const struct diff *d, const struct call *call, uint64_t index)
{
    const struct clock_info *clock = model_clock(d->model);
    char buf[2048];
    struct text t = TEXT(buf);

    text_hypercall(&t, call->nr);
    decode_arguments(&t, call);
    decode_result(&t, call);
    fprintf(d->o->out, "%c %c %10lu  ", index == d->shown->same ? '>' : ' ', "AB"[d->side], index);
    if (d->o->times != TIME_NONE)
        fprintf(d->o->out, "%.9f  ",
                ticks_to_seconds(clock, call->start > clock->zero ? call->start - clock->zero : 0));
    fprintf(d->o->out, "%s%s\n", call->depth > 0 ? "  " : "", buf);
}

/* --- Reading ---------------------------------------------------------------------------------- */
static void read_call(struct diff *d, const struct item *item)
{
    const struct call *call = item->call;
    struct sequence *s;
    struct step step;

    if (!filter_wants(d->o->filter, item, d->model))
        return;
    if (d->shown == NULL)
        diff_table_add(&d->rows, d->side, call);
    if (call->nr == __HYPERVISOR_iret || (d->shown != NULL && !same_vcpu(call->v, d->shown->v)))
        return;
    s = d->shown != NULL ? d->shown : sequence_of(d, call->v);
    if (s == NULL) {
        d->left_out++;
        return;
    }
    s->calls[d->side]++;
    if (d->shown == NULL) {
        step = (struct step){ fingerprint_of(call), item->tsc };
        if (fwrite_unlocked(&step, sizeof(step), 1, s->steps[d->side]) != 1)
            err(EXIT_TROUBLE, "a temporary file");
    } else if (s->calls[d->side] + BEFORE > s->same && s->calls[d->side] - 1 <= s->same + AFTER) {
        show_call(d, call, s->calls[d->side] - 1);
    }
}

static void read_item(void *state, const struct item *item)
{
    struct diff *d = state;

    if (item->kind == ITEM_CALL_END)
        read_call(d, item);
    else if (item->kind == ITEM_LOST && d->shown == NULL)
        d->lost[d->side] += item->lost.records;
}

/* All of it, or as far as there is something to show. False: it cannot be opened; said why. */
static bool read_side(struct diff *d, unsigned side)
{
    static const struct source_options options;
    const char *path = d->paths[side], *fault;
    struct source *source;
    struct record r;
    struct stat st;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        warnx("%s: is no file; diff reads its traces twice", path);
        return false;
    }
    source = source_open(path, &options);
    if (source == NULL)
        return false;
    d->side = side;
    d->model = model_new(read_item, d);
    while ((d->shown == NULL || d->shown->calls[side] <= d->shown->same + AFTER) &&
           source_next(source, &r) == NEXT_RECORD)
        model_record(d->model, &r);
    model_end(d->model);
    d->clocks[side] = *model_clock(d->model);
    fault = source_fault(source);
    if (fault != NULL && d->shown == NULL)
        warnx("%s: %s", path, fault);
    d->faulty |= fault != NULL;
    model_free(d->model);
    source_close(source);
    return true;
}

/* --- Report ----------------------------------------------------------------------------------- */
static bool show_difference(struct diff *d, struct sequence *s)
{
    fprintf(d->o->out, "\nd%uv%u: the first difference is call %lu\n", s->v.domid, s->v.vcpu,
            s->same);
    s->calls[0] = s->calls[1] = 0;
    d->shown = s;
    for (unsigned side = 0; side < 2; side++) {
        if (!read_side(d, side))
            return false;
        if (s->calls[side] <= s->same)
            fprintf(d->o->out, "> %c %10lu  (%s)\n", "AB"[side], s->calls[side],
                    s->calls[side] != 0 ? "no more calls" : "no calls of this vCPU");
    }
    return true;
}

/* When they part, by A's time or, where A has ended, by B's: the earliest is shown. */
static struct sequence *earliest(struct diff *d)
{
    struct sequence *first = NULL;
    uint64_t best = UINT64_MAX;

    for (struct sequence *s = d->sequences; s < d->sequences + d->nr; s++) {
        uint64_t tsc = s->tsc[0] != 0 ? s->tsc[0] : s->tsc[1];

        if (s->differs && (first == NULL || tsc < best)) {
            first = s;
            best = tsc;
        }
    }
    return first;
}

static void print_sequence(FILE *out, const struct sequence *s)
{
    fprintf(out, "d%uv%u: %s, %lu calls", s->v.domid, s->v.vcpu, s->differs ? "differs" : "same",
            s->calls[0]);
    if (s->calls[0] != s->calls[1])
        fprintf(out, " in A and %lu in B", s->calls[1]);
    if (s->differs)
        fprintf(out, ", the first %lu the same", s->same);
    fputc('\n', out);
}

static int report(struct diff *d)
{
    struct sequence *first = earliest(d);

    diff_table_print(&d->rows, d->o, d->clocks);
    fputc('\n', d->o->out);
    for (unsigned side = 0; side < 2; side++)
        if (d->lost[side] != 0)
            fprintf(d->o->out,
                    "%lu records were lost in %c: what follows may differ for that reason alone\n",
                    d->lost[side], "AB"[side]);
    if (d->left_out != 0)
        fprintf(d->o->out, "%lu calls are of vCPUs beyond the first %u and were counted only\n",
                d->left_out, SEQUENCES);
    for (unsigned i = 0; i < d->nr; i++)
        print_sequence(d->o->out, &d->sequences[i]);
    if (first != NULL && !show_difference(d, first))
        return EXIT_TROUBLE;
    return d->faulty ? EXIT_TROUBLE : first != NULL;
}

int diff_files(const char *a, const char *b, const struct output_options *o)
{
    struct diff *d = xcalloc(1, sizeof(*d));
    int status = EXIT_TROUBLE;

    d->o = o;
    d->paths[0] = a;
    d->paths[1] = b;
    if (read_side(d, 0) && read_side(d, 1)) {
        for (unsigned i = 0; i < d->nr; i++)
            compare(&d->sequences[i]);
        status = report(d);
    }
    for (unsigned i = 0; i < d->nr; i++)
        for (unsigned side = 0; side < 2; side++)
            fclose(d->sequences[i].steps[side]);
    free(d);
    return status;
}
