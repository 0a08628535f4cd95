/* The public Xen headers, for the whole hypervisor: no other file of xen/ or arch/ includes
 * <public/...>. Below are the error names, and assertions of the sizes that entry.S and guests rely
 * on. The interface version that the headers are read with is set on the compiler's command line
 * (Makefile). */
#ifndef XEN_ABI_H
#define XEN_ABI_H

#include <stddef.h>
#include <stdint.h>

#include <public/xen.h>
#include <public/arch-x86/cpuid.h>
#include <public/arch-x86/xen-mca.h>
#include <public/callback.h>
#include <public/domctl.h>
#include <public/elfnote.h>
#include <public/errno.h>
#include <public/event_channel.h>
#include <public/features.h>
#include <public/grant_table.h>
#include <public/hypfs.h>
#include <public/io/console.h>
#include <public/io/xs_wire.h>
#include <public/memory.h>
#include <public/nmi.h>
#include <public/physdev.h>
#include <public/platform.h>
#include <public/pmu.h>
#include <public/sched.h>
#include <public/sysctl.h>
#include <public/vcpu.h>
#include <public/version.h>

/* Error numbers without the prefix XEN_ of <public/errno.h>. Only those that are used. */
enum {
    EPERM = XEN_EPERM, ENOENT = XEN_ENOENT, ESRCH = XEN_ESRCH, E2BIG = XEN_E2BIG,
    ENOEXEC = XEN_ENOEXEC, EAGAIN = XEN_EAGAIN, ENOMEM = XEN_ENOMEM, EACCES = XEN_EACCES,
    EFAULT = XEN_EFAULT, EBUSY = XEN_EBUSY, EEXIST = XEN_EEXIST, EXDEV = XEN_EXDEV,
    EINVAL = XEN_EINVAL, ENOSPC = XEN_ENOSPC, ERANGE = XEN_ERANGE, ENOSYS = XEN_ENOSYS,
    ENXIO = XEN_ENXIO, ETIME = XEN_ETIME, EOPNOTSUPP = XEN_EOPNOTSUPP, EOVERFLOW = XEN_EOVERFLOW,
    ENODEV = XEN_ENODEV, EDOM = XEN_EDOM,
};

_Static_assert(sizeof(struct cpu_user_regs) == 200, "traps.S pushes this frame");
_Static_assert(sizeof(struct shared_info) == 3136, "size in the 64-bit ABI");
_Static_assert(sizeof(struct vcpu_info) == 64, "size in the 64-bit ABI");
_Static_assert(sizeof(struct start_info) == 1168, "size in the 64-bit ABI");
_Static_assert(sizeof(struct multicall_entry) == 64, "size in the 64-bit ABI");
_Static_assert(sizeof(struct mmu_update) == 16, "size in the 64-bit ABI");
_Static_assert(sizeof(struct mmuext_op) == 24, "size in the 64-bit ABI");
_Static_assert(sizeof(struct vcpu_guest_context) == 5168, "size in the 64-bit ABI");

#endif
