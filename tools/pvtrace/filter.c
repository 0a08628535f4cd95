/* What the user may say of items: -e (rules, all of which an item must pass), -p (guests, one of
 * which it must concern), -z and -Z (how a call ended). Whether an item passes is filter_match.c's.
 * Called by options.c. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/abi_names.h"
#include "common/compiler.h"
#include "tools/pvtrace/filter.h"

#define NR_OPERATIONS 128u          /* more than any hypercall has */
#define MAX_LENGTH 47u              /* of a name for which another may have been meant */

/* Words for items that are no calls, and for several things at once. */
static const struct {
    const char *name;
    uint32_t kinds;
    const char *members;
    bool every_call;
} words[] = {
    { "all", KIND_ALL, "", true },
    { "none", 0, "", false },
    { "hypercall", 0, "", true },
    { "args", 0, "", true },
    { "mmu", 0, "mmu_update,update_va_mapping,update_va_mapping_otherdomain,mmuext_op,ptwr",
      false },
    { "event", 0,
      "event_channel_op,event_channel_op_compat,set_callbacks,callback_op,nmi_op,send,upcall",
      false },
    { "grant", 0, "grant_table_op,grantmap", false },
    { "memory", 0, "memory_op,mem", false },
    { "sched", 0, "sched_op,sched_op_compat,switch,migrated", false },
    { "time", 0,
      "set_timer_op,VCPUOP_set_periodic_timer,VCPUOP_stop_periodic_timer,"
      "VCPUOP_set_singleshot_timer,VCPUOP_stop_singleshot_timer",
      false },
    { "vcpu", 0, "vcpu_op,stack_switch,fpu_taskswitch,set_segment_base", false },
    { "desc", 0,
      "set_trap_table,set_gdt,update_descriptor,set_debugreg,get_debugreg,MMUEXT_SET_LDT", false },
    { "console", 0, "console_io", false },
    { "emul", 0, "ptwr,emulated", false },
    { "trap", KIND(ITEM_TRAP), "", false },
    { "pf", KIND_PAGE_FAULT, "", false },
    { "ptwr", KIND(ITEM_PTWR), "", false },
    { "emulated", KIND(ITEM_EMULATED), "", false },
    { "send", KIND(ITEM_SEND), "", false },
    { "upcall", KIND(ITEM_UPCALL), "", false },
    { "switch", KIND(ITEM_SCHED), "", false },
    { "migrated", KIND(ITEM_MIGRATED), "", false },
    { "runstate", KIND(ITEM_RUNSTATE), "", false },
    { "mem", KIND(ITEM_MEM), "", false },
    { "grantmap", KIND_GRANT, "", false },
    { "counter", KIND(ITEM_COUNTER), "", false },
    { "other", KIND(ITEM_OTHER), "", false },
};

/* --- -e --------------------------------------------------------------------------------------- */
static bool is(const char *name, size_t len, const char *known)
{
    return known != NULL && strncasecmp(name, known, len) == 0 && known[len] == '\0';
}

static bool add_call(struct rule *r, const char *name, size_t len)
{
    for (uint32_t nr = 0; nr < ABI_HYPERCALLS; nr++) {
        if (is(name, len, abi_hypercall_name(nr))) {
            r->calls |= 1ull << nr;
            return true;
        }
        for (uint32_t op = 0; op < NR_OPERATIONS; op++)
            if (is(name, len, abi_operation_name(nr, op)) && r->nr_operations < MAX_OPERATIONS) {
                r->operations[r->nr_operations++] = abi_operation_name(nr, op);
                return true;
            }
    }
    return false;
}

/* The first name of the list that is not known; NULL: all are. */
static const char *add_list(struct rule *r, const char *list)
{
    for (size_t len; *list != '\0'; list += len + (list[len] == ',')) {
        unsigned i = 0;

        len = strcspn(list, ",");
        while (i < ARRAY_SIZE(words) && !is(list, len, words[i].name))
            i++;
        if (i == ARRAY_SIZE(words)) {
            if (!add_call(r, list, len))
                return list;
            continue;
        }
        r->kinds |= words[i].kinds;
        r->unnamed |= words[i].every_call;
        r->calls |= words[i].every_call ? UINT64_MAX : 0;
        add_list(r, words[i].members);
    }
    return NULL;
}

/* Names one after the other, with commas, as lines of some 100 characters. */
static void print_name(FILE *out, const char *name, unsigned *column)
{
    const char *between = *column == 0 ? "" : *column > 84 ? ",\n                " : ", ";

    if (name == NULL)
        return;
    fprintf(out, "%s%s", between, name);
    *column = (*column == 0 || *column > 84 ? 16 : *column) + (unsigned)strlen(name) + 2;
}

void filter_help(FILE *out)
{
    unsigned column = 0;

    fprintf(out, "known are:\n  sets, kinds   ");
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        print_name(out, words[i].name, &column);
    fprintf(out, "\n  how it ended  failed, status=failed, status=successful\n  hypercalls    ");
    column = 0;
    for (uint32_t nr = 0; nr < ABI_HYPERCALLS; nr++)
        print_name(out, abi_hypercall_name(nr), &column);
    fprintf(out, "\n  and their sub-operations, as EVTCHNOP_send or MMUEXT_PIN_L4_TABLE\n");
}

/* --- What was meant --------------------------------------------------------------------------- */
/* Edit distance, with a bound on the length of both: names are short. */
static unsigned distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned row[MAX_LENGTH + 1];

    if (la > MAX_LENGTH || lb > MAX_LENGTH)
        return MAX_LENGTH;
    for (unsigned j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned change = diagonal + (strncasecmp(a + i - 1, b + j - 1, 1) != 0),
                     above = row[j];

            row[j] = above + 1 < row[j - 1] + 1 ? above + 1 : row[j - 1] + 1;
            if (change < row[j])
                row[j] = change;
            diagonal = above;
        }
    }
    return row[lb];
}

static void closer(const char *name, const char *candidate, const char **best, unsigned *least)
{
    unsigned d = candidate != NULL ? distance(name, candidate) : MAX_LENGTH;

    if (d < *least) {
        *least = d;
        *best = candidate;
    }
}

/* The known name, of a hypercall or a sub-operation, that looks most like this one; NULL: nothing
 * close. */
static const char *closest_name(const char *name)
{
    unsigned least = (unsigned)strlen(name) / 3 + 1;
    const char *best = NULL;

    for (uint32_t nr = 0; nr < ABI_HYPERCALLS; nr++) {
        closer(name, abi_hypercall_name(nr), &best, &least);
        for (uint32_t op = 0; op < NR_OPERATIONS; op++)
            closer(name, abi_operation_name(nr, op), &best, &least);
    }
    return best;
}

static bool unknown_name(const char *list)
{
    char name[64];
    const char *close;

    snprintf(name, sizeof(name), "%.*s", (int)MIN(strcspn(list, ","), sizeof(name)), list);
    close = name[0] != '\0' ? closest_name(name) : NULL;
    fprintf(stderr, "pvtrace: -e: '%s' is no hypercall, sub-operation or set; ", name);
    if (close != NULL)
        fprintf(stderr, "did you mean '%s'? ", close);
    filter_help(stderr);
    return false;
}

static bool add_status(struct filter *f, const char *status)
{
    bool negative = *status == '!', failed = strcmp(status + negative, "failed") == 0;

    if (!failed && strcmp(status + negative, "successful") != 0) {
        warnx("-e status=%s: must be failed or successful", status);
        return false;
    }
    *(failed != negative ? &f->failed : &f->successful) = true;
    return true;
}

bool filter_expression(struct filter *f, const char *expr)
{
    bool negative = *expr == '!';
    const char *list = expr + negative, *unknown;
    struct rule *r = &f->rules[f->nr_rules];

    if (strcmp(list, "fault") == 0 || strcmp(list, "failed") == 0)
        return add_status(f, negative ? "successful" : "failed");
    if (strncmp(list, "status=", 7) == 0)
        return add_status(f, list + 7);
    if (strncmp(list, "trace=", 6) == 0)
        list += 6;
    if (*list == '!' && !negative) {
        negative = true;
        list++;
    }
    if (f->nr_rules == MAX_RULES) {
        warnx("more than %u times -e", MAX_RULES);
        return false;
    }
    *r = (struct rule){ .negative = negative };
    unknown = *list != '\0' ? add_list(r, list) : list;
    if (unknown != NULL)
        return unknown_name(unknown);
    if (!negative)
        f->named |= r->kinds;
    f->nr_rules++;
    return true;
}

/* --- -p --------------------------------------------------------------------------------------- */
/* The number at *s, which goes on behind it; -1: none there, or too large. */
static long number(const char **s)
{
    char *end;
    unsigned long n = strtoul(*s, &end, 10);

    if (**s < '0' || **s > '9' || n > UINT16_MAX)
        return -1;
    *s = end;
    return (long)n;
}

/* 1, d1, d1v0; anything else is a name. */
bool filter_guest(struct filter *f, const char *guest)
{
    const char *s = guest + (*guest == 'd');
    long domid = number(&s), vcpu = 0;
    bool any_vcpu = *s != 'v';

    if (f->nr_guests == MAX_GUESTS || *guest == '\0') {
        warnx("-p '%s': no name, or too many of them", guest);
        return false;
    }
    if (!any_vcpu) {
        s++;
        vcpu = number(&s);
    }
    f->guests[f->nr_guests++] = (struct guest){
        .name = domid < 0 || vcpu < 0 || *s != '\0' ? guest : NULL,
        .any_vcpu = any_vcpu, .v = { (uint16_t)domid, (uint16_t)vcpu },
    };
    return true;
}

/* --- --cpu ------------------------------------------------------------------------------------ */
bool filter_cpus(struct filter *f, const char *list)
{
    for (const char *s = list;; s++) {
        long first = number(&s), last = first;

        if (first >= 0 && *s == '-') {
            s++;
            last = number(&s);
        }
        if (first < 0 || last < first || last >= (long)MAX_CPUS || (*s != ',' && *s != '\0')) {
            warnx("--cpu '%s': must be numbers of CPUs, as 0 or 1,4-7", list);
            return false;
        }
        for (long i = first; i <= last; i++)
            f->cpus[i] = f->some_cpus = true;
        if (*s == '\0')
            return true;
    }
}
