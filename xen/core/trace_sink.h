/* trace_to=: where the trace goes besides the ring. */
#ifndef XEN_TRACE_SINK_H
#define XEN_TRACE_SINK_H

#include "arch/arch.h"

bool trace_sink_parse(const char *value);

#endif
