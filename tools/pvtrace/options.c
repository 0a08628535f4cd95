/* The command line: one table says which options there are, what they set and what --help (help.c)
 * says of them. What does not go together is refused here. Called first by main.c. */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"
#include "tools/pvtrace/options.h"

static struct options read;
#define AT(member) (&read.member)
#define NOWHERE NULL, 0, NULL

const struct row rows[] = {
    { 0, NULL, NULL, HEADING, NOWHERE, "What to show" },
    { 'e', "trace", "LIST", EXPRESSION, NOWHERE,
      "only these: hypercalls (mmu_update), sub-operations (EVTCHNOP_send),\n"
      "single kinds and sets; '!LIST': all but these. Several -e: all must hold.\n"
      "sets: mmu (mmu_update, update_va_mapping, mmuext_op and emulated writes\n"
      "to page tables; page faults are pf), event, grant, memory, sched, time,\n"
      "vcpu, desc, console, emul, hypercall, all, none\n"
      "kinds: trap, pf, ptwr, emulated, send, upcall, switch, mem, other;\n"
      "runstate and counter, which are shown only when named\n"
      "-e help: all names" },
    { 'p', NULL, "GUEST", GUEST, NOWHERE,
      "only this guest: d1, d1v0 (one vCPU), 1, or its name. Several: any of them" },
    { 'z', "successful-only", NULL, EXPRESSION, NULL, 0, "status=successful",
      "only calls that succeeded (-e status=successful)" },
    { 'Z', "failed-only", NULL, EXPRESSION, NULL, 0, "status=failed",
      "only calls that failed (-e status=failed)" },
    { 0, NULL, NULL, HEADING, NOWHERE, "How to show it" },
    { 'c', "summary-only", NULL, OUTPUT, NULL, 1 << OUTPUT_SUMMARY, NULL,
      "no lines but a table: calls, errors and time by hypercall and\nsub-operation" },
    { 'C', "summary", NULL, OUTPUT, NULL, 1 << OUTPUT_SUMMARY | 1 << OUTPUT_TEXT, NULL,
      "lines, then the table" },
    { 'S', "summary-sort-by", "ORDER", CHOICE, AT(output.sort), 0, "time|calls|errors|name",
      "of the table: time (without -S), calls, errors, name" },
    { 't', NULL, NULL, VALUE, AT(output.times), TIME_SYSTEM, NULL,
      "the system time in front of each line; this is what you get anyway" },
    { 'r', NULL, NULL, VALUE, AT(output.times), TIME_DELTA, NULL,
      "the time since the line before, instead" },
    { 0, "times", "WHICH", CHOICE, AT(output.times), 0, "system|relative|delta|ticks|none",
      "system (-t), relative (to the first line), delta (-r), ticks (TSC), none" },
    { 'T', NULL, NULL, FLAG, AT(output.show_took), true, NULL,
      "the <time taken> behind each call; this is what you get anyway" },
    { 0, "no-took", NULL, FLAG, AT(output.show_took), false, NULL, "without it" },
    { 0, "insn", NULL, FLAG, AT(output.instructions), true, NULL,
      "a tick is an instruction (QEMU -icount shift=0): <212 insn>, not <212 ns>" },
    { 0, "hz", "N", NUMBER, AT(hz), 0, NULL,
      "ticks per second in a trace without a clock, as Xen's own are (2.4G)" },
    { 's', "string-limit", "BYTES", NUMBER, AT(string_limit), 0, NULL,
      "of a string shown at most (80)" },
    { 'v', "no-abbrev", NULL, VALUE, &decode_options.max_items, MAX_COPY_BYTES, NULL,
      "all elements of arrays, not just 8" },
    { 0, "raw", NULL, FLAG, &decode_options.raw, true, NULL, "numbers as they are, no names" },
    { 0, "symbols", "FILE", STRING, AT(symbols), 0, NULL,
      "names for addresses: the guest kernel's ELF file (stripped will do),\n"
      "System.map, or what root sees in its /proc/kallsyms" },
    { 0, "color", "[=WHEN]", CHOICE, AT(colour), COLOUR_ALWAYS, "auto|always|never",
      "auto, always, never" },
    { 0, NULL, NULL, HEADING, NOWHERE, "Where it goes" },
    { 'o', "output", "FILE", STRING, AT(out), 0, NULL, "what would go to standard output" },
    { 'f', "follow", NULL, FLAG, AT(source.follow), true, NULL,
      "wait for more until the trace ends; Ctrl-C ends it too, summary and all" },
    { 0, "ram", "MEMORY", STRING, AT(ram), 0, NULL, "a machine's memory is the input" },
    { 0, "at", "ADDRESS", ADDRESS, AT(source.at), 0, NULL,
      "where the hypervisor said that its trace is described; else it is\nsearched for" },
    { 0, "save", "FILE", STRING, AT(source.save), 0, NULL,
      "keep what comes from --ram or standard input as a trace file" },
    { 0, "text", "[=FILE]", OUTPUT, NULL, 1 << OUTPUT_TEXT, NULL,
      "the lines, besides something from below" },
    { 0, "json", "[=FILE]", OUTPUT, NULL, 1 << OUTPUT_JSON, NULL,
      "for ui.perfetto.dev, chrome://tracing: a track per vCPU, arrows for events" },
    { 0, "ctf", "DIR", OUTPUT, NULL, 1 << OUTPUT_CTF, NULL,
      "Common Trace Format 1.8, for babeltrace2 and Trace Compass" },
    { 0, "csv", "[=FILE]", OUTPUT, NULL, 1 << OUTPUT_CSV, NULL, "a row per call" },
    { 0, "svg", "[=FILE]", OUTPUT, NULL, 1 << OUTPUT_SVG, NULL, "a picture: where the time went" },
    { 0, NULL, NULL, HEADING, NOWHERE, "" },
    { 'h', "help", NULL, HELP, NOWHERE, "this" },
    { 'V', "version", NULL, VERSION, NOWHERE, "and that of the trace's format" },
};
const unsigned nr_rows = ARRAY_SIZE(rows);

static void __attribute__((format(printf, 1, 2), noreturn)) usage_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vwarnx(fmt, ap);
    va_end(ap);
    fprintf(stderr, "Try 'pvtrace --help'.\n");
    exit(EXIT_TROUBLE);
}

/* --- Values ----------------------------------------------------------------------------------- */
/* The number of word among the choices, which are separated by '|'. */
static unsigned one_of(const struct row *r, const char *word)
{
    size_t len = strlen(word);
    unsigned i = 0;

    for (const char *c = r->words; *c != '\0'; i++) {
        size_t n = strcspn(c, "|");

        if (n == len && memcmp(c, word, n) == 0)
            return i;
        c += n + (c[n] == '|');
    }
    usage_error("--%s %s: must be one of %s", r->name, word, r->words);
}

/* 2400000000, 2400M, 2.4G */
static uint64_t number(const struct row *r, const char *word)
{
    char *end;
    double n = strtod(word, &end);

    if (*end == 'k' || *end == 'M' || *end == 'G') {
        n *= *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : 1e9;
        end++;
    }
    if (*end != '\0' || !(n >= 0 && n <= 1e12))
        usage_error("--%s %s: must be a number, as 2400000000 or 2.4G", r->name, word);
    return (uint64_t)n;
}

static uint64_t page_address(const char *word)
{
    char *end;
    uint64_t at = strtoull(word, &end, 16);

    if (end == word || *end != '\0' || at % 4096 != 0 || at >= 1ull << 32)
        usage_error("--at %s: not the address of a page below 4 GiB", word);
    return at;
}

static void expression(const char *expr)
{
    if (strcmp(expr, "help") == 0) {
        printf("-e: ");
        filter_help(stdout);
        exit(0);
    }
    if (!filter_expression(read.filter, expr))
        exit(EXIT_TROUBLE);
}

/* outputs: by bit. */
static void want(unsigned outputs, const char *path)
{
    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        if (outputs >> i & 1) {
            read.wanted[i] = true;
            read.paths[i] = path != NULL && strcmp(path, "-") != 0 ? path : NULL;
        }
}

static void act(const struct row *r, const char *arg)
{
    switch (r->action) {
    case HEADING: break;
    case HELP: print_help(); break;
    case VERSION:
        printf("pvtrace, of Paragon; trace format %u\n", TRACE_FORMAT_VERSION);
        exit(0);
    case FLAG: *(bool *)r->at = r->value; break;
    case VALUE: *(unsigned *)r->at = r->value; break;
    case CHOICE: *(unsigned *)r->at = arg != NULL ? one_of(r, arg) : r->value; break;
    case NUMBER: *(uint64_t *)r->at = number(r, arg); break;
    case ADDRESS: *(uint64_t *)r->at = page_address(arg); break;
    case STRING: *(const char **)r->at = arg; break;
    case OUTPUT: want(r->value, arg); break;
    case EXPRESSION: expression(arg != NULL ? arg : r->words); break;
    case GUEST:
        if (!filter_guest(read.filter, arg))
            exit(EXIT_TROUBLE);
        break;
    }
}

/* --- The line --------------------------------------------------------------------------------- */
static void read_words(int argc, char **argv)
{
    struct option words[ARRAY_SIZE(rows) + 1] = { { NULL, 0, NULL, 0 } };
    char letters[3 * ARRAY_SIZE(rows)];
    struct text l = TEXT(letters);
    unsigned n = 0;
    int c;

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *r = &rows[i];
        int how = r->argument == NULL ? no_argument
                  : r->argument[0] == '[' ? optional_argument : required_argument;

        if (r->letter != '\0')
            text_add(&l, "%c%s", r->letter, how == required_argument ? ":" : "");
        if (r->name != NULL)
            words[n++] = (struct option){ r->name, how, NULL, 256 + (int)i };
    }
    while ((c = getopt_long(argc, argv, letters, words, NULL)) != -1) {
        unsigned i = 0;

        while (i < ARRAY_SIZE(rows) && c != 256 + (int)i && c != rows[i].letter)
            i++;
        if (i == ARRAY_SIZE(rows)) {
            fprintf(stderr, "Try 'pvtrace --help'.\n");
            exit(EXIT_TROUBLE);
        }
        act(&rows[i], optarg);
    }
}

static void read_files(int n, char **files)
{
    if (n == 3 && strcmp(files[0], "diff") == 0 && read.ram == NULL) {
        read.file = files[1];
        read.other = files[2];
        return;
    }
    if (read.ram != NULL && n > 0)
        usage_error("--ram and '%s': one input only", files[0]);
    if (n > 1)
        usage_error("'%s' and '%s': one input only (a file that an option may have needs =, as "
                    "--json=FILE)", files[0], files[1]);
    if (n == 0 && read.ram == NULL)
        usage_error("no FILE to read");
    read.file = n == 1 ? files[0] : read.ram;
    read.source.ram = read.ram != NULL;
}

/* Lines and summary may follow each other; anything else needs a place for itself. */
static void check(void)
{
    unsigned here = 0, wanted = 0;
    bool both;

    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        wanted += read.wanted[i];
    if (wanted == 0)
        want(1 << OUTPUT_TEXT, NULL);
    if (read.other != NULL && wanted > 0)
        usage_error("diff has an output of its own; only -o goes with it");
    if (read.other != NULL && (read.source.follow || read.source.save != NULL))
        usage_error("diff reads two whole files: no -f, no --save");
    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        here += read.wanted[i] && read.paths[i] == NULL;
    both = read.wanted[OUTPUT_TEXT] && read.paths[OUTPUT_TEXT] == NULL &&
           read.wanted[OUTPUT_SUMMARY];
    if (here > 1u + both)
        usage_error("several outputs in one place: give them files, as --json=FILE");
    if (here == 0 && read.out != NULL)
        usage_error("-o %s: nothing goes there", read.out);
    if (read.source.save != NULL && !read.source.ram && strcmp(read.file, "-") != 0)
        usage_error("--save is for --ram and standard input: '%s' is a file already", read.file);
}

void options_read(struct options *o, int argc, char **argv)
{
    read.output.show_took = true;
    read.string_limit = decode_options.max_string;
    read.filter = filter_new();
    read_words(argc, argv);
    if (read.out != NULL && strcmp(read.out, "-") == 0)
        read.out = NULL;
    read_files(argc - optind, argv + optind);
    check();
    decode_options.max_string = (unsigned)MIN(read.string_limit, 1u << 20);
    read.output.filter = read.filter;
    read.output.file = read.file;
    *o = read;
}
