/* Memory as CPUs of the x86 see it (x86-TSO): a store goes into the CPU's own buffer first and
 * reaches memory later, in order; the CPU's loads see its own buffer, other CPUs do not. A fence or
 * a locked instruction waits until the buffer is empty. Included by the models, which define NCPUS,
 * WORDS (how many words of memory) and buffers of two stores. */

typedef store_buffer { byte used; byte word0, value0, word1, value1 };
store_buffer buffer[NCPUS];
byte mem[WORDS];

/* What CPU c reads from word w; an expression. */
#define LOAD(c, w) \
    ((buffer[c].used == 2 && buffer[c].word1 == (w)) -> buffer[c].value1 : \
     ((buffer[c].used > 0 && buffer[c].word0 == (w)) -> buffer[c].value0 : mem[w]))

/* A full buffer makes the CPU wait. */
#define STORE(c, w, v) \
    atomic { \
        buffer[c].used < 2; \
        if \
        :: buffer[c].used == 0 -> buffer[c].word0 = (w); buffer[c].value0 = (v) \
        :: else -> buffer[c].word1 = (w); buffer[c].value1 = (v) \
        fi; \
        buffer[c].used++ \
    }

#define EMPTY(c) (buffer[c].used == 0)

/* Full fence: also what a locked instruction begins with. */
inline FENCE(c)
{
    EMPTY(c)
}

inline drain_one(c)
{
    d_step {
        buffer[c].used > 0;
        mem[buffer[c].word0] = buffer[c].value0;
        buffer[c].word0 = buffer[c].word1; buffer[c].value0 = buffer[c].value1;
        buffer[c].word1 = 0; buffer[c].value1 = 0;
        buffer[c].used--;
        if
        :: buffer[c].used == 0 -> buffer[c].word0 = 0; buffer[c].value0 = 0
        :: else
        fi
    }
}

/* The buffers empty themselves at any time. */
active proctype buffers()
{
end:
    do
    :: drain_one(0)
#if NCPUS > 1
    :: drain_one(1)
#endif
#if NCPUS > 2
    :: drain_one(2)
#endif
#if NCPUS > 3
    :: drain_one(3)
#endif
    od
}
