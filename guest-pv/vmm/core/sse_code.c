/* The code of sse_code.h: eight bytes each. A DS prefix, which means nothing there, stands for
 * none: so all have the same length. */
#include "guest-pv/vmm/core/sse_code.h"

/* An instruction's slot; and `count` of them, whose last byte before the jump is counted up. */
__asm__(".macro sse_slot bytes:vararg\n"
        ".balign 8\n"
        ".byte \\bytes, 0xff, 0xe2\n"
        ".endm\n"
        ".macro sse_by_immediate count, bytes:vararg\n"
        ".set sse_number, 0\n"
        ".rept \\count\n"
        "sse_slot \\bytes, sse_number\n"
        ".set sse_number, sse_number + 1\n"
        ".endr\n"
        ".endm\n");

#define TABLE(name) ".balign 8\n.globl " name "\n" name ":\n"

__asm__(".pushsection .text\n"
        TABLE("sse_code")
        ".irp prefix, 0x3e, 0x66, 0xf3, 0xf2\n"
        ".set sse_number, 0\n"
        ".rept 256\n"
        "sse_slot \\prefix, 0x0f, sse_number, 0xc1\n"
        ".set sse_number, sse_number + 1\n"
        ".endr\n"
        ".endr\n"
        TABLE("sse_code_rex_w")
        ".irp prefix, 0xf3, 0xf2\n"
        ".set sse_number, 0x20\n"
        ".rept 16\n"
        "sse_slot \\prefix, 0x48, 0x0f, sse_number, 0xc1\n"
        ".set sse_number, sse_number + 1\n"
        ".endr\n"
        ".endr\n"
        TABLE("sse_code_compare")
        ".irp prefix, 0x3e, 0x66, 0xf3, 0xf2\n"
        "sse_by_immediate 8, \\prefix, 0x0f, 0xc2, 0xc1\n"
        ".endr\n"
        TABLE("sse_code_shuffle")
        ".irp prefix, 0x66, 0xf3, 0xf2\n"
        "sse_by_immediate 256, \\prefix, 0x0f, 0x70, 0xc1\n"
        ".endr\n"
        ".irp prefix, 0x3e, 0x66\n"
        "sse_by_immediate 256, \\prefix, 0x0f, 0xc6, 0xc1\n"
        ".endr\n"
        TABLE("sse_code_shift_bytes")
        "sse_by_immediate 256, 0x66, 0x0f, 0x73, 0xf8\n"
        "sse_by_immediate 256, 0x66, 0x0f, 0x73, 0xd8\n"
        ".balign 8\n"
        ".popsection\n");
