/* Output of the trace for machines whose RAM the host cannot read: with trace_to=debugcon or com2
 * each block is sent through that port when it is full, and the last one at the end. The bytes that
 * arrive are a trace file. It is slow, and guests wait meanwhile; reading the ring in RAM is better
 * where it is possible. Called by trace.c and trace_control.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "common/trace_format.h"
#include "xen/core/trace_sink.h"

static bool open;

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

void trace_sink_block(const struct trace_block *b)
{
    const uint32_t window[] = { TRC_TRACE_CPU_CHANGE | 2u << TRACE_EXTRA_SHIFT, b->cpu, b->used };

    if (!open || b->used == 0)
        return;
    arch_sink_write(window, sizeof(window));
    arch_sink_write(b->records, b->used);
}
