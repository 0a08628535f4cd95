/* Runs 32- and 16-bit code in user mode, for the tests in compat.c and compat_strings.c. */
#include <string.h>
#include "compat.h"
#include "hypercall.h"

const uint16_t compat_kinds[KINDS] = { FLAT_RING3_CS32, SEL(CODE32), SEL(CODE16) };
uint8_t *compat_data;
struct regs compat_seen;

static pfn_t code_pfn, data_pfn;
static uint8_t *code;

void compat_begin(void)
{
    gdt_begin();
    code_pfn = frame_alloc();
    data_pfn = frame_alloc();
    code = p2v(code_pfn);
    compat_data = p2v(data_pfn);
    ASSERT_EQ(map_user((void *)CODE_VA, make_pte(pfn_to_mfn(code_pfn), PTE_P | PTE_US | PTE_A)), 0);
    ASSERT_EQ(map_user((void *)DATA_VA, make_pte(pfn_to_mfn(data_pfn), PTE_USER | PTE_NX)), 0);
    EXPECT_EQ(gdt_set(CODE32, D_CODE | D_BIG | D_BASE(CODE_VA) | D_LIMIT(0xffful)), 0);
    EXPECT_EQ(gdt_set(CODE16, D_CODE | D_BASE(CODE_VA) | D_LIMIT(0xffful)), 0);
    EXPECT_EQ(gdt_set(DATA, D_DATA | D_BIG | D_BASE(DATA_VA) | D_LIMIT(0xffful)), 0);
    EXPECT_EQ(gdt_set(DOWN, D_DOWN | D_BIG | D_BASE(DATA_VA) | D_LIMIT(0x7fful)), 0);
    set_iopl(0);
}

void compat_end(void)
{
    __asm__ volatile("movl %0, %%ds\n\tmovl %0, %%es" : : "r"(0));
    gdt_end();
    EXPECT_EQ(unmap_page((void *)CODE_VA), 0);
    EXPECT_EQ(unmap_page((void *)DATA_VA), 0);
    flush_local();
    frame_free(code_pfn);
    frame_free(data_pfn);
}

void set_iopl(unsigned iopl)
{
    struct physdev_set_iopl op = { .iopl = iopl };

    ASSERT_EQ(xen_physdev_op(PHYSDEVOP_set_iopl, &op), 0);
}

struct regs compat_registers(uint64_t rax, uint64_t rdx)
{
    struct regs r;

    user_init_regs(&r, NULL, 0, 0, rdx);
    r.rax = rax;
    r.rsp -= 64;
    return r;
}

/* Notes the registers and does not handle the trap, which ends the run. */
static bool on_end(struct regs *r)
{
    if (regs_user(r))
        compat_seen = *r;
    return false;
}

struct fault compat_run(unsigned offset, const char *bytes, unsigned n, struct regs *r, unsigned cs)
{
    trap_handler old = trap_set_handler(TRAP_BP, on_end);
    struct fault f;

    memset(code, 0x90, PAGE_SIZE);
    memcpy(code + offset, bytes, n);
    code[offset + n] = 0xcc;
    r->rip = cs == FLAT_RING3_CS32 ? CODE_VA + offset : offset;
    r->cs = cs;
    memset(&compat_seen, 0, sizeof(compat_seen));
    f = user_run_regs(r).fault;
    trap_set_handler(TRAP_BP, old);
    return f;
}

void expect_done(const char *what, struct fault f, unsigned cs, unsigned rip, uint64_t rax)
{
    uint64_t start = cs == FLAT_RING3_CS32 ? CODE_VA : 0;

    EXPECT_MSG(f.vector == TRAP_BP && f.rip == start + rip + 1 &&
               (uint32_t)compat_seen.rax == (uint32_t)rax,
               "%s, cs %#x: vector %d error %#x rip %#lx rax %#lx", what, cs, f.vector, f.error,
               f.rip, compat_seen.rax);
}

void expect_refused(const char *what, struct fault f, unsigned cs, unsigned rip, int vector,
                    unsigned error)
{
    uint64_t start = cs == FLAT_RING3_CS32 ? CODE_VA : 0;

    EXPECT_MSG(f.vector == vector && f.error == error && f.rip == start + rip,
               "%s, cs %#x: vector %d error %#x rip %#lx", what, cs, f.vector, f.error, f.rip);
}
