/* Way 2's run loop, called by direct.c whenever guest code has stopped: what trapped is handled by
 * direct/handle.c, then come the platform's interrupts (direct/pending.c). */
#include "guest-pv/vmm/direct/direct.h"
#include "guest-pv/vmm/direct/handle.h"
#include "guest-pv/vmm/direct/pending.h"
#include "guest-pv/vmm/direct/shadow.h"
#include "guest-pv/vmm/trap/run.h"

static uint64_t on_exit(struct cpu *c, const struct exit *e)
{
    handle_exit(c, e);
    deliver_pending(c, e->vector == EXIT_EVENT);
    if (c->stop == STOP_NOT)
        shadow_load(c);
    return c->regs[REG_RIP];
}

void run_trapped(struct cpu *c)
{
    direct_run(c, on_exit);
}
