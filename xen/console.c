/* Owns who may write to the machine's console line, and when; what is typed is input.c's. The hypervisor's
 * lines and the guests' share it line by line. A guest's come by its PV console ring, drained here, or by
 * console_io; they are prefixed "(dN) ", and held back until they are whole, or until the guest waits as if
 * behind a prompt. */
#include "arch/arch.h"
#include "common/printf.h"
#include "common/string.h"
#include "xen/console.h"
#include "xen/evtchn.h"
#include "xen/frame.h"
#include "xen/guest_access.h"
#include "xen/hypercalls.h"
#include "xen/log.h"
#include "xen/options.h"
#include "xen/store.h"
#include "xen/time.h"

#define POLL_BUDGET 64u                 /* characters of all guests that one poll writes */
#define PROMPT_NS 1000000000ull         /* after this long an unfinished line is shown in any case */

static struct spinlock console_lock;
static bool panicking;
static struct domain *open_line;        /* whose unfinished line the cursor stands on; NULL: at the start of a line */

static void lock_console(void)
{
    if (!panicking)
        spin_lock(&console_lock);
}

static void unlock_console(void)
{
    if (!panicking)
        spin_unlock(&console_lock);
}

void console_panic(void)
{
    panicking = true;
}

void console_raw(const char *s, size_t len)
{
    if (options.no_console)
        return;
    for (; len != 0; len--, s++) {
        if (*s == '\n')
            arch_console_putc('\r');
        arch_console_putc(*s);
    }
}

static void end_open_line(void)
{
    if (open_line != NULL)
        console_raw("\n", 1);
    open_line = NULL;
}

void console_put(const char *s, size_t len)
{
    lock_console();
    end_open_line();
    console_raw(s, len);
    unlock_console();
}

void console_show_line(struct domain *d, struct console_line *l, bool whole)
{
    char prefix[16];

    lock_console();
    if (open_line != d) {
        end_open_line();
        console_raw(prefix, (size_t)snprintf(prefix, sizeof(prefix), "(d%u) ", d->id));
        console_line_start(l);
    }
    console_line_show(l);
    if (whole)
        console_raw("\n", 1);
    open_line = whole ? NULL : d;
    unlock_console();
}

void guest_console_write(struct domain *d, const char *s, size_t len)
{
    struct console_line *l = &d->console_line;

    for (; len != 0; len--, s++) {
        if (*s != '\n') {
            console_line_add(d, l, *s);
            continue;
        }
        console_line_end(d, l);
        console_show_line(d, l, true);
    }
    if (l->len != 0)
        l->since = now_ns();
}

/* The ring. Its page is the guest's memory: every index is read once and judged. Our type reference keeps it
 * from becoming a page table while we write to it. */

int console_attach(struct domain *d, mfn_t ring)
{
    struct frame *f;
    int rc, port;

    spin_lock(&d->mm_lock);
    rc = get_page_and_type(ring, d, TYPE_WRITABLE, &f);
    spin_unlock(&d->mm_lock);
    if (rc != 0)
        return rc;
    port = evtchn_bind_hypervisor(d, 0, console_drain);
    if (port < 0) {
        spin_lock(&d->mm_lock);
        put_page_and_type(f);
        spin_unlock(&d->mm_lock);
        return port;
    }
    d->console_mfn = ring;
    d->console_port = (evtchn_port_t)port;
    d->console_ring = mfn_to_virt(ring);
    console_input_offer(d);
    return port;
}

/* At most limit characters; how many there were. */
static unsigned take_output(struct domain *d, unsigned limit)
{
    struct xencons_interface *ring = d->console_ring;
    char chunk[64];
    uint32_t cons, prod, taken;

    if (ring == NULL)
        return 0;
    cons = READ_ONCE(ring->out_cons);
    prod = READ_ONCE(ring->out_prod);
    if (cons == prod || prod - cons > sizeof(ring->out))
        return 0;
    taken = MIN(prod - cons, limit);
    prod = cons + taken;
    while (cons != prod) {
        unsigned n = 0;

        for (; cons != prod && n < sizeof(chunk); cons++)
            chunk[n++] = READ_ONCE(ring->out[MASK_XENCONS_IDX(cons, ring->out)]);
        guest_console_write(d, chunk, n);
    }
    barrier();
    WRITE_ONCE(ring->out_cons, cons);
    return taken;
}

void console_drain(struct domain *d)
{
    if (take_output(d, UINT32_MAX) != 0)
        evtchn_raise(d, d->console_port);       /* it may be waiting for room */
    if (d->id == STORE_DOMID)
        store_poll();                           /* it may have made room */
}

void console_detach(struct domain *d)
{
    mfn_t mfn = d->console_mfn;

    take_output(d, UINT32_MAX);         /* its event channels are gone already */
    if (d->console_line.len != 0 || open_line == d)
        console_show_line(d, &d->console_line, true);
    if (d->console_ring == NULL)
        return;
    d->console_ring = NULL;
    d->console_mfn = 0;
    spin_lock(&d->mm_lock);
    put_page_and_type(mfn_to_frame(mfn));
    spin_unlock(&d->mm_lock);
    console_input_withdraw(d);
}

bool console_has_room(const struct domain *d, unsigned n)
{
    const struct xencons_interface *ring = d->console_ring;
    uint32_t used;

    if (ring == NULL)
        return false;
    used = READ_ONCE(ring->in_prod) - READ_ONCE(ring->in_cons);
    return used <= sizeof(ring->in) && sizeof(ring->in) - used >= n;
}

void console_give(struct domain *d, char c)
{
    struct xencons_interface *ring = d->console_ring;
    uint32_t prod;

    if (!console_has_room(d, 1))
        return;
    prod = READ_ONCE(ring->in_prod);
    WRITE_ONCE(ring->in[MASK_XENCONS_IDX(prod, ring->in)], c);
    barrier();
    WRITE_ONCE(ring->in_prod, prod + 1);
    evtchn_raise(d, d->console_port);
}

/* A guest all of whose vCPUs sleep has said what it wanted to say: the unfinished line is a prompt. */
static bool looks_like_prompt(const struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    if (now_ns() - d->console_line.since > PROMPT_NS)
        return true;
    for_each_vcpu(d, v, i)
        if (v->up && !v->blocked)
            return false;
    return true;
}

/* It runs in the timer interrupt, on nobody's account, and a line may be slow: guests that always have more to say must
 * not get the whole CPU for it. */
void console_poll(void)
{
    unsigned budget = POLL_BUDGET, taken;
    struct domain *d;

    for_each_domain(d) {
        taken = take_output(d, budget);
        budget -= taken;
        if (taken != 0)
            evtchn_raise(d, d->console_port);
        if (d->console_line.len != 0 && looks_like_prompt(d))
            console_show_line(d, &d->console_line, false);
    }
}

/* console_io. Xen serves it to domain 0 and, in debug builds, lets every guest write; we let every guest
 * write. */

static long console_io_write(unsigned count, uint64_t buffer)
{
    struct domain *d = current->domain;
    char chunk[128];

    while (count != 0 && d->state == DOM_RUNNING) {
        unsigned n = MIN(count, (unsigned)sizeof(chunk));

        if (copy_from_guest(chunk, buffer, n) != 0)
            return -EFAULT;
        guest_console_write(d, chunk, n);
        buffer += n;
        count -= n;
        preempt_point();
    }
    return 0;
}

long do_console_io(unsigned cmd, unsigned count, uint64_t buffer)
{
    if (cmd == CONSOLEIO_write)
        return console_io_write(count, buffer);
    return cmd == CONSOLEIO_read ? -EPERM : -ENOSYS;
}
