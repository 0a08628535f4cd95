/* Prints the trace on the console. */
#ifndef XEN_TRACE_SHOW_H
#define XEN_TRACE_SHOW_H

void trace_show(void);                  /* the youngest trace_config.lines records */

#endif
