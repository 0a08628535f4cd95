/* What the unit tests and the fuzzer share: a tiny PV kernel as an ELF file, domains built from it
 * by the real builder, hypercalls made as one of their vCPUs, and the audits after each. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include "common/elf64.h"
#include "host.h"
#include "xen/core/domain.h"

#define GUEST_BASE 0xffffffff80000000ull
#define GUEST_TEXT_BYTES 0x1000u
#define GUEST_IMAGE_BYTES 0x40000u      /* with bss */
#define SCRATCH (GUEST_BASE + 0x10000)  /* in the bss; read-write */
#define FREE_PFN_VA (GUEST_BASE + 0x30000)
#define GUEST_FRAMES 1280u

/* The tiny kernel: header, two program headers, notes at NOTE_OFFSET, text at TEXT_OFFSET. */
#define ELF_BYTES 0x2000u
#define NOTE_OFFSET 0x200u
#define TEXT_OFFSET 0x1000u
struct tiny_elf {
    struct elf64_ehdr eh;
    struct elf64_phdr load, note;
    uint8_t gap[NOTE_OFFSET - sizeof(struct elf64_ehdr) - 2 * sizeof(struct elf64_phdr)];
    uint8_t notes[TEXT_OFFSET - NOTE_OFFSET];
    uint8_t text[ELF_BYTES - TEXT_OFFSET];
};
void elf_make(struct tiny_elf *e);
void elf_add_note(struct tiny_elf *e, uint32_t type, const void *desc, uint32_t len);
void elf_add_number(struct tiny_elf *e, uint32_t type, uint64_t value);

/* cmocka fixtures: a machine with as much RAM as two such guests need and some more. */
int machine_up(void **state);
int machine_up_at(mfn_t base);
/* its RAM begins at LOW_BASE, so that audits take less time */
int low_machine_up(void **state);
/* ends every domain, and fails if a frame is not free again */
int machine_down(void **state);
#define with_machine(test) cmocka_unit_test_setup_teardown(test, machine_up, machine_down)

/* A started domain whose first vCPU has not run. NULL: no memory. */
struct domain *guest_make(domid_t id, unsigned nr_vcpus);
struct domain *guest_make_sized(domid_t id, unsigned nr_vcpus, uint64_t nr_frames, unsigned weight);
/* A machine with domain 1, whose first vCPU is current. */
struct domain *guest_up(unsigned nr_vcpus);
void guest_end(struct domain *d);       /* poweroff, run until reaped */
void guests_end(void);
const struct start_info *guest_start_info(struct domain *d);

/* Makes the hypercall as the current vCPU, and then both audits. */
long hcall_args(uint64_t nr, const uint64_t a[6]);
#define hcall(nr, ...) hcall_args(nr, (const uint64_t[6]){ __VA_ARGS__ })
/* arg is put at SCRATCH, and copied back afterwards. */
long hcall_struct(uint64_t nr, uint64_t cmd, void *arg, size_t len);
/* One operation or one update, at SCRATCH, on the caller's own domain. */
long hcall_mmuext(unsigned cmd, uint64_t arg1, uint64_t arg2);
long hcall_mmu_update(uint64_t ptr, uint64_t val);
long multicall_result(uint64_t calls_va, unsigned i);
void audit(void);

mfn_t mfn_of_pfn(struct domain *d, pfn_t pfn);
mfn_t mfn_of_va(uint64_t va);           /* in current's tables */
/* The next frame of current's domain that is not mapped, from the end of its memory; zeroed. */
mfn_t unmapped_frame(void);
uint64_t frame_refs(mfn_t mfn);         /* references of any kind */
uint64_t frame_type_refs(mfn_t mfn);    /* those to its type */
uint64_t pte_at(uint64_t va);
uint64_t slot_maddr(uint64_t va);       /* of the L1 entry of va */
void guest_put(uint64_t va, const void *src, size_t len);
void guest_get(void *dst, uint64_t va, size_t len);
bool console_has(const char *text);

#endif
