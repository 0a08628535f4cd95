/*
 * The console: the ring of an ordinary domain (drained by the other side), console_io for domain 0.
 * stdio's stdout and stderr end here too.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stddef.h>
#include <stdint.h>
#include <public/io/console.h>

void console_init(void);
void console_write(const void *buf, size_t len_bytes);      /* until all of it is in the ring */
int console_read(void *buf, size_t len_bytes);              /* what is there now; 0 if nothing */
void console_flush(void);  /* waits until the ring was drained, a second at most */
volatile struct xencons_interface *console_ring(void);      /* NULL in domain 0 */
uint32_t console_port(void);

/* printf without stdio: usable in handlers, in any thread. One line or part of it, 512 bytes at
 * most. */
void kprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#endif
