/* The memory of the frame table and of the M2P. */
#ifndef ARCH_X86_FRAME_MEMORY_H
#define ARCH_X86_FRAME_MEMORY_H

#include "common/compiler.h"

/* Reserves both, for so many frames, and calls frames_init. Before any RAM is allocated. */
void frame_memory_init(uint64_t nr_frames);
/* A #PF at an address that is not mapped. True: it is in one of the two, and mapped now. */
bool frame_memory_fault(uint64_t va);

#endif
