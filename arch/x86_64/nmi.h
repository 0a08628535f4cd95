/* NMIs and machine checks. */
#ifndef ARCH_X86_NMI_H
#define ARCH_X86_NMI_H

#include "common/compiler.h"

void log_noted_events(void);            /* prints what NMIs and machine checks left; where no lock is held */

#endif
