/* The seam: every function through which xen/ uses the machine, with its contract. xen/ contains no
 * assembler, port or control register. arch/x86_64 implements the seam for a real machine,
 * arch/host for the fake machine of the unit tests. What is small and used often is inline in the
 * architecture's own arch_cpu.h (found by the include path):
 *
 *   struct vcpu *current                  the vCPU (or idle vCPU) that runs on this CPU
 *   void *mfn_to_virt(mfn_t)              the hypervisor's mapping of a RAM frame; always present
 *   void *maddr_to_virt(uint64_t)         the same by machine address
 *   mfn_t virt_to_mfn(const void *)       the inverse
 *   struct cpu_user_regs *guest_regs(v)   the frame that v's next return to the guest loads
 *   bool get_guest_words(void *dst, uint64_t va, unsigned n)
 *                                         reads n <= 9 words of 8 bytes from the current address
 *                                         space; false: fault
 *   bool get_guest_words_unhidden(void *dst, uint64_t va, unsigned n)
 *                                         the same, where there are no linear tables
 *   bool put_guest_words(uint64_t va, const void *src, unsigned n)
 *   uint64_t arch_tsc(void)
 *   uint64_t arch_cmpxchg64(uint64_t *p, uint64_t old, uint64_t val)
 *                                         atomic; returns the value found
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "common/compiler.h"
#include "xen/core/types.h"
#include "arch_cpu.h"

struct vcpu;
struct domain;

/* Copies between the hypervisor and the current guest address space. Callers have checked the range
 * with guest_range_ok(). Returns the number of bytes NOT copied (0: all). */
size_t arch_copy_from_guest(void *dst, uint64_t va, size_t len);
/* Without the check for linear tables: for linear_copy(). */
size_t arch_copy_from_guest_unhidden(void *dst, uint64_t va, size_t len);
size_t arch_copy_to_guest(uint64_t va, const void *src, size_t len);

/* Flushes this CPU's TLB: all of it, global translations too, and then current->flushed is the
 * epoch of its domain as it was before; or one linear address of the loaded L4, global or not. */
void arch_flush_all(void);
void arch_flush_tlb_one(uint64_t va);

/* Loads CR3 for v (== current): v->root_user in user mode, else v->root_kernel. The first is for
 * changes of mode: it keeps global translations, those of the guest's user pages (F12 of
 * xen/core/frame.h), and no others. The second is arch_flush_all(), too. */
void arch_load_root(struct vcpu *v);
void arch_load_root_and_flush(struct vcpu *v);
/* Swaps the two GS bases of the running vCPU (SWAPGS); the caller changes kernel_mode and loads the
 * root. */
void arch_swap_gs(void);
/* Writes the hypervisor's own entries (slots 256..271) into an L4 of d; arch_show_m2p() follows. */
void arch_fill_l4(uint64_t *l4, struct domain *d);
/* Maps (show) or unmaps the read-only M2P at slot 256 of this L4; idempotent. */
void arch_show_m2p(uint64_t *l4, bool show);
/* A guest's #PF at an address that is not mapped. True: that is in the M2P, and mapped now. */
bool arch_map_m2p(uint64_t va);
mfn_t arch_m2p_mfn(void);               /* its first frame, of as many as it has pages */

/* Per-domain and per-vCPU machine resources: descriptor windows, stack, FPU image. 0 or -ENOMEM. */
int arch_domain_init(struct domain *d);
void arch_domain_free(struct domain *d);
struct vcpu *arch_vcpu_alloc(void);     /* zeroed struct vcpu with its stack; NULL: no memory */
void arch_vcpu_free(struct vcpu *v);
int arch_vcpu_init(struct vcpu *v);     /* after v->domain and v->id are set */
/* Continues next where it stopped, or at its first entry; returns when another vCPU switches back
 * to prev. Reads the epoch of next's domain, loads its root, flushes all, and stores that epoch to
 * next->flushed. */
void arch_switch(struct vcpu *prev, struct vcpu *next);

/* Descriptor tables of v. Frames are of type seg-desc already. LDT pages are mapped on demand: see
 * xen/pv/desc.h. */
void arch_map_gdt(struct vcpu *v, const mfn_t *mfns, unsigned nr_frames);
void arch_map_ldt_page(struct vcpu *v, unsigned page, mfn_t mfn);
void arch_clear_ldt(struct vcpu *v);                      /* unmaps every LDT page */
void arch_load_ldt(struct vcpu *v);                       /* v == current: LDTR from v->ldt_ents */
/* If va is in the LDT window of v: the byte offset into the LDT, else -1. */
int64_t arch_ldt_window_offset(struct vcpu *v, uint64_t va);

/* Segment bases of the running vCPU. Reading never fails; writing takes canonical values only. */
enum arch_base { BASE_FS, BASE_GS_USER, BASE_GS_KERNEL };
uint64_t arch_get_base(enum arch_base which);
void arch_set_base(enum arch_base which, uint64_t value);
unsigned arch_get_selector(unsigned segment);             /* of current: 0 ES, 3 DS, 4 FS, 5 GS */
/* A bad selector loads null; never faults. */
void arch_load_user_gs(unsigned selector);

/* Debug registers, FPU and control registers of the running vCPU. The caller has checked that the
 * CPU accepts the value. */
void arch_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value);
/* After MOV SS with a data breakpoint on its operand, this CPU raises #DB before the next
 * instruction is executed. Real CPUs raise it after that instruction (SDM vol. 3, 6.8.3); an
 * emulator may not. */
bool arch_db_is_early(void);
void arch_set_ts(bool on);
/* Sets the FXSAVE image (512 bytes) with which v, which never ran, starts. Reserved bits that would
 * fault are cleared. */
void arch_load_fpu_image(struct vcpu *v, const void *image);
/* The value that RDTSCP and RDPID of the running vCPU return. */
void arch_set_tsc_aux(uint64_t value);
void arch_load_cr4(struct vcpu *v);                       /* hypervisor's bits | v->cr4_guest */
bool arch_xsetbv(uint64_t value);                         /* writes XCR0; false: the CPU faulted */
/* XCR0 bits that guests may set; 0: no XSAVE */
uint64_t arch_xcr0_mask(void);
/* CR4 bits that a guest may set on this CPU */
uint64_t arch_cr4_guest_mask(void);
uint64_t arch_cr4_host(void);

/* The machine's CPUID and MSRs. rdmsr: false when the CPU faults. */
void arch_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
bool arch_rdmsr(uint32_t msr, uint64_t *value);
unsigned arch_paddr_bits(void);
bool arch_has_nx(void);
/* Interrupts CPU number cpu, which then calls serve_requests(). Earlier stores of this CPU are seen
 * before. */
void arch_send_ipi(unsigned cpu);
/* Stops all other CPUs for ever, also those that have interrupts off. Returns when all have
 * stopped, or after some seconds. If two CPUs call it, one does not return. Takes no lock. */
void arch_stop_cpus(void);
void arch_show_stopped(void);           /* prints where each of them was */
/* Starts the machine's other CPUs, so that there are `max` at most; each calls secondary_main().
 * Changes cpus and nr_cpus. Called once, at boot. */
void arch_start_cpus(unsigned max);
/* The index of this CPU in cpus[]. Does not use the stack, so it is right in a panic, too. */
unsigned arch_cpu_id(void);
void arch_log_cpu(void);                                  /* logs what is unusual about this CPU */

/* PCI configuration space: the register of 4 bytes at reg, of the function whose bus, device and
 * function are these 16 bits. Two calls may not be made at the same time. */
uint32_t arch_pci_read(uint16_t function, unsigned reg);
void arch_pci_write(uint16_t function, unsigned reg, uint32_t value);
/* A device's registers at this machine address, up to the end of the page, mapped uncached and for
 * ever. NULL: there is no room for so many. */
volatile void *arch_map_device(uint64_t maddr);
/* Reads a byte of these registers. */
uint8_t arch_device_read(const volatile uint8_t *at);
/* Where a device writes to interrupt the first CPU (SDM vol. 3, 10.11). */
uint64_t arch_msi_address(void);
/* The pin of the interrupt controller to which the firmware has routed this interrupt line of PCI
 * functions; false: there is none. */
bool arch_has_pin(unsigned line);
/* Interrupts the first CPU with this vector while the line's level is active, unless it is
 * masked. */
void arch_set_pin(unsigned line, uint8_t vector, bool masked);
/* The vectors for devices' interrupts; device_interrupt() is called for each that comes. Those of
 * exceptions are below, and that of INT 0x80, which a guest may execute. */
#define DEVICE_VECTORS 0x81u
#define DEVICE_VECTORS_END 0xf0u

/* Time: the calibrated TSC rate, a one-shot deadline in TSC ticks (0: none), the wall clock now (0:
 * none). */
uint64_t arch_tsc_hz(void);
void arch_timer_program(uint64_t tsc_deadline);
uint64_t arch_wallclock_seconds(void);
/* The TSC ticks at a constant rate in all states of the CPU: XEN_PVCLOCK_TSC_STABLE_BIT may be set
 * for guests. */
bool arch_tsc_is_stable(void);
/* The CPU or the user says so, too, and not only an emulator that is known to be like that: CPUID
 * may say it to guests. */
bool arch_tsc_is_invariant(void);

/* arch_interrupt_window opens interrupts for an instant: pending handlers run, no vCPU is switched.
 * arch_idle halts the CPU until an interrupt came. */
void arch_interrupt_window(void);
void arch_idle(void);

/* A second output for bytes, for the trace: QEMU's debug console, or a 16550 UART (115200 8n1). */
enum arch_sink { SINK_DEBUGCON, SINK_SERIAL };
void arch_sink_setup(enum arch_sink kind, uint16_t port);
void arch_sink_write(const void *bytes, size_t len);
/* Machine address of an object in the hypervisor's own image. */
uint64_t arch_static_maddr(const void *p);

/* The machine's console. write: returns how many of the bytes the transmitter accepted at once; 0
 * while it is busy. sent: the transmitter has sent all. getc: -1 when there is no input. */
/* com1=: I/O base; baud 0: leave the rate as it is */
void arch_console_setup(uint16_t port, uint32_t baud);
unsigned arch_console_write(const char *s, unsigned len);
bool arch_console_sent(void);
int arch_console_getc(void);
_Noreturn void arch_poweroff(void);
_Noreturn void arch_reboot(void);
_Noreturn void arch_halt(void);
/* Prints this CPU's stack, with symbols. */
void arch_show_stack(void);

#endif
