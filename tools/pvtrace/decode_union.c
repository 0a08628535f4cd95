/* The fields of the ABI's structures that a description alone does not tell how to print, because
 * another field says what they are. common/abi.def names these functions; the descriptions made of
 * it are gen/abi_layouts.c. */
#include "tools/pvtrace/decode.h"

#include <public/event_channel.h>
#include <public/grant_table.h>

/* What a port is bound to: which of the union it is, the status says. */
bool status_of_port(struct text *t, const struct call *c, uint64_t va)
{
    uint64_t status, value, port;

#define MEMBER(m) va + offsetof(struct evtchn_status, m), sizeof(((struct evtchn_status *)0)->m)
    if (!read_number(c, OUT, MEMBER(status), &status))
        return false;
    if (status == EVTCHNSTAT_interdomain &&
        read_number(c, OUT, MEMBER(u.interdomain.dom), &value) &&
        read_number(c, OUT, MEMBER(u.interdomain.port), &port)) {
        text_str(t, "dom=");
        print_domid(t, value);
        text_add(t, ", port=%lu", port);
    } else if (status == EVTCHNSTAT_unbound && read_number(c, OUT, MEMBER(u.unbound.dom), &value)) {
        text_str(t, "dom=");
        print_domid(t, value);
    } else if (status == EVTCHNSTAT_virq && read_number(c, OUT, MEMBER(u.virq), &value)) {
        text_str(t, "virq=");
        print_virq(t, value);
    } else if (status == EVTCHNSTAT_pirq && read_number(c, OUT, MEMBER(u.pirq), &value)) {
        text_add(t, "pirq=%lu", value);
    } else {
        return false;
    }
#undef MEMBER
    return true;
}

/* One end of a copy: a grant or a frame, as the flags say; offset and domain follow it. */
static bool copy_end(struct text *t, const struct call *c, uint64_t va, unsigned end,
                     unsigned gref_flag)
{
#define MEMBER(m)                                                                                  \
    va + end + offsetof(struct gnttab_copy_ptr, m), sizeof(((struct gnttab_copy_ptr *)0)->m)
    uint64_t flags, what, domid, offset;
    bool by_ref;

    if (!read_number(c, IN, va + offsetof(struct gnttab_copy, flags), sizeof(uint16_t), &flags))
        return false;
    by_ref = flags & gref_flag;
    if (!(by_ref ? read_number(c, IN, MEMBER(u.ref), &what)
                 : read_number(c, IN, MEMBER(u.gmfn), &what)) ||
        !read_number(c, IN, MEMBER(domid), &domid) || !read_number(c, IN, MEMBER(offset), &offset))
        return false;
    text_str(t, by_ref ? "{ref=" : "{gmfn=");
    if (by_ref)
        text_dec(t, what);
    else
        text_hex(t, what);
    text_str(t, ", domid=");
    print_domid(t, domid);
    text_add(t, ", offset=0x%lx}", offset);
    return true;
#undef MEMBER
}

bool copy_source(struct text *t, const struct call *c, uint64_t va)
{
    return copy_end(t, c, va, offsetof(struct gnttab_copy, source), GNTCOPY_source_gref);
}

bool copy_dest(struct text *t, const struct call *c, uint64_t va)
{
    return copy_end(t, c, va, offsetof(struct gnttab_copy, dest), GNTCOPY_dest_gref);
}
