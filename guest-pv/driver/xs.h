/* The driver domain's client of xenstore (xs.c). Requests wait for their answer; whoever calls may
 * be suspended meanwhile, and other threads run. Paths are relative to our own domain's or
 * absolute. */
#ifndef DRIVER_XS_H
#define DRIVER_XS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XS_PATH 96u                     /* of the paths that we use, with the NUL */
#define NO_TRANSACTION 0u

/* Another store has taken the place of the one that served us: it knows nothing of our watches and
 * nodes. True once for each; also at the first call. */
bool xs_store_is_new(void);
/* No store will serve this domain any more: every request fails. */
bool xs_store_is_gone(void);
/* Events are told to fn, from inside of requests and of xs_events(). It must not make requests. */
void xs_init(void (*fn)(const char *path, const char *token));
void xs_events(void);                   /* takes the events that are there */

/* False: no such node, no right to it, the store does not answer, or longer than buf. */
bool xs_read(uint32_t transaction, const char *path, char *buf, size_t buf_bytes);
/* The node's value as a decimal number of at most `max`. */
bool xs_read_number(uint32_t transaction, const char *path, uint64_t max, uint64_t *value);
bool xs_write(const char *path, const char *value);
bool xs_write_number(const char *path, uint64_t value);
bool xs_remove(const char *path);
/* The names of the children, NUL after each, in buf; returns their bytes, -1: none or too many. */
int xs_list(const char *path, char *buf, size_t buf_bytes);
bool xs_watch(const char *path, const char *token);
bool xs_unwatch(const char *path, const char *token);
uint32_t xs_transaction(void);          /* its number; NO_TRANSACTION: failed */
/* False: what was read may not belong together. */
bool xs_transaction_end(uint32_t transaction);

#endif
