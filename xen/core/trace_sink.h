/* trace_to=: a port to which the trace is sent, besides the ring. */
#ifndef XEN_TRACE_SINK_H
#define XEN_TRACE_SINK_H

#include <stdbool.h>

#include "common/trace_format.h"

bool trace_sink_parse(const char *value);
/* Sends a full block, if trace_to= is given. */
void trace_sink_block(const struct trace_block *b);

#endif
