/* The entry from arch/ into xen/ at boot. */
#ifndef XEN_MAIN_H
#define XEN_MAIN_H

#define PARAGON_VERSION "0.1"

_Noreturn void hypervisor_main(void);   /* runs as the idle vCPU of the boot CPU */
/* Called by each other CPU, as its idle vCPU. */
_Noreturn void secondary_main(void);

#endif
