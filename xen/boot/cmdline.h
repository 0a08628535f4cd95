/* The hypervisor's command line. */
#ifndef XEN_CMDLINE_H
#define XEN_CMDLINE_H

void options_parse(const char *cmdline);            /* after boot_string(); unknown ones are named and ignored */

#endif
