/* Registers all hooks: the calls from a lower room of xen/ to a higher one (core/ to pv/, cpu/ to
 * pv/, pv/ to boot/). Called once, before anything else runs. */

/* Without this the compiler would read the addresses of functions from a global offset table, which
 * the image lacks. */
#pragma GCC visibility push(hidden)
#include "xen/boot/service.h"
#include "xen/core/claim.h"
#include "xen/core/console.h"
#include "xen/core/domain.h"
#include "xen/core/log.h"
#include "xen/core/pci.h"
#include "xen/core/request.h"
#include "xen/core/trace_control.h"
#include "xen/core/trace_show.h"
#include "xen/cpu/control_regs.h"
#include "xen/cpu/crash.h"
#include "xen/hooks.h"
#include "xen/pv/audit.h"
#include "xen/pv/console_ring.h"
#include "xen/pv/evtchn.h"
#include "xen/pv/evtchn_table.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_maptrack.h"
#include "xen/pv/hypercall_counts.h"
#include "xen/pv/hypercall_page.h"
#include "xen/pv/memory_map.h"
#include "xen/pv/mmuext.h"
#include "xen/pv/pirq.h"
#include "xen/pv/pirq_table.h"
#include "xen/pv/relinquish.h"
#include "xen/pv/sched_op.h"
#include "xen/pv/shared_page.h"
#include "xen/pv/store.h"

#ifdef DEBUG
static void audit_after(struct domain *d)
{
    (void)d;
    hold_cpus();
    frame_audit();
    release_cpus();
}
#endif

static void show_trace(void)
{
    trace_show();
    trace_end();
}

static void send_timer_virq(struct vcpu *v)
{
    send_guest_virq(v, VIRQ_TIMER);
}

static const struct domain_part parts[] = {
    { .init = shared_info_init, .free = shared_info_free },
    { .crashed = domain_dump },
    { .relinquish = domain_cancel_watchdogs },
    /* Closes the domain's ports, also at the remote ends in other domains. */
    { .init = evtchn_init, .relinquish = evtchn_destroy, .free = evtchn_destroy },
    { .relinquish = domain_release_vcpus },
    { .may_end = console_finished, .relinquish = console_detach },
    /* Before the frames that a device may still write to. */
    { .may_end = pci_may_end, .relinquish = pirqs_release },
    { .relinquish = domain_release_frames },
    { .relinquish = pci_take_back },    /* no page table has its registers any more */
    /* After the frames: when the grants are released, granters see that their frames are no longer
     * mapped. */
    { .init = grant_init, .relinquish = grant_destroy_mappings, .free = grant_destroy },
    { .free = memory_map_free },
    { .free = hypercall_counts_keep },
    { .relinquish = store_domain_ended },
#ifdef DEBUG
    { .relinquish = audit_after },
#endif
};

void hooks_register(void)
{
    log_hooks = (struct log_hooks){ console_put, console_panic, show_trace };
    domain_register_parts(parts, ARRAY_SIZE(parts));
    vcpu_timer_fired = send_timer_virq;
    device_interrupt = pirq_fired;
    evtchn_pirq_closed = pirq_unbind;
    cpu_hooks = (struct cpu_hooks){ write_guest_cr3, install_hypercall_page };
    claim_register(service_claim);
    store_hooks = (struct store_hooks){ store_start_again, driver_start_again, service_forget };
    trace_register_counts(hypercall_count, NR_HYPERCALLS);
}
