/* What the command line said that no subsystem keeps for itself. */
#ifndef XEN_OPTIONS_H
#define XEN_OPTIONS_H

#include "common/compiler.h"

enum tsc { TSC_AUTO, TSC_STABLE, TSC_UNSTABLE };
enum console_raw { RAW_OFF, RAW_AUTO, RAW_ON };
enum wallclock { WALLCLOCK_AUTO, WALLCLOCK_CMOS, WALLCLOCK_EFI };

struct options {
    bool noreboot;              /* a panic halts */
    bool no_console;            /* console=none: the serial line is left alone */
    bool hypercall_counts;      /* shown when the last guest has ended */
    bool sync_console;          /* nothing goes on before all that is printed was sent */
    enum console_raw console_raw;   /* see console_terminal.c */
    uint32_t com1_baud;         /* 0: as it is */
    uint16_t com1_port;
    enum tsc tsc;               /* AUTO: stable where the CPU or QEMU's TCG says so */
    enum wallclock wallclock;   /* AUTO: what there is */
};
extern struct options options;

#endif
