/* How a call's arguments are written: each by its kind, a letter of common/abi.def's. The result is decode_result.c's.
 * Called by the outputs. */
#include <string.h>

#include "tools/pvtrace/decode.h"

#include <public/xen.h>
#include <public/event_channel.h>
#include <public/physdev.h>
#include <public/sched.h>

struct decode_options decode_options = { .max_items = 8, .max_string = 80 };

bool argument_known(const struct call *c, unsigned i)
{
    return c->known >> i & 1;
}

uint64_t argument_count(const struct call *c, unsigned i)
{
    return argument_known(c, i) ? (uint32_t)c->args[i] : 0;
}

bool operation_number(struct reader *r, uint64_t *op)
{
    const struct call *c = r->c;
    char kind = abi_argument_kinds(c->nr)[0];

    if (!argument_known(c, 0))
        return false;
    if (kind == 'o') {
        *op = (uint32_t)c->args[0];
        return true;
    }
    return (kind == 'E' || kind == 'Y' || kind == 'M') && read_number(r, IN, c->args[0], 4, op);
}

const char *hypercall_name(uint32_t nr)
{
    return abi_hypercall_name(nr);
}

/* Of a list of mmuext operations, the first: lists are short, and what begins one is what it is about. */
const char *call_operation(const struct call *c)
{
    struct reader r = { .c = c };
    uint64_t op;

    return operation_number(&r, &op) ? abi_operation_name(c->nr, op) : NULL;
}

/* --- Arguments -------------------------------------------------------------------------------------- */
static void argument_pointer(struct text *t, struct reader *r, unsigned i)
{
    text_pointer(t, r->c->args[i]);
}

static void argument_unsigned(struct text *t, struct reader *r, unsigned i)
{
    text_dec(t, (uint32_t)r->c->args[i]);
}

static void argument_hex(struct text *t, struct reader *r, unsigned i)
{
    text_hex(t, r->c->args[i]);
}

static void argument_domid(struct text *t, struct reader *r, unsigned i)
{
    print_domid(t, (uint32_t)r->c->args[i]);
}

static void argument_operation(struct text *t, struct reader *r, unsigned i)
{
    const char *name = abi_operation_name(r->c->nr, (uint32_t)r->c->args[i]);

    text_name(t, name, (uint32_t)r->c->args[i]);
}

static void argument_code(struct text *t, struct reader *r, unsigned i)
{
    decode_address(t, r->c->args[i]);
}

static void argument_deadline(struct text *t, struct reader *r, unsigned i)
{
    if ((int64_t)r->c->args[i] < 0)
        text_int(t, (int64_t)r->c->args[i]);
    else
        text_seconds(t, r->c->args[i]);
}

static void argument_assist(struct text *t, struct reader *r, unsigned i)
{
    print_enum(t, &names_assist_types, (uint32_t)r->c->args[i]);
}

static void argument_compat_reason(struct text *t, struct reader *r, unsigned i)
{
    if (argument_known(r->c, 0) && (uint32_t)r->c->args[0] == SCHEDOP_shutdown)
        print_enum(t, &names_shutdown_reasons, (uint32_t)r->c->args[i]);
    else
        text_pointer(t, r->c->args[i]);
}

static void argument_struct(struct text *t, struct reader *r, unsigned i)
{
    uint64_t op, va = r->c->args[i];
    const struct layout *l = operation_number(r, &op) ? operation_layout(r->c->nr, op) : NULL;

    if (l == NULL || va == 0 || !print_layout(t, r, l, va, IN))
        text_pointer(t, va);
}

static void argument_array(struct text *t, struct reader *r, unsigned i)
{
    uint64_t op, va = r->c->args[i];
    const struct layout *l = operation_number(r, &op) ? operation_layout(r->c->nr, op) : NULL;

    uint64_t count = argument_count(r->c, i + 1);

    if (l == NULL || va == 0 || count == 0 || !print_array(t, r, l, va, count, IN))
        text_pointer(t, va);
}

/* {EVTCHNOP_send {port=5}}: the operation's number, then its structure in a union. */
static void argument_compat(struct text *t, struct reader *r, unsigned i, size_t offset)
{
    const struct layout *l;
    const char *name;
    uint64_t op;

    if (!operation_number(r, &op)) {
        text_pointer(t, r->c->args[i]);
        return;
    }
    name = abi_operation_name(r->c->nr, op);
    l = operation_layout(r->c->nr, op);
    text_put(t, "{", 1);
    text_name(t, name, op);
    if (l != NULL) {
        size_t here = t->len;

        text_put(t, " ", 1);
        if (!print_layout(t, r, l, r->c->args[i] + offset, IN))
            text_cut(t, here);
    }
    text_put(t, "}", 1);
}

static void argument_event_compat(struct text *t, struct reader *r, unsigned i)
{
    argument_compat(t, r, i, offsetof(struct evtchn_op, u));
}

static void argument_physdev_compat(struct text *t, struct reader *r, unsigned i)
{
    argument_compat(t, r, i, offsetof(struct physdev_op, u));
}

bool console_text(struct text *t, struct reader *r, unsigned i, enum side side, uint64_t len)
{
    char buf[1024];
    size_t wanted = MIN(len, sizeof(buf)), known = read_memory(r, side, r->c->args[i], buf, wanted);

    if (known == 0)
        return false;
    print_string(t, buf, known, len);
    return true;
}

static void argument_text(struct text *t, struct reader *r, unsigned i)
{
    if (!console_text(t, r, i, IN, argument_count(r->c, i - 1)))
        text_pointer(t, r->c->args[i]);
}

/* The frame lies at the guest's stack pointer, which no record tells: at the lowest address that the call
 * read. */
static void argument_iret(struct text *t, struct reader *r, unsigned i)
{
    uint64_t lowest = UINT64_MAX;

    (void)i;
    for (unsigned n = 0; n < MIN(r->c->nr_copies, MAX_COPIES); n++)
        if (!r->c->copies[n].out)
            lowest = MIN(lowest, r->c->copies[n].va);
    if (lowest != UINT64_MAX)
        print_layout(t, r, &layout_iret_context, lowest, IN);
}

static const argument_fn argument_printers[128] = {
    ['p'] = argument_pointer, ['P'] = argument_pointer, ['u'] = argument_unsigned,
    ['x'] = argument_hex, ['o'] = argument_operation, ['D'] = argument_domid, ['S'] = argument_struct,
    ['A'] = argument_array, ['E'] = argument_event_compat, ['Y'] = argument_physdev_compat,
    ['m'] = argument_mmu_updates, ['M'] = argument_mmuext_ops, ['g'] = argument_gdt_frames,
    ['T'] = argument_traps,
    ['e'] = argument_pte, ['f'] = argument_uvm_flags, ['v'] = argument_descriptor, ['c'] = argument_code,
    ['t'] = argument_deadline, ['s'] = argument_text, ['a'] = argument_assist, ['R'] = argument_compat_reason,
    ['I'] = argument_iret,
};

void decode_arguments(struct text *t, const struct call *c)
{
    struct reader r = { .c = c };
    const char *kinds = abi_argument_kinds(c->nr);

    text_put(t, "(", 1);
    for (unsigned i = 0; kinds[i] != '\0'; i++) {
        argument_fn print = argument_printers[(unsigned char)kinds[i] & 127];

        if (!argument_known(c, i) && abi_hypercall_name(c->nr) == NULL)
            break;                      /* nobody knows how many it has */
        if (i != 0)
            text_put(t, ", ", 2);
        if (kinds[i] != 'I' && !argument_known(c, i))
            text_put(t, "?", 1);
        else if (!decode_options.raw)
            (print != NULL ? print : argument_hex)(t, &r, i);
        else if (kinds[i] != 'I')
            argument_hex(t, &r, i);
    }
    text_put(t, ")", 1);
}
