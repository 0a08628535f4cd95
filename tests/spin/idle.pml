/* A CPU goes idle: it halts, and whoever puts a vCPU on its queue, or asks something of it, wakes
 * it.
 *
 * Stands for: idle_loop (main.c), arch_idle (clock.c), cpu_request, vcpu_wake.
 *
 *   O5  interrupts off; look at queue and requests; switch interrupts on and halt in one step, as
 *       STI and HLT do. The other side: put it on the queue, set the request bit, send an
 *       interrupt if the bit was clear; it stays pending until the CPU takes it.
 *
 * FAULT LOOK_OPEN     interrupts are on while the CPU looks
 * FAULT STI_EARLY     interrupts are on for an instant between the look and the halt
 * FAULT CLEAR_LATE    the handler clears the request bit after it has looked
 * FAULT SEND_FIRST    the interrupt is sent before the vCPU is on the queue
 * FAULT IDLE_FLAG     an interrupt is sent only to a CPU whose idle flag is set; the flag is set
 *     after the look
 */
#define NCPUS 2
#define QUEUE 0
#define IDLE_WORD 1
#define WORDS 2
#include "tso.h"

bool request, interrupt;
byte sent, ran;

inline handle()
{
    atomic { interrupt -> interrupt = false; printf("CPU 0: takes the interrupt\n") };
#ifndef CLEAR_LATE
    atomic { EMPTY(0); request = false }
#endif
}

inline look()
{
    found = LOAD(0, QUEUE);
    if
    :: found -> atomic { EMPTY(0); ran = ran + mem[QUEUE]; mem[QUEUE] = 0;
                         printf("CPU 0: runs it\n") }
    :: else -> printf("CPU 0: its queue is empty\n")
    fi
#ifdef CLEAR_LATE
    ; atomic { EMPTY(0); request = false }
#endif
}

active proctype idle()
{
    byte found;

    do
    :: ran == 2 -> break
    :: else ->
#ifdef LOOK_OPEN
       look();
       if
       :: handle()
       :: skip
       fi;
#else
       look();
#endif
       if
       :: found -> skip
       :: else ->
#ifdef IDLE_FLAG
          atomic { STORE(0, IDLE_WORD, 1); printf("CPU 0: is idle\n") };
#endif
#ifdef STI_EARLY
          if
          :: handle()
          :: skip
          fi;
#endif
          printf("CPU 0: halts\n");
          handle();             /* at once if one is pending */
#ifdef IDLE_FLAG
          STORE(0, IDLE_WORD, 0)
#endif
       fi
    od
}

inline enqueue(c)
{
    atomic { EMPTY(c); mem[QUEUE] = mem[QUEUE] + 1;
             printf("CPU %d: puts a vCPU on the queue\n", c) }
}

active proctype waker()
{
    do
    :: sent == 2 -> break
    :: else ->
#ifndef SEND_FIRST
       enqueue(1);
#endif
#ifdef IDLE_FLAG
       if
       :: !LOAD(1, IDLE_WORD)
       :: else ->
#endif
       atomic {
           EMPTY(1);
           if
           :: request
           :: else -> request = true; interrupt = true; printf("CPU 1: sends an interrupt\n")
           fi
       };
#ifdef IDLE_FLAG
       fi;
#endif
#ifdef SEND_FIRST
       enqueue(1);
#endif
       sent++
    od
}
