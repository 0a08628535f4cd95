/* What the files that write instructions as text share: format.c the whole, format_operand.c
 * operands, format_name.c names. */
#ifndef COMMON_X86_FORMAT_PARTS_H
#define COMMON_X86_FORMAT_PARTS_H

#include "common/x86/operands.h"

struct line {
    char *buf;
    unsigned size, len;         /* len counts on when buf is full */
};

/* format_operand.c */
void put_char(struct line *l, char c);
void put(struct line *l, const char *s);
void put_general(struct line *l, unsigned reg, unsigned bytes);     /* %rax */
void put_override(struct line *l, const struct insn *in);           /* %fs: */
void put_operand(struct line *l, const struct insn *in, const struct operand operands[3],
                 unsigned i, uint64_t rip);

/* format_name.c */
char size_letter(unsigned bytes);
void put_base_name(struct line *l, const struct insn *in, unsigned op);
/* What the operands add to it */
void put_suffix(struct line *l, const struct insn *in, const struct insn_case *c,
                const struct operand o[3]);

#endif
