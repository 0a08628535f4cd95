/* --svg, second half: the picture. One block for each domain: a bar of its vCPUs' time, and below it the part
 * that went into hypercalls (svg_boxes.c). Then the costliest hypercalls of all domains as a table. Widths
 * are proportional to time; what would be too narrow to see is merged.
 *
 * Colours are of Okabe and Ito's palette, which the colour-blind can tell apart; none carries a meaning that
 * the words do not carry too. No scripts: a viewer shows each <title> as a tooltip. */
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/svg.h"

#define WIDTH (INNER + 2 * MARGIN)
#define SHOWN_DOMAINS 8u
#define TABLE_ROWS 15u

static const struct {
    const char *name, *fill, *ink;
} times[NR_SVG_TIMES] = {
    [SVG_GUEST] = { "guest code", "#0072b2", "#ffffff" },
    [SVG_HYPERCALLS] = { "hypercalls", "#d55e00", "#ffffff" },
    [SVG_WAITING] = { "waiting for the CPU", "#f0e442", INK },
    [SVG_BLOCKED] = { "blocked", "#e4e8ec", INK },
    [SVG_UNKNOWN] = { "not recorded", "#ffffff", INK },
};

/* --- A domain ------------------------------------------------------------------------------------------ */
static double domain_time(const struct svg_domain *d)
{
    double sum = 0;

    for (unsigned i = 0; i < NR_SVG_TIMES; i++)
        sum += d->time[i];
    return sum;
}

static void draw_heading(struct picture *p, const struct svg_domain *d)
{
    char name[64], total[32], calls[40], traps[40], faults[40], emulated[40], sleeps[40];

    if (d->rest)
        snprintf(name, sizeof(name), "all other domains");
    else
        snprintf(name, sizeof(name), d->name[0] ? "d%u \u00b7 %s" : "d%u", d->domid, d->name);
    svg_words(p, MARGIN, p->y + 16, "domain", name);
    fprintf(p->f,
            "<text class=\"note\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%u vCPU%s, %s \u00b7 "
            "%s hypercalls \u00b7 asleep %s \u00d7 \u00b7 %s page faults \u00b7 "
            "%s other traps \u00b7 %s emulated</text>\n",
            WIDTH - MARGIN, p->y + 16, d->vcpus, d->vcpus == 1 ? "" : "s",
            svg_amount(p, domain_time(d), total, sizeof(total)), svg_number(d->calls, calls, sizeof(calls)),
            svg_number(d->sleeps, sleeps, sizeof(sleeps)), svg_number(d->faults, faults, sizeof(faults)),
            svg_number(d->traps, traps, sizeof(traps)), svg_number(d->emulated, emulated, sizeof(emulated)));
    p->y += 24;
}

static void draw_time(const struct picture *p, const struct svg_domain *d, unsigned i, double x, double width)
{
    char total[32], all[96], most[64], share[16];
    const char *const choices[] = { all, most, times[i].name, share };

    svg_amount(p, d->time[i], total, sizeof(total));
    snprintf(share, sizeof(share), "%.1f %%", svg_share(d->time[i], domain_time(d)));
    snprintf(all, sizeof(all), "%s \u00b7 %s \u00b7 %s", times[i].name, total, share);
    snprintf(most, sizeof(most), "%s \u00b7 %s", times[i].name, share);
    fprintf(p->f, "<g><title>%s\n%s\n%s</title>\n", times[i].name, total, share);
    fprintf(p->f, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"30\" fill=\"%s\"%s/>\n", x, p->y,
            width, times[i].fill, i == SVG_UNKNOWN ? " stroke=\"#8a949e\" stroke-dasharray=\"3 2\"" : "");
    svg_label(p, x + 6, p->y + 19.5, width - 8, 12, "bar", times[i].ink, svg_fit(width - 8, 12, choices, 4));
    fputs("</g>\n", p->f);
}

/* The bar; then lines from its hypercalls to both ends of what is below, a lens. */
static void draw_domain(struct picture *p, unsigned index, double scale, struct box *boxes, struct box *parts)
{
    const struct svg_domain *d = &p->c->domains[index];
    double x = MARGIN, from = MARGIN, to = MARGIN;

    draw_heading(p, d);
    for (unsigned i = 0; i < NR_SVG_TIMES; i++) {
        double width = d->time[i] * scale;

        if (width > 0)
            draw_time(p, d, i, x, width);
        if (i == SVG_HYPERCALLS) {
            from = x;
            to = x + width;
        }
        x += width;
    }
    p->y += 30;
    if (d->calls && (p->by_calls || d->time[SVG_HYPERCALLS] > 0)) {
        fprintf(p->f, "<path d=\"M%.2f %.1fH%.2fL%.1f %.1fH%.1fZ\" fill=\"%s\" fill-opacity=\"0.16\"/>\n",
                from, p->y, to, WIDTH - MARGIN, p->y + 22, MARGIN, times[SVG_HYPERCALLS].fill);
        p->y += 22;
        svg_flame(p, (uint16_t)index, boxes, parts);
    }
    p->y += 20;
}

/* --- The table ----------------------------------------------------------------------------------------- */
static void table_words(const struct picture *p, const char *class, const char *const columns[4])
{
    static const double right[] = { 0.75, 0.84, 0.93, 1 };

    for (unsigned i = 0; i < 4; i++)
        fprintf(p->f, "<text class=\"%s\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class,
                MARGIN + right[i] * INNER, p->y + 15, columns[i]);
}

static void table_row(struct picture *p, const struct box *b, double largest)
{
    char calls[40], mean[32], total[32], percent[32];
    const char *const columns[] = { calls, mean, total, percent };
    double left = MARGIN + 0.33 * INNER, width = largest > 0 ? 0.33 * INNER * b->size / largest : 0;

    svg_number(b->calls, calls, sizeof(calls));
    svg_amount(p, b->calls ? b->ticks / (double)b->calls : 0, mean, sizeof(mean));
    svg_amount(p, b->ticks, total, sizeof(total));
    snprintf(percent, sizeof(percent), "%.1f %%", svg_share(b->size, p->hyper));
    fputs("<g>", p->f);
    svg_title(p, b, p->hyper);
    fprintf(p->f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"15\" rx=\"2\" fill=\"%s\"/>\n", left,
            p->y + 3.5, width > 1 ? width : 1, b->fill);
    svg_label(p, MARGIN, p->y + 15, 0.33 * INNER - 8, 12, "row", INK, b->name);
    table_words(p, "row", columns);
    fputs("</g>\n", p->f);
    p->y += 22;
}

/* Over all domains; members of multicalls beside the same calls made singly, multicalls with what is theirs
 * alone. */
static void draw_table(struct picture *p, struct box *boxes)
{
    static const char *const head[] = { "calls", "mean", "total", "share" };
    unsigned n = 0;

    for (unsigned i = 0; i < SVG_FRAMES; i++) {
        const struct svg_frame *f = &p->c->frames[i];
        char name[96], call[48];

        if (!f->used)
            continue;
        svg_name_call(call, sizeof(call), f->nr);
        snprintf(name, sizeof(name), "%s%s%s", call,
                 f->op[0]      ? " \u00b7 "
                 : f->nr == 13 ? ", itself"
                               : "",
                 f->op);
        svg_box_add(svg_box_named(boxes, &n, name, f->nr), f, f->self,
                    p->by_calls ? (double)f->calls : f->self);
    }
    if (n == 0)
        return;
    qsort(boxes, n, sizeof(*boxes), svg_larger);
    svg_words(p, MARGIN, p->y + 15, "domain",
              p->by_calls ? "The commonest hypercalls" : "The costliest hypercalls");
    table_words(p, "note", head);
    p->y += 24;
    for (unsigned i = 0; i < n && i < TABLE_ROWS; i++)
        table_row(p, &boxes[i], boxes[0].size);
}

/* --- The whole ----------------------------------------------------------------------------------------- */
static double draw_key(const struct picture *p, double x, const char *fill, const char *name)
{
    fprintf(p->f, "<rect x=\"%.1f\" y=\"82\" width=\"12\" height=\"12\" rx=\"2\" fill=\"%s\"/>\n", x, fill);
    svg_words(p, x + 17, 92, "note", name);
    return x + svg_width(name, 12) + 34;
}

/* Two rows of colours in one line: what bars are made of, what hypercalls are about. */
static void draw_keys(const struct picture *p)
{
    double x = MARGIN;

    for (unsigned i = 0; i < SVG_UNKNOWN; i++)
        x = draw_key(p, x, times[i].fill, times[i].name);
    svg_words(p, x + 14, 92, "note", "hypercalls about");
    x += svg_width("hypercalls about", 12) + 24;
    for (unsigned i = 1; i <= NR_SVG_FAMILIES; i++)
        x = draw_key(p, x, svg_families[i % NR_SVG_FAMILIES].fill, svg_families[i % NR_SVG_FAMILIES].name);
}

static void draw_head(struct picture *p)
{
    char length[32], calls[40], lost[40];
    uint64_t n = 0;

    for (unsigned i = 0; i < p->c->nr_domains; i++)
        n += p->c->domains[i].calls;
    svg_words(p, MARGIN, 46, "title", "Where the guests\u2019 time went");
    fprintf(p->f, "<text class=\"note\" x=\"%.1f\" y=\"68\">", MARGIN);
    svg_text(p->f, p->o->file ? p->o->file : "");
    fprintf(p->f, " \u00b7 %s long \u00b7 %u domain%s \u00b7 %s hypercalls \u00b7 %s records lost%s</text>\n",
            svg_amount(p, (double)(p->c->last - p->c->first), length, sizeof(length)), p->c->nr_domains,
            p->c->nr_domains == 1 ? "" : "s", svg_number(n, calls, sizeof(calls)),
            svg_number(p->c->lost, lost, sizeof(lost)),
            p->by_calls ? " \u00b7 no results in this trace: widths of hypercalls are their numbers" : "");
    draw_keys(p);
    p->y = 116;
}

static void draw_all(struct picture *p, unsigned shown, const unsigned order[], struct box *boxes,
                     struct box *parts)
{
    double longest = shown ? domain_time(&p->c->domains[order[0]]) : 0;

    draw_head(p);
    for (unsigned i = 0; i < shown; i++)
        draw_domain(p, order[i], longest > 0 ? INNER / longest : 0, boxes, parts);
    if (shown < p->c->nr_domains) {
        char line[64];

        snprintf(line, sizeof(line), "and %u more domains, each with less time", p->c->nr_domains - shown);
        svg_words(p, MARGIN, p->y + 10, "note", line);
        p->y += 32;
    }
    draw_table(p, boxes);
}

static unsigned sort_domains(const struct svg_counts *c, unsigned order[])
{
    for (unsigned i = 0; i < c->nr_domains; i++) {
        unsigned at = i;

        for (; at > 0 && domain_time(&c->domains[order[at - 1]]) < domain_time(&c->domains[i]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return c->nr_domains < SHOWN_DOMAINS ? c->nr_domains : SHOWN_DOMAINS;
}

static const char style[] =
    "<style>text{font-family:system-ui,'Segoe UI',Roboto,Helvetica,Arial,'DejaVu "
    "Sans',sans-serif;font-size:12px}"
    ".title{font-size:24px;font-weight:600;fill:" INK "}.domain{font-size:15px;font-weight:600;fill:" INK "}"
    ".note{fill:" FAINT "}.name{font-size:12.5px;font-weight:600}.small{font-size:11px}"
    ".row{fill:" INK "}g:hover>rect{stroke:" INK "}</style>\n";

void svg_draw(const struct svg_counts *c, const struct output_options *o, const struct clock_info *clock)
{
    struct box *boxes = calloc(SVG_FRAMES, sizeof(*boxes)), *parts = calloc(SVG_FRAMES, sizeof(*parts));
    struct picture p = { .c = c, .o = o, .clock = clock, .by_calls = c->results == 0 };
    unsigned order[SVG_DOMAINS], shown = sort_domains(c, order);
    char *body = NULL;
    size_t size = 0;

    for (unsigned i = 0; i < SVG_FRAMES; i++)
        if (c->frames[i].used)
            p.hyper += p.by_calls ? (double)c->frames[i].calls : c->frames[i].self;
    p.f = boxes && parts ? open_memstream(&body, &size) : NULL;     /* the height is known last */
    if (p.f) {
        draw_all(&p, shown, order, boxes, parts);
        fclose(p.f);
        fprintf(o->out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
                "width=\"%.0f\" "
                "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n%s<rect width=\"100%%\" height=\"100%%\" "
                "fill=\"#ffffff\"/>\n",
                WIDTH, p.y + MARGIN, WIDTH, p.y + MARGIN, style);
        fwrite(body, 1, size, o->out);
        fputs("</svg>\n", o->out);
    }
    free(body);
    free(boxes);
    free(parts);
}
