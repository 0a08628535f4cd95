/* What a driver domain leaves in a guest's page if it is killed at any point of what it does. The
 * code runs step by step (the CPU traps behind each instruction), and after each instruction that
 * changed the page there is a copy of it; a store of several bytes into slots counts as one store
 * for each byte. Included by the test_driver_*_killed.c. */
#ifndef DRIVER_KILLED_FIXTURE_H
#define DRIVER_KILLED_FIXTURE_H

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RING_HEADER 64u                 /* indices and records: words, stored in one piece */
#define MAX_STATES 40000u

struct states {
    uint8_t (*page)[4096];
    unsigned n;
};
static struct states *recorded;
static const uint8_t *watched;

static void add_state(const uint8_t *page)
{
    if (recorded->n < MAX_STATES)
        memcpy(recorded->page[recorded->n++], page, 4096);
}

static void on_step(int sig)
{
    uint8_t now[4096];

    (void)sig;
    memcpy(now, recorded->page[recorded->n - 1], sizeof(now));
    if (memcmp(now, watched, sizeof(now)) == 0)
        return;
    for (unsigned i = RING_HEADER; i < sizeof(now); i++)
        if (now[i] != watched[i]) {
            now[i] = watched[i];
            add_state(now);
        }
    if (memcmp(now, watched, RING_HEADER) != 0)
        add_state(watched);
}

/* Bit 8 of the flags is the trap flag; the red zone below the stack pointer stays as it is. */
#define SET_STEPPING(op)                                                                        \
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; " op ", (%%rsp); popfq; "                 \
                     "lea 128(%%rsp), %%rsp" ::: "memory", "cc")

/* All that page is while fn() runs, from its first state to its last. */
static void run_in_steps(struct states *to, const uint8_t *page, void (*fn)(void))
{
    struct sigaction action = { .sa_handler = on_step };

    if (to->page == NULL)
        to->page = malloc(MAX_STATES * sizeof(to->page[0]));
    to->n = 0;
    recorded = to;
    watched = page;
    add_state(page);
    sigaction(SIGTRAP, &action, NULL);
    SET_STEPPING("orq $0x100");
    fn();
    SET_STEPPING("andq $~0x100");
    assert_true(to->n < MAX_STATES);
    assert_memory_equal(to->page[to->n - 1], page, 4096);
}

#endif
