/* Owns the names of the ABI's numbers: hypercalls, sub-operations, errors, virtual interrupts, exceptions. Nothing
 * here knows what is served; the names of arguments' contents are the trace reader's. */
#include "common/abi_names.h"
#include "common/compiler.h"

#include <public/xen.h>
#include <public/arch-x86/xen-mca.h>
#include <public/callback.h>
#include <public/event_channel.h>
#include <public/grant_table.h>
#include <public/hypfs.h>
#include <public/kexec.h>
#include <public/memory.h>
#include <public/nmi.h>
#include <public/physdev.h>
#include <public/pmu.h>
#include <public/sched.h>
#include <public/vcpu.h>
#include <public/version.h>

static const struct {
    const char *name, *kinds;
} hypercalls[ABI_HYPERCALLS] = {
#define H(name, kinds) [__HYPERVISOR_##name] = { #name, kinds }
    H(set_trap_table, "p"),
    H(mmu_update, "pupD"),
    H(set_gdt, "pu"),
    H(stack_switch, "xp"),
    H(set_callbacks, "ppp"),
    H(fpu_taskswitch, "u"),
    H(sched_op_compat, "op"),
    H(platform_op, "p"),
    H(set_debugreg, "up"),
    H(get_debugreg, "u"),
    H(update_descriptor, "pp"),
    H(memory_op, "op"),
    H(multicall, "pu"),
    H(update_va_mapping, "ppx"),
    H(set_timer_op, "d"),
    H(event_channel_op_compat, "p"),
    H(xen_version, "op"),
    H(console_io, "oup"),
    H(physdev_op_compat, "p"),
    H(grant_table_op, "opu"),
    H(vm_assist, "ou"),
    H(update_va_mapping_otherdomain, "ppxD"),
    H(iret, ""),
    H(vcpu_op, "oup"),
    H(set_segment_base, "op"),
    H(mmuext_op, "pupD"),
    H(xsm_op, "p"),
    H(nmi_op, "op"),
    H(sched_op, "op"),
    H(callback_op, "op"),
    H(xenoprof_op, "up"),
    H(event_channel_op, "op"),
    H(physdev_op, "op"),
    H(hvm_op, "up"),
    H(sysctl, "p"),
    H(domctl, "p"),
    H(kexec_op, "op"),
    H(tmem_op, "p"),
    H(argo_op, "uppxx"),
    H(xenpmu_op, "op"),
    H(dm_op, "Dup"),
    H(hypfs_op, "opxpx"),
    H(mca, "p"),
    [__HYPERVISOR_arch_1] = { "arch_1", "pppppp" },
    [__HYPERVISOR_arch_2] = { "arch_2", "pppppp" },
    [__HYPERVISOR_arch_3] = { "arch_3", "pppppp" },
    [__HYPERVISOR_arch_4] = { "arch_4", "pppppp" },
    [__HYPERVISOR_arch_5] = { "arch_5", "pppppp" },
    [__HYPERVISOR_arch_6] = { "arch_6", "pppppp" },
    [__HYPERVISOR_arch_7] = { "arch_7", "pppppp" },
#undef H
};

const char *abi_hypercall_name(unsigned nr)
{
    return nr < ARRAY_SIZE(hypercalls) ? hypercalls[nr].name : NULL;
}

const char *abi_argument_kinds(unsigned nr)
{
    return abi_hypercall_name(nr) != NULL ? hypercalls[nr].kinds : "pppppp";
}

#define N(name) [name] = #name

static const char *const memory_ops[] = {
    N(XENMEM_increase_reservation), N(XENMEM_decrease_reservation), N(XENMEM_maximum_ram_page),
    N(XENMEM_current_reservation), N(XENMEM_maximum_reservation), N(XENMEM_machphys_mfn_list),
    N(XENMEM_populate_physmap), N(XENMEM_add_to_physmap), N(XENMEM_memory_map),
    N(XENMEM_machine_memory_map), N(XENMEM_exchange), N(XENMEM_machphys_mapping),
    N(XENMEM_set_memory_map), N(XENMEM_maximum_gpfn), N(XENMEM_remove_from_physmap),
    N(XENMEM_set_pod_target), N(XENMEM_get_pod_target), N(XENMEM_get_sharing_freed_pages),
    N(XENMEM_get_sharing_shared_pages), N(XENMEM_paging_op), N(XENMEM_access_op), N(XENMEM_sharing_op),
    N(XENMEM_add_to_physmap_batch), N(XENMEM_claim_pages), N(XENMEM_machphys_compat_mfn_list),
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

static const char *const mmuext_ops[] = {
    N(MMUEXT_PIN_L1_TABLE), N(MMUEXT_PIN_L2_TABLE), N(MMUEXT_PIN_L3_TABLE), N(MMUEXT_PIN_L4_TABLE),
    N(MMUEXT_UNPIN_TABLE), N(MMUEXT_NEW_BASEPTR), N(MMUEXT_TLB_FLUSH_LOCAL), N(MMUEXT_INVLPG_LOCAL),
    N(MMUEXT_TLB_FLUSH_MULTI), N(MMUEXT_INVLPG_MULTI), N(MMUEXT_TLB_FLUSH_ALL), N(MMUEXT_INVLPG_ALL),
    N(MMUEXT_FLUSH_CACHE), N(MMUEXT_SET_LDT), N(MMUEXT_NEW_USER_BASEPTR), N(MMUEXT_CLEAR_PAGE),
    N(MMUEXT_COPY_PAGE), N(MMUEXT_FLUSH_CACHE_GLOBAL), N(MMUEXT_MARK_SUPER), N(MMUEXT_UNMARK_SUPER),
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
    N(PHYSDEVOP_IRQ_UNMASK_NOTIFY), N(PHYSDEVOP_irq_status_query), N(PHYSDEVOP_set_iopl),
    N(PHYSDEVOP_set_iobitmap), N(PHYSDEVOP_apic_read), N(PHYSDEVOP_apic_write),
    N(PHYSDEVOP_alloc_irq_vector), N(PHYSDEVOP_free_irq_vector), N(PHYSDEVOP_eoi),
    N(PHYSDEVOP_map_pirq), N(PHYSDEVOP_unmap_pirq), N(PHYSDEVOP_manage_pci_add),
    N(PHYSDEVOP_manage_pci_remove), N(PHYSDEVOP_pirq_eoi_gmfn_v1), N(PHYSDEVOP_restore_msi),
    N(PHYSDEVOP_manage_pci_add_ext), N(PHYSDEVOP_setup_gsi), N(PHYSDEVOP_get_free_pirq),
    N(PHYSDEVOP_pci_mmcfg_reserved), N(PHYSDEVOP_pci_device_add), N(PHYSDEVOP_pci_device_remove),
    N(PHYSDEVOP_restore_msi_ext), N(PHYSDEVOP_pirq_eoi_gmfn_v2), N(PHYSDEVOP_dbgp_op),
    N(PHYSDEVOP_prepare_msix), N(PHYSDEVOP_release_msix),
};

/* Of what is refused, only what ordinary kernels try at boot or need few words. */
static const char *const pmu_ops[] = {
    N(XENPMU_mode_get), N(XENPMU_mode_set), N(XENPMU_feature_get), N(XENPMU_feature_set), N(XENPMU_init),
    N(XENPMU_finish), N(XENPMU_lvtpc_set), N(XENPMU_flush),
};

static const char *const kexec_ops[] = {
    N(KEXEC_CMD_kexec), N(KEXEC_CMD_kexec_load_v1), N(KEXEC_CMD_kexec_unload_v1),
    N(KEXEC_CMD_kexec_get_range), N(KEXEC_CMD_kexec_load), N(KEXEC_CMD_kexec_unload),
    N(KEXEC_CMD_kexec_status),
};

static const char *const hypfs_ops[] = {
    N(XEN_HYPFS_OP_get_version), N(XEN_HYPFS_OP_read), N(XEN_HYPFS_OP_write_contents),
};

static const struct {
    const char *const *names;
    unsigned nr;
} operations[ABI_HYPERCALLS] = {
#define T(call, names) [__HYPERVISOR_##call] = { names, ARRAY_SIZE(names) }
    T(memory_op, memory_ops), T(xen_version, version_ops), T(console_io, console_ops),
    T(grant_table_op, grant_ops), T(vm_assist, assist_ops), T(vcpu_op, vcpu_ops),
    T(set_segment_base, segment_bases), T(mmuext_op, mmuext_ops), T(nmi_op, nmi_ops), T(sched_op, sched_ops),
    T(sched_op_compat, sched_ops), T(callback_op, callback_ops), T(event_channel_op, event_ops),
    T(event_channel_op_compat, event_ops), T(physdev_op, physdev_ops), T(physdev_op_compat, physdev_ops),
    T(xenpmu_op, pmu_ops), T(kexec_op, kexec_ops), T(hypfs_op, hypfs_ops),
#undef T
};

const char *abi_operation_name(unsigned nr, uint64_t op)
{
    return nr < ARRAY_SIZE(operations) && op < operations[nr].nr ? operations[nr].names[op] : NULL;
}

/* A list, not an array by number: the header gives some numbers two names, of which the first is the better known. */
static const struct {
    uint8_t nr;
    char name[15];
} errors[] = {
#define XEN_ERRNO(name, value) { value, #name },
#include <public/errno.h>
};

const char *abi_errno_name(unsigned nr)
{
    for (unsigned i = 0; i < ARRAY_SIZE(errors); i++)
        if (errors[i].nr == nr)
            return errors[i].name;
    return NULL;
}

static const char *const virqs[] = {
    N(VIRQ_TIMER), N(VIRQ_DEBUG), N(VIRQ_CONSOLE), N(VIRQ_DOM_EXC), N(VIRQ_TBUF), N(VIRQ_DEBUGGER), N(VIRQ_XENOPROF),
    N(VIRQ_CON_RING), N(VIRQ_PCPU_STATE), N(VIRQ_MEM_EVENT), N(VIRQ_ARGO), N(VIRQ_ENOMEM), N(VIRQ_XENPMU),
    N(VIRQ_ARCH_0), N(VIRQ_ARCH_1), N(VIRQ_ARCH_2), N(VIRQ_ARCH_3), N(VIRQ_ARCH_4), N(VIRQ_ARCH_5), N(VIRQ_ARCH_6),
    N(VIRQ_ARCH_7),
};

const char *abi_virq_name(unsigned virq)
{
    return virq < ARRAY_SIZE(virqs) ? virqs[virq] : NULL;
}

const char *abi_trap_name(unsigned vector)
{
    static const char *const names[] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", NULL, "#TS", "#NP", "#SS", "#GP", "#PF", NULL,
        "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
    };
    return vector < ARRAY_SIZE(names) ? names[vector] : NULL;
}

const char *abi_domid_name(unsigned domid)
{
    static const char *const names[] = {
#define D(name) [name - DOMID_FIRST_RESERVED] = #name
        D(DOMID_SELF), D(DOMID_IO), D(DOMID_XEN), D(DOMID_COW), D(DOMID_INVALID), D(DOMID_IDLE),
    };
    return domid - DOMID_FIRST_RESERVED < ARRAY_SIZE(names) ? names[domid - DOMID_FIRST_RESERVED] : NULL;
}
