/* What the exports (json.c, ctf.c, csv.c) share: a buffered writer that formats numbers without printf, the trace's time
 * in integers, short names of items. Not for the outputs that people read: those are text.c and summary.c. */
#ifndef PVTRACE_EXPORT_H
#define PVTRACE_EXPORT_H

#include "tools/pvtrace/put.h"
#include "tools/pvtrace/pvtrace.h"

#define EXPORT_MAX_CPUS 256u        /* more are a foreign or a broken file: what they recorded is left out, and said */
#define EXPORT_TEXT 16384u          /* of one decoded text; the rest is cut */

struct writer {
    FILE *file;
    size_t len;
    int error;                      /* errno of the first failure; nothing is written after it */
    char buf[1u << 16];
};

void write_bytes(struct writer *w, const char *s, size_t len);
void write_string(struct writer *w, const char *s);
void write_char(struct writer *w, char c);
void write_unsigned(struct writer *w, uint64_t n);
void write_signed(struct writer *w, int64_t n);
void write_hex(struct writer *w, uint64_t n);                         /* with 0x */
/* n units of which 10^decimals make one: write_fixed(w, 1234567, 3) is 1234.567 */
void write_fixed(struct writer *w, int64_t n, unsigned decimals);
void writer_flush(struct writer *w);
int writer_end(struct writer *w, const char *what);                 /* 0, or 1: said why on stderr */

/* How many bytes at s (len > 0 of them) are one character of UTF-8; 0: they are none. */
size_t utf8_length(const char *s, size_t len);

#define ASSUMED_HZ 2400000000ull    /* of a trace that has no CLOCK record, as Xen's readers do */
uint64_t clock_hz(const struct clock_info *c);
/* System time of a TSC, in nanoseconds. Never rounds up, so that what nests in ticks nests in it too. */
int64_t clock_nanoseconds(const struct clock_info *c, uint64_t tsc);
int64_t clock_nanoseconds_between(const struct clock_info *c, uint64_t from, uint64_t to);

/* When a call began, as far as the trace tells. */
uint64_t call_start(const struct item *item);
bool call_result_means(const struct call *c);       /* iret's is the guest's rax, no result */

struct label {
    char s[32];
};
/* "hypercall_77" where the number has no name */
const char *hypercall_label(uint32_t nr, struct label *buf);
extern const char *const item_kind_names[NR_ITEM_KINDS];
extern const char *const runstate_names[4];
/* One or two words for an item that is not a call: #PF, wake, port, built. */
const char *item_label(const struct item *item, struct label *buf);

/* The decoded text of an item or of a call's arguments, in a buffer that the next use overwrites. */
struct details {
    struct text t;
    char buf[EXPORT_TEXT];
};
const struct text *item_details(struct details *d, const struct item *item);
const struct text *call_details(struct details *d, const struct call *c);
const struct text *outcome_details(struct details *d, const struct call *c);    /* "-22 EINVAL"; empty: none */
const struct text *classes_details(struct details *d, uint32_t classes);        /* "hypercall,trap" */

#endif
