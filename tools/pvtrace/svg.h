/* --svg in parts: svg.c the picture, svg_boxes.c what its boxes are, svg_words.c words and numbers
 * in it. */
#ifndef PVTRACE_SVG_H
#define PVTRACE_SVG_H

#include "tools/pvtrace/account.h"

#define MARGIN 36.0             /* pixels */
#define INNER 1128.0
#define INK "#1d2733"
#define FAINT "#5c6873"

struct picture {
    FILE *f;
    const struct account *a;
    bool by_calls;              /* no results in the trace: widths are calls */
    double hyper;               /* of all domains, what the widths are made of */
    double y;                   /* where to go on */
};

/* svg_words.c. What returns words keeps them for the next 15 calls of svg_put. */
const char *svg_put(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *svg_amount(const struct picture *p, double ticks);
const char *svg_mean(const struct picture *p, double ticks, uint64_t calls);
const char *svg_number(uint64_t n);
void svg_text(FILE *f, const char *text);
double svg_width(const char *s, double font_size);
double svg_share(double part, double whole);
/* The first that there is room for; "": none. */
const char *svg_fit(double room, double font_size, const char *const choices[], unsigned n);
void svg_words(const struct picture *p, double x, double y, const char *class, const char *s);
void svg_label(const struct picture *p, double x, double y, double room, double font_size,
               const char *class, const char *ink, const char *s);

/* svg_boxes.c */
enum svg_family_id { OTHER, MEMORY, EVENTS, GRANTS, CPU, NR_SVG_FAMILIES };
struct svg_family {
    const char *name, *fill;
};
extern const struct svg_family svg_families[NR_SVG_FAMILIES];

struct box {
    char name[96];
    const char *fill;
    uint32_t nr;
    uint64_t calls, errors;
    double ticks, size;         /* size: what the width is made of */
};

/* <title> with a box's numbers, of which `whole` is 100 %. */
void svg_title(const struct picture *p, const struct box *b, double whole);
/* Adds a row to the box of that name, be it new. */
void svg_box_add(const struct picture *p, struct box *boxes, unsigned *n, const char *name,
                 const struct row *r, uint64_t ticks);
const char *svg_operation(const struct row *r);         /* "": none to be shown */
bool svg_counts(const struct picture *p, const struct row *r);  /* it has something to show */
int svg_larger(const void *a, const void *b);           /* for qsort */
/* boxes and parts: room for MAX_ROWS each. */
void svg_flame(struct picture *p, unsigned guest, struct box *boxes, struct box *parts);

#endif
