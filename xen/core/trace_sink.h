/* trace_to=: where the trace goes besides the ring. */
#ifndef XEN_TRACE_SINK_H
#define XEN_TRACE_SINK_H

#include <stdbool.h>

#include "common/trace_format.h"

bool trace_sink_parse(const char *value);
void trace_sink_block(const struct trace_block *b);     /* a block is full */

#endif
