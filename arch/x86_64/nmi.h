/* NMIs and machine checks. */
#ifndef ARCH_X86_NMI_H
#define ARCH_X86_NMI_H

#include "common/compiler.h"

void log_noted_events(void);            /* logs the recorded events; called where no lock is held */

#endif
