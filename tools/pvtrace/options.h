/* What the command line says. options.c reads and explains it, main.c acts on it. */
#ifndef PVTRACE_OPTIONS_H
#define PVTRACE_OPTIONS_H

#include "tools/pvtrace/filter.h"
#include "tools/pvtrace/pvtrace.h"

enum output_nr {
    OUTPUT_TEXT, OUTPUT_SUMMARY, OUTPUT_JSON, OUTPUT_CTF, OUTPUT_CSV, OUTPUT_SVG, NR_OUTPUTS
};

struct options {
    const char *file, *other;       /* the input; other: `diff` was asked for */
    struct source_options source;
    struct output_options output;   /* what is the same for all outputs */
    struct filter filter;
    bool wanted[NR_OUTPUTS];
    const char *paths[NR_OUTPUTS];  /* NULL: -o's file, or standard output */
    const char *out;                /* -o; NULL: standard output */
    const char *symbols;
    uint64_t hz;                    /* 0: not given */
    enum { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } colour;
};

/* Reads the command line; on an error, and after --help and --version, it does not return. */
void options_read(struct options *o, int argc, char **argv);

#endif
