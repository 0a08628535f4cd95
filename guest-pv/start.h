/* What every part needs to know of the machine it was started on: start_info, shared_info, the
 * registers at entry, the command line (start.c). */
#ifndef GUEST_START_H
#define GUEST_START_H

#include <stdbool.h>
#include <stdint.h>
#include <public/xen.h>

struct boot_regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rflags, cs, ss, ds, es, fs, gs;
};
extern struct boot_regs boot_regs;
extern const uint8_t boot_fx[512];      /* as FXSAVE stores it */
extern start_info_t *start_info;
extern volatile shared_info_t shared_info_page;
extern char boot_stack[], image_start[], image_end[];
/* The TSC at the kernel's entry and when guest_main() is called, and how much of that was waiting
 * for a clock to be measured. */
extern uint64_t entry_tsc, ready_tsc, waited_ticks;
static volatile shared_info_t *const shared_info = &shared_info_page;
/* The masks of all vCPUs as found, before anything was changed. */
extern uint8_t boot_upcall_mask[XEN_LEGACY_MAX_VCPUS];

static inline bool is_dom0(void)
{
    return start_info->flags & SIF_INITDOMAIN;
}

/* On a machine without a hypervisor (bare/), whose builder writes another magic. */
static inline bool is_bare(void)
{
    return start_info->magic[0] == 'b';
}

/* The value of `key=` on the command line into buf (cut to fit), or NULL if the word is not
 * there. */
const char *cmdline_get(const char *key, char *buf, unsigned len_bytes);
/* Is `word` on the command line? With a list value: is `item` one of key=a,b,c? */
bool cmdline_has(const char *key, const char *item);

/* What this kernel is for: suites/suite.c runs tests, store/main.c serves a store. */
int guest_main(void);

/* Ends this domain; reason SHUTDOWN_*. */
_Noreturn void shutdown(unsigned reason);

_Noreturn void start(start_info_t *si);
#endif
