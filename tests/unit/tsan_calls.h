/* What a program does before each access to memory in files that gcc compiles with
 * -fsanitize=thread. It defines these functions, and is linked with tsan_calls.c, not with
 * ThreadSanitizer's library. */
#ifndef TSAN_CALLS_H
#define TSAN_CALLS_H

#include <stdbool.h>
#include <stdint.h>

void tsan_started(void);
void before_read(const volatile void *p, unsigned long bytes);
void before_write(volatile void *p, unsigned long bytes);       /* more than 8: several stores */
void before_locked(volatile void *p);                           /* a locked instruction */
void before_fence(int order);
/* An atomic store. True: it is not to be done now. */
bool put_off(volatile void *p, unsigned bytes, uint64_t value, int order);

#endif
