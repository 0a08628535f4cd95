/* --svg in parts: svg.c the picture, svg_boxes.c the boxes of hypercalls, svg_words.c what both are
 * drawn with: words, numbers, rectangles. */
#ifndef PVTRACE_SVG_H
#define PVTRACE_SVG_H

#include "tools/pvtrace/account.h"

#define MARGIN 36.0             /* pixels */
#define INNER 1128.0
#define INK "#1d2733"
#define FAINT "#5c6873"
#define ROUND " rx=\"2\""

struct picture {
    FILE *f;
    const struct account *a;
    bool by_calls;              /* no results in the trace: widths are calls */
    double hyper;               /* of all domains, what the widths are made of */
    double y;                   /* where to go on */
};

/* --- svg_words.c: what returns words keeps them for the next 15 calls of svg_put -------------- */
const char *svg_put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *svg_amount(const struct picture *p, double ticks);
const char *svg_mean(const struct picture *p, double ticks, uint64_t calls);
const char *svg_number(uint64_t n);
const char *svg_share(double part, double whole, int decimals);         /* "12.5 %" */
double svg_width(const char *s, double font_size);
/* The first that there is room for; "": none. */
const char *svg_fit(double room, double font_size, const char *const choices[], unsigned n);
/* more: further attributes, each after a space. */
void svg_words(const struct picture *p, const char *class, double x, double y, const char *more,
               const char *s);
/* As much of the words as fits, or nothing. */
void svg_label(const struct picture *p, const char *class, double x, double y, double room,
               double font_size, const char *ink, const char *s);
void svg_rect(const struct picture *p, double x, double y, double width, double height,
              const char *fill, const char *more);
/* What a viewer shows as a tooltip of the group that begins here; rest: more lines. */
void svg_group(const struct picture *p, const char *name, const char *rest);

/* --- svg_boxes.c ------------------------------------------------------------------------------ */
enum svg_family_id { OTHER, MEMORY, EVENTS, GRANTS, CPU, NR_SVG_FAMILIES };
extern const struct svg_family {
    const char *name, *fill;
} svg_families[NR_SVG_FAMILIES];

struct box {
    char name[96];
    const char *fill;
    uint32_t nr;
    uint64_t calls, errors;
    double ticks, size;         /* size: what the width is made of */
};

/* A box's group begins; `whole` is 100 %. */
void svg_box_group(const struct picture *p, const struct box *b, double whole);
/* Adds a row to the box of that name, be it new; a row that has nothing to show is left out. */
void svg_box_add(const struct picture *p, struct box *boxes, unsigned *n, const char *name,
                 const struct row *r, uint64_t ticks);
const char *svg_operation(const struct row *r);         /* "": none to be shown */
int svg_larger(const void *a, const void *b);           /* for qsort */
/* boxes and parts: room for MAX_ROWS each. */
void svg_flame(struct picture *p, unsigned guest, struct box *boxes, struct box *parts);

#endif
