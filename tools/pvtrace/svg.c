/* --svg: a picture of where the guests' time went, as account.c has added it up. One block for each
 * guest: a bar of its vCPUs' time, and below it the part that went into hypercalls (svg_boxes.c).
 * Then the costliest hypercalls of all as a table. Widths are proportional to time; what would be
 * too narrow to see is merged. Called by main.c.
 *
 * Colours are of Okabe and Ito's palette, which the colour-blind can tell apart; none carries a
 * meaning that the words do not carry too. No scripts: a viewer shows each <title> as a tooltip. */
#include <stdint.h>
#include <stdlib.h>
#include <public/xen.h>

#include "tools/pvtrace/svg.h"

#define WIDTH (INNER + 2 * MARGIN)
#define SHOWN_DOMAINS 8u
#define TABLE_ROWS 15u
#define AT_END " text-anchor=\"end\""

static const struct {
    const char *name, *fill, *ink;
} times[NR_SPENT] = {
    [SPENT_GUEST] = { "guest code", "#0072b2", "#ffffff" },
    [SPENT_CALLS] = { "hypercalls", "#d55e00", "#ffffff" },
    [SPENT_WAITING] = { "waiting for the CPU", "#f0e442", INK },
    [SPENT_BLOCKED] = { "blocked", "#e4e8ec", INK },
    [SPENT_UNKNOWN] = { "not recorded", "#ffffff", INK },
};

/* --- A domain --------------------------------------------------------------------------------- */
static double guest_time(const struct guest_account *g)
{
    double sum = 0;

    for (unsigned i = 0; i < NR_SPENT; i++)
        sum += (double)g->spent[i];
    return sum;
}

static void draw_heading(struct picture *p, const struct guest_account *g)
{
    const char *name = model_domain_name(p->a->m, g->domid);
    const uint64_t *n = g->counts;

    svg_words(p, "domain", MARGIN, p->y + 16, "",
              g->others ? "all other domains"
                        : svg_put("d%u%s%s", g->domid, *name != '\0' ? " \u00b7 " : "", name));
    svg_words(p, "note", WIDTH - MARGIN, p->y + 16, AT_END,
              svg_put("%u vCPU%s, %s \u00b7 %s hypercalls \u00b7 asleep %s \u00d7 "
                      "\u00b7 %s page faults \u00b7 %s other traps \u00b7 %s emulated",
                      g->vcpus, g->vcpus == 1 ? "" : "s",
                      svg_amount(p, guest_time(g)), svg_number(g->calls), svg_number(g->gave),
                      svg_number(n[COUNT_PAGE_FAULT]), svg_number(n[COUNT_TRAP]),
                      svg_number(n[COUNT_EMULATED] + n[COUNT_PTWR])));
    p->y += 24;
}

static void draw_time(const struct picture *p, const struct guest_account *g, unsigned i, double x,
                      double width)
{
    const char *total = svg_amount(p, (double)g->spent[i]), *name = times[i].name;
    const char *share = svg_share((double)g->spent[i], guest_time(g), 1);
    const char *const choices[] = {
        svg_put("%s \u00b7 %s \u00b7 %s", name, total, share),
        svg_put("%s \u00b7 %s", name, share), name, share,
    };

    svg_group(p, name, svg_put("%s\n%s", total, share));
    svg_rect(p, x, p->y, width, 30, times[i].fill,
             i == SPENT_UNKNOWN ? " stroke=\"#8a949e\" stroke-dasharray=\"3 2\"" : "");
    svg_label(p, "bar", x + 6, p->y + 19.5, width - 8, 12, times[i].ink,
              svg_fit(width - 8, 12, choices, 4));
    fputs("</g>\n", p->f);
}

/* The bar; then lines from its hypercalls to both ends of what is below, a lens. */
static void draw_guest(struct picture *p, unsigned index, double scale, struct box *boxes,
                       struct box *parts)
{
    const struct guest_account *g = &p->a->guests[index];
    double x = MARGIN, from = MARGIN, to = MARGIN;

    draw_heading(p, g);
    for (unsigned i = 0; i < NR_SPENT; i++) {
        double width = (double)g->spent[i] * scale;

        if (width > 0)
            draw_time(p, g, i, x, width);
        if (i == SPENT_CALLS) {
            from = x;
            to = x + width;
        }
        x += width;
    }
    p->y += 30;
    if (g->calls + g->gave > 0 && (p->by_calls || g->spent[SPENT_CALLS] > 0)) {
        fprintf(p->f, "<path d=\"M%.2f %.1fH%.2fL%.1f %.1fH%.1fZ\" fill=\"%s\" "
                "fill-opacity=\"0.16\"/>\n",
                from, p->y, to, WIDTH - MARGIN, p->y + 22, MARGIN, times[SPENT_CALLS].fill);
        p->y += 22;
        svg_flame(p, index, boxes, parts);
    }
    p->y += 20;
}

/* --- The table -------------------------------------------------------------------------------- */
static void table_words(const struct picture *p, const char *class, const char *const columns[4])
{
    static const double right[] = { 0.75, 0.84, 0.93, 1 };

    for (unsigned i = 0; i < 4; i++)
        svg_words(p, class, MARGIN + right[i] * INNER, p->y + 15, AT_END, columns[i]);
}

static void table_row(struct picture *p, const struct box *b, double largest)
{
    const char *const columns[] = {
        svg_number(b->calls), svg_mean(p, b->ticks, b->calls), svg_amount(p, b->ticks),
        svg_share(b->size, p->hyper, 1),
    };
    double width = largest > 0 ? 0.33 * INNER * b->size / largest : 0;

    svg_box_group(p, b, p->hyper);
    svg_rect(p, MARGIN + 0.33 * INNER, p->y + 3.5, width > 1 ? width : 1, 15, b->fill, ROUND);
    svg_label(p, "row", MARGIN, p->y + 15, 0.33 * INNER - 8, 12, INK, b->name);
    table_words(p, "row", columns);
    fputs("</g>\n", p->f);
    p->y += 22;
}

/* Over all domains; members of multicalls beside the same calls made singly, multicalls with what
 * is theirs alone. */
static void draw_table(struct picture *p, struct box *boxes)
{
    static const char *const head[] = { "calls", "mean", "total", "share" };
    unsigned n = 0;

    for (unsigned i = 0; i < p->a->rows.n; i++) {
        const struct row *r = &p->a->rows.row[i];
        const char *operation = svg_operation(r), *between = *operation != '\0' ? " \u00b7 " : "";
        struct label label;

        if (*operation == '\0' && r->nr == __HYPERVISOR_multicall)
            between = ", itself";
        svg_box_add(p, boxes, &n, svg_put("%s%s%s", row_name(r->nr, &label), between, operation), r,
                    r->t.ticks);
    }
    if (n == 0)
        return;
    qsort(boxes, n, sizeof(*boxes), svg_larger);
    svg_words(p, "domain", MARGIN, p->y + 15, "",
              p->by_calls ? "The commonest hypercalls" : "The costliest hypercalls");
    table_words(p, "note", head);
    p->y += 24;
    for (unsigned i = 0; i < n && i < TABLE_ROWS; i++)
        table_row(p, &boxes[i], boxes[0].size);
}

/* --- The whole -------------------------------------------------------------------------------- */
static double draw_key(const struct picture *p, double x, const char *fill, const char *name)
{
    svg_rect(p, x, 82, 12, 12, fill, ROUND);
    svg_words(p, "note", x + 17, 92, "", name);
    return x + svg_width(name, 12) + 34;
}

/* With two rows of colours in one line: what bars are made of, what hypercalls are about. */
static void draw_head(struct picture *p, unsigned guests)
{
    const struct account *a = p->a;
    double x = MARGIN;
    uint64_t n = 0;

    for (unsigned i = 0; i < a->nr_guests; i++)
        n += a->guests[i].calls;
    svg_words(p, "title", MARGIN, 46, "", "Where the guests\u2019 time went");
    svg_words(p, "note", MARGIN, 68, "",
              svg_put("%s \u00b7 %s long \u00b7 %u domain%s \u00b7 %s hypercalls "
                      "\u00b7 %s records lost%s", a->o.file != NULL ? a->o.file : "",
                      svg_amount(p, (double)(a->last - a->first)), guests, guests == 1 ? "" : "s",
                      svg_number(n), svg_number(a->lost),
                      p->by_calls ? " \u00b7 no results in this trace: widths of hypercalls are "
                                    "their numbers" : ""));
    for (unsigned i = 0; i < SPENT_UNKNOWN; i++)
        x = draw_key(p, x, times[i].fill, times[i].name);
    svg_words(p, "note", x + 14, 92, "", "hypercalls about");
    x += svg_width("hypercalls about", 12) + 24;
    for (unsigned i = 1; i <= NR_SVG_FAMILIES; i++)
        x = draw_key(p, x, svg_families[i % NR_SVG_FAMILIES].fill,
                     svg_families[i % NR_SVG_FAMILIES].name);
    p->y = 116;
}

/* The indices of the guests that vCPUs of were seen, those with most time first. */
static unsigned sort_guests(const struct account *a, unsigned order[MAX_GUESTS])
{
    unsigned n = 0;

    for (unsigned i = 0; i < a->nr_guests; i++) {
        unsigned at = n;

        if (a->guests[i].vcpus == 0)
            continue;
        for (; at > 0 && guest_time(&a->guests[order[at - 1]]) < guest_time(&a->guests[i]); at--)
            order[at] = order[at - 1];
        order[at] = i;
        n++;
    }
    return n;
}

static void draw_all(struct picture *p)
{
    struct box *boxes = xcalloc(MAX_ROWS, sizeof(*boxes));
    struct box *parts = xcalloc(MAX_ROWS, sizeof(*parts));
    unsigned order[MAX_GUESTS], n = sort_guests(p->a, order);
    double longest = n > 0 ? guest_time(&p->a->guests[order[0]]) : 0;

    draw_head(p, n);
    for (unsigned i = 0; i < n && i < SHOWN_DOMAINS; i++)
        draw_guest(p, order[i], longest > 0 ? INNER / longest : 0, boxes, parts);
    if (n > SHOWN_DOMAINS) {
        svg_words(p, "note", MARGIN, p->y + 10, "",
                  svg_put("and %u more domains, each with less time", n - SHOWN_DOMAINS));
        p->y += 32;
    }
    draw_table(p, boxes);
    free(boxes);
    free(parts);
}

static const char style[] =
    "<style>text{font-family:system-ui,'Segoe UI',Roboto,Helvetica,Arial,'DejaVu Sans',"
    "sans-serif;font-size:12px}.title{font-size:24px;font-weight:600;fill:" INK "}"
    ".domain{font-size:15px;font-weight:600;fill:" INK "}.note{fill:" FAINT "}"
    ".name{font-size:12.5px;font-weight:600}.small{font-size:11px}"
    ".row{fill:" INK "}g:hover>rect{stroke:" INK "}</style>\n";

/* The height is known last: the body is drawn first. */
static void draw(const struct account *a)
{
    struct picture p = { .a = a, .by_calls = true };
    char *body = NULL;
    size_t size = 0;

    for (unsigned i = 0; i < a->rows.n; i++)
        p.by_calls &= a->rows.row[i].t.timed == 0;
    for (const struct row *r = a->rows.row; r < a->rows.row + a->rows.n; r++)
        p.hyper += (double)(p.by_calls ? r->t.calls - r->t.gave : r->t.ticks);
    p.f = open_memstream(&body, &size);
    if (p.f == NULL)
        errx(EXIT_TROUBLE, "out of memory");
    draw_all(&p);
    fclose(p.f);
    fprintf(a->o.out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\">\n%s"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            WIDTH, p.y + MARGIN, WIDTH, p.y + MARGIN, style);
    fwrite(body, 1, size, a->o.out);
    fputs("</svg>\n", a->o.out);
    free(body);
}

static void *svg_open(const struct output_options *o, struct model *m)
{
    return account_open(sizeof(struct account), o, m);
}

static int svg_end(void *state)
{
    struct account *a = state;

    account_spent(a);
    draw(a);
    account_close(a);
    return 0;
}

const struct output_type svg_output = {
    .name = "svg", .open = svg_open, .item = account_item, .end = svg_end, .unfiltered = true,
};
