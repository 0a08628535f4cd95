/* What a kernel would have set up in the machine of vmm_host.h, for tests of the vmm's system part:
 * a GDT with a descriptor of each kind, an LDT, a TSS, an IDT with a gate for each vector; and
 * single instructions by their bytes. */
#ifndef TEST_VMM_KERNEL_H
#define TEST_VMM_KERNEL_H

#include "tests/unit/vmm_host.h"

/* Physical and linear addresses: all below 1 MiB. */
#define KERNEL_GDT 0x10000u
#define KERNEL_IDT 0x11000u
#define KERNEL_TSS 0x12000u
#define KERNEL_LDT 0x12800u
#define KERNEL_STACK 0x14000u           /* RSP0: the stack grows down from here */
#define IST_STACK(n) (0x15000u + 0x200u * (n))
#define USER_STACK 0x17000u
#define CODE_AT 0x18000u
#define DATA_AT 0x19000u
#define HANDLER_AT(vector) (0x20000u + 16u * (vector))

enum {
    KERNEL_CS = 0x08, KERNEL_SS = 0x10, USER_SS = 0x1b, USER_CS = 0x23, CODE_32 = 0x28,
    DATA_ABSENT = 0x30, CODE_CONFORMING = 0x38, DATA_READ_ONLY = 0x40, TSS_SELECTOR = 0x48,
    LDT_SELECTOR = 0x58, CODE_ABSENT = 0x68, CODE_EXECUTE_ONLY = 0x70, CALL_GATE = 0x78,
    DATA_DPL_1 = 0x88, TSS_BUSY = 0x90, LDT_ABSENT = 0xa0, USER_CS_CONFORMING = 0xb0,
    GDT_LIMIT = 0xb7,
    LDT_DATA = 0x04, LDT_LIMIT = 0x07,
};
#define TSS_LIMIT 0x87u                 /* 32 bytes of I/O bitmap from 0x68 on: ports 0 to 255 */

#define NOT_CANONICAL (1ull << 47)
#define ABSENT 0x40000000ull            /* behind the last page of the tables */

/* MOV between RAX and the register of that number */
#define FROM_CR(n) 0x0f, 0x20, (0xc0 | (n) << 3)
#define TO_CR(n) 0x0f, 0x22, (0xc0 | (n) << 3)
#define FROM_DR(n) 0x0f, 0x21, (0xc0 | (n) << 3)
#define TO_DR(n) 0x0f, 0x23, (0xc0 | (n) << 3)

#define GATE_INTERRUPT 0x8eu
#define GATE_TRAP 0x8fu
#define GATE_DPL_3 0x60u

/* At CPL 0 with RSP = KERNEL_STACK - 0x108 and RIP = CODE_AT; TR and LDTR are loaded. Vector n has
 * an interrupt gate to HANDLER_AT(n), vectors 3 and 128 a trap gate with DPL 3. */
struct cpu *vmm_kernel_new(void);
/* To CPL 3, flat, with RSP = USER_STACK. */
void vmm_enter_user(struct cpu *c);
void vmm_set_gate(struct cpu *c, unsigned vector, unsigned type, uint16_t selector, unsigned ist,
                  uint64_t offset);
uint64_t *vmm_word(struct cpu *c, uint64_t physical);

/* What emulate() says to these bytes at RIP. They are also written to memory there. */
bool vmm_execute(struct cpu *c, const uint8_t *bytes, unsigned len);
#define EXECUTE(c, ...)                                                                            \
    vmm_execute((c), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* vmm_execute is false with that exception, and RIP has not moved. */
void vmm_expect_fault(struct cpu *c, const uint8_t *bytes, unsigned len, unsigned vector,
                      unsigned error, const char *file, int line);
#define EXPECT_FAULT(c, vector, error, ...)                                                        \
    vmm_expect_fault((c), (const uint8_t[]){ __VA_ARGS__ },                                        \
                     sizeof((const uint8_t[]){ __VA_ARGS__ }), (vector), (error), __FILE__,        \
                     __LINE__)

#endif
