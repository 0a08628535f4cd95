/* Random instructions: see vmm_cases.h. First the bytes, at random; then what the decoder makes of
 * them decides which registers have to hold what: those of the address here, the others in
 * vmm_case_values.c. */
#include <string.h>
#include "common/x86/address.h"
#include "common/x86/alu.h"
#include "common/x86/canonical.h"
#include "common/x86/operands.h"
#include "guest-pv/vmm/core/cpu.h"
#include "tests/unit/vmm_case_parts.h"
#include "tests/unit/vmm_native.h"

/* --- The bytes -------------------------------------------------------------------------------- */

/* MOV to segment registers, and POP FS: the host's descriptors are others. */
static bool is_segment_load(const struct insn *in, const struct insn_case *k)
{
    struct operand to;

    get_operand(in, k, 0, &to);
    return to.type == OPERAND_SEGMENT && k->op != OP_PUSH;
}

struct row_list {
    const uint8_t *wanted;
    struct row *rows;
    unsigned nr, max;
};

static void add_row(struct row_list *list, struct row row, uint8_t modrm)
{
    uint8_t bytes[MAX_INSN] = { 0 };
    const struct insn_case *k;
    struct insn in;
    unsigned n = 0, i = 0;

    if (row.rep)
        bytes[n++] = row.rep;
    if (row.rex)
        bytes[n++] = row.rex;
    if (row.opcode >= 0x100)
        bytes[n++] = 0x0f;
    bytes[n++] = (uint8_t)row.opcode;
    bytes[n] = modrm;
    if (!decode_insn(bytes, MAX_INSN, MODE_64, &in) || in.opcode != row.opcode)
        return;
    k = find_case(&in);
    if (k == NULL || !list->wanted[k->op] || is_segment_load(&in, k) || list->nr == list->max)
        return;
    row.op = k->op;
    while (i < list->nr && !(list->rows[i].opcode == row.opcode && list->rows[i].op == row.op))
        i++;
    if (i == list->nr)
        list->rows[list->nr++] = row;
}

/* All ModRM; then the prefixes that make some opcodes another instruction. */
static void add_rows_of(struct row_list *list, unsigned opcode)
{
    static const uint8_t rex[] = { 0, 0x48, 0x41 };

    for (unsigned i = 0; i < ARRAY_SIZE(rex); i++)
        for (unsigned rep = 0; rep <= 0xf3; rep += 0xf3)
            for (unsigned modrm = 0; modrm < 0x100; modrm++)
                add_row(list, (struct row){ (uint16_t)opcode, 0, (uint8_t)rep, rex[i] },
                        (uint8_t)modrm);
}

unsigned find_rows(const uint8_t *wanted, struct row *rows, unsigned max)
{
    struct row_list list = { .wanted = wanted, .rows = rows, .max = max };

    for (unsigned opcode = 0; opcode < 0x200; opcode++)
        add_rows_of(&list, opcode);
    return list.nr;
}

bool is_string(unsigned op)
{
    return op == OP_MOVS || op == OP_STOS || op == OP_LODS || op == OP_CMPS || op == OP_SCAS;
}

static unsigned add_prefixes(struct row row, uint8_t *bytes)
{
    static const uint8_t without_meaning[] = { 0x2e, 0x36, 0x3e, 0x26 };
    unsigned n = 0;

    if (one_in(10))
        bytes[n++] = without_meaning[random_below(4)];
    if (one_in(10))
        bytes[n++] = one_in(2) ? 0x64 : 0x65;
    if (one_in(4))
        bytes[n++] = 0x66;
    if (one_in(8))
        bytes[n++] = 0x67;
    if (row.rep)
        bytes[n++] = row.rep;
    else if (is_string(row.op) ? !one_in(3) : one_in(16))
        bytes[n++] = one_in(2) ? 0xf2 : 0xf3;
    if (one_in(12))
        bytes[n++] = 0xf0;
    if (one_in(2) || row.rex)
        bytes[n++] = (uint8_t)(0x40 | row.rex | random_below(16));
    return n;
}

/* Where a displacement of 4 bytes begins: behind the opcode, the ModRM and a SIB. */
static unsigned displacement_at(const struct test_case *t, unsigned opcode_end)
{
    return opcode_end + 1 + ((t->in.modrm & 7) == 4);
}

static bool decode(struct row row, struct test_case *t)
{
    if (!decode_insn(t->bytes, MAX_INSN, MODE_64, &t->in) || t->in.opcode != row.opcode)
        return false;
    t->k = find_case(&t->in);
    t->length = t->in.length;
    t->start = NATIVE_CODE_END - t->length;
    t->regs[REG_RIP] = t->start;
    return t->k == NULL || t->k->op == row.op;
}

/* --- Where memory operands lie ---------------------------------------------------------------- */

uint64_t random_target(void)
{
    unsigned where = random_below(100);

    if (where < 72)
        return NATIVE_DATA + 64 + random_below(0x2000 - 128);
    if (where < 80)
        return NATIVE_DATA + 0x1000 - random_below(16);
    if (where < 85)
        return NATIVE_READ_ONLY - random_below(16);
    if (where < 90)
        return NATIVE_READ_ONLY + random_below(0xff0);
    if (where < 93)
        return NATIVE_END - random_below(16);
    if (where < 96)
        return NATIVE_DATA - random_below(16) - 1;
    if (where < 98)
        return NATIVE_END + 64 + random_below(0x800);
    return (random_value() & 0x7fff00000000ffff) | 1ull << (48 + random_below(15));
}

uint64_t base_of(const struct insn *in, uint64_t fs, uint64_t gs)
{
    return in->override == SEG_FS + 1 ? fs : in->override == SEG_GS + 1 ? gs : 0;
}

/* Makes base + index * scale + disp the offset: by the registers, or by the displacement where no
 * register can be chosen. False: there is no way. */
static bool set_address(struct test_case *t, uint64_t offset, unsigned opcode_end, unsigned target)
{
    struct insn *in = &t->in;
    int32_t disp = (int32_t)target;
    uint64_t *regs = t->regs;

    if (t->k != NULL && t->k->op == OP_POP_MEMORY && in->base == RSP)
        offset -= in->op_bytes;
    if (in->base == in->index && in->base != NO_REG) {
        regs[in->base] = (offset - (uint64_t)in->disp) / (1u + (1u << in->scale));
        return is_canonical(offset);
    }
    if (in->index != NO_REG && in->base == NO_REG) {
        regs[in->index] = (uint64_t)((int64_t)(offset - (uint64_t)in->disp) >> in->scale);
        return true;
    }
    if (in->base != NO_REG && in->base != REG_RIP) {
        regs[in->base] = offset - (uint64_t)in->disp;
        if (in->index != NO_REG)
            regs[in->base] -= regs[in->index] << in->scale;
        if (in->ad_bytes == 4)
            regs[in->base] ^= random64() << 32;
        return true;
    }
    if (offset != target) /* no register: 4 bytes of displacement have to do, or 8 */
        return false;
    if (in->opcode >= 0xa0 && in->opcode <= 0xa3) {
        memcpy(t->bytes + opcode_end, &offset, in->ad_bytes);
        return true;
    }
    if (in->base == REG_RIP)
        disp -= (int32_t)NATIVE_CODE_END;
    memcpy(t->bytes + displacement_at(t, opcode_end), &disp, sizeof(disp));
    return true;
}

/* With the address-size prefix the upper halves of registers do not count. With FS's base, which is
 * this process's, no address of 4 bytes leads to our pages. */
static bool set_memory_operand(struct test_case *t, uint64_t fs, uint64_t gs, unsigned opcode_end)
{
    uint64_t base = base_of(&t->in, fs, gs);

    if (t->in.ad_bytes == 4 && t->in.override == SEG_FS + 1)
        return false;
    t->target = random_target();
    if (t->k != NULL && t->k->op == OP_CMPXCHG16B && !one_in(4))
        t->target &= ~15ull;
    if (t->in.ad_bytes == 4 && !is_canonical(t->target))
        return false;
    return set_address(t, t->target - base, opcode_end, (unsigned)t->target);
}

/* Immediates that lead where nothing can be compared: a jump into the instruction. ENTER's frames
 * are small, so that they fit. */
static bool set_immediates(struct row row, struct test_case *t)
{
    struct operand o;

    if (t->k->op == OP_ENTER) {
        t->bytes[t->length - 2] &= one_in(8) ? 0xff : 0;
        t->bytes[t->length - 1] &= one_in(3) ? 0xff : 3;
        return decode(row, t);
    }
    get_operand(&t->in, t->k, 0, &o);
    if (o.type == OPERAND_RELATIVE)
        return o.value < -(uint64_t)t->length; /* else the target is in the instruction */
    return true;
}

static struct x86_regs registers_of(struct test_case *t)
{
    return (struct x86_regs){ t->regs, cpu_register_places };
}

/* Where this process may have memory of its own, which the emulated CPU does not know. The number
 * of a bit leads there at times. */
static bool is_this_process(uint64_t address)
{
    return address >= 0x40000000 && address < 1ull << 47;
}

bool make_case(struct row row, uint64_t fs, uint64_t gs, struct test_case *t)
{
    unsigned n, opcode_end;

    memset(t, 0, sizeof(*t));
    n = add_prefixes(row, t->bytes);
    if (row.opcode >= 0x100)
        t->bytes[n++] = 0x0f;
    t->bytes[n++] = (uint8_t)row.opcode;
    opcode_end = n;
    while (n < MAX_INSN)
        t->bytes[n++] = (uint8_t)random64();
    if (!decode(row, t))
        return false;
    if (t->k == NULL && t->in.opcode == 0x101)
        return false; /* VMCALL: what the host's hypervisor makes of it */
    if (t->k != NULL && !set_immediates(row, t))
        return false;
    set_registers(t);
    if (t->in.memory && !set_memory_operand(t, fs, gs, opcode_end))
        return false;
    if (!decode(row, t)) /* what the displacement has become */
        return false;
    if (t->k == NULL)
        return true;
    if ((is_string(t->k->op) || t->k->op == OP_XLAT) && t->in.ad_bytes == 4 &&
        t->in.override == SEG_FS + 1)
        return false;
    if (is_string(t->k->op))
        set_string(t, fs, gs);
    if (t->k->op == OP_XLAT)
        t->regs[RBX] = random_target() - base_of(&t->in, fs, gs) - (t->regs[RAX] & 0xff);
    if (t->in.memory)
        t->target = base_of(&t->in, fs, gs) + operand_offset(&t->in, registers_of(t));
    if (is_this_process(t->target))
        return false;
    set_values(t);
    return true;
}
