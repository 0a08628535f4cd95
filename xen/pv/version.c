/* What the hypervisor says of itself: xen_version, and vm_assist, whose choices it reports. Numbers are
 * those of the ABI that is offered; the names say whose hypervisor it is. */
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
#define DENIED "<denied>"       /* to an ordinary domain, where the answer is the machine owner's business */

/* A text of a fixed size, the rest of it zero. */
static long put_text(uint64_t arg, const char *text, size_t size)
{
    char buf[XEN_CAPABILITIES_INFO_LEN] = { 0 };

    copy_string(buf, text, MIN(size, sizeof(buf)));
    return copy_to_guest(arg, buf, size);
}

static long version_version(uint64_t arg)
{
    (void)arg;
    return ABI_MAJOR << 16 | ABI_MINOR;
}

static long version_extraversion(uint64_t arg)
{
    return put_text(arg, "-paragon", XEN_EXTRAVERSION_LEN);
}

static long version_compile_info(uint64_t arg)
{
    struct xen_compile_info info = { .compile_by = "paragon" };

    copy_string(info.compiler, COMPILER __VERSION__, sizeof(info.compiler));
    return copy_to_guest(arg, &info, sizeof(info));
}

static long version_capabilities(uint64_t arg)
{
    return put_text(arg, "xen-3.0-x86_64", XEN_CAPABILITIES_INFO_LEN);
}

static long version_changeset(uint64_t arg)
{
    return put_text(arg, "Paragon", XEN_CHANGESET_INFO_LEN);
}

static long version_platform_parameters(uint64_t arg)
{
    struct xen_platform_parameters params = { .virt_start = HOLE_START };

    return copy_to_guest(arg, &params, sizeof(params));
}

static long version_get_features(uint64_t arg)
{
    struct xen_feature_info fi;

    if (copy_from_guest(&fi, arg, sizeof(fi)) != 0)
        return -EFAULT;
    if (fi.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -EINVAL;
    fi.submap = 1u << XENFEAT_mmu_pt_update_preserve_ad | 1u << XENFEAT_highmem_assist |
                1u << XENFEAT_gnttab_map_avail_bits | 1u << XENFEAT_memory_op_vnode_supported |
                1u << XENFEAT_direct_mapped;
    if (current->domain->vm_assist & (1ull << VMASST_TYPE_pae_extended_cr3))
        fi.submap |= 1u << XENFEAT_pae_pgdir_above_4gb;
    return copy_to_guest(arg, &fi, sizeof(fi));
}

static long version_pagesize(uint64_t arg)
{
    return arg == 0 ? (long)PAGE_SIZE : -EINVAL;
}

static long version_guest_handle(uint64_t arg)
{
    static const xen_domain_handle_t none;      /* nobody has given the domain one */

    return copy_to_guest(arg, &none, sizeof(none));
}

static long version_commandline(uint64_t arg)
{
    return copy_to_guest(arg, DENIED, sizeof(DENIED));
}

static long version_build_id(uint64_t arg)
{
    (void)arg;
    return -EPERM;
}

static long (*const version_table[])(uint64_t arg) = {
    [XENVER_version] = version_version,
    [XENVER_extraversion] = version_extraversion,
    [XENVER_compile_info] = version_compile_info,
    [XENVER_capabilities] = version_capabilities,
    [XENVER_changeset] = version_changeset,
    [XENVER_platform_parameters] = version_platform_parameters,
    [XENVER_get_features] = version_get_features,
    [XENVER_pagesize] = version_pagesize,
    [XENVER_guest_handle] = version_guest_handle,
    [XENVER_commandline] = version_commandline,
    [XENVER_build_id] = version_build_id,
};

long do_xen_version(int cmd, uint64_t arg)
{
    if ((unsigned)cmd >= ARRAY_SIZE(version_table))
        return -ENOSYS;
    return version_table[cmd](arg);
}
