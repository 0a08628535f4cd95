/* User mode: its root, its pages, the table of its system calls, and user_run(). entry.S switches
 * between the modes; trap.c passes on the faults. */
#include <string.h>
#include "console.h"
#include "event.h"
#include "hypercall.h"
#include "jump.h"
#include "start.h"
#include "thread.h"
#include "user.h"

struct user_run {
    jmp_buf jb;
    struct user_result res;
    struct user_run *outer;
};

extern char user_image[], user_image_data[], user_image_end[], user_image_load[];
static pfn_t root;
static syscall_fn calls[NR_SYSCALLS];

/* What a user function returns to. */
USER_CODE __attribute__((naked)) static void user_return(void)
{
    __asm__("movq %rax, %rdi\n\txorl %eax, %eax\n\tsyscall\n\tud2");
}

pfn_t user_root(void)
{
    return root;
}

int map_user(const volatile void *va, uint64_t pte)
{
    int rc = map_page(va, pte);
    unsigned slot = PT_INDEX(va, 4);
    const volatile uint64_t *l4 = p2v(root);

    if (!rc && !(l4[slot] & PTE_P))
        rc = mmu_set(v2maddr((void *)(l4 + slot)), pte_read(va, 4));
    return rc;
}

int set_user_root_raw(pfn_t l4)
{
    return mmuext(MMUEXT_NEW_USER_BASEPTR, l4 ? pfn_to_mfn(l4) : 0, 0);
}

int set_user_root(pfn_t l4)
{
    int rc = set_user_root_raw(l4);

    if (!rc)
        current->user_root = l4;
    return rc;
}

void user_set_syscall(unsigned nr, syscall_fn fn)
{
    calls[nr] = fn;
}

static uint64_t sys_exit(uint64_t code, uint64_t b, uint64_t c, struct regs *r)
{
    (void)b, (void)c, (void)r;
    user_end((struct user_result){ .exited = true, .code = code, .fault.vector = FAULT_NONE });
}

static uint64_t sys_puts(uint64_t str, uint64_t len, uint64_t c, struct regs *r)
{
    (void)c, (void)r;
    console_write((const char *)str, len);      /* an invalid pointer fails the test */
    return len;
}

static uint64_t sys_yield(uint64_t a, uint64_t b, uint64_t c, struct regs *r)
{
    (void)a, (void)b, (void)c, (void)r;
    thread_yield();
    return 0;
}

/* Events are masked on entry, by the callback's flag; the iret unmasks them. */
void syscall_dispatch(struct regs *r)
{
    trap_count[r->vector]++;
    if (trap_handled(r))
        return;
    /* After user mode the hypervisor leaves the user's selectors loaded; it reports flat ones in
     * the frame. */
    r->cs = FLAT_USER_CS;
    r->ss = FLAT_USER_SS;
    if (r->rax < NR_SYSCALLS && calls[r->rax])
        r->rax = calls[r->rax](r->rdi, r->rsi, r->rdx, r);
    else
        r->rax = -XEN_ENOSYS;
}

_Noreturn void user_end(struct user_result res)
{
    struct user_run *run = current->user;

    if (!run)
        panic("user_end() without user_run()");
    run->res = res;
    longjmp(run->jb, 1);
}

void user_fault(const struct fault *f)
{
    if (current->user)
        user_end((struct user_result){ .fault = *f });
}

void user_init_regs(struct regs *r, void *fn, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t *sp = (uint64_t *)USER_STACK_TOP - 1;

    *sp = (uint64_t)user_return;
    *r = (struct regs){ .rdi = a, .rsi = b, .rdx = c, .rip = (uint64_t)fn, .rsp = (uint64_t)sp,
                        .cs = FLAT_USER_CS, .ss = FLAT_USER_SS, .rflags = 0x200 };
}

struct user_result user_run_by(user_enter_fn *enter, const struct regs *r)
{
    bool masked = events_masked();
    struct catcher *catcher = current->catcher;
    uint64_t kernel_sp = current->kernel_sp;
    struct user_run run = { .outer = current->user };

    current->user = &run;
    if (!setjmp(run.jb))
        enter(r, &current->kernel_sp);
    events_off();
    current->user = run.outer;
    current->catcher = catcher;
    current->kernel_sp = kernel_sp;
    if (kernel_sp)
        xen_stack_switch(FLAT_KERNEL_SS, kernel_sp);
    events_restore(masked);
    return run.res;
}

struct user_result user_run_regs(const struct regs *r)
{
    return user_run_by(user_enter, r);
}

struct user_result user_run(void *fn, uint64_t a, uint64_t b, uint64_t c)
{
    struct regs r;

    user_init_regs(&r, fn, a, b, c);
    return user_run_regs(&r);
}

static void must(int rc, const char *what)
{
    if (rc)
        panic("user mode: %s: %d", what, rc);
}

/*
 * The linked pages lie in the image; their text is not writable in user mode, data and stack not
 * executable.
 */
static void map_image(void)
{
    for (char *va = user_image; va < user_image_end; va += PAGE_SIZE) {
        uint64_t flags = va < user_image_data ? PTE_USER & ~PTE_RW : PTE_USER | PTE_NX;

        must(map_user(va, make_pte(v2mfn(user_image_load + (va - user_image)), flags)), "image");
    }
    for (unsigned i = 1; i <= USER_STACK_PAGES; i++)
        must(map_user((void *)(USER_STACK_TOP - i * PAGE_SIZE),
                      make_pte(pfn_to_mfn(frame_alloc()), PTE_USER | PTE_NX)), "stack");
}

void user_init(void)
{
    root = table_alloc();
    must(mmu_pin(4, root), "pin");
    map_image();
    must(set_user_root(root), "NEW_USER_BASEPTR");
    calls[SYS_EXIT] = sys_exit;
    calls[SYS_PUTS] = sys_puts;
    calls[SYS_YIELD] = sys_yield;
}
