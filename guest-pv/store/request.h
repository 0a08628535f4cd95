/* One request, between wire.c, which turns bytes into requests and replies into bytes, and
 * requests.c with requests_nodes.c, which carry them out. */
#ifndef STORE_REQUEST_H
#define STORE_REQUEST_H

#include "store.h"

/* Only one exists at a time: the request as received, and its reply. */
struct request {
    struct conn *c;
    struct ctx x;
    char *payload;                      /* a NUL is behind it */
    size_t len;
    struct watch *watched;              /* gets an event behind the reply */
    size_t out_len;                     /* of reply */
};
extern char reply[XENSTORE_PAYLOAD_MAX];

#define PATH_BUFFER (XENSTORE_ABS_PATH_MAX + 32)

/* --- requests.c ------------------------------------------------------------------------------- */
enum xs_err carry_out(struct request *r, const struct xsd_sockmsg *h);
void conn_forget_all(struct conn *c);   /* its transactions and watches */

/* These return false if the payload does not have the form that they read.
 *
 * The payload as exactly n strings, each with its NUL. */
bool request_strings(const struct request *r, unsigned n, char **s);
/* The absolute path for one in the request, which may be relative; *rel: how many bytes were put
 * before it. */
bool request_absolute(const struct request *r, const char *name, char *path, size_t *rel);
/* The payload begins with a path, or is one. */
bool request_path(const struct request *r, char *path);
bool request_only_path(const struct request *r, char *path);
/* Writes the reply "OK", unless err is an error; returns err. */
enum xs_err request_ok(struct request *r, enum xs_err err);

/* --- requests_nodes.c: one function for each type of request ---------------------------------- */
enum xs_err do_directory(struct request *r);
enum xs_err do_directory_part(struct request *r);
enum xs_err do_read(struct request *r);
enum xs_err do_write(struct request *r);
enum xs_err do_mkdir(struct request *r);
enum xs_err do_rm(struct request *r);
enum xs_err do_get_perms(struct request *r);
enum xs_err do_set_perms(struct request *r);
#endif
