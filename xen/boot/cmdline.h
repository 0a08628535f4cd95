/* The hypervisor's command line. */
#ifndef XEN_CMDLINE_H
#define XEN_CMDLINE_H

/* Parses the options of boot_string(); logs and ignores unknown ones. */
void options_parse(const char *cmdline);

#endif
