/* Owns the rows of the summary: one for each guest, hypercall and sub-operation that occurs, found by a
 * hash. The number of rows is bounded, whatever the input says; the last then stands for all that found no
 * place. Called by summary.c. */
#include <string.h>

#include <stdint.h>
#include <public/xen.h>

#include "tools/pvtrace/summary.h"

#define MAX_ELEMENTS 16u            /* of an mmuext_op's array that are looked at */
#define MAX_NAMES 3u                /* that one row shows */

void tally_add(struct tally *to, const struct tally *t)
{
    to->calls += t->calls;
    to->failed += t->failed;
    to->unfinished += t->unfinished;
    to->timed += t->timed;
    to->ticks += t->ticks;
    to->away += t->away;
    to->away_ticks += t->away_ticks;
    to->max = t->max > to->max ? t->max : to->max;
    to->away_max = t->away_max > to->away_max ? t->away_max : to->away_max;
}

uint32_t summary_guest(struct summary *s, uint16_t domid)
{
    uint32_t g = s->nr_guests;

    if (s->guest_of[domid] != 0)
        return s->guest_of[domid] - 1u;
    if (g == MAX_GUESTS)
        g = MAX_GUESTS - 1;
    else
        s->nr_guests++;
    s->guests[g].domid = domid;
    s->guests[g].others = g == MAX_GUESTS - 1;
    s->guest_of[domid] = (uint8_t)(g + 1);
    return g;
}

/* The commands in an mmuext_op's array, each once: the time of one call cannot be divided among them. */
static void mmuext_names(const struct call *c, char *buf, size_t size)
{
    uint32_t seen = 0, cmd, names = 0;
    uint32_t count = (uint32_t)c->args[1] < MAX_ELEMENTS ? (uint32_t)c->args[1] : MAX_ELEMENTS;
    struct text t = { .buf = buf, .size = size };

    for (uint32_t i = 0; i < count; i++) {
        uint64_t va = c->args[0] + i * sizeof(struct mmuext_op);
        const char *name;

        if (call_memory(c, false, va, &cmd, sizeof(cmd)) != sizeof(cmd))
            break;
        name = cmd < 32 && (seen >> cmd & 1) == 0 ? abi_operation_name(c->nr, cmd) : NULL;
        if (name == NULL)
            continue;
        seen |= 1u << cmd;
        if (names++ == MAX_NAMES) {
            text_str(&t, " ...");
            break;
        }
        text_str(&t, names > 1 ? "+" : "");
        text_str(&t, names > 1 && strncmp(name, "MMUEXT_", 7) == 0 ? name + 7 : name);
    }
    t.buf[t.len < size ? t.len : size - 1] = '\0';
}

void summary_operation(const struct call *c, char buf[OPERATION_BYTES])
{
    const char *name;

    buf[0] = '\0';
    if (c->nr == __HYPERVISOR_mmuext_op && c->args[1] > 1)
        mmuext_names(c, buf, OPERATION_BYTES);
    if (buf[0] == '\0' && (name = call_operation(c)) != NULL)
        snprintf(buf, OPERATION_BYTES, "%s", name);
}

static uint32_t hash(uint32_t guest, uint32_t nr, const char *operation)
{
    uint32_t h = (guest * 64u + nr) * 2654435761u;

    for (; *operation != '\0'; operation++)
        h = (h ^ (uint8_t)*operation) * 16777619u;
    return h ^ h >> 15;
}

struct row *summary_row(struct summary *s, uint32_t guest, uint32_t nr, const char *operation)
{
    uint32_t at = hash(guest, nr, operation) % ROW_INDEX;
    struct row *r;

    for (; s->index[at] != 0; at = (at + 1) % ROW_INDEX) {
        r = &s->rows[s->index[at] - 1];
        if (r->guest == guest && r->nr == nr && strcmp(r->operation, operation) == 0)
            return r;
    }
    if (s->nr_rows == MAX_ROWS) {
        r = &s->rows[MAX_ROWS - 1];
        strcpy(r->operation, "(many different ones)");
        r->nr = UINT32_MAX;
        return r;
    }
    r = &s->rows[s->nr_rows++];
    r->guest = guest;
    r->nr = nr;
    strcpy(r->operation, operation);
    s->index[at] = (uint16_t)s->nr_rows;
    return r;
}
