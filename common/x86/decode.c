/* The instruction decoder: bytes to struct insn, for 16-, 32- and 64-bit code, by the tables of
 * opcodes.c. It finds the length and the memory operand of every instruction except those of
 * AVX-512 and XOP, and for some also the operation (enum insn_op). SDM vol. 2, chapter 2. */
#include "common/x86/insn.h"
#include "common/x86/opcodes.h"

/* The next n bytes, 1, 2, 4 or 8, sign-extended; false when the instruction is longer than what was
 * fetched. */
static inline bool next_bytes(const uint8_t *bytes, unsigned len, unsigned *pos, unsigned n,
                              uint64_t *value)
{
    const uint8_t *at = bytes + *pos;
    int16_t two;
    int32_t four;

    if (len - *pos < n)
        return false;
    *pos += n;
    if (n == 1) {
        *value = (uint64_t)(int8_t)*at;
    } else if (n == 4) {
        __builtin_memcpy(&four, at, sizeof(four));
        *value = (uint64_t)four;
    } else if (n == 2) {
        __builtin_memcpy(&two, at, sizeof(two));
        *value = (uint64_t)two;
    } else {
        __builtin_memcpy(value, at, sizeof(*value));
    }
    return true;
}

static void set_prefix(struct insn *in, uint8_t b)
{
    in->rex = 0; /* a REX counts only right before the opcode */
    if (b == 0x66)
        in->opsize = true;
    else if (b == 0x67)
        in->ad_bytes = in->mode == MODE_32 ? 2 : 4;
    else if (b == 0xf0)
        in->lock = true;
    else if (b >= 0xf2)
        in->rep = b;
    else if (b >= 0x64)
        in->override = (uint8_t)(b - 0x64 + SEG_FS + 1);
    else if (in->mode != MODE_64)
        in->override = (uint8_t)((b >> 3 & 3) + 1);
}

/* SDM vol. 2, table 2-1: 16-bit addresses. */
static bool parse_address_16(const uint8_t *bytes, unsigned len, unsigned *pos, struct insn *in)
{
    static const uint8_t base[8] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
    static const uint8_t index[8] = { RSI, RDI, RSI, RDI, NO_REG, NO_REG, NO_REG, NO_REG };
    unsigned mod = in->modrm >> 6, rm = in->modrm & 7, disp_bytes = mod;
    uint64_t disp = 0;

    in->base = base[rm];
    in->index = index[rm];
    if (mod == 0 && rm == 6) {
        in->base = NO_REG;
        disp_bytes = 2;
    }
    if (disp_bytes && !next_bytes(bytes, len, pos, disp_bytes, &disp))
        return false;
    in->disp = (int64_t)disp;
    return true;
}

/* Tables 2-2 and 2-3. */
static bool parse_address(const uint8_t *bytes, unsigned len, unsigned *pos, struct insn *in)
{
    unsigned mod = in->modrm >> 6, base = in->modrm & 7,
             disp_bytes = mod == 1   ? 1
                          : mod == 2 ? 4
                                     : 0;
    bool sib = base == 4;
    uint64_t disp;

    in->base = in->index = NO_REG;
    if (sib) {
        unsigned index;

        if (*pos >= len)
            return false;
        base = bytes[*pos] & 7;
        index = (bytes[*pos] >> 3 & 7) | (in->rex << 2 & 8u);
        in->scale = bytes[(*pos)++] >> 6;
        if (index != 4)
            in->index = (uint8_t)index;
    }
    if (base == 5 && mod == 0) {
        disp_bytes = 4;
        if (!sib && in->mode == MODE_64)
            in->base = REG_RIP;
    } else {
        in->base = (uint8_t)(base | (in->rex << 3 & 8u));
    }
    if (disp_bytes) {
        if (!next_bytes(bytes, len, pos, disp_bytes, &disp))
            return false;
        in->disp = (int64_t)disp;
    }
    return true;
}

static inline unsigned operand_bytes(const struct insn *in, uint32_t attr)
{
    if (attr & (BYTE | WORD))
        return attr & BYTE ? 1 : 2;
    if (in->rex & 8) /* there is none but in 64-bit mode */
        return 8;
    if (unlikely((attr & (D64 | F64)) && in->mode == MODE_64 && (!in->opsize || (attr & F64))))
        return 8;
    return (in->mode == MODE_16) != in->opsize ? 2 : 4;
}

static bool parse_immediates(const uint8_t *bytes, unsigned len, unsigned *pos, uint32_t attr,
                             struct insn *in)
{
    unsigned z = in->op_bytes == 2 ? 2 : 4;
    uint64_t more;

    if (attr & TEST_IMM)
        attr |= (in->modrm >> 3 & 7) > 1 ? 0 : attr & BYTE ? IMM8 : IMMZ;
    if ((attr & MOFFS) && !next_bytes(bytes, len, pos, in->ad_bytes, (uint64_t *)&in->disp))
        return false;
    if ((attr & IMM16) && !next_bytes(bytes, len, pos, 2, &in->imm))
        return false;
    if (attr & NO_BYTE_IMM) {
        if (!next_bytes(bytes, len, pos, attr & IMMV ? in->op_bytes : z, &in->imm))
            return false;
        if (attr & FAR_POINTER) {
            if (!next_bytes(bytes, len, pos, 2, &more))
                return false;
            in->imm = (in->imm & size_mask(z)) | (more & 0xffff) << 32;
        }
    }
    if ((attr & TWO_IMM8) && (in->opsize || in->rep == 0xf2)) {
        if (!next_bytes(bytes, len, pos, 2, &more))
            return false;
        in->imm = (more & 0xff) | (more >> 8 & 0xff) << 16;
    }
    if (attr & IMM8) {
        if (!next_bytes(bytes, len, pos, 1, &more))
            return false;
        in->imm = attr & IMM16 ? (in->imm & 0xffff) | (more & 0xff) << 16 : more;
    }
    if (attr & IMM_1)
        in->imm = 1;
    return true;
}

/* False: the ModRM makes it no instruction. */
static bool set_by_group(struct insn *in, uint32_t attr)
{
    in->op = opcode_groups[attr & OP_MASK][in->modrm >> 3 & 7];
    if ((in->op == OP_CALL || in->op == OP_PUSH) && in->mode == MODE_64 && !in->opsize)
        in->op_bytes = 8;
    if (in->op == OP_CMPXCHG8B) {
        in->op = in->op_bytes == 8 ? OP_OTHER : OP_CMPXCHG8B; /* with REX.W it has 16 bytes */
        in->op_bytes = 8;
    }
    return in->opcode != 0x8f || in->op == OP_POP_MEMORY; /* else it is a prefix, of XOP */
}

/* What is not needed for most: groups, immediates, implied sources. */
static bool parse_rare(const uint8_t *bytes, unsigned len, unsigned *pos, uint32_t attr,
                       struct insn *in)
{
    if ((attr & NO_64) && in->mode == MODE_64)
        return false;
    if ((attr & GROUP) && !set_by_group(in, attr))
        return false;
    if ((attr & IMMEDIATES) && !parse_immediates(bytes, len, pos, attr, in))
        return false;
    if (attr & MOFFS) {
        in->memory = true;
        in->base = in->index = NO_REG;
    }
    in->by_cl = (attr & BY_CL) != 0;
    if (attr & ACC)
        in->source = RAX;
    else if ((attr & (GROUP | IMM8 | IMMZ)) && in->op != OP_SHLD && in->op != OP_SHRD)
        in->source = NO_REG;
    return true;
}

static bool parse_tail(const uint8_t *bytes, unsigned len, unsigned pos, uint32_t attr,
                       struct insn *in)
{
    if (attr & (MODRM | REGS)) {
        if (unlikely(pos >= len))
            return false;
        in->modrm = bytes[pos++];
        in->source = (uint8_t)modrm_reg(in);
        if ((attr & MODRM) && in->modrm < 0xc0) {
            in->memory = true;
            if (!(in->ad_bytes == 2 ? parse_address_16(bytes, len, &pos, in)
                                    : parse_address(bytes, len, &pos, in)))
                return false;
        }
    }
    if (unlikely(attr & RARE) && !parse_rare(bytes, len, &pos, attr, in))
        return false;
    in->length = (uint8_t)pos;
    return true;
}

/* C4 and C5: the prefix's bits are REX's, inverted, and it names the map. Behind it a ModRM follows
 * every opcode but one, and an immediate where it does without the prefix. */
static __attribute__((noinline)) bool parse_vex(const uint8_t *bytes, unsigned len, unsigned pos,
                                                struct insn *in)
{
    bool three = bytes[pos - 1] == 0xc4;
    unsigned map = 1;
    uint32_t attr;

    if (in->opsize || in->rep || in->lock || in->rex || len - pos < (three ? 3u : 2u))
        return false;
    in->rex = (uint8_t)(~bytes[pos] >> 5 & 4);
    if (three) {
        map = bytes[pos] & 31;
        in->rex = (uint8_t)((~bytes[pos] >> 5 & 7) | (bytes[pos + 1] >> 4 & 8));
        pos++;
    }
    if (in->mode != MODE_64)
        in->rex &= 8;
    in->opsize = (bytes[pos++] & 3) == 1;
    if (map < 1 || map > 3)
        return false;
    in->opcode = (uint16_t)(0x800 | map << 8 | bytes[pos]);
    attr = map == 1   ? opcodes_0f[bytes[pos]] & (KNOWN | MODRM | IMM8)
           : map == 2 ? MODRM
                      : MODRM | IMM8;
    in->op_bytes = (uint8_t)operand_bytes(in, attr);
    return attr != 0 && parse_tail(bytes, len, pos + 1, attr, in);
}

/* Behind 0F. */
static inline uint32_t parse_escape(const uint8_t *bytes, unsigned len, unsigned *pos,
                                    struct insn *in)
{
    unsigned second, third;

    if (unlikely(*pos >= len))
        return 0;
    second = bytes[(*pos)++];
    in->opcode = (uint16_t)(0x100 | second);
    if (likely(second != 0x38 && second != 0x3a))
        return opcodes_0f[second];
    if (*pos >= len)
        return 0;
    third = bytes[(*pos)++];
    in->opcode = (uint16_t)((second == 0x38 ? 0x200 : 0x300) | third);
    if (second == 0x3a)
        return MODRM | IMM8;
    return third == 0xf1 && in->rep != 0xf2 ? MODRM | OP_MOVBE : MODRM;
}

bool decode_insn(const uint8_t *bytes, unsigned len, enum cpu_mode mode, struct insn *in)
{
    unsigned pos = 0;
    uint32_t attr;

    *in = (struct insn){ .mode = (uint8_t)mode, .ad_bytes = (uint8_t)mode };
    if (likely(len > 1) && (opcodes[bytes[0]] & SIMPLE)) { /* most of what is emulated */
        attr = opcodes[bytes[0]];
        in->opcode = bytes[0];
        in->op_bytes = attr & BYTE ? 1 : mode == MODE_16 ? 2 : 4;
        in->length = attr & IMM8 ? 2 : 1;
        in->imm = attr & IMM8 ? (uint64_t)(int8_t)bytes[1] : 0;
        return true;
    }
    len = MIN(len, MAX_INSN);
    for (;; pos++) {
        if (unlikely(pos >= len))
            return false;
        attr = opcodes[bytes[pos]];
        if (likely(!(attr & (REX | PREFIX))))
            break;
        if (attr & PREFIX)
            set_prefix(in, bytes[pos]);
        else if (likely(mode == MODE_64))
            in->rex = bytes[pos];
        else
            break;
    }
    in->opcode = bytes[pos++];
    if (attr & (ESCAPE | VEX)) {
        if (attr & ESCAPE)
            attr = parse_escape(bytes, len, &pos, in);
        else if (mode == MODE_64 || (pos < len && bytes[pos] >= 0xc0))
            return parse_vex(bytes, len, pos, in);
    }
    in->op_bytes = (uint8_t)operand_bytes(in, attr);
    in->op = attr & OP_MASK; /* of a group it is still to come */
    if (likely(attr & TAIL))
        return parse_tail(bytes, len, pos, attr, in);
    in->length = (uint8_t)pos;
    return attr != 0;
}
