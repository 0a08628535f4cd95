/* Blocking, polling and waking: a vCPU blocks until an event comes, then polls a masked port
 * without a timeout; two others send. No event may find it asleep and leave it so, and it is put on
 * a queue only when it is neither there nor running.
 *
 * Stands for: vcpu_block, vcpu_wake (sched_wake.c), schedule (sched.c), sched_op_poll (sched_op.c),
 * evtchn_set_pending (evtchn.c).
 *
 *   O1  block: blocked = 1; fence; look at pending.
 *       send: set pending (locked); look at blocked
 *   O2  poll: blocked = 1; poll bit (locked); look at the port; un-block if it is pending.
 *       send: set the port (locked); look at the poll bits
 * A wake-up of a vCPU that still runs only clears blocked; schedule, under the queue's lock, looks
 * at blocked again before it leaves the vCPU.
 *
 * FAULT NO_FENCE        block: no fence between blocked and the look at pending
 * FAULT LOOK_FIRST      block: the look comes before blocked is set
 * FAULT POLL_LOOK_FIRST poll: the port is looked at before the poll bit is set
 * FAULT POLL_NO_LOOK    poll: the port is looked at only before blocked is set
 * FAULT POLL_LATE       poll: blocked is set after the poll bit and the look
 * FAULT SEND_LATE       send: the poll bits are looked at before the port is set
 * FAULT PLAIN_SEND      send: pending is set by a plain store, and no fence follows
 * FAULT PLAIN_OR        poll bits of two vCPUs in one word are set without lock prefix
 * FAULT NO_SECOND_LOOK  wake: blocked is not looked at again under the queue's lock
 * FAULT ENQUEUE_RUNNING wake: a vCPU that still runs is put on the queue
 * FAULT SLEEP_ANYWAY    schedule: leaves a vCPU whose blocked was cleared in the meantime
 */
#define NCPUS 3
#define BLOCKED 0
#define UPCALL 1                /* an unmasked event is pending */
#define PORT 2                  /* the masked port is pending */
#define POLL 3                  /* poll bits: 1 this vCPU's, 2 another's */
#define LOCK 4
#define WORDS 5
#include "tso.h"

bool running = true;            /* under the lock */
byte queued;

inline lock(c)
{
    atomic { EMPTY(c) && mem[LOCK] == 0 -> mem[LOCK] = 1 }
}

inline unlock(c)
{
    STORE(c, LOCK, 0)
}

/* Leaves the vCPU if it is blocked still; returns when it was woken. */
inline schedule(c)
{
    lock(c);
    if
#ifndef SLEEP_ANYWAY
    :: !LOAD(c, BLOCKED) -> unlock(c)
#endif
    :: else ->
       atomic { running = false; printf("vCPU: sleeps\n") };
       unlock(c);
       queued > 0;
       lock(c);
       atomic { queued--; running = true; printf("vCPU: runs again\n") };
       unlock(c)
    fi
}

inline set_poll_bit(c, which)
{
#ifdef PLAIN_OR
    atomic { old = LOAD(c, POLL); printf("vCPU on CPU %d: reads the poll bits\n", c) };
    STORE(c, POLL, old | which);
    FENCE(c);
    old = 0
#else
    atomic { EMPTY(c); mem[POLL] = mem[POLL] | which;
             printf("vCPU on CPU %d: sets its poll bit\n", c) }
#endif
}

inline clear_poll_bit(c, which)
{
    atomic { EMPTY(c); mem[POLL] = mem[POLL] & ~which }
}

active proctype vcpu()
{
    byte old;

    do                          /* SCHEDOP_block */
    :: mem[UPCALL] -> break
    :: else ->
#ifdef LOOK_FIRST
       if
       :: LOAD(0, UPCALL) -> skip
       :: else -> STORE(0, BLOCKED, 1); schedule(0)
       fi
#else
       atomic { STORE(0, BLOCKED, 1); printf("vCPU: blocked = 1\n") };
#ifndef NO_FENCE
       FENCE(0);
#endif
       if
       :: LOAD(0, UPCALL) -> STORE(0, BLOCKED, 0)
       :: else -> printf("vCPU: nothing is pending\n"); schedule(0)
       fi
#endif
    od;
    atomic { EMPTY(0); mem[UPCALL] = 0; printf("vCPU: handles the event\n") };
    do                          /* SCHEDOP_poll */
    :: LOAD(0, PORT) -> break
    :: else ->
#ifndef POLL_LATE
       atomic { STORE(0, BLOCKED, 1); printf("vCPU: blocked = 1\n") };
#endif
#ifdef POLL_LOOK_FIRST
       if
       :: LOAD(0, PORT) -> STORE(0, BLOCKED, 0)
       :: else -> set_poll_bit(0, 1); schedule(0)
       fi;
#else
       set_poll_bit(0, 1);
       if
#ifndef POLL_NO_LOOK
       :: LOAD(0, PORT) -> STORE(0, BLOCKED, 0)
#endif
       :: else -> printf("vCPU: the port is not pending\n");
#ifdef POLL_LATE
          STORE(0, BLOCKED, 1);
#endif
          schedule(0)
       fi;
#endif
       clear_poll_bit(0, 1)
    od;
    printf("vCPU: has polled\n")
}

inline wake(c)
{
    if
    :: !LOAD(c, BLOCKED) -> printf("CPU %d: not blocked\n", c)
    :: else ->
       lock(c);
       if
#ifndef NO_SECOND_LOOK
       :: !LOAD(c, BLOCKED)
#endif
       :: else ->
          STORE(c, BLOCKED, 0);
          if
#ifndef ENQUEUE_RUNNING
          :: running -> printf("CPU %d: clears blocked\n", c)
#endif
          :: else ->
             atomic { queued++; printf("CPU %d: puts the vCPU on the queue\n", c);
                      assert(queued == 1 && !running) }
          fi
       fi;
       unlock(c)
    fi
}

/* Each sender's event comes once on the unmasked port, once on the masked one. */
inline send_upcall(c)
{
#ifdef PLAIN_SEND
    STORE(c, UPCALL, 1);
#else
    atomic { EMPTY(c); mem[UPCALL] = 1; printf("CPU %d: sets pending\n", c) };
#endif
    wake(c)
}

inline send_masked(c)
{
#ifdef SEND_LATE
    polls = LOAD(c, POLL) & 1;
#endif
#ifdef PLAIN_SEND
    STORE(c, PORT, 1);
#else
    atomic { EMPTY(c); mem[PORT] = 1; printf("CPU %d: sets the masked port\n", c) };
#endif
#ifndef SEND_LATE
    polls = LOAD(c, POLL) & 1;
#endif
    if
    :: polls -> wake(c)
    :: else -> printf("CPU %d: nobody polls\n", c)
    fi;
    polls = 0
}

active proctype sender()
{
    bool polls;

    send_upcall(1);
    send_masked(1)
}

/* Another vCPU of the domain, which sends and polls, too. */
active proctype other()
{
    byte old;

    send_upcall(2);
    set_poll_bit(2, 2);
    clear_poll_bit(2, 2)
}
