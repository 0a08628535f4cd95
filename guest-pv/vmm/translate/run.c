/* Way 3's run loop, called by direct.c whenever guest code has stopped. The guest's user code runs
 * as with way 2; its kernel code runs in the region, and what stopped there is first seen as a host
 * address. */
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/core/paging.h"
#include "guest-pv/vmm/direct/direct.h"
#include "guest-pv/vmm/direct/handle.h"
#include "guest-pv/vmm/direct/pending.h"
#include "guest-pv/vmm/direct/shadow.h"
#include "guest-pv/vmm/platform/platform.h"
#include "guest-pv/vmm/translate/translate.h"

/* Kernel code with one of these set is the core's: after TF comes #DB, and a translated PUSHF has
 * the real CPU's IOPL and NT, which are 0. */
#define BY_CORE ((uint64_t)(FLAG_TF | FLAG_IOPL | FLAG_NT))

static void frame_written(struct cpu *c, uint64_t phys, unsigned bytes)
{
    translate_written(c, phys, bytes, shadow_own_write(c));
    shadow_written(c, phys, bytes);
}

/* The instruction that a shadow is for is this one. */
static void emulate_here(struct cpu *c)
{
    c->shadow = false;
    emulate_step(c);
}

static void write_here(struct cpu *c, uint64_t linear, uint64_t host_rip)
{
    uint64_t rip = c->regs[REG_RIP], changes = translate_changes(c);

    emulate_here(c);
    if (translate_changes(c) == changes && is_flagged_page(c, linear))
        translate_note_store(c, rip, host_rip); /* it was no code, and is still a table */
}

/* A page that is cleared or copied to is no table any more: without shadows it is written
 * freely. */
static enum shadow_outcome write_page(struct cpu *c, const struct exit *e)
{
    struct translation to;

    if (!translate_stores_on(c, e->address) || !walk(c, e->address, ACCESS_WRITE, &to) ||
        frame_flags(&c->ram, to.frame) != FRAME_TABLE)
        return SHADOW_WRITE;
    shadow_abandon(c, to.frame);
    return shadow_fault(c, e->address, e->error);
}

/* A fault that only fills a shadow table goes on where it was, at the host's address. */
static bool fault_in_code(struct cpu *c, const struct exit *e, uint64_t host_rip)
{
    uint64_t changes = translate_changes(c);
    enum shadow_outcome outcome = shadow_fault(c, e->address, e->error);

    if (outcome == SHADOW_FILLED && translate_changes(c) == changes)
        return true;
    translate_map_back(c, host_rip);
    if (outcome == SHADOW_WRITE)
        outcome = write_page(c, e);
    if (outcome == SHADOW_GUEST)
        deliver_fault(c);
    else if (outcome == SHADOW_WRITE)
        write_here(c, e->address, host_rip);
    return false;
}

/* An interrupt that the guest does not want now is left to its STI or IRET, which looks whether one
 * waits. It may have looked already, so the instruction that was interrupted is begun again. */
static bool event_in_code(struct cpu *c, uint64_t host_rip)
{
    platform_poll(c->platform);
    if (!c->platform->reset && !platform_interrupt(c->platform)) {
        translate_set_pending(c, false);
        set_platform_alarm(c, true);
        return true;
    }
    translate_map_back(c, host_rip);
    return false;
}

/* True: the CPU goes on at the same host address, and c->regs are as they came. */
static bool handle_in_code(struct cpu *c, const struct exit *e, uint64_t host_rip)
{
    switch (e->vector) {
    case VECTOR_PF:
        return fault_in_code(c, e, host_rip);
    case EXIT_EVENT:
        return event_in_code(c, host_rip);
    case EXIT_SYSCALL:
        if (translate_callout(c, host_rip) == CALLOUT_EMULATE)
            translate_execute(c);
        return false;
    default:
        translate_map_back(c, host_rip);
        c->shadow = false;
        handle_exit(c, e);
        return false;
    }
}

/* Where the CPU goes on. An instruction that no block begins with is the core's. */
static uint64_t enter(struct cpu *c, bool now)
{
    static uint64_t root;
    uint64_t host = 0;

    deliver_pending(c, now);
    while (c->stop == STOP_NOT) {
        if (c->cr3 != root) {
            root = c->cr3;
            shadow_load(c); /* from here on writes to the root are seen */
            translate_root_changed(c);
        }
        if (c->cpl == 3) {
            shadow_load(c);
            return c->regs[REG_RIP];
        }
        host = c->regs[REG_RFLAGS] & BY_CORE ? 0 : translate_entry(c);
        if (host != 0)
            break;
        emulate_single_step(c);
        deliver_pending(c, false);
    }
    if (c->stop == STOP_NOT) {
        translate_set_pending(c, platform_interrupt(c->platform));
        shadow_load(c);
    }
    return host;
}

static uint64_t on_exit(struct cpu *c, const struct exit *e)
{
    uint64_t rip = c->regs[REG_RIP];

    if (c->cpl == 0 && translate_is_code(c, rip)) {
        if (handle_in_code(c, e, rip))
            return rip;
    } else {
        handle_exit(c, e);
    }
    return enter(c, e->vector == EXIT_EVENT);
}

void run_translated(struct cpu *c)
{
    c->frame_written = frame_written;
    direct_run(c, on_exit);
}
