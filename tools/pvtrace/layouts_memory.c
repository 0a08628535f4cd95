/* Describes the structures of memory_op, grant_table_op and xen_version. See layouts.c for the others. */
#include "tools/pvtrace/decode.h"

#include <public/grant_table.h>
#include <public/memory.h>
#include <public/version.h>

#define N(name) [name] = #name

VALUE(frame_element, xen_pfn_t, .kind = K_HEX);

/* --- Memory -------------------------------------------------------------------------------------------------------- */
NAMES(map_spaces, N(XENMAPSPACE_shared_info), N(XENMAPSPACE_grant_table), N(XENMAPSPACE_gmfn),
      N(XENMAPSPACE_gmfn_range), N(XENMAPSPACE_gmfn_foreign), N(XENMAPSPACE_dev_mmio));

/* What the list of extents is differs: given, asked for and answered, only answered. */
#define M struct xen_memory_reservation
#define RESERVATION(id, side) \
    LAYOUT(id, M, FIELD(M, extent_start, K_ARRAY, side, ARRAY_OF(M, nr_extents, frame_element)), \
           FIELD(M, nr_extents, K_DEC, IN), FIELD(M, extent_order, K_DEC, IN), \
           FIELD(M, mem_flags, K_HEX, IN, .optional = true), FIELD(M, domid, K_DOMID, IN))
RESERVATION(extents_in, IN);
RESERVATION(extents_both, BOTH);
RESERVATION(extents_out, OUT);
#undef M

#define M struct xen_memory_exchange
LAYOUT(exchange, M, FIELD(M, in, K_STRUCT, IN, .layout = &extents_in),
       FIELD(M, out, K_STRUCT, BOTH, .layout = &extents_both), FIELD(M, nr_exchanged, K_DEC, BOTH));
#undef M
LAYOUT(memory_domain, struct xen_memory_domain, FIELD(struct xen_memory_domain, domid, K_DOMID, IN));
#define M struct xen_machphys_mfn_list
LAYOUT(mfn_list, M, FIELD(M, max_extents, K_DEC, IN),
       FIELD(M, extent_start, K_ARRAY, OUT, ARRAY_OF(M, nr_extents, frame_element)),
       FIELD(M, nr_extents, K_DEC, OUT));
#undef M
#define M struct xen_machphys_mapping
LAYOUT(machphys_mapping, M, FIELD(M, v_start, K_HEX, OUT), FIELD(M, v_end, K_HEX, OUT),
       FIELD(M, max_mfn, K_HEX, OUT));
#undef M
#define M struct xen_add_to_physmap
LAYOUT(add_to_physmap, M, FIELD(M, domid, K_DOMID, IN), FIELD(M, size, K_DEC, IN, .optional = true),
       FIELD(M, space, K_ENUM, IN, .names = &map_spaces), FIELD(M, idx, K_HEX, IN), FIELD(M, gpfn, K_HEX, IN));
#undef M
#define M struct xen_add_to_physmap_batch
LAYOUT(add_batch, M, FIELD(M, domid, K_DOMID, IN), FIELD(M, space, K_ENUM, IN, .names = &map_spaces),
       FIELD(M, size, K_DEC, IN), FIELD_AS("foreign_domid", M, u.foreign_domid, K_DOMID, IN),
       FIELD(M, idxs, K_ARRAY, IN, ARRAY_OF(M, size, frame_element)),
       FIELD(M, gpfns, K_ARRAY, IN, ARRAY_OF(M, size, frame_element)));
#undef M
#define M struct xen_remove_from_physmap
LAYOUT(remove_from_physmap, M, FIELD(M, domid, K_DOMID, IN), FIELD(M, gpfn, K_HEX, IN));
#undef M

struct e820_entry {                 /* as the BIOS call gives it */
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));
NAMES(e820_types, [1] = "RAM", [2] = "RESERVED", [3] = "ACPI", [4] = "NVS", [5] = "UNUSABLE");

#define M struct e820_entry
LAYOUT(e820, M, FIELD(M, addr, K_HEX, OUT), FIELD(M, size, K_HEX, OUT),
       FIELD(M, type, K_ENUM, OUT, .names = &e820_types));
#undef M
#define M struct xen_memory_map
LAYOUT(memory_map, M, FIELD(M, nr_entries, K_DEC, BOTH),
       FIELD(M, buffer, K_ARRAY, OUT, ARRAY_OF(M, nr_entries, e820)));
#undef M
#define M struct xen_pod_target
LAYOUT(pod_target, M, FIELD(M, target_pages, K_DEC, IN), FIELD(M, domid, K_DOMID, IN),
       FIELD(M, tot_pages, K_DEC, OUT),
       FIELD(M, pod_cache_pages, K_DEC, OUT), FIELD(M, pod_entries, K_DEC, OUT));
#undef M
#define M struct xen_mem_acquire_resource
LAYOUT(acquire_resource, M, FIELD(M, domid, K_DOMID, IN), FIELD(M, type, K_DEC, IN), FIELD(M, id, K_DEC, IN),
       FIELD(M, nr_frames, K_DEC, BOTH), FIELD(M, frame, K_HEX, IN),
       FIELD(M, frame_list, K_ARRAY, OUT, ARRAY_OF(M, nr_frames, frame_element)));
#undef M

const struct layout *const memory_layouts[] = {
    [XENMEM_increase_reservation] = &extents_out, [XENMEM_decrease_reservation] = &extents_in,
    [XENMEM_populate_physmap] = &extents_both, [XENMEM_claim_pages] = &extents_in, [XENMEM_exchange] = &exchange,
    [XENMEM_current_reservation] = &memory_domain, [XENMEM_maximum_reservation] = &memory_domain,
    [XENMEM_maximum_gpfn] = &memory_domain, [XENMEM_machphys_mfn_list] = &mfn_list,
    [XENMEM_machphys_mapping] = &machphys_mapping, [XENMEM_add_to_physmap] = &add_to_physmap,
    [XENMEM_add_to_physmap_batch] = &add_batch, [XENMEM_remove_from_physmap] = &remove_from_physmap,
    [XENMEM_memory_map] = &memory_map, [XENMEM_machine_memory_map] = &memory_map,
    [XENMEM_set_pod_target] = &pod_target, [XENMEM_get_pod_target] = &pod_target,
    [XENMEM_acquire_resource] = &acquire_resource,
};
const unsigned nr_memory_layouts = ARRAY_SIZE(memory_layouts);

/* --- Grants -------------------------------------------------------------------------------------------------------- */
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
#define STATUS(type) FIELD(type, status, K_ENUM, OUT, .names = &grant_status)

#define G struct gnttab_map_grant_ref
LAYOUT(map_grant, G, FIELD(G, host_addr, K_HEX, IN), FIELD(G, flags, K_FLAGS, IN, .names = &map_flags),
       FIELD(G, ref, K_DEC, IN), FIELD(G, dom, K_DOMID, IN), STATUS(G), FIELD(G, handle, K_DEC, OUT),
       FIELD(G, dev_bus_addr, K_HEX, OUT));
#undef G
#define G struct gnttab_unmap_grant_ref
LAYOUT(unmap_grant, G, FIELD(G, host_addr, K_HEX, IN), FIELD(G, dev_bus_addr, K_HEX, IN, .optional = true),
       FIELD(G, handle, K_DEC, IN), STATUS(G));
#undef G
#define G struct gnttab_setup_table
LAYOUT(setup_table, G, FIELD(G, dom, K_DOMID, IN), FIELD(G, nr_frames, K_DEC, IN), STATUS(G),
       FIELD(G, frame_list, K_ARRAY, OUT, ARRAY_OF(G, nr_frames, frame_element)));
#undef G
#define G struct gnttab_dump_table
LAYOUT(dump_table, G, FIELD(G, dom, K_DOMID, IN), STATUS(G));
#undef G
#define G struct gnttab_transfer
LAYOUT(transfer, G, FIELD(G, mfn, K_HEX, IN), FIELD(G, domid, K_DOMID, IN), FIELD(G, ref, K_DEC, IN),
       STATUS(G));
#undef G

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
    text_str(t, ", offset=");
    text_hex(t, offset);
    text_str(t, "}");
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

#define G struct gnttab_copy
LAYOUT(grant_copy, G, FIELD(G, source, K_SPECIAL, IN, .special = copy_source),
       FIELD(G, dest, K_SPECIAL, IN, .special = copy_dest), FIELD(G, len, K_DEC, IN),
       FIELD(G, flags, K_FLAGS, IN, .names = &copy_flags), STATUS(G));
#undef G
#define G struct gnttab_query_size
LAYOUT(query_size, G, FIELD(G, dom, K_DOMID, IN), FIELD(G, nr_frames, K_DEC, OUT),
       FIELD(G, max_nr_frames, K_DEC, OUT),
       STATUS(G));
#undef G
#define G struct gnttab_unmap_and_replace
LAYOUT(unmap_and_replace, G, FIELD(G, host_addr, K_HEX, IN), FIELD(G, new_addr, K_HEX, IN),
       FIELD(G, handle, K_DEC, IN),
       STATUS(G));
#undef G
LAYOUT(set_version, struct gnttab_set_version, FIELD(struct gnttab_set_version, version, K_DEC, BOTH));
#define G struct gnttab_get_status_frames
LAYOUT(status_frames, G, FIELD(G, nr_frames, K_DEC, IN), FIELD(G, dom, K_DOMID, IN), STATUS(G),
       FIELD(G, frame_list, K_ARRAY, OUT, ARRAY_OF(G, nr_frames, frame_element)));
#undef G
#define G struct gnttab_get_version
LAYOUT(get_version, G, FIELD(G, dom, K_DOMID, IN), FIELD(G, version, K_DEC, OUT));
#undef G
#define G struct gnttab_swap_grant_ref
LAYOUT(swap_grant_ref, G, FIELD(G, ref_a, K_DEC, IN), FIELD(G, ref_b, K_DEC, IN), STATUS(G));
#undef G
#define G struct gnttab_cache_flush
LAYOUT(cache_flush, G, FIELD_AS("dev_bus_addr", G, a.dev_bus_addr, K_HEX, IN), FIELD(G, offset, K_DEC, IN),
       FIELD(G, length, K_DEC, IN),
       FIELD(G, op, K_FLAGS, IN, .names = &cache_flags));
#undef G

const struct layout *const grant_layouts[] = {
    [GNTTABOP_map_grant_ref] = &map_grant, [GNTTABOP_unmap_grant_ref] = &unmap_grant,
    [GNTTABOP_setup_table] = &setup_table, [GNTTABOP_dump_table] = &dump_table, [GNTTABOP_transfer] = &transfer,
    [GNTTABOP_copy] = &grant_copy, [GNTTABOP_query_size] = &query_size,
    [GNTTABOP_unmap_and_replace] = &unmap_and_replace, [GNTTABOP_set_version] = &set_version,
    [GNTTABOP_get_status_frames] = &status_frames, [GNTTABOP_get_version] = &get_version,
    [GNTTABOP_swap_grant_ref] = &swap_grant_ref, [GNTTABOP_cache_flush] = &cache_flush,
};
const unsigned nr_grant_layouts = ARRAY_SIZE(grant_layouts);

/* --- Version ------------------------------------------------------------------------------------------------------- */
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
#define X struct xen_compile_info
LAYOUT(compile_info, X, FIELD(X, compiler, K_STRING, OUT), FIELD(X, compile_by, K_STRING, OUT),
       FIELD(X, compile_domain, K_STRING, OUT), FIELD(X, compile_date, K_STRING, OUT));
#undef X
LAYOUT(platform_parameters, struct xen_platform_parameters,
       FIELD(struct xen_platform_parameters, virt_start, K_HEX, OUT));
#define X struct xen_feature_info
LAYOUT(feature_info, X, FIELD(X, submap_idx, K_DEC, IN), FIELD(X, submap, K_FLAGS, OUT, .names = &features));
#undef X
#define X struct xen_build_id
LAYOUT(build_id, X, FIELD(X, len, K_DEC, IN),
       { .name = "buf", .offset = offsetof(X, buf), .size = 20, .kind = K_BYTES, .side = OUT });
#undef X

const struct layout *const version_layouts[] = {
    [XENVER_extraversion] = &extraversion, [XENVER_compile_info] = &compile_info,
    [XENVER_capabilities] = &capabilities, [XENVER_changeset] = &changeset,
    [XENVER_platform_parameters] = &platform_parameters, [XENVER_get_features] = &feature_info,
    [XENVER_guest_handle] = &domain_handle, [XENVER_commandline] = &commandline, [XENVER_build_id] = &build_id,
};
const unsigned nr_version_layouts = ARRAY_SIZE(version_layouts);
