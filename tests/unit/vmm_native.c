/* One instruction on the host's own CPU: see vmm_native.h. Registers are loaded and stored by the
 * kernel, as those of a signal's frame: a UD2 of ours raises the first signal, whose handler
 * returns to the instruction; its exception raises the second, whose handler returns here. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "tests/unit/vmm_native.h"

#define PAGE 4096u
#define IF_AND_1 0x202u

/* Where the frame has RAX to R15, RIP and RFLAGS. */
static const int places[18] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8,
    REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP, REG_EFL,
};

void native_start(void);        /* UD2; RET */
__asm__(".globl native_start\nnative_start: ud2\nret");

static struct native_run *current;
static bool running;
static uint64_t home[18];

static void end_run(const greg_t *frame)
{
    current->vector = (unsigned)frame[REG_TRAPNO];
    current->error = (uint64_t)frame[REG_ERR];
    current->address = (uint64_t)frame[REG_CR2];
}

#define FX_BYTES 416u           /* of FXSAVE's image, without what it leaves alone */
#define SW_MAGIC_AT 464u        /* FP_XSTATE_MAGIC1 is there when the image is XSAVE's */
#define XSTATE_BV_AT 512u       /* of XSAVE's image: which parts are not in their first state */
#define XSTATE_FP_SSE 3u

/* The frame's image is XSAVE's, if the CPU has it, which begins with FXSAVE's. */
static void load_fx(uint8_t *image, const void *fx)
{
    uint32_t magic;

    memcpy(image, fx, FX_BYTES);
    memcpy(&magic, image + SW_MAGIC_AT, sizeof(magic));
    if (magic == FP_XSTATE_MAGIC1)
        image[XSTATE_BV_AT] |= XSTATE_FP_SSE;
}

static void exchange_fx(uint8_t *image)
{
    static uint8_t home_fx[FX_BYTES];

    if (running)
        memcpy(current->fx, image, FX_BYTES);
    else
        memcpy(home_fx, image, FX_BYTES);
    load_fx(image, running ? home_fx : current->fx);
}

/* Flags that the instruction changed and no return restores (NT, ID) are put back first. */
static void on_signal(int signal, siginfo_t *info, void *context)
{
    greg_t *frame = ((ucontext_t *)context)->uc_mcontext.gregs;
    static const struct sigaction by_default = { .sa_handler = SIG_DFL };

    (void)info;
    __builtin_ia32_writeeflags_u64(IF_AND_1);
    if (!running && (uintptr_t)frame[REG_RIP] != (uintptr_t)native_start) {
        sigaction(signal, &by_default, NULL);   /* a fault of the test's own */
        return;
    }
    for (unsigned i = 0; i < 18; i++) {
        uint64_t *to = running ? &current->regs[i] : &home[i];
        const uint64_t *from = running ? &home[i] : &current->regs[i];
        uint64_t value = *from;

        *to = (uint64_t)frame[places[i]];
        frame[places[i]] = (greg_t)value;
    }
    if (current->fx)
        exchange_fx((uint8_t *)((ucontext_t *)context)->uc_mcontext.fpregs);
    if (running) {
        end_run(frame);
        frame[REG_RIP] += 2;                    /* behind the UD2 */
    }
    running = !running;
}

static bool map_page(uint64_t address, int protection)
{
    void *at = mmap((void *)address, PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (at != (void *)address)
        return false;
    memset(at, 0xcc, PAGE);
    return mprotect(at, PAGE, protection) == 0;
}

void native_set_signals(void)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE };
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    static uint8_t handlers_stack[65536];
    stack_t stack = { .ss_sp = handlers_stack, .ss_size = sizeof(handlers_stack) };

    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

bool native_init(void)
{
    native_set_signals();
    return map_page(NATIVE_CODE, PROT_READ | PROT_WRITE | PROT_EXEC) &&
           map_page(NATIVE_DATA, PROT_READ | PROT_WRITE) &&
           map_page(NATIVE_DATA + PAGE, PROT_READ | PROT_WRITE) &&
           map_page(NATIVE_READ_ONLY, PROT_READ);
}

uint64_t native_place(const uint8_t *bytes, unsigned length)
{
    uint64_t start = NATIVE_CODE_END - length;

    memset((void *)NATIVE_CODE, 0xcc, PAGE);    /* what was there may have been written to */
    memcpy((void *)start, bytes, length);
    return start;
}

void native_execute(struct native_run *run)
{
    current = run;
    native_start();
}

bool native_faulted(const struct native_run *run, uint64_t start)
{
    uint64_t rip = run->regs[16];

    if (run->vector == 3)
        return false;                           /* it has jumped to one of the page's INT3 */
    return rip == start || run->vector != 14 || run->address != rip;
}

uint64_t native_fs_base(void)
{
    uint64_t base = 0;

    syscall(SYS_arch_prctl, ARCH_GET_FS, &base);
    return base;
}

uint64_t native_gs_base(void)
{
    uint64_t base = 0;

    syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
    return base;
}

void native_set_gs_base(uint64_t base)
{
    syscall(SYS_arch_prctl, ARCH_SET_GS, base);
}

uint16_t native_selector(unsigned segment)
{
    uint16_t selectors[6];

    __asm__("mov %%es, %0; mov %%cs, %1; mov %%ss, %2; mov %%ds, %3; mov %%fs, %4; mov %%gs, %5"
            : "=m"(selectors[0]), "=m"(selectors[1]), "=m"(selectors[2]), "=m"(selectors[3]),
              "=m"(selectors[4]), "=m"(selectors[5]));
    return selectors[segment];
}
