/* The functions that replace those of arch/host while a formula is compared with the code: see
 * hooks.h. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "hooks.h"
#include "xen/core/alloc.h"
#include "xen/core/frame.h"

struct hooks hooks = { .paddr_bits = 40, .nx = true, .tsc_hz = 1000000000, .cr4_host = 0x630,
                       .cr4_mask = 0xc, .xcr0_mask = 7 };
struct domain *guest;

static struct frame *usual_table, *sparse_table;
static uint64_t *usual_m2p, *sparse_m2p;
static mfn_t usual_max;
static uint64_t sparse_page[PAGE_SIZE / 8] __attribute__((aligned(4096)));

static void *zeros(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED)
        abort();
    return p;
}

void sparse_on(void)
{
    if (sparse_table == NULL) {
        sparse_table = zeros(SPARSE_FRAMES * sizeof(struct frame));
        sparse_m2p = zeros(SPARSE_FRAMES * sizeof(uint64_t));
        usual_table = frame_table;
        usual_m2p = m2p_table;
        usual_max = max_mfn;
    }
    frame_table = sparse_table;
    m2p_table = sparse_m2p;
    max_mfn = SPARSE_FRAMES;
    hooks.page = sparse_page;
}

void sparse_off(void)
{
    frame_table = usual_table;
    m2p_table = usual_m2p;
    max_mfn = usual_max;
    hooks.page = NULL;
}

void *__real_mfn_to_virt(mfn_t mfn);
void *__wrap_mfn_to_virt(mfn_t mfn);
void *__wrap_mfn_to_virt(mfn_t mfn)
{
    if (hooks.page == NULL || mfn == guest->mfn)
        return __real_mfn_to_virt(mfn);
    hooks.frame = mfn;
    return hooks.page;
}

size_t __real_arch_copy_from_guest(void *dst, uint64_t va, size_t len);
size_t __wrap_arch_copy_from_guest(void *dst, uint64_t va, size_t len);
size_t __wrap_arch_copy_from_guest(void *dst, uint64_t va, size_t len)
{
    if (hooks.guest_bytes == NULL)
        return __real_arch_copy_from_guest(dst, va, len);
    memcpy(dst, hooks.guest_bytes, len);
    return 0;
}

size_t __real_arch_copy_to_guest(uint64_t va, const void *src, size_t len);
size_t __wrap_arch_copy_to_guest(uint64_t va, const void *src, size_t len);
size_t __wrap_arch_copy_to_guest(uint64_t va, const void *src, size_t len)
{
    return hooks.guest_bytes == NULL ? __real_arch_copy_to_guest(va, src, len) : 0;
}

bool __real_put_guest_words(uint64_t va, const void *src, unsigned n);
bool __wrap_put_guest_words(uint64_t va, const void *src, unsigned n);
bool __wrap_put_guest_words(uint64_t va, const void *src, unsigned n)
{
    uint64_t word = (va - hooks.push_base) / 8;

    if (hooks.guest_bytes == NULL)
        return __real_put_guest_words(va, src, n);
    if (n != 1 || word >= ARRAY_SIZE(hooks.pushed) || va % 8 != 0) {
        hooks.push_elsewhere = true;
    } else {
        memcpy(&hooks.pushed[word], src, 8);
        hooks.push_mask |= 1ull << word;
    }
    return true;
}

void __wrap_domain_crash(struct domain *d, const char *why, ...);
void __wrap_domain_crash(struct domain *d, const char *why, ...)
{
    (void)d, (void)why;
    if (!hooks.deaf)
        abort();
}

void __real_arch_load_root(struct vcpu *v);
void __wrap_arch_load_root(struct vcpu *v);
void __wrap_arch_load_root(struct vcpu *v)
{
    if (!hooks.deaf)
        __real_arch_load_root(v);
}

/* Functions that return a field of hooks. */
#define ANSWER(type, name, args, ...)       \
    type __wrap_##name args;                \
    type __wrap_##name args                 \
    {                                       \
        __VA_ARGS__;                        \
    }
ANSWER(unsigned, arch_paddr_bits, (void), return hooks.paddr_bits)
ANSWER(bool, arch_has_nx, (void), return hooks.nx)
ANSWER(uint64_t, arch_tsc_hz, (void), return hooks.tsc_hz)
ANSWER(uint64_t, arch_cr4_host, (void), return hooks.cr4_host)
ANSWER(uint64_t, arch_cr4_guest_mask, (void), return hooks.cr4_mask)
ANSWER(uint64_t, arch_xcr0_mask, (void), return hooks.xcr0_mask)
ANSWER(void, arch_load_cr4, (struct vcpu *v), host.cr4 = hooks.cr4_host | v->cr4_guest)
ANSWER(void, arch_load_user_gs, (unsigned selector), hooks.user_gs = selector)
