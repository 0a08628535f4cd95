/* Waiting for another process or thread: pipes, sockets, context switches, sleep. Each sample sends
 * a byte round a ring of processes, so that each of them runs once. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "costs.h"

#define MOST_PROCESSES 16u
#define NS_OF_SLEEP 1000000      /* ticks as well: with instructions counted the TSC has 1 GHz */

static unsigned nr;             /* processes in the ring, this one included */
static int ring[MOST_PROCESSES][2];     /* process i reads from pipe i, and writes to the next */
static long children[MOST_PROCESSES];
static uint64_t numbers[2048];  /* 16 KiB */
static bool sums;               /* each process adds its numbers up in between */

static void add_up(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sum += *(volatile uint64_t *)&numbers[i];
    (void)sum;
}

static void pass_on(unsigned i)
{
    char byte;

    while (read(ring[i][0], &byte, 1) == 1) {
        if (sums)
            add_up();
        must(write(ring[(i + 1) % nr][1], &byte, 1), "write to the ring");
    }
}

/* A process of the ring ends when it reads the end of its pipe, so it keeps no other open. */
static void run_process(unsigned i)
{
    for (unsigned j = 0; j < nr; j++) {
        if (j != i)
            close(ring[j][0]);
        if (j != (i + 1) % nr)
            close(ring[j][1]);
    }
    numbers[0] = 1;             /* its own page */
    pass_on(i);
    _exit(0);
}

static void start_ring(unsigned processes, bool with_sums)
{
    nr = processes;
    sums = with_sums;
    for (unsigned i = 0; i < nr; i++)
        must(pipe(ring[i]), "pipe");
    for (unsigned i = 1; i < nr; i++) {
        children[i] = must(fork(), "fork");
        if (children[i] == 0)
            run_process(i);
    }
}

static void end_ring(void)
{
    for (unsigned i = 0; i < nr; i++) {
        close(ring[i][0]);
        close(ring[i][1]);
    }
    for (unsigned i = 1; i < nr; i++)
        wait_for(children[i]);
}

static void sample_ring(void)
{
    char byte = 1;

    must(write(ring[1][1], &byte, 1), "write to the ring");
    must(read(ring[0][0], &byte, 1), "read from the ring");
    if (sums)
        add_up();
}

static void start_2(void)       { start_ring(2, false); }
static void start_2_sums(void)  { start_ring(2, true); }
static void start_8_sums(void)  { start_ring(8, true); }
static void start_16_sums(void) { start_ring(16, true); }

/* --- Sockets and threads ---------------------------------------------------------------------- */

static int sockets[2];

static void echo(int socket)
{
    char byte;

    while (read(socket, &byte, 1) == 1)
        must(write(socket, &byte, 1), "write to a socket");
}

static void start_sockets(void)
{
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
    children[1] = must(fork(), "fork");
    if (children[1] == 0) {
        close(sockets[0]);
        echo(sockets[1]);
        _exit(0);
    }
    close(sockets[1]);
}

static void end_sockets(void)
{
    close(sockets[0]);
    wait_for(children[1]);
}

static void sample_sockets(void)
{
    char byte = 1;

    must(write(sockets[0], &byte, 1), "write to a socket");
    must(read(sockets[0], &byte, 1), "read from a socket");
}

static pthread_t other;

static void *other_thread(void *argument)
{
    pass_on(1);
    return argument;
}

static void start_thread(void)
{
    nr = 2;
    sums = false;
    must(pipe(ring[0]), "pipe");
    must(pipe(ring[1]), "pipe");
    must(-pthread_create(&other, NULL, other_thread, NULL), "pthread_create");
}

static void end_thread(void)
{
    close(ring[1][1]);
    must(-pthread_join(other, NULL), "pthread_join");
    close(ring[0][0]);
    close(ring[0][1]);
    close(ring[1][0]);
}

/* --- Sleep ------------------------------------------------------------------------------------ */

static void wake_exactly(void)
{
    must(prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0), "prctl");
}

static void sample_sleep(void)
{
    const struct timespec pause = { .tv_nsec = NS_OF_SLEEP };

    must(nanosleep(&pause, NULL), "nanosleep");
}

const struct row switch_rows[] = {
    { .name = "pipe, there and back", .samples = 101, .per = 1, .sample = sample_ring,
      .begin = start_2, .end = end_ring },
    { .name = "af_unix, there and back", .samples = 101, .per = 1, .sample = sample_sockets,
      .begin = start_sockets, .end = end_sockets },
    { .name = "context switch, 2 processes", .samples = 101, .per = 2, .sample = sample_ring,
      .begin = start_2, .end = end_ring },
    { .name = "context switch, 2, 16 KiB each", .samples = 101, .per = 2, .sample = sample_ring,
      .begin = start_2_sums, .end = end_ring },
    { .name = "context switch, 8, 16 KiB each", .samples = 51, .per = 8, .sample = sample_ring,
      .begin = start_8_sums, .end = end_ring },
    { .name = "context switch, 16, 16 KiB each", .samples = 51, .per = 16, .sample = sample_ring,
      .begin = start_16_sums, .end = end_ring },
    { .name = "thread switch", .samples = 101, .per = 2, .sample = sample_ring,
      .begin = start_thread, .end = end_thread },
    { .name = "nanosleep, beyond its 1 ms", .samples = 51, .per = 1, .sample = sample_sleep,
      .begin = wake_exactly, .minus = NS_OF_SLEEP },
};
ROWS(switch_rows);
