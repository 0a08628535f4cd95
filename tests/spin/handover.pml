/* Hand-over of vCPUs between two CPUs: two vCPUs yield, sleep, are woken, and are taken from the
 * other CPU's queue. A vCPU's stack is used by one CPU at a time, its registers are loaded only
 * after they were saved, and it is on one queue or on one CPU, never on two.
 *
 * Stands for: reschedule, pick_next, vcpu_wake, steal (sched.c), arch_switch (switch.S).
 *
 *   O6  who leaves a vCPU saves its registers, leaves its stack, then stores on_cpu = none; who
 *       takes it up waits for that first
 * The wait may come before the previous vCPU is left or after. It makes no circle: a vCPU can be
 * taken from a queue only when the CPU that leaves it has chosen its own next one already.
 *
 * LONG WAIT_FIRST
 * LONG LAST_STEP=3
 *
 * FAULT NO_WAIT        the next vCPU is taken up without waiting for on_cpu = none
 * FAULT EARLY_NONE     on_cpu = none is stored before the stack is left
 * FAULT EARLY_SAVED    on_cpu = none is stored before the registers are saved
 * FAULT NO_LOCK_STEAL  the thief takes from a queue without that queue's lock
 * FAULT NO_LOCK_WAKE   a wake-up puts the vCPU on the queue without the lock
 * FAULT STALE_QUEUE    a wake-up does not look again at v->cpu when it has the lock
 * FAULT LEFT_QUEUED    the thief leaves the vCPU on the queue, too
 */
#define NCPUS 2
#define NONE 9
#define IDLE 8
#ifndef LAST_STEP
#define LAST_STEP 2
#endif
/* So often each CPU schedules. */

/* Of each vCPU. Both sleep at first, and were on CPU 0. */
byte on_cpu[2] = NONE;
byte cpu_of[2];                 /* v->cpu: whose queue lock guards it */
bool blocked[2] = true;
byte queued[2];                 /* on how many queues */
byte users[2];                  /* CPUs that use its stack */
bool saved[2] = true;
/* Of each CPU. */
byte running[NCPUS] = IDLE;
byte queue[NCPUS];              /* bit v: vCPU v is on it */
bool locked[NCPUS];
byte steps[NCPUS];

inline lock(q)
{
    atomic { !locked[q] -> locked[q] = true }
}

inline enqueue(q, v)
{
    atomic {
        assert(queued[v] == 0 && !(queue[q] & (1 << v)));
        queue[q] = queue[q] | (1 << v);
        queued[v]++;
        cpu_of[v] = q;
        printf("  vCPU %d is on the queue of CPU %d\n", v, q)
    }
}

inline take(me, q, v)
{
    atomic {
        queue[q] & (1 << v);
#ifdef LEFT_QUEUED
        if
        :: me == q -> queue[q] = queue[q] & ~(1 << v); queued[v]--
        :: else
        fi;
#else
        queue[q] = queue[q] & ~(1 << v);
        queued[v]--;
#endif
        next = v;
        cpu_of[v] = me;
        printf("CPU %d: takes vCPU %d from the queue of CPU %d\n", me, v, q)
    }
}

inline leave(c)
{
    if
    :: prev != IDLE && prev != next ->
#ifdef EARLY_NONE
       atomic { on_cpu[prev] = NONE; saved[prev] = true };
       atomic { users[prev]--; printf("CPU %d: leaves the stack of vCPU %d\n", c, prev) }
#elif defined(EARLY_SAVED)
       atomic { on_cpu[prev] = NONE; users[prev]--; printf("CPU %d: leaves vCPU %d\n", c, prev) };
       saved[prev] = true
#else
       saved[prev] = true;
       atomic { users[prev]--; printf("CPU %d: leaves the stack of vCPU %d\n", c, prev) };
       on_cpu[prev] = NONE
#endif
    :: else
    fi
}

inline wait_for_next(c)
{
#ifndef NO_WAIT
    if
    :: next != IDLE && next != prev -> on_cpu[next] == NONE
    :: else
    fi;
#endif
    skip
}

/* The other CPU's queue; trylock only. */
inline steal(c)
{
#ifdef NO_LOCK_STEAL
    if
    :: queue[1 - c] & 1 -> take_plain(c, 0)
    :: queue[1 - c] & 2 -> take_plain(c, 1)
    :: skip
    fi
#else
    if
    :: atomic { !locked[1 - c] -> locked[1 - c] = true };
       if
       :: take(c, 1 - c, 0)
       :: take(c, 1 - c, 1)
       :: skip
       fi;
       locked[1 - c] = false
    :: skip
    fi
#endif
}

inline take_plain(c, v)
{
    printf("CPU %d: sees vCPU %d on the other queue\n", c, v);
    atomic { queue[1 - c] = queue[1 - c] & ~(1 << v); queued[v] = 0; next = v; cpu_of[v] = c;
             printf("CPU %d: takes it\n", c) }
}

proctype cpu(byte c)
{
    byte prev = IDLE, next = IDLE;

    do
    :: steps[c] == LAST_STEP && running[c] == IDLE -> break
    :: steps[c] < LAST_STEP || running[c] != IDLE ->
       if
       :: steps[c] < LAST_STEP -> steps[c]++
       :: else
       fi;
       prev = running[c];
       if                       /* the vCPU blocks, yields, or goes on */
       :: prev != IDLE -> blocked[prev] = true
       :: prev != IDLE && steps[c] < LAST_STEP
       :: prev == IDLE
       fi;
       lock(c);
       if
       :: prev != IDLE && !blocked[prev] -> enqueue(c, prev)
       :: else
       fi;
       next = IDLE;
       if
       :: take(c, c, 0)
       :: take(c, c, 1)
       :: queue[c] == 0 -> steal(c)
       fi;
       running[c] = next;
       locked[c] = false;
       if
       :: next != prev ->
#ifdef WAIT_FIRST
          wait_for_next(c);
          leave(c);
#else
          leave(c);
          wait_for_next(c);
#endif
          if
          :: next != IDLE ->
             atomic { on_cpu[next] = c; users[next]++; printf("CPU %d: runs vCPU %d\n", c, next);
                      assert(users[next] == 1); assert(saved[next]);
                      saved[next] = false }
          :: else
          fi
       :: else
       fi
    od
}

/* vcpu_wake. A vCPU that runs is only un-blocked. */
inline wake(v)
{
    if
    :: !blocked[v]
    :: else ->
       q = cpu_of[v];
#ifndef NO_LOCK_WAKE
       lock(q);
#endif
       if
#ifndef STALE_QUEUE
       :: cpu_of[v] != q
#endif
       :: else ->
          if
          :: blocked[v] ->
             blocked[v] = false;
             if
             :: running[q] == v
             :: else -> to = q; enqueue(to, v)
             fi
          :: else
          fi
       fi;
#ifndef NO_LOCK_WAKE
       locked[q] = false
#else
       skip
#endif
    fi
}

proctype waker(byte w)
{
    byte q, to;

    wake(w);
    wake(1 - w)
}

init
{
    atomic {
        run cpu(0);
        run cpu(1);
        run waker(0);
        run waker(1)
    }
}
