/* Names of addresses in the hypervisor's code, from a table that is generated when it is linked,
 * and the stack trace of a panic. There are no frame pointers: the trace is every word on the stack
 * that points into the code, and some may be left from earlier calls. Called by log.c
 * (arch_show_stack). */
#include "arch/arch.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/symbols.h"
#include "xen/core/log.h"

extern const uint32_t ksym_count, ksym_offsets[], ksym_names[];
extern const char ksym_strings[];
extern char _stext[], _etext[];

const char *symbol_of(uint64_t address, uint64_t *offset)
{
    uint32_t lo = 0, hi = ksym_count, want = (uint32_t)(address - (uint64_t)_stext);

    if (address < (uint64_t)_stext || address >= (uint64_t)_etext || hi == 0)
        return NULL;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (ksym_offsets[mid] <= want)
            lo = mid;
        else
            hi = mid;
    }
    *offset = want - ksym_offsets[lo];
    return &ksym_strings[ksym_names[lo]];
}

void arch_show_stack(void)
{
    uint64_t sp, end, offset;
    unsigned lines = 0;

    __asm__("mov %%rsp, %0" : "=r"(sp));
    if (!on_known_stack(sp)) {
        log_error("No call trace: rsp %016lx is on no stack of the hypervisor", sp);
        return;
    }
    end = (uint64_t)this_stack_top();
    log_error("Xen call trace:");
    for (; sp < end && lines < 24; sp += 8) {
        uint64_t word = *(const uint64_t *)sp;
        const char *name = symbol_of(word, &offset);

        if (name != NULL) {
            log_error("   [<%016lx>] %s+%#lx", word, name, offset);
            lines++;
        }
    }
}
