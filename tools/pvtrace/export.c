/* The exports' common ground: see export.h. */
#include "tools/pvtrace/export.h"

#include <errno.h>
#include <string.h>
#include <public/xen.h>

/* --- The writer ---------------------------------------------------------------------------------------------------- */
void writer_flush(struct writer *w)
{
    if (w->error == 0 && w->len > 0 && fwrite(w->buf, 1, w->len, w->file) != w->len)
        w->error = errno ? errno : EIO;
    if (w->error == 0 && fflush(w->file) != 0)
        w->error = errno ? errno : EIO;
    w->len = 0;
}

int writer_end(struct writer *w, const char *what)
{
    writer_flush(w);
    if (w->error == 0)
        return 0;
    fprintf(stderr, "pvtrace: %s: cannot write: %s\n", what, strerror(w->error));
    return 1;
}

void write_bytes(struct writer *w, const char *s, size_t len)
{
    while (len > sizeof(w->buf) - w->len) {
        size_t room = sizeof(w->buf) - w->len;
        memcpy(w->buf + w->len, s, room);
        w->len += room;
        s += room;
        len -= room;
        writer_flush(w);
    }
    memcpy(w->buf + w->len, s, len);
    w->len += len;
}

void write_string(struct writer *w, const char *s)
{
    write_bytes(w, s, strlen(s));
}

void write_char(struct writer *w, char c)
{
    if (w->len == sizeof(w->buf))
        writer_flush(w);
    w->buf[w->len++] = c;
}

static void write_digits(struct writer *w, uint64_t n, unsigned base, unsigned least)
{
    char digits[24];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n != 0 || sizeof(digits) - at < least);
    write_bytes(w, digits + at, sizeof(digits) - at);
}

void write_unsigned(struct writer *w, uint64_t n)
{
    write_digits(w, n, 10, 1);
}

static uint64_t write_sign(struct writer *w, int64_t n)
{
    if (n >= 0)
        return (uint64_t)n;
    write_char(w, '-');
    return 0 - (uint64_t)n;
}

void write_signed(struct writer *w, int64_t n)
{
    write_digits(w, write_sign(w, n), 10, 1);
}

void write_hex(struct writer *w, uint64_t n)
{
    write_bytes(w, "0x", 2);
    write_digits(w, n, 16, 1);
}

void write_fixed(struct writer *w, int64_t n, unsigned decimals)
{
    uint64_t one = 1, size = write_sign(w, n);
    for (unsigned i = 0; i < decimals; i++)
        one *= 10;
    write_digits(w, size / one, 10, 1);
    write_char(w, '.');
    write_digits(w, size % one, 10, decimals);
}

size_t utf8_length(const char *s, size_t len)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : u[0] < 0xf5 ? 4 : 0;
    if (n == 0 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    /* Longer than needed, a surrogate, above U+10FFFF: no characters. */
    if ((u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf0 && u[1] < 0x90) ||
        (u[0] == 0xf4 && u[1] > 0x8f))
        return 0;
    return n;
}

/* --- Time ---------------------------------------------------------------------------------------------------------- */
uint64_t clock_hz(const struct clock_info *c)
{
    return c->hz != 0 ? c->hz : ASSUMED_HZ;
}

int64_t clock_nanoseconds(const struct clock_info *c, uint64_t tsc)
{
    const uint64_t giga = 1000000000;
    uint64_t hz = clock_hz(c), ticks = tsc >= c->zero ? tsc - c->zero : c->zero - tsc;
    uint64_t seconds = ticks / hz, rest = ticks % hz;
    if (seconds >= INT64_MAX / giga)
        return tsc >= c->zero ? INT64_MAX : -INT64_MAX;
    uint64_t part = rest <= UINT64_MAX / giga ? rest * giga / hz        /* the usual case, and a fast one */
                                              : (uint64_t)((unsigned __int128)rest * giga / hz);
    int64_t ns = (int64_t)(seconds * giga + part);
    return tsc >= c->zero ? ns : -ns;
}

int64_t clock_nanoseconds_between(const struct clock_info *c, uint64_t from, uint64_t to)
{
    int64_t ns;
    if (__builtin_sub_overflow(clock_nanoseconds(c, to), clock_nanoseconds(c, from), &ns))
        return to >= from ? INT64_MAX : -INT64_MAX;
    return ns;
}

/* --- Calls --------------------------------------------------------------------------------------------------------- */
uint64_t call_start(const struct item *item)
{
    const struct call *c = item->call;
    if (c->began)
        return c->start;
    return c->returned && c->ticks <= c->end ? c->end - c->ticks : item->tsc;
}

bool call_result_means(const struct call *c)
{
    return c->returned && c->nr != __HYPERVISOR_iret;
}

const char *hypercall_label(uint32_t nr, struct label *buf)
{
    const char *name = hypercall_name(nr);
    if (name != NULL)
        return name;
    snprintf(buf->s, sizeof(buf->s), "hypercall_%u", nr);
    return buf->s;
}

/* --- Items --------------------------------------------------------------------------------------------------------- */
const char *const item_kind_names[NR_ITEM_KINDS] = {
    [ITEM_CALL_BEGIN] = "hypercall",
    [ITEM_CALL_END]   = "hypercall",
    [ITEM_TRAP]       = "trap",
    [ITEM_PTWR]       = "ptwr",
    [ITEM_EMULATED]   = "emulated",
    [ITEM_SEND]       = "send",
    [ITEM_UPCALL]     = "upcall",
    [ITEM_RUNSTATE]   = "runstate",
    [ITEM_SCHED]      = "sched",
    [ITEM_DOMAIN]     = "domain",
    [ITEM_MEM]        = "mem",
    [ITEM_LOST]       = "lost",
    [ITEM_COUNTER]    = "counter",
    [ITEM_CLASSES]    = "classes",
    [ITEM_OTHER]      = "other",
};
const char *const runstate_names[4] = { "running", "runnable", "blocked", "offline" };

static const struct {
    uint32_t event;
    const char *name;
} record_names[] = {
    { TRC_SCHED_CONTINUE_RUNNING,  "continue running"     },
    { TRC_SCHED_DOM_ADD,           "domain added"         },
    { TRC_SCHED_DOM_REM,           "domain removed"       },
    { TRC_SCHED_SLEEP,             "sleep"                },
    { TRC_SCHED_WAKE,              "wake"                 },
    { TRC_SCHED_YIELD,             "yield"                },
    { TRC_SCHED_BLOCK,             "block"                },
    { TRC_SCHED_SHUTDOWN,          "shutdown"             },
    { TRC_SCHED_SHUTDOWN_CODE,     "shutdown code"        },
    { TRC_SCHED_SWITCH,            "switch"               },
    { TRC_SCHED_SWITCH_INFPREV,    "switch from"          },
    { TRC_SCHED_SWITCH_INFNEXT,    "switch to"            },
    { TRC_SCHED_SWITCH_INFCONT,    "switch: goes on"      },
    { TRC_MEM_PAGE_GRANT_MAP,      "grant map"            },
    { TRC_MEM_PAGE_GRANT_UNMAP,    "grant unmap"          },
    { TRC_MEM_PAGE_GRANT_TRANSFER, "grant transfer"       },
    { TRC_MEM_SET_P2M_ENTRY,       "p2m entry"            },
    { TRC_MEM_DECREASE_RESERVATION, "decrease reservation" },
};

static const char *record_label(uint32_t event, struct label *buf)
{
    for (size_t i = 0; i < sizeof(record_names) / sizeof(record_names[0]); i++)
        if (record_names[i].event == event)
            return record_names[i].name;
    snprintf(buf->s, sizeof(buf->s), "record 0x%08x", event);
    return buf->s;
}

/* What a decoded text begins with: "#PF" of "#PF write ...", "mov" of "mov %cr3,%rax". */
static const char *first_word(const struct item *item, void (*decode)(struct text *, const struct item *),
                              struct label *buf)
{
    char line[256];
    struct text t = { .buf = line, .size = sizeof(line) };
    size_t n = 0;
    decode(&t, item);
    while (n < t.len && n < sizeof(buf->s) - 1 && line[n] > ' ' && line[n] != ':')
        n++;
    memcpy(buf->s, line, n);
    buf->s[n] = '\0';
    return n > 0 ? buf->s : item_kind_names[item->kind];
}

const char *item_label(const struct item *item, struct label *buf)
{
    static const char *const sends[] = { "port", "virq", "ipi", "xen" };
    static const char *const domains[] = { "built", "ended", "crashed" };
    unsigned how;
    switch (item->kind) {
    case ITEM_TRAP:
        return first_word(item, decode_trap, buf);
    case ITEM_EMULATED:
        return first_word(item, decode_instruction, buf);
    case ITEM_SEND:
        how = (unsigned)item->send.how;
        return how < 4 ? sends[how] : "send";
    case ITEM_RUNSTATE:
        return item->runstate.to < 4 ? runstate_names[item->runstate.to] : "runstate";
    case ITEM_SCHED:
        return record_label(item->sched.event, buf);
    case ITEM_DOMAIN:
        how = (unsigned)item->domain.what;
        return how < 3 ? domains[how] : "domain";
    case ITEM_MEM:
        return record_label(item->mem.event, buf);
    case ITEM_COUNTER:
        return hypercall_label(item->counter.nr, buf);
    case ITEM_OTHER:
        return record_label(item->rec->event, buf);
    default:
        return item_kind_names[item->kind];
    }
}

const struct text *item_details(struct details *d, const struct item *item)
{
    d->t = (struct text){ .buf = d->buf, .size = sizeof(d->buf) };
    decode_item(&d->t, item);
    return &d->t;
}

const struct text *call_details(struct details *d, const struct call *c)
{
    d->t = (struct text){ .buf = d->buf, .size = sizeof(d->buf) };
    decode_arguments(&d->t, c);
    return &d->t;
}

const struct text *outcome_details(struct details *d, const struct call *c)
{
    d->t = (struct text){ .buf = d->buf, .size = sizeof(d->buf) };
    if (!call_result_means(c))
        return &d->t;
    decode_result(&d->t, c);
    if (d->t.len >= 3 && memcmp(d->buf, " = ", 3) == 0) {
        d->t.len -= 3;
        memmove(d->buf, d->buf + 3, d->t.len);
    }
    return &d->t;
}

const struct text *classes_details(struct details *d, uint32_t classes)
{
    static const char *const names[] = {
#define X(name, word, help) word,
        TRACE_CLASSES(X)
#undef X
    };
    d->t = (struct text){ .buf = d->buf, .size = sizeof(d->buf) };
    for (unsigned i = 0; i < NR_TRACE_CLASSES; i++)
        if (classes >> i & 1) {
            text_put(&d->t, ",", d->t.len > 0);
            text_put(&d->t, names[i], strlen(names[i]));
        }
    return &d->t;
}
