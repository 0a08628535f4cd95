/* Domain lookup without a lock, and the end of a domain: CPUs look the domain up and use it while
 * the reaper takes it out of the table, waits for a grace period and frees it. Nobody uses it after
 * that.
 *
 * Stands for: domain_by_id and its callers, preempt_point, the handler of a GRACE request, and
 * domain_free's wait (domain.c, reap).
 *
 * A pointer to another domain lives in one stretch of the hypervisor without interrupts; a CPU
 * acknowledges from interrupt context only, which comes in guest mode, in idle and in
 * preempt_point.
 *
 * FAULT UNPUBLISH_LATE  the domain leaves the table after the grace period
 * FAULT NO_GRACE        it is freed without a grace period
 * FAULT NOT_ALL         one CPU is not waited for
 * FAULT SERVE_IN_SPIN   a CPU that waits for a lock acknowledges
 * FAULT KEEP_POINTER    the pointer is used after a preemption point
 * FAULT PLAIN_REQUEST   the request overtakes the store that takes the domain out of the table
 * FAULT OLD_ANSWER      an answer to an earlier request counts
 */
#define NCPUS 3                 /* CPU 2 is the reaper's */
#define TABLE 0                 /* the domain's slot: 1 is the domain */
#define LOCK 1
#define WORDS 2
#define CALLS 2
#include "tso.h"

bool freed;
bool request[2], answered[2];

inline answer(c)
{
    atomic { request[c] -> request[c] = false; answered[c] = true;
             printf("CPU %d: acknowledges\n", c) }
}

inline look_up(c)
{
    atomic { found = LOAD(c, TABLE); printf("CPU %d: looks the domain up: %d\n", c, found) }
}

inline use(c)
{
    atomic { assert(!(found && freed)); printf("CPU %d: uses it\n", c) }
}

inline spin_on_lock(c)
{
    do
    :: atomic { EMPTY(c) && mem[LOCK] == 0 -> mem[LOCK] = 1 }; break
#ifdef SERVE_IN_SPIN
    :: answer(c)
#endif
    od
}

proctype cpu(byte c)
{
    bool found;
    byte calls;

end:
    do
    :: answer(c)                /* in guest mode */
    :: calls < CALLS ->         /* a hypercall */
       calls++;
       look_up(c);
       if
       :: found ->
          spin_on_lock(c);
          use(c);
          STORE(c, LOCK, 0);
          if
          :: skip               /* a preemption point, with or without an interrupt */
#ifndef KEEP_POINTER
             found = false;
#endif
             if
             :: answer(c)
             :: skip
             fi;
#ifndef KEEP_POINTER
             look_up(c);
#endif
             use(c)
          :: skip
          fi
       :: else
       fi;
       found = false
    od
}

inline ask_and_wait()
{
#ifndef NO_GRACE
#ifndef OLD_ANSWER
    answered[0] = false; answered[1] = false;
#endif
#ifdef PLAIN_REQUEST
    atomic { request[0] = true; request[1] = true; printf("reaper: asks all\n") };
#else
    atomic { EMPTY(2); request[0] = true; printf("reaper: asks CPU 0\n") };
    atomic { EMPTY(2); request[1] = true; printf("reaper: asks CPU 1\n") };
#endif
    answered[0];
#ifndef NOT_ALL
    answered[1];
#endif
    printf("reaper: all have acknowledged\n")
#else
    skip
#endif
}

proctype reaper()
{
    if                          /* another domain died before */
    :: ask_and_wait()
    :: skip
    fi;
#ifndef UNPUBLISH_LATE
    atomic { STORE(2, TABLE, 0); printf("reaper: takes the domain out of the table\n") };
#endif
    ask_and_wait();
#ifdef UNPUBLISH_LATE
    atomic { STORE(2, TABLE, 0); printf("reaper: takes the domain out of the table\n") };
#endif
    atomic { freed = true; printf("reaper: frees it\n") }
}

init
{
    atomic { mem[TABLE] = 1; run reaper(); run cpu(0); run cpu(1) }
}
