/* What the files of suite "compat" share: runs a few bytes of 32- or 16-bit code in user mode. The
 * state and the functions are in compat_run.c. */
#ifndef GUEST_COMPAT_H
#define GUEST_COMPAT_H

#include <stdint.h>
#include "gdt.h"
#include "suite.h"
#include "user.h"

#define CODE_VA     0x12500000ul
#define DATA_VA     0x12502000ul
#define PIC_PORT    0x21u       /* an interrupt controller: no guest's, nor domain 0's */

/* Descriptors of the guest's GDT: the page at CODE_VA as 32- and as 16-bit code, the page at
 * DATA_VA as data and as an expand-down segment. */
enum { CODE32 = 1, CODE16, DATA, DOWN };

/* The code selectors that most tests use in turn: flat, with a base, and 16-bit with a base. */
#define KINDS 3
extern const uint16_t compat_kinds[KINDS];
#define IS_16(cs) ((cs) == SEL(CODE16))

extern uint8_t *compat_data;            /* the page at DATA_VA, as the kernel has it mapped */
extern struct regs compat_seen;         /* the registers at the end of the last run */

/* The pages, the GDT and IOPL 0. */
void compat_begin(void);
void compat_end(void);
void set_iopl(unsigned iopl);

/* rsp is valid in flat segments. */
struct regs compat_registers(uint64_t rax, uint64_t rdx);
/* Runs the bytes, and an int3 behind them, at an offset of the code page. Returns the fault that
 * ended it: that of the int3, unless an instruction faulted before. */
struct fault compat_run(unsigned offset, const char *bytes, unsigned n, struct regs *r,
                        unsigned cs);
#define RUN(offset, text, r, cs) compat_run(offset, text, sizeof(text) - 1, r, cs)

/* Expects that the run ended at the int3 at offset rip, with this value in eax. */
void expect_done(const char *what, struct fault f, unsigned cs, unsigned rip, uint64_t rax);
/* Expects that it ended at offset rip with this fault. */
void expect_refused(const char *what, struct fault f, unsigned cs, unsigned rip, int vector,
                    unsigned error);
#endif
