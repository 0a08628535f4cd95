/* Threads of a process that forks again and again: cow THREADS SECONDS. Each fork makes the pages
 * read-only in the parent, whose threads go on writing on other CPUs; the first write to a page
 * gives the parent a copy, which the other threads have to see. A translation that a CPU should no
 * longer have shows: in the child as a page that changes, in the parent as a page that is older
 * than it should be, or that the child has written. Run by the script smp. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 16u
#define PAGES 32u                       /* of each thread */
#define WORDS 512u                      /* of a page */
#define STEP 37u                        /* between the words that are used */
#define OF_CHILD 0xdeadull << 32

static uint64_t (*pages)[WORDS];        /* those of thread t: from t * PAGES on */
static volatile uint64_t *written;      /* how often each was written, in shared memory */
static volatile bool *wrong, over;
static unsigned nr_threads;

static _Noreturn void fail(const char *what, unsigned page, uint64_t is, uint64_t was)
{
    fprintf(stderr, "cow: %s: page %u has %lx, not %lx\n", what, page, is, was);
    *wrong = true;
    _exit(1);
}

static unsigned one_of(uint64_t *seed, unsigned n)
{
    *seed = *seed * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(*seed >> 33) % n;
}

/* The thread that writes a page writes the next number into all words, and then notes it. */
static void write_page(unsigned page)
{
    uint64_t next = written[page] + 1;

    for (unsigned i = 0; i < WORDS; i += STEP)
        __atomic_store_n(&pages[page][i], next, __ATOMIC_RELAXED);
    __atomic_store_n(&written[page], next, __ATOMIC_RELEASE);
}

static void check_page(unsigned page, unsigned word)
{
    uint64_t before = __atomic_load_n(&written[page], __ATOMIC_ACQUIRE);
    uint64_t is = __atomic_load_n(&pages[page][word], __ATOMIC_ACQUIRE);
    uint64_t after = __atomic_load_n(&written[page], __ATOMIC_ACQUIRE);

    if (is < before || is > after + 1)
        fail("a thread reads", page, is, before);
}

static void *thread(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg;
    uint64_t seed = number;

    while (!over) {
        write_page(number * PAGES + one_of(&seed, PAGES));
        for (unsigned i = 0; i < 8; i++)
            check_page(one_of(&seed, nr_threads * PAGES), STEP * one_of(&seed, WORDS / STEP));
    }
    return NULL;
}

/* Its pages are as they were at the fork, whatever the threads of the parent do. */
static _Noreturn void child(void)
{
    static uint64_t copy[MOST_THREADS * PAGES][WORDS / STEP + 1];

    for (unsigned round = 0; round < 3; round++)
        for (unsigned p = 0; p < nr_threads * PAGES; p++)
            for (unsigned i = 0; i < WORDS; i += STEP) {
                uint64_t is = *(volatile uint64_t *)&pages[p][i];

                if (round != 0 && is != copy[p][i / STEP])
                    fail("the child reads", p, is, copy[p][i / STEP]);
                copy[p][i / STEP] = is;
            }
    for (unsigned p = 0; p < nr_threads * PAGES; p++)
        for (unsigned i = 0; i < WORDS; i += STEP)
            pages[p][i] = OF_CHILD | p;
    _exit(0);
}

static bool fork_once(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        child();
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void *map(size_t bytes, int how)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        exit(2);
    return p;
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST_THREADS];
    unsigned forks = 0, number = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
    time_t end = time(NULL) + (argc > 2 ? atoi(argv[2]) : 2);

    nr_threads = number < MOST_THREADS ? number : MOST_THREADS;
    pages = map(nr_threads * PAGES * sizeof(pages[0]), MAP_PRIVATE);
    written = map(nr_threads * PAGES * sizeof(written[0]) + 1, MAP_SHARED);
    wrong = (volatile bool *)&written[nr_threads * PAGES];
    for (unsigned i = 0; i < nr_threads; i++)
        if (pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)i) != 0)
            return 2;
    while (time(NULL) <= end && !*wrong && fork_once())
        forks++;
    over = true;
    for (unsigned i = 0; i < nr_threads; i++)
        pthread_join(threads[i], NULL);
    printf("%u forks\n", forks);
    return *wrong || time(NULL) <= end || forks == 0;
}
