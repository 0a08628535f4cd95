/* Owns the command line: which word means what, and which do not go together. Called first by main.c. */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/pvtrace/options.h"

enum { OPT_RAM = 256, OPT_TIMES, OPT_NO_TOOK, OPT_RAW, OPT_SYMBOLS, OPT_SAVE, OPT_AT, OPT_INSN, OPT_HZ,
       OPT_COLOUR, OPT_TEXT, OPT_JSON, OPT_CTF, OPT_CSV, OPT_SVG };

static const char letters[] = "e:p:cCo:trTs:vS:fzZhV";
static const struct option words[] = {
    { "ram", required_argument, NULL, OPT_RAM },
    { "follow", no_argument, NULL, 'f' },
    { "trace", required_argument, NULL, 'e' },
    { "summary-only", no_argument, NULL, 'c' },
    { "summary", no_argument, NULL, 'C' },
    { "summary-sort-by", required_argument, NULL, 'S' },
    { "output", required_argument, NULL, 'o' },
    { "times", required_argument, NULL, OPT_TIMES },
    { "no-took", no_argument, NULL, OPT_NO_TOOK },
    { "string-limit", required_argument, NULL, 's' },
    { "no-abbrev", no_argument, NULL, 'v' },
    { "successful-only", no_argument, NULL, 'z' },
    { "failed-only", no_argument, NULL, 'Z' },
    { "hz", required_argument, NULL, OPT_HZ },
    { "raw", no_argument, NULL, OPT_RAW },
    { "symbols", required_argument, NULL, OPT_SYMBOLS },
    { "at", required_argument, NULL, OPT_AT },
    { "save", required_argument, NULL, OPT_SAVE },
    { "insn", no_argument, NULL, OPT_INSN },
    { "text", optional_argument, NULL, OPT_TEXT },
    { "json", optional_argument, NULL, OPT_JSON },
    { "ctf", required_argument, NULL, OPT_CTF },
    { "csv", optional_argument, NULL, OPT_CSV },
    { "svg", optional_argument, NULL, OPT_SVG },
    { "color", optional_argument, NULL, OPT_COLOUR },
    { "colour", optional_argument, NULL, OPT_COLOUR },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
};

void usage_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fprintf(stderr, "pvtrace: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\nTry 'pvtrace --help'.\n");
    va_end(ap);
    exit(EXIT_TROUBLE);
}

/* The index of word among the n words, which are separated by '|'. */
static unsigned one_of(const char *option, const char *word, const char *choices)
{
    size_t len = strlen(word);
    unsigned i = 0;

    for (const char *c = choices; *c != '\0'; i++) {
        size_t n = strcspn(c, "|");

        if (n == len && memcmp(c, word, n) == 0)
            return i;
        c += n + (c[n] == '|');
    }
    usage_error("%s %s: must be one of %s", option, word, choices);
}

static unsigned number(const char *option, const char *word)
{
    char *end;
    unsigned long n = strtoul(word, &end, 10);

    if (*word < '0' || *word > '9' || *end != '\0' || n > 1u << 20)
        usage_error("%s %s: must be a number up to %u", option, word, 1u << 20);
    return (unsigned)n;
}

/* 2400000000, 2400M, 2.4G */
static uint64_t frequency(const char *word)
{
    char *end;
    double hz = strtod(word, &end);

    if (*end == 'k' || *end == 'M' || *end == 'G') {
        hz *= *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : 1e9;
        end++;
    }
    if (*end != '\0' || !(hz >= 1 && hz <= 1e12))
        usage_error("--hz %s: must be a number, as 2400000000 or 2.4G", word);
    return (uint64_t)hz;
}

static void expression(struct options *o, const char *expr)
{
    if (strcmp(expr, "help") == 0) {
        printf("-e: ");
        filter_help(stdout);
        exit(0);
    }
    if (!filter_expression(o->filter, expr))
        exit(EXIT_TROUBLE);
}

static void want(struct options *o, enum output_nr nr, const char *path)
{
    if (path != NULL && strcmp(path, "-") == 0)
        path = NULL;
    o->wanted[nr] = true;
    o->paths[nr] = path;
}

/* Options about what is shown and how; false: it is none. */
static bool look_option(struct options *o, int c, const char *arg)
{
    static const char *const sorts[] = { "time", "calls", "errors", "name" };

    switch (c) {
    case 'e': expression(o, arg); break;
    case 'z': expression(o, "status=successful"); break;
    case 'Z': expression(o, "status=failed"); break;
    case 'p':
        if (!filter_guest(o->filter, arg))
            exit(EXIT_TROUBLE);
        break;
    case 'S': o->output.sort = sorts[one_of("-S", arg, "time|calls|errors|name")]; break;
    case 't': o->output.times = TIME_SYSTEM; break;
    case 'r': o->output.times = TIME_DELTA; break;
    case 'T': o->output.show_took = true; break;
    case 's': decode_options.max_string = number("-s", arg); break;
    case 'v': decode_options.max_items = MAX_COPY_BYTES; break;
    case OPT_TIMES:
        o->output.times = (enum time_style)one_of("--times", arg, "system|relative|delta|ticks|none");
        break;
    case OPT_NO_TOOK: o->output.show_took = false; break;
    case OPT_HZ: o->hz = frequency(arg); break;
    case OPT_RAW: decode_options.raw = true; break;
    case OPT_INSN: o->output.instructions = true; break;
    case OPT_SYMBOLS: o->symbols = arg; break;
    case OPT_COLOUR:
        o->colour = arg != NULL ? arg : "always";
        one_of("--color", o->colour, "auto|always|never");
        break;
    default: return false;
    }
    return true;
}

/* Options about files; false: it is none. */
static bool file_option(struct options *o, int c, char *arg)
{
    char *end;

    switch (c) {
    case 'c': want(o, OUTPUT_SUMMARY, NULL); break;
    case 'C':
        want(o, OUTPUT_SUMMARY, NULL);
        want(o, OUTPUT_TEXT, NULL);
        break;
    case 'o': o->out = strcmp(arg, "-") != 0 ? arg : NULL; break;
    case 'f': o->source.follow = true; break;
    case OPT_RAM:
        o->source.ram = true;
        o->file = arg;
        break;
    case OPT_AT:
        o->source.at = strtoull(arg, &end, 16);
        if (end == arg || *end != '\0' || o->source.at % 4096 != 0 || o->source.at >= 1ull << 32)
            usage_error("--at %s: not the address of a page below 4 GiB", arg);
        break;
    case OPT_SAVE: o->source.save = arg; break;
    case OPT_TEXT: want(o, OUTPUT_TEXT, arg); break;
    case OPT_JSON: want(o, OUTPUT_JSON, arg); break;
    case OPT_CTF: want(o, OUTPUT_CTF, arg); break;
    case OPT_CSV: want(o, OUTPUT_CSV, arg); break;
    case OPT_SVG: want(o, OUTPUT_SVG, arg); break;
    default: return false;
    }
    return true;
}

static void read_files(struct options *o, int n, char **files)
{
    if (n == 3 && strcmp(files[0], "diff") == 0 && !o->source.ram) {
        o->file = files[1];
        o->other = files[2];
        return;
    }
    if (o->source.ram && n > 0)
        usage_error("--ram and '%s': one input only", files[0]);
    if (n > 1)
        usage_error("'%s' and '%s': one input only (a file that an option may have needs =, as --json=FILE)",
                    files[0], files[1]);
    if (n == 0 && !o->source.ram)
        usage_error("no FILE to read");
    if (n == 1)
        o->file = files[0];
}

/* Lines and summary may follow each other; anything else needs a place for itself. */
static void check(struct options *o)
{
    unsigned here = 0;
    bool any = false;

    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        any |= o->wanted[i];
    if (!any)
        want(o, OUTPUT_TEXT, NULL);
    if (o->other != NULL && any)
        usage_error("diff has an output of its own; only -o goes with it");
    if (o->other != NULL && (o->source.follow || o->source.save != NULL))
        usage_error("diff reads two whole files: no -f, no --save");
    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        here += o->wanted[i] && o->paths[i] == NULL;
    if (here > 1u + (o->wanted[OUTPUT_TEXT] && o->paths[OUTPUT_TEXT] == NULL && o->wanted[OUTPUT_SUMMARY]))
        usage_error("several outputs in one place: give them files, as --json=FILE");
    if (here == 0 && o->out != NULL)
        usage_error("-o %s: nothing goes there", o->out);
    if (o->source.save != NULL && !o->source.ram && strcmp(o->file, "-") != 0)
        usage_error("--save is for --ram and standard input: '%s' is a file already", o->file);
}

void options_read(struct options *o, int argc, char **argv)
{
    int c;

    *o = (struct options){ .colour = "auto", .output = { .show_took = true, .sort = "time" } };
    o->filter = filter_new();
    if (o->filter == NULL)
        usage_error("no memory");
    while ((c = getopt_long(argc, argv, letters, words, NULL)) != -1) {
        if (c == 'h') {
            help_print(stdout);
            exit(0);
        } else if (c == 'V') {
            printf("pvtrace, of Paragon; trace format %u\n", TRACE_FORMAT_VERSION);
            exit(0);
        } else if (!look_option(o, c, optarg) && !file_option(o, c, optarg)) {
            fprintf(stderr, "Try 'pvtrace --help'.\n");
            exit(EXIT_TROUBLE);
        }
    }
    read_files(o, argc - optind, argv + optind);
    check(o);
    o->output.filter = o->filter;
    o->output.file = o->file;
}
