/* What the command line says. options.c reads it, help.c explains it, main.c acts on it. */
#ifndef PVTRACE_OPTIONS_H
#define PVTRACE_OPTIONS_H

#include "tools/pvtrace/filter.h"
#include "tools/pvtrace/pvtrace.h"

#define EXIT_DAMAGED 1              /* the input; what could be read was shown */
#define EXIT_TROUBLE 2              /* usage, or a file that cannot be opened or written */

enum output_nr { OUTPUT_TEXT, OUTPUT_SUMMARY, OUTPUT_JSON, OUTPUT_CTF, OUTPUT_CSV, OUTPUT_SVG, NR_OUTPUTS };

struct options {
    const char *file, *other;       /* the input; other: `diff` was asked for */
    struct source_options source;
    struct output_options output;   /* what is the same for all outputs */
    struct filter *filter;
    bool wanted[NR_OUTPUTS];
    const char *paths[NR_OUTPUTS];  /* NULL: -o's file, or standard output */
    const char *out;                /* -o; NULL: standard output */
    const char *symbols;
    uint64_t hz;                    /* 0: not given */
    const char *colour;             /* auto, always, never */
};

/* Reads the command line; on an error, and after --help and --version, it does not return. */
void options_read(struct options *o, int argc, char **argv);
void help_print(FILE *out);
void usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
