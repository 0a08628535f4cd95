/* A guest's end of xenstore (xenstore.c), and the macros by which its suites check answers. A
 * request that is not taken or answered within 20 s ends the test. */
#ifndef GUEST_XENSTORE_H
#define GUEST_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <public/io/xs_wire.h>

extern volatile struct xenstore_domain_interface *xs_ring;      /* after xs_begin() */
extern struct xsd_sockmsg xs_head;                              /* of the last reply */
extern char xs_body[XENSTORE_PAYLOAD_MAX + 1];
extern char xs_events[2048];        /* "path|token " for each event since the last request */
extern uint32_t xs_last_id;                                     /* of the last request */

void xs_begin(void);
bool xs_wait_for(bool (*fn)(void));                             /* false: not within 20 s */
bool xs_has_room(void);
bool xs_has_reply(void);
bool xs_has_event(void);                                        /* in xs_events */
void xs_put(const void *bytes, size_t len);                     /* waits for room */
void xs_send(uint32_t type, uint32_t tx, const void *payload, size_t len);
/* The error's name, or "" with the reply in xs_body. */
const char *xs_receive(uint32_t type, uint32_t tx, uint32_t id);
const char *xs_ask(uint32_t type, uint32_t tx, const char *text);   /* '|' is sent as NUL */
uint32_t xs_start_transaction(void);                            /* its number */

#define EXPECT_REPLY(what, text)                                                                   \
    ({ const char *got_ = (what); \
       EXPECT_MSG(!strcmp(got_, text), "%s: '%s', not '%s'", #what, got_, text); })
#define OK(what) EXPECT_REPLY(what, "")
#define BODY(text)                                                                          \
    EXPECT_MSG(xs_head.len == sizeof(text) - 1 && !memcmp(xs_body, text, sizeof(text) - 1), \
               "%u bytes: '%s', not '%s'", (unsigned)xs_head.len, xs_body, text)

#endif
