/* What is done with a trap of guest code that runs directly: the core executes what the CPU refused
 * in ring 3, and the guest's own exceptions are delivered to it. The same for ways 2 and 3. */
#include "guest-pv/vmm/core/deliver.h"
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/direct/handle.h"
#include "guest-pv/vmm/direct/shadow.h"

static void page_fault(struct cpu *c, const struct exit *e)
{
    switch (shadow_fault(c, e->address, e->error)) {
    case SHADOW_FILLED:
    case SHADOW_FAILED:
        break;
    case SHADOW_GUEST:
        deliver_fault(c);
        break;
    case SHADOW_WRITE:
        emulate_step(c);
        break;
    }
}

/* The CPU has put RIP behind INT3 and SYSCALL, and told of no fault that the core would not
 * find. */
static void execute_again(struct cpu *c, unsigned length)
{
    c->regs[REG_RIP] -= length;
    emulate_step(c);
}

void handle_exit(struct cpu *c, const struct exit *e)
{
    switch (e->vector) {
    case EXIT_START:
    case EXIT_EVENT:
        break;
    case EXIT_SYSCALL:
        execute_again(c, 2);
        break;
    case VECTOR_PF:
        page_fault(c, e);
        break;
    case VECTOR_BP:
        execute_again(c, 1);
        break;
    case VECTOR_GP:
    case VECTOR_UD:
    case VECTOR_SS:
        emulate_step(c);
        break;
    case VECTOR_DB:
        deliver_single_step(c);
        break;
    default: /* #DE, #MF, #XM: as the CPU says */
        raise_fault(c, e->vector);
        deliver_fault(c);
    }
}
