/* Every SSE instruction as code for the host's CPU, with its operands in registers 1 (the source)
 * and 0 (the destination): XMM, MMX, or RCX and RAX. It is jumped to, and ends with a jump to where
 * RDX points: sse_code.c. Used by the core's handlers and by way 1's operations. */
#ifndef VMM_CORE_SSE_CODE_H
#define VMM_CORE_SSE_CODE_H

#include "common/x86/insn.h"

/* By prefix (sse_prefix) and opcode behind 0F. All tables lie behind this one, so that a distance
 * from it names any code. */
extern const uint8_t sse_code[4][256][8];
extern const uint8_t sse_code_rex_w[2][16][8];          /* of F3 and F2: opcodes 20 to 2F */
extern const uint8_t sse_code_compare[4][8][8];         /* CMPPS and so on, by predicate */
/* By immediate: PSHUFD, PSHUFHW, PSHUFLW, SHUFPS, SHUFPD. */
enum { SHUFFLE_PSHUFD, SHUFFLE_PSHUFHW, SHUFFLE_PSHUFLW, SHUFFLE_SHUFPS, SHUFFLE_SHUFPD };
extern const uint8_t sse_code_shuffle[5][256][8];
extern const uint8_t sse_code_shift_bytes[2][256][8];   /* PSLLDQ, PSRLDQ */

static inline unsigned sse_prefix(const struct insn *in)
{
    return in->rep == 0xf3 ? 2 : in->rep == 0xf2 ? 3 : in->opsize;
}
/* A shift by an immediate is that by a register: 71 to 73 with 2, 4 or 6 in the ModRM are D1 to D3,
 * E1 to E3 and F1 to F3. */
static inline const uint8_t *sse_shift_code(const struct insn *in)
{
    return sse_code[sse_prefix(in)][0xc0 + ((in->modrm >> 3 & 6u) << 3) + (in->opcode & 0xfu)];
}

#endif
