/* A kernel's tables for tests of the vmm: see vmm_kernel.h. */
#include <string.h>
#include "cmocka_main.h"
#include "guest-pv/vmm/core/emulate.h"
#include "tests/unit/vmm_kernel.h"

#define SYSTEM_LOW(base, limit, type)                                                              \
    ((limit) | (uint64_t)(base) << 16 | (uint64_t)(0x80 | (type)) << 40)

static const uint64_t gdt[] = {
    [KERNEL_CS / 8] = 0x00af9b000000ffff,
    [KERNEL_SS / 8] = 0x00cf93000000ffff,
    [USER_SS / 8] = 0x00cff3000000ffff,
    [USER_CS / 8] = 0x00affb000000ffff,
    [CODE_32 / 8] = 0x00cf9b000000ffff,
    [DATA_ABSENT / 8] = 0x00cf13000000ffff,
    [CODE_CONFORMING / 8] = 0x00af9f000000ffff,
    [DATA_READ_ONLY / 8] = 0x56ce90120000ffff,  /* base 0x56120000, limit 0xeffff pages */
    [TSS_SELECTOR / 8] = SYSTEM_LOW(KERNEL_TSS, TSS_LIMIT, 9), 0xffff8000,
    [LDT_SELECTOR / 8] = SYSTEM_LOW(KERNEL_LDT, LDT_LIMIT, 2), 0,
    [CODE_ABSENT / 8] = 0x00af1b000000ffff,
    [CODE_EXECUTE_ONLY / 8] = 0x00af99000000ffff,
    [CALL_GATE / 8] = SYSTEM_LOW(0, 0, 12), 0,
    [DATA_DPL_1 / 8] = 0x00cfb3000000ffff,
    [TSS_BUSY / 8] = SYSTEM_LOW(KERNEL_TSS, TSS_LIMIT, 11), 0,
    [LDT_ABSENT / 8] = SYSTEM_LOW(KERNEL_LDT, LDT_LIMIT, 2) & ~(1ull << 47), 0,
    [USER_CS_CONFORMING / 8] = 0x00afff000000ffff,
};
_Static_assert(sizeof(gdt) == GDT_LIMIT + 1, "GDT_LIMIT");

uint64_t *vmm_word(struct cpu *c, uint64_t physical)
{
    return (uint64_t *)(c->ram.bytes + physical);
}

void vmm_set_gate(struct cpu *c, unsigned vector, unsigned type, uint16_t selector, unsigned ist,
                  uint64_t offset)
{
    uint64_t *gate = vmm_word(c, KERNEL_IDT + 16 * vector);

    gate[0] = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
              (uint64_t)type << 40 | (offset >> 16 & 0xffff) << 48;
    gate[1] = offset >> 32;
}

static void set_tss(struct cpu *c)
{
    uint8_t *tss = c->ram.bytes + KERNEL_TSS;
    uint64_t rsp = KERNEL_STACK;
    uint16_t bitmap = 0x68;

    memset(tss, 0, TSS_LIMIT + 1);
    memcpy(tss + 4, &rsp, 8);
    for (unsigned n = 1; n <= 7; n++) {
        rsp = IST_STACK(n);
        memcpy(tss + 0x24 + 8 * (n - 1), &rsp, 8);
    }
    memcpy(tss + 0x66, &bitmap, 2);
    c->tr = (struct segment){ TSS_SELECTOR, 0x8b, TSS_LIMIT, KERNEL_TSS };
}

struct cpu *vmm_kernel_new(void)
{
    struct cpu *c = vmm_cpu_new(256);
    uint64_t data_dpl_0 = gdt[KERNEL_SS / 8];

    memcpy(c->ram.bytes + KERNEL_GDT, gdt, sizeof(gdt));
    c->gdtr = (struct table_register){ KERNEL_GDT, GDT_LIMIT };
    memcpy(c->ram.bytes + KERNEL_LDT, &data_dpl_0, 8);
    c->ldtr = (struct segment){ LDT_SELECTOR, 0x82, LDT_LIMIT, KERNEL_LDT };
    set_tss(c);
    c->idtr = (struct table_register){ KERNEL_IDT, 0xfff };
    for (unsigned v = 0; v < 256; v++)
        vmm_set_gate(c, v, v == 3 || v == 128 ? GATE_TRAP | GATE_DPL_3 : GATE_INTERRUPT, KERNEL_CS,
                     0, HANDLER_AT(v));
    c->regs[REG_RIP] = CODE_AT;
    c->regs[RSP] = KERNEL_STACK - 0x108;
    return c;
}

void vmm_enter_user(struct cpu *c)
{
    c->seg[SEG_CS] = (struct segment){ USER_CS, 0xa0fb, ~0u, 0 };
    for (unsigned i = 0; i < 6; i++)
        if (i != SEG_CS)
            c->seg[i] = (struct segment){ USER_SS, 0xc0f3, ~0u, 0 };
    set_cpl(c, 3);
    c->regs[RSP] = USER_STACK;
}

bool vmm_execute(struct cpu *c, const uint8_t *bytes, unsigned len)
{
    struct insn in;

    if (c->regs[REG_RIP] + len <= 256 * GUEST_PAGE)
        memcpy(c->ram.bytes + c->regs[REG_RIP], bytes, len);
    assert_true(decode_insn(bytes, len, MODE_64, &in));
    assert_int_equal(in.length, len);
    return emulate(c, &in);
}

void vmm_expect_fault(struct cpu *c, const uint8_t *bytes, unsigned len, unsigned vector,
                      unsigned error, const char *file, int line)
{
    uint64_t rip = c->regs[REG_RIP], rsp = c->regs[RSP];

    _assert_true(!vmm_execute(c, bytes, len), "an exception", file, line);
    _assert_int_equal(c->fault.vector, vector, file, line);
    _assert_int_equal(c->fault.error, error, file, line);
    _assert_int_equal(c->regs[REG_RIP], rip, file, line);
    _assert_int_equal(c->regs[RSP], rsp, file, line);
    _assert_int_equal(c->stop, STOP_NOT, file, line);
}
