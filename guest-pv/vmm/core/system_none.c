/* Stands in for the system part where it is not linked: what it would serve is #UD. */
#include "guest-pv/vmm/core/system.h"

__attribute__((weak)) bool op_mov_system(struct exec *x)
{
    return raise_ud(x->c);
}

__attribute__((weak)) bool op_pop_segment(struct exec *x)
{
    return raise_ud(x->c);
}
