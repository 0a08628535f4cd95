/* Doubly linked circular lists, heads and links of one type. An unlinked entry is its own
 * neighbour. */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include "common/compiler.h"

struct list_head {
    struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define list_entry(p, type, member) container_of(p, type, member)
#define list_for_each_entry(pos, head, member)                                                    \
    for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member); &(pos)->member != (head);  \
         (pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

static inline void list_init(struct list_head *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list_head *l)
{
    return l->next == l;
}

/* Before head: at the tail of a queue, or before the entry named. */
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
    struct list_head *before = head->prev;

    entry->prev = before;
    entry->next = head;
    before->next = entry;
    head->prev = entry;
}

static inline void list_add(struct list_head *entry, struct list_head *head)
{
    list_add_tail(entry, head->next);
}

/* The entry's own links stay as they are. */
static inline void list_unlink(struct list_head *entry)
{
    struct list_head *before = entry->prev, *after = entry->next;

    before->next = after;
    after->prev = before;
}

static inline void list_del(struct list_head *entry)
{
    list_unlink(entry);
    list_init(entry);
}

#endif
