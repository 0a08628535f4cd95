/* The words before "--" in a module's string. */
#ifndef XEN_MODULE_WORDS_H
#define XEN_MODULE_WORDS_H

#include "xen/core/domain.h"

/* Per-domain words before "--" in a module's string. */
#define TRACE_DEFAULT (~0u)
struct domain_config {
    char name[32];
    uint64_t mem_bytes;             /* 0: a fair share of what is free */
    unsigned vcpus, weight;
    unsigned max_port;              /* max_ports= */
    uint32_t trace;                 /* trace=; TRACE_DEFAULT: as the hypervisor's command line says */
    bool service;                   /* it is the service domain, number 0 */
    unsigned module;                /* its kernel's number, for what is said of it */
    const char *cmdline;            /* a part of its string; MAX_GUEST_CMDLINE of it, with the NUL, reach the guest */
};

/* The words of a module's string (see boot_string) into all of *c but module and an unnamed guest's name. 0,
 * or -EINVAL with a line said. The string has to stay. */
int domain_config_parse(const char *string, struct domain_config *c);

#endif
