/* What the command line says. options.c reads it, help.c explains it, main.c acts on it. */
#ifndef PVTRACE_OPTIONS_H
#define PVTRACE_OPTIONS_H

#include "tools/pvtrace/filter.h"
#include "tools/pvtrace/pvtrace.h"

enum output_nr { OUTPUT_TEXT, OUTPUT_SUMMARY, OUTPUT_JSON, OUTPUT_CTF, OUTPUT_CSV, OUTPUT_SVG, NR_OUTPUTS };

struct options {
    const char *file, *other;       /* the input; other: `diff` was asked for */
    const char *ram;                /* NULL: the input is a file */
    struct source_options source;
    struct output_options output;   /* what is the same for all outputs */
    struct filter *filter;
    bool wanted[NR_OUTPUTS];
    const char *paths[NR_OUTPUTS];  /* NULL: -o's file, or standard output */
    const char *out;                /* -o; NULL: standard output */
    const char *symbols;
    uint64_t hz;                    /* 0: not given */
    uint64_t string_limit;
    enum { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER } colour;
};

/* Reads the command line; on an error, and after --help and --version, it does not return. */
void options_read(struct options *o, int argc, char **argv);

/* --- Between options.c and help.c ------------------------------------------------------------- */
enum action {
    HEADING, HELP, VERSION,
    FLAG,                           /* the bool at `at` becomes value */
    VALUE,                          /* the enum or unsigned at `at` becomes value */
    CHOICE,                         /* it becomes the number of the word among choices */
    NUMBER, ADDRESS, STRING,        /* what is at `at` */
    OUTPUT,                         /* value: which, by bit */
    EXPRESSION, GUEST,
};

struct row {
    char letter;                    /* 0: none */
    const char *name;               /* NULL: none */
    const char *argument;           /* NULL: none; "[=FILE]": may be left out */
    enum action action;
    void *at;                       /* in the options below, or what the decoder is told */
    unsigned value;
    const char *words;         /* to choose from; of an EXPRESSION without argument: what it says */
    const char *help;
};

extern const struct row rows[];
extern const unsigned nr_rows;
void print_help(void) __attribute__((noreturn));

#endif
