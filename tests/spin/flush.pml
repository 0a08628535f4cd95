/* Flush before re-use: the epochs of a domain. NCPUS CPUs take up vCPUs of one domain and leave
 * them, and work on one frame, which is either memory that the guest writes (mapped by a leaf
 * entry), or a page table (linked by an entry of a higher table), or given back. The CPUs' MMUs
 * fill TLB and paging-structure cache from these entries at any instant at which the domain's root
 * is loaded. A change of use must leave no translation behind that belongs to the old use.
 *
 * Stands for: get_page_type, put_page_type (type change, stamp), flush_domain (which CPUs must
 * flush), arch_switch and arch_load_root (on_cpu, flushed), new_root (mmuext.c), cpu_request and
 * cpu_serve (the flush of another CPU), spin_lock (it serves while it waits).
 *
 * Rules
 *   T1  on_cpu is set, fenced, then the root is loaded; it is cleared after another root is loaded
 *   T2  the epoch is read before CR3 is loaded, and stored to flushed after
 *   T3  where a mapping goes the frame's stamp becomes the epoch
 *   T4  before a change of use: if stamp == epoch, epoch++; then flush the CPUs that run a vCPU of
 *       the domain (on_cpu) and have flushed <= stamp. Without the advance they would be flushed
 *       again at each change, which is slow, not wrong
 *   T9  the requester waits until the target has done it, and serves requests meanwhile
 *
 * LONG NCPUS=3 LAST_EPOCH=2
 * LONG LAST_EPOCH=5
 *
 * FAULT NO_FENCE_RUN     no fence between on_cpu and the load of the root
 * FAULT LATE_EPOCH       the epoch is read after CR3 is loaded
 * FAULT EARLY_OFF_CPU    on_cpu is cleared before another root is loaded
 * FAULT NO_STAMP         a mapping goes, and the stamp stays
 * FAULT NO_STAMP_LINK    a table is unlinked, and the stamp stays
 * FAULT LESS             CPUs with flushed < stamp are flushed, not those with flushed == stamp
 * FAULT NO_FENCE_ENTRY   no fence between the entry's store and the look at on_cpu; in the code it
 *     is the locked instruction that drops the type reference
 * FAULT NO_FLUSH         no CPU is flushed
 * FAULT ONLY_SELF        only the CPU that changes the use is flushed
 * FAULT NO_WAIT          other CPUs are asked, but not waited for
 * FAULT FLUSH_AFTER      the use changes first, the flush comes after
 * FAULT TABLE_TO_DATA    the flush is left out when a table becomes memory
 * FAULT GIVE_BACK        the flush is left out when the frame is given back
 * FAULT NO_SERVE         who waits for a lock does not serve requests
 */
#ifndef NCPUS
#define NCPUS 2
#endif
#ifndef LAST_EPOCH
#define LAST_EPOCH 3
#endif
#define LOCK 0
#define EPOCH 1
#define LEAF 2                  /* the entry that maps the frame writable */
#define LINK 3                  /* the entry that links the frame as a table */
#define ON_CPU(c) (4 + c)
#define FLUSHED(c) (4 + NCPUS + c)
#define WORDS (4 + 2 * NCPUS)
#include "tso.h"

mtype = { DATA, TABLE, FREE };
mtype use = DATA;
byte stamp;                     /* of the frame; under the lock */
bool root[NCPUS];               /* the domain's root is loaded */
bool leaf[NCPUS], upper[NCPUS]; /* TLB and paging-structure cache have the frame */
bool request[NCPUS];

#define CLEAN(c) (!leaf[c] && !upper[c])

/* Nothing that is cached may say what the frame no longer is. */
inline check()
{
    assert(!(leaf[0] && use != DATA) && !(upper[0] && use != TABLE));
    assert(!(leaf[1] && use != DATA) && !(upper[1] && use != TABLE));
#if NCPUS > 2
    assert(!(leaf[2] && use != DATA) && !(upper[2] && use != TABLE));
#endif
}

inline load_cr3(c)
{
    leaf[c] = false; upper[c] = false
}

/* A CR3 load that is noted in flushed. */
inline flush_here(c)
{
#ifdef LATE_EPOCH
    atomic { load_cr3(c); printf("CPU %d: loads CR3\n", c) };
    atomic { e = LOAD(c, EPOCH); printf("CPU %d: reads epoch %d\n", c, e) };
#else
    atomic { e = LOAD(c, EPOCH); printf("CPU %d: reads epoch %d\n", c, e) };
    atomic { load_cr3(c); printf("CPU %d: loads CR3\n", c) };
#endif
    STORE(c, FLUSHED(c), e);
    e = 0
}

/* A request comes as an interrupt, or is seen while the CPU waits. */
inline serve(c)
{
    atomic { request[c] && EMPTY(c); printf("CPU %d: serves a request to flush\n", c) };
    flush_here(c);
    atomic { EMPTY(c); request[c] = false }
}

inline lock(c)
{
    do
    :: atomic { EMPTY(c) && mem[LOCK] == 0 -> mem[LOCK] = 1; printf("CPU %d: has the lock\n", c) };
       break
#ifndef NO_SERVE
    :: serve(c)
#endif
    od
}

inline unlock(c)
{
    STORE(c, LOCK, 0)
}

#ifdef LESS
#define MUST_FLUSH(c, t) (LOAD(c, ON_CPU(t)) && LOAD(c, FLUSHED(t)) < stamp)
#else
#define MUST_FLUSH(c, t) (LOAD(c, ON_CPU(t)) && LOAD(c, FLUSHED(t)) <= stamp)
#endif

inline flush_one(c, t)
{
    if
    :: MUST_FLUSH(c, t) ->
       if
       :: t == c -> flush_here(c)
       :: else ->
#ifndef ONLY_SELF
          atomic { EMPTY(c); request[t] = true; printf("CPU %d: asks CPU %d to flush\n", c, t) };
#ifndef NO_WAIT
          do
          :: !request[t] -> break
          :: serve(c)
          od
#else
          skip
#endif
#else
          skip
#endif
       fi
    :: else
    fi
}

inline flush_domain(c)
{
    if
    :: stamp == LOAD(c, EPOCH) -> STORE(c, EPOCH, stamp + 1)
    :: else
    fi;
#ifndef NO_FENCE_ENTRY
    FENCE(c);
#endif
#ifndef NO_FLUSH
    flush_one(c, 0);
    flush_one(c, 1);
#if NCPUS > 2
    flush_one(c, 2);
#endif
#endif
    skip
}

/* The lock is held, and no entry refers to the frame. */
inline change_use(c, new)
{
#ifdef FLUSH_AFTER
    atomic { use = new; printf("CPU %d: the frame is %e now\n", c, use); check() };
#endif
    if
#ifdef TABLE_TO_DATA
    :: use == TABLE && new == DATA -> skip
#endif
#ifdef GIVE_BACK
    :: new == FREE -> skip
#endif
    :: else -> flush_domain(c)
    fi;
#ifndef FLUSH_AFTER
    atomic { use = new; printf("CPU %d: the frame is %e now\n", c, use); check() };
#endif
    skip
}

inline enter(c, entry, wanted)
{
    if
    :: LOAD(c, LEAF) == 0 && LOAD(c, LINK) == 0 ->
       if
       :: use == wanted
       :: use != wanted -> change_use(c, wanted)
       fi;
       atomic { STORE(c, entry, 1); printf("CPU %d: enters the frame as %e\n", c, wanted) }
    :: else
    fi
}

inline drop(c, entry)
{
    if
    :: LOAD(c, entry) ->
       atomic { STORE(c, entry, 0); printf("CPU %d: drops the entry\n", c) };
#ifdef NO_STAMP
       if
       :: entry == LEAF
       :: else -> stamp = LOAD(c, EPOCH)
       fi
#elif defined(NO_STAMP_LINK)
       if
       :: entry == LINK
       :: else -> stamp = LOAD(c, EPOCH)
       fi
#else
       stamp = LOAD(c, EPOCH)
#endif
    :: else
    fi
}

proctype cpu(byte c)
{
    byte e;

end_idle:
    do
    :: serve(c)
    :: atomic { STORE(c, ON_CPU(c), 1); printf("CPU %d: takes up its vCPU\n", c) };
#ifndef NO_FENCE_RUN
       FENCE(c);
#endif
#ifdef LATE_EPOCH
       root[c] = true;
#else
       e = LOAD(c, EPOCH);
       atomic { root[c] = true; printf("CPU %d: loads the domain's root\n", c) };
       STORE(c, FLUSHED(c), e);
       e = 0;
#endif
#ifdef LATE_EPOCH
       e = LOAD(c, EPOCH); STORE(c, FLUSHED(c), e); e = 0;
#endif
       break
    od;
end_guest:
    do
    :: serve(c)
    :: LOAD(c, EPOCH) < LAST_EPOCH -> lock(c); enter(c, LEAF, DATA); unlock(c)
    :: LOAD(c, EPOCH) < LAST_EPOCH -> lock(c); enter(c, LINK, TABLE); unlock(c)
    :: LOAD(c, LEAF) -> lock(c); drop(c, LEAF); unlock(c)
    :: LOAD(c, LINK) -> lock(c); drop(c, LINK); unlock(c)
    :: LOAD(c, LEAF) && LOAD(c, EPOCH) < LAST_EPOCH ->   /* two updates in one call */
       lock(c); drop(c, LEAF); enter(c, LINK, TABLE); unlock(c)
    :: LOAD(c, EPOCH) < LAST_EPOCH && use != FREE -> lock(c);
       if
       :: LOAD(c, LEAF) == 0 && LOAD(c, LINK) == 0 && use != FREE -> change_use(c, FREE)
       :: else
       fi;
       unlock(c)
    :: LOAD(c, EPOCH) < LAST_EPOCH ->   /* a new root */
       lock(c); e = LOAD(c, EPOCH); STORE(c, EPOCH, e + 1); flush_here(c); unlock(c)
#ifdef EARLY_OFF_CPU
    :: STORE(c, ON_CPU(c), 0);
       atomic { root[c] = false; load_cr3(c); printf("CPU %d: loads the idle root\n", c) };
       goto end_idle
#else
    :: atomic { root[c] = false; load_cr3(c); printf("CPU %d: loads the idle root\n", c) };
       STORE(c, ON_CPU(c), 0);
       goto end_idle
#endif
    od
}

/* The MMUs. The walk of a CPU sees the CPU's own stores. */
inline walk(c)
{
    atomic { root[c] && LOAD(c, LEAF) && !leaf[c] ->
             leaf[c] = true; printf("CPU %d: its TLB fills\n", c); check() }
}

inline walk_upper(c)
{
    atomic { root[c] && LOAD(c, LINK) && !upper[c] ->
             upper[c] = true; printf("CPU %d: its paging-structure cache fills\n", c); check() }
}

active proctype mmus()
{
end:
    do
    :: walk(0)
    :: walk_upper(0)
    :: walk(1)
    :: walk_upper(1)
#if NCPUS > 2
    :: walk(2)
    :: walk_upper(2)
#endif
    od
}

init
{
    atomic {
        mem[EPOCH] = 1;
        run cpu(0);
        run cpu(1);
#if NCPUS > 2
        run cpu(2);
#endif
    }
}
