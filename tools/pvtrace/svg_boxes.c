/* --svg: the part of a domain's time that went into hypercalls, enlarged to the width of the picture: a row
 * of hypercalls and, below each, its sub-operations; below a multicall, its members. */
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/svg.h"

#define FRAME_HEIGHT 38.0
#define NARROWEST 4.0           /* pixels; what is narrower goes to "other" */
#define ALL (SVG_REST - 1)      /* as a parent: the row of hypercalls itself */
#define MULTICALL 13u

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

static double size_of(const struct picture *p, const struct svg_frame *f)
{
    return p->by_calls ? (double)f->calls : f->ticks;
}

int svg_larger(const void *a, const void *b)
{
    const struct box *x = a, *y = b;

    return x->size > y->size ? -1 : x->size < y->size ? 1 : strcmp(x->name, y->name);
}

void svg_name_call(char *name, size_t size, uint32_t nr)
{
    const char *known = nr == SVG_REST ? "all the rest" : hypercall_name(nr);

    if (known)
        snprintf(name, size, "%s", known);
    else
        snprintf(name, size, "hypercall %u", nr);
}

static void name_part(char *name, size_t size, const struct svg_frame *f)
{
    if (f->op[0])
        snprintf(name, size, "%s", f->op);
    else
        svg_name_call(name, size, f->nr);
}

struct box *svg_box_named(struct box *boxes, unsigned *n, const char *name, uint32_t nr)
{
    struct box *b;

    for (unsigned i = 0; i < *n; i++)
        if (boxes[i].nr == nr && strcmp(boxes[i].name, name) == 0)
            return &boxes[i];
    b = &boxes[(*n)++];
    *b = (struct box){ .nr = nr, .fill = colour(nr) };
    snprintf(b->name, sizeof(b->name), "%s", name);
    return b;
}

void svg_box_add(struct box *b, const struct svg_frame *f, double ticks, double size)
{
    b->calls += f->calls;
    b->errors += f->errors;
    b->ticks += ticks;
    b->size += size;
}

/* The boxes of a domain's hypercalls (parent ALL), or those below one hypercall. */
static unsigned collect(const struct picture *p, uint16_t domain, uint32_t parent, struct box *boxes)
{
    bool top = parent == ALL;
    unsigned n = 0;

    for (unsigned i = 0; i < SVG_FRAMES; i++) {
        const struct svg_frame *f = &p->c->frames[i];
        char name[96];

        if (!f->used || f->domain != domain)
            continue;
        if (top ? f->member : f->member ? parent != MULTICALL : f->nr != parent || !f->op[0])
            continue;
        if (top)
            svg_name_call(name, sizeof(name), f->nr);
        else
            name_part(name, sizeof(name), f);
        svg_box_add(svg_box_named(boxes, &n, name, f->nr), f, f->ticks, size_of(p, f));
    }
    qsort(boxes, n, sizeof(*boxes), svg_larger);
    return n;
}

/* Which numbers there is room for. */
static void draw_numbers(const struct picture *p, const struct box *b, double x, double room,
                         const char *share)
{
    char total[32], mean[32], count[40], all[128], some[80], calls[80];
    const char *const choices[] = { all, some, share }, *const by_calls[] = { calls, share };

    svg_amount(p, b->ticks, total, sizeof(total));
    svg_amount(p, b->calls ? b->ticks / (double)b->calls : 0, mean, sizeof(mean));
    svg_number(b->calls, count, sizeof(count));
    snprintf(all, sizeof(all), "%s \u00d7 %s = %s \u00b7 %s", count, mean, total, share);
    snprintf(some, sizeof(some), "%s \u00b7 %s", total, share);
    snprintf(calls, sizeof(calls), "%s \u00d7 \u00b7 %s", count, share);
    svg_label(p, x, p->y + 31, room, 11, "small", INK,
              p->by_calls ? svg_fit(room, 11, by_calls, 2) : svg_fit(room, 11, choices, 3));
}

void svg_title(const struct picture *p, const struct box *b, double whole)
{
    char total[32], mean[32];

    svg_amount(p, b->ticks, total, sizeof(total));
    svg_amount(p, b->calls ? b->ticks / (double)b->calls : 0, mean, sizeof(mean));
    fputs("<title>", p->f);
    svg_text(p->f, b->name);
    fprintf(p->f, "\n%llu calls, %llu failed\n", (unsigned long long)b->calls, (unsigned long long)b->errors);
    if (!p->by_calls)
        fprintf(p->f, "%s in all, %s each\n", total, mean);
    fprintf(p->f, "%.2f %%</title>\n", svg_share(b->size, whole));
}

static void draw_box(const struct picture *p, const struct box *b, double x, double width, double whole)
{
    const char *tail = b->name[0] <= 'Z' ? strchr(b->name, '_') : NULL; /* MMUEXT_ of MMUEXT_PIN_L1_TABLE */
    const char *const names[] = { b->name, tail ? tail + 1 : b->name };
    const char *name = svg_fit(width - 10, 13.5, names, 2);
    char share[16];

    fputs("<g>", p->f);
    svg_title(p, b, whole);
    fprintf(p->f, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" rx=\"2\" fill=\"%s\"/>\n", x,
            p->y, width > 3 ? width - 1 : width, FRAME_HEIGHT - 1, b->fill);
    snprintf(share, sizeof(share), "%.1f %%", svg_share(b->size, whole));
    svg_label(p, x + 5, p->y + 16, width - 8, 13.5, "name", INK, name[0] ? name : names[1]);
    draw_numbers(p, b, x + 5, width - 8, share);
    fputs("</g>\n", p->f);
}

/* Side by side, the smallest in one. Returns how many stand for themselves. */
static unsigned draw_row(const struct picture *p, const struct box *boxes, unsigned n, double x, double scale,
                         double whole)
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

void svg_flame(struct picture *p, uint16_t domain, struct box *boxes, struct box *parts)
{
    unsigned n = collect(p, domain, ALL, boxes), shown;
    double whole = 0, scale, x = MARGIN;

    for (unsigned i = 0; i < n; i++)
        whole += boxes[i].size;
    if (whole <= 0)
        return;
    scale = INNER / whole;
    shown = draw_row(p, boxes, n, MARGIN, scale, whole);
    p->y += FRAME_HEIGHT;
    for (unsigned i = 0; i < shown; i++) {
        unsigned m = collect(p, domain, boxes[i].nr, parts);

        shrink(parts, m, boxes[i].size);
        draw_row(p, parts, m, x, scale, whole);
        x += boxes[i].size * scale;
    }
    p->y += FRAME_HEIGHT;
}
