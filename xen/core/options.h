/* Options of the command line that no subsystem keeps itself. Set once by boot/cmdline.c, read
 * everywhere. */
#ifndef XEN_OPTIONS_H
#define XEN_OPTIONS_H

#include "common/compiler.h"

enum tsc { TSC_AUTO, TSC_STABLE, TSC_UNSTABLE };
enum console_raw { RAW_OFF, RAW_AUTO, RAW_ON };
enum wallclock { WALLCLOCK_AUTO, WALLCLOCK_CMOS, WALLCLOCK_EFI };

struct options {
    bool noreboot;              /* a panic halts the machine */
    bool no_console;            /* console=none: the serial port is not touched */
    bool hypercall_counts;      /* print them when the last guest has ended */
    bool sync_console;          /* each print waits until it was sent */
    enum console_raw console_raw;   /* see console_terminal.c */
    unsigned max_cpus;          /* so many CPUs are used at most; at least 1 */
    bool nosmp;                 /* only the one that boots, whatever max_cpus says */
    /* For the tests: a fault of the CPU at that place of the firmware's list; 1 is the first that
     * does not boot */
    char cpu_fault[12];
    unsigned cpu_fault_at;
    uint32_t com1_baud;         /* 0: not changed */
    uint16_t com1_port;
    /* AUTO: stable if the CPU declares it invariant, or under QEMU's TCG */
    enum tsc tsc;
    enum wallclock wallclock;   /* AUTO: the CMOS clock; EFI's if there is none */
};
extern struct options options;

#endif
