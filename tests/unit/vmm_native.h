/* One instruction on the host's own CPU, with any registers: for tests that compare the vmm's core
 * with it. The instruction runs in this process, at an address and on pages that the emulated CPU
 * can have at the same addresses; a page that may not be executed lies behind it, so that it is the
 * only one. Whatever it does ends in a signal, and what the signal's frame has is the result.
 *
 *   NATIVE_CODE  a page of code, INT3 but for the instruction, which ends with the page; a guard
 *   NATIVE_DATA  two pages to read and write, one to read; a guard
 */
#ifndef TEST_VMM_NATIVE_H
#define TEST_VMM_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#define NATIVE_CODE 0x201000ull
#define NATIVE_CODE_END 0x202000ull
#define NATIVE_DATA 0x203000ull
#define NATIVE_READ_ONLY 0x205000ull
#define NATIVE_END 0x206000ull

struct native_run {
    uint64_t regs[18];          /* before and after: RAX to R15 by number, RIP, RFLAGS */
    unsigned vector;            /* of the exception that ended it; VECTOR_PF at RIP: none */
    uint64_t error, address;    /* error code, CR2 */
    void *fx;                   /* before and after: the image of FXSAVE; NULL: nobody asks */
};

/* Maps the pages, and makes signals ours. Once a process; false: the addresses are not free. */
bool native_init(void);
/* Makes signals ours again: cmocka takes them before each test. */
void native_set_signals(void);
/* Places the instruction so that it ends with the page; its address. */
uint64_t native_place(const uint8_t *bytes, unsigned length);
/* Executes from regs on until an exception. RFLAGS: only the arithmetic flags, DF and AC count. */
void native_execute(struct native_run *run);
/* Did the instruction raise an exception? No: the next one was fetched, where there is none; or it
 * was an INT3, and RIP is behind that. */
bool native_faulted(const struct native_run *run, uint64_t start);

/* The bases and selectors (by SEG_*) that this process has. */
uint64_t native_fs_base(void), native_gs_base(void);
void native_set_gs_base(uint64_t base);
uint16_t native_selector(unsigned segment);

#endif
