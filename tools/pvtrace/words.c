/* What things are called: see words.h. */
#include "tools/pvtrace/words.h"

#include <string.h>
#include <stdint.h>
#include <public/xen.h>

#include "tools/pvtrace/decode.h"

/* --- Calls and vCPUs -------------------------------------------------------------------------- */
const char *hypercall_label(uint32_t nr, struct label *buf)
{
    const char *name = abi_hypercall_name(nr);
    struct text t = TEXT(buf->s);

    if (name != NULL)
        return name;
    text_add(&t, "hypercall_%u", nr);
    return buf->s;
}

void text_hypercall(struct text *t, uint32_t nr)
{
    struct label buf;

    text_str(t, hypercall_label(nr, &buf));
}

void text_vcpu(struct text *t, struct vcpu_id v)
{
    if (v.domid == DOMID_NOBODY) {
        text_put(t, "idle", 4);
    } else if (v.domid >= DOMID_UNKNOWN) {
        text_put(t, "?", 1);
    } else {
        text_put(t, "d", 1);
        text_dec(t, v.domid);
        text_put(t, "v", 1);
        text_dec(t, v.vcpu);
    }
}

/* --- Records ---------------------------------------------------------------------------------- */
static const char *record_label(uint32_t event, struct label *buf)
{
    const char *label = record_words(event)->label;

    snprintf(buf->s, sizeof(buf->s), "record 0x%08x", event);
    return label != NULL ? label : buf->s;
}

static void put_words(struct text *t, const struct record *rec, const char *words)
{
    unsigned n = MIN(rec->n, TRACE_EXTRA_MAX), i = 0;

    for (; i < n && *words != '\0'; words++) {
        text_put(t, " ", 1);
        if (*words == '>') {
            text_str(t, "->");
        } else if (*words == 'v' && i + 1 < n) {
            text_vcpu(t, vcpu_word(rec->w[i] << 16 | (uint16_t)rec->w[i + 1]));
            i += 2;
        } else if (*words == 'w') {
            text_vcpu(t, vcpu_word(rec->w[i++]));
        } else if (*words == 'd') {
            print_domid(t, rec->w[i++]);
        } else {
            text_dec(t, rec->w[i++]);
        }
    }
    for (; i < n; i++) {
        text_put(t, " ", 1);
        text_hex(t, rec->w[i]);
    }
}

void text_record(struct text *t, const struct record *rec)
{
    const struct record_words *w = record_words(rec->event & ~TRC_64_FLAG);

    if (w->name != NULL && !decode_options.raw) {
        text_str(t, w->name);
        put_words(t, rec, w->words);
    } else {
        text_add(t, "record 0x%x", rec->event);
        put_words(t, rec, "");
    }
}

/* --- Items ------------------------------------------------------------------------------------ */
const char *const item_kind_names[NR_ITEM_KINDS] = {
    [ITEM_CALL_BEGIN] = "hypercall", [ITEM_CALL_END] = "hypercall", [ITEM_TRAP] = "trap",
    [ITEM_PTWR] = "ptwr",            [ITEM_EMULATED] = "emulated",  [ITEM_SEND] = "send",
    [ITEM_UPCALL] = "upcall",        [ITEM_RUNSTATE] = "runstate",  [ITEM_SCHED] = "sched",
    [ITEM_DOMAIN] = "domain",        [ITEM_MEM] = "mem",            [ITEM_LOST] = "lost",
    [ITEM_COUNTER] = "counter",      [ITEM_CLASSES] = "classes",    [ITEM_OTHER] = "other",
    [ITEM_MIGRATED] = "migrated",
};
const char *const runstate_names[4] = { "running", "runnable", "blocked", "offline" };
const char *const domain_states[3] = { "built", "ended", "crashed" };

void text_classes(struct text *t, uint32_t classes, const char *between)
{
    static const char *const names[NR_TRACE_CLASSES] = {
#define X(name, word, help) [TRACE_##name##_BIT] = word,
        TRACE_CLASSES(X)
#undef X
    };
    const char *separator = "";

    for (unsigned i = 0; i < NR_TRACE_CLASSES; i++)
        if (classes >> i & 1) {
            text_add(t, "%s%s", separator, names[i]);
            separator = between;
        }
    if (classes >> NR_TRACE_CLASSES != 0)
        text_add(t, "%s0x%x", separator, classes >> NR_TRACE_CLASSES << NR_TRACE_CLASSES);
}

/* What a decoded text begins with: "#PF" of "#PF write ...", "mov" of "mov %cr3,%rax". */
static const char *first_word(const struct item *item,
                              void (*decode)(struct text *, const struct item *), struct label *buf)
{
    char line[256];
    struct text t = TEXT(line);
    size_t n = 0;

    decode(&t, item);
    while (n < t.len && n < sizeof(buf->s) - 1 && line[n] > ' ' && line[n] != ':')
        n++;
    memcpy(buf->s, line, n);
    buf->s[n] = '\0';
    return n > 0 ? buf->s : item_kind_names[item->kind];
}

static const char *nth(const char *const names[], unsigned nr, unsigned i, const struct item *item)
{
    return i < nr ? names[i] : item_kind_names[item->kind];
}

const char *item_label(const struct item *item, struct label *buf)
{
    static const char *const sends[] = { "port", "virq", "ipi", "xen" };

    switch (item->kind) {
    case ITEM_TRAP: return first_word(item, decode_trap, buf);
    case ITEM_EMULATED: return first_word(item, decode_instruction, buf);
    case ITEM_SCHED: return record_label(item->sched.event, buf);
    case ITEM_MEM: return record_label(item->mem.event, buf);
    case ITEM_OTHER: return record_label(item->rec->event, buf);
    case ITEM_COUNTER: return hypercall_label(item->counter.nr, buf);
    case ITEM_SEND: return nth(sends, ARRAY_SIZE(sends), item->send.how, item);
    case ITEM_RUNSTATE:
        return nth(runstate_names, ARRAY_SIZE(runstate_names), item->runstate.to, item);
    case ITEM_DOMAIN: return nth(domain_states, ARRAY_SIZE(domain_states), item->domain.what, item);
    default: return item_kind_names[item->kind];
    }
}
