/* Traps of a guest: instructions of all kinds that the CPU refused, and page faults, some of
 * them of stores to page tables. Called by guest.c. */
#include "arch/arch.h"
#include "tests/fuzz/choice.h"
#include "tests/fuzz/traps.h"
#include "tests/fuzz/words.h"
#include "tests/fuzz/world.h"
#include "xen/core/walk.h"
#include "xen/cpu/exceptions.h"
#include "xen/pv/traps.h"

static const char *const code[] = {
    "\x0f\x20\xc0", "\x0f\x22\xd8", "\x0f\x22\xe0", "\x0f\x20\xd8", "\x0f\x22\xc0", "\x0f\x06\x90",
    "\x0f\x32\x90", "\x0f\x30\x90", "\x0f\x21\xc0", "\x0f\x23\xf8", "\x0f\x23\xc3", "\xe4\x70\x90",
    "\xe6\x80\x90", "\xec\x90\x90", "\xef\x90\x90", "\xfa\x90\x90", "\xfb\x90\x90", "\x6c\x90\x90",
    "\xf3\x6e\x90", "\x0f\x01\xd1", "\x0f\x09\x90", "\xf4\x90\x90", "\xcd\x80\x90", "\x0f\x0b\x78",
    "\x48\x89\x07", "\x48\x87\x07", "\x0f\x01\xf8", "\x0f\x20\xe0", "\x0f\x20\xd0", "\x0f\x22\xd0",
    "\x0f\x31\x90", "\x0f\x01\xf9",
};

static const char *const stores[] = {
    "\x48\x89\x07\x90", "\x48\x87\x07\x90", "\x48\x0f\xb1\x07", "\x48\x0f\xc1\x07",
    "\x48\x01\x07\x90", "\x48\x21\x07\x90", "\x48\x31\x07\x90", "\x48\x83\x27\x01",
    "\x0f\xba\x37\x01", "\x0f\xab\x07\x90", "\x66\x89\x07\x90", "\x88\x07\x90\x90",
};

static void choose_code(void)
{
    poke(CODE, code[below(ARRAY_SIZE(code))], 3);
    if (one_in(4))
        poke_words(CODE, 2);
    if (one_in(3))
        poke(CODE, "\x0f\x0bxen\x0f\xa2", 7);
}

static void choose_registers(struct cpu_user_regs *r, uint64_t cr2)
{
    r->rax = some_word();
    if (one_in(2))
        r->rax = (uint64_t[]){ 1, 3, 7, 0x80050033 }[below(4)];
    r->rbx = some_word();
    r->rcx = one_in(2) ? 0xc0000080 + below(0x200) : one_in(2) ? 0 : some_word();
    r->rdx = one_in(2) ? 0 : some_word();
    r->rdi = r->rsi = cr2;
}

/* The faulting address: of a store to a table, in the window of descriptor tables, or anywhere. */
static uint64_t choose_page_fault(const struct vcpu *v, uint64_t anywhere)
{
    struct cpu_user_regs *r = guest_regs(v);

    if (one_in(2)) {
        r->rdi = TABLES_VA + below(512) * 8;
        r->rax = some_pte();
        r->error_code = 3;
        poke(CODE, stores[below(ARRAY_SIZE(stores))], 4);
        return r->rdi;
    }
    if (one_in(8)) {
        anywhere = 0xffff820000000000 + ((uint64_t)v->id << 17) + 0x10000 + below(0x10000);
        r->error_code = (uint32_t)below(4);
    } else {
        r->error_code = (uint32_t)below(4) | (one_in(500) ? 8 : 0);
    }
    return anywhere;
}

void guest_trap(struct vcpu *v)
{
    struct cpu_user_regs *r = guest_regs(v);
    unsigned vector = one_in(6) ? (unsigned)below(20)
                                : (unsigned)(uint64_t[]){TRAP_GP, TRAP_PF, TRAP_UD}[below(3)];
    uint64_t cr2 = some_va();

    choose_code();
    choose_registers(r, cr2);
    if (vector == TRAP_PF)
        cr2 = choose_page_fault(v, cr2);
    else
        r->error_code = one_in(3) ? (uint32_t)below(2048) : 0;
    if (vector == TRAP_NMI || vector == 8 || vector == 9 || vector == 15 || vector == 18)
        vector = TRAP_GP;                       /* those never go to a guest this way */
    if (one_in(3))
        r->rip = CODE + below(3);
    if (vector == TRAP_GP && one_in(10)) {
        poke(CODE, "\xcd\x80", 2);
        r->error_code = 0x80 * 8 + 2;
    }
    world.inside++;
    host_held = false;
    handle_guest_trap(r, vector, cr2);
    world.inside--;
    world.result.traps++;
    audit_now_and_then();
}
