/* Names of the trace's records, and a guest that executes an instruction in its kernel. Included by
 * test_trace_calls.c, test_trace_traps.c and test_trace_events.c, which compare records word for
 * word. */
#ifndef TRACE_RECORDS_H
#define TRACE_RECORDS_H

#include "trace_fixture.h"
#include "common/trace_format.h"
#include "xen/core/domain.h"
#include "xen/cpu/exceptions.h"
#include "xen/pv/hypercalls.h"

#define V2 TRC_PV_HYPERCALL_V2
#define RESULT TRC_PARAGON_RESULT
#define CODE (GUEST_BASE + 0x300)

/* Widths of the arguments, first one lowest: two bits each from bit 20 on. */
#define W(a, b, c, d, e, f) \
    ((a) << 20 | (b) << 22 | (c) << 24 | (d) << 26 | (e) << 28 | (uint32_t)(f) << 30)

static const uint64_t arguments[6] = {
    0x1100000010, 0x2100000020, 0x3100000030, 0x4100000040, 0x5100000050, 0x6100000060,
};

/* A guest whose kernel is about to execute this code. */
static inline struct cpu_user_regs *in_kernel(const void *code, size_t len)
{
    struct cpu_user_regs *r = guest_regs(current);
    struct trap_info traps[8];
    static const uint8_t vectors[] = { TRAP_DE, TRAP_UD, TRAP_GP, TRAP_PF, 0x80, TRAP_SS };

    memset(traps, 0, sizeof(traps));
    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
        traps[i] = (struct trap_info){ .vector = vectors[i], .flags = 3, .cs = FLAT_KERNEL_CS64,
                                       .address = CODE + 0x100 };
    guest_put(SCRATCH, traps, sizeof(traps));
    (void)do_set_trap_table(SCRATCH);
    guest_put(CODE, code, len);
    memset(r, 0, sizeof(*r));
    r->rip = CODE;
    r->cs = FLAT_KERNEL_CS64;
    r->ss = FLAT_KERNEL_SS64;
    r->rsp = SCRATCH + 0x1000;
    r->rflags = 0x202;
    current->kernel_mode = true;
    current->iopl = 1;
    return r;
}

#endif
