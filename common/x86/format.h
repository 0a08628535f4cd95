/* Instructions as text: format.c. */
#ifndef COMMON_X86_FORMAT_H
#define COMMON_X86_FORMAT_H

#include "common/x86/operands.h"

/* "lock cmpxchg %rcx,0x8(%rdi)": the syntax of AT&T. rip is where the instruction lies, for the
 * targets of branches. The text is cut where buf ends, and terminated; its length before. */
unsigned format_insn(const struct insn *in, const struct insn_case *c, uint64_t rip, char *buf,
                     unsigned size);

#endif
