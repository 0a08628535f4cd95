/* The trace of a world, and a reader that follows it. */
#ifndef FUZZ_FOLLOW_H
#define FUZZ_FOLLOW_H

struct domain;
void follow_begin(void);
void follow_finish(void);
void follow_domain(struct domain *d);           /* which is new */
void follow_now_and_then(void);                 /* after each hypercall */
void follow_change_now_and_then(void);

#endif
