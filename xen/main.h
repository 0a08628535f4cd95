/* The one way from arch/ into the hypervisor proper. */
#ifndef XEN_MAIN_H
#define XEN_MAIN_H

#define PARAGON_VERSION "0.1"

_Noreturn void hypervisor_main(void);   /* on the idle vCPU of the boot CPU, the machine being up */

#endif
