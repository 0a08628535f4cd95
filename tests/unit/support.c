/* The machine, the tiny kernel and the guests that support.h declares: used by the unit tests and
 * by the fuzzer of tests/fuzz. The fake machine itself is arch/host. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/arch.h"
#include "support.h"
#include "xen/boot/build.h"
#include "xen/boot/module_words.h"
#include "xen/boot/service.h"
#include "xen/core/alloc.h"
#include "xen/core/console.h"
#include "xen/core/domain.h"
#include "xen/core/domain_list.h"
#include "xen/core/frame.h"
#include "xen/core/sched_wake.h"
#include "xen/core/walk.h"
#include "xen/pv/audit.h"
#include "xen/pv/grant.h"
#include "xen/pv/grant_maptrack.h"
#include "xen/pv/hypercalls.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\nconsole:\n%s\n", __FILE__, __LINE__, #cond, host.console); \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* --- The tiny kernel -------------------------------------------------------------------------- */

void elf_add_note(struct tiny_elf *e, uint32_t type, const void *desc, uint32_t len)
{
    const uint32_t head[3] = { 4, len, type };
    uint8_t *p = e->notes + e->note.filesz;

    MUST(e->note.filesz + 16 + len + 4 < sizeof(e->notes));
    memcpy(p, head, 12);
    memcpy(p + 12, "Xen", 4);
    memcpy(p + 16, desc, len);
    e->note.filesz += 16 + (len + 3) / 4 * 4;
}

void elf_add_number(struct tiny_elf *e, uint32_t type, uint64_t value)
{
    elf_add_note(e, type, &value, sizeof(value));
}

void elf_make(struct tiny_elf *e)
{
    memset(e, 0, sizeof(*e));
    e->eh = (struct elf64_ehdr){
        .ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }, .type = 2, .machine = 62, .version = 1,
        .entry = GUEST_BASE, .phoff = 64, .ehsize = 64, .phentsize = 56, .phnum = 2,
    };
    e->load = (struct elf64_phdr){
        .type = 1, .flags = 7, .offset = TEXT_OFFSET, .vaddr = GUEST_BASE,
        .filesz = GUEST_TEXT_BYTES, .memsz = GUEST_IMAGE_BYTES, .align = 4096,
    };
    e->note = (struct elf64_phdr){ .type = 4, .flags = 4, .offset = NOTE_OFFSET, .align = 4 };
    memset(e->text, 0x90, sizeof(e->text));
    elf_add_note(e, XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
    elf_add_note(e, XEN_ELFNOTE_GUEST_OS, "tiny", 5);
    elf_add_note(e, XEN_ELFNOTE_LOADER, "generic", 8);
    elf_add_number(e, XEN_ELFNOTE_VIRT_BASE, GUEST_BASE);
    elf_add_number(e, XEN_ELFNOTE_PADDR_OFFSET, 0);
    elf_add_number(e, XEN_ELFNOTE_ENTRY, GUEST_BASE);
}

/* --- Machines and domains --------------------------------------------------------------------- */

static uint64_t free_at_start;
static unsigned next_unmapped;          /* of unmapped_frame() */

int machine_up_at(mfn_t base)
{
    const char *seed = getenv("HOST_SEED");

    host_start(base, 16, seed ? strtoull(seed, NULL, 0) : 12345);
    free_at_start = nr_free_frames();
    next_unmapped = 0;
    return 0;
}

int machine_up(void **state)
{
    (void)state;
    return machine_up_at(HIGH_BASE);
}

int low_machine_up(void **state)
{
    (void)state;
    return machine_up_at(LOW_BASE);
}

int machine_down(void **state)
{
    (void)state;
    host.stuck = false;
    host.byte_ticks = host.sending_until = host.port_ticks = 0;
    console_wait();
    guests_end();
    for (enum service_kind kind = 0; kind < NR_SERVICES; kind++)
        service_forget(kind);
    host_free_taken();
    if (nr_free_frames() != free_at_start) {
        fprintf(stderr, "frames lost: %lu free before, %lu after\n", free_at_start,
                nr_free_frames());
        return -1;
    }
    host_stop();
    return 0;
}

static struct tiny_elf kernel;

struct domain *guest_make_sized(domid_t id, unsigned nr_vcpus, uint64_t nr_frames, unsigned weight)
{
    struct domain_config c = {
        .name = "guest", .mem_bytes = nr_frames << PAGE_SHIFT, .vcpus = nr_vcpus, .weight = weight,
    };
    struct domain *d = domain_create(id, c.name, nr_vcpus, nr_frames, weight);

    if (d == NULL)
        return NULL;
    elf_make(&kernel);
    if (build_domain(d, &c, &kernel, sizeof(kernel), NULL, 0) != 0) {
        guest_end(d);
        return NULL;
    }
    domain_start(d);
    return d;
}

struct domain *guest_make(domid_t id, unsigned nr_vcpus)
{
    return guest_make_sized(id, nr_vcpus, GUEST_FRAMES, 256);
}

struct domain *guest_up(unsigned nr_vcpus)
{
    struct domain *d;

    machine_up_at(HIGH_BASE);
    d = guest_make(1, nr_vcpus);
    MUST(d != NULL);
    host_become(d->vcpu[0]);
    return d;
}

/* A domain that crashed while the test acted as one of its vCPUs ends only when that vCPU leaves
 * the hypervisor. */
static void end(struct domain *d)
{
    struct vcpu *v;
    unsigned i;

    domain_shutdown(d, SHUTDOWN_poweroff);
    for_each_vcpu(d, v, i)
        if (v != NULL && v->started)
            vcpu_wake(v);
}

void guest_end(struct domain *d)
{
    domid_t id = d->id;
    struct domain *other;

    host_become(cpus[0]->idle);
    end(d);
    (void)host_run(1000000000);
    for_each_domain(other)
        MUST(other->id != id || other->nr_frames != 0 || other->nr_hv_frames != 0);
}

/* How much time interrupt windows let pass while a domain's frames and tables are freed, which
 * takes some thousands of windows. */
static uint64_t windows_ns(void)
{
    return 10000ull * domain_count() * (host.window_ticks * 1000000000 / arch_tsc_hz());
}

void guests_end(void)
{
    struct domain *d;

    host_become(cpus[0]->idle);
    for_each_domain(d)
        end(d);
    (void)host_run(10000000000 + windows_ns());
    MUST(domain_count() == 0);
}

const struct start_info *guest_start_info(struct domain *d)
{
    uint64_t va = guest_regs(d->vcpu[0])->rsi;
    uint64_t *slot = walk_to_l1(d->vcpu[0]->root_kernel, va);

    MUST(slot != NULL && (*slot & PTE_P));
    return mfn_to_virt(PTE_MFN(*slot));
}

/* --- Hypercalls and memory of current --------------------------------------------------------- */

/* The memory is kept between audits, because allocating and freeing it would take much of their
 * time. No reference can exist to the many frame numbers below the RAM's first frame. */
void audit(void)
{
    static char *tallies;
    static mfn_t nr_tallies;
    mfn_t first = host_first_mfn();

    if (nr_tallies != max_mfn) {
        nr_tallies = max_mfn;
        free(tallies);
        tallies = calloc(nr_tallies, AUDIT_BYTES_PER_FRAME);
        MUST(tallies != NULL);
    }
    memset(tallies + first * AUDIT_BYTES_PER_FRAME, 0, (max_mfn - first) * AUDIT_BYTES_PER_FRAME);
    frame_audit_in(tallies);
    grant_audit();
    host_audit();
}

long hcall_args(uint64_t nr, const uint64_t a[6])
{
    long rc = hypercall_table[nr](a[0], a[1], a[2], a[3], a[4], a[5]);

    audit();
    return rc;
}

long hcall_struct(uint64_t nr, uint64_t cmd, void *arg, size_t len)
{
    long rc;

    guest_put(SCRATCH, arg, len);
    rc = hcall(nr, cmd, SCRATCH, 1);
    guest_get(arg, SCRATCH, len);
    return rc;
}

long hcall_mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = { .cmd = cmd };

    op.arg1.linear_addr = arg1;
    op.arg2.src_mfn = arg2;
    guest_put(SCRATCH, &op, sizeof(op));
    return hcall(__HYPERVISOR_mmuext_op, SCRATCH, 1, 0, DOMID_SELF);
}

long hcall_mmu_update(uint64_t ptr, uint64_t val)
{
    struct mmu_update u = { ptr, val };

    guest_put(SCRATCH, &u, sizeof(u));
    return hcall(__HYPERVISOR_mmu_update, SCRATCH, 1, 0, DOMID_SELF);
}

long multicall_result(uint64_t calls_va, unsigned i)
{
    struct multicall_entry e;

    guest_get(&e, calls_va + i * sizeof(e), sizeof(e));
    return (long)e.result;
}

mfn_t mfn_of_pfn(struct domain *d, pfn_t pfn)
{
    uint64_t *slot = walk_to_l1(d->vcpu[0]->root_kernel, GUEST_BASE + (pfn << PAGE_SHIFT));

    MUST(slot != NULL && (*slot & PTE_P));
    return PTE_MFN(*slot);
}

mfn_t unmapped_frame(void)
{
    uint64_t mfn, list = guest_start_info(current->domain)->mfn_list;

    guest_get(&mfn, list + 8 * (GUEST_FRAMES - 1 - next_unmapped++), 8);
    memset(mfn_to_virt(mfn), 0, PAGE_SIZE);
    MUST(frame_type_refs(mfn) == 0);
    return mfn;
}

uint64_t frame_refs(mfn_t mfn)
{
    return nr_refs(mfn_to_frame(mfn)->word);
}

uint64_t frame_type_refs(mfn_t mfn)
{
    return nr_type_refs(mfn_to_frame(mfn)->word);
}

uint64_t pte_at(uint64_t va)
{
    return read_guest_pte(current, va);
}

mfn_t mfn_of_va(uint64_t va)
{
    MUST(pte_at(va) & PTE_P);
    return PTE_MFN(pte_at(va));
}

uint64_t slot_maddr(uint64_t va)
{
    uint64_t *slot = walk_to_l1(current->root_kernel, va);

    MUST(slot != NULL);
    return (virt_to_mfn(slot) << PAGE_SHIFT) + (uint64_t)(uintptr_t)slot % PAGE_SIZE;
}

void guest_put(uint64_t va, const void *src, size_t len)
{
    MUST(host_guest_write(va, src, len));
}

void guest_get(void *dst, uint64_t va, size_t len)
{
    bool hostile = host.hostile_memory;

    host.hostile_memory = false;
    MUST(host_guest_read(dst, va, len));
    host.hostile_memory = hostile;
}

bool console_has(const char *text)
{
    return strstr(host.console, text) != NULL;
}
