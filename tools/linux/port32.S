/* A 32-bit program for the self-test, without libc, as the ramdisk has none. It gets port 0x80 by
 * ioperm(2), writes to it, and reads it, which gives all ones. */
    .globl _start
_start:
    movl $101, %eax                     /* ioperm(0x80, 1, 1) */
    movl $0x80, %ebx
    movl $1, %ecx
    movl $1, %edx
    int $0x80
    movl $2, %ebx
    testl %eax, %eax
    jnz exit
    outb %al, $0x80
    movl $0x80, %edx
    inb %dx, %al
    movl $3, %ebx
    cmpb $0xff, %al
    jne exit
    xorl %ebx, %ebx
exit:
    movl $1, %eax
    int $0x80
    .section .note.GNU-stack, "", @progbits
