/* Describes the structures of events, scheduling, vCPUs, callbacks and devices, by the public headers' own offsets.
 * Names are theirs, without what the type says already (_ns). Those of memory, grants and version are in
 * layouts_memory.c. */
#include "tools/pvtrace/decode.h"

#include <public/callback.h>
#include <public/event_channel.h>
#include <public/nmi.h>
#include <public/physdev.h>
#include <public/pmu.h>
#include <public/sched.h>
#include <public/vcpu.h>

#define N(name) [name] = #name

/* --- Events -------------------------------------------------------------------------------------------------------- */
NAMES(event_states, N(EVTCHNSTAT_closed), N(EVTCHNSTAT_unbound), N(EVTCHNSTAT_interdomain), N(EVTCHNSTAT_pirq),
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
        text_str(t, ", port=");
        text_dec(t, port);
    } else if (status == EVTCHNSTAT_unbound && read_number(r, OUT, MEMBER(u.unbound.dom), &value)) {
        text_str(t, "dom=");
        print_domid(t, value);
    } else if (status == EVTCHNSTAT_virq && read_number(r, OUT, MEMBER(u.virq), &value)) {
        text_str(t, "virq=");
        print_virq(t, value);
    } else if (status == EVTCHNSTAT_pirq && read_number(r, OUT, MEMBER(u.pirq), &value)) {
        text_str(t, "pirq=");
        text_dec(t, value);
    } else {
        return false;
    }
#undef MEMBER
    return true;
}

#define E struct evtchn_alloc_unbound
LAYOUT(alloc_unbound, E, FIELD(E, dom, K_DOMID, IN), FIELD(E, remote_dom, K_DOMID, IN),
       FIELD(E, port, K_DEC, OUT));
#undef E
#define E struct evtchn_bind_interdomain
LAYOUT(bind_interdomain, E, FIELD(E, remote_dom, K_DOMID, IN), FIELD(E, remote_port, K_DEC, IN),
       FIELD(E, local_port, K_DEC, OUT));
#undef E
#define E struct evtchn_bind_virq
LAYOUT(bind_virq, E, FIELD(E, virq, K_VIRQ, IN), FIELD(E, vcpu, K_DEC, IN), FIELD(E, port, K_DEC, OUT));
#undef E
#define E struct evtchn_bind_pirq
LAYOUT(bind_pirq, E, FIELD(E, pirq, K_DEC, IN), FIELD(E, flags, K_HEX, IN), FIELD(E, port, K_DEC, OUT));
#undef E
#define E struct evtchn_bind_ipi
LAYOUT(bind_ipi, E, FIELD(E, vcpu, K_DEC, IN), FIELD(E, port, K_DEC, OUT));
#undef E
LAYOUT(one_port, struct evtchn_send, FIELD(struct evtchn_send, port, K_DEC, IN));
#define E struct evtchn_status
LAYOUT(event_status, E, FIELD(E, dom, K_DOMID, IN), FIELD(E, port, K_DEC, IN),
       FIELD(E, status, K_ENUM, OUT, .names = &event_states), FIELD(E, vcpu, K_DEC, OUT),
       { .kind = K_SPECIAL, .side = OUT, .special = status_of_port });
#undef E
#define E struct evtchn_bind_vcpu
LAYOUT(bind_vcpu, E, FIELD(E, port, K_DEC, IN), FIELD(E, vcpu, K_DEC, IN));
#undef E
LAYOUT(event_reset, struct evtchn_reset, FIELD(struct evtchn_reset, dom, K_DOMID, IN));
#define E struct evtchn_init_control
LAYOUT(init_control, E, FIELD(E, control_gfn, K_HEX, IN), FIELD(E, offset, K_HEX, IN),
       FIELD(E, vcpu, K_DEC, IN),
       FIELD(E, link_bits, K_DEC, OUT));
#undef E
LAYOUT(expand_array, struct evtchn_expand_array, FIELD(struct evtchn_expand_array, array_gfn, K_HEX, IN));
#define E struct evtchn_set_priority
LAYOUT(set_priority, E, FIELD(E, port, K_DEC, IN), FIELD(E, priority, K_DEC, IN));
#undef E

static const struct layout *const event_layouts[] = {
    [EVTCHNOP_bind_interdomain] = &bind_interdomain, [EVTCHNOP_bind_virq] = &bind_virq,
    [EVTCHNOP_bind_pirq] = &bind_pirq, [EVTCHNOP_close] = &one_port, [EVTCHNOP_send] = &one_port,
    [EVTCHNOP_status] = &event_status, [EVTCHNOP_alloc_unbound] = &alloc_unbound,
    [EVTCHNOP_bind_ipi] = &bind_ipi, [EVTCHNOP_bind_vcpu] = &bind_vcpu, [EVTCHNOP_unmask] = &one_port,
    [EVTCHNOP_reset] = &event_reset, [EVTCHNOP_init_control] = &init_control,
    [EVTCHNOP_expand_array] = &expand_array, [EVTCHNOP_set_priority] = &set_priority,
};

/* --- Scheduling ---------------------------------------------------------------------------------------------------- */
SHARED_NAMES(shutdown_reasons, N(SHUTDOWN_poweroff), N(SHUTDOWN_reboot), N(SHUTDOWN_suspend), N(SHUTDOWN_crash),
      N(SHUTDOWN_watchdog), N(SHUTDOWN_soft_reset));
LAYOUT(shutdown, struct sched_shutdown,
       FIELD(struct sched_shutdown, reason, K_ENUM, IN, .names = &shutdown_reasons));
#define S struct sched_poll
LAYOUT(poll, S, FIELD(S, ports, K_ARRAY, IN, ARRAY_OF(S, nr_ports, port_element)),
       FIELD(S, nr_ports, K_DEC, IN),
       FIELD(S, timeout, K_NS, IN));
#undef S
#define S struct sched_remote_shutdown
LAYOUT(remote_shutdown, S, FIELD(S, domain_id, K_DOMID, IN),
       FIELD(S, reason, K_ENUM, IN, .names = &shutdown_reasons));
#undef S
#define S struct sched_watchdog
LAYOUT(watchdog, S, FIELD(S, id, K_DEC, IN), FIELD(S, timeout, K_DEC, IN));
#undef S
LAYOUT(pin_override, struct sched_pin_override, FIELD(struct sched_pin_override, pcpu, K_INT, IN));

static const struct layout *const sched_layouts[] = {
    [SCHEDOP_shutdown] = &shutdown, [SCHEDOP_shutdown_code] = &shutdown, [SCHEDOP_poll] = &poll,
    [SCHEDOP_remote_shutdown] = &remote_shutdown, [SCHEDOP_watchdog] = &watchdog,
    [SCHEDOP_pin_override] = &pin_override,
};

/* --- vCPUs --------------------------------------------------------------------------------------------------------- */
NAMES(runstates, N(RUNSTATE_running), N(RUNSTATE_runnable), N(RUNSTATE_blocked), N(RUNSTATE_offline));
NAMES(timer_flags, [_VCPU_SSHOTTMR_future] = "VCPU_SSHOTTMR_future");
NAMES(context_flags, [_VGCF_i387_valid] = "VGCF_i387_valid", [_VGCF_in_kernel] = "VGCF_in_kernel",
      [_VGCF_failsafe_disables_events] = "VGCF_failsafe_disables_events",
      [_VGCF_syscall_disables_events] = "VGCF_syscall_disables_events", [_VGCF_online] = "VGCF_online",
      [_VGCF_in_syscall] = "VGCF_in_syscall");

VALUE(ns_element, uint64_t, .kind = K_NS);

#define V struct vcpu_runstate_info
LAYOUT(runstate_info, V, FIELD(V, state, K_ENUM, OUT, .names = &runstates),
       FIELD(V, state_entry_time, K_NS, OUT),
       FIELD(V, time, K_INLINE, OUT, .layout = &ns_element));
#undef V
LAYOUT(memory_area, struct vcpu_register_runstate_memory_area,
       FIELD_AS("addr", struct vcpu_register_runstate_memory_area, addr.p, K_HEX, IN));
LAYOUT(periodic_timer, struct vcpu_set_periodic_timer,
       FIELD_AS("period", struct vcpu_set_periodic_timer, period_ns, K_NS, IN));
#define V struct vcpu_set_singleshot_timer
LAYOUT(singleshot_timer, V,
       FIELD_AS("timeout_abs", V, timeout_abs_ns, K_NS, IN),
       FIELD(V, flags, K_FLAGS, IN, .names = &timer_flags));
#undef V
#define V struct vcpu_register_vcpu_info
LAYOUT(vcpu_info_area, V, FIELD(V, mfn, K_HEX, IN), FIELD(V, offset, K_HEX, IN));
#undef V
LAYOUT(physid, struct vcpu_get_physid, FIELD(struct vcpu_get_physid, phys_id, K_HEX, OUT));

#define V struct vcpu_guest_context
LAYOUT(vcpu_context, V, FIELD(V, flags, K_FLAGS, IN, .names = &context_flags),
       FIELD_AS("rip", V, user_regs.rip, K_CODE, IN),
       FIELD_AS("cs", V, user_regs.cs, K_HEX, IN), FIELD_AS("rflags", V, user_regs.rflags, K_HEX, IN),
       FIELD_AS("rsp", V, user_regs.rsp, K_HEX, IN),
       FIELD_AS("ss", V, user_regs.ss, K_HEX, IN),
       FIELD_AS("rdi", V, user_regs.rdi, K_HEX, IN, .optional = true),
       FIELD_AS("rsi", V, user_regs.rsi, K_HEX, IN, .optional = true),
       FIELD(V, ldt_ents, K_DEC, IN, .optional = true),
       FIELD_AS("gdt_frame", V, gdt_frames[0], K_HEX, IN), FIELD(V, gdt_ents, K_DEC, IN),
       FIELD(V, kernel_ss, K_HEX, IN),
       FIELD(V, kernel_sp, K_HEX, IN), FIELD_AS("cr3_user", V, ctrlreg[1], K_HEX, IN, .optional = true),
       FIELD_AS("cr3", V, ctrlreg[3], K_HEX, IN), FIELD(V, event_callback_eip, K_CODE, IN),
       FIELD(V, failsafe_callback_eip, K_CODE, IN), FIELD(V, syscall_callback_eip, K_CODE, IN),
       FIELD(V, vm_assist, K_HEX, IN, .optional = true), FIELD(V, fs_base, K_HEX, IN, .optional = true),
       FIELD(V, gs_base_kernel, K_HEX, IN), FIELD(V, gs_base_user, K_HEX, IN, .optional = true));
#undef V

static const struct layout *const vcpu_layouts[] = {
    [VCPUOP_initialise] = &vcpu_context, [VCPUOP_get_runstate_info] = &runstate_info,
    [VCPUOP_register_runstate_memory_area] = &memory_area, [VCPUOP_set_periodic_timer] = &periodic_timer,
    [VCPUOP_set_singleshot_timer] = &singleshot_timer, [VCPUOP_register_vcpu_info] = &vcpu_info_area,
    [VCPUOP_get_physid] = &physid, [VCPUOP_register_vcpu_time_memory_area] = &memory_area,
};

/* The frame that iret finds at the guest's stack pointer. */
#define R struct iret_context
static const struct field iret_fields[] = {
    FIELD(R, rip, K_CODE, IN), FIELD(R, cs, K_HEX, IN), FIELD(R, rflags, K_HEX, IN), FIELD(R, rsp, K_HEX, IN),
    FIELD(R, ss, K_HEX, IN), FIELD(R, flags, K_FLAGS, IN, .names = &context_flags, .optional = true),
};
const struct layout iret_layout = { .size = sizeof(R), .nr = ARRAY_SIZE(iret_fields), .fields = iret_fields };
#undef R

/* --- Callbacks and devices ----------------------------------------------------------------------------------------- */
NAMES(callback_types, N(CALLBACKTYPE_event), N(CALLBACKTYPE_failsafe), N(CALLBACKTYPE_syscall),
      N(CALLBACKTYPE_sysenter_deprecated), N(CALLBACKTYPE_nmi), N(CALLBACKTYPE_sysenter), N(CALLBACKTYPE_syscall32));
NAMES(callback_flags, [_CALLBACKF_mask_events] = "CALLBACKF_mask_events");
NAMES(irq_flags, [_XENIRQSTAT_needs_eoi] = "XENIRQSTAT_needs_eoi", [_XENIRQSTAT_shared] = "XENIRQSTAT_shared");

#define C struct callback_register
LAYOUT(callback_register, C, FIELD(C, type, K_ENUM, IN, .names = &callback_types),
       FIELD(C, flags, K_FLAGS, IN, .names = &callback_flags, .optional = true), FIELD(C, address, K_CODE, IN));
#undef C
LAYOUT(callback_unregister, struct callback_unregister,
       FIELD(struct callback_unregister, type, K_ENUM, IN, .names = &callback_types));
LAYOUT(nmi_callback, struct xennmi_callback, FIELD(struct xennmi_callback, handler_address, K_CODE, IN));

LAYOUT(eoi, struct physdev_eoi, FIELD(struct physdev_eoi, irq, K_DEC, IN));
#define P struct physdev_irq_status_query
LAYOUT(irq_status, P, FIELD(P, irq, K_DEC, IN), FIELD(P, flags, K_FLAGS, OUT, .names = &irq_flags));
#undef P
LAYOUT(set_iopl, struct physdev_set_iopl, FIELD(struct physdev_set_iopl, iopl, K_DEC, IN));
#define P struct physdev_set_iobitmap
LAYOUT(set_iobitmap, P, FIELD(P, bitmap, K_HEX, IN), FIELD(P, nr_ports, K_DEC, IN));
#undef P
#define P struct physdev_apic
LAYOUT(apic, P, FIELD(P, apic_physbase, K_HEX, IN), FIELD(P, reg, K_HEX, IN), FIELD(P, value, K_HEX, BOTH));
#undef P
#define P struct physdev_irq
LAYOUT(irq_vector, P, FIELD(P, irq, K_DEC, IN), FIELD(P, vector, K_DEC, BOTH));
#undef P
#define P struct physdev_map_pirq
LAYOUT(map_pirq, P, FIELD(P, domid, K_DOMID, IN), FIELD(P, type, K_DEC, IN), FIELD(P, index, K_INT, IN),
       FIELD(P, pirq, K_INT, BOTH), FIELD(P, bus, K_HEX, IN), FIELD(P, devfn, K_HEX, IN));
#undef P
#define P struct physdev_unmap_pirq
LAYOUT(unmap_pirq, P, FIELD(P, domid, K_DOMID, IN), FIELD(P, pirq, K_INT, IN));
#undef P
#define P struct physdev_setup_gsi
LAYOUT(setup_gsi, P, FIELD(P, gsi, K_DEC, IN), FIELD(P, triggering, K_DEC, IN), FIELD(P, polarity, K_DEC, IN));
#undef P
#define P struct physdev_get_free_pirq
LAYOUT(free_pirq, P, FIELD(P, type, K_DEC, IN), FIELD(P, pirq, K_DEC, OUT));
#undef P
LAYOUT(eoi_gmfn, struct physdev_pirq_eoi_gmfn, FIELD(struct physdev_pirq_eoi_gmfn, gmfn, K_HEX, IN));
#define P struct physdev_pci_device
LAYOUT(pci_device, P, FIELD(P, seg, K_HEX, IN), FIELD(P, bus, K_HEX, IN), FIELD(P, devfn, K_HEX, IN));
#undef P

static const struct layout *const physdev_layouts[] = {
    [PHYSDEVOP_eoi] = &eoi, [PHYSDEVOP_irq_status_query] = &irq_status, [PHYSDEVOP_set_iopl] = &set_iopl,
    [PHYSDEVOP_set_iobitmap] = &set_iobitmap, [PHYSDEVOP_apic_read] = &apic, [PHYSDEVOP_apic_write] = &apic,
    [PHYSDEVOP_alloc_irq_vector] = &irq_vector, [PHYSDEVOP_free_irq_vector] = &irq_vector,
    [PHYSDEVOP_map_pirq] = &map_pirq, [PHYSDEVOP_unmap_pirq] = &unmap_pirq, [PHYSDEVOP_setup_gsi] = &setup_gsi,
    [PHYSDEVOP_get_free_pirq] = &free_pirq, [PHYSDEVOP_pirq_eoi_gmfn_v1] = &eoi_gmfn,
    [PHYSDEVOP_pirq_eoi_gmfn_v2] = &eoi_gmfn, [PHYSDEVOP_pci_device_add] = &pci_device,
    [PHYSDEVOP_pci_device_remove] = &pci_device, [PHYSDEVOP_restore_msi_ext] = &pci_device,
    [PHYSDEVOP_prepare_msix] = &pci_device, [PHYSDEVOP_release_msix] = &pci_device,
};

static const struct layout *const callback_layouts[] = {
    [CALLBACKOP_register] = &callback_register, [CALLBACKOP_unregister] = &callback_unregister,
};

static const struct layout *const nmi_layouts[] = { [XENNMI_register_callback] = &nmi_callback };

#define P struct xen_pmu_params
LAYOUT(pmu_params, P, FIELD_AS("major", P, version.maj, K_DEC, BOTH),
       FIELD_AS("minor", P, version.min, K_DEC, BOTH), FIELD(P, val, K_HEX, BOTH),
       FIELD(P, vcpu, K_DEC, IN));
#undef P
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
        T(event_channel_op, event_layouts), T(event_channel_op_compat, event_layouts), T(sched_op, sched_layouts),
        T(vcpu_op, vcpu_layouts), T(callback_op, callback_layouts), T(physdev_op, physdev_layouts),
        T(physdev_op_compat, physdev_layouts), T(nmi_op, nmi_layouts), T(xenpmu_op, pmu_layouts),
        T2(memory_op, memory_layouts), T2(grant_table_op, grant_layouts), T2(xen_version, version_layouts),
#undef T
#undef T2
    };
    if (nr >= ARRAY_SIZE(tables))
        return NULL;
    return op < (tables[nr].nr_elsewhere ? *tables[nr].nr_elsewhere : tables[nr].nr) ? tables[nr].layouts[op] : NULL;
}
