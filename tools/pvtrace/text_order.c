/* Owns the order of the lines: that in which they began. A call's line is complete only at its end, so it
 * waits, and the lines of its vCPU that come meanwhile are kept behind it. Who waits is in a list, oldest
 * first. As soon as a line has to come out that began later (another vCPU's, or more than can be kept),
 * those before it in the list pass: their calls are printed as <unfinished ...>, and text.c prints their
 * ends as lines of their own. */
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/text.h"

#define KEPT_BYTES 16384u           /* of each vCPU */
#define MAX_KEEPERS 256u            /* vCPUs that can keep lines; others have to pass */

struct kept_line {                  /* its text follows */
    uint64_t tsc;
    struct vcpu_id v;
    uint32_t len;
};

void look(const struct printer *p, struct text *t, enum look l)
{
    static const char *const codes[] = { "\033[0m", "\033[2m", "\033[36m", "\033[31m", "\033[1;31m" };

    if (p->o.colour)
        text_str(t, codes[l]);
}

/* --- Out -------------------------------------------------------------------------------------------- */
static void put_time(const struct printer *p, struct text *t, uint64_t tsc)
{
    uint64_t from = p->first_tsc;

    if (p->o.times == TIME_NONE)
        return;
    text_put(t, " ", 1);
    if (p->o.times == TIME_TICKS) {
        text_dec(t, tsc);
        return;
    }
    if (p->o.times == TIME_SYSTEM)
        from = p->clock->zero;
    else if (p->o.times == TIME_DELTA)
        from = p->last_tsc;
    if (tsc < from)
        text_put(t, "-", 1);
    text_fixed(t, clock_ns(p->clock, tsc < from ? from - tsc : tsc - from), 9);
}

/* The one place that prints: only here is it known which line came before. */
static void print(struct printer *p, uint64_t tsc, struct vcpu_id v, const char *s, size_t len)
{
    char buf[128];
    struct text t = { .buf = buf, .size = sizeof(buf) };

    if (!p->any)
        p->first_tsc = p->last_tsc = tsc;
    p->any = true;
    look(p, &t, LOOK_DIM);
    text_put(&t, "[", 1);
    text_vcpu(&t, v);
    put_time(p, &t, tsc);
    text_put(&t, "]", 1);
    look(p, &t, LOOK_PLAIN);
    text_put(&t, " ", 1);
    p->last_tsc = tsc;
    fwrite_unlocked(t.buf, 1, t.len, p->o.out);
    fwrite_unlocked(s, 1, len, p->o.out);
}

/* A line that was cut says so, and is still a line. */
static void finish(struct text *t)
{
    static const char cut[] = " ...\n";

    if (t->len + sizeof(cut) < t->size) {
        text_put(t, "\n", 1);
    } else {
        t->len = t->size - 2 * sizeof(cut);
        text_put(t, cut, sizeof(cut) - 1);
    }
}

static void print_kept(struct printer *p, const struct thread *th, size_t from, size_t to)
{
    struct kept_line k;

    for (; from < to; from += sizeof(k) + k.len) {
        memcpy(&k, th->kept + from, sizeof(k));
        print(p, k.tsc, k.v, th->kept + from + sizeof(k), k.len);
    }
}

/* p->line behind what waits, at its place there. false: no room. */
static bool keep(struct printer *p, struct thread *th, size_t mark, uint64_t tsc, struct vcpu_id v)
{
    struct kept_line k = { .tsc = tsc, .v = v, .len = (uint32_t)p->line.len };
    size_t size = sizeof(k) + p->line.len;

    if (th->kept == NULL) {
        if (p->nr_keepers == MAX_KEEPERS || (th->kept = malloc(KEPT_BYTES)) == NULL)
            return false;
        p->nr_keepers++;
    }
    if (size > KEPT_BYTES - th->kept_bytes)
        return false;
    memmove(th->kept + mark + size, th->kept + mark, th->kept_bytes - mark);
    memcpy(th->kept + mark, &k, sizeof(k));
    memcpy(th->kept + mark + sizeof(k), p->line.buf, p->line.len);
    th->kept_bytes += size;
    return true;
}

/* --- Who waits -------------------------------------------------------------------------------------- */
static void wait_begin(struct printer *p, struct thread *th)
{
    th->before = p->youngest;
    th->after = NULL;
    *(p->youngest != NULL ? &p->youngest->after : &p->oldest) = th;
    p->youngest = th;
    th->waits = true;
}

static void wait_end(struct printer *p, struct thread *th)
{
    *(th->before != NULL ? &th->before->after : &p->oldest) = th->after;
    *(th->after != NULL ? &th->after->before : &p->youngest) = th->before;
    th->waits = false;
}

static void pass(struct printer *p, struct thread *th)
{
    size_t at = 0;

    for (unsigned d = 0; d < MAX_DEPTH; d++) {
        struct open_call *o = &th->open[d];

        if (o->call == NULL || o->passed)
            continue;
        print_kept(p, th, at, o->mark);
        at = o->mark;
        o->passed = true;
        o->shown = text_beginning(p, o->call);
        if (o->shown) {
            finish(&p->aside);
            print(p, o->call->start, o->call->v, p->aside.buf, p->aside.len);
        }
    }
    print_kept(p, th, at, th->kept_bytes);
    th->kept_bytes = 0;
    if (th->waits)
        wait_end(p, th);
}

static void pass_before(struct printer *p, const struct thread *th)
{
    while (p->oldest != NULL && p->oldest != th)
        pass(p, p->oldest);
}

void order_pass_all(struct printer *p)
{
    pass_before(p, NULL);
}

struct thread *thread_find(struct printer *p, struct vcpu_id v)
{
    int at = vcpu_find(&p->places, v);

    return at >= 0 ? &p->threads[at] : NULL;
}

struct thread *thread_find_or_add(struct printer *p, struct vcpu_id v)
{
    bool fresh;
    struct thread *th = &p->threads[vcpu_place(&p->places, v, &fresh)];

    if (!fresh)
        return th;
    if (th->waits) {
        pass_before(p, th);
        pass(p, th);
    }
    *th = (struct thread){ .kept = th->kept };
    return th;
}

/* --- Lines ------------------------------------------------------------------------------------------ */
void order_open(struct printer *p, struct thread *th, unsigned depth, const struct call *c)
{
    bool stale = false;

    for (unsigned d = depth; d < MAX_DEPTH; d++)
        stale |= th->open[d].call != NULL;
    if (th->waits && (th != p->youngest || stale)) {
        pass_before(p, th);
        pass(p, th);
    }
    for (unsigned d = depth; d < MAX_DEPTH; d++)
        th->open[d].call = NULL;
    th->open[depth] = (struct open_call){ .call = c, .mark = th->kept_bytes };
    if (!th->waits)
        wait_begin(p, th);
}

void order_line(struct printer *p, struct thread *th, uint64_t tsc, struct vcpu_id v)
{
    finish(&p->line);
    if (th != NULL && th->waits && th == p->youngest && keep(p, th, th->kept_bytes, tsc, v))
        return;
    order_pass_all(p);
    print(p, tsc, v, p->line.buf, p->line.len);
}

/* A member's line goes behind its multicall, if that waits too; any other comes out, and what was kept
 * behind it. */
void order_close(struct printer *p, struct thread *th, unsigned depth, bool with_line)
{
    const struct call *c = th->open[depth].call;
    bool inner = depth > 0 && th->open[0].call != NULL && !th->open[0].passed;

    if (with_line)
        finish(&p->line);
    th->open[depth].call = NULL;
    if (inner && (!with_line || keep(p, th, th->open[depth].mark, c->start, c->v)))
        return;
    if (with_line || th->kept_bytes > 0)
        pass_before(p, th);
    if (with_line && !inner)
        print(p, c->start, c->v, p->line.buf, p->line.len);
    pass(p, th);
    if (with_line && inner)
        print(p, c->start, c->v, p->line.buf, p->line.len);
}
