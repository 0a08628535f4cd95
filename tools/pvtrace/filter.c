/* Owns what the user may say of items: -e (rules, all of which an item must pass), -p (guests, one of
 * which it must concern), -z and -Z (how a call ended). options.c passes the words; filter_match.c applies
 * what became of them. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/pvtrace/filter.h"
#include "tools/pvtrace/ops.h"

/* Words for items that are no calls, and for several things at once. */
static const struct {
    const char *name;
    uint32_t kinds;
} kinds[] = {
    { "trap",     KIND(ITEM_TRAP) },
    { "pf",       KIND_PAGE_FAULT },
    { "ptwr",     KIND(ITEM_PTWR) },
    { "emulated", KIND(ITEM_EMULATED) },
    { "send",     KIND(ITEM_SEND) },
    { "upcall",   KIND(ITEM_UPCALL) },
    { "switch",   KIND(ITEM_SCHED) },
    { "runstate", KIND(ITEM_RUNSTATE) },
    { "mem",      KIND(ITEM_MEM) },
    { "grantmap", KIND_GRANT },
    { "counter",  KIND(ITEM_COUNTER) },
    { "other",    KIND(ITEM_OTHER) },
};

static const struct {
    const char *name, *members;
} sets[] = {
    { "mmu", "mmu_update,update_va_mapping,update_va_mapping_otherdomain,mmuext_op,ptwr" },
    { "event", "event_channel_op,event_channel_op_compat,set_callbacks,callback_op,nmi_op,send,upcall" },
    { "grant", "grant_table_op,grantmap" },
    { "memory", "memory_op,mem" },
    { "sched", "sched_op,sched_op_compat,switch" },
    { "time", "set_timer_op,VCPUOP_set_periodic_timer,VCPUOP_stop_periodic_timer,VCPUOP_set_singleshot_timer,"
              "VCPUOP_stop_singleshot_timer" },
    { "vcpu", "vcpu_op,stack_switch,fpu_taskswitch,set_segment_base" },
    { "desc", "set_trap_table,set_gdt,update_descriptor,set_debugreg,get_debugreg,MMUEXT_SET_LDT" },
    { "console", "console_io" },
    { "emul", "ptwr,emulated" },
};

struct filter *filter_new(void)
{
    return calloc(1, sizeof(struct filter));
}

void filter_free(struct filter *f)
{
    free(f);
}

/* --- What the user says ----------------------------------------------------------------------------- */
static bool add_simple(struct rule *r, const char *name)
{
    if (strcasecmp(name, "none") == 0)
        return true;
    if (strcasecmp(name, "all") == 0 || strcasecmp(name, "hypercall") == 0 || strcasecmp(name, "args") == 0) {
        r->calls = UINT64_MAX;
        r->unnamed = true;
        if (strcasecmp(name, "all") == 0)
            r->kinds |= KIND_ALL;
        return true;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcasecmp(name, kinds[i].name) == 0) {
            r->kinds |= kinds[i].kinds;
            return true;
        }
    for (uint32_t nr = 0; nr < ABI_HYPERCALLS; nr++) {
        const char *known = hypercall_name(nr);

        if (known != NULL && strcasecmp(name, known) == 0) {
            r->calls |= 1ull << nr;
            return true;
        }
    }
    return false;
}

static bool add_operation(struct rule *r, const char *name)
{
    if (!operation_exists(name) || r->nr_operations == MAX_OPERATIONS || strlen(name) >= MAX_NAME)
        return false;
    strcpy(r->operations[r->nr_operations++], name);
    return true;
}

/* Calls add for each name of a list; false: it did not know *unknown, which the caller frees. */
static bool add_list(struct rule *r, const char *list, char **unknown, bool may_be_set);

static bool add_name(struct rule *r, const char *name, bool may_be_set)
{
    char *unknown;

    for (size_t i = 0; may_be_set && i < sizeof(sets) / sizeof(sets[0]); i++)
        if (strcasecmp(name, sets[i].name) == 0) {
            add_list(r, sets[i].members, &unknown, false);
            return true;
        }
    return add_simple(r, name) || add_operation(r, name);
}

static bool add_list(struct rule *r, const char *list, char **unknown, bool may_be_set)
{
    bool ok = true;

    while (ok && *list != '\0') {
        size_t len = strcspn(list, ",");
        char *name = strndup(list, len);

        ok = name != NULL && (add_name(r, name, may_be_set) || !may_be_set);
        if (ok)
            free(name);
        else
            *unknown = name;
        list += len + (list[len] == ',');
    }
    return ok;
}

void filter_help(FILE *out)
{
    fprintf(out, "known are:\n  sets          all, none, hypercall");
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
        fprintf(out, ", %s", sets[i].name);
    fprintf(out, "\n  not calls     ");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        fprintf(out, "%s%s", i == 0 ? "" : ", ", kinds[i].name);
    fprintf(out, "\n  how it ended  failed, status=failed, status=successful\n  hypercalls   ");
    for (uint32_t nr = 0, column = 0; nr < ABI_HYPERCALLS; nr++) {
        const char *name = hypercall_name(nr);

        if (name == NULL)
            continue;
        column += (uint32_t)strlen(name) + 1;
        fprintf(out, "%s%s", column > 90 ? "\n                " : " ", name);
        column = column > 90 ? (uint32_t)strlen(name) : column;
    }
    fprintf(out, "\n  and their sub-operations, as EVTCHNOP_send or MMUEXT_PIN_L4_TABLE\n");
}

static bool unknown_name(char *name)
{
    const char *close = name != NULL && *name != '\0' ? closest_name(name) : NULL;

    fprintf(stderr, "pvtrace: -e: '%s' is no hypercall, sub-operation or set; ", name != NULL ? name : "");
    if (close != NULL)
        fprintf(stderr, "did you mean '%s'? ", close);
    filter_help(stderr);
    free(name);
    return false;
}

static bool add_status(struct filter *f, const char *status)
{
    bool negative = *status == '!', failed = strcmp(status + negative, "failed") == 0;

    if (!failed && strcmp(status + negative, "successful") != 0) {
        fprintf(stderr, "pvtrace: -e status=%s: must be failed or successful\n", status);
        return false;
    }
    *(failed != negative ? &f->failed : &f->successful) = true;
    return true;
}

bool filter_expression(struct filter *f, const char *expr)
{
    bool negative = *expr == '!';
    const char *list = expr + negative;
    char *unknown = NULL;
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
        fprintf(stderr, "pvtrace: more than %u times -e\n", MAX_RULES);
        return false;
    }
    *r = (struct rule){ .negative = negative };
    if (*list == '\0' || !add_list(r, list, &unknown, true))
        return unknown_name(unknown);
    if (!negative)
        f->named |= r->kinds;
    f->nr_rules++;
    return true;
}

static bool number(const char **s, uint16_t *n)
{
    unsigned long value;
    char *end;

    if (**s < '0' || **s > '9')
        return false;
    value = strtoul(*s, &end, 10);
    if (value > UINT16_MAX)
        return false;
    *s = end;
    *n = (uint16_t)value;
    return true;
}

bool filter_guest(struct filter *f, const char *guest)
{
    struct guest *g = &f->guests[f->nr_guests];
    const char *s = guest + (*guest == 'd');
    bool is_number;

    if (f->nr_guests == MAX_GUESTS || strlen(guest) >= MAX_NAME || *guest == '\0') {
        fprintf(stderr, "pvtrace: -p '%s': no name, one too long, or too many of them\n", guest);
        return false;
    }
    *g = (struct guest){ .any_vcpu = true };
    is_number = number(&s, &g->v.domid);
    if (is_number && *s == 'v') {
        s++;
        g->any_vcpu = false;
        is_number = number(&s, &g->v.vcpu);
    }
    if (!is_number || *s != '\0')
        strcpy(g->name, guest);
    f->nr_guests++;
    return true;
}
