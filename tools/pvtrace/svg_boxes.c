/* --svg: the part of a domain's time that went into hypercalls, enlarged to the width of the
 * picture: a row of hypercalls and, below each, its sub-operations; below a multicall, its members.
 */
#include <stdlib.h>
#include <string.h>

#include <stdint.h>
#include <public/xen.h>

#include "tools/pvtrace/svg.h"

#define FRAME_HEIGHT 38.0
#define NARROWEST 4.0           /* pixels; what is narrower goes to "other" */
#define ALL (NR_REST - 1)      /* as a parent: the row of hypercalls itself */

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

static const char *colour(uint32_t nr)
{
    return svg_families[nr < sizeof(family_of) ? family_of[nr] : OTHER].fill;
}

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

bool svg_counts(const struct picture *p, const struct row *r)
{
    return r->t.calls > r->t.gave || (!p->by_calls && r->t.whole > 0);
}

void svg_box_add(const struct picture *p, struct box *boxes, unsigned *n, const char *name,
                 const struct row *r, uint64_t ticks)
{
    struct box *b = boxes;

    while (b < boxes + *n && (b->nr != r->nr || strcmp(b->name, name) != 0))
        b++;
    if (b == boxes + *n) {
        *b = (struct box){ .nr = r->nr, .fill = colour(r->nr) };
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
    bool top = parent == ALL;
    struct label label;
    unsigned n = 0;

    for (unsigned i = 0; i < p->a->rows.n; i++) {
        const struct row *r = &p->a->rows.row[i];
        const char *name = top ? "" : svg_operation(r);
        bool below = r->member ? parent == __HYPERVISOR_multicall : r->nr == parent && name[0] != '\0';

        if (r->who == guest && svg_counts(p, r) && (top ? !r->member : below))
            svg_box_add(p, boxes, &n, name[0] != '\0' ? name : row_name(r->nr, &label), r, r->t.whole);
    }
    qsort(boxes, n, sizeof(*boxes), svg_larger);
    return n;
}

/* Which numbers there is room for. */
static void draw_numbers(const struct picture *p, const struct box *b, double x, double room,
                         const char *share)
{
    const char *total = svg_amount(p, b->ticks), *count = svg_number(b->calls);
    const char *const by_calls[] = { svg_put("%s \u00d7 \u00b7 %s", count, share), share };
    const char *const choices[] = {
        svg_put("%s \u00d7 %s = %s \u00b7 %s", count, svg_mean(p, b->ticks, b->calls), total,
                share),
        svg_put("%s \u00b7 %s", total, share),
        share,
    };

    svg_label(p, x, p->y + 31, room, 11, "small", INK,
              p->by_calls ? svg_fit(room, 11, by_calls, 2) : svg_fit(room, 11, choices, 3));
}

void svg_title(const struct picture *p, const struct box *b, double whole)
{
    fputs("<title>", p->f);
    svg_text(p->f, b->name);
    fprintf(p->f, "\n%lu calls, %lu failed\n", b->calls, b->errors);
    if (!p->by_calls)
        fprintf(p->f, "%s in all, %s each\n", svg_amount(p, b->ticks),
                svg_mean(p, b->ticks, b->calls));
    fprintf(p->f, "%.2f %%</title>\n", svg_share(b->size, whole));
}

static void draw_box(const struct picture *p, const struct box *b, double x, double width,
                     double whole)
{
    const char *tail = b->name[0] <= 'Z' ? strchr(b->name, '_') : NULL; /* MMUEXT_ of MMUEXT_PIN_L1_TABLE */
    const char *const names[] = { b->name, tail ? tail + 1 : b->name };
    const char *name = svg_fit(width - 10, 13.5, names, 2);

    fputs("<g>", p->f);
    svg_title(p, b, whole);
    fprintf(p->f,
            "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" rx=\"2\" fill=\"%s\"/>\n",
            x, p->y, width > 3 ? width - 1 : width, FRAME_HEIGHT - 1, b->fill);
    svg_label(p, x + 5, p->y + 16, width - 8, 13.5, "name", INK, name[0] ? name : names[1]);
    draw_numbers(p, b, x + 5, width - 8, svg_put("%.1f %%", svg_share(b->size, whole)));
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
    for (unsigned i = 0; i < n; i++) {
        if (i < shown) {
            draw_box(p, &boxes[i], x, boxes[i].size * scale, whole);
            x += boxes[i].size * scale;
            continue;
        }
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

/* Members of multicalls are more than the multicalls, when calls are what is counted. */
static void shrink(struct box *parts, unsigned n, double room)
{
    double sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += parts[i].size;
    for (unsigned i = 0; i < n && sum > room; i++)
        parts[i].size *= room / sum;
}

void svg_flame(struct picture *p, unsigned guest, struct box *boxes, struct box *parts)
{
    unsigned n = collect(p, guest, ALL, boxes), shown;
    double whole = 0, scale, x = MARGIN;

    for (unsigned i = 0; i < n; i++)
        whole += boxes[i].size;
    if (whole <= 0)
        return;
    scale = INNER / whole;
    shown = draw_row(p, boxes, n, MARGIN, scale, whole);
    p->y += FRAME_HEIGHT;
    for (unsigned i = 0; i < shown; i++) {
        unsigned m = collect(p, guest, boxes[i].nr, parts);

        shrink(parts, m, boxes[i].size);
        draw_row(p, parts, m, x, scale, whole);
        x += boxes[i].size * scale;
    }
    p->y += FRAME_HEIGHT;
}
