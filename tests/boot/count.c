/* A plugin for QEMU that counts the instructions that the machine executes; what it does not
 * while it waits is not counted. Each time the instruction of tools/linux/mark.S is executed,
 * the number so far is written to the file of the option out=. With profile=FILE, from=N and
 * to=M that file says at its end how many were executed between these marks in each block:
 * number, address, page. Loaded by bench_devices.py; QEMU's header for plugins is in no package
 * of Debian, so what is used of it is declared here. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
typedef void tb_fn(uint64_t id, struct qemu_plugin_tb *tb);
typedef void exit_fn(uint64_t id, void *arg);
typedef void exec_fn(unsigned cpu, void *arg);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_fn *fn);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *to,
                                              uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_fn *fn, int flags,
                                            void *arg);
void qemu_plugin_register_atexit_cb(uint64_t id, exit_fn *fn, void *arg);

int qemu_plugin_version = 1;
int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv);

#define ADD 0                           /* the only operation that QEMU does by itself */
#define PLACES (1u << 20)               /* a power of two */

static const uint8_t mark[] = { 0x0f, 0x1f, 0x80, 'm', 'a', 'r', 'k' };
static uint64_t executed;
static FILE *out, *profile;
static unsigned nr_marks, from_mark, to_mark;

/* Of blocks of instructions that QEMU has translated. The page in the host's memory tells kernels
 * at the same addresses apart. */
static struct place {
    uint64_t vaddr, page, executed, before, between;
} places[PLACES];

static void on_mark(unsigned cpu, void *arg)
{
    (void)cpu;
    (void)arg;
    fprintf(out, "%" PRIu64 "\n", executed);
    fflush(out);
    nr_marks++;
    for (unsigned i = 0; i < PLACES && profile != NULL; i++) {
        if (nr_marks == from_mark)
            places[i].before = places[i].executed;
        if (nr_marks == to_mark)
            places[i].between = places[i].executed - places[i].before;
    }
}

static struct place *place_of(const struct qemu_plugin_tb *tb)
{
    uint64_t vaddr = qemu_plugin_tb_vaddr(tb);
    uint64_t page = (uintptr_t)qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0)) >> 12;
    unsigned i = (unsigned)((vaddr ^ page) * 0x9e3779b97f4a7c15 >> 44);

    while (places[i].vaddr != 0 && (places[i].vaddr != vaddr || places[i].page != page))
        i = (i + 1) % PLACES;
    places[i].vaddr = vaddr;
    places[i].page = page;
    return &places[i];
}

static void on_translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &executed, n);
    if (profile != NULL)
        qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &place_of(tb)->executed, n);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

        if (qemu_plugin_insn_size(insn) == sizeof(mark) &&
            memcmp(qemu_plugin_insn_data(insn), mark, sizeof(mark)) == 0)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, 0, NULL);
    }
}

static void on_exit_of_qemu(uint64_t id, void *arg)
{
    (void)id;
    (void)arg;
    for (unsigned i = 0; i < PLACES && profile != NULL; i++)
        if (places[i].between != 0)
            fprintf(profile, "%" PRIu64 " %" PRIx64 " %" PRIx64 "\n", places[i].between,
                    places[i].vaddr, places[i].page);
    if (profile != NULL)
        fclose(profile);
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
        else if (strncmp(argv[i], "profile=", 8) == 0)
            profile = fopen(argv[i] + 8, "w");
        else if (strncmp(argv[i], "from=", 5) == 0)
            from_mark = (unsigned)strtoul(argv[i] + 5, NULL, 10);
        else if (strncmp(argv[i], "to=", 3) == 0)
            to_mark = (unsigned)strtoul(argv[i] + 3, NULL, 10);
    }
    if (out == NULL)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
    return 0;
}
