/* Output of the trace for machines whose RAM the host cannot read: with trace_to=debugcon or com2
 * each block is sent through that port when it is full, by the CPU that filled it, and the last
 * ones at the end. The bytes that arrive are a trace file. It is slow, and guests wait meanwhile,
 * also those of a CPU that waits for another to have sent its block; reading the rings in RAM is
 * better where it is possible. Called by trace.c and trace_control.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/lock.h"
#include "xen/core/request.h"
#include "xen/core/trace_sink.h"

static bool open;
static struct spinlock sending = SPINLOCK(LOCK_CONSOLE, UINT16_MAX);

/* debugcon[,PORT] or com2[,PORT]: 115200 8n1. */
bool trace_sink_parse(const char *value)
{
    static const struct {
        const char *word;
        enum arch_sink kind;
        uint16_t port;
    } sinks[] = { { "debugcon", SINK_DEBUGCON, 0xe9 }, { "com2", SINK_SERIAL, 0x2f8 } };
    const char *comma = strchr(value, ','), *end;
    size_t len = comma != NULL ? (size_t)(comma - value) : strlen(value);

    for (unsigned i = 0; i < ARRAY_SIZE(sinks); i++) {
        uint64_t port = comma != NULL ? parse_number(comma + 1, &end) : sinks[i].port;

        if (strlen(sinks[i].word) != len || strncmp(sinks[i].word, value, len) != 0)
            continue;
        if (comma != NULL && (end == comma + 1 || *end != '\0' || port > 0xfff8))
            return false;
        arch_sink_setup(sinks[i].kind, (uint16_t)port);
        open = true;
        return true;
    }
    return false;
}

/* Not spin_lock(): records are written under locks of every class, and on a serial line a block
 * takes longer than a CPU may wait for a lock. */
static void lock_port(void)
{
    while (!spin_trylock(&sending)) {
        serve_flush_requests();
        cpu_relax();
    }
}

void trace_sink_block(const struct trace_block *b)
{
    const uint32_t window[] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, b->cpu, b->used };

    if (!open || b->used == 0)
        return;
    if (panic_depth == 0)               /* in a panic its holder may have stopped */
        lock_port();
    arch_sink_write(window, sizeof(window));
    arch_sink_write(b->records, b->used);
    if (panic_depth == 0)
        spin_unlock(&sending);
}
