/* The forms in which kernels for x86-64 write the instructions that change an entry of a page
 * table, told from their first eight bytes without the tables of decode.c. A form that is known
 * here means the same as what decode_insn() makes of it; every other instruction is left to that.
 * Called by ptwr.c in xen/pv. */
#ifndef COMMON_X86_PARSE_SHORT_STORE_H
#define COMMON_X86_PARSE_SHORT_STORE_H

#include "common/x86/insn.h"
#include "common/x86/short_store.h"

/* REX with W, and the opcode; R and B may be any, and X, which would be an index's, is clear. */
#define IS_REX_W(code, opcode)  (((code) & 0xfffa) == ((opcode) << 8 | 0x48))

/* code: the bytes, the first one lowest; all forms are shorter than that. False: another
 * instruction. Prefixes and opcode are brought into one shape, REX and one byte. */
static inline __attribute__((always_inline)) bool parse_short_store(uint64_t code,
                                                                    struct short_store *s)
{
    unsigned length = 3, modrm;

    if ((code & 0xff) == 0x3e || (code & 0xff) == 0xf0) {
        code >>= 8;
        length++;
    }
    s->op = OP_AND;
    if ((code & 0xff) == 0x80) {
        code = code << 8 | 0x40;
        length--;
    } else if (IS_REX_W(code, 0x87u)) {
        s->op = OP_XCHG;
    } else if (IS_REX_W(code, 0x89u)) {
        s->op = OP_MOV;
    } else if (IS_REX_W(code, 0x0fu)) {
        if ((code >> 16 & 0xff) != 0xb1)
            return false;
        s->op = OP_CMPXCHG;
        code = (code >> 8 & ~0xffull) | (code & 0xff);
        length++;
    } else if ((code & 0xfffe) != 0x8040) {
        return false;
    }
    modrm = code >> 16 & 0xff;
    s->source = (uint8_t)((modrm >> 3 & 7) | (code << 1 & 8));
    s->base = (uint8_t)((modrm & 7) | (code << 3 & 8));
    code >>= 24;
    if ((modrm & 7) == 4) {         /* a SIB byte: [RSP] or [R12], without an index */
        if ((code & 0xff) != 0x24)
            return false;
        code >>= 8;
        length++;
    }
    s->disp = 0;
    if (modrm & 0x40) {
        s->disp = (int8_t)code;
        code >>= 8;
        length++;
    } else if ((modrm & 7) == 5) {  /* relative to RIP */
        return false;
    }
    s->imm = (uint8_t)code;
    if (s->op == OP_AND) {
        if (s->source != 4)
            return false;
        length++;
    }
    s->length = (uint8_t)length;
    return !(modrm & 0x80);         /* a register, or a displacement of 4 bytes */
}

#endif
