/* The trace reader over random bytes: source, model and every output, and the symbols of an ELF
 * file. What must hold: it ends, and the sanitizers find nothing. LLVMFuzzerTestOneInput is
 * libFuzzer's entry; without libFuzzer (FUZZ_DRIVER) main mutates given traces, in the same way for
 * the same seed, and prints which of its inputs was fatal. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/pvtrace/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct output_type *const types[] = {
    &text_output, &summary_output, &json_output, &ctf_output, &csv_output, &svg_output,
};
#define NR_TYPES (sizeof(types) / sizeof(types[0]))
#define DIFF NR_TYPES
enum { HOW_RAM = 8, HOW_FILTER = 16, HOW_RAW = 32, HOW_INSTRUCTIONS = 64, HOW_TIMES = 128 };

static FILE *nowhere;
static char directory[] = "/tmp/pvtrace-fuzz-XXXXXX";

struct run {
    const struct output_type *type;
    const struct output_options *o;
    struct model *model;
    void *state;
};

static void remove_directory(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -r %s", directory);
    if (system(command) != 0)
        fputs("the directory of the CTF traces remains\n", stdout);
}

static void prepare(void)
{
    if (nowhere)
        return;
    nowhere = fopen("/dev/null", "w");
    if (!nowhere || !mkdtemp(directory))
        abort();
    atexit(remove_directory);
    stderr = nowhere;           /* messages about the input; the sanitizers use the descriptor */
}

static void see(void *state, const struct item *item)
{
    struct run *r = state;
    bool always = item->kind == ITEM_DOMAIN || item->kind == ITEM_LOST ||
                  item->kind == ITEM_COUNTER || item->kind == ITEM_CLASSES ||
                  item->kind == ITEM_RUNSTATE;

    if (always || r->type->unfiltered || filter_wants(r->o->filter, item, r->model))
        r->type->item(r->state, item);
}

static void read_trace(const char *path, const struct output_type *type,
                       const struct output_options *o, bool ram)
{
    const struct source_options so = { .ram = ram };
    struct run run = { .type = type, .o = o };
    struct source *source = source_open(path, &so);
    struct record record;
    enum next next;
    unsigned n = 0;

    if (!source)
        return;
    run.model = model_new(see, &run);
    run.state = type->open(o, run.model);
    if (!run.model || !run.state)
        abort();
    while ((next = source_next(source, &record)) != NEXT_END) {
        if (next == NEXT_WAIT)
            continue;
        model_record(run.model, &record);
        if (++n % 64 == 0 && type->idle)
            type->idle(run.state);
    }
    model_end(run.model);
    type->end(run.state);
    (void)source_fault(source);
    model_free(run.model);
    source_close(source);
}

static void try_one(const uint8_t *data, size_t size, unsigned how)
{
    int fd = memfd_create("trace", 0);
    struct filter filter = { .nr_rules = 0 };
    struct output_options o = {
        .out = nowhere,
        .directory = directory,
        .times = how & HOW_TIMES ? TIME_DELTA : TIME_SYSTEM,
        .show_took = true,
        .instructions = how & HOW_INSTRUCTIONS,
        .sort = SORT_TIME,
        .filter = &filter,
        .file = "<&\n\xff.trace",
    };
    char path[40];

    prepare();
    o.out = nowhere;
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (how & HOW_FILTER && !(filter_expression(&filter, "!iret") && filter_guest(&filter, "d1")))
        abort();
    decode_options.raw = how & HOW_RAW;
    if (size > 0 && data[0] == '\177')
        symbols_load(path);
    else if (how % 8 == DIFF)
        diff_files(path, path, &o);
    else if (how % 8 < NR_TYPES)
        read_trace(path, types[how % 8], &o, how & HOW_RAM);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        try_one(data, size - 1, data[size - 1]);
    return 0;
}

#ifdef FUZZ_DRIVER
#define BIGGEST (512u << 10)
#define LIMIT_SECONDS 20

static uint64_t chance;
static uint8_t input[BIGGEST];
static size_t input_size;
static uint64_t round_number;
static char fatal_path[256];

void __sanitizer_set_death_callback(void (*callback)(void));

static void last_words(void)
{
    FILE *f = fopen(fatal_path, "wb");

    printf("fatal: input %" PRIu64 ", left in %s; again: fuzz %zu 1 %s\n", round_number,
           fatal_path, DIFF + 1, fatal_path);
    fflush(stdout);
    if (f) {
        fwrite(input, 1, input_size, f);
        fclose(f);
    }
}

/* It did not end in time, or gave up. */
static void dies(int number)
{
    (void)number;
    last_words();
    _exit(3);
}

static uint64_t any(void)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return (chance >> 33) ^ (chance >> 13 << 31);
}

static size_t below(size_t n)
{
    return n ? any() % n : 0;
}

static void change_word(void)
{
    static const uint32_t words[] = {
        0,          1,          2,          0x7fff,     0x8000,     0xffff,   0x7fffffff,
        0x80000000, 0xffffffff, 0x2001f003, 0xf0804003, 0x90204003, 0x20100d,
    };
    size_t at = below(input_size / 4) * 4;
    uint32_t word;

    if (input_size < 4)
        return;
    memcpy(&word, input + at, 4);
    if (any() % 2)
        word = words[below(sizeof(words) / 4)];
    else
        word = any() % 2 ? word ^ 1u << below(32) : (uint32_t)any();
    memcpy(input + at, &word, 4);
}

/* Bytes from one place put at another, or left out, or doubled. */
static void move_bytes(void)
{
    size_t len = below(64) * (any() % 3 ? 4 : 1), from = below(input_size), to = below(input_size);

    if (from + len > input_size || to + len > input_size)
        return;
    if (any() % 4 == 0) {
        memmove(input + from, input + from + len, input_size - from - len);
        input_size -= len;
    } else if (any() % 3 == 0 && input_size + len <= BIGGEST) {
        memmove(input + to + len, input + to, input_size - to);
        input_size += len;
    } else {
        memmove(input + to, input + from, len);
    }
}

static void mutate(void)
{
    for (size_t n = 1 + below(any() % 2 ? 4 : 40); n > 0; n--) {
        size_t what = below(8);

        if (what < 4)
            change_word();
        else if (what < 6)
            move_bytes();
        else if (what == 6 && input_size)
            input[below(input_size)] = (uint8_t)any();
        else if (any() % 8 == 0)
            input_size = below(input_size);
    }
}

int main(int argc, char **argv)
{
    uint64_t rounds = argc > 2 ? strtoull(argv[1], NULL, 0) : 0,
             seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0;

    if (argc < 4) {
        printf("%s ROUNDS SEED TRACE...\n", argv[0]);
        return 2;
    }
    prepare();
    snprintf(fatal_path, sizeof(fatal_path), "%s.input", argv[0]);
    __sanitizer_set_death_callback(last_words);
    signal(SIGALRM, dies);
    signal(SIGABRT, dies);
    for (round_number = 0; round_number < rounds; round_number++) {
        const char *path = argv[3 + round_number % (size_t)(argc - 3)];
        FILE *f = fopen(path, "rb");
        bool ram;

        if (!f) {
            printf("%s: cannot be opened\n", path);
            return 2;
        }
        input_size = fread(input, 1, BIGGEST, f);
        fclose(f);
        ram = memmem(input, input_size, TRACE_MAGIC, 16) != NULL;
        chance = seed * 1000003 + round_number;
        any();
        /* first as they are, through each output */
        if (round_number >= (size_t)(argc - 3) * (DIFF + 1))
            mutate();
        alarm(LIMIT_SECONDS);
        try_one(input, input_size,
                (unsigned)(round_number / (size_t)(argc - 3) % (DIFF + 1)) | (ram ? HOW_RAM : 0) |
                    ((unsigned)any() & 0xf0));
    }
    printf("fuzz: %" PRIu64 " mutated traces, seed %" PRIu64 "\n", rounds, seed);
    return 0;
}
#endif
