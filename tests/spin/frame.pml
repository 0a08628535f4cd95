/* The frame word: references are taken and dropped by compare-and-exchange while the frame changes
 * its owner. A reference that was given is one on a frame of the domain that was asked for, and
 * stays so; the frame is freed once, by who drops the last reference; a writable mapping and a use
 * as a page table exclude each other.
 *
 * Stands for: get_page, put_page, get_page_and_type, put_page_and_type, free_domain_frame,
 * frame_set_owner (frame.h, frame.c), get_page_type (pagetype.c).
 *
 * Order of a get: the count is not 0, the type fits, compare-and-exchange, and only then the
 * comparison of the owner, which cannot change while the count is not 0; a reference on somebody
 * else's frame is dropped again.
 *
 * FAULT OWNER_FIRST   the owner is compared before the count is taken, and not after
 * FAULT FROM_ZERO     a frame without references is taken, too
 * FAULT NO_UNDO       a reference on somebody else's frame is not dropped
 * FAULT UNDO_PLAIN    the undo does not free the frame when it drops the last reference
 * FAULT PLAIN_GET     the get is a load and a store
 * FAULT PLAIN_PUT     the put is a load and a store
 * FAULT COUNT_FIRST   a free frame keeps its last owner, and the new owner's count is stored before
 *     the owner
 * FAULT TYPE_LATE     a writable reference takes the general count first and the type count later,
 *     without another look at the type
 * FAULT TYPE_PLAIN    the type is changed by a load and a store
 * FAULT TYPE_IN_USE   the type is changed while its count is not 0
 */
#define FREE 0

mtype = { WRITABLE, TABLE };
byte count = 1;                 /* general references: the owner's own */
byte type_count;
mtype type = WRITABLE;
byte owner = 1;                 /* the domain; FREE */
byte frees;                     /* how often it came to the free list */
bool in_free_list;
byte held;                      /* references given and not yet dropped, the owner's included */
byte writers, tables;

inline free_frame()
{
    atomic { assert(!in_free_list); assert(held == 0); in_free_list = true;
#ifndef COUNT_FIRST
             owner = FREE;
#endif
             type = WRITABLE; printf("%d: frees the frame\n", _pid) }
}

inline put()
{
#ifdef PLAIN_PUT
    seen = count;
    count = seen - 1;
    last = (seen == 1);
    seen = 0;
#else
    atomic { assert(count > 0); count--; last = (count == 0);
             printf("%d: puts, %d left\n", _pid, count) };
#endif
    if
    :: last -> last = false; free_frame()
    :: else
    fi
}

inline undo()
{
#ifdef NO_UNDO
    skip
#elif defined(UNDO_PLAIN)
    atomic { count--; printf("%d: undoes, %d left\n", _pid, count) }
#else
    put()
#endif
}

/* got: a general reference on a frame of domain d. writable: and one of the type. */
inline get(d, writable)
{
    got = false;
#ifdef OWNER_FIRST
    if
    :: owner != d -> skip
    :: else ->
#endif
    do
    :: seen = count;
       if
#ifndef FROM_ZERO
       :: seen == 0 -> break
#endif
#ifndef TYPE_LATE
       :: writable && type != WRITABLE && type_count > 0 -> break
#endif
       :: else ->
#ifdef PLAIN_GET
          count = seen + 1; got = true; break
#else
          if
          :: atomic { count == seen &&
#ifndef TYPE_LATE
                      (!writable || type == WRITABLE) ->
                      if
                      :: writable -> type_count++
                      :: else
                      fi;
#else
                      true ->
#endif
                      count++; got = true; printf("%d: takes a reference\n", _pid) }; break
          :: atomic { writable && type != WRITABLE -> seen = 0 }; break
          :: atomic { count != seen -> seen = 0 }   /* once more */
          fi
#endif
       fi
    od;
    seen = 0;
#ifdef OWNER_FIRST
    fi;
#else
    if
    :: got && owner != d ->
       got = false; printf("%d: it is not of domain %d\n", _pid, d);
#ifndef TYPE_LATE
       if
       :: writable -> type_count--
       :: else
       fi;
#endif
       undo()
    :: else
    fi;
#endif
#ifdef TYPE_LATE
    if
    :: got && writable -> type_count++
    :: else
    fi
#else
    skip
#endif
}

/* Somebody who maps a frame of domain d, read-only or writable, and lets it go. */
proctype user(byte d; bool writable)
{
    byte seen;
    bool got, last;

    get(d, writable);
    if
    :: got ->
       atomic { held++; if :: writable -> writers++ :: else fi;
                printf("%d: has a reference\n", _pid);
                assert(owner == d); assert(!in_free_list); assert(!(writers > 0 && tables > 0)) };
       atomic { assert(owner == d); assert(!in_free_list); held--;
                if :: writable -> writers--; type_count-- :: else fi };
       put()
    :: else
    fi
}

/* Domain 1 gives the frame back; when it is free, domain 2 gets it. */
proctype owners()
{
    byte seen;
    bool last;

    held--;
    put();
    in_free_list;
    atomic { in_free_list = false; assert(count == 0); printf("%d: allocates\n", _pid) };
#ifdef COUNT_FIRST
    held++; count = 1;
    printf("%d: the count is 1\n", _pid);
    owner = 2
#else
    owner = 2;
    printf("%d: the owner is domain 2\n", _pid);
    atomic { held++; count = 1 }
#endif
}

/* Domain 1 makes a page table of it, under its mm_lock, and ends that. */
proctype table()
{
    byte seen;
    bool got, last;

    get(1, false);
    if
    :: got ->
       atomic { held++; got = false };
#ifdef TYPE_PLAIN
       type_count == 0 && type == WRITABLE;
       printf("%d: the type count is 0\n", _pid);
       atomic { type = TABLE; type_count = 1; got = true };
#else
       if
#ifdef TYPE_IN_USE
       :: atomic { type == WRITABLE -> type = TABLE; type_count++; got = true;
                   printf("%d: the frame is a table\n", _pid) }
#else
       :: atomic { type_count == 0 && type == WRITABLE -> type = TABLE; type_count = 1; got = true;
                   printf("%d: the frame is a table\n", _pid) }
#endif
       :: atomic { type_count != 0 -> skip }
       fi;
#endif
       if
       :: got -> atomic { tables++; assert(!(writers > 0 && tables > 0)) };
          atomic { tables--; type_count-- };
          atomic { type_count == 0 -> type = WRITABLE }
       :: else
       fi;
       held--;
       put()
    :: else
    fi
}

init
{
    pid done;

    atomic {
        held = 1;
        run owners();
        run user(1, false);
        run user(1, true);
        run user(2, true);
        run table()
    };
    _nr_pr == 1;                /* all have ended: what is left is domain 2's own reference */
    assert(count == 1 && type_count == 0 && owner == 2)
}
