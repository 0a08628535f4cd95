/* A CPU becomes idle while another, which is busy, gets a second vCPU: one is woken there. The idle
 * CPU runs it: it never halts for ever while the vCPU waits.
 *
 * Stands for: pick_next and idle_loop with steal (sched.c, main.c, sched_place.c), join_best_queue,
 * offer, look_at_queue.
 *
 *   S7  idle: is_idle = 1; fence; look at the length of the other's queue; take one if its lock is
 *       free, else come back. All this with the lock of the own queue.
 *       wake: if is_idle is set and the lock of that queue is free, put the vCPU there. Else own
 *       queue longer; fence; look at is_idle: if it is set, ask that CPU to look again
 *
 * FAULT NO_FENCE_IDLE  no fence between is_idle and the look at the queue
 * FAULT NO_FENCE_WAKE  no fence between the longer queue and the look at is_idle
 * FAULT FLAG_LATE      is_idle is set after the look at the queue
 * FAULT NO_OFFER       who finds the lock of the idle CPU taken lets it be
 * FAULT OFFER_FIRST    the CPU is asked before the queue is longer
 * FAULT NO_RETURN      who finds the lock of the other's queue taken halts
 */
#define NCPUS 2
#define IS_IDLE 0
#define QUEUED 1                /* length of CPU 1's queue */
#define OWN_LOCK 2              /* CPU 0's */
#define OTHER_LOCK 3            /* CPU 1's */
#define WORDS 4
#include "tso.h"

bool request, interrupt, here, ran;

inline lock(c, which)
{
    atomic { EMPTY(c) && mem[which] == 0 -> mem[which] = 1 }
}

inline unlock(c, which)
{
    STORE(c, which, 0)
}

inline steal()
{
    if
    :: LOAD(0, QUEUED) == 0 -> printf("CPU 0: the queue is empty\n")
    :: else ->
       if
       :: atomic { EMPTY(0) && mem[OTHER_LOCK] == 0 -> mem[OTHER_LOCK] = 1 };
          if
          :: LOAD(0, QUEUED) > 0 ->
             atomic { STORE(0, QUEUED, 0); ran = true; printf("CPU 0: takes the vCPU\n") }
          :: else
          fi;
          unlock(0, OTHER_LOCK)
       :: atomic { EMPTY(0) && mem[OTHER_LOCK] == 1 -> printf("CPU 0: lock taken\n") };
#ifndef NO_RETURN
          again = true
#endif
       fi
    fi
}

active proctype idle()
{
    bool again;

    do
    :: ran -> break
    :: else ->
       lock(0, OWN_LOCK);
       again = false;
       if
       :: here -> ran = true
       :: else ->
#ifdef FLAG_LATE
          steal();
#endif
          atomic { STORE(0, IS_IDLE, 1); printf("CPU 0: is idle\n") };
#ifndef NO_FENCE_IDLE
          FENCE(0);
#endif
#ifndef FLAG_LATE
          steal();
#endif
       fi;
       unlock(0, OWN_LOCK);
       if
       :: ran || again
       :: else ->
          printf("CPU 0: halts\n");
          atomic { interrupt -> interrupt = false; printf("CPU 0: takes the interrupt\n") };
          atomic { EMPTY(0); request = false }
       fi
    od
}

inline ask()
{
    atomic {
        EMPTY(1);
        if
        :: request
        :: else -> request = true; interrupt = true; printf("CPU 1: sends an interrupt\n")
        fi
    }
}

inline offer()
{
    if
    :: LOAD(1, IS_IDLE) -> ask()
    :: else -> printf("CPU 1: no CPU is idle\n")
    fi
}

inline join_own()
{
#ifdef OFFER_FIRST
    offer();
#endif
    atomic { STORE(1, QUEUED, 1); printf("CPU 1: its queue is longer\n") };
#if !defined(NO_FENCE_WAKE) && !defined(OFFER_FIRST)
    FENCE(1);
#endif
#if !defined(NO_OFFER) && !defined(OFFER_FIRST)
    offer()
#else
    skip
#endif
}

active proctype waker()
{
    lock(1, OTHER_LOCK);
    if
    :: !LOAD(1, IS_IDLE) -> join_own()
    :: else ->
       if
       :: atomic { EMPTY(1) && mem[OWN_LOCK] == 0 -> mem[OWN_LOCK] = 1 };
          here = true;
          ask();
          unlock(1, OWN_LOCK)
       :: atomic { EMPTY(1) && mem[OWN_LOCK] == 1 -> printf("CPU 1: lock taken\n") };
          join_own()
       fi
    fi;
    unlock(1, OTHER_LOCK)
}
