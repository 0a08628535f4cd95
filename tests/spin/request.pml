/* A request to another CPU and the wait for it: two CPUs ask a third to flush, at any time, also
 * while it serves the other's request. When a requester goes on, the target has flushed after the
 * requester's entry was gone.
 *
 * Stands for: cpu_request, cpu_serve and the wait for a flush (xen/core/cpu.h).
 *
 * The target takes the bit out of its word, reads how many have asked, flushes, and publishes that
 * number as done. A requester counts itself among those that asked, sets the bit, sends an
 * interrupt if the bit was clear, and waits until done has reached its own number.
 *
 * FAULT COUNT_ONLY    the target counts flushes, and a requester waits for one more
 * FAULT WAIT_FOR_BIT  a requester waits until its bit is clear
 * FAULT CLEAR_LATE    the target clears the bit after it has flushed
 * FAULT ASKED_LATE    the target reads how many have asked after it has flushed
 * FAULT BIT_FIRST     a requester sets the bit before it counts itself
 * FAULT PLAIN_ASK     a requester counts itself by a load and a store
 * FAULT ENTRY_LATE    the entry's store is still in the CPU's buffer when the target is asked
 */
#define NCPUS 3
#define TARGET 2
#define ENTRY(c) (c)            /* 1: this requester's entry maps the page */
#define DONE 2
#define WORDS 3
#define ROUNDS 2
#include "tso.h"

byte asked;
bool requested, interrupt;
bool cached[2];                 /* the target's TLB has the requester's entry */

#ifdef ENTRY_LATE
#define LOCKED(c) true
#else
#define LOCKED(c) EMPTY(c)
#endif

inline set_bit(c)
{
    atomic {
        LOCKED(c);
        printf("CPU %d: sets the bit\n", c);
        if
        :: requested
        :: else -> requested = true; interrupt = true; printf("CPU %d: sends an interrupt\n", c)
        fi
    }
}

proctype requester(byte c)
{
    byte ticket, round;

    do
    :: round == ROUNDS -> break
    :: else ->
       STORE(c, ENTRY(c), 0);
#ifdef COUNT_ONLY
       ticket = LOAD(c, DONE) + 1;
#elif defined(BIT_FIRST)
       set_bit(c);
#endif
#ifdef PLAIN_ASK
       atomic { EMPTY(c); ticket = asked + 1; printf("CPU %d: reads %d\n", c, ticket) };
       asked = ticket;
#elif !defined(COUNT_ONLY)
       atomic { LOCKED(c); asked++; ticket = asked;
                printf("CPU %d: asks as number %d\n", c, asked) };
#endif
#ifndef BIT_FIRST
       set_bit(c);
#endif
#ifdef WAIT_FOR_BIT
       !requested;
#else
       LOAD(c, DONE) >= ticket;
#endif
       atomic { printf("CPU %d: goes on\n", c); assert(!cached[c]); ticket = 0 };
       STORE(c, ENTRY(c), 1);
       round++
    od
}

active proctype target()
{
    byte number;

end:
    do
    :: atomic { !cached[0] && mem[ENTRY(0)] -> cached[0] = true;
                printf("target: caches the entry of CPU 0\n") }
    :: atomic { !cached[1] && mem[ENTRY(1)] -> cached[1] = true;
                printf("target: caches the entry of CPU 1\n") }
    :: atomic { interrupt -> interrupt = false; printf("target: takes the interrupt\n") };
#ifndef CLEAR_LATE
       atomic { EMPTY(TARGET); requested = false; printf("target: clears the bit\n") };
#endif
#ifndef ASKED_LATE
       atomic { number = asked; printf("target: %d have asked\n", asked) };
#endif
       atomic { cached[0] = false; cached[1] = false; printf("target: flushes\n") };
       if   /* entries may be cached again at once */
       :: atomic { mem[ENTRY(0)] -> cached[0] = true;
                   printf("target: caches the entry of CPU 0\n") }
       :: atomic { mem[ENTRY(1)] -> cached[1] = true;
                   printf("target: caches the entry of CPU 1\n") }
       :: skip
       fi;
#ifdef ASKED_LATE
       atomic { number = asked; printf("target: %d have asked\n", asked) };
#endif
#ifdef COUNT_ONLY
       number = LOAD(TARGET, DONE) + 1;
#endif
#ifdef CLEAR_LATE
       atomic { EMPTY(TARGET); requested = false; printf("target: clears the bit\n") };
#endif
       atomic { STORE(TARGET, DONE, number); number = 0; printf("target: done\n") }
    od
}

init
{
    atomic {
        mem[ENTRY(0)] = 1;
        mem[ENTRY(1)] = 1;
        run requester(0);
        run requester(1)
    }
}
