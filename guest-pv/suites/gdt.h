/* Descriptors, and a GDT of one frame for suites "segments" and "compat". The functions are in
 * gdt.c. */
#ifndef GUEST_GDT_H
#define GUEST_GDT_H

#include <stdint.h>
#include "mm.h"

/* Descriptor words. */
#define D_P        (1ul << 47)
#define D_S        (1ul << 44)
#define D_DPL3     (3ul << 45)
#define D_TYPE(t)  ((uint64_t)(t) << 40)
#define D_LONG     (1ul << 53)
#define D_BIG      (1ul << 54)
#define D_DATA     (D_P | D_S | D_DPL3 | D_TYPE(3))     /* read-write, accessed */
#define D_DOWN     (D_P | D_S | D_DPL3 | D_TYPE(7))     /* the same, expand-down */
#define D_CODE     (D_P | D_S | D_DPL3 | D_TYPE(11))    /* readable, accessed */
#define D_BASE(b)  ((((b) & 0xffffff) << 16) | ((uint64_t)((b) >> 24 & 0xff) << 56))
#define D_LIMIT(l) (((l) & 0xffff) | ((uint64_t)((l) >> 16 & 0xf) << 48))
#define SEL(n)     ((n) * 8 + 3)

/* set_gdt with one frame. */
long gdt_load(pfn_t pfn, unsigned entries);

/* Loads a GDT of 512 entries, all zero; unloads and frees it. No segment register may hold one of
 * its selectors then. */
void gdt_begin(void);
void gdt_end(void);
/* The frame of that GDT. */
pfn_t gdt_frame(void);
long gdt_set(unsigned n, uint64_t desc);        /* by update_descriptor */
uint64_t gdt_get(unsigned n);
#endif
