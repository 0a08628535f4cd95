/* The core of the store: a tree of small values with permissions, transactions, watches, and the
 * wire protocol that guests speak to it (public/io/xs_wire.h). It knows byte buffers and domain
 * numbers, nothing of rings, events or the hypervisor, and is linked into the host tests as it is.
 * Called by main.c, ring.c and domains.c.
 *
 * Invariants
 *   S1  a node's parent exists; the root always does
 *   S2  a struct data is never changed once it is in the tree: a write puts another in its place.
 *       So a node is unchanged if, and only if, it has the same struct data as before
 *   S3  what is kept for a domain is charged to its account before, and never exceeds the limits
 *       below; domain 0, this domain itself, has no limits
 *   S4  a request is read only when all replies before it were sent, so a reply always has room */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <public/io/xs_wire.h>

#define MAX_DOMAINS      2048u          /* numbers below it */
/* Per domain. A driver domain may have DRIVER_FACTOR times as much: the nodes of all its back ends
 * are its own, and it watches a node of each front end. */
#define DRIVER_FACTOR    64u
#define MAX_NODES        1000u          /* a transaction's unfinished writes included */
#define MAX_BYTES        (256u * 1024)  /* of nodes, watches and transactions, with their paths */
#define MAX_WATCHES      128u
#define MAX_TRANSACTIONS 10u
#define MAX_VALUE        2048u
#define MAX_PERMS        8u
/* An event of the longest path and this token still fits into a message. */
#define MAX_TOKEN        1020u

enum xs_err {
    XS_OK, XS_EINVAL, XS_EACCES, XS_EEXIST, XS_ENOENT, XS_ENOMEM, XS_ENOSPC, XS_ENOSYS, XS_EBUSY,
    XS_EAGAIN, XS_E2BIG, XS_EPERM, XS_EIO,
};

#define PERM_READ  1u
#define PERM_WRITE 2u
/* An operation may need it. It is never granted: only the owner has it. */
#define PERM_OWNER 4u

/* The first of a node's permissions names the owner, who may do everything, and the rights of all
 * domains not listed. */
struct perm {
    uint16_t domid;
    uint8_t bits;
};

/* --- tree.c: data, accounts, and the tree as it is outside of any transaction ----------------- */
struct data {
    unsigned refs, charge, len_bytes, nr_perms;
    struct perm perms[MAX_PERMS];
    char bytes[];
};

struct node {
    struct node *parent, *children, *next;
    struct data *data;
    uint64_t kids;                      /* changes with every child that comes or goes */
    uint32_t hash;                      /* of the name; with len it tells most names apart */
    unsigned len;                       /* of the name */
    char name[];
};

struct account {
    unsigned nodes, watches, transactions;
    size_t bytes;
    bool is_driver;
};
extern struct account accounts[MAX_DOMAINS];
extern void *(*store_malloc)(size_t bytes);     /* the tests make it fail */

/* What a domain may have where others may have `limit`; domain 0 has no limits. */
size_t limit_of(uint16_t domid, size_t limit);
bool charge(uint16_t domid, size_t bytes);      /* false: over the limit, nothing charged */
void uncharge(uint16_t domid, size_t bytes);

/* A new data with one reference, charged to its owner; path is where it will hang. NULL: *err says
 * why. */
struct data *data_new(const char *path, const struct perm *perms, unsigned nr_perms,
                      const void *bytes, size_t len_bytes, enum xs_err *err);
struct data *data_get(struct data *d);          /* one more reference; get and put accept NULL */
void data_put(struct data *d);
bool data_allows(const struct data *d, uint16_t domid, unsigned want);

bool tree_init(void);                   /* the root, readable by everybody */
struct node *tree_find(const char *path);
struct node *tree_node(const char *path);       /* memory for a node of that path; NULL: none */
/* Takes over the reference on d. If the node does not exist, `spare` becomes it, below its existing
 * parent. True: spare was used. */
bool tree_set(const char *path, struct data *d, struct node *spare);
void tree_remove(const char *path);     /* a leaf, or nothing */
void tree_destroy(void);

/* The path without its last part, in buf; "/" for the children of the root. */
void parent_path(char *buf, const char *path);

/* --- transaction.c: the tree as one transaction sees it; t NULL: as it is --------------------- */
struct transaction;
struct ctx {                            /* who asks, and inside of what */
    uint16_t domid;
    struct transaction *t;
};

/* NULL: no memory, or over the limit. */
struct transaction *transaction_new(uint16_t domid, uint32_t id);
void transaction_free(struct transaction *t);
void transaction_doom(struct transaction *t);   /* its commit will return XS_EAGAIN */
struct transaction *transaction_find(struct transaction *list, uint32_t id);
struct transaction **transaction_next(struct transaction *t);         /* link of its owner's list */
/* Commits all of it, or nothing: XS_EAGAIN when something that it read has changed since. Fires
 * watches. */
enum xs_err transaction_commit(struct transaction *t);
/* A record of a read or write did not fit, now or earlier: its reads are no longer reliable. */
bool transaction_failed(const struct transaction *t);

struct data *view_get(struct transaction *t, const char *path);         /* NULL: no such node */
/* Takes over d; NULL removes a leaf. */
bool view_set(struct transaction *t, const char *path, struct data *d);
/* Calls fn for the name of each child, until it returns false. */
void view_list(struct transaction *t, const char *path, bool (*fn)(void *arg, const char *name),
               void *arg);
uint64_t view_kids(struct transaction *t, const char *path);            /* changes with the list */

/* --- ops.c: what may be asked of the tree; paths are absolute and valid ----------------------- */
bool path_valid(const char *path);
enum xs_err op_get(const struct ctx *x, const char *path, unsigned want, struct data **d);
enum xs_err op_write(const struct ctx *x, const char *path, const void *bytes, size_t len_bytes);
enum xs_err op_mkdir(const struct ctx *x, const char *path);
enum xs_err op_rm(const struct ctx *x, const char *path);
enum xs_err op_set_perms(const struct ctx *x, const char *path, const struct perm *perms,
                         unsigned nr_perms);
void op_forget_domain(uint16_t domid);  /* removes all nodes that the domain owns */

/* --- watch.c ---------------------------------------------------------------------------------- */
struct conn;
struct watch;
/* rel: how many bytes at the start of the path are left out in events. */
enum xs_err watch_add(struct conn *c, const char *path, const char *token, size_t rel,
                      struct watch **made);
enum xs_err watch_remove(struct conn *c, const char *path, const char *token);
void watch_remove_all(struct conn *c);
void watch_event(struct watch *w);   /* the first event, which every new watch gets: its own path */
void watch_pay(struct conn *c);         /* owed events that have room now */
void watch_owe(struct watch *w);        /* an event at the next watch_pay() */
/* Until fn returns false. The path is as the guest has named it. */
void watch_each(const struct conn *c, bool (*fn)(void *arg, const char *path, const char *token),
                void *arg);
/* Called with the number of a domain whose watches are others now; NULL: no function is. */
extern void (*watches_changed)(uint16_t domid);
/* The node of that path changed: fires all watches on it and on the nodes above, of domains that
 * may read d. */
void watch_fire(const char *path, const struct data *d);
/* Called with each path whose node changed; NULL: no function is. */
extern void (*tree_changed)(const char *path);
/* Fires all watches on @introduceDomain or @releaseDomain. */
void watch_fire_special(const char *name);

/* --- wire.c, requests.c: one connection, bytes in and bytes out ------------------------------- */
#define MESSAGE_MAX (sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX)
#define EVENT_ROOM  8192u

struct conn {
    struct conn *next;
    uint16_t domid;
    bool broken;                        /* the stream cannot be followed any more */
    /* Another store served it before: transactions of unknown numbers were begun there. */
    bool resumed;
    bool held;                          /* not served yet: events are owed */
    bool repeats;                       /* the store before may have done this request, too */
    uint32_t last_transaction;
    struct transaction *transactions;
    struct watch *watches;
    size_t in_len, out_len;
    uint8_t in[MESSAGE_MAX + 1], out[MESSAGE_MAX + EVENT_ROOM];
};
extern struct conn *conn_list;

/* Every request is answered by EIO, but those of the driver domain: see main.c. */
extern bool refuse_all;
struct conn *conn_new(uint16_t domid);          /* NULL: no memory, or no such number */
void conn_free(struct conn *c);
/* How many bytes it accepts now: up to the end of a header or message, 0 while output waits. */
size_t conn_wants(const struct conn *c);
/* A watch of that connection in a store before us: it gets an event, for changes that it missed. */
bool conn_watch_again(struct conn *c, const char *name, const char *token);
/* At most conn_wants(); the last byte acts. */
void conn_put(struct conn *c, const void *bytes, size_t len_bytes);
void conn_sent(struct conn *c, size_t len_bytes);       /* so much of out went away */
/* Sends a message of two parts, the second a string or NULL; false if the output exceeds its
 * limit. */
bool conn_send(struct conn *c, const struct xsd_sockmsg *header, const void *a, size_t a_len,
               const char *b);
#endif
