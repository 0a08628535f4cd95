/* The bits of RFLAGS (SDM vol. 1, 3.4.3), for C and for assembler. */
#ifndef COMMON_X86_FLAGS_H
#define COMMON_X86_FLAGS_H

#define FLAG_CF (1 << 0)
#define FLAG_MBS (1 << 1)       /* always 1 */
#define FLAG_PF (1 << 2)
#define FLAG_AF (1 << 4)
#define FLAG_ZF (1 << 6)
#define FLAG_SF (1 << 7)
#define FLAG_TF (1 << 8)
#define FLAG_IF_BIT 9
#define FLAG_IF (1 << FLAG_IF_BIT)
#define FLAG_DF (1 << 10)
#define FLAG_OF (1 << 11)
#define FLAG_IOPL_SHIFT 12
#define FLAG_IOPL (3 << FLAG_IOPL_SHIFT)
#define FLAG_NT (1 << 14)
#define FLAG_RF (1 << 16)
#define FLAG_VM (1 << 17)
#define FLAG_AC (1 << 18)
#define FLAG_VIF (1 << 19)
#define FLAG_VIP (1 << 20)
#define FLAG_ID (1 << 21)

#endif
