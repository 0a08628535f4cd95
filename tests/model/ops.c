/* The calls that the kernels can make about the frames of the model, and what the CPU and the
 * hypervisor do besides: a table of all of them, made for a scope, and how each is printed as a
 * line of C. How they are run: run.c, run_grant.c. */
#include <stdio.h>
#include "model.h"
#include "support.h"
#include "xen/pv/grant.h"

struct op ops[MAX_CALLS];
unsigned nr_ops;

static void add(struct op op)
{
    HOST_CHECK(nr_ops < MAX_CALLS, "%u calls", nr_ops);
    ops[nr_ops++] = op;
}

#define ADD(...) add((struct op){ .actor = (uint8_t)actor, __VA_ARGS__ })

/* With two domains there are enough calls without those that the scopes of one domain try. */
static bool alone(void)
{
    return nr_domains == 1;
}

static void add_access_ops(uint8_t place, unsigned actor)
{
    ADD(.kind = OP_READ, .place = place);
    ADD(.kind = OP_WRITE, .place = place);
}

static void add_place_ops(uint8_t place, unsigned values, unsigned actor)
{
    for (uint8_t value = 0; value < values; value++) {
        if (value == VALUE_STRANGER && !alone())
            continue;
        if (places[place].level > 1) {
            ADD(.kind = OP_MMU_UPDATE_PLACE, .place = place, .value = value);
            continue;
        }
        ADD(.kind = OP_UPDATE_VA, .place = place, .value = value);
        if (!alone())
            continue;
        ADD(.kind = scope->two_cpus ? OP_UPDATE_VA_ALL : OP_UPDATE_VA_INVLPG, .place = place,
            .value = value);
        if (value != VALUE_STRANGER)
            ADD(.kind = OP_PTWR, .place = place, .value = value);
    }
    add_access_ops(place, actor);
    if (alone())
        ADD(.kind = OP_INVLPG, .place = place);
}

static void add_frame_ops(uint8_t frame, unsigned values, unsigned actor)
{
    for (uint8_t level = 1; level <= (scope->levels ? scope->levels : 4); level++)
        ADD(.kind = OP_PIN, .frame = frame, .arg = level);
    for (uint8_t entry = 0; entry < scope->nr_entries; entry++)
        for (uint8_t value = 0; value < values; value++)
            if (value != VALUE_STRANGER || alone())
                ADD(.kind = OP_MMU_UPDATE, .frame = frame, .arg = entry, .value = value);
    ADD(.kind = OP_UNPIN, .frame = frame);
    if (alone()) {
        ADD(.kind = OP_USER_ROOT, .frame = frame, .arg = 1);
        ADD(.kind = OP_CLEAR, .frame = frame);
    } else if (scope->comes_back) {
        ADD(.kind = OP_EXCHANGE, .frame = frame);
    }
    ADD(.kind = OP_DECREASE, .frame = frame);
    if (scope->comes_back && actor == 0)
        ADD(.kind = OP_HV_GIVES, .frame = frame);
}

/* arg: there is one; else the vCPU has no such table any more. */
static void add_descriptor_ops(unsigned actor)
{
    ADD(.kind = OP_SET_GDT);
    for (uint8_t frame = 0; frame < scope->nr_frames; frame++)
        ADD(.kind = OP_SET_GDT, .frame = frame, .arg = 1);
    ADD(.kind = OP_SET_LDT);
    for (uint8_t place = 0; place < nr_places; place++)
        ADD(.kind = OP_SET_LDT, .place = place, .arg = 1);
    ADD(.kind = OP_LDT_FAULT);
}

/* --- Grants ----------------------------------------------------------------------------------- */

static bool is_place_of(unsigned place, unsigned domain)
{
    return places[place].domain == domain && places[place].level == 1;
}

/* By address, or by an entry of one of the frames, if that is an L1 of the domain; for devices;
 * for both. */
static void add_map_ops(unsigned actor, uint8_t number)
{
    for (uint8_t readonly = 0; readonly <= GNTMAP_readonly; readonly += GNTMAP_readonly) {
        for (uint8_t place = 0; place < nr_places; place++)
            if (is_place_of(place, actor)) {
                ADD(.kind = OP_MAP, .number = number, .place = place,
                    .arg = GNTMAP_host_map | readonly);
                ADD(.kind = OP_MAP, .number = number, .place = place,
                    .arg = GNTMAP_host_map | GNTMAP_device_map | readonly);
            }
        for (uint8_t frame = 0; frame < scope->nr_frames; frame++)
            ADD(.kind = OP_MAP, .number = number, .place = NOWHERE, .frame = frame,
                .arg = GNTMAP_host_map | GNTMAP_contains_pte | readonly);
        ADD(.kind = OP_MAP, .number = number, .place = NOWHERE,
            .arg = GNTMAP_device_map | readonly);
    }
}

static void add_unmap_ops(unsigned actor, uint8_t handle)
{
    for (uint8_t place = 0; place < nr_places; place++) {
        if (!is_place_of(place, actor))
            continue;
        ADD(.kind = OP_UNMAP, .number = handle, .place = place, .arg = GNTMAP_host_map);
        ADD(.kind = OP_UNMAP, .number = handle, .place = place,
            .arg = GNTMAP_host_map | GNTMAP_device_map);
        ADD(.kind = OP_REPLACE, .number = handle, .place = place, .arg = NOWHERE);
        for (uint8_t from = 0; from < nr_places; from++)
            if (is_place_of(from, actor))
                ADD(.kind = OP_REPLACE, .number = handle, .place = place, .arg = from);
    }
    for (uint8_t frame = 0; frame < scope->nr_frames; frame++)
        ADD(.kind = OP_UNMAP, .number = handle, .place = NOWHERE, .frame = frame,
            .arg = GNTMAP_host_map | GNTMAP_contains_pte);
    ADD(.kind = OP_UNMAP, .number = handle, .place = NOWHERE, .arg = GNTMAP_device_map);
}

/* Calls of one domain, which grants frames and maps grants. */
static void add_grant_ops(unsigned actor)
{
    for (uint8_t ref = 0; ref < scope->second.refs[actor]; ref++)
        for (uint8_t value = 0; value < VALUE_RO(scope->nr_frames); value++)
            if (value != VALUE_STRANGER)
                ADD(.kind = OP_GRANT, .number = ref, .value = value);
    for (uint8_t ref = 0; ref < scope->second.refs[1 - actor]; ref++) {
        if (scope->second.handles[actor] != 0)
            add_map_ops(actor, ref);
        for (uint8_t frame = 0; frame < scope->nr_frames; frame++) {
            ADD(.kind = OP_COPY_FROM, .number = ref, .frame = frame);
            ADD(.kind = OP_COPY_TO, .number = ref, .frame = frame);
        }
    }
    for (uint8_t handle = 0; handle < scope->second.handles[actor]; handle++)
        add_unmap_ops(actor, handle);
}

/* A second vCPU that calls only in windows makes the calls of the first. */
static unsigned nr_callers(void)
{
    return scope->two_cpus ? 2 : nr_domains;
}

void ops_make(void)
{
    unsigned values = VALUE_RO(scope->nr_frames), actor = 0;

    nr_ops = 0;
    for (uint8_t place = 0; place < nr_places; place++)
        for (actor = 0; actor < nr_callers(); actor++)
            if (places[place].domain == domain_of_actor(actor))
                add_place_ops(place, values, actor);
    for (actor = 0; actor < nr_callers(); actor++) {
        for (uint8_t frame = 0; frame < scope->nr_frames; frame++)
            add_frame_ops(frame, values, actor);
        if (scope->comes_back)
            ADD(.kind = OP_INCREASE);
        if (scope->descriptors)
            add_descriptor_ops(actor);
        if (!alone())
            add_grant_ops(actor);
        else
            ADD(.kind = OP_USER_ROOT);
    }
    actor = 2;
    for (uint8_t place = 0; place < nr_places && scope->third_cpu; place++)
        if (places[place].domain == domain_of_actor(actor))
            add_access_ops(place, actor);
    actor = 0;
    ADD(.kind = OP_HV_TAKES);
    for (actor = 0; actor < nr_tlbs(); actor++) {
        ADD(.kind = OP_FLUSH);
        if (scope->two_cpus && alone())
            ADD(.kind = OP_FLUSH_ALL);
    }
}

/* --- How they are written --------------------------------------------------------------------- */

/* %1 frame, %2 place, %3 arg, %4 value, %5 number, %6 where a grant is mapped, %7 a mapping's
 * flags, %8 a second place */
static const char *const line[] = {
    [OP_UPDATE_VA] = "update_va_mapping(va[%2$u], %4$s, 0)",
    [OP_UPDATE_VA_INVLPG] = "update_va_mapping(va[%2$u], %4$s, UVMF_INVLPG)",
    [OP_UPDATE_VA_ALL] = "update_va_mapping(va[%2$u], %4$s, UVMF_INVLPG | UVMF_ALL)",
    [OP_MMU_UPDATE_PLACE] = "mmu_update(slot_of(va[%2$u]), %4$s)",
    [OP_MMU_UPDATE] = "mmu_update(maddr(frame[%1$u]) + 8 * %3$u, %4$s)",
    [OP_PTWR] = "ptwr: *(uint64_t *)va[%2$u] = %4$s",
    [OP_PIN] = "mmuext(MMUEXT_PIN_L%3$u_TABLE, frame[%1$u])",
    [OP_UNPIN] = "mmuext(MMUEXT_UNPIN_TABLE, frame[%1$u])",
    [OP_USER_ROOT] = "mmuext(MMUEXT_NEW_USER_BASEPTR, frame[%1$u])",
    [OP_CLEAR] = "mmuext(MMUEXT_CLEAR_PAGE, frame[%1$u])",
    [OP_DECREASE] = "memory_op(XENMEM_decrease_reservation, frame[%1$u])",
    [OP_INCREASE] = "memory_op(XENMEM_increase_reservation)",
    [OP_EXCHANGE] = "memory_op(XENMEM_exchange, frame[%1$u])",
    [OP_HV_TAKES] = "alloc_page()",
    [OP_HV_GIVES] = "free_page(frame[%1$u])",
    [OP_READ] = "guest_read(va[%2$u])",
    [OP_WRITE] = "guest_write(va[%2$u])",
    [OP_FLUSH] = "mmuext(MMUEXT_TLB_FLUSH_LOCAL)",
    [OP_FLUSH_ALL] = "mmuext(MMUEXT_TLB_FLUSH_ALL)",
    [OP_INVLPG] = "mmuext(MMUEXT_INVLPG_LOCAL, va[%2$u])",
    [OP_SET_GDT] = "set_gdt(%3$u of frame[%1$u])",
    [OP_SET_LDT] = "mmuext(MMUEXT_SET_LDT, %3$u of va[%2$u])",
    [OP_LDT_FAULT] = "the CPU uses its LDT",
    [OP_GRANT] = "grant_entry[%5$u] = %4$s",
    [OP_MAP] = "map_grant_ref(entry %5$u, %6$s, %7$s)",
    [OP_UNMAP] = "unmap_grant_ref(handle %5$u, %6$s, %7$s)",
    [OP_REPLACE] = "unmap_and_replace(handle %5$u, %6$s, %8$s)",
    [OP_COPY_FROM] = "grant_copy(from entry %5$u, to frame[%1$u])",
    [OP_COPY_TO] = "grant_copy(from frame[%1$u], to entry %5$u)",
    [OP_END] = "the domain ends",
};

static const char *who(unsigned actor, const struct renaming *names)
{
    static const char *const domain[] = { "d1: ", "d2: " }, *const vcpu[] = { "", "vcpu1: " },
                      *const cpu[] = { "cpu0: ", "cpu1: ", "cpu2: " };

    return scope->two_cpus ? cpu[names->cpu[actor]] : nr_domains == 2 ? domain[actor] : vcpu[actor];
}

int op_print(char *text, size_t len, const struct op *op, unsigned actor,
             const struct renaming *names)
{
    const char *format = op->kind == OP_USER_ROOT && op->arg == 0
                             ? "mmuext(MMUEXT_NEW_USER_BASEPTR, 0)"
                             : line[op->kind];
    static const char *const flags[8] = {
        [1] = "device", [2] = "host", [3] = "host and device",
        [5] = "device, read-only", [6] = "host, read-only", [7] = "host and device, read-only",
    };
    bool by_handle = op->kind == OP_UNMAP || op->kind == OP_REPLACE;
    char value[32] = "0", where[40] = "-", from[16] = "0";
    int n = snprintf(text, len, "%s", who(actor, names));

    if (op->value == VALUE_STRANGER)
        snprintf(value, sizeof(value), "ro(stranger)");
    else if (op->value != VALUE_NONE)
        snprintf(value, sizeof(value), "%s(frame[%u])", op->value & 1 ? "rw" : "ro",
                 names->frame[(op->value - 2) / 2]);
    if (op->place != NOWHERE)
        snprintf(where, sizeof(where), "va[%u]", names->place[op->place]);
    else if (op->arg & GNTMAP_host_map)
        snprintf(where, sizeof(where), "maddr(frame[%u])", names->frame[op->frame]);
    if (op->kind == OP_REPLACE && op->arg != NOWHERE)
        snprintf(from, sizeof(from), "va[%u]", names->place[op->arg]);
    _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
    return n + snprintf(text + n, len - (size_t)n, format, names->frame[op->frame],
                        op->place != NOWHERE ? names->place[op->place] : 0, op->arg, value,
                        by_handle ? names->handle[op->number] : op->number, where,
                        flags[op->arg & 7], from);
}
