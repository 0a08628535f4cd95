/* What operations of Linux cost: the first program of the kernel that tools/bench boots. A static
 * program, so that the same instructions run wherever this kernel runs. It prints one line for each
 * row, in ticks of the TSC; with instructions counted these are instructions, of the program, the
 * kernel and the hypervisor together. With the word "exit" it ends at once, for the row of exec.
 * The rows are in the other files here. Each line has the cost of one operation, and how many
 * operations one sample has.
 *
 * Each sample is measured by itself, and the cost is the median. So a tick of the kernel's timer,
 * which few samples contain, is in no row that is shorter than the time between two ticks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tools/counts/marks.h"
#include "costs.h"

#define MOST_SAMPLES 301
#define NS_FOR_A_LINE 20000000l     /* until the console has printed it and nothing is left to do */

static uint64_t ticks[MOST_SAMPLES], nothing;

long must(long result, const char *what)
{
    if (result < 0) {
        printf("# costs: %s fails: %m\n", what);
        fflush(stdout);
        _exit(1);
    }
    return result;
}

uint8_t *map(uint64_t pages)
{
    void *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

    must(at == MAP_FAILED ? -1 : 0, "mmap");
    return at;
}

void unmap(uint8_t *at, uint64_t pages)
{
    must(munmap(at, pages * PAGE), "munmap");
}

void touch(uint8_t *at, uint64_t pages)
{
    for (uint64_t i = 0; i < pages; i++)
        *(volatile uint8_t *)(at + i * PAGE) = 1;
}

void wait_for(long child)
{
    int status;

    must(waitpid((pid_t)child, &status, 0), "waitpid");
    must(status == 0 ? 0 : -1, "a child");
}

static void call(void (*function)(void))
{
    if (function != NULL)
        function();
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t median(const struct row *row)
{
    call(row->begin);
    for (unsigned i = 0; i < row->samples; i++) {
        uint64_t start;

        call(row->before);
        MARK(MARK_BEGIN);
        start = rdtsc();
        row->sample();
        ticks[i] = rdtsc() - start;
        MARK(MARK_END);
        call(row->after);
    }
    MARK(MARK_ROW);
    call(row->end);
    qsort(ticks, row->samples, sizeof(ticks[0]), by_value);
    return ticks[row->samples / 2];
}

static void print(const struct row *row, uint64_t cost)
{
    struct timespec pause = { .tv_nsec = NS_FOR_A_LINE };

    printf("# row %s: %lu of %u\n", row->name, (cost + row->per / 2) / row->per, row->per);
    fflush(stdout);
    nanosleep(&pause, NULL);
}

static void measure(const struct row *rows, unsigned nr)
{
    for (unsigned i = 0; i < nr; i++)
        print(&rows[i], median(&rows[i]) - nothing - rows[i].minus);
}

static void sample_nothing(void)
{
}

int main(int argc, char **argv)
{
    const struct row empty = { .samples = 101, .per = 1, .sample = sample_nothing };

    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        return 0;
    /* a huge page, which a PV guest cannot have, would be another operation */
    must(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "prctl");
    nothing = median(&empty);
    measure(call_rows, nr_call_rows);
    measure(memory_rows, nr_memory_rows);
    measure(process_rows, nr_process_rows);
    measure(switch_rows, nr_switch_rows);
    printf("costs: all rows measured\n");
    fflush(stdout);
    for (;;)
        pause();
}
