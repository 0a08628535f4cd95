/* Guest-linear memory, as instructions and the CPU itself access it: access.c, on top of the walk
 * of the guest's page tables in paging.c. An access that may not be raises #PF, or #GP(0) where the
 * address is not canonical (#SS(0) is for the caller: raise it again). Nothing has been written
 * when a function returns false. */
#ifndef VMM_CORE_ACCESS_H
#define VMM_CORE_ACCESS_H

#include "guest-pv/vmm/core/cpu.h"

/* The bits are those of the page-fault error code (SDM vol. 3, 4.7). Without ACCESS_SYSTEM with the
 * rights of the CPL, with it with the supervisor's (descriptor tables, TSS, handlers' stacks). */
enum { ACCESS_READ = 0, ACCESS_WRITE = 2, ACCESS_FETCH = 16, ACCESS_SYSTEM = 0x100 };

/* bytes: a write's 4096 at most. */
bool read_linear(struct cpu *c, uint64_t linear, void *to, unsigned bytes, unsigned how);
bool write_linear(struct cpu *c, uint64_t linear, const void *from, unsigned bytes, unsigned how);

/* 8 bytes with the supervisor's rights. */
static inline bool read_system_number(struct cpu *c, uint64_t linear, uint64_t *value)
{
    const uint8_t *at = tlb_look_up(c->tlbs[0].read, linear, 8);

    if (unlikely(at == NULL))
        return read_linear(c, linear, value, 8, ACCESS_SYSTEM);
    __builtin_memcpy(value, at, 8);
    return true;
}

/* Little-endian numbers of 1, 2, 4 or 8 bytes at the CPL's rights. */
bool read_number(struct cpu *c, uint64_t linear, unsigned bytes, uint64_t *value);
bool write_number(struct cpu *c, uint64_t linear, unsigned bytes, uint64_t value);

/* The vmm's address of a linear one, valid up to the end of its page and until the next call of
 * anything that may flush the TLB; NULL: a fault was raised. With ACCESS_WRITE the frame's hook has
 * been called, and all of [linear, linear + bytes) counts as written. bytes do not cross a page. */
uint8_t *map_linear(struct cpu *c, uint64_t linear, unsigned bytes, unsigned how);

/* Was the page written while its frame had flags, and is it so still? A write at the CPL's rights
 * is allowed then. */
bool is_flagged_page(struct cpu *c, uint64_t linear);

/* Instruction bytes at RIP, up to 15, over a page's end when the next page may be fetched too. The
 * number of them; 0: a fault was raised. */
unsigned fetch_bytes(struct cpu *c, uint64_t rip, uint8_t *bytes);

#endif
