/* Compares the TSCs of two CPUs. One reads its own, asks the other, which reads its, and reads its
 * own again: if the TSCs are the same, the answer lies between. Of many rounds the shortest tells
 * most; what it cannot tell no program can, which has to send its messages over the same way.
 * Called by smp.c and ap.c. */
#include "common/atomic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/tsc_sync.h"

#define ROUNDS 64u
#define TICKS_MAX (1ull << 26)          /* for all rounds: some CPUs may not run all the time */
#define LAST ~0u

static uint64_t ordered_tsc(void)
{
    uint64_t tsc;

    __asm__ volatile("mfence\n\tlfence" : : : "memory");
    tsc = arch_tsc();
    __asm__ volatile("lfence" : : : "memory");
    return tsc;
}

/* False: there was no answer for so long that there will be none. */
static bool ask(struct tsc_sync *s, uint32_t question)
{
    uint64_t start = arch_tsc();

    store_release(&s->question, question);
    while (load_acquire(&s->answer) != question) {
        if (arch_tsc() - start > s->patience)
            return false;
        cpu_relax();
    }
    return true;
}

bool tsc_sync_measure(struct tsc_sync *s, int64_t *result)
{
    uint64_t begin = arch_tsc(), least = ~0ull;
    int64_t ahead = 0;

    for (uint32_t i = 1; i <= ROUNDS && (i == 1 || arch_tsc() - begin < TICKS_MAX); i++) {
        uint64_t before = ordered_tsc(), after;

        if (!ask(s, s->answer + 1))
            return false;
        after = ordered_tsc();
        if (after - before >= least)
            continue;
        least = after - before;
        ahead = (int64_t)(s->tsc - before - least / 2);
        if (ahead <= (int64_t)(least / 2 + 1) && ahead >= -(int64_t)(least / 2 + 1))
            ahead = 0;
    }
    *result = ahead;
    return true;
}

bool tsc_sync_end(struct tsc_sync *s, uint64_t adjust)
{
    s->adjust = adjust;
    return ask(s, LAST);
}

void tsc_sync_give_up(struct tsc_sync *s)
{
    s->adjust = 0;
    store_release(&s->question, LAST);
}

void tsc_sync_answer(struct tsc_sync *s)
{
    uint32_t question = s->answer;

    do {
        while (load_acquire(&s->question) == question)
            cpu_relax();
        question = load_acquire(&s->question);
        s->tsc = ordered_tsc() + s->skew;
        if (question == LAST && s->adjust != 0)
            wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + s->adjust);
        store_release(&s->answer, question);
    } while (question != LAST);
}
