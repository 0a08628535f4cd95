/* A guest's debug registers: checks and stores what it sets by set_debugreg (pv/registers.c) or
 * by MOV to DRn (emulate.c). arch/ loads the stored values when the vCPU runs. debugreg[7] is
 * the value for the CPU's DR7. The enable bits of I/O breakpoints are kept in debugreg[5]
 * instead, and ioport.c emulates these breakpoints: in the CPU they would also trigger on the
 * hypervisor's own port I/O. */
#include "arch/arch.h"
#include "xen/core/domain.h"
#include "xen/cpu/debugreg.h"

#define CR4_DE 8u
/* These are refused; other reserved bits are corrected silently. */
#define DR6_DR7_RESERVED (~0ull << 32)
#define DR6_WRITABLE 0xffffefffull
#define DR6_ONES 0xffff0ff0ull
#define DR7_WRITABLE 0xffff27ffull
#define DR7_ONES 0x400u
#define DR7_GD 0x2000u
#define DR7_ENABLES(i) (3u << (2 * (i)))
#define DR7_TYPE(dr7, i) ((dr7) >> (16 + 4 * (i)) & 3)
#define DR7_LEN(dr7, i) ((dr7) >> (18 + 4 * (i)) & 3)
#define DR7_TYPE_IO 2u
#define DR7_TYPE_DATA 3u        /* reads and writes */

static int set_dr7(struct vcpu *v, uint64_t value)
{
    uint64_t io = 0;

    value = (value & DR7_WRITABLE) | DR7_ONES;
    if (value & DR7_GD)
        return -EPERM;
    for (unsigned i = 0; i < 4; i++) {
        if (!(value & 0xff) || DR7_TYPE(value, i) != DR7_TYPE_IO)
            continue;
        if (!(v->cr4_guest & CR4_DE))
            return -EPERM;
        io |= value & DR7_ENABLES(i);
    }
    v->debugreg[5] = io;
    v->debugreg[7] = value & ~io;
    return 0;
}

/* The register that nr names: DR4 and DR5 stand for DR6 and DR7 unless CR4.DE is set (SDM vol.
 * 3, 17.2.2). -1: no such register. */
static int real_number(const struct vcpu *v, unsigned reg)
{
    if (reg > 7 || ((reg == 4 || reg == 5) && (v->cr4_guest & CR4_DE)))
        return -1;
    return (int)(reg == 4 || reg == 5 ? reg + 2 : reg);
}

/* 0; -ENODEV: no such register; -EINVAL: reserved bits; -EPERM: a value that would let a guest
 * watch the hypervisor. */
int guest_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value)
{
    int nr = real_number(v, reg), rc;

    if (nr < 0)
        return -ENODEV;
    if (nr < 4) {
        if (!is_canonical(value) || !guest_range_ok(value, 8))
            return -EPERM;
        v->debugreg[nr] = value;
    } else if (value & DR6_DR7_RESERVED) {
        return -EINVAL;
    } else if (nr == 6) {
        v->debugreg[6] = (value & DR6_WRITABLE) | DR6_ONES;
    } else if ((rc = set_dr7(v, value)) != 0) {
        return rc;
    }
    if (v == current)
        arch_set_debugreg(v, (unsigned)nr, v->debugreg[nr]);
    return 0;
}

int guest_get_debugreg(const struct vcpu *v, unsigned reg, uint64_t *value)
{
    int nr = real_number(v, reg);

    if (nr < 0)
        return -ENODEV;
    *value = nr == 7 ? v->debugreg[7] | v->debugreg[5] : v->debugreg[nr];
    return 0;
}

static unsigned breakpoint_bytes(const struct vcpu *v, unsigned i)
{
    static const uint8_t widths[4] = { 1, 2, 8, 4 };

    return widths[DR7_LEN(v->debugreg[7], i)];
}

uint64_t io_breakpoints_hit(const struct vcpu *v, uint16_t port, unsigned bytes)
{
    uint64_t hit = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned width = breakpoint_bytes(v, i);
        uint64_t start = v->debugreg[i] & ~(uint64_t)(width - 1);

        if ((v->debugreg[5] & DR7_ENABLES(i)) && start < port + bytes && port < start + width)
            hit |= 1u << i;
    }
    return hit;
}

uint64_t data_breakpoints_hit(const struct vcpu *v, uint64_t va, unsigned bytes)
{
    uint64_t hit = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned width = breakpoint_bytes(v, i);
        uint64_t start = v->debugreg[i] & ~(uint64_t)(width - 1);

        if ((v->debugreg[7] & DR7_ENABLES(i)) && DR7_TYPE(v->debugreg[7], i) == DR7_TYPE_DATA &&
            start < va + bytes && va < start + width)
            hit |= 1u << i;
    }
    return hit;
}
