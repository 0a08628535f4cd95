/* Privileged instructions of the guest kernel and CPUID/MSR/port policy: pure guest-visible CPU semantics. */
#ifndef XEN_EMULATE_H
#define XEN_EMULATE_H

#include "xen/domain.h"

struct insn;

/* Done, resume; reflect the original fault; another fault was injected. */
enum emulation { EMULATED, NOT_OURS, FAULTED };

/* The instruction at regs->rip raised #GP (or #UD for the forced-emulation prefix) at CPL 3. */
enum emulation emulate_privileged(struct vcpu *v, struct cpu_user_regs *regs);
enum emulation emulate_forced_cpuid(struct vcpu *v, struct cpu_user_regs *regs);

/* The interface that guests are offered; also what CPUID and XENVER_version say. */
#define ABI_MAJOR 4u
#define ABI_MINOR 17u
#define MSR_HYPERCALL_PAGE 0x40000000u

void guest_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
bool guest_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *value);    /* false: #GP(0) */
bool guest_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
uint64_t guest_read_cr4(const struct vcpu *v);
void guest_write_cr4(struct vcpu *v, uint64_t value);
int guest_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value);
int guest_get_debugreg(const struct vcpu *v, unsigned reg, uint64_t *value);
void guest_set_ts(struct vcpu *v, bool on);
uint32_t guest_port_in(struct vcpu *v, uint16_t port, unsigned bytes);
void guest_port_out(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value);
bool guest_io_allowed(struct vcpu *v, uint16_t port, unsigned bytes);

/* An emulated instruction of length bytes is complete: rip moves on, RF goes; a single step, or a breakpoint
 * it hit (dr6: DR6.B0..B3), becomes the guest's #DB. */
void instruction_done(struct vcpu *v, struct cpu_user_regs *regs, unsigned length, uint64_t dr6);
uint64_t io_breakpoints_hit(const struct vcpu *v, uint16_t port, unsigned bytes);   /* as DR6.B0..B3 */
bool iopl_allows(const struct vcpu *v);     /* the virtual IOPL covers v's mode: CLI, STI and any port */
enum emulation emulate_port_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in);

/* decode.c */
#define MAX_INSN 15u
struct insn {
    uint16_t opcode;            /* 0x100 added for the 0F map */
    uint8_t length;
    uint8_t rex;                /* 0: none */
    uint8_t rep;                /* 0, 0xf2 or 0xf3 */
    uint8_t segment;            /* 0, 0x64 (fs) or 0x65 (gs) */
    uint8_t modrm;
    bool opsize, adsize, lock;  /* prefixes 66, 67, F0 */
    bool memory;                /* modrm names memory, at address */
    uint64_t address;
    uint64_t imm;               /* sign-extended */
};
/* One 64-bit mode instruction of the few that decode.c's table knows. False: not one, or longer than len
 * bytes. */
bool decode_insn(const uint8_t *bytes, unsigned len, const struct cpu_user_regs *regs, struct insn *in);
static inline bool is_port_io(unsigned opcode)
{
    opcode &= 0x1fcu;           /* E4..E7, EC..EF, 6C..6F */
    return opcode == 0xec || opcode == 0xe4 || opcode == 0x6c;
}
/* Where an operand at offset in the instruction's data segment lies. */
uint64_t insn_linear(const struct insn *in, uint64_t offset);
static inline unsigned modrm_reg(const struct insn *in)
{
    return (in->modrm >> 3 & 7u) | (in->rex << 1 & 8u);
}
static inline unsigned modrm_rm(const struct insn *in)
{
    return (in->modrm & 7u) | (in->rex << 3 & 8u);
}

/* One store-like instruction on memory, for writable page tables. */
struct store_insn {
    unsigned length;            /* bytes of the instruction */
    unsigned bytes;             /* operand size: 1, 2, 4, 8 */
    enum store_op {
        ST_MOV, ST_XCHG, ST_CMPXCHG, ST_ADD, ST_OR, ST_AND, ST_SUB, ST_XOR, ST_BTS, ST_BTR, ST_BTC, ST_XADD
    } op;
    int reg;                    /* source register 0..15 (x86 numbering), -1: immediate */
    bool high_byte;             /* reg is AH..BH; reg then names the whole of RAX..RBX */
    uint64_t imm;
};
/* Decodes insn[0..len). The memory operand's address is computed from regs and must be the caller's to
 * compare; for BTS and its kin it is that of the word which holds the bit. False: not one of these, or too
 * few bytes. */
bool decode_store(const uint8_t *insn, unsigned len, const struct cpu_user_regs *regs, struct store_insn *out,
                  uint64_t *address);
uint64_t *reg_by_number(struct cpu_user_regs *regs, unsigned nr);

#endif
