/* The domain builder: from a module in memory to a domain at its first instruction. */
#ifndef XEN_BUILD_H
#define XEN_BUILD_H

#include "xen/boot/boot_info.h"
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

void options_parse(const char *cmdline);            /* after boot_string(); unknown ones are named and ignored */
/* The words of a module's string (see boot_string) into all of *c but module and an unnamed guest's name. 0,
 * or -EINVAL with a line said. The string has to stay. */
int domain_config_parse(const char *string, struct domain_config *c);
/* What is needed beyond a guest's own memory: to make it, and its reserve (frame.h). */
#define OVERHEAD_FRAMES(vcpus) (64u + 16u * (vcpus) + DOMAIN_RESERVE)

/* Builds one domain, in two steps: what needs the files, with the memory that this takes; and the rest of its memory, for
 * which the files may be gone. 0, or negative errno with a line that names the module and the reason. After a success
 * of the first the second has to follow, in any case; the config stays where it is until then. */
struct build;
int build_load(struct domain *d, const struct domain_config *c, const void *kernel, uint64_t kernel_size,
               const void *ramdisk, uint64_t ramdisk_size, struct build **out);
int build_complete(struct build *b);
/* Both at once. */
int build_domain(struct domain *d, const struct domain_config *c, const void *kernel, uint64_t kernel_size,
                 const void *ramdisk, uint64_t ramdisk_size);
/* The same from nothing: creates the domain, which has then to be started. NULL, with a line: it could not be built. */
struct domain *build_from(domid_t id, const struct domain_config *c, uint64_t nr_frames, const void *kernel,
                          uint64_t kernel_size, const void *ramdisk, uint64_t ramdisk_size);
/* service.c: the service domain's kernel and words are copied, to start it again when it has died. NULL: that is not
 * possible, or was done too often; nothing is said. */
void service_keep(const struct domain_config *c, const void *kernel, uint64_t size_bytes);
struct domain *service_start_again(void);
uint64_t service_claim(void);           /* frames that its next start will need */
void service_forget(void);
void build_all_domains(void);                       /* from boot_info.modules; then frees the modules */
/* A loader's string without the file name that loaders other than GRUB 2 put first. */
const char *boot_string(const char *s);
/* The frames that module i makes unusable until build_all_domains frees them, rounded outwards; a frame that
 * two modules share counts for the first. Whoever gives RAM to the allocator leaves these out. False: none. */
bool module_frames(unsigned i, mfn_t *start, mfn_t *end);
uint64_t module_memory(void);                       /* frames of all of them */

#endif
