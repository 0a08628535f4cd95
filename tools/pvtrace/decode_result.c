/* Owns how a call's result is written: the number, its errno, and what the call wrote back. See decode.c. */
#include <string.h>

#include "tools/pvtrace/decode.h"

#include <public/xen.h>
#include <public/event_channel.h>
#include <public/memory.h>
#include <public/physdev.h>
#include <public/version.h>

const char *errno_name(int64_t result)
{
    return result < 0 && result >= -4095 ? abi_errno_name((unsigned)-result) : NULL;
}

/* iret gives back the guest's own rax. */
bool call_failed(const struct call *c)
{
    return c->returned && c->nr != __HYPERVISOR_iret && c->result < 0 && c->result >= -4095;
}

static void print_value(struct text *t, struct reader *r)
{
    const struct call *c = r->c;
    uint64_t op = UINT64_MAX, value = (uint64_t)c->result;

    operation_number(r, &op);
    if (decode_options.raw || call_failed(c)) {
        text_int(t, c->result);
    } else if (c->nr == __HYPERVISOR_xen_version && op == XENVER_version) {
        text_add(t, "%lu.%lu", value >> 16, value & 0xffff);
    } else if (c->nr == __HYPERVISOR_get_debugreg ||
               (c->nr == __HYPERVISOR_memory_op &&
                (op == XENMEM_maximum_ram_page || op == XENMEM_maximum_gpfn))) {
        text_hex(t, value);
    } else {
        text_int(t, c->result);
    }
}

/* What argument i points to, as far as the call wrote it: " {port=5}". */
static void print_written(struct text *t, struct reader *r, char kind, unsigned i)
{
    uint64_t op, done, va = r->c->args[i];
    const struct layout *l = operation_number(r, &op) ? operation_layout(r->c->nr, op) : NULL;
    size_t here = t->len;
    bool any = false;

    text_put(t, " ", 1);
    if (kind == 'S' && l != NULL) {
        any = print_layout(t, r, l, va, OUT);
    } else if (kind == 'A' && l != NULL && argument_count(r->c, i + 1) != 0) {
        any = print_array(t, r, l, va, argument_count(r->c, i + 1), OUT);
    } else if (kind == 'E' && l != NULL) {
        any = print_layout(t, r, l, va + offsetof(struct evtchn_op, u), OUT);
    } else if (kind == 'Y' && l != NULL) {
        any = print_layout(t, r, l, va + offsetof(struct physdev_op, u), OUT);
    } else if (kind == 'P' && read_number(r, OUT, va, sizeof(unsigned), &done)) {
        text_add(t, "{done=%lu}", done);
        any = true;
    } else if (kind == 's' && r->c->result > 0) {
        any = console_text(t, r, i, OUT, (uint64_t)r->c->result);
    }
    if (!any)
        text_cut(t, here);
}

void decode_result(struct text *t, const struct call *c)
{
    struct reader r = { .c = c };
    const char *kinds = abi_argument_kinds(c->nr), *name = errno_name(c->result);

    if (c->nr == __HYPERVISOR_iret)
        return;
    if (!c->returned) {
        text_put(t, " = ?", 4);
        return;
    }
    text_put(t, " = ", 3);
    print_value(t, &r);
    if (name != NULL && !decode_options.raw) {
        text_add(t, " %s", name);
    }
    if (decode_options.raw)
        return;
    for (unsigned i = 0; kinds[i] != '\0'; i++)
        if (strchr("SAEYPs", kinds[i]) != NULL && argument_known(c, i) && c->args[i] != 0)
            print_written(t, &r, kinds[i], i);
}
