/* THE SEAM: everything that xen/ may ask of the machine, with its contract. arch/x86_64 is the machine; arch/host is a
 * fake for tests. Nothing else of a CPU may be known in xen/. Small hot pieces are inline in the architecture's own
 * arch_cpu.h (found by the include path): current, mfn_to_virt, virt_to_mfn, guest_regs, get_guest_words.
 *
 *   struct vcpu *current                      the vCPU whose context runs on this CPU (the idle vCPU counts)
 *   void *mfn_to_virt(mfn_t)                  the hypervisor's own mapping of a RAM frame, always present
 *   void *maddr_to_virt(uint64_t)             the same by machine address
 *   mfn_t virt_to_mfn(const void *)           the inverse
 *   struct cpu_user_regs *guest_regs(v)       the frame that v's next return to the guest loads
 *   bool get_guest_words(void *dst, uint64_t va, unsigned n)   n <= 9 qwords from the current address space; false: fault
 *   bool get_guest_words_unhidden(void *dst, uint64_t va, unsigned n)   the same, where linear_hides() was asked already
 *   bool put_guest_words(uint64_t va, const void *src, unsigned n)
 *   uint64_t arch_tsc(void)
 *   uint64_t arch_cmpxchg64(uint64_t *p, uint64_t old, uint64_t val)    atomically; the value found
 */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include "common/compiler.h"
#include "xen/core/types.h"
#include "arch_cpu.h"

struct vcpu;
struct domain;

/* Copies between the hypervisor and the current guest address space. Callers have checked the range with
 * guest_range_ok(). Returns the number of bytes NOT copied (0: all), like every kernel's. */
size_t arch_copy_from_guest(void *dst, uint64_t va, size_t len);
size_t arch_copy_to_guest(uint64_t va, const void *src, size_t len);

/* TLB of this CPU: everything, or one linear address of the current root. */
void arch_flush_tlb(void);
void arch_flush_tlb_one(uint64_t va);

/* Loads the root that v (== current) must run on: root_user in user mode, else root_kernel. */
void arch_load_root(struct vcpu *v);
/* Swaps the two GS bases of the running vCPU (SWAPGS); the caller owns kernel_mode and the root. */
void arch_swap_gs(void);
/* Writes the hypervisor's own entries (slots 256..271) into an L4 of d. */
void arch_fill_l4(uint64_t *l4, struct domain *d);
/* Whether the M2P shows under that L4, whatever it did before. */
void arch_show_m2p(uint64_t *l4, bool show);

/* Per-domain and per-vCPU machine resources: descriptor windows, stack, FPU image. 0 or -ENOMEM. */
int arch_domain_init(struct domain *d);
void arch_domain_free(struct domain *d);
struct vcpu *arch_vcpu_alloc(void);     /* zeroed struct vcpu with its stack; NULL: no memory */
void arch_vcpu_free(struct vcpu *v);
int arch_vcpu_init(struct vcpu *v);     /* after v->domain and v->id are set */
/* Continues next where it stopped; returns when somebody switches back to prev. */
void arch_switch(struct vcpu *prev, struct vcpu *next);
/* Loads the whole guest-visible register state of a fresh vCPU at its first entry: called by arch_switch's trampoline. */

/* Descriptor tables of v. gdt: n pages already typed seg-desc (mfns), nr_entries the limit. ldt: see xen/cpu/desc.h. */
void arch_map_gdt(struct vcpu *v, const mfn_t *mfns, unsigned nr_frames);
void arch_map_ldt_page(struct vcpu *v, unsigned page, mfn_t mfn);
void arch_clear_ldt(struct vcpu *v);                      /* unmaps every LDT page */
void arch_load_ldt(struct vcpu *v);                       /* v == current: LDTR from v->ldt_ents */
/* If va lies in a descriptor window of v: the byte offset into its LDT, else -1. */
int64_t arch_ldt_window_offset(struct vcpu *v, uint64_t va);

/* Segment bases of the running vCPU. Reading never fails; writing takes canonical values only. */
enum arch_base { BASE_FS, BASE_GS_KERNEL, BASE_GS_USER };
uint64_t arch_get_base(enum arch_base which);
void arch_set_base(enum arch_base which, uint64_t value);
unsigned arch_get_selector(unsigned segment);             /* of current: 0 ES, 3 DS, 4 FS, 5 GS */
void arch_load_user_gs(unsigned selector);                /* a bad selector loads null; never faults */

/* Debug registers, FPU and control registers of the running vCPU; values are already policed. */
void arch_set_debugreg(struct vcpu *v, unsigned reg, uint64_t value);
/* The #DB of a data breakpoint on the operand of MOV SS comes before the next instruction is done, which no CPU does. */
bool arch_db_is_early(void);
void arch_set_ts(bool on);
/* The FXSAVE image (512 bytes) that v starts with; v never ran. What the CPU would refuse in it is put right. */
void arch_load_fpu_image(struct vcpu *v, const void *image);
void arch_set_tsc_aux(uint64_t value);                    /* what RDTSCP and RDPID of the running vCPU give */
void arch_load_cr4(struct vcpu *v);                       /* hypervisor's bits | v->cr4_guest */
bool arch_xsetbv(uint64_t value);                         /* XCR0; false: the CPU refused */
uint64_t arch_xcr0_mask(void);                            /* states offered to guests; 0: no XSAVE */
uint64_t arch_cr4_guest_mask(void);                       /* CR4 bits that a guest may choose on this CPU */
uint64_t arch_cr4_host(void);

/* The host's CPUID and MSRs. rdmsr: false when the CPU refuses. */
void arch_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
bool arch_rdmsr(uint32_t msr, uint64_t *value);
unsigned arch_paddr_bits(void);
bool arch_has_nx(void);
unsigned arch_cpu_id(void);                               /* of the calling CPU; reads no memory, so it works in a panic */
void arch_log_cpu(void);                                  /* what is unusual about this CPU, a line for each */

/* Time: the calibrated TSC rate, a one-shot deadline in TSC ticks (0: none), the wall clock now (0: none). */
uint64_t arch_tsc_hz(void);
void arch_timer_program(uint64_t tsc_deadline);
uint64_t arch_wallclock_seconds(void);
bool arch_tsc_is_stable(void);                            /* ticks at one rate for ever: may be promised to guests */

/* Lets pending interrupts in for an instant (handlers run, nothing is switched), and sleeps until one came. */
void arch_interrupt_window(void);
void arch_idle(void);

/* A second way out for bytes: QEMU's debug console, or a 16550 (115200 8n1). Nothing is read from it. */
enum arch_sink { SINK_DEBUGCON, SINK_SERIAL };
void arch_sink_setup(enum arch_sink kind, uint16_t port);
void arch_sink_write(const void *bytes, size_t len);
/* Machine address of an object in the hypervisor's own image. */
uint64_t arch_static_maddr(const void *p);

/* The console line of the machine, and its end. write: as many of the bytes as the transmitter takes at once, none while
 * it is busy. sent: it has nothing left. getc: -1 when there is none. */
void arch_console_setup(uint16_t port, uint32_t baud);    /* com1=: I/O base; baud 0: leave the rate as it is */
unsigned arch_console_write(const char *s, unsigned len);
bool arch_console_sent(void);
int arch_console_getc(void);
_Noreturn void arch_poweroff(void);
_Noreturn void arch_reboot(void);
_Noreturn void arch_halt(void);
void arch_show_stack(void);                               /* this CPU's own stack, with symbols */

#endif
