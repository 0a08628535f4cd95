/* Suite "fuzz" (only by name): seeded random arguments for every hypercall number, thousands of
 * times: fuzz=N calls, seed=N. The hypervisor must answer each with a result or an errno, and the
 * domain must still work afterwards. Here are the calls and the checks; fuzz.h has the rules that
 * keep the calls harmless, fuzz_words.c and fuzz_calls.c the arguments. Chosen invalid arguments
 * are in hostile.c. */
#include <stdlib.h>
#include <string.h>
#include "clock.h"
#include "event.h"
#include "fuzz.h"
#include "hypercall.h"
#include "start.h"
#include "suite.h"
#include "thread.h"
#include "user.h"
#include <public/vcpu.h>

extern const struct suite *const suites_start[];   /* the end of what is never written */

static uint64_t nr_calls, nr_ok, nr_refused, nr_odd;

static bool ignore_trap(struct regs *r)
{
    r->rflags &= ~(uint64_t)RFLAGS_TF;
    return true;
}

/* W4 */
static void restore_vcpu(void)
{
    struct physdev_set_iopl iopl = { .iopl = 0 };
    struct physdev_set_iobitmap iobitmap = { .nr_ports = 0 };

    xen_fpu_taskswitch(0);
    xen_set_debugreg(7, 0x400);
    trap_table_install();
    trap_callbacks_install();
    xen_nmi_op(XENNMI_unregister_callback, NULL);
    xen_stack_switch(FLAT_KERNEL_SS, (uint64_t)__builtin_frame_address(0) - PAGE_SIZE);
    xen_set_gdt(NULL, 0);
    mmuext(MMUEXT_SET_LDT, 0, 0);
    set_user_root(user_root());
    for (unsigned i = SEGBASE_FS; i <= SEGBASE_GS_KERNEL; i++)
        xen_set_segment_base(i, 0);
    xen_physdev_op(PHYSDEVOP_set_iopl, &iopl);
    xen_physdev_op(PHYSDEVOP_set_iobitmap, &iobitmap);
    xen_vcpu_op(VCPUOP_stop_periodic_timer, 0, NULL);
    for (unsigned type = 0; type < 64; type++)
        xen_vm_assist(VMASST_CMD_disable, type);
}

/* --- The calls -------------------------------------------------------------------------------- */

/* iret to the next instruction, with random values where they do not end the domain. */
static void fuzz_iret(void)
{
    uint64_t flags = fuzz_word(), rflags = fuzz_random() & 0x3fffff, junk = fuzz_random();
    uint64_t cs = FLAT_KERNEL_CS & ~3ul, ss = FLAT_KERNEL_SS - fuzz_random() % 4;

    __asm__ volatile("movq %%rsp, %%rbx\n\tpushq %[ss]\n\tpushq %%rbx\n\tpushq %[rflags]\n\t"
                     "pushq %[cs]\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tpushq %[flags]\n\t"
                     "pushq %[junk]\n\tpushq %[junk]\n\tpushq %[junk]\n\tmovl %[nr], %%eax\n\t"
                     "syscall\n\tud2\n1:\tpushq $2\n\tpopfq"
                     : : [ss] "r"(ss), [rflags] "r"(rflags), [cs] "r"(cs),
                         [flags] "r"(flags), [junk] "r"(junk), [nr] "i"(__HYPERVISOR_iret)
                     : "rax", "rbx", "rcx", "r11", "memory", "cc");
}

/* Counts the result, and fails the test if it is neither a result nor an errno. */
static void check_result(uint64_t nr, const uint64_t a[5], long rc)
{
    nr_calls++;
    nr_ok += rc >= 0;
    nr_refused += rc < 0;
    if (rc >= 0 || rc >= -4095 || nr == __HYPERVISOR_get_debugreg)
        return;
    if (nr_odd++ < 10)
        test_fail(__FILE__, __LINE__,
                  "hypercall %#lx(%#lx, %#lx, %#lx, %#lx, %#lx): %#lx is no result", nr, a[0],
                  a[1], a[2], a[3], a[4], (uint64_t)rc);
}

/* Members are picked as single calls are. One may be a multicall itself, which is refused. */
static void fuzz_multicall(void)
{
    /* Not in the scratch frames, so that no member changes another. */
    static struct multicall_entry calls[8];
    unsigned n = 0;
    long rc;

    while (n < 8) {
        uint64_t nr, a[5];

        if (!fuzz_pick(&nr, a, true))
            continue;
        calls[n] = (struct multicall_entry){ .op = nr, .args = { a[0], a[1], a[2], a[3], a[4] } };
        n++;
    }
    if (fuzz_random() % 4 == 0)
        calls[fuzz_random() % 8] = (struct multicall_entry){
            .op = __HYPERVISOR_multicall, .args = { fuzz_bad_pointer(), 1 }
        };
    rc = xen_multicall(calls, n);
    EXPECT_EQ(rc, 0);
    for (unsigned i = 0; i < n && !rc; i++)
        check_result(calls[i].op, calls[i].args, calls[i].result);
    xen_multicall((void *)fuzz_bad_pointer(), fuzz_random() % 16);
}

static void fuzz_one(void)
{
    uint64_t nr, a[5];

    fuzz_refill();
    events_off();
    if (fuzz_random() % 16 == 0) {
        fuzz_multicall();
    } else if (fuzz_random() % 16 == 0) {
        fuzz_iret();
        events_off();                               /* the frame may have set them on */
        nr_calls++;
    } else if (fuzz_pick(&nr, a, false)) {
        uint64_t given[5];

        memcpy(given, a, sizeof(given));
        check_result(nr, given, hypercall_raw(nr, a[0], a[1], a[2], a[3], a[4]));
    }
    events_off();
    restore_vcpu();
}

static uint64_t number(const char *key, uint64_t otherwise)
{
    char buf[24];

    return cmdline_get(key, buf, sizeof(buf)) ? strtoull(buf, NULL, 0) : otherwise;
}

static void begin(void)
{
    fuzz_words_begin(number("seed", 1));
    trap_set_handler(TRAP_DB, ignore_trap);
    trap_set_handler(TRAP_NM, ignore_trap);
}

static void end(void)
{
    trap_set_handler(TRAP_DB, NULL);
    trap_set_handler(TRAP_NM, NULL);
    xen_vcpu_op(VCPUOP_register_runstate_memory_area, 0, &(uint64_t){ 0 });
    for (unsigned i = 0; i < 512; i++)
        EXPECT_EQ(mmu_set(fuzz_mem.window_table + i * 8, 0), 0);
    flush_local();
    /* Restores the M2P entry of the table's frame, which MMU_MACHPHYS_UPDATE may have changed as
     * those of the scratch frames. */
    EXPECT_EQ(mmu_set_cmd(fuzz_mem.window_table & -PAGE_SIZE, fuzz_mem.window_pfn,
                          MMU_MACHPHYS_UPDATE), 0);
    clock_hook(NULL);                               /* rearms the timer */
    events_on();
}

/* --- What must not have changed --------------------------------------------------------------- */

/* Of the part of the image that is never written. */
static uint64_t sum_of_image(void)
{
    const uint64_t *p = (const uint64_t *)image_start, *stop = (const uint64_t *)suites_start;
    uint64_t sum = 0;

    while (p < stop)
        sum = (sum << 1 | sum >> 63) ^ *p++;
    return sum;
}

static bool is_scratch(pfn_t pfn)
{
    for (unsigned i = 0; i < NR_SCRATCH; i++)
        if (fuzz_mem.scratch[i] == pfn)
            return true;
    return false;
}

static unsigned frames_changed(void)
{
    unsigned n = 0;

    for (pfn_t pfn = 0; pfn < mem_pages(); pfn++) {
        if (is_scratch(pfn) || p2v(pfn) == (void *)&shared_info_page)
            continue;
        n += mfn_to_pfn(pfn_to_mfn(pfn)) != pfn ||
             pte_mfn(pte_read(p2v(pfn), 1)) != pfn_to_mfn(pfn);
    }
    return n;
}

static USER_CODE uint64_t user_sum(uint64_t a, uint64_t b, uint64_t c)
{
    return a + b + c;
}

static void fuzz(void)
{
    uint64_t n = number("fuzz", 5000), sum = sum_of_image(), before = clock_irqs;

    begin();
    while (nr_calls < n)
        fuzz_one();
    end();
    test_diag("%lu calls with seed %lu: %lu results, %lu refusals", nr_calls, number("seed", 1),
              nr_ok, nr_refused);
    EXPECT(nr_ok > 0);
    EXPECT(nr_refused > nr_calls / 4);
    EXPECT_EQ(sum_of_image(), sum);
    EXPECT_EQ(frames_changed(), 0);
    EXPECT_EQ(user_run(user_sum, 1, 2, 3).code, 6);
    EXPECT_FAULT(try_read64((void *)BAD_POINTER, NULL), TRAP_PF, 0);
    thread_sleep(2 * NS_PER_MS);
    EXPECT(clock_irqs > before);
}

SUITE(fuzz, 97, SUITE_NAMED_ONLY, TEST(fuzz));
