/* Descriptor tables: each vCPU may have one frame of the model as its GDT, and one page of LDT at
 * the address of a place. The CPU reads and writes them in windows, and caches these as it caches
 * the guest's own pages: what is taken out of a window stays usable until the CPU flushes. A guest
 * may use them at any time, so there are no calls for that: while a frame is in a window of a CPU,
 * or was and the CPU has not flushed since, it must be a descriptor page. */
#include <string.h>
#include "model.h"
#include "support.h"
#include "xen/cpu/segments.h"
#include "xen/pv/desc.h"
#include "xen/pv/hypercalls.h"

#define ENTRIES DESCS_PER_FRAME         /* one frame's */
#define NO_BASE 0xffu

/* Taken out of a window of that CPU, which has not flushed since: GDT, LDT; 0: nothing. */
static mfn_t stale[2][2];

void __wrap_arch_map_gdt(struct vcpu *v, const mfn_t *mfns, unsigned nr_frames);
void __wrap_arch_clear_ldt(struct vcpu *v);
void __wrap_arch_flush_all(void);
void __wrap_arch_load_root_and_flush(struct vcpu *v);
void __real_arch_map_gdt(struct vcpu *v, const mfn_t *mfns, unsigned nr_frames);
void __real_arch_clear_ldt(struct vcpu *v);
void __real_arch_flush_all(void);
void __real_arch_load_root_and_flush(struct vcpu *v);

void __wrap_arch_map_gdt(struct vcpu *v, const mfn_t *mfns, unsigned nr_frames)
{
    if (scope->descriptors && host_vcpu(v)->gdt[0] != 0)
        stale[v->id][0] = host_vcpu(v)->gdt[0];
    __real_arch_map_gdt(v, mfns, nr_frames);
}

void __wrap_arch_clear_ldt(struct vcpu *v)
{
    if (scope->descriptors && host_vcpu(v)->ldt[0] != 0)
        stale[v->id][1] = host_vcpu(v)->ldt[0];
    __real_arch_clear_ldt(v);
}

void __wrap_arch_flush_all(void)
{
    __real_arch_flush_all();
    memset(stale[current->id & 1], 0, sizeof(stale[0]));
}

void __wrap_arch_load_root_and_flush(struct vcpu *v)
{
    __real_arch_load_root_and_flush(v);
    memset(stale[v->id & 1], 0, sizeof(stale[0]));
}

/* --- Calls ------------------------------------------------------------------------------------ */

bool set_gdt_op(mfn_t mfn)
{
    *(uint64_t *)argument() = mfn;
    return do_set_gdt(SCRATCH, mfn != 0 ? ENTRIES : 0) == 0;
}

bool set_ldt_op(uint64_t va)
{
    *(struct mmuext_op *)argument() = (struct mmuext_op){
        .cmd = MMUEXT_SET_LDT, .arg1.linear_addr = va, .arg2.nr_ents = va != 0 ? ENTRIES : 0 };
    return do_mmuext_op(SCRATCH, 1, 0, DOMID_SELF) == 0;
}

/* --- States ----------------------------------------------------------------------------------- */

static uint8_t place_at(uint64_t va, const struct renaming *r)
{
    for (unsigned i = 0; i < nr_places; i++)
        if (places[i].va == va)
            return r->place[i];
    return NO_BASE;
}

uint8_t *descriptors_save(uint8_t *put, const struct renaming *r)
{
    for (unsigned a = 0; a < nr_actors; a++) {
        const struct vcpu *v = actors[r->cpu[a]];

        *put++ = (uint8_t)(code_of((uint32_t)v->gdt_frames[0]) |
                           code_of((uint32_t)v->ldt_mfn[0]) << 4);
        *put++ = v->ldt_ents != 0 ? place_at(v->ldt_base, r) : NO_BASE;
    }
    return put;
}

static void load_gdt(struct vcpu *v, mfn_t mfn)
{
    v->gdt_frames[0] = host_vcpu(v)->gdt[0] = mfn;
    host_vcpu(v)->nr_gdt = mfn != 0;
    v->gdt_ents = mfn != 0 ? ENTRIES : 0;
}

static void load_ldt(struct vcpu *v, mfn_t mfn, unsigned place)
{
    v->ldt_mfn[0] = host_vcpu(v)->ldt[0] = mfn;
    v->ldt_mapped = mfn != 0;
    v->ldt_base = place != NO_BASE ? places[place].va : 0;
    v->ldt_ents = place != NO_BASE ? ENTRIES : 0;
    host_vcpu(v)->loaded_ldt_ents = v->ldt_ents;
}

const uint8_t *descriptors_load(const uint8_t *b)
{
    memset(stale, 0, sizeof(stale));
    for (unsigned a = 0; a < nr_actors; a++, b += 2) {
        load_gdt(actors[a], mfn_of(b[0] & 15));
        load_ldt(actors[a], mfn_of(b[0] >> 4), b[1]);
    }
    return b;
}

/* --- Checks ----------------------------------------------------------------------------------- */

unsigned descriptor_uses(mfn_t mfn)
{
    unsigned nr = 0;

    for (unsigned a = 0; a < nr_actors && scope->descriptors; a++)
        nr += (actors[a]->gdt_frames[0] == mfn) + (actors[a]->ldt_mfn[0] == mfn);
    return nr;
}

static bool is_descriptor_page(mfn_t mfn)
{
    const struct frame *f = mfn_to_frame(mfn);

    return f->owner == domains[0]->mfn && f->word >> 60 == 5 && (f->word >> 27 & 0x7ffffff) != 0;
}

const char *check_windows(unsigned cpu, bool in_a_call)
{
    const struct host_vcpu *h = host_vcpu(actors[cpu]);
    const mfn_t usable[] = { h->gdt[0], h->ldt[0], stale[cpu][0], stale[cpu][1] };

    if (!scope->descriptors)
        return NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(usable); i++)
        if (usable[i] != 0 && !is_descriptor_page(usable[i]))
            return "a CPU's descriptor table is no descriptor page";
    return !in_a_call && (stale[cpu][0] | stale[cpu][1]) != 0
               ? "a CPU may still use an old descriptor table"
               : NULL;
}
