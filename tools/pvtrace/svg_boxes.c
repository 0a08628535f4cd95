/* --svg: the part of a domain's time that went into hypercalls, enlarged to the width of the
 * picture: a row of hypercalls and, below each, its sub-operations; below a multicall, its members.
 * Called by svg.c. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <public/xen.h>

#include "tools/pvtrace/svg.h"

#define FRAME_HEIGHT 38.0
#define NARROWEST 4.0           /* pixels; what is narrower goes to "other" */
#define ALL (NR_REST - 1)       /* as a parent: the row of hypercalls itself */

const struct svg_family svg_families[NR_SVG_FAMILIES] = {
    [MEMORY] = { "memory", "#f6c667" },
    [EVENTS] = { "events and time", "#8fcdf0" },
    [GRANTS] = { "grants", "#6cc9a9" },
    [CPU] = { "CPU state", "#dfa9c8" },
    [OTHER] = { "other", "#d3d8dd" },
};
static const uint8_t family_of[64] = {
    [0] = CPU,     [1] = MEMORY,  [2] = CPU,     [3] = CPU,     [4] = CPU,     [5] = CPU,
    [6] = EVENTS,  [8] = CPU,     [9] = CPU,     [10] = CPU,    [12] = MEMORY, [14] = MEMORY,
    [15] = EVENTS, [16] = EVENTS, [20] = GRANTS, [22] = MEMORY, [23] = CPU,    [24] = EVENTS,
    [25] = CPU,    [26] = MEMORY, [28] = EVENTS, [29] = EVENTS, [30] = EVENTS, [32] = EVENTS,
};

/* --- What is in them -------------------------------------------------------------------------- */
int svg_larger(const void *a, const void *b)
{
    const struct box *x = a, *y = b;

    return x->size > y->size ? -1 : x->size < y->size ? 1 : strcmp(x->name, y->name);
}

/* Calls that give the CPU away are sleep. What they cost on it is shown as their hypercall's, under
 * no name of their own: nobody looks for sleep among costs. */
const char *svg_operation(const struct row *r)
{
    return r->t.calls > r->t.gave ? r->operation : "";
}

void svg_box_add(const struct picture *p, struct box *boxes, unsigned *n, const char *name,
                 const struct row *r, uint64_t ticks)
{
    struct box *b = boxes;

    if (r->t.calls == r->t.gave && (p->by_calls || r->t.whole == 0))
        return;
    while (b < boxes + *n && (b->nr != r->nr || strcmp(b->name, name) != 0))
        b++;
    if (b == boxes + *n) {
        *b = (struct box){ .nr = r->nr };
        b->fill = svg_families[r->nr < sizeof(family_of) ? family_of[r->nr] : OTHER].fill;
        snprintf(b->name, sizeof(b->name), "%s", name);
        ++*n;
    }
    b->calls += r->t.calls;
    b->errors += r->t.failed;
    b->ticks += (double)ticks;
    b->size += p->by_calls ? (double)(r->t.calls - r->t.gave) : (double)ticks;
}

/* The boxes of a guest's hypercalls (parent ALL), or those below one hypercall. */
static unsigned collect(const struct picture *p, unsigned guest, uint32_t parent, struct box *boxes)
{
    struct label label;
    unsigned n = 0;

    for (unsigned i = 0; i < p->a->rows.n; i++) {
        const struct row *r = &p->a->rows.row[i];
        const char *name = parent == ALL ? "" : svg_operation(r);
        bool belongs = parent == ALL ? !r->member
                       : r->member   ? parent == __HYPERVISOR_multicall
                                     : r->nr == parent && *name != '\0';

        if (r->who == guest && belongs)
            svg_box_add(p, boxes, &n, *name != '\0' ? name : row_name(r->nr, &label), r,
                        r->t.whole);
    }
    qsort(boxes, n, sizeof(*boxes), svg_larger);
    return n;
}

/* --- How they look ---------------------------------------------------------------------------- */
void svg_box_group(const struct picture *p, const struct box *b, double whole)
{
    const char *times = p->by_calls ? "" : svg_put("%s in all, %s each\n", svg_amount(p, b->ticks),
                                                   svg_mean(p, b->ticks, b->calls));

    svg_group(p, b->name, svg_put("%lu calls, %lu failed\n%s%s", b->calls, b->errors, times,
                                  svg_share(b->size, whole, 2)));
}

static void draw_box(const struct picture *p, const struct box *b, double x, double width,
                     double whole)
{
    /* MMUEXT_ of MMUEXT_PIN_L1_TABLE */
    const char *tail = b->name[0] <= 'Z' ? strchr(b->name, '_') : NULL;
    const char *const names[] = { b->name, tail ? tail + 1 : b->name };
    const char *name = svg_fit(width - 10, 13.5, names, 2), *share = svg_share(b->size, whole, 1);
    const char *total = svg_amount(p, b->ticks), *count = svg_number(b->calls);
    const char *const by_calls[] = { svg_put("%s \u00d7 \u00b7 %s", count, share), share };
    const char *const by_time[] = {
        svg_put("%s \u00d7 %s = %s \u00b7 %s", count, svg_mean(p, b->ticks, b->calls), total,
                share),
        svg_put("%s \u00b7 %s", total, share), share,
    };

    svg_box_group(p, b, whole);
    svg_rect(p, x, p->y, width > 3 ? width - 1 : width, FRAME_HEIGHT - 1, b->fill, ROUND);
    svg_label(p, "name", x + 5, p->y + 16, width - 8, 13.5, INK, name[0] ? name : names[1]);
    svg_label(p, "small", x + 5, p->y + 31, width - 8, 11, INK,
              svg_fit(width - 8, 11, p->by_calls ? by_calls : by_time, p->by_calls ? 2 : 3));
    fputs("</g>\n", p->f);
}

/* Side by side, the smallest in one. Returns how many stand for themselves. */
static unsigned draw_row(const struct picture *p, const struct box *boxes, unsigned n, double x,
                         double scale, double whole)
{
    struct box other = { .fill = svg_families[OTHER].fill };
    unsigned shown = n;

    while (shown > 0 && boxes[shown - 1].size * scale < NARROWEST)
        shown--;
    if (n - shown == 1)
        shown = n;
    for (unsigned i = 0; i < shown; i++) {
        draw_box(p, &boxes[i], x, boxes[i].size * scale, whole);
        x += boxes[i].size * scale;
    }
    for (unsigned i = shown; i < n; i++) {
        other.calls += boxes[i].calls;
        other.errors += boxes[i].errors;
        other.ticks += boxes[i].ticks;
        other.size += boxes[i].size;
    }
    if (shown < n) {
        snprintf(other.name, sizeof(other.name), "other (%u)", n - shown);
        draw_box(p, &other, x, other.size * scale, whole);
    }
    return shown;
}

static double sum(const struct box *boxes, unsigned n)
{
    double size = 0;

    for (unsigned i = 0; i < n; i++)
        size += boxes[i].size;
    return size;
}

/* Members of multicalls are more than the multicalls, when calls are what is counted: they
 * shrink. */
void svg_flame(struct picture *p, unsigned guest, struct box *boxes, struct box *parts)
{
    unsigned n = collect(p, guest, ALL, boxes), shown;
    double whole = sum(boxes, n), scale = whole > 0 ? INNER / whole : 0, x = MARGIN;

    if (whole <= 0)
        return;
    shown = draw_row(p, boxes, n, MARGIN, scale, whole);
    p->y += FRAME_HEIGHT;
    for (unsigned i = 0; i < shown; i++) {
        unsigned m = collect(p, guest, boxes[i].nr, parts);
        double all = sum(parts, m);

        for (unsigned j = 0; j < m && all > boxes[i].size; j++)
            parts[j].size *= boxes[i].size / all;
        draw_row(p, parts, m, x, scale, whole);
        x += boxes[i].size * scale;
    }
    p->y += FRAME_HEIGHT;
}
