/* The kernel without a hypervisor: the same image, entered elsewhere, on a machine of its own (a
 * real one, an emulated one, the vmm's). Nothing above this folder changes: the kernel finds the
 * state in which a domain builder leaves a domain (build.c), and a hypercall page whose calls are
 * functions here (calls.c), in the same ring. Frames are machine frames, page 0 first.
 *
 *   enter.S    entry points for loaders, long mode, the first page tables
 *   info.c     what the loader tells: memory, command line
 *   build.c    start_info, p2m and page tables, as public/xen.h has them
 *   entry.S    traps, interrupts and system calls, made into the hypervisor's frames
 *   calls.c    the hypercalls; memory.c those about page tables
 *   machine.c  descriptor tables, interrupt controller, timer, serial port
 *
 * N1: hardware interrupts are on, except in this folder's code. The kernel's own flag is the one in
 *     shared_info, as under a hypervisor.
 * N2: one root is loaded; the user root of the ABI is not used, since the kernel's maps the same
 *     user pages, and the CPU keeps user mode out of the rest. */
#ifndef GUEST_BARE_H
#define GUEST_BARE_H

/* All memory that is used, in an L4 slot that the kernel has no other use for. Not in those of a
 * hypervisor: the vmm's guest may run beside one. */
#define DIRECT_BASE 0xffff960000000000
#define DIRECT_SLOT 300

/* Of the hardware's descriptor table. The user's are also the low bytes of what public/xen.h calls
 * FLAT_USER_CS64 and FLAT_USER_DS64. */
#define BARE_KERNEL_CS 0x10
#define BARE_KERNEL_SS 0x18
#define BARE_USER_CS 0x33
#define BARE_USER_SS 0x2b
#define BARE_TSS 0x40

#define ENTERED_PVH 1              /* struct hvm_start_info */
#define ENTERED_MULTIBOOT2 2
#define ENTERED_LINUX 3            /* the zero page */

#define IRQ_BASE 0x20           /* vectors of the interrupt controllers */
#define BARE_STUB_SIZE 16

#ifndef __ASSEMBLY__
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/xen.h>
#include "layout.h"

/* info.c. Addresses are physical. */
struct machine_info {
    uint64_t memory_end;        /* RAM from 1 MiB to here */
    char cmdline[1024];
};
void read_info(unsigned entered, uint64_t info, struct machine_info *out);

/* build.c. Returns the address of start_info; *stack: what RSP has to be. */
uint64_t build_domain(const struct machine_info *info, uint64_t *stack);

/* machine.c. The tables that are loaded: what SGDT and SIDT should say. */
struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));
extern const struct table_pointer bare_gdt, bare_idt;
extern uint64_t tsc_hz;
void machine_init(void);
void set_gate(unsigned vector, unsigned dpl);
void set_kernel_stack(uint64_t rsp);
void serial_write(const char *bytes, uint64_t len);
uint64_t serial_read(char *bytes, uint64_t len);
void timer_arm(uint64_t ticks);         /* IRQ 0 after so many of 1193182 a second, 65535 at most */
void end_of_interrupt(unsigned irq);
_Noreturn void machine_end(void);

/* calls.c */
void fill_hypercall_page(void);
void fill_shared_info(volatile shared_info_t *s);
void bare_irq(uint64_t irq);
/* As the timer's hypercalls do it, but interrupts stay as they are, and one comes in any case. */
void arm_interrupt(uint64_t tsc);
long bare_call(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t nr);

/* memory.c */
long bare_mmu_update(uint64_t list, uint64_t count, uint64_t done);
long bare_update_va_mapping(uint64_t va, uint64_t entry);
long bare_mmuext_op(uint64_t list, uint64_t count, uint64_t done);
void share_direct_map(uint64_t root_maddr);

/* entry.S; its variables are written by calls.c */
extern char bare_stubs[], bare_syscall[], bare_hypercall[], bare_iret[];
extern uint64_t trap_address[256], event_address, syscall_address, kernel_stack;
extern uint8_t trap_flags[256], in_bare_call;
extern uint64_t boot_tables[512], boot_l3[512];

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;

    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}
static inline void *direct(uint64_t maddr)
{
    return (void *)(DIRECT_BASE + maddr);
}
#endif
#endif
