/* Processes and threads, from their start to their end. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>
#include "costs.h"

#define DIRTY_PAGES 2048u       /* 8 MiB */

static void sample_fork(void)
{
    long child = must(fork(), "fork");

    if (child == 0)
        _exit(0);
    wait_for(child);
}

static void run(char **arguments)
{
    long child = must(fork(), "fork");

    if (child == 0)
        must(execv(arguments[0], arguments), arguments[0]);
    wait_for(child);
}

/* Without libc, with it, and busybox's shell; all are static. */
static void sample_exec_small(void)
{
    static char *arguments[] = { "/small", "exit", NULL };

    run(arguments);
}

static void sample_exec_glibc(void)
{
    static char *arguments[] = { "/init", "exit", NULL };

    run(arguments);
}

static void sample_exec_sh(void)
{
    static char *arguments[] = { "/sh", "-c", "exit 0", NULL };

    run(arguments);
}

static uint8_t *dirty;

/* Each fork makes them read-only, so they are written once more. */
static void make_dirty(void)
{
    touch(dirty, DIRTY_PAGES);
}

static void map_dirty(void)
{
    dirty = map(DIRTY_PAGES);
}

static void unmap_dirty(void)
{
    unmap(dirty, DIRTY_PAGES);
}

static void *thread(void *argument)
{
    return argument;
}

static void sample_thread(void)
{
    pthread_t id;

    must(-pthread_create(&id, NULL, thread, NULL), "pthread_create");
    must(-pthread_join(id, NULL), "pthread_join");
}

const struct row process_rows[] = {
    { .name = "fork, exit, wait", .samples = 31, .per = 1, .sample = sample_fork },
    { .name = "fork, exec small, wait", .samples = 31, .per = 1, .sample = sample_exec_small },
    { .name = "fork, exec glibc, wait", .samples = 31, .per = 1, .sample = sample_exec_glibc },
    { .name = "fork, exec sh, wait", .samples = 21, .per = 1, .sample = sample_exec_sh },
    { .name = "fork with 8 MiB dirty, exit, wait", .samples = 11, .per = 1, .sample = sample_fork,
      .begin = map_dirty, .before = make_dirty, .end = unmap_dirty },
    { .name = "thread, create and join", .samples = 51, .per = 1, .sample = sample_thread },
};
ROWS(process_rows);
