/* Emulates port I/O. Guests have no ports of devices, but their kernels probe for them, so port I/O
 * must work and find nothing: reads give all ones and writes have no effect, except at two
 * registers and in configuration space of PCI functions that the domain owns.
 * As on hardware, IOPL or the I/O bitmap permits an access; both are set in pv/physdev.c. Called
 * by emulate.c. */
#include "arch/arch.h"
#include "common/string.h"
#include "common/x86/flags.h"
#include "xen/core/domain.h"
#include "xen/core/frame.h"
#include "xen/core/guest_access.h"
#include "xen/core/lock.h"
#include "xen/core/pci_config.h"
#include "xen/core/walk.h"
#include "xen/cpu/debugreg.h"
#include "xen/cpu/emulate.h"
#include "xen/cpu/insn_access.h"
#include "xen/cpu/ioport.h"
#include "xen/cpu/upcall.h"

#define PORT_CMOS_INDEX 0x70u
#define PORT_PCI_ADDRESS 0xcf8u
#define PORT_PCI_DATA 0xcfcu
#define PCI_PORTS 8u
#define PF_PRESENT 1u
#define PF_WRITE 2u
/* Bytes that a string instruction transfers before interrupts are let in. */
#define STRING_CHUNK 256u

/* The bitmap is in the guest kernel's memory, which the user root may not map, so it is read
 * through the kernel root. If it cannot be read the access is not allowed. */
static uint8_t bitmap_byte(const struct vcpu *v, uint64_t va)
{
    const uint64_t *slot;
    const uint8_t *page;
    uint8_t byte = 0xff;
    uint64_t pte;

    spin_lock(&v->domain->mm_lock);     /* while it is held, the entry keeps its frame */
    slot = walk_to_l1(v->root_kernel, va);
    pte = slot ? READ_ONCE(*slot) : 0;
    if ((pte & (PTE_P | PTE_PCD)) == PTE_P && mfn_valid(PTE_MFN(pte))) {
        page = mfn_to_virt(PTE_MFN(pte));
        byte = READ_ONCE(page[va & ~PAGE_MASK]);
    }
    spin_unlock(&v->domain->mm_lock);
    return byte;
}

bool guest_io_allowed(struct vcpu *v, uint16_t port, unsigned bytes)
{
    unsigned bits;

    if (likely(iopl_allows(v)))
        return true;
    if ((uint32_t)port + bytes > v->iobmp_ports)
        return false;
    bits = bitmap_byte(v, v->iobmp + port / 8);
    if (port % 8 + bytes > 8)
        bits |= (unsigned)bitmap_byte(v, v->iobmp + port / 8 + 1) << 8;
    return !(bits >> (port % 8) & ((1u << bytes) - 1));
}

/* Two registers keep what is written, as Xen gives them to every guest: the PCI configuration
 * address (a 32-bit port) and the CMOS index. Their data ports read as all ones like any other,
 * but for configuration space of a function that the domain owns. */
static uint32_t pci_port_in(struct domain *d, uint16_t port, unsigned bytes)
{
    if (port >= PORT_PCI_DATA)
        return pci_config_in(d, port - PORT_PCI_DATA, bytes);
    return port == PORT_PCI_ADDRESS && bytes == 4 ? d->pci_address : ~0u;
}

static void pci_port_out(struct domain *d, uint16_t port, unsigned bytes, uint32_t value)
{
    if (port >= PORT_PCI_DATA)
        pci_config_out(d, port - PORT_PCI_DATA, bytes, value);
    else if (port == PORT_PCI_ADDRESS && bytes == 4)
        d->pci_address = value;
}

uint32_t guest_port_in(struct vcpu *v, uint16_t port, unsigned bytes)
{
    uint32_t index_byte = PORT_CMOS_INDEX - port;

    if (unlikely(port - PORT_PCI_ADDRESS < PCI_PORTS))
        return pci_port_in(v->domain, port, bytes);
    if (unlikely(index_byte < bytes))
        return (~0u & ~(0xffu << 8 * index_byte)) | (uint32_t)v->domain->cmos_index
                                                        << 8 * index_byte;
    return ~0u;
}

void guest_port_out(struct vcpu *v, uint16_t port, unsigned bytes, uint32_t value)
{
    uint32_t index_byte = PORT_CMOS_INDEX - port;

    if (unlikely(port - PORT_PCI_ADDRESS < PCI_PORTS))
        pci_port_out(v->domain, port, bytes, value);
    if (unlikely(index_byte < bytes))
        v->domain->cmos_index = (uint8_t)(value >> 8 * index_byte);
}

/* Transfers n elements at va; they are all in one page unless n is 1. False: that memory cannot
 * be accessed. */
static bool transfer(struct vcpu *v, uint64_t va, uint16_t port, unsigned bytes, unsigned n,
                     bool out)
{
    uint8_t buf[STRING_CHUNK];

    if (out && read_guest(buf, va, n * bytes) != 0)
        return false;
    for (unsigned i = 0; i < n * bytes; i += bytes) {
        uint32_t value = 0;

        if (out) {
            memcpy(&value, buf + i, bytes);
            guest_port_out(v, port, bytes, value);
        } else {
            value = guest_port_in(v, port, bytes);
            memcpy(buf + i, &value, bytes);
        }
    }
    return out || write_guest(va, buf, n * bytes) == 0;
}

static enum emulation string_fault(struct vcpu *v, uint64_t va, unsigned bytes, bool out)
{
    uint64_t last = va + bytes - 1;
    uint32_t code = out ? 0 : PF_WRITE;
    uint64_t pte = read_guest_pte(v, va);

    if (!is_canonical(va) || !is_canonical(last))
        return NOT_OURS;                        /* no permission: the #GP goes to the guest */
    if ((pte & PTE_P) && (out || (pte & PTE_RW)) && ((va ^ last) & PAGE_MASK)) {
        va = last & PAGE_MASK;                  /* the fault is in the second page */
        pte = read_guest_pte(v, va);
    }
    inject_page_fault(v, va, code | ((pte & PTE_P) || !guest_range_ok(va, 1) ? PF_PRESENT : 0));
    return FAULTED;
}

/* INS and OUTS. A long REP is done in pieces, and between two pieces rip still points to the
 * instruction, as if an interrupt had come between two iterations. A piece is one element if the
 * direction is backwards, the address size is below 64 bits, or the guest single-steps. */
static enum emulation string_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in,
                                uint16_t port, unsigned bytes)
{
    bool out = in->opcode & 2;
    uint64_t *pointer = out ? &regs->rsi : &regs->rdi;
    uint64_t count = in->rep ? regs->rcx & size_mask(in->ad_bytes) : 1,
             n = MIN(count, STRING_CHUNK / bytes);
    uint64_t va, in_page;
    unsigned segment = out ? operand_segment(in) : SEG_ES, vector;

    if (count == 0) {
        instruction_done(v, regs, next_rip(in, regs->rip), 0);
        return EMULATED;
    }
    vector = linear_address(in, segment, *pointer & size_mask(in->ad_bytes), bytes, !out, &va);
    if (vector != 0) {
        inject_trap(v, vector, 0);
        return FAULTED;
    }
    in_page = (PAGE_SIZE - (va & ~PAGE_MASK)) / bytes;
    if (in->ad_bytes < 8 || (regs->rflags & (FLAG_DF | FLAG_TF)) || in_page == 0)
        n = 1;
    else
        n = MIN(n, in_page);
    if (!transfer(v, va, port, bytes, (unsigned)n, out))
        return string_fault(v, va, bytes, out);
    write_reg(pointer, in->ad_bytes,
              *pointer + (regs->rflags & FLAG_DF ? -(uint64_t)bytes : n * bytes));
    if (in->rep)
        write_reg(&regs->rcx, in->ad_bytes, regs->rcx - n);
    instruction_done(v, regs, n == count ? next_rip(in, regs->rip) : regs->rip,
                     io_breakpoints_hit(v, port, bytes));
    return EMULATED;
}

enum emulation emulate_port_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in)
{
    unsigned bytes = MIN(in->op_bytes, 4u);
    bool string = (in->opcode & 0x80) == 0;
    uint16_t port = (uint16_t)(string || (in->opcode & 8) ? regs->rdx : (uint8_t)in->imm);
    uint64_t hit = 0;

    if (!likely(iopl_allows(v)) && !guest_io_allowed(v, port, bytes))
        return NOT_OURS;
    if (unlikely(string))
        return string_io(v, regs, in, port, bytes);
    if (in->opcode & 2)
        guest_port_out(v, port, bytes, (uint32_t)regs->rax);
    else
        write_reg(&regs->rax, bytes, guest_port_in(v, port, bytes));
    if (unlikely(v->debugreg[5] != 0))
        hit = io_breakpoints_hit(v, port, bytes);
    instruction_done(v, regs, next_rip(in, regs->rip), hit);
    return EMULATED;
}
