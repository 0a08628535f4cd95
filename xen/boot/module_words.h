/* The words before "--" in a module's string. */
#ifndef XEN_MODULE_WORDS_H
#define XEN_MODULE_WORDS_H

#include "xen/boot/mod_list.h"
#include "xen/core/domain.h"
#include "xen/core/pci.h"

/* Per-domain words before "--" in a module's string. */
#define TRACE_DEFAULT (~0u)
struct domain_config {
    char name[32];
    uint64_t mem_bytes;             /* 0: an equal share of the free memory */
    unsigned vcpus, weight;
    unsigned cap;                   /* cap=: percent of one CPU; 0: none */
    struct cpu_set cpus, cpus_soft; /* where its vCPUs may run, and where they should */
    unsigned max_port;              /* max_ports= */
    uint32_t trace;                 /* trace=; TRACE_DEFAULT: the hypervisor's own trace= */
    bool service;                   /* it is the service domain, number 0 */
    bool driver;                    /* it is the driver domain, which serves disks */
    struct pci_choice pci;          /* pci= */
    char devices[DEVICE_WORDS];     /* its words disk= and vif=, a NUL behind each */
    bool vmm;                       /* it hosts a kernel: the modules behind it are its own */
    const struct mod_list *list;    /* these, while it is loaded; of others NULL */
    unsigned module;                /* the number of its kernel's module, for log lines */
    /* The rest of its string; the guest gets MAX_GUEST_CMDLINE bytes of it, with the NUL. */
    const char *cmdline;
};

/* Parses a module's string (of boot_string) into *c, except for `module`, `list` and the
 * name of a guest without name=. Returns 0, or logs a line and returns -EINVAL. The string must
 * stay. */
int domain_config_parse(const char *string, struct domain_config *c);

#endif
