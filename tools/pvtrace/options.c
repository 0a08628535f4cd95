/* The command line: which options there are and what --help says of them, what they set, and what
 * does not go together. Called first by main.c. */
#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"
#include "tools/pvtrace/options.h"

/* Options without a letter. Those of the outputs follow OUTPUT in the order of enum output_nr. */
enum { CPUS = 256, TIMES, NO_TOOK, INSN, HZ, RAW, SYMBOLS, COLOUR, RAM, AT, SAVE, OUTPUT };

static const struct argp_option options[] = {
    { NULL, 0, NULL, 0, "What to show", 1 },
    { "trace", 'e', "LIST", 0,
      "only these: hypercalls (mmu_update), sub-operations (EVTCHNOP_send), single kinds and sets; "
      "'!LIST': all but these. Several -e: all must hold. Sets: mmu (mmu_update, "
      "update_va_mapping, mmuext_op and emulated writes to page tables; page faults are pf), "
      "event, grant, memory, sched, time, vcpu, desc, console, emul, hypercall, all, none. Kinds: "
      "trap, pf, ptwr, emulated, send, upcall, switch, migrated, mem, other; runstate and counter, "
      "which are shown only when named. -e help: all names", 1 },
    { NULL, 'p', "GUEST", 0,
      "only this guest: d1, d1v0 (one vCPU), 1, or its name. Several: any of them", 1 },
    { "cpu", CPUS, "LIST", 0,
      "only these CPUs: 0, or 1,4-7: calls that began there, and what else happened there", 1 },
    { "successful-only", 'z', NULL, 0, "only calls that succeeded (-e status=successful)", 1 },
    { "failed-only", 'Z', NULL, 0, "only calls that failed (-e status=failed)", 1 },
    { NULL, 0, NULL, 0, "How to show it", 2 },
    { "summary-only", 'c', NULL, 0,
      "no lines but a table: calls, errors and time by hypercall and sub-operation", 2 },
    { "summary", 'C', NULL, 0, "lines, then the table", 2 },
    { "summary-sort-by", 'S', "ORDER", 0,
      "order of the table: time (without -S), calls, errors, name", 2 },
    { NULL, 't', NULL, 0,
      "the system time in front of each line; this is what you get anyway", 2 },
    { NULL, 'r', NULL, 0, "the time since the line before, instead of that", 2 },
    { "times", TIMES, "WHICH", 0,
      "system (-t), relative (to the first line), delta (-r), ticks (TSC), none", 2 },
    { NULL, 'T', NULL, 0,
      "the <time taken> behind each call; this is what you get anyway", 2 },
    { "no-took", NO_TOOK, NULL, 0, "no <time taken> behind each call", 2 },
    { "insn", INSN, NULL, 0,
      "a tick is an instruction (QEMU -icount shift=0): <212 insn>, not <212 ns>", 2 },
    { "hz", HZ, "N", 0, "ticks per second in a trace without a clock, as Xen's own are (2.4G)", 2 },
    { "string-limit", 's', "BYTES", 0, "bytes of a string shown at most (80)", 2 },
    { "no-abbrev", 'v', NULL, 0, "all elements of arrays, not just 8", 2 },
    { "raw", RAW, NULL, 0, "numbers as they are, no names", 2 },
    { "symbols", SYMBOLS, "FILE", 0,
      "names for addresses: the guest kernel's ELF file (stripped will do), System.map, or what "
      "root sees in its /proc/kallsyms", 2 },
    { "color", COLOUR, "WHEN", OPTION_ARG_OPTIONAL, "auto, always, never", 2 },
    { NULL, 0, NULL, 0, "Where it goes", 3 },
    { "output", 'o', "FILE", 0, "what would go to standard output", 3 },
    { "follow", 'f', NULL, 0,
      "wait for more until the trace ends; Ctrl-C ends it too, summary and all", 3 },
    { "ram", RAM, "MEMORY", 0, "a machine's memory is the input", 3 },
    { "at", AT, "ADDRESS", 0,
      "where the hypervisor said that its trace is described; else it is searched for", 3 },
    { "save", SAVE, "FILE", 0, "keep what comes from --ram or standard input as a trace file", 3 },
    { "text", OUTPUT + OUTPUT_TEXT, "FILE", OPTION_ARG_OPTIONAL,
      "the lines, besides another output", 3 },
    { "json", OUTPUT + OUTPUT_JSON, "FILE", OPTION_ARG_OPTIONAL,
      "for ui.perfetto.dev, chrome://tracing: a track per vCPU, arrows for events", 3 },
    { "ctf", OUTPUT + OUTPUT_CTF, "DIR", 0,
      "Common Trace Format 1.8, for babeltrace2 and Trace Compass", 3 },
    { "csv", OUTPUT + OUTPUT_CSV, "FILE", OPTION_ARG_OPTIONAL, "a row per call", 3 },
    { "svg", OUTPUT + OUTPUT_SVG, "FILE", OPTION_ARG_OPTIONAL,
      "a picture: where the time went", 3 },
    { NULL, 'h', NULL, 0, "the same as --help", -1 },
    { 0 },
};

static const char files[] = "FILE\n--ram MEMORY\ndiff A B";

static const char explained[] =
    "pvtrace shows what Xen PV guests ask of the hypervisor: every hypercall with its arguments, "
    "result and time, every trap, page fault, emulated instruction, event and switch. FILE is a "
    "trace, or - for standard input; MEMORY is a machine's memory, as a file that it shares (-f: "
    "live). diff shows what is different in trace B: counts, and where it begins.\v"
    "The lines look like strace's:\n"
    "  [d1v0 12.000124010] event_channel_op(EVTCHNOP_send, {port=5}) = 0 -> d2v0\n"
    "d1v0 is vCPU 0 of domain 1, and -> names who got an event from the call. With several CPUs, "
    "cpu2 before it says which one it was. Members of a "
    "multicall are indented below it. What stands between --- and --- is no call. A call during "
    "which something else had to be shown is <unfinished ...> and later <... resumed>; one that "
    "did not return has = ?. The time behind a call includes sleep, as in SCHEDOP_block, and "
    "waiting for the CPU; in the table that stands apart, below the total.\n"
    "\n"
    "Examples\n"
    "  pvtrace -c boot.trace                   what was asked, what took longest?\n"
    "  pvtrace -e mmu -p d1 boot.trace         page-table updates of domain 1\n"
    "  pvtrace -e '!iret' -e '!sched' FILE     all but these\n"
    "  pvtrace -Z boot.trace                   what was refused, and why\n"
    "  pvtrace -r -e event,trap boot.trace     events, traps, time between them\n"
    "  pvtrace -f -C --ram /dev/shm/guest.ram  a running machine, then a table\n"
    "  pvtrace --json=boot.json --svg=boot.svg -c boot.trace\n"
    "  pvtrace diff good.trace bad.trace\n"
    "\n"
    "Exit status: 0; 1 when the input was damaged (what could be read is shown, and where it broke "
    "is said); 2 when something could not be done. diff: 0 same, 1 different, 2 trouble.";

static void print_version(FILE *out, struct argp_state *state)
{
    (void)state;
    fprintf(out, "pvtrace, of Paragon; trace format %u\n", TRACE_FORMAT_VERSION);
}

/* --- Values ----------------------------------------------------------------------------------- */
/* The number of word among the choices, which are separated by '|'. */
static unsigned one_of(struct argp_state *state, const char *option, const char *choices,
                       const char *word)
{
    size_t len = strlen(word);
    unsigned i = 0;

    for (const char *c = choices; *c != '\0'; i++) {
        size_t n = strcspn(c, "|");

        if (n == len && memcmp(c, word, n) == 0)
            return i;
        c += n + (c[n] == '|');
    }
    argp_error(state, "--%s %s: must be one of %s", option, word, choices);
    return 0;
}

/* 2400000000, 2400M, 2.4G */
static uint64_t number(struct argp_state *state, const char *option, const char *word)
{
    char *end;
    double n = strtod(word, &end);

    if (*end == 'k' || *end == 'M' || *end == 'G') {
        n *= *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : 1e9;
        end++;
    }
    if (*end != '\0' || !(n >= 0 && n <= 1e12))
        argp_error(state, "--%s %s: must be a number, as 2400000000 or 2.4G", option, word);
    return (uint64_t)n;
}

static uint64_t page_address(struct argp_state *state, const char *word)
{
    char *end;
    uint64_t at = strtoull(word, &end, 16);

    if (end == word || *end != '\0' || at % 4096 != 0 || at >= 1ull << 32)
        argp_error(state, "--at %s: not the address of a page below 4 GiB", word);
    return at;
}

static void expression(struct options *o, const char *expr)
{
    if (strcmp(expr, "help") == 0) {
        printf("-e: ");
        filter_help(stdout);
        exit(0);
    }
    if (!filter_expression(&o->filter, expr))
        exit(EXIT_TROUBLE);
}

static void want(struct options *o, unsigned output, const char *path)
{
    o->wanted[output] = true;
    o->paths[output] = path != NULL && strcmp(path, "-") != 0 ? path : NULL;
}

/* --- What does not go together ---------------------------------------------------------------- */
static void read_files(struct options *o, struct argp_state *state)
{
    char **words = state->argv + state->next;
    int n = state->argc - state->next;
    bool ram = o->source.ram, diff = n == 3 && strcmp(words[0], "diff") == 0 && !ram;

    if (ram && n > 0)
        argp_error(state, "--ram and '%s': one input only", words[0]);
    if (n > 1 && !diff)
        argp_error(state, "'%s' and '%s': one input only (a file that an option may have needs =, "
                   "as --json=FILE)", words[0], words[1]);
    if (n == 0 && !ram)
        argp_error(state, "no FILE to read");
    if (!ram)
        o->file = words[diff];
    o->other = diff ? words[2] : NULL;
}

/* Lines and summary may follow each other; anything else needs a place for itself. */
static void check(struct options *o, struct argp_state *state)
{
    unsigned here = 0, wanted = 0;
    bool both;

    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        wanted += o->wanted[i];
    if (wanted == 0)
        want(o, OUTPUT_TEXT, NULL);
    if (o->other != NULL && wanted > 0)
        argp_error(state, "diff has an output of its own; only -o goes with it");
    if (o->other != NULL && (o->source.follow || o->source.save != NULL))
        argp_error(state, "diff reads two whole files: no -f, no --save");
    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        here += o->wanted[i] && o->paths[i] == NULL;
    both = o->wanted[OUTPUT_TEXT] && o->paths[OUTPUT_TEXT] == NULL && o->wanted[OUTPUT_SUMMARY];
    if (here > 1u + both)
        argp_error(state, "several outputs in one place: give them files, as --json=FILE");
    if (here == 0 && o->out != NULL)
        argp_error(state, "-o %s: nothing goes there", o->out);
    if (o->source.save != NULL && !o->source.ram && strcmp(o->file, "-") != 0)
        argp_error(state, "--save is for --ram and standard input: '%s' is a file already",
                   o->file);
}

/* --- The line --------------------------------------------------------------------------------- */
/* How it is shown, as the options of the second group say. False: key is none of them. */
static bool parse_style(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    struct output_options *out = &o->output;

    switch (key) {
    case 'c': want(o, OUTPUT_SUMMARY, NULL); break;
    case 'C':
        want(o, OUTPUT_TEXT, NULL);
        want(o, OUTPUT_SUMMARY, NULL);
        break;
    case 'S': out->sort = one_of(state, "summary-sort-by", "time|calls|errors|name", arg); break;
    case 't': out->times = TIME_SYSTEM; break;
    case 'r': out->times = TIME_DELTA; break;
    case TIMES: out->times = one_of(state, "times", "system|relative|delta|ticks|none", arg); break;
    case 'T': out->show_took = true; break;
    case NO_TOOK: out->show_took = false; break;
    case INSN: out->instructions = true; break;
    case HZ: o->hz = number(state, "hz", arg); break;
    case 's':
        decode_options.max_string = (unsigned)MIN(number(state, "string-limit", arg), 1u << 20);
        break;
    case 'v': decode_options.max_items = MAX_COPY_BYTES; break;
    case RAW: decode_options.raw = true; break;
    case SYMBOLS: o->symbols = arg; break;
    case COLOUR:
        o->colour = one_of(state, "color", "auto|always|never", arg != NULL ? arg : "always");
        break;
    default: return false;
    }
    return true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'e': expression(o, arg); break;
    case 'z': expression(o, "status=successful"); break;
    case 'Z': expression(o, "status=failed"); break;
    case 'p':
        if (!filter_guest(&o->filter, arg))
            exit(EXIT_TROUBLE);
        break;
    case CPUS:
        if (!filter_cpus(&o->filter, arg))
            exit(EXIT_TROUBLE);
        break;
    case 'o': o->out = strcmp(arg, "-") != 0 ? arg : NULL; break;
    case 'f': o->source.follow = true; break;
    case RAM:
        o->file = arg;
        o->source.ram = true;
        break;
    case AT: o->source.at = page_address(state, arg); break;
    case SAVE: o->source.save = arg; break;
    case 'h': argp_state_help(state, stdout, ARGP_HELP_STD_HELP); break;
    case ARGP_KEY_ARGS:
    case ARGP_KEY_NO_ARGS: read_files(o, state); break;
    case ARGP_KEY_END: check(o, state); break;
    default:
        if (parse_style(key, arg, state))
            break;
        if (key < OUTPUT || key >= OUTPUT + NR_OUTPUTS)
            return ARGP_ERR_UNKNOWN;
        want(o, (unsigned)(key - OUTPUT), arg);
    }
    return 0;
}

void options_read(struct options *o, int argc, char **argv)
{
    static const struct argp argp = { .options = options, .parser = parse, .args_doc = files,
                                      .doc = explained };

    argp_err_exit_status = EXIT_TROUBLE;
    argp_program_version_hook = print_version;
    o->output.show_took = true;
    argp_parse(&argp, argc, argv, 0, NULL, o);
    o->output.filter = &o->filter;
    o->output.file = o->file;
}
