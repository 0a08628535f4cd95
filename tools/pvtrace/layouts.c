/* Describes the structures of events, scheduling, vCPUs, callbacks and devices, by the public headers'
 * own offsets. Names are theirs, without what the type says already (_ns). Those of memory, grants and
 * version are in layouts_memory.c. */
#include "tools/pvtrace/decode.h"

#include <public/callback.h>
#include <public/event_channel.h>
#include <public/nmi.h>
#include <public/physdev.h>
#include <public/pmu.h>
#include <public/sched.h>
#include <public/vcpu.h>

#define N(name) [name] = #name

/* --- Events ----------------------------------------------------------------------------------------- */
NAMES(event_states, N(EVTCHNSTAT_closed), N(EVTCHNSTAT_unbound), N(EVTCHNSTAT_interdomain),
      N(EVTCHNSTAT_pirq),
      N(EVTCHNSTAT_virq), N(EVTCHNSTAT_ipi));

VALUE(port_element, evtchn_port_t, .kind = K_DEC);

/* What a port is bound to: which of the union it is, the status says. */
static bool status_of_port(struct text *t, struct reader *r, uint64_t va)
{
    uint64_t status, value, port;

#define MEMBER(m) va + offsetof(struct evtchn_status, m), sizeof(((struct evtchn_status *)0)->m)
    if (!read_number(r, OUT, MEMBER(status), &status))
        return false;
    if (status == EVTCHNSTAT_interdomain && read_number(r, OUT, MEMBER(u.interdomain.dom), &value) &&
        read_number(r, OUT, MEMBER(u.interdomain.port), &port)) {
        text_str(t, "dom=");
        print_domid(t, value);
        text_add(t, ", port=%lu", port);
    } else if (status == EVTCHNSTAT_unbound && read_number(r, OUT, MEMBER(u.unbound.dom), &value)) {
        text_str(t, "dom=");
        print_domid(t, value);
    } else if (status == EVTCHNSTAT_virq && read_number(r, OUT, MEMBER(u.virq), &value)) {
        text_str(t, "virq=");
        print_virq(t, value);
    } else if (status == EVTCHNSTAT_pirq && read_number(r, OUT, MEMBER(u.pirq), &value)) {
        text_add(t, "pirq=%lu", value);
    } else {
        return false;
    }
#undef MEMBER
    return true;
}

LAYOUT(alloc_unbound, struct evtchn_alloc_unbound, (dom, K_DOMID, IN), (remote_dom, K_DOMID, IN),
       (port, K_DEC, OUT));
LAYOUT(bind_interdomain, struct evtchn_bind_interdomain, (remote_dom, K_DOMID, IN),
       (remote_port, K_DEC, IN), (local_port, K_DEC, OUT));
LAYOUT(bind_virq, struct evtchn_bind_virq, (virq, K_VIRQ, IN), (vcpu, K_DEC, IN), (port, K_DEC, OUT));
LAYOUT(bind_pirq, struct evtchn_bind_pirq, (pirq, K_DEC, IN), (flags, K_HEX, IN), (port, K_DEC, OUT));
LAYOUT(bind_ipi, struct evtchn_bind_ipi, (vcpu, K_DEC, IN), (port, K_DEC, OUT));
LAYOUT(one_port, struct evtchn_send, (port, K_DEC, IN));
LAYOUT(event_status, struct evtchn_status, (dom, K_DOMID, IN), (port, K_DEC, IN),
       (status, K_ENUM, OUT, .names = &event_states), (vcpu, K_DEC, OUT),
       (u, K_SPECIAL, OUT, .alias = "", .special = status_of_port));
LAYOUT(bind_vcpu, struct evtchn_bind_vcpu, (port, K_DEC, IN), (vcpu, K_DEC, IN));
LAYOUT(event_reset, struct evtchn_reset, (dom, K_DOMID, IN));
LAYOUT(init_control, struct evtchn_init_control, (control_gfn, K_HEX, IN), (offset, K_HEX, IN),
       (vcpu, K_DEC, IN), (link_bits, K_DEC, OUT));
LAYOUT(expand_array, struct evtchn_expand_array, (array_gfn, K_HEX, IN));
LAYOUT(set_priority, struct evtchn_set_priority, (port, K_DEC, IN), (priority, K_DEC, IN));

static const struct layout *const event_layouts[] = {
    [EVTCHNOP_bind_interdomain] = &bind_interdomain, [EVTCHNOP_bind_virq] = &bind_virq,
    [EVTCHNOP_bind_pirq] = &bind_pirq, [EVTCHNOP_close] = &one_port, [EVTCHNOP_send] = &one_port,
    [EVTCHNOP_status] = &event_status, [EVTCHNOP_alloc_unbound] = &alloc_unbound,
    [EVTCHNOP_bind_ipi] = &bind_ipi, [EVTCHNOP_bind_vcpu] = &bind_vcpu, [EVTCHNOP_unmask] = &one_port,
    [EVTCHNOP_reset] = &event_reset, [EVTCHNOP_init_control] = &init_control,
    [EVTCHNOP_expand_array] = &expand_array, [EVTCHNOP_set_priority] = &set_priority,
};

/* --- Scheduling ------------------------------------------------------------------------------------- */
SHARED_NAMES(shutdown_reasons, N(SHUTDOWN_poweroff), N(SHUTDOWN_reboot), N(SHUTDOWN_suspend),
             N(SHUTDOWN_crash),
      N(SHUTDOWN_watchdog), N(SHUTDOWN_soft_reset));
LAYOUT(shutdown, struct sched_shutdown, (reason, K_ENUM, IN, .names = &shutdown_reasons));
LAYOUT(poll, struct sched_poll, (ports, K_ARRAY, IN, ARRAY_OF(struct sched_poll, nr_ports, port_element)),
       (nr_ports, K_DEC, IN), (timeout, K_NS, IN));
LAYOUT(remote_shutdown, struct sched_remote_shutdown, (domain_id, K_DOMID, IN),
       (reason, K_ENUM, IN, .names = &shutdown_reasons));
LAYOUT(watchdog, struct sched_watchdog, (id, K_DEC, IN), (timeout, K_DEC, IN));
LAYOUT(pin_override, struct sched_pin_override, (pcpu, K_INT, IN));

static const struct layout *const sched_layouts[] = {
    [SCHEDOP_shutdown] = &shutdown, [SCHEDOP_shutdown_code] = &shutdown, [SCHEDOP_poll] = &poll,
    [SCHEDOP_remote_shutdown] = &remote_shutdown, [SCHEDOP_watchdog] = &watchdog,
    [SCHEDOP_pin_override] = &pin_override,
};

/* --- vCPUs ------------------------------------------------------------------------------------------ */
NAMES(runstates, N(RUNSTATE_running), N(RUNSTATE_runnable), N(RUNSTATE_blocked), N(RUNSTATE_offline));
NAMES(timer_flags, [_VCPU_SSHOTTMR_future] = "VCPU_SSHOTTMR_future");
NAMES(context_flags, [_VGCF_i387_valid] = "VGCF_i387_valid", [_VGCF_in_kernel] = "VGCF_in_kernel",
      [_VGCF_failsafe_disables_events] = "VGCF_failsafe_disables_events",
      [_VGCF_syscall_disables_events] = "VGCF_syscall_disables_events", [_VGCF_online] = "VGCF_online",
      [_VGCF_in_syscall] = "VGCF_in_syscall");

VALUE(ns_element, uint64_t, .kind = K_NS);

LAYOUT(runstate_info, struct vcpu_runstate_info, (state, K_ENUM, OUT, .names = &runstates),
       (state_entry_time, K_NS, OUT), (time, K_INLINE, OUT, .layout = &ns_element));
LAYOUT(memory_area, struct vcpu_register_runstate_memory_area, (addr.p, K_HEX, IN, .alias = "addr"));
LAYOUT(periodic_timer, struct vcpu_set_periodic_timer, (period_ns, K_NS, IN, .alias = "period"));
LAYOUT(singleshot_timer, struct vcpu_set_singleshot_timer,
       (timeout_abs_ns, K_NS, IN, .alias = "timeout_abs"), (flags, K_FLAGS, IN, .names = &timer_flags));
LAYOUT(vcpu_info_area, struct vcpu_register_vcpu_info, (mfn, K_HEX, IN), (offset, K_HEX, IN));
LAYOUT(physid, struct vcpu_get_physid, (phys_id, K_HEX, OUT));

LAYOUT(vcpu_context, struct vcpu_guest_context, (flags, K_FLAGS, IN, .names = &context_flags),
       (user_regs.rip, K_CODE, IN, .alias = "rip"), (user_regs.cs, K_HEX, IN, .alias = "cs"),
       (user_regs.rflags, K_HEX, IN, .alias = "rflags"), (user_regs.rsp, K_HEX, IN, .alias = "rsp"),
       (user_regs.ss, K_HEX, IN, .alias = "ss"),
       (user_regs.rdi, K_HEX, IN, .optional = true, .alias = "rdi"),
       (user_regs.rsi, K_HEX, IN, .optional = true, .alias = "rsi"),
       (ldt_ents, K_DEC, IN, .optional = true), (gdt_frames[0], K_HEX, IN, .alias = "gdt_frame"),
       (gdt_ents, K_DEC, IN), (kernel_ss, K_HEX, IN), (kernel_sp, K_HEX, IN),
       (ctrlreg[1], K_HEX, IN, .optional = true, .alias = "cr3_user"),
       (ctrlreg[3], K_HEX, IN, .alias = "cr3"), (event_callback_eip, K_CODE, IN),
       (failsafe_callback_eip, K_CODE, IN), (syscall_callback_eip, K_CODE, IN),
       (vm_assist, K_HEX, IN, .optional = true), (fs_base, K_HEX, IN, .optional = true),
       (gs_base_kernel, K_HEX, IN), (gs_base_user, K_HEX, IN, .optional = true));

static const struct layout *const vcpu_layouts[] = {
    [VCPUOP_initialise] = &vcpu_context, [VCPUOP_get_runstate_info] = &runstate_info,
    [VCPUOP_register_runstate_memory_area] = &memory_area, [VCPUOP_set_periodic_timer] = &periodic_timer,
    [VCPUOP_set_singleshot_timer] = &singleshot_timer, [VCPUOP_register_vcpu_info] = &vcpu_info_area,
    [VCPUOP_get_physid] = &physid, [VCPUOP_register_vcpu_time_memory_area] = &memory_area,
};

/* The frame that iret finds at the guest's stack pointer. */
LAYOUT(iret_frame, struct iret_context, (rip, K_CODE, IN), (cs, K_HEX, IN), (rflags, K_HEX, IN),
       (rsp, K_HEX, IN), (ss, K_HEX, IN), (flags, K_FLAGS, IN, .names = &context_flags, .optional = true));
const struct layout *const iret_layout = &iret_frame;

/* --- Callbacks and devices -------------------------------------------------------------------------- */
NAMES(callback_types, N(CALLBACKTYPE_event), N(CALLBACKTYPE_failsafe), N(CALLBACKTYPE_syscall),
      N(CALLBACKTYPE_sysenter_deprecated), N(CALLBACKTYPE_nmi), N(CALLBACKTYPE_sysenter),
      N(CALLBACKTYPE_syscall32));
NAMES(callback_flags, [_CALLBACKF_mask_events] = "CALLBACKF_mask_events");
NAMES(irq_flags, [_XENIRQSTAT_needs_eoi] = "XENIRQSTAT_needs_eoi",
      [_XENIRQSTAT_shared] = "XENIRQSTAT_shared");

LAYOUT(callback_register, struct callback_register, (type, K_ENUM, IN, .names = &callback_types),
       (flags, K_FLAGS, IN, .names = &callback_flags, .optional = true), (address, K_CODE, IN));
LAYOUT(callback_unregister, struct callback_unregister, (type, K_ENUM, IN, .names = &callback_types));
LAYOUT(nmi_callback, struct xennmi_callback, (handler_address, K_CODE, IN));

LAYOUT(eoi, struct physdev_eoi, (irq, K_DEC, IN));
LAYOUT(irq_status, struct physdev_irq_status_query, (irq, K_DEC, IN),
       (flags, K_FLAGS, OUT, .names = &irq_flags));
LAYOUT(set_iopl, struct physdev_set_iopl, (iopl, K_DEC, IN));
LAYOUT(set_iobitmap, struct physdev_set_iobitmap, (bitmap, K_HEX, IN), (nr_ports, K_DEC, IN));
LAYOUT(apic, struct physdev_apic, (apic_physbase, K_HEX, IN), (reg, K_HEX, IN), (value, K_HEX, BOTH));
LAYOUT(irq_vector, struct physdev_irq, (irq, K_DEC, IN), (vector, K_DEC, BOTH));
LAYOUT(map_pirq, struct physdev_map_pirq, (domid, K_DOMID, IN), (type, K_DEC, IN), (index, K_INT, IN),
       (pirq, K_INT, BOTH), (bus, K_HEX, IN), (devfn, K_HEX, IN));
LAYOUT(unmap_pirq, struct physdev_unmap_pirq, (domid, K_DOMID, IN), (pirq, K_INT, IN));
LAYOUT(setup_gsi, struct physdev_setup_gsi, (gsi, K_DEC, IN), (triggering, K_DEC, IN),
       (polarity, K_DEC, IN));
LAYOUT(free_pirq, struct physdev_get_free_pirq, (type, K_DEC, IN), (pirq, K_DEC, OUT));
LAYOUT(eoi_gmfn, struct physdev_pirq_eoi_gmfn, (gmfn, K_HEX, IN));
LAYOUT(pci_device, struct physdev_pci_device, (seg, K_HEX, IN), (bus, K_HEX, IN), (devfn, K_HEX, IN));

static const struct layout *const physdev_layouts[] = {
    [PHYSDEVOP_eoi] = &eoi, [PHYSDEVOP_irq_status_query] = &irq_status, [PHYSDEVOP_set_iopl] = &set_iopl,
    [PHYSDEVOP_set_iobitmap] = &set_iobitmap, [PHYSDEVOP_apic_read] = &apic, [PHYSDEVOP_apic_write] = &apic,
    [PHYSDEVOP_alloc_irq_vector] = &irq_vector, [PHYSDEVOP_free_irq_vector] = &irq_vector,
    [PHYSDEVOP_map_pirq] = &map_pirq, [PHYSDEVOP_unmap_pirq] = &unmap_pirq,
    [PHYSDEVOP_setup_gsi] = &setup_gsi,
    [PHYSDEVOP_get_free_pirq] = &free_pirq, [PHYSDEVOP_pirq_eoi_gmfn_v1] = &eoi_gmfn,
    [PHYSDEVOP_pirq_eoi_gmfn_v2] = &eoi_gmfn, [PHYSDEVOP_pci_device_add] = &pci_device,
    [PHYSDEVOP_pci_device_remove] = &pci_device, [PHYSDEVOP_restore_msi_ext] = &pci_device,
    [PHYSDEVOP_prepare_msix] = &pci_device, [PHYSDEVOP_release_msix] = &pci_device,
};

static const struct layout *const callback_layouts[] = {
    [CALLBACKOP_register] = &callback_register, [CALLBACKOP_unregister] = &callback_unregister,
};

static const struct layout *const nmi_layouts[] = { [XENNMI_register_callback] = &nmi_callback };

LAYOUT(pmu_params, struct xen_pmu_params, (version.maj, K_DEC, BOTH, .alias = "major"),
       (version.min, K_DEC, BOTH, .alias = "minor"), (val, K_HEX, BOTH), (vcpu, K_DEC, IN));
static const struct layout *const pmu_layouts[] = {
    [XENPMU_mode_get] = &pmu_params, [XENPMU_mode_set] = &pmu_params, [XENPMU_feature_get] = &pmu_params,
    [XENPMU_feature_set] = &pmu_params, [XENPMU_init] = &pmu_params, [XENPMU_finish] = &pmu_params,
};

const struct layout *operation_layout(unsigned nr, uint64_t op)
{
    static const struct {
        const struct layout *const *layouts;
        unsigned nr;
        const unsigned *nr_elsewhere;
    } tables[ABI_HYPERCALLS] = {
#define T(call, table) [__HYPERVISOR_##call] = { .layouts = table, .nr = ARRAY_SIZE(table) }
#define T2(call, table) [__HYPERVISOR_##call] = { .layouts = table, .nr_elsewhere = &nr_##table }
        T(event_channel_op, event_layouts), T(event_channel_op_compat, event_layouts),
        T(sched_op, sched_layouts),
        T(vcpu_op, vcpu_layouts), T(callback_op, callback_layouts), T(physdev_op, physdev_layouts),
        T(physdev_op_compat, physdev_layouts), T(nmi_op, nmi_layouts), T(xenpmu_op, pmu_layouts),
        T2(memory_op, memory_layouts), T2(grant_table_op, grant_layouts), T2(xen_version, version_layouts),
#undef T
#undef T2
    };
    if (nr >= ARRAY_SIZE(tables))
        return NULL;
    return op < (tables[nr].nr_elsewhere ? *tables[nr].nr_elsewhere : tables[nr].nr)
        ? tables[nr].layouts[op] : NULL;
}
