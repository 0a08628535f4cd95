/* Events for a vCPU that runs: it runs on CPU 0, leaves it and goes on on CPU 1, two others send.
 * Each event is delivered: the vCPU never stays in guest mode with one pending and no interrupt on
 * its way.
 *
 * Stands for: evtchn_set_pending and vcpu_kick (the sender), exit_to_guest_work and the return path
 * of entry.S (the target), arch_switch (on_cpu).
 *
 *   O7  send: set pending (locked); look at on_cpu; send an interrupt there.
 *       run: on_cpu = c; fence; look at pending on the way to the guest, interrupts off
 * Entering the guest switches interrupts on with the same instruction: one that came after the look
 * is taken right there.
 *
 * FAULT NO_FENCE_RUN   no fence between on_cpu and the look at pending
 * FAULT PLAIN_SEND     pending is set by a plain store, without a fence before the look at on_cpu
 * FAULT LOOK_FIRST     the sender looks at on_cpu before it sets pending
 * FAULT LATE_ON_CPU    on_cpu is set after the look at pending
 * FAULT OPEN_EXIT      interrupts are on between the look at pending and the guest
 * FAULT NO_LOOK        an interrupt returns to the guest without a look at pending
 * FAULT NO_KICK        no interrupt is sent
 * FAULT KICK_ONCE      no interrupt is sent while an earlier request has not been seen, and the
 *     request is cleared after the look at pending
 */
#define NCPUS 4
#define NONE 9
#define PENDING 0
#define ON_CPU 1
#define WORDS 2
#include "tso.h"

bool interrupt[2];              /* waits at CPU 0, 1 */
bool request[2];
byte sent;

inline handle(c)
{
    atomic { interrupt[c] -> interrupt[c] = false; printf("CPU %d: takes the interrupt\n", c) };
#ifndef KICK_ONCE
    atomic { EMPTY(c); request[c] = false }
#endif
}

inline look(c)
{
    if
    :: LOAD(c, PENDING) ->
       atomic { EMPTY(c); mem[PENDING] = 0; printf("vCPU: handles the event\n") }
    :: else -> printf("vCPU: nothing is pending\n")
    fi
#ifdef KICK_ONCE
    ; atomic { EMPTY(c); request[c] = false }
#endif
}

inline run_on(c)
{
#ifndef LATE_ON_CPU
    atomic { STORE(c, ON_CPU, c); printf("vCPU: is on CPU %d\n", c) };
#ifndef NO_FENCE_RUN
    FENCE(c);
#endif
#endif
    look(c);
#ifdef LATE_ON_CPU
    STORE(c, ON_CPU, c);
    FENCE(c);
#endif
#ifdef OPEN_EXIT
    if
    :: handle(c)
    :: skip
    fi;
#endif
    printf("vCPU: in guest mode\n");
    do
    :: handle(c);               /* interrupts are on in guest mode */
#ifndef NO_LOOK
       look(c);
#endif
       printf("vCPU: in guest mode\n")
    :: c == 0 && mem[PENDING] == 0 -> break  /* it may leave at any time; this is enough */
    :: c == 1 && sent == 2 && !LOAD(c, PENDING) && EMPTY(2) && EMPTY(3) -> break
    od
}

proctype vcpu()
{
    run_on(0);
    atomic { STORE(0, ON_CPU, NONE); printf("vCPU: leaves CPU 0\n") };
    FENCE(0);                   /* the hand-over: another CPU sees that the stack is free */
    run_on(1)
}

proctype sender(byte c)
{
    byte target = NONE;

#ifdef LOOK_FIRST
    target = LOAD(c, ON_CPU);
#endif
#ifdef PLAIN_SEND
    STORE(c, PENDING, 1);
#else
    atomic { EMPTY(c); mem[PENDING] = 1; printf("CPU %d: sets pending\n", c) };
#endif
#ifndef LOOK_FIRST
    target = LOAD(c, ON_CPU);
#endif
    if
    :: target == NONE -> printf("CPU %d: it does not run\n", c)
#ifndef NO_KICK
    :: target != NONE ->
       atomic {
           EMPTY(c);
           if
           :: request[target] -> printf("CPU %d: CPU %d is asked already\n", c, target)
           :: else -> request[target] = true; interrupt[target] = true;
              printf("CPU %d: sends an interrupt to CPU %d\n", c, target)
           fi
       }
#else
    :: else
#endif
    fi;
    sent++
}

/* An interrupt that comes when the vCPU has left is taken by whoever runs there. */
active proctype others()
{
end:
    do
    :: mem[ON_CPU] != 0 && interrupt[0] -> interrupt[0] = false; request[0] = false
    od
}

init
{
    atomic { mem[ON_CPU] = NONE; run vcpu(); run sender(2); run sender(3) }
}
