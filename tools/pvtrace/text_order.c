/* The order of the lines: that in which they began. A call's line is complete only at its end, so
 * the call gets a place in a queue, and the lines of its vCPU that come meanwhile stand behind it.
 * As soon as a line has to come out that began later (another vCPU's, or more than can be kept),
 * all before it do: the calls among them are printed as <unfinished ...>, and text.c prints their
 * ends as lines of their own. Called by text.c.
 *
 *   Q1  the entries of a vCPU are neighbours, and one of them at least is an open call
 *   Q2  a call that is open and not in the queue has been printed as unfinished, or is not wanted
 */
#include <string.h>

#include "tools/pvtrace/text.h"

void set_colour(const struct printer *p, struct text *t, enum colour colour)
{
    static const char *const codes[] = { "\033[0m", "\033[2m", "\033[36m", "\033[31m",
                                         "\033[1;31m" };

    if (p->o.colour)
        text_str(t, codes[colour]);
}

/* --- Out -------------------------------------------------------------------------------------- */
static void put_time(const struct printer *p, struct text *t, uint64_t tsc)
{
    uint64_t from = p->o.times == TIME_SYSTEM ? p->clock->zero
                    : p->o.times == TIME_DELTA ? p->last_tsc : p->first_tsc;

    if (p->o.times == TIME_NONE)
        return;
    text_put(t, " ", 1);
    if (p->o.times == TIME_TICKS) {
        text_dec(t, tsc);
        return;
    }
    if (tsc < from)
        text_put(t, "-", 1);
    text_fixed(t, clock_ns(p->clock, tsc < from ? from - tsc : tsc - from), 9);
}

/* The one place that prints: only here is it known which line came before. */
static void print(struct printer *p, const struct entry *e)
{
    char buf[128];
    struct text t = TEXT(buf);

    if (!p->any)
        p->first_tsc = p->last_tsc = e->tsc;
    p->any = true;
    set_colour(p, &t, DIM);
    text_put(&t, "[", 1);
    if (model_several_cpus(p->m)) {
        text_str(&t, "cpu");
        text_dec(&t, e->cpu);
        text_put(&t, " ", 1);
    }
    text_vcpu(&t, e->v);
    put_time(p, &t, e->tsc);
    text_put(&t, "]", 1);
    set_colour(p, &t, PLAIN);
    text_put(&t, " ", 1);
    p->last_tsc = e->tsc;
    fwrite_unlocked(t.buf, 1, t.len, p->o.out);
    fwrite_unlocked(e->text, 1, e->len, p->o.out);
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

static void print_unfinished(struct printer *p, struct call *c)
{
    if (!text_beginning(p, c))
        return;
    finish(&p->aside);
    print(p, &(struct entry){ .tsc = c->start, .v = c->v, .cpu = c->cpu, .text = p->aside.buf,
                              .len = p->aside.len });
}

/* --- The queue -------------------------------------------------------------------------------- */
static void flush_first(struct printer *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const struct entry *e = &p->queue[i];

        if (e->call != NULL)
            print_unfinished(p, e->call);
        else
            print(p, e);
    }
    p->nr -= n;
    memmove(p->queue, p->queue + n, p->nr * sizeof(p->queue[0]));
    if (p->nr == 0)
        p->used = 0;
}

void order_flush(struct printer *p)
{
    flush_first(p, p->nr);
}

/* The index behind v's last entry; 0: it has none. */
static unsigned end_of(const struct printer *p, struct vcpu_id v)
{
    unsigned n = p->nr;

    while (n > 0 && !same_vcpu(p->queue[n - 1].v, v))
        n--;
    return n;
}

static struct entry *entry_of(struct printer *p, const struct call *c)
{
    for (unsigned i = p->nr; i-- > 0;)
        if (p->queue[i].call == c)
            return &p->queue[i];
    return NULL;
}

static bool keep_text(struct printer *p, struct entry *e)
{
    if (p->line.len > QUEUE_BYTES - p->used)
        return false;
    e->text = memcpy(p->bytes + p->used, p->line.buf, p->line.len);
    e->len = p->line.len;
    e->call = NULL;
    p->used += p->line.len;
    return true;
}

/* A call of the same depth that is still there is not going to return: it does not wait for that.
 */
void order_open(struct printer *p, struct call *c)
{
    unsigned end = end_of(p, c->v);
    bool stale = false;

    for (unsigned i = end; i-- > 0 && same_vcpu(p->queue[i].v, c->v);)
        stale |= p->queue[i].call != NULL && p->queue[i].call->depth >= c->depth;
    if (end > 0 && (end < p->nr || stale))
        flush_first(p, end);
    if (p->nr == MAX_QUEUE)
        order_flush(p);
    p->queue[p->nr++] = (struct entry){ .call = c, .tsc = c->start, .v = c->v, .cpu = c->cpu };
}

void order_line(struct printer *p, uint64_t tsc, struct vcpu_id v, uint16_t cpu)
{
    struct entry e = { .tsc = tsc, .v = v, .cpu = cpu };

    finish(&p->line);
    if (p->nr > 0 && p->nr < MAX_QUEUE && same_vcpu(p->queue[p->nr - 1].v, v)) {
        p->queue[p->nr] = e;
        if (keep_text(p, &p->queue[p->nr])) {
            p->nr++;
            return;
        }
    }
    order_flush(p);
    e.text = p->line.buf;
    e.len = p->line.len;
    print(p, &e);
}

/* A member's line goes behind its multicall, if that waits too; any other comes out, and what was
 * kept behind it. */
bool order_close(struct printer *p, const struct call *c, bool with_line)
{
    struct entry *e = entry_of(p, c);
    bool inner = false;
    unsigned end;

    if (e == NULL)
        return false;
    for (const struct entry *before = p->queue; before < e; before++)
        inner |= before->call != NULL && same_vcpu(before->v, c->v);
    if (with_line) {
        finish(&p->line);
        if (inner && keep_text(p, e))
            return true;
        e->text = p->line.buf;
        e->len = p->line.len;
        e->call = NULL;
    } else {
        p->nr--;
        memmove(e, e + 1, (size_t)(p->queue + p->nr - e) * sizeof(*e));
    }
    end = end_of(p, c->v);
    if (end > 0 && !(inner && !with_line))
        flush_first(p, end);
    if (p->nr == 0)
        p->used = 0;
    return true;
}
