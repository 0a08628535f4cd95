/* The memory map that a domain has set for itself (memory_map.c). Called when the domain ends. */
#ifndef XEN_MEMORY_MAP_H
#define XEN_MEMORY_MAP_H

struct domain;

void memory_map_free(struct domain *d);

#endif
