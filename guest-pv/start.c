/* The start of the kernel in the only order that works, the command line, and the end of the
 * domain. start_info and the registers saved at entry are here. Called by head.S. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bare/bare.h"
#include "clock.h"
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "mm.h"
#include "start.h"
#include "thread.h"
#include "trap.h"
#include "user.h"

start_info_t *start_info;
uint8_t boot_upcall_mask[XEN_LEGACY_MAX_VCPUS];
uint64_t entry_tsc, ready_tsc, waited_ticks;

/* The first word of the command line that begins with key and '=' (or is exactly key). */
static const char *cmdline_find(const char *key, size_t *len_bytes)
{
    const char *p = (const char *)start_info->cmd_line;
    size_t keylen = strlen(key);

    while (*p) {
        size_t word = strcspn(p, " ");

        if (word >= keylen && !memcmp(p, key, keylen) && (word == keylen || p[keylen] == '=')) {
            *len_bytes = word == keylen ? 0 : word - keylen - 1;
            return p + word - *len_bytes;
        }
        p += word;
        p += strspn(p, " ");
    }
    return NULL;
}

const char *cmdline_get(const char *key, char *buf, unsigned len_bytes)
{
    size_t n;
    const char *val = cmdline_find(key, &n);

    if (!val)
        return NULL;
    if (n >= len_bytes)
        n = len_bytes - 1;
    memcpy(buf, val, n);
    buf[n] = 0;
    return buf;
}

bool cmdline_has(const char *key, const char *item)
{
    size_t n, len = strlen(item);
    const char *val = cmdline_find(key, &n), *end = val + n;

    while (val && val < end) {
        const char *comma = memchr(val, ',', end - val);
        const char *stop = comma ? comma : end;

        if ((size_t)(stop - val) == len && !memcmp(val, item, len))
            return true;
        val = stop + 1;
    }
    return false;
}

_Noreturn void shutdown(unsigned reason)
{
    struct sched_shutdown arg = { .reason = reason };

    console_flush();
    for (;;)
        xen_sched_op(SCHEDOP_shutdown, &arg);
}

_Noreturn void start(start_info_t *si)
{
    start_info = si;
    if (!is_bare())
        entry_tsc = rdtsc();
    mm_init_early();            /* the shared page, which has the virtual interrupt flag */
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        boot_upcall_mask[i] = shared_info->vcpu_info[i].evtchn_upcall_mask;
    thread_init();              /* `current` */
    console_init();             /* a panic can be seen from here on */
    trap_init();                /* before anything that may fault */
    mm_init();
    event_init();
    clock_init();
    user_init();
    events_on();
    ready_tsc = rdtsc();
    /* The domain powers off in both cases; the final line of KTAP has the result. */
    exit(guest_main());
}
