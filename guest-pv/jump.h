/*
 * setjmp() and longjmp(). A freestanding clang does not know that setjmp() returns twice, and then keeps
 * values in places that the first return has since overwritten; so it is said here. Include this, not
 * <setjmp.h>.
 */
#ifndef GUEST_JUMP_H
#define GUEST_JUMP_H

#include <setjmp.h>

int setjmp(jmp_buf buf) __attribute__((returns_twice));

#endif
