/* setjmp() and longjmp(). A freestanding clang does not know that setjmp() returns twice, and may
 * keep values in registers that the first return has overwritten; the attribute here tells it.
 * Include this instead of <setjmp.h>. */
#ifndef GUEST_JUMP_H
#define GUEST_JUMP_H

#include <setjmp.h>

int setjmp(jmp_buf buf) __attribute__((returns_twice));

#endif
