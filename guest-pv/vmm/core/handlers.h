/* The functions that execute instructions, for the table in emulate.c and for those who define
 * them. What a handler has to keep is said in emulate.h. */
#ifndef VMM_CORE_HANDLERS_H
#define VMM_CORE_HANDLERS_H

#include "guest-pv/vmm/core/emulate.h"

#define HANDLER(op, function) handler_fn function;
#include "guest-pv/vmm/core/handlers_integer.def"
#include "guest-pv/vmm/core/handlers_sse.def"
#include "guest-pv/vmm/core/handlers_system.def"
#undef HANDLER

#endif
