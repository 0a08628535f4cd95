/* Translated code beside the core, host instruction by host instruction: see vmm_translated.h. */
#include <stdio.h>
#include <string.h>
#include "cmocka_main.h"
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/emulate.h"
#include "tests/unit/vmm_case_parts.h"
#include "tests/unit/vmm_next.h"
#include "tests/unit/vmm_translated.h"
#include "tests/unit/vmm_undefined.h"

#define KEPT_FLAGS (FLAG_IF | FLAG_IOPL | FLAG_NT)
#define UD2_BYTES 2u
#define MAX_STOPS 20000u

/* --- One stop --------------------------------------------------------------------------------- */

/* From host on until the CPU stops: where that is, with the CPU's registers in c->regs. */
static uint64_t execute(struct cpu *c, uint64_t at, uint64_t trap, struct native_run *run)
{
    uint64_t kept = c->regs[REG_RFLAGS] & KEPT_FLAGS;

    memcpy(run->regs, c->regs, sizeof(run->regs));
    run->regs[REG_RIP] = at;
    run->regs[REG_RFLAGS] = (c->regs[REG_RFLAGS] & ~KEPT_FLAGS) | FLAG_IF | trap;
    native_execute(run);
    memcpy(c->regs, run->regs, sizeof(run->regs));
    c->regs[REG_RFLAGS] = (c->regs[REG_RFLAGS] & ~(KEPT_FLAGS | FLAG_TF | FLAG_RF)) | kept;
    return run->regs[REG_RIP];
}

static bool is_callout(const struct native_run *run)
{
    return run->vector == VECTOR_UD && memcmp((void *)run->regs[REG_RIP], "\x0f\x0b", 2) == 0;
}

enum reason { BY_BRANCH, BY_CALLOUT, BY_FAULT };

/* The CPU has stopped by itself: the guest's state. But for a branch the core does the instruction,
 * which may raise a fault. */
static enum reason stopped(struct cpu *c, const struct native_run *run)
{
    uint64_t at = run->regs[REG_RIP];

    if (!translate_is_code(c, at))
        fail_msg("stopped outside of the region: vector %u at %#lx", run->vector, at);
    if (is_callout(run))
        return translate_callout(c, at + UD2_BYTES) == CALLOUT_EMULATE ? BY_CALLOUT : BY_BRANCH;
    translate_map_back(c, at);
    return BY_FAULT;
}

/* --- Comparing -------------------------------------------------------------------------------- */

static void print_regs(const char *who, const struct cpu *c)
{
    fprintf(stderr, "%s:", who);
    for (unsigned i = 0; i < 18; i++)
        fprintf(stderr, "%s %lx", i % 6 ? "" : "\n  ", c->regs[i]);
    fprintf(stderr, " shadow %d, CPL %u, CR2 %lx, last fault %u %#x; %s\n", c->shadow, c->cpl,
            c->cr2, c->fault.vector, c->fault.error, c->reason);
}

/* Of RF translated code knows nothing. */
static bool same_regs(const struct pair *p)
{
    const uint64_t *a = p->core->regs, *b = p->translated->regs;

    for (unsigned i = 0; i < REG_RFLAGS; i++)
        if (a[i] != b[i])
            return false;
    return ((a[REG_RFLAGS] ^ b[REG_RFLAGS]) & ~(p->undefined | FLAG_RF)) == 0;
}

/* Of the word below RSP, by this page's address or by its alias's. */
static bool is_below_rsp(struct cpu *c, const uint8_t *byte)
{
    for (unsigned i = 1; i <= 8; i++) {
        uint64_t at = c->regs[RSP] - i;

        if (at - WINDOW < NR_PAGES * GUEST_PAGE && translated_at(c, at) == byte)
            return true;
    }
    return false;
}

/* Below RSP PUSHF has a word that is not what it will be. */
static bool same_memory(const struct pair *p)
{
    for (unsigned page = 0; page < NR_PAGES; page++) {
        const uint8_t *a = translated_at(p->core, PAGE_AT(page)),
                      *b = translated_at(p->translated, PAGE_AT(page));

        if (memcmp(a, b, GUEST_PAGE) == 0)
            continue;
        for (unsigned i = 0; i < GUEST_PAGE; i++)
            if (a[i] != b[i] && !is_below_rsp(p->core, &a[i]))
                return false;
        if (!is_next(p->core, OP_PUSHF))
            return false;
    }
    return true;
}

/* Translated code has it behind every STI, also where IF was 1: an interrupt comes later. */
static bool same_shadow(const struct pair *p)
{
    return p->core->shadow == p->translated->shadow ||
           (p->translated->shadow && p->op == OP_STI);
}

static bool same(const struct pair *p)
{
    return same_regs(p) && p->core->stop == p->translated->stop &&
           p->core->cr2 == p->translated->cr2 && same_shadow(p) && same_memory(p);
}

static void print_core_insn(const struct pair *p)
{
    fprintf(stderr, "state %#lx; the core's last instruction, at %#lx:", p->state, p->rip);
    for (unsigned i = 0; i < 15; i++)
        fprintf(stderr, " %02x", code_byte(p->core, p->rip + i));
    fprintf(stderr, "; next %#lx:", p->core->regs[REG_RIP]);
    for (unsigned i = 0; i < 15; i++)
        fprintf(stderr, " %02x", code_byte(p->core, p->core->regs[REG_RIP] + i));
    fprintf(stderr, "\n");
}

void compare_pair(struct pair *p, const char *where)
{
    if (same(p))
        return;
    print_core_insn(p);
    print_regs("core", p->core);
    print_regs("translated", p->translated);
    if (same_regs(p) && !same_memory(p))
        fprintf(stderr, "memory differs\n");
    fail_msg("%s: differs after %u steps, %u points, host %#lx", where, p->nr_steps, p->nr_points,
             p->host);
}

static void step_core(struct pair *p)
{
    struct test_case t;

    p->undefined = next_insn(p->core, &t) ? undefined_flags(&t) : 0;
    p->op = t.k != NULL ? t.k->op : OP_OTHER;
    p->rip = p->core->regs[REG_RIP];
    p->core->shadow = false;
    emulate_step(p->core);
    p->nr_steps++;
    if (p->core->regs[REG_RIP] != p->rip + t.in.length)
        p->undefined = 0; /* it was not executed */
}

static bool is_relative_jump(struct cpu *c)
{
    struct test_case t;

    return next_insn(c, &t) && t.k->op == OP_JMP && t.in.opcode != 0xff;
}
static bool is_repeated(struct cpu *c)
{
    struct test_case t;

    return next_insn(c, &t) && t.in.rep && is_string(t.k->op);
}

/* What the core does of the translated machine's. */
static void step_translated(struct cpu *c, enum reason reason)
{
    c->shadow = false;
    if (reason == BY_CALLOUT)
        translate_execute(c);
    else
        emulate_step(c);
}

/* One instruction by the core; of a REP all of it. */
static void step_whole(struct pair *p, bool of_core, enum reason reason)
{
    struct cpu *c = of_core ? p->core : p->translated;
    uint64_t rip = c->regs[REG_RIP];
    bool repeated = is_repeated(c);

    for (unsigned i = 0; i < 1000 && c->stop == STOP_NOT; i++) {
        if (of_core)
            step_core(p);
        else
            step_translated(c, reason);
        if (!repeated || c->regs[REG_RIP] != rip)
            return;
    }
}

/* The translated machine's state is the core's, or what it will be after the instruction. A jump
 * may have nothing of its own: the code behind it follows. In the middle of a REP the core, which
 * does more steps at a time, is not there yet. */
static void follow(struct pair *p)
{
    if (same(p) || (is_repeated(p->core) && p->core->regs[REG_RIP] == p->translated->regs[REG_RIP]))
        return;
    step_whole(p, true, BY_FAULT);
    for (unsigned jumps = 0; jumps < 3 && !same(p) && is_relative_jump(p->core); jumps++)
        step_core(p);
    compare_pair(p, "a point");
}

static void step_both(struct pair *p, enum reason reason)
{
    step_whole(p, false, reason);
    step_whole(p, true, reason);
    compare_pair(p, "an instruction by the core");
}

/* As the way's run loop does after each exit: a load of CR3 may have been one. */
static uint64_t entry_of(struct cpu *c)
{
    translate_root_changed(c);
    return translate_entry(c);
}

/* --- Host instruction by host instruction ----------------------------------------------------- */

/* What PUSHF has stored is not TF's, which is the test's. */
static void clear_pushed_trap(struct cpu *c)
{
    if (c->regs[RSP] - WINDOW < NR_PAGES * GUEST_PAGE - 8)
        *(uint8_t *)(c->regs[RSP] + 1) &= (uint8_t)~(FLAG_TF >> 8);
}

/* What PUSHF has stored before it was over is stored once more when it is done again. */
static void forget_pushed_flags(struct pair *p)
{
    uint64_t at = p->core->regs[RSP] - 8;

    if (is_next(p->core, OP_PUSHF) && at - WINDOW < NR_PAGES * GUEST_PAGE - 8)
        memcpy(translated_at(p->translated, at), translated_at(p->core, at), 8);
}

/* The translated machine's state at host, mapped back. False: an interrupt has come, or it has been
 * taken out of the region for good: it goes on at its RIP. */
static bool check_point(struct pair *p, const struct lockstep *how)
{
    struct cpu *c = p->translated;
    uint64_t regs[19];
    bool middle;

    memcpy(regs, c->regs, sizeof(regs));
    translate_map_back(c, p->host);
    follow(p);
    middle = !same(p);
    if ((how->leave != 0 && one_in(how->leave)) || p->nr_points == how->leave_at)
        return false;
    if (how->interrupts != 0 && one_in(how->interrupts) && !middle && p->undefined == 0 &&
        !p->core->shadow && (p->core->regs[REG_RFLAGS] & FLAG_IF)) {
        forget_pushed_flags(p);
        deliver_interrupt(p->core, VECTOR_OF_TEST);
        deliver_interrupt(c, VECTOR_OF_TEST);
        compare_pair(p, "an interrupt");
        return false;
    }
    memcpy(c->regs, regs, sizeof(regs));
    return true;
}

static void step_host(struct pair *p, const struct lockstep *how)
{
    struct cpu *c = p->translated;
    struct native_run run = { .fx = NULL };
    uint64_t from = p->host;
    bool pushf = *(uint8_t *)from == 0x9c;
    enum reason reason;

    c->shadow = false;
    p->host = execute(c, p->host, FLAG_TF, &run);
    p->nr_points++;
    if (run.vector == VECTOR_DB) {
        if (pushf)
            clear_pushed_trap(c);
        if (!translate_is_code(c, p->host)) {
            print_core_insn(p);
            fail_msg("the host instruction at %#lx leads to %#lx", from, p->host);
        }
        if (!check_point(p, how))
            p->host = 0;
        return;
    }
    p->host = 0;
    reason = stopped(c, &run);
    follow(p);
    if (reason != BY_BRANCH)
        step_both(p, reason);
}

void run_lockstep(struct pair *p, const struct lockstep *how)
{
    struct cpu *c = p->translated;
    struct test_case t;
    bool left = false;

    while (p->core->stop == STOP_NOT && p->nr_steps < how->max_steps) {
        if (!next_insn(p->core, &t) || leaves_window(p->core, &t) ||
            (p->undefined != 0 && t.k->op != OP_CMP)) {
            p->foreign = true;
            return;
        }
        if (p->host == 0 && !left && !c->shadow && !(c->regs[REG_RFLAGS] & FLAG_TF))
            p->host = entry_of(c);
        if (p->host == 0) {
            step_both(p, BY_FAULT);
            continue;
        }
        step_host(p, how);
        left = p->host == 0 && (how->leave != 0 || p->nr_points == how->leave_at);
    }
    if (p->core->stop != STOP_NOT)
        compare_pair(p, "the end");
}

/* --- Alone ------------------------------------------------------------------------------------ */

void run_core_alone(struct pair *p, unsigned max_steps)
{
    while (p->core->stop == STOP_NOT && p->nr_steps < max_steps)
        step_core(p);
}

void run_translated_alone(struct pair *p)
{
    struct cpu *c = p->translated;
    struct native_run run = { .fx = NULL };

    for (unsigned i = 0; i < MAX_STOPS && c->stop == STOP_NOT; i++) {
        uint64_t at = c->shadow || (c->regs[REG_RFLAGS] & FLAG_TF) ? 0 : entry_of(c);
        enum reason reason = BY_FAULT;

        c->shadow = false;
        if (at != 0) {
            execute(c, at, 0, &run);
            reason = stopped(c, &run);
        }
        if (reason != BY_BRANCH)
            step_translated(c, reason);
    }
}
