/* What the hypervisor says of itself: xen_version. The version numbers are those of the ABI that
 * is offered, the names are Paragon's. Called by the generated dispatch (common/abi.def). */
#include "arch/arch.h"
#include "common/string.h"
#include "xen/core/guest_access.h"
#include "xen/cpu/cpuid.h"
#include "xen/pv/hypercalls.h"

#ifdef __clang__
#define COMPILER "clang "
#else
#define COMPILER "gcc "
#endif
/* The answer for a domain without privileges. */
#define DENIED "<denied>"

long version_version(void)
{
    return ABI_MAJOR << 16 | ABI_MINOR;
}

long version_extraversion(xen_extraversion_t *op)
{
    copy_string(*op, "-paragon", sizeof(*op));
    return 0;
}

long version_compile_info(struct xen_compile_info *op)
{
    copy_string(op->compile_by, "paragon", sizeof(op->compile_by));
    copy_string(op->compiler, COMPILER __VERSION__, sizeof(op->compiler));
    return 0;
}

long version_capabilities(xen_capabilities_info_t *op)
{
    copy_string(*op, "xen-3.0-x86_64", sizeof(*op));
    return 0;
}

long version_changeset(xen_changeset_info_t *op)
{
    copy_string(*op, "Paragon", sizeof(*op));
    return 0;
}

long version_platform_parameters(struct xen_platform_parameters *op)
{
    op->virt_start = HOLE_START;
    return 0;
}

long version_get_features(struct xen_feature_info *op)
{
    if (op->submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    op->submap = 1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
                 1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_memory_op_vnode_supported |
                 1u << XENFEAT_direct_mapped;
    if (current->domain->vm_assist & (1ull << VMASST_TYPE_pae_extended_cr3))
        op->submap |= 1u << XENFEAT_pae_pgdir_above_4gb;
    return 0;
}

long version_pagesize(uint64_t arg)
{
    return arg == 0 ? (long)PAGE_SIZE : -EINVAL;
}

/* Copies no more bytes than the guest's buffer has. */
long version_commandline(uint64_t arg)
{
    return copy_to_guest(arg, DENIED, sizeof(DENIED));
}
