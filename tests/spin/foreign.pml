/* A frame of domain 1 that domain 2 maps by a grant. Domain 2's vCPUs run on CPUs 0 and 1, domain
 * 1's on CPU 2. When domain 2's mapping has gone, domain 1 may make a page table of the frame; it
 * flushes its own CPUs only.
 *
 * Stands for: mod_l1_entry, put_page_from_l1e (foreign frames), grant_unmap (the mapper's flush
 * before the reference and the pin are dropped), drop_ldt of a vCPU that runs elsewhere, which has
 * the same order, and the list of frames that wait for their owner's flush (alloc.c).
 *
 *   T6  the CPUs that run the mapper's vCPUs are flushed first, the references are dropped after
 *
 * FAULT DROP_FIRST   the reference is dropped before the flush
 * FAULT ONE_CPU      only the CPU that unmaps is flushed
 * FAULT NO_FENCE     the look at on_cpu comes before the entry's store has left the buffer
 * FAULT UNLOCKED     the mapper changes its entry without its mm_lock, so that the other vCPU maps
 *     the frame again between the flush and the drop
 * FAULT OWNER_ONLY   only the owner's CPUs are flushed
 */
#define NCPUS 3
#define ENTRY 0                 /* domain 2's entry, which maps the frame writable */
#define LOCK 1                  /* domain 2's mm_lock */
#define ON_CPU(c) (2 + c)
#define WORDS 4
#define ROUNDS 2
#include "tso.h"

byte references;                /* domain 2's, writable */
bool table;                     /* domain 1 uses the frame as a page table */
bool cached[2];
bool request[2];
byte rounds;

inline check()
{
    assert(!(table && (cached[0] || cached[1])))
}

inline serve(c)
{
    atomic { request[c] && EMPTY(c); cached[c] = false; request[c] = false;
             printf("CPU %d: flushes for the other\n", c) }
}

inline lock(c)
{
#ifndef UNLOCKED
    do
    :: atomic { EMPTY(c) && mem[LOCK] == 0 -> mem[LOCK] = 1 }; break
    :: serve(c)
    od
#else
    FENCE(c)
#endif
}

inline flush_mappers(c)
{
#ifndef OWNER_ONLY
#ifndef NO_FENCE
    FENCE(c);
#endif
    atomic { cached[c] = false; printf("CPU %d: flushes\n", c) };
#ifndef ONE_CPU
    if
    :: LOAD(c, ON_CPU(1 - c)) ->
       request[1 - c] = true;
       do
       :: !request[1 - c] -> break
       :: serve(c)
       od
    :: else
    fi
#else
    skip
#endif
#else
    skip
#endif
}

inline drop(c)
{
    atomic { references--; printf("CPU %d: drops its reference\n", c) }
}

/* A writable reference is refused while the frame is a table. */
inline map(c)
{
    if
    :: LOAD(c, ENTRY) == 0 && rounds < ROUNDS ->
       atomic {
           EMPTY(c);            /* the reference is taken by a locked instruction */
           if
           :: !table -> references++; rounds++; STORE(c, ENTRY, 1);
              printf("CPU %d: maps the frame\n", c)
           :: else
           fi
       }
    :: else
    fi
}

inline unmap(c)
{
    if
    :: LOAD(c, ENTRY) ->
       atomic { STORE(c, ENTRY, 0); printf("CPU %d: clears its entry\n", c) };
#ifdef DROP_FIRST
       drop(c);
       flush_mappers(c)
#else
       flush_mappers(c);
       drop(c)
#endif
    :: else
    fi
}

proctype cpu(byte c)
{
end_idle:
    do
    :: serve(c)
    :: STORE(c, ON_CPU(c), 1); FENCE(c); printf("CPU %d: runs its vCPU\n", c); break
    od;
end_guest:
    do
    :: serve(c)
    :: atomic { LOAD(c, ENTRY) && !cached[c] -> cached[c] = true;
                printf("CPU %d: its TLB fills\n", c); check() }
    :: rounds < ROUNDS -> lock(c); map(c); STORE(c, LOCK, 0)
    :: LOAD(c, ENTRY) -> lock(c); unmap(c); STORE(c, LOCK, 0)
    :: atomic { cached[c] = false; printf("CPU %d: leaves its vCPU\n", c) };
       STORE(c, ON_CPU(c), 0); goto end_idle
    od
}

active proctype owner()
{
end:
    do
    :: atomic { references == 0 && !table -> table = true; printf("owner: makes a table of it\n");
                check() }
    :: atomic { table -> table = false; printf("owner: it is memory again\n") }
    od
}

init
{
    atomic { run cpu(0); run cpu(1) }
}
