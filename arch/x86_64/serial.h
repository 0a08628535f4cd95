/* The serial port of the console. */
#ifndef ARCH_X86_SERIAL_H
#define ARCH_X86_SERIAL_H

#include "common/compiler.h"

void serial_init(void);

#endif
