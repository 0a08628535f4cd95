/* The hypervisor's command line. */
#ifndef XEN_CMDLINE_H
#define XEN_CMDLINE_H

/* of boot_string(); logs and ignores unknown options */
void options_parse(const char *cmdline);

#endif
