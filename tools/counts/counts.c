/* A TCG plugin for tools/bench: what happens in the machine while a row is measured. The program
 * that measures executes instructions without effect before and after each sample and after each
 * row (marks.h). For each row this plugin writes one line to its file: the counts of the sample
 * that is the median by instructions, in the order of enum count. tools/bench_counts.py reads it.
 *
 * Who executes an instruction is told by its address: below the middle a program; in the slots of
 * the address space that the PV ABI reserves the hypervisor; else the kernel.
 *
 * The value that an instruction loads into CR3 or CR4 is not seen. A load of CR4 counts as a flush
 * of all, for kernels and hypervisors change PGE to that end; and a load of CR3 right after one as
 * a part of it. Other loads of CR3 keep global translations. Misses are those of a model (tlb.c),
 * once with global pages and once as if there were none. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "marks.h"
#include "plugin.h"
#include "tlb.h"

#define MOST_SAMPLES 512

enum count {
    PROGRAM, KERNEL, HYPERVISOR, ENTRIES, CR3, CR4, INVLPG, WRMSR, LOCKED,
    KEEPS, FLUSHES,                     /* loads of CR3 that keep; flushes of all */
    MISSES, MISSES_WITHOUT,             /* of the TLB; of one without global translations */
    NR_COUNTS
};

static uint64_t counts[NR_COUNTS], begin[NR_COUNTS];
static uint64_t samples[MOST_SAMPLES][NR_COUNTS];
static unsigned nr_samples;
static enum count running;              /* who executed the last block */
static bool has_global[HYPERVISOR + 1]; /* whose pages are global */
static struct tlb with_global, without_global;
static FILE *out;

int qemu_plugin_version = 1;

/* --- Rows ------------------------------------------------------------------------------------- */

static int by_instructions(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    uint64_t left = x[PROGRAM] + x[KERNEL] + x[HYPERVISOR];
    uint64_t right = y[PROGRAM] + y[KERNEL] + y[HYPERVISOR];

    return left < right ? -1 : left > right;
}

static void write_row(void)
{
    qsort(samples, nr_samples, sizeof(samples[0]), by_instructions);
    for (unsigned i = 0; i < NR_COUNTS; i++)
        fprintf(out, "%lu%c", samples[nr_samples / 2][i], i + 1 < NR_COUNTS ? ' ' : '\n');
    fflush(out);
    nr_samples = 0;
}

static void see_mark(unsigned cpu, void *data)
{
    uintptr_t mark = (uintptr_t)data;

    (void)cpu;
    if (mark == MARK_BEGIN) {
        counts[MISSES] = with_global.misses;
        counts[MISSES_WITHOUT] = without_global.misses;
        memcpy(begin, counts, sizeof(begin));
    } else if (mark == MARK_END && nr_samples < MOST_SAMPLES) {
        counts[MISSES] = with_global.misses;
        counts[MISSES_WITHOUT] = without_global.misses;
        for (unsigned i = 0; i < NR_COUNTS; i++)
            samples[nr_samples][i] = counts[i] - begin[i];
        nr_samples++;
    } else if (mark == MARK_ROW && nr_samples > 0) {
        write_row();
    }
}

/* --- Instructions ----------------------------------------------------------------------------- */

static enum count who(uint64_t vaddr)
{
    if (vaddr >> 63 == 0)
        return PROGRAM;
    return vaddr >= 0xffff800000000000 && vaddr < 0xffff880000000000 ? HYPERVISOR : KERNEL;
}

/* --- The TLB ---------------------------------------------------------------------------------- */

#define NEAR 8                          /* instructions between the parts of one flush */

static uint64_t last_cr4;               /* when it was loaded, by instructions executed */

static uint64_t now(void)
{
    return counts[PROGRAM] + counts[KERNEL] + counts[HYPERVISOR];
}

static void see_cr4(unsigned cpu, void *data)
{
    (void)cpu, (void)data;
    counts[FLUSHES] += now() - last_cr4 > NEAR;
    last_cr4 = now();
    model_flush_all(&with_global);
    model_flush_all(&without_global);
}

static void see_cr3(unsigned cpu, void *data)
{
    (void)cpu, (void)data;
    counts[KEEPS] += now() - last_cr4 > NEAR;
    model_load_cr3(&with_global);
    model_load_cr3(&without_global);
}

/* The hypervisor's memory is mapped by pages of 2 MiB. */
static void see_access(uint64_t vaddr, bool is_code)
{
    enum count whose = who(vaddr);
    uint64_t page = vaddr >> 12;

    if (whose == HYPERVISOR)
        page &= ~511ul;
    model_use(&with_global, page, is_code, has_global[whose]);
    model_use(&without_global, page, is_code, false);
}

static void see_data(unsigned cpu, uint32_t info, uint64_t vaddr, void *data)
{
    (void)cpu, (void)info, (void)data;
    see_access(vaddr, false);
}

static void see_code(unsigned cpu, void *data)
{
    (void)cpu;
    see_access((uintptr_t)data, true);
}

/* --- What is translated ----------------------------------------------------------------------- */

/* Privileged mode is the hypervisor's, and without one the kernel's: then a program enters that. */
static void see_block(unsigned cpu, void *data)
{
    enum count now = (enum count)(uintptr_t)data;

    (void)cpu;
    if (now != running) {
        counts[ENTRIES] += now == HYPERVISOR || (now == KERNEL && running == PROGRAM);
        running = now;
    }
}

static bool is_prefix(uint8_t byte)
{
    return (byte & 0xf0) == 0x40 || byte == 0x66 || byte == 0xf2 || byte == 0xf3 || byte == 0xf0 ||
           byte == 0x2e || byte == 0x3e || byte == 0x64 || byte == 0x65;
}

/* Of the instructions that begin with 0f, the one that is counted, or NR_COUNTS. */
static enum count counted_0f(const uint8_t *code, size_t left)
{
    uint8_t reg = left > 1 ? code[1] >> 3 & 7 : 0;

    if (code[0] == 0x30)
        return WRMSR;
    if (code[0] == 0x22 && (reg == 3 || reg == 4))
        return reg == 3 ? CR3 : CR4;
    if (code[0] == 0x01 && reg == 7 && code[1] < 0xc0)
        return INVLPG;
    return NR_COUNTS;
}

/* nopl with a displacement of "PG", 0, the mark. */
static unsigned mark_of(const uint8_t *code, size_t size)
{
    static const uint8_t nop[] = { 0x0f, 0x1f, 0x84, 0x00 };

    if (size != 8 || memcmp(code, nop, sizeof(nop)) != 0 || memcmp(code + 5, "\0PG", 3) != 0)
        return 0;
    return code[4];
}

static void watch(struct qemu_plugin_insn *insn, enum count count)
{
    qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &counts[count], 1);
}

static void see_instruction(struct qemu_plugin_insn *insn, enum count by)
{
    const uint8_t *code = qemu_plugin_insn_data(insn);
    size_t size = qemu_plugin_insn_size(insn), at = 0;
    unsigned mark = by == HYPERVISOR ? 0 : mark_of(code, size);
    enum count seen = NR_COUNTS;
    bool locked = false;

    watch(insn, by);
    qemu_plugin_register_vcpu_mem_cb(insn, see_data, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                     NULL);
    while (at < size && is_prefix(code[at]))
        locked |= code[at++] == 0xf0;
    if (at + 1 < size && (code[at] == 0x86 || code[at] == 0x87) && code[at + 1] < 0xc0)
        locked = true;                  /* xchg with memory */
    if (locked)
        watch(insn, LOCKED);
    if (at + 1 < size && code[at] == 0x0f)
        seen = counted_0f(code + at + 1, size - at - 1);
    if (seen != NR_COUNTS)
        watch(insn, seen);
    if (seen == CR3 || seen == CR4)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, seen == CR3 ? see_cr3 : see_cr4,
                                               QEMU_PLUGIN_CB_NO_REGS, NULL);
    if (mark != 0)
        qemu_plugin_register_vcpu_insn_exec_cb(insn, see_mark, QEMU_PLUGIN_CB_NO_REGS,
                                               (void *)(uintptr_t)mark);
}

static void see_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
    enum count by = who(qemu_plugin_tb_vaddr(tb));
    uint64_t page = 0;

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, see_block, QEMU_PLUGIN_CB_NO_REGS,
                                         (void *)(uintptr_t)by);
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t vaddr = qemu_plugin_insn_vaddr(insn);

        if (i == 0 || vaddr >> 12 != page)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, see_code, QEMU_PLUGIN_CB_NO_REGS,
                                                   (void *)(uintptr_t)vaddr);
        page = vaddr >> 12;
        see_instruction(insn, by);
    }
}

/* Its arguments: out=NAME, and global= with the letters p, k, h of those whose pages are global:
 * program, kernel, hypervisor. */
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
    (void)info;
    if (argc != 2 || strncmp(argv[0], "out=", 4) != 0 || strncmp(argv[1], "global=", 7) != 0)
        return 1;
    out = fopen(argv[0] + 4, "w");
    if (out == NULL)
        return 1;
    for (const char *letter = argv[1] + 7; *letter != '\0'; letter++)
        has_global[*letter == 'p' ? PROGRAM : *letter == 'k' ? KERNEL : HYPERVISOR] = true;
    model_init(&with_global);
    model_init(&without_global);
    qemu_plugin_register_vcpu_tb_trans_cb(id, see_translation);
    return 0;
}
