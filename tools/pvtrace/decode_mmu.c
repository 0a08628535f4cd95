/* Arguments that are lists, or words with a structure of the CPU's: page-table entries and their
 * updates, mmuext operations, descriptors, the trap table. Called by decode.c. */
#include "tools/pvtrace/decode.h"

#include <public/xen.h>

#define PTE_P 1u
#define PTE_FRAME 0x000ffffffffff000ull
#define PTE_NX (1ull << 63)

/* A present entry: frame and flags. Bits that have no name come in hexadecimal, so that nothing is
 * lost. One that is not present means what its owner likes, and is shown as it is. */
void decode_pte(struct text *t, uint64_t pte)
{
    static const char *const names[] = { "|P", "|RW", "|US",  "|PWT", "|PCD",
                                         "|A", "|D",  "|PAT", "|G" };
    uint64_t rest = pte & ~PTE_FRAME & ~PTE_NX;

    if (decode_options.raw || !(pte & PTE_P)) {
        if (pte == 0)
            text_put(t, "0", 1);
        else
            text_hex(t, pte);
        return;
    }
    text_hex(t, (pte & PTE_FRAME) >> 12);
    for (unsigned bit = 0; bit < ARRAY_SIZE(names); bit++)
        if (rest >> bit & 1)
            text_str(t, names[bit]);
    if (rest >> ARRAY_SIZE(names) != 0) {
        text_put(t, "|", 1);
        text_hex(t, rest & -(1ull << ARRAY_SIZE(names)));
    }
    if (pte & PTE_NX)
        text_put(t, "|NX", 3);
}

/* --- Lists ------------------------------------------------------------------------------------ */
typedef void (*element_fn)(struct text *t, const struct call *c, const void *element);

/* The count elements (of up to 64 bytes) at va; the pointer alone if not even the first was
 * recorded. */
static void print_list(struct text *t, const struct call *c, uint64_t va, uint64_t count,
                       size_t size, element_fn print)
{
    uint64_t element[8];

    if (va == 0 || count == 0 || read_memory(c, IN, va, element, size) < size) {
        text_pointer(t, va);
        return;
    }
    text_put(t, "[", 1);
    for (uint64_t n = 0; n < count && !text_full(t); n++, va += size) {
        if (n != 0)
            text_put(t, ", ", 2);
        if (n >= decode_options.max_items || read_memory(c, IN, va, element, size) < size) {
            text_put(t, "...", 3);
            break;
        }
        print(t, c, element);
    }
    text_put(t, "]", 1);
}

static void print_update(struct text *t, const struct call *c, const void *element)
{
    static const char *const commands[] = {
        [MMU_NORMAL_PT_UPDATE] = "{PT_UPDATE ptr=", [MMU_MACHPHYS_UPDATE] = "{MACHPHYS ptr=",
        [MMU_PT_UPDATE_PRESERVE_AD] = "{PRESERVE_AD ptr=",
        [MMU_PT_UPDATE_NO_TRANSLATE] = "{NO_TRANSLATE ptr=",
    };
    const struct mmu_update *u = element;

    (void)c;
    text_str(t, commands[u->ptr & 3]);
    text_hex(t, u->ptr & ~3ull);
    text_put(t, " val=", 5);
    if ((u->ptr & 3) == MMU_MACHPHYS_UPDATE)
        text_hex(t, u->val);
    else
        decode_pte(t, u->val);
    text_put(t, "}", 1);
}

/* A bitmap of vCPUs in guest memory; the hypervisor reads as many bytes as the domain has use for.
 */
static void print_vcpu_mask(struct text *t, const struct call *c, uint64_t va)
{
    uint8_t mask[32];
    size_t known = read_memory(c, IN, va, mask, sizeof(mask));
    const char *comma = "";

    if (va == 0 || known == 0) {
        text_pointer(t, va);
        return;
    }
    text_put(t, "[", 1);
    for (unsigned vcpu = 0; vcpu < 8 * known; vcpu++) {
        if (mask[vcpu / 8] >> vcpu % 8 & 1) {
            text_add(t, "%s%u", comma, vcpu);
            comma = ", ";
        }
    }
    text_put(t, "]", 1);
}

static void print_mmuext(struct text *t, const struct call *c, const void *element)
{
    const struct mmuext_op *op = element;
    const char *name = abi_operation_name(__HYPERVISOR_mmuext_op, op->cmd);
    unsigned args = op->cmd < ARRAY_SIZE(mmuext_op_means) ? mmuext_op_means[op->cmd] : 0;

    text_put(t, "{", 1);
    text_name(t, name, op->cmd);
    if (args & MEANS_MFN)
        text_add(t, " mfn=0x%lx", op->arg1.mfn);
    if (args & MEANS_ADDRESS)
        text_add(t, " linear_addr=0x%lx", op->arg1.linear_addr);
    if (args & MEANS_ENTRIES)
        text_add(t, " nr_ents=%u", op->arg2.nr_ents);
    if (args & MEANS_SOURCE)
        text_add(t, " src_mfn=0x%lx", op->arg2.src_mfn);
    if (args & MEANS_VCPUS) {
        text_str(t, " vcpus=");
        print_vcpu_mask(t, c, (uint64_t)(uintptr_t)op->arg2.vcpumask.p);
    }
    text_put(t, "}", 1);
}

static void print_frame(struct text *t, const struct call *c, const void *element)
{
    (void)c;
    text_hex(t, *(const uint64_t *)element);
}

static void print_trap(struct text *t, const struct call *c, const void *element)
{
    const struct trap_info *trap = element;
    const char *name = abi_trap_name(trap->vector);

    (void)c;
    text_put(t, "{", 1);
    if (name != NULL)
        text_str(t, name);
    else
        text_hex(t, trap->vector);
    text_add(t, " dpl=%u", TI_GET_DPL(trap));
    if (TI_GET_IF(trap))
        text_str(t, " mask_events");
    text_add(t, " cs=0x%x address=", trap->cs);
    decode_address(t, trap->address);
    text_put(t, "}", 1);
}

/* How many entries a trap table at va has. It ends with one without address; if that was not
 * recorded, one more is counted, so that the list ends in dots. */
static uint64_t count_traps(const struct call *c, uint64_t va)
{
    struct trap_info trap;
    uint64_t count = 0;
    bool known;

    do
        known = read_memory(c, IN, va + count * sizeof(trap), &trap, sizeof(trap)) == sizeof(trap);
    while (known && trap.address != 0 && ++count < 257);
    return count + !known;
}

void argument_list(struct text *t, const struct call *c, unsigned i, char kind)
{
    uint64_t count = argument_count(c, i + 1), va = c->args[i];

    if (kind == 'm')
        print_list(t, c, va, count, sizeof(struct mmu_update), print_update);
    else if (kind == 'M')
        print_list(t, c, va, count, sizeof(struct mmuext_op), print_mmuext);
    else if (kind == 'g')
        print_list(t, c, va, (count + 511) / 512, sizeof(uint64_t), print_frame);
    else if ((count = count_traps(c, va)) != 0)
        print_list(t, c, va, count, sizeof(struct trap_info), print_trap);
    else
        text_put(t, "[]", 2);
}

/* --- Words ------------------------------------------------------------------------------------ */
/* What to flush, and where: all vCPUs, those in a bitmap whose address is in the upper bits, or
 * (nothing) this one. */
void print_uvm_flags(struct text *t, const struct call *c, uint64_t flags)
{
    static const char *const what[] = { "UVMF_NONE", "UVMF_TLB_FLUSH", "UVMF_INVLPG", "3" };

    text_str(t, what[flags & UVMF_FLUSHTYPE_MASK]);
    if (flags & UVMF_ALL)
        text_str(t, "|UVMF_ALL");
    flags &= ~(UVMF_FLUSHTYPE_MASK | UVMF_ALL);
    if (flags != 0) {
        text_str(t, "|UVMF_MULTI ");
        print_vcpu_mask(t, c, flags);
    }
}

/* A descriptor as the GDT has it (SDM vol. 3, 3.4.5): the word, then the fields that matter. */
void print_descriptor(struct text *t, uint64_t d)
{
    static const char *const system_types[16] = {
        [2] = "ldt",        [9] = "tss", [11] = "tss", [12] = "call gate", [14] = "interrupt gate",
        [15] = "trap gate",
    };
    uint64_t base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
    uint64_t limit = (d & 0xffff) | (d >> 32 & 0xf0000);
    unsigned type = d >> 40 & 15;
    const char *name = system_types[type] != NULL ? system_types[type] : "system";

    if (d == 0) {
        text_put(t, "0", 1);
        return;
    }
    if (d >> 44 & 1)
        name = !(type & 8) ? "data" : d >> 53 & 1 ? "code64" : d >> 54 & 1 ? "code32" : "code16";
    text_add(t, "0x%lx {%s", d, name);
    text_str(t, d >> 47 & 1 ? " dpl=" : " not-present dpl=");
    text_dec(t, d >> 45 & 3);
    text_add(t, " base=0x%lx limit=0x%lx}", base, d >> 55 & 1 ? limit << 12 | 0xfff : limit);
}
