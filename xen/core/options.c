/* What the command line said that no subsystem keeps for itself, and the defaults. boot/cmdline.c parses into it. */
#include "xen/core/options.h"

struct options options = { .com1_port = 0x3f8 };
