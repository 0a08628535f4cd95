/* Owns the names of sub-operations in the hypercall log, spelt by the public headers themselves. */
#include "xen/trace.h"
#include "common/compiler.h"

#define N(name) [name] = #name

static const char *const memory_ops[] = {
    N(XENMEM_increase_reservation), N(XENMEM_decrease_reservation), N(XENMEM_maximum_ram_page),
    N(XENMEM_current_reservation), N(XENMEM_maximum_reservation), N(XENMEM_machphys_mfn_list),
    N(XENMEM_populate_physmap), N(XENMEM_add_to_physmap), N(XENMEM_memory_map),
    N(XENMEM_machine_memory_map), N(XENMEM_exchange), N(XENMEM_machphys_mapping),
    N(XENMEM_set_memory_map), N(XENMEM_maximum_gpfn), N(XENMEM_remove_from_physmap),
    N(XENMEM_set_pod_target), N(XENMEM_get_pod_target), N(XENMEM_get_sharing_freed_pages),
    N(XENMEM_get_sharing_shared_pages), N(XENMEM_add_to_physmap_batch), N(XENMEM_claim_pages),
    N(XENMEM_get_vnumainfo), N(XENMEM_reserved_device_memory_map), N(XENMEM_acquire_resource),
};

static const char *const version_ops[] = {
    N(XENVER_version), N(XENVER_extraversion), N(XENVER_compile_info), N(XENVER_capabilities),
    N(XENVER_changeset), N(XENVER_platform_parameters), N(XENVER_get_features), N(XENVER_pagesize),
    N(XENVER_guest_handle), N(XENVER_commandline), N(XENVER_build_id),
};

static const char *const console_ops[] = { N(CONSOLEIO_write), N(CONSOLEIO_read) };

static const char *const grant_ops[] = {
    N(GNTTABOP_map_grant_ref), N(GNTTABOP_unmap_grant_ref), N(GNTTABOP_setup_table),
    N(GNTTABOP_dump_table), N(GNTTABOP_transfer), N(GNTTABOP_copy), N(GNTTABOP_query_size),
    N(GNTTABOP_unmap_and_replace), N(GNTTABOP_set_version), N(GNTTABOP_get_status_frames),
    N(GNTTABOP_get_version), N(GNTTABOP_swap_grant_ref), N(GNTTABOP_cache_flush),
};

static const char *const assist_ops[] = { N(VMASST_CMD_enable), N(VMASST_CMD_disable) };

static const char *const vcpu_ops[] = {
    N(VCPUOP_initialise), N(VCPUOP_up), N(VCPUOP_down), N(VCPUOP_is_up),
    N(VCPUOP_get_runstate_info), N(VCPUOP_register_runstate_memory_area),
    N(VCPUOP_set_periodic_timer), N(VCPUOP_stop_periodic_timer), N(VCPUOP_set_singleshot_timer),
    N(VCPUOP_stop_singleshot_timer), N(VCPUOP_register_vcpu_info), N(VCPUOP_send_nmi),
    N(VCPUOP_get_physid), N(VCPUOP_register_vcpu_time_memory_area),
};

static const char *const segment_bases[] = {
    N(SEGBASE_FS), N(SEGBASE_GS_USER), N(SEGBASE_GS_KERNEL), N(SEGBASE_GS_USER_SEL),
};

static const char *const nmi_ops[] = { N(XENNMI_register_callback), N(XENNMI_unregister_callback) };

static const char *const sched_ops[] = {
    N(SCHEDOP_yield), N(SCHEDOP_block), N(SCHEDOP_shutdown), N(SCHEDOP_poll),
    N(SCHEDOP_remote_shutdown), N(SCHEDOP_shutdown_code), N(SCHEDOP_watchdog),
    N(SCHEDOP_pin_override),
};

static const char *const callback_ops[] = { N(CALLBACKOP_register), N(CALLBACKOP_unregister) };

static const char *const event_ops[] = {
    N(EVTCHNOP_bind_interdomain), N(EVTCHNOP_bind_virq), N(EVTCHNOP_bind_pirq), N(EVTCHNOP_close),
    N(EVTCHNOP_send), N(EVTCHNOP_status), N(EVTCHNOP_alloc_unbound), N(EVTCHNOP_bind_ipi),
    N(EVTCHNOP_bind_vcpu), N(EVTCHNOP_unmask), N(EVTCHNOP_reset), N(EVTCHNOP_init_control),
    N(EVTCHNOP_expand_array), N(EVTCHNOP_set_priority),
};

static const char *const physdev_ops[] = {
    N(PHYSDEVOP_eoi), N(PHYSDEVOP_pirq_eoi_gmfn_v1), N(PHYSDEVOP_pirq_eoi_gmfn_v2),
    N(PHYSDEVOP_irq_status_query), N(PHYSDEVOP_set_iopl), N(PHYSDEVOP_set_iobitmap),
    N(PHYSDEVOP_apic_read), N(PHYSDEVOP_apic_write), N(PHYSDEVOP_alloc_irq_vector),
    N(PHYSDEVOP_map_pirq), N(PHYSDEVOP_unmap_pirq), N(PHYSDEVOP_setup_gsi),
    N(PHYSDEVOP_get_free_pirq),
};

static const struct {
    const char *const *names;
    unsigned nr;
} tables[64] = {
#define T(call, names) [__HYPERVISOR_##call] = { names, ARRAY_SIZE(names) }
    T(memory_op, memory_ops), T(xen_version, version_ops), T(console_io, console_ops),
    T(grant_table_op, grant_ops), T(vm_assist, assist_ops), T(vcpu_op, vcpu_ops),
    T(set_segment_base, segment_bases), T(nmi_op, nmi_ops), T(sched_op, sched_ops),
    T(callback_op, callback_ops), T(event_channel_op, event_ops), T(physdev_op, physdev_ops),
};

const char *trace_op_name(unsigned nr, uint64_t op)
{
    return nr < ARRAY_SIZE(tables) && op < tables[nr].nr ? tables[nr].names[op] : NULL;
}
