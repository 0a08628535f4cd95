/* Between svg.c, which counts, and svg_draw.c, which draws: what a trace comes to. */
#ifndef PVTRACE_SVG_H
#define PVTRACE_SVG_H

#include "tools/pvtrace/pvtrace.h"

#define SVG_DOMAINS 64u         /* more share the last place */
#define SVG_FRAMES 4096u        /* distinct (domain, hypercall, sub-operation); more share the last place */
#define SVG_OP_CHARS 40u
#define SVG_REST UINT32_MAX     /* hypercall number of the last place */

enum svg_time { SVG_GUEST, SVG_HYPERCALLS, SVG_WAITING, SVG_BLOCKED, SVG_UNKNOWN, NR_SVG_TIMES };

struct svg_domain {
    uint16_t domid;
    bool rest;                  /* all the domains that found no place */
    char name[24];
    unsigned vcpus;
    uint64_t calls, sleeps, traps, faults, emulated;
    double time[NR_SVG_TIMES];  /* ticks */
};

/* A kind of hypercall of a domain. Ticks are without what the vCPU slept or waited meanwhile. */
struct svg_frame {
    bool used, member;          /* member: of a multicall */
    uint16_t domain;            /* index */
    uint32_t nr;
    char op[SVG_OP_CHARS];      /* "": it has none */
    uint64_t calls, errors;
    double ticks;
    double self;                /* less the members of a multicall */
};

struct svg_counts {
    struct svg_domain domains[SVG_DOMAINS];
    unsigned nr_domains;
    struct svg_frame frames[SVG_FRAMES];
    unsigned nr_frames;
    uint64_t first, last;       /* TSC */
    uint64_t lost, results;
};

/* The picture; o says where to, and what a tick is. */
void svg_draw(const struct svg_counts *c, const struct output_options *o, const struct clock_info *clock);

/* --- Parts of the picture ------------------------------------------------------------------------------ */
#define MARGIN 36.0             /* pixels */
#define INNER 1128.0
#define INK "#1d2733"
#define FAINT "#5c6873"

struct picture {
    FILE *f;
    const struct svg_counts *c;
    const struct output_options *o;
    const struct clock_info *clock;
    bool by_calls;              /* no results in the trace: widths are calls */
    double hyper;               /* of all domains, what the widths are made of */
    double y;                   /* where to go on */
};

/* svg_words.c. buf: room for the words, which are also returned. */
void svg_text(FILE *f, const char *text);
const char *svg_amount(const struct picture *p, double ticks, char *buf, size_t size);
const char *svg_number(uint64_t n, char *buf, size_t size);
double svg_width(const char *s, double font_size);
double svg_share(double part, double whole);
/* The first that there is room for; "": none. */
const char *svg_fit(double room, double font_size, const char *const choices[], unsigned n);
void svg_words(const struct picture *p, double x, double y, const char *class, const char *s);
void svg_label(const struct picture *p, double x, double y, double room, double font_size, const char *class,
               const char *ink, const char *s);

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
void svg_name_call(char *name, size_t size, uint32_t nr);
struct box *svg_box_named(struct box *boxes, unsigned *n, const char *name, uint32_t nr);
void svg_box_add(struct box *b, const struct svg_frame *f, double ticks, double size);
int svg_larger(const void *a, const void *b);           /* for qsort */
/* boxes and parts: room for SVG_FRAMES each. */
void svg_flame(struct picture *p, uint16_t domain, struct box *boxes, struct box *parts);

#endif
