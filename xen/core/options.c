/* The defaults of options.h. boot/cmdline.c sets the options that the command line gives. */
#include "xen/core/options.h"

struct options options = { .com1_port = 0x3f8, .max_cpus = ~0u };
