/* How a call's arguments and its result are written: each argument by its kind, a letter of
 * common/abi.def's; of the result the number, its errno, and what the call wrote back. Called by
 * the outputs. */
#include <string.h>

#include "tools/pvtrace/decode.h"

#include <public/xen.h>
#include <public/event_channel.h>
#include <public/memory.h>
#include <public/physdev.h>
#include <public/sched.h>
#include <public/version.h>

struct decode_options decode_options = { .max_items = 8, .max_string = 80 };

bool argument_known(const struct call *c, unsigned i)
{
    return c->known >> i & 1;
}

uint64_t argument_count(const struct call *c, unsigned i)
{
    return argument_known(c, i) ? (uint32_t)c->args[i] : 0;
}

/* The sub-operation's number; false: there is none, or it is not known. */
static bool operation_number(const struct call *c, uint64_t *op)
{
    char kind = abi_argument_kinds(c->nr)[0];

    if (!argument_known(c, 0))
        return false;
    if (kind == 'o') {
        *op = (uint32_t)c->args[0];
        return true;
    }
    return (kind == 'E' || kind == 'Y' || kind == 'M') && read_number(c, IN, c->args[0], 4, op);
}

/* Of a list of mmuext operations, the first: most lists have no other. */
const char *call_operation(const struct call *c)
{
    uint64_t op;

    return operation_number(c, &op) ? abi_operation_name(c->nr, op) : NULL;
}

/* --- What an argument points to --------------------------------------------------------------- */
static bool console_text(struct text *t, const struct call *c, unsigned i, enum side side)
{
    uint64_t written = c->result > 0 ? (uint64_t)c->result : 0;
    uint64_t len = side == IN ? argument_count(c, i - 1) : written;
    char buf[1024];
    size_t known = read_memory(c, side, c->args[i], buf, MIN(len, sizeof(buf)));

    if (known > 0)
        print_string(t, buf, known, len);
    return known > 0;
}

/* As far as that side of the call knows it; false: nothing of it, and nothing printed. */
static bool print_contents(struct text *t, const struct call *c, unsigned i, char kind,
                           enum side side)
{
    uint64_t op, va = c->args[i], count = argument_count(c, i + 1);
    const struct layout *l = operation_number(c, &op) ? operation_layout(c->nr, op) : NULL;

    if (kind == 's')
        return console_text(t, c, i, side);
    if (kind == 'P') {
        if (side == IN || !read_number(c, OUT, va, sizeof(unsigned), &count))
            return false;
        text_add(t, "{done=%lu}", count);
        return true;
    }
    if (l == NULL || va == 0)
        return false;
    if (kind == 'A')
        return count != 0 && print_array(t, c, l, va, count, side);
    va += kind == 'E'   ? offsetof(struct evtchn_op, u)
          : kind == 'Y' ? offsetof(struct physdev_op, u)
                        : 0;
    return print_layout(t, c, l, va, side);
}

static void argument_pointed(struct text *t, const struct call *c, unsigned i, char kind)
{
    if (!print_contents(t, c, i, kind, IN))
        text_pointer(t, c->args[i]);
}

/* {EVTCHNOP_send {port=5}}: the operation's number, then its structure in a union. */
static void argument_compat(struct text *t, const struct call *c, unsigned i, char kind)
{
    size_t here;
    uint64_t op;

    if (!operation_number(c, &op)) {
        text_pointer(t, c->args[i]);
        return;
    }
    text_put(t, "{", 1);
    text_name(t, abi_operation_name(c->nr, op), op);
    here = t->len;
    text_put(t, " ", 1);
    if (!print_contents(t, c, i, kind, IN))
        text_cut(t, here);
    text_put(t, "}", 1);
}

/* The frame lies at the guest's stack pointer, which no record tells: at the lowest address that
 * the call read. */
static void print_iret_frame(struct text *t, const struct call *c)
{
    uint64_t lowest = UINT64_MAX;

    for (unsigned n = 0; n < MIN(c->nr_copies, MAX_COPIES); n++)
        if (!c->copies[n].out)
            lowest = MIN(lowest, c->copies[n].va);
    if (lowest != UINT64_MAX)
        print_layout(t, c, &layout_iret_context, lowest, IN);
}

/* --- Arguments -------------------------------------------------------------------------------- */
static void print_deadline(struct text *t, uint64_t value)
{
    if ((int64_t)value < 0)
        text_int(t, (int64_t)value);
    else
        text_seconds(t, value);
}

static void print_compat_reason(struct text *t, const struct call *c, uint64_t value)
{
    if (argument_known(c, 0) && (uint32_t)c->args[0] == SCHEDOP_shutdown)
        print_enum(t, &names_shutdown_reasons, (uint32_t)value);
    else
        text_pointer(t, value);
}

static void print_argument(struct text *t, const struct call *c, unsigned i, char kind)
{
    uint64_t value = c->args[i];
    uint32_t number = (uint32_t)value;

    switch (kind) {
    case 'p': text_pointer(t, value); break;
    case 'u': text_dec(t, number); break;
    case 'o': text_name(t, abi_operation_name(c->nr, number), number); break;
    case 'D': print_domid(t, number); break;
    case 'c': decode_address(t, value); break;
    case 'a': print_enum(t, &names_assist_types, number); break;
    case 't': print_deadline(t, value); break;
    case 'R': print_compat_reason(t, c, value); break;
    case 'e': decode_pte(t, value); break;
    case 'f': print_uvm_flags(t, c, value); break;
    case 'v': print_descriptor(t, value); break;
    case 'P': case 'S': case 'A': case 's': argument_pointed(t, c, i, kind); break;
    case 'E': case 'Y': argument_compat(t, c, i, kind); break;
    case 'm': case 'M': case 'g': case 'T': argument_list(t, c, i, kind); break;
    default: text_hex(t, value); break;
    }
}

void decode_arguments(struct text *t, const struct call *c)
{
    const char *kinds = abi_argument_kinds(c->nr);

    text_put(t, "(", 1);
    for (unsigned i = 0; kinds[i] != '\0'; i++) {
        if (!argument_known(c, i) && abi_hypercall_name(c->nr) == NULL)
            break;                      /* nobody knows how many it has */
        if (i != 0)
            text_put(t, ", ", 2);
        if (kinds[i] == 'I') {          /* no argument */
            if (!decode_options.raw)
                print_iret_frame(t, c);
        } else if (!argument_known(c, i)) {
            text_put(t, "?", 1);
        } else {
            print_argument(t, c, i, decode_options.raw ? 'x' : kinds[i]);
        }
    }
    text_put(t, ")", 1);
}

/* --- The result ------------------------------------------------------------------------------- */
/* iret gives back the guest's own rax. */
bool call_has_result(const struct call *c)
{
    return c->returned && c->nr != __HYPERVISOR_iret;
}

bool call_failed(const struct call *c)
{
    return call_has_result(c) && c->result < 0 && c->result >= -4095;
}

const char *call_error(const struct call *c)
{
    return call_failed(c) ? abi_errno_name((unsigned)-c->result) : NULL;
}

static void print_value(struct text *t, const struct call *c)
{
    uint64_t op = UINT64_MAX, value = (uint64_t)c->result;
    bool memory = c->nr == __HYPERVISOR_memory_op;

    operation_number(c, &op);
    if (decode_options.raw || call_failed(c))
        text_int(t, c->result);
    else if (c->nr == __HYPERVISOR_xen_version && op == XENVER_version)
        text_add(t, "%lu.%lu", value >> 16, value & 0xffff);
    else if (c->nr == __HYPERVISOR_get_debugreg ||
             (memory && (op == XENMEM_maximum_ram_page || op == XENMEM_maximum_gpfn)))
        text_hex(t, value);
    else
        text_int(t, c->result);
}

void decode_outcome(struct text *t, const struct call *c)
{
    const char *kinds = abi_argument_kinds(c->nr), *name = call_error(c);

    print_value(t, c);
    if (decode_options.raw)
        return;
    if (name != NULL)
        text_add(t, " %s", name);
    for (unsigned i = 0; kinds[i] != '\0'; i++) {
        size_t here = t->len;

        if (strchr("SAEYPs", kinds[i]) == NULL || !argument_known(c, i) || c->args[i] == 0)
            continue;
        text_put(t, " ", 1);
        if (!print_contents(t, c, i, kinds[i], OUT))
            text_cut(t, here);
    }
}

void decode_result(struct text *t, const struct call *c)
{
    if (c->nr == __HYPERVISOR_iret)
        return;
    text_str(t, c->returned ? " = " : " = ?");
    if (c->returned)
        decode_outcome(t, c);
}
