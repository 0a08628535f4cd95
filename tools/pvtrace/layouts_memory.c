/* Describes the structures of memory_op, grant_table_op and xen_version. See layouts.c for the others. */
#include "tools/pvtrace/decode.h"

#include <public/grant_table.h>
#include <public/memory.h>
#include <public/version.h>

#define N(name) [name] = #name

VALUE(frame_element, xen_pfn_t, .kind = K_HEX);

/* --- Memory ----------------------------------------------------------------------------------------- */
NAMES(map_spaces, N(XENMAPSPACE_shared_info), N(XENMAPSPACE_grant_table), N(XENMAPSPACE_gmfn),
      N(XENMAPSPACE_gmfn_range), N(XENMAPSPACE_gmfn_foreign), N(XENMAPSPACE_dev_mmio));

/* What the list of extents is differs: given, asked for and answered, only answered. */
#define RESERVATION(id, side) \
    LAYOUT(id, struct xen_memory_reservation, \
           (extent_start, K_ARRAY, side, \
            ARRAY_OF(struct xen_memory_reservation, nr_extents, frame_element)), \
           (nr_extents, K_DEC, IN), (extent_order, K_DEC, IN), \
           (mem_flags, K_HEX, IN, .optional = true), (domid, K_DOMID, IN))
RESERVATION(extents_in, IN);
RESERVATION(extents_both, BOTH);
RESERVATION(extents_out, OUT);

LAYOUT(exchange, struct xen_memory_exchange, (in, K_STRUCT, IN, .layout = &extents_in),
       (out, K_STRUCT, BOTH, .layout = &extents_both), (nr_exchanged, K_DEC, BOTH));
LAYOUT(memory_domain, struct xen_memory_domain, (domid, K_DOMID, IN));
LAYOUT(mfn_list, struct xen_machphys_mfn_list, (max_extents, K_DEC, IN),
       (extent_start, K_ARRAY, OUT, ARRAY_OF(struct xen_machphys_mfn_list, nr_extents, frame_element)),
       (nr_extents, K_DEC, OUT));
LAYOUT(machphys_mapping, struct xen_machphys_mapping, (v_start, K_HEX, OUT), (v_end, K_HEX, OUT),
       (max_mfn, K_HEX, OUT));
LAYOUT(add_to_physmap, struct xen_add_to_physmap, (domid, K_DOMID, IN),
       (size, K_DEC, IN, .optional = true), (space, K_ENUM, IN, .names = &map_spaces), (idx, K_HEX, IN),
       (gpfn, K_HEX, IN));
LAYOUT(add_batch, struct xen_add_to_physmap_batch, (domid, K_DOMID, IN),
       (space, K_ENUM, IN, .names = &map_spaces), (size, K_DEC, IN),
       (u.foreign_domid, K_DOMID, IN, .alias = "foreign_domid"),
       (idxs, K_ARRAY, IN, ARRAY_OF(struct xen_add_to_physmap_batch, size, frame_element)),
       (gpfns, K_ARRAY, IN, ARRAY_OF(struct xen_add_to_physmap_batch, size, frame_element)));
LAYOUT(remove_from_physmap, struct xen_remove_from_physmap, (domid, K_DOMID, IN), (gpfn, K_HEX, IN));

struct e820_entry {                 /* as the BIOS call gives it */
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));
NAMES(e820_types, [1] = "RAM", [2] = "RESERVED", [3] = "ACPI", [4] = "NVS", [5] = "UNUSABLE");

LAYOUT(e820, struct e820_entry, (addr, K_HEX, OUT), (size, K_HEX, OUT),
       (type, K_ENUM, OUT, .names = &e820_types));
LAYOUT(memory_map, struct xen_memory_map, (nr_entries, K_DEC, BOTH),
       (buffer, K_ARRAY, OUT, ARRAY_OF(struct xen_memory_map, nr_entries, e820)));
LAYOUT(pod_target, struct xen_pod_target, (target_pages, K_DEC, IN), (domid, K_DOMID, IN),
       (tot_pages, K_DEC, OUT), (pod_cache_pages, K_DEC, OUT), (pod_entries, K_DEC, OUT));
LAYOUT(acquire_resource, struct xen_mem_acquire_resource, (domid, K_DOMID, IN), (type, K_DEC, IN),
       (id, K_DEC, IN), (nr_frames, K_DEC, BOTH), (frame, K_HEX, IN),
       (frame_list, K_ARRAY, OUT, ARRAY_OF(struct xen_mem_acquire_resource, nr_frames, frame_element)));

const struct layout *const memory_layouts[] = {
    [XENMEM_increase_reservation] = &extents_out, [XENMEM_decrease_reservation] = &extents_in,
    [XENMEM_populate_physmap] = &extents_both, [XENMEM_claim_pages] = &extents_in,
    [XENMEM_exchange] = &exchange,
    [XENMEM_current_reservation] = &memory_domain, [XENMEM_maximum_reservation] = &memory_domain,
    [XENMEM_maximum_gpfn] = &memory_domain, [XENMEM_machphys_mfn_list] = &mfn_list,
    [XENMEM_machphys_mapping] = &machphys_mapping, [XENMEM_add_to_physmap] = &add_to_physmap,
    [XENMEM_add_to_physmap_batch] = &add_batch, [XENMEM_remove_from_physmap] = &remove_from_physmap,
    [XENMEM_memory_map] = &memory_map, [XENMEM_machine_memory_map] = &memory_map,
    [XENMEM_set_pod_target] = &pod_target, [XENMEM_get_pod_target] = &pod_target,
    [XENMEM_acquire_resource] = &acquire_resource,
};
const unsigned nr_memory_layouts = ARRAY_SIZE(memory_layouts);

/* --- Grants ----------------------------------------------------------------------------------------- */
NAMES(map_flags, [_GNTMAP_device_map] = "GNTMAP_device_map", [_GNTMAP_host_map] = "GNTMAP_host_map",
      [_GNTMAP_readonly] = "GNTMAP_readonly", [_GNTMAP_application_map] = "GNTMAP_application_map",
      [_GNTMAP_contains_pte] = "GNTMAP_contains_pte");
NAMES(copy_flags, [_GNTCOPY_source_gref] = "GNTCOPY_source_gref", [_GNTCOPY_dest_gref] = "GNTCOPY_dest_gref");
NAMES(cache_flags, [0] = "GNTTAB_CACHE_CLEAN", [1] = "GNTTAB_CACHE_INVAL", [31] = "GNTTAB_CACHE_SOURCE_GREF");

#define S(name) [-(name)] = #name
static const char *const grant_status_list[] = {
    S(GNTST_okay), S(GNTST_general_error), S(GNTST_bad_domain), S(GNTST_bad_gntref), S(GNTST_bad_handle),
    S(GNTST_bad_virt_addr), S(GNTST_bad_dev_addr), S(GNTST_no_device_space), S(GNTST_permission_denied),
    S(GNTST_bad_page), S(GNTST_bad_copy_arg), S(GNTST_address_too_big), S(GNTST_eagain), S(GNTST_no_space),
};
static const struct names grant_status = { .nr = ARRAY_SIZE(grant_status_list), .negative = true,
    .list = grant_status_list };
#define STATUS status, K_ENUM, OUT, .names = &grant_status

LAYOUT(map_grant, struct gnttab_map_grant_ref, (host_addr, K_HEX, IN),
       (flags, K_FLAGS, IN, .names = &map_flags), (ref, K_DEC, IN), (dom, K_DOMID, IN),
       (STATUS), (handle, K_DEC, OUT), (dev_bus_addr, K_HEX, OUT));
LAYOUT(unmap_grant, struct gnttab_unmap_grant_ref, (host_addr, K_HEX, IN),
       (dev_bus_addr, K_HEX, IN, .optional = true), (handle, K_DEC, IN),
       (STATUS));
LAYOUT(setup_table, struct gnttab_setup_table, (dom, K_DOMID, IN), (nr_frames, K_DEC, IN),
       (STATUS),
       (frame_list, K_ARRAY, OUT, ARRAY_OF(struct gnttab_setup_table, nr_frames, frame_element)));
LAYOUT(dump_table, struct gnttab_dump_table, (dom, K_DOMID, IN), (STATUS));
LAYOUT(transfer, struct gnttab_transfer, (mfn, K_HEX, IN), (domid, K_DOMID, IN), (ref, K_DEC, IN),
       (STATUS));

/* One end of a copy: a grant or a frame, as the flags say; offset and domain follow it. */
static bool copy_end(struct text *t, struct reader *r, uint64_t va, unsigned end, unsigned gref_flag)
{
#define MEMBER(m) va + end + offsetof(struct gnttab_copy_ptr, m), sizeof(((struct gnttab_copy_ptr *)0)->m)
    uint64_t flags, what, domid, offset;
    bool by_ref;

    if (!read_number(r, IN, va + offsetof(struct gnttab_copy, flags), sizeof(uint16_t), &flags))
        return false;
    by_ref = flags & gref_flag;
    if (!(by_ref ? read_number(r, IN, MEMBER(u.ref), &what) : read_number(r, IN, MEMBER(u.gmfn), &what)) ||
        !read_number(r, IN, MEMBER(domid), &domid) || !read_number(r, IN, MEMBER(offset), &offset))
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

static bool copy_source(struct text *t, struct reader *r, uint64_t va)
{
    return copy_end(t, r, va, offsetof(struct gnttab_copy, source), GNTCOPY_source_gref);
}

static bool copy_dest(struct text *t, struct reader *r, uint64_t va)
{
    return copy_end(t, r, va, offsetof(struct gnttab_copy, dest), GNTCOPY_dest_gref);
}

LAYOUT(grant_copy, struct gnttab_copy, (source, K_SPECIAL, IN, .special = copy_source),
       (dest, K_SPECIAL, IN, .special = copy_dest), (len, K_DEC, IN),
       (flags, K_FLAGS, IN, .names = &copy_flags), (STATUS));
LAYOUT(query_size, struct gnttab_query_size, (dom, K_DOMID, IN), (nr_frames, K_DEC, OUT),
       (max_nr_frames, K_DEC, OUT), (STATUS));
LAYOUT(unmap_and_replace, struct gnttab_unmap_and_replace, (host_addr, K_HEX, IN), (new_addr, K_HEX, IN),
       (handle, K_DEC, IN), (STATUS));
LAYOUT(set_version, struct gnttab_set_version, (version, K_DEC, BOTH));
LAYOUT(status_frames, struct gnttab_get_status_frames, (nr_frames, K_DEC, IN), (dom, K_DOMID, IN),
       (STATUS),
       (frame_list, K_ARRAY, OUT, ARRAY_OF(struct gnttab_get_status_frames, nr_frames, frame_element)));
LAYOUT(get_version, struct gnttab_get_version, (dom, K_DOMID, IN), (version, K_DEC, OUT));
LAYOUT(swap_grant_ref, struct gnttab_swap_grant_ref, (ref_a, K_DEC, IN), (ref_b, K_DEC, IN),
       (STATUS));
LAYOUT(cache_flush, struct gnttab_cache_flush, (a.dev_bus_addr, K_HEX, IN, .alias = "dev_bus_addr"),
       (offset, K_DEC, IN), (length, K_DEC, IN), (op, K_FLAGS, IN, .names = &cache_flags));

const struct layout *const grant_layouts[] = {
    [GNTTABOP_map_grant_ref] = &map_grant, [GNTTABOP_unmap_grant_ref] = &unmap_grant,
    [GNTTABOP_setup_table] = &setup_table, [GNTTABOP_dump_table] = &dump_table,
    [GNTTABOP_transfer] = &transfer, [GNTTABOP_copy] = &grant_copy, [GNTTABOP_query_size] = &query_size,
    [GNTTABOP_unmap_and_replace] = &unmap_and_replace, [GNTTABOP_set_version] = &set_version,
    [GNTTABOP_get_status_frames] = &status_frames, [GNTTABOP_get_version] = &get_version,
    [GNTTABOP_swap_grant_ref] = &swap_grant_ref, [GNTTABOP_cache_flush] = &cache_flush,
};
const unsigned nr_grant_layouts = ARRAY_SIZE(grant_layouts);

/* --- Version ---------------------------------------------------------------------------------------- */
#define F(name) [XENFEAT_##name] = "XENFEAT_" #name
NAMES(features, F(writable_page_tables), F(writable_descriptor_tables), F(auto_translated_physmap),
      F(supervisor_mode_kernel), F(pae_pgdir_above_4gb), F(mmu_pt_update_preserve_ad), F(highmem_assist),
      F(gnttab_map_avail_bits), F(hvm_callback_vector), F(hvm_safe_pvclock), F(hvm_pirqs), F(dom0),
      [12] = "XENFEAT_grant_map_identity", F(memory_op_vnode_supported), F(ARM_SMCCC_supported),
      F(linux_rsdp_unrestricted),
      F(not_direct_mapped), F(direct_mapped));

VALUE(extraversion, xen_extraversion_t, .kind = K_STRING);
VALUE(capabilities, xen_capabilities_info_t, .kind = K_STRING);
VALUE(changeset, xen_changeset_info_t, .kind = K_STRING);
VALUE(commandline, xen_commandline_t, .kind = K_STRING);
VALUE(domain_handle, xen_domain_handle_t, .kind = K_BYTES);
LAYOUT(compile_info, struct xen_compile_info, (compiler, K_STRING, OUT), (compile_by, K_STRING, OUT),
       (compile_domain, K_STRING, OUT), (compile_date, K_STRING, OUT));
LAYOUT(platform_parameters, struct xen_platform_parameters, (virt_start, K_HEX, OUT));
LAYOUT(feature_info, struct xen_feature_info, (submap_idx, K_DEC, IN),
       (submap, K_FLAGS, OUT, .names = &features));
static const struct field build_id_fields[] = {     /* the array at its end has no size */
    FIELD(struct xen_build_id, len, K_DEC, IN),
    { .name = "buf", .offset = offsetof(struct xen_build_id, buf), .size = 20, .kind = K_BYTES, .side = OUT },
};
static const struct layout build_id = { .size = sizeof(struct xen_build_id), .nr = 2,
                                        .fields = build_id_fields };

const struct layout *const version_layouts[] = {
    [XENVER_extraversion] = &extraversion, [XENVER_compile_info] = &compile_info,
    [XENVER_capabilities] = &capabilities, [XENVER_changeset] = &changeset,
    [XENVER_platform_parameters] = &platform_parameters, [XENVER_get_features] = &feature_info,
    [XENVER_guest_handle] = &domain_handle, [XENVER_commandline] = &commandline,
    [XENVER_build_id] = &build_id,
};
const unsigned nr_version_layouts = ARRAY_SIZE(version_layouts);
