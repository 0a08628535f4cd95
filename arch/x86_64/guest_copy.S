/* Copying from and to a guest's memory, where either side may fault. Called by paging.c. */
#include "arch/x86_64/entry_macros.h"

    .text

/* size_t copy_guest(void *dst, const void *src, size_t len): returns the number of bytes not
 * copied, as either side may fault. First len / 8 words, then the rest by bytes. */
    .globl copy_guest
copy_guest:
    mov %rdx, %rcx
    shr $3, %rcx
    and $7, %edx
1:  rep movsq
    mov %edx, %ecx
2:  rep movsb
3:  mov %ecx, %eax
    ret
copy_words_fault:
    lea (%rdx,%rcx,8), %rcx                 /* the bytes left */
    jmp 2b                                  /* by bytes up to the end of the page */
copy_bytes_fault:
    mov %rcx, %rax
    ret
    EXTABLE 1b, 2b, copy_words_fault
    EXTABLE 2b, 3b, copy_bytes_fault
