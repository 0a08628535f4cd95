/* pvtrace: reads traces of PV guests. The stages, each with its own files:
 *
 *   source.c    bytes to records: a file, a pipe, or the ring in a running machine's RAM
 *   model.c     records to items: calls with arguments, contents and results; traps, events, ...
 *   filter.c    which items the user wants (-e, -p)
 *   decode.c    the names of arguments, structures, page-table entries, errnos
 *   symbols.c   the names of addresses
 *   outputs     one consumer each: text.c (the lines), summary.c (-c), json.c, ctf.c, csv.c, svg.c;
 *               diff.c reads two traces
 *
 * What several of them need stands once: write.c (text), clock.c (time), words.c (names), model.c
 * (the table of vCPUs), account.c and rows.c (calls and time, added up).
 *
 * Memory is constant: nothing grows with the length of the trace, only with the number of domains
 * and vCPUs (bounded) and of distinct names counted. */
#ifndef PVTRACE_H
#define PVTRACE_H

#include <err.h>
#include <stdlib.h>

#include "common/trace_format.h"
#include "tools/pvtrace/write.h"

/* --- Of every part ---------------------------------------------------------------------------- */
#define EXIT_DAMAGED 1              /* the input was; what could be read of it was shown */
#define EXIT_TROUBLE 2              /* usage, a file that cannot be opened or written, no memory */

static inline void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (p == NULL)
        errx(EXIT_TROUBLE, "out of memory");
    return p;
}

/* --- source.c --------------------------------------------------------------------------------- */
#define MAX_CPUS 4096u          /* every record's cpu is below */

struct record {
    uint64_t offset;            /* of its header word in the input */
    uint64_t tsc;               /* its own, or that of the record before it on this CPU */
    uint32_t event;             /* TRC_* with all its bits, 28 of them */
    uint16_t cpu;
    uint8_t n;                  /* words */
    bool has_tsc;
    uint32_t w[TRACE_EXTRA_MAX];    /* 0 from n on */
};

struct source;

struct source_options {
    bool ram;                   /* path is a machine's memory file (see trace_format.h) */
    uint64_t at;                /* RAM: where the hypervisor said its header is; 0: look for it */
    bool follow;         /* wait for more at the end: until the trace has ended, or source_stop() */
    const char *save;           /* RAM or pipe: also write what is read to this file; NULL */
};

enum next {
    NEXT_END,                   /* of all, or nothing more can be read: see source_fault */
    NEXT_RECORD,
    NEXT_WAIT,                  /* nothing yet; only with follow, or from a pipe */
};

/* path "-" is standard input. NULL: it could not be opened; a line on standard error said why. */
struct source *source_open(const char *path, const struct source_options *options);
/* *r is the next record, in the order of the input. TRC_TRACE_CPU_CHANGE and the like are delivered
 * too. What was lost in RAM comes as TRC_LOST_RECORDS. */
enum next source_next(struct source *s, struct record *r);
/* What is wrong with the input, e.g. "offset 4711: a record of 9 words in a window of 8 bytes";
 * NULL: nothing. */
const char *source_fault(const struct source *s);
void source_stop(void);         /* from a signal handler: read what is there, then end */
void source_close(struct source *s);

/* --- model.c ---------------------------------------------------------------------------------- */
#define MAX_COPIES 512u         /* of one call; more are dropped and `dropped` says so */
#define MAX_COPY_BYTES 16384u
#define MAX_SENT 8u             /* events of which is kept where they went */

struct copy {
    uint64_t va;
    uint32_t len;
    uint32_t at;                /* in call->bytes */
    bool out;                   /* written by the hypervisor, not read */
    bool cut;                   /* more bytes followed that were not recorded */
};

struct vcpu_id {
    uint16_t domid, vcpu;
};
#define DOMID_NOBODY 32767u     /* the idle vCPUs */
#define DOMID_UNKNOWN 32768u

static inline bool same_vcpu(struct vcpu_id a, struct vcpu_id b)
{
    return a.domid == b.domid && a.vcpu == b.vcpu;
}

static inline struct vcpu_id vcpu_word(uint32_t word)
{
    return (struct vcpu_id){ .domid = (uint16_t)(word >> 16), .vcpu = (uint16_t)word };
}

struct call {
    struct vcpu_id v;
    uint32_t nr;                /* hypercall number */
    uint8_t depth;              /* 0; 1: a member of a multicall */
    uint8_t known;              /* bit i: args[i] is known */
    uint16_t cpu;               /* where it began, or, if that is not known, ended */
    bool began, returned;       /* false: the trace does not have that end of it */
    uint64_t args[6];
    uint64_t start;             /* TSC */
    uint64_t end;               /* TSC, when returned */
    uint64_t ticks;             /* what it took, when returned */
    int64_t result;
    unsigned nr_copies, nr_bytes;
    bool dropped;
    bool shown;                 /* text.c's: its beginning was printed as unfinished */
    unsigned nr_sent;           /* events that it sent since a member of it began or ended */
    struct vcpu_id sent[MAX_SENT];
    struct copy copies[MAX_COPIES];
    uint8_t bytes[MAX_COPY_BYTES];
};

enum item_kind {
    ITEM_CALL_BEGIN,            /* call; args known; it stays where it is and fills until its END */
    ITEM_CALL_END,              /* call, complete */
    ITEM_TRAP,                  /* trap: given to the guest; vector 14 is a page fault */
    ITEM_PTWR,                  /* ptwr: a store to a page table was emulated */
    ITEM_EMULATED,              /* emulated: a privileged instruction, or forced CPUID */
    ITEM_SEND,                  /* send: an event made pending; v is who ran */
    ITEM_UPCALL,                /* rip: v enters its event callback */
    ITEM_RUNSTATE,              /* runstate of v changes */
    ITEM_MIGRATED,              /* migrated: v goes on on another CPU than before */
    ITEM_SCHED,                 /* other scheduler records: sched */
    ITEM_DOMAIN,                /* domain: built, ended, crashed */
    ITEM_MEM,                   /* mem: grant map or unmap, memory given back */
    ITEM_LOST,                  /* lost: that many records are missing here */
    ITEM_COUNTER,               /* counter: the hypervisor's own count of a hypercall */
    ITEM_CLASSES,               /* classes: what is recorded from here on */
    ITEM_OTHER,                 /* rec: a record this program has no name for */
    NR_ITEM_KINDS
};

struct item {
    enum item_kind kind;
    struct vcpu_id v;           /* who ran; domid 32767: nobody (the idle vCPU); 32768: not known */
    uint16_t cpu;
    uint64_t tsc;
    const struct record *rec;   /* the record that completed it */
    union {
        struct call *call;
        struct { uint64_t rip, va; uint32_t vector, code; bool has_code; } trap;
        struct { uint64_t pte, va, rip; } ptwr;
        struct { uint64_t rip; uint8_t len; bool forced; uint8_t bytes[16]; } emulated;
        /* by: the youngest open call of v, NULL: none; its `sent` does not have this event yet */
        struct {
            enum trace_send how;
            uint32_t from, port;
            struct vcpu_id to;
            struct call *by;
        } send;
        struct { uint64_t rip; } upcall;
        /* 0 running 1 runnable 2 blocked 3 offline */
        struct { struct vcpu_id who; uint8_t from, to; } runstate;
        struct { uint16_t from; } migrated;     /* the CPU where it ran before */
        struct { uint32_t event; } sched;                             /* its words are in rec */
        struct { uint16_t domid; enum trace_domain what; char name[21]; } domain;
        struct { uint32_t event; uint16_t domid; } mem;
        struct { uint64_t records; } lost;
        struct { uint32_t nr; uint64_t count; } counter;
        struct { uint32_t classes; } classes;
    };
};

struct model;
typedef void (*item_fn)(void *state, const struct item *item);

struct model *model_new(item_fn fn, void *state);
void model_record(struct model *m, const struct record *r);
/* the calls that never returned come as ITEM_CALL_END with returned false */
void model_end(struct model *m);
void model_free(struct model *m);
/* The clock of the trace, 0 until a CLOCK record was seen (then --hz or 2.4 GHz is assumed, as
 * Xen's readers do). */
struct clock_info {
    uint64_t hz, zero;
    bool known;
};
const struct clock_info *model_clock(const struct model *m);
/* The trace says that several CPUs write it, or records of several have come. */
bool model_several_cpus(const struct model *m);
const char *model_domain_name(const struct model *m, uint16_t domid);   /* "": not known */

/* The one table of vCPUs: a place for each, an index for arrays of state. Any input can only fill
 * it, not grow it: a vCPU for which there is no place is given another's, so a state says whose it
 * is. A new model begins with a free table. */
#define VCPU_PLACES 1024u
unsigned vcpu_place(struct vcpu_id v);

/* --- clock.c ---------------------------------------------------------------------------------- */
uint64_t clock_hz(const struct clock_info *c);
int64_t clock_ns(const struct clock_info *c, uint64_t ticks);           /* rounded down */
/* System time of a TSC, in nanoseconds. Never rounds up, so that what nests in ticks nests in it
 * too. */
int64_t clock_time(const struct clock_info *c, uint64_t tsc);
int64_t clock_between(const struct clock_info *c, uint64_t from, uint64_t to);
double ticks_to_seconds(const struct clock_info *c, uint64_t ticks);
/* 1.234 us */
void text_took(struct text *t, const struct clock_info *c, bool instructions, uint64_t ticks);

/* --- filter.c --------------------------------------------------------------------------------- */
struct filter;                  /* zero: everything is wanted */
/* expr: strace's: [trace=]name[,name...], or with ! before it. Names: classes of TRACE_CLASSES;
 * hypercalls by name with their sub-operations (sched_op, SCHEDOP_block); sets: mmu, event, grant,
 * memory, sched, time, vcpu, desc, console; "all". NULL: unknown; said on stderr with what is
 * known. Several are and-ed, each -e in turn, as strace does. */
bool filter_expression(struct filter *f, const char *expr);
/* d1, d1v0, 1, or a name; several are or-ed */
bool filter_guest(struct filter *f, const char *guest);
/* "0", "1,4-7": calls that began on these CPUs, and what else happened there */
bool filter_cpus(struct filter *f, const char *list);
bool filter_wants(const struct filter *f, const struct item *item, const struct model *m);
/* Does -p let this vCPU through, whatever -e says? */
bool filter_wants_guest(const struct filter *f, struct vcpu_id v, const struct model *m);

/* --- decode.c, structs.c ---------------------------------------------------------------------- */
struct decode_options {
    bool raw;                   /* --raw: numbers as they are, no names */
    unsigned max_items;         /* of an array; more are "..."; -v: all */
    unsigned max_string;        /* bytes of console text, -s */
};
extern struct decode_options decode_options;

/* The sub-operation that a call asks for, "EVTCHNOP_send"; NULL: it has none. */
const char *call_operation(const struct call *c);
/* "(arguments)" of a call with what they point to, e.g. ([{PT_UPDATE ptr=0x7f3010
 * val=0x1c63|RW|A}], 1, NULL, DOMID_SELF) */
void decode_arguments(struct text *t, const struct call *c);
/* Of a call that returned and is no iret: "-22 EINVAL"; what was written back, "0 {port=5}" */
void decode_outcome(struct text *t, const struct call *c);
/* " = " and that; " = ?"; nothing of an iret, of which a result would be the guest's own rax */
void decode_result(struct text *t, const struct call *c);
bool call_has_result(const struct call *c);             /* it returned, and is no iret */
bool call_failed(const struct call *c);                 /* with an errno */
const char *call_error(const struct call *c);           /* "EINVAL"; NULL: none */
void decode_pte(struct text *t, uint64_t pte);          /* mfn and flags: 0x1c63|P|RW|A|D */
void decode_trap(struct text *t, const struct item *item);          /* #PF write user va=... */
void decode_instruction(struct text *t, const struct item *item);   /* mov %cr3,%rax */
void decode_address(struct text *t, uint64_t va);    /* 0x..., or <symbol+0x12> where it is known */
/* The line about an item that is not a call, without time and vCPU. */
void decode_item(struct text *t, const struct item *item);

/* --- symbols.c, kallsyms.c -------------------------------------------------------------------- */
bool symbols_load(const char *path);                    /* false: said why */
/* The symbol at or before va, and the distance; NULL: none near. */
const char *symbol_at(uint64_t va, uint64_t *distance);

#define MAX_SYMBOL_NAME 255u            /* longer ones are cut */

/* By nm's letter for what it is, of which some (absolute, undefined) are no places: not added.
 * name need not end with a NUL. */
void symbol_add_kind(uint64_t va, char kind, const char *name, size_t len);
/* Are there such tables in these bytes? Then their symbols are added. */
bool symbols_from_kallsyms(const uint8_t *image, size_t size);

/* --- outputs ---------------------------------------------------------------------------------- */
enum time_style { TIME_SYSTEM, TIME_RELATIVE, TIME_DELTA, TIME_TICKS, TIME_NONE };
enum sort_order { SORT_TIME, SORT_CALLS, SORT_ERRORS, SORT_NAME };

struct output_options {
    FILE *out;
    const char *directory;      /* CTF's */
    enum time_style times;
    bool show_took;             /* <...> after each call */
    bool instructions;  /* a tick is an instruction (QEMU -icount shift=0): say insn, not seconds */
    bool colour;
    enum sort_order sort;       /* of the summary */
    const struct filter *filter;
    const char *file;           /* name of the input, for titles */
};

struct output;
/* What an output is made of. item() comes for all items that the filter lets through, and for
 * ITEM_DOMAIN, ITEM_LOST, ITEM_COUNTER, ITEM_CLASSES and ITEM_RUNSTATE always. end() writes the
 * rest; status for exit: 0, or 1 said why. */
struct output_type {
    const char *name;
    void *(*open)(const struct output_options *o, struct model *m);
    void (*item)(void *state, const struct item *item);
    void (*idle)(void *state);          /* nothing more for now: flush; NULL: fflush(out) */
    int (*end)(void *state);            /* also frees */
    bool unfiltered;                    /* gets every item, and asks the filter itself */
};
extern const struct output_type text_output, summary_output, json_output, ctf_output, csv_output,
    svg_output;

/* Compares two traces; 0: same, 1: they differ, 2: could not be read. */
int diff_files(const char *a, const char *b, const struct output_options *o);

#endif
