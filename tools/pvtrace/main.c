/* The run of the program: opens the input and the outputs, hands every record to the model and
 * every item to the outputs that want it, waits for more, and tells how it went by its exit status.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/pvtrace/options.h"

#define OUT_BUFFER (256u << 10)
#define WAIT_MS 20
#define PATIENCE_MS 100             /* of silence, before open calls are shown as unfinished */
#define QUIET_MS 1000               /* of silence after the last counters: the trace has ended */

static const struct output_type *const types[NR_OUTPUTS] = {
    [OUTPUT_TEXT] = &text_output, [OUTPUT_SUMMARY] = &summary_output, [OUTPUT_JSON] = &json_output,
    [OUTPUT_CTF] = &ctf_output,   [OUTPUT_CSV] = &csv_output,         [OUTPUT_SVG] = &svg_output,
};

struct output {
    const struct output_type *type;
    void *state;
    FILE *out;                      /* NULL: it writes files of its own */
    const char *path;
};

struct run {
    struct options o;
    struct source *source;
    struct model *model;
    FILE *out;                      /* -o or standard output */
    unsigned nr_outputs;
    struct output outputs[NR_OUTPUTS];
};

static volatile sig_atomic_t pipe_broken;

/* The second signal kills: SA_RESETHAND. */
static void on_stop(int sig)
{
    if (sig == SIGPIPE)
        pipe_broken = 1;
    source_stop();
}

static void catch_signals(void)
{
    struct sigaction sa = { .sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sa.sa_flags = 0;
    sigaction(SIGPIPE, &sa, NULL);
}

/* --- Files ------------------------------------------------------------------------------------ */
static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino && S_ISREG(sa.st_mode);
}

/* Before anything is opened for writing, which would already empty it. */
static void check_files(const struct options *o)
{
    const char *input = strcmp(o->file, "-") == 0 && !o->source.ram ? "/dev/stdin" : o->file;
    const char *paths[NR_OUTPUTS + 2] = { o->out, o->source.save };

    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        paths[i + 2] = i != OUTPUT_CTF ? o->paths[i] : NULL;
    for (unsigned i = 0; i < NR_OUTPUTS + 2; i++) {
        if (paths[i] == NULL)
            continue;
        if (same_file(input, paths[i]) || (o->other != NULL && same_file(o->other, paths[i])))
            errx(EXIT_TROUBLE, "%s is the input: it would be overwritten", paths[i]);
        for (unsigned j = 0; j < i; j++)
            if (paths[j] != NULL &&
                (strcmp(paths[i], paths[j]) == 0 || same_file(paths[i], paths[j])))
                errx(EXIT_TROUBLE, "%s: two outputs to one file", paths[i]);
    }
}

static FILE *open_file(const char *path)
{
    FILE *f = path != NULL ? fopen(path, "w") : stdout;

    if (f == NULL)
        err(EXIT_TROUBLE, "%s", path);
    setvbuf(f, NULL, _IOFBF, OUT_BUFFER);
    return f;
}

static bool use_colour(const struct options *o, FILE *out)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

    if (o->colour != COLOUR_AUTO)
        return o->colour == COLOUR_ALWAYS;
    return isatty(fileno(out)) && term != NULL && strcmp(term, "dumb") != 0 &&
           (no == NULL || *no == '\0');
}

static void open_output(struct run *r, enum output_nr nr)
{
    struct output *out = &r->outputs[r->nr_outputs++];
    struct output_options options = r->o.output;
    const char *path = r->o.paths[nr];

    out->type = types[nr];
    out->path = path != NULL ? path : r->o.out != NULL ? r->o.out : "standard output";
    if (nr == OUTPUT_CTF)
        options.directory = path;
    else
        out->out = options.out = path != NULL ? open_file(path) : r->out;
    options.colour = out->out != NULL && use_colour(&r->o, out->out);
    out->state = out->type->open(&options, r->model);
}

/* --- The way of an item ----------------------------------------------------------------------- */
#define ALWAYS (KIND_ALWAYS | KIND(ITEM_COUNTER) | KIND(ITEM_RUNSTATE))

static void dispatch(void *state, const struct item *item)
{
    struct run *r = state;
    enum { UNKNOWN, YES, NO } wanted = (ALWAYS & KIND(item->kind)) != 0 ? YES : UNKNOWN;

    for (unsigned i = 0; i < r->nr_outputs; i++) {
        const struct output *out = &r->outputs[i];

        if (!out->type->unfiltered && wanted == UNKNOWN)
            wanted = filter_wants(&r->o.filter, item, r->model) ? YES : NO;
        if (out->type->unfiltered || wanted == YES)
            out->type->item(out->state, item);
    }
}

/* Nothing to read for so long: what is known is shown at once, and calls that stay open after a
 * while. */
static void idle(const struct run *r, unsigned ms)
{
    for (unsigned i = 0; i < r->nr_outputs; i++) {
        const struct output *out = &r->outputs[i];

        if (ms == PATIENCE_MS && out->type->idle != NULL)
            out->type->idle(out->state);
        if (out->out != NULL && ms % PATIENCE_MS == 0)
            fflush(out->out);
    }
    poll(NULL, 0, WAIT_MS);
}

/* What --hz says, as the record that the trace does not have; a trace that has one overrides it. */
static void assume_clock(struct run *r)
{
    const struct record clock = { .event = TRC_PARAGON_CLOCK, .n = 5,
        .w = { (uint32_t)r->o.hz, (uint32_t)(r->o.hz >> 32), 0, 0, TRACE_FORMAT_VERSION } };

    if (r->o.hz != 0)
        model_record(r->model, &clock);
}

/* Of a trace in a growing file the counters are the last records; RAM and pipes say themselves when
 * it ends. */
static void read_records(struct run *r)
{
    bool growing = !r->o.source.ram && strcmp(r->o.file, "-") != 0;
    unsigned quiet_ms = 0;
    struct record rec = { .event = 0 };
    enum next next;

    while (!pipe_broken && (next = source_next(r->source, &rec)) != NEXT_END) {
        if (next == NEXT_RECORD) {
            model_record(r->model, &rec);
            quiet_ms = 0;
        } else {
            if (growing && rec.event == TRC_PARAGON_COUNTER && quiet_ms >= QUIET_MS)
                break;
            idle(r, quiet_ms);
            quiet_ms += WAIT_MS;
        }
    }
    model_end(r->model);
}

/* --- The end ---------------------------------------------------------------------------------- */
static int end_outputs(struct run *r)
{
    const FILE *failed = NULL;
    int status = 0;

    for (unsigned i = 0; i < r->nr_outputs; i++) {
        struct output *out = &r->outputs[i];

        if (out->type == &summary_output && i > 0 && r->outputs[i - 1].out == out->out)
            fputc('\n', out->out);          /* between the lines and the table */
        if (out->type->end(out->state) != 0)
            status = EXIT_TROUBLE;
        errno = 0;
        if (out->out == NULL || out->out == failed || pipe_broken)
            continue;
        if (fflush(out->out) == 0 && !ferror(out->out))
            continue;
        failed = out->out;
        warnx("%s: %s", out->path, errno != 0 ? strerror(errno) : "cannot be written");
        status = EXIT_TROUBLE;
    }
    return status;
}

static int run_diff(struct run *r)
{
    int status;

    r->o.output.out = open_file(r->o.out);
    status = diff_files(r->o.file, r->o.other, &r->o.output);
    return fflush(r->o.output.out) == 0 || pipe_broken ? status : EXIT_TROUBLE;
}

static int run_trace(struct run *r)
{
    int status;

    r->source = source_open(r->o.file, &r->o.source);
    if (r->source == NULL)
        return EXIT_TROUBLE;
    r->model = model_new(dispatch, r);
    r->out = open_file(r->o.out);
    for (unsigned i = 0; i < NR_OUTPUTS; i++)
        if (r->o.wanted[i])
            open_output(r, i);
    assume_clock(r);
    read_records(r);
    status = end_outputs(r);
    if (source_fault(r->source) != NULL) {
        warnx("%s: %s", r->o.file, source_fault(r->source));
        status = status != 0 ? status : EXIT_DAMAGED;
    }
    model_free(r->model);
    source_close(r->source);
    return status;
}

int main(int argc, char **argv)
{
    static struct run run;

    options_read(&run.o, argc, argv);
    check_files(&run.o);
    if (run.o.symbols != NULL && !symbols_load(run.o.symbols))
        return EXIT_TROUBLE;
    catch_signals();
    return run.o.other != NULL ? run_diff(&run) : run_trace(&run);
}
