/* The vmm's loader: where a kernel, its ramdisk and the boot structures are in memory and what the
 * CPU has in its registers at the entry; each kind of file that is refused, with its reason; and
 * random changes of a small file, which are refused or loaded within the guest's memory. */
#include "cmocka_main.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/elf64.h"
#include "guest-pv/vmm/load/load.h"
#include "tests/unit/vmm_host.h"

#define RBX 3u                          /* numbers in instructions */
#define RSI 6u
#define FRAMES 2048u                    /* 8 MiB */
#define TOP (FRAMES * 4096ull)
#define TEXT_AT 0x200000ull
#define DATA_AT 0x300000ull
#define ENTRY_AT (TEXT_AT + 0x10)
#define RAMDISK_BYTES 5000u
#define MAX_HEADERS 40u

/* A kernel of two segments, the second one with 3 bytes in the file and a page in memory. */
static struct file {
    struct elf64_ehdr eh;
    struct elf64_phdr ph[MAX_HEADERS];
    uint8_t text[512], data[3];
} file;
static uint64_t file_bytes;
static uint8_t ramdisk[RAMDISK_BYTES];
static struct load_request request;
static char cmdline[4096];

static void make_file(void)
{
    memset(&file, 0, sizeof(file));
    file.eh = (struct elf64_ehdr){
        .ident = { 0x7f, 'E', 'L', 'F', ELF_CLASS_64, ELF_DATA_LSB, 1 },
        .type = 2, .machine = ELF_MACHINE_X86_64, .version = 1, .entry = ENTRY_AT,
        .phoff = offsetof(struct file, ph), .ehsize = sizeof(file.eh),
        .phentsize = sizeof(file.ph[0]), .phnum = 2,
    };
    file.ph[0] = (struct elf64_phdr){
        .type = PT_LOAD, .flags = 5, .offset = offsetof(struct file, text),
        .vaddr = 0xffffffff80000000 + TEXT_AT, .paddr = TEXT_AT,
        .filesz = sizeof(file.text), .memsz = sizeof(file.text),
    };
    file.ph[1] = (struct elf64_phdr){
        .type = PT_LOAD, .flags = 6, .offset = offsetof(struct file, data), .vaddr = 0,
        .paddr = DATA_AT, .filesz = sizeof(file.data), .memsz = 4096,
    };
    memset(file.text, 0x90, sizeof(file.text));
    memcpy(file.data, "abc", 3);
    file_bytes = sizeof(file);
}

static void make_request(void)
{
    make_file();
    for (unsigned i = 0; i < RAMDISK_BYTES; i++)
        ramdisk[i] = (uint8_t)(i * 7 + 1);
    strcpy(cmdline, "console=ttyS0 quiet");
    request = (struct load_request){ .kernel = &file, .kernel_bytes = file_bytes,
                                     .ramdisk = ramdisk, .ramdisk_bytes = RAMDISK_BYTES,
                                     .cmdline = cmdline };
    memset(request.seed, 0x5a, sizeof(request.seed));
}

static uint64_t number(const struct cpu *c, uint64_t at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, c->ram.bytes + at, bytes);
    return value;
}

/* A machine with something everywhere, so that what must be zero has to be written. */
static struct cpu *dirty_machine(void)
{
    struct cpu *c = vmm_cpu_new(FRAMES);

    memset(c->ram.bytes, 0xcc, TOP);
    c->regs[RBX] = 77;
    c->cr8 = 5;
    return c;
}

static struct cpu *loaded_machine(void)
{
    struct cpu *c = dirty_machine();
    const char *reason;

    request.kernel_bytes = file_bytes;
    reason = load_kernel(c, &request);
    if (reason != NULL)
        fail_msg("%s", reason);
    return c;
}

static void places_segments_and_ramdisk(void **state)
{
    uint64_t at = TOP - 8192;
    struct cpu *c;

    (void)state;
    make_request();
    c = loaded_machine();
    assert_memory_equal(c->ram.bytes + TEXT_AT, file.text, sizeof(file.text));
    assert_int_equal(number(c, TEXT_AT + sizeof(file.text), 1), 0xcc);
    assert_int_equal(number(c, DATA_AT - 1, 1), 0xcc);
    assert_memory_equal(c->ram.bytes + DATA_AT, "abc", 3);
    for (unsigned i = 3; i < 4096; i++)
        assert_int_equal(number(c, DATA_AT + i, 1), 0);
    assert_int_equal(number(c, DATA_AT + 4096, 1), 0xcc);
    assert_memory_equal(c->ram.bytes + at, ramdisk, RAMDISK_BYTES);
    assert_int_equal(number(c, at - 1, 1), 0xcc);
    vmm_cpu_free(c);
}

static void fills_the_zero_page(void **state)
{
    static const struct { uint16_t offset, bytes; uint64_t value; } fields[] = {
        { 0x1e8, 1, 2 }, { 0x1fe, 2, 0xaa55 }, { 0x202, 4, 0x53726448 }, { 0x206, 2, 0x20f },
        { 0x210, 1, 0xff }, { 0x211, 1, 1 }, { 0x218, 4, TOP - 8192 },
        { 0x21c, 4, RAMDISK_BYTES }, { 0x1f1, 1, 0 }, { 0xfff, 1, 0 },
        { 0x2d0, 8, 0 }, { 0x2d8, 8, 0x9f000 }, { 0x2e0, 4, 1 },
        { 0x2e4, 8, 0x100000 }, { 0x2ec, 8, TOP - 0x100000 }, { 0x2f4, 4, 1 }, { 0x2f8, 8, 0 },
    };
    uint64_t page, setup;
    struct cpu *c;

    (void)state;
    make_request();
    c = loaded_machine();
    page = c->regs[RSI];
    assert_true(page < 0x9f000 - 4096 && page % 4096 == 0);
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
        if (number(c, page + fields[i].offset, fields[i].bytes) != fields[i].value)
            fail_msg("%x: %lx", fields[i].offset,
                     number(c, page + fields[i].offset, fields[i].bytes));
    assert_string_equal((char *)c->ram.bytes + number(c, page + 0x228, 4), cmdline);
    setup = number(c, page + 0x250, 8);
    assert_int_equal(number(c, setup, 8), 0);
    assert_int_equal(number(c, setup + 8, 4), 9);
    assert_int_equal(number(c, setup + 12, 4), 32);
    assert_memory_equal(c->ram.bytes + setup + 16, request.seed, 32);
    vmm_cpu_free(c);
}

static void without_a_ramdisk(void **state)
{
    struct cpu *c;

    (void)state;
    make_request();
    request.ramdisk = NULL;
    request.ramdisk_bytes = 0;
    c = loaded_machine();
    assert_int_equal(number(c, c->regs[RSI] + 0x218, 8), 0);
    assert_int_equal(number(c, TOP - 1, 1), 0xcc);
    vmm_cpu_free(c);
}

/* What a CPU would find for a linear address, by the tables in memory. */
static uint64_t physical(const struct cpu *c, uint64_t linear)
{
    uint64_t l4e = number(c, c->cr3 + (linear >> 39) * 8, 8),
             l3e = l4e & 1 ? number(c, (l4e & ~0xfffull) + (linear >> 30 & 511) * 8, 8) : 0,
             l2e = l3e & 1 ? number(c, (l3e & ~0xfffull) + (linear >> 21 & 511) * 8, 8) : 0;

    assert_int_equal(l4e & l3e & 3, 3);
    assert_int_equal(l2e & 0x83, 0x83);
    return (l2e & ~0x1fffffull) | (linear & 0x1fffff);
}

static void check_segment(const struct segment *s, uint16_t selector, uint16_t access,
                          const struct cpu *c)
{
    uint64_t descriptor = number(c, c->gdtr.base + selector, 8);

    assert_int_equal(s->selector, selector);
    assert_int_equal(s->access, access);
    assert_int_equal(s->base, 0);
    assert_int_equal(s->limit, 0xffffffff);
    assert_int_equal(descriptor >> 40 & 0xf0ff, access);
    assert_int_equal(descriptor & 0xff0000ffffffffff & ~(0xffffull << 40), 0xffff);
}

static void enters_in_long_mode(void **state)
{
    static const uint8_t data[] = { SEG_DS, SEG_ES, SEG_SS };
    struct cpu *c;

    (void)state;
    make_request();
    c = loaded_machine();
    assert_int_equal(c->regs[REG_RIP], ENTRY_AT);
    assert_int_equal(c->regs[REG_RFLAGS], FLAG_MBS);
    assert_int_equal(c->regs[RBX], 0);
    assert_int_equal(c->cr0 & (CR0_PE | CR0_PG | CR0_WP), CR0_PE | CR0_PG);
    assert_int_equal(c->cr4, CR4_PAE);
    assert_int_equal(c->efer, EFER_LME | EFER_LMA);
    assert_int_equal(c->cpl, 0);
    assert_int_equal(c->gdtr.limit, 0x1f);
    assert_int_equal(number(c, c->gdtr.base, 8), 0);
    check_segment(&c->seg[SEG_CS], 0x10, 0xa09b, c);
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
        check_segment(&c->seg[data[i]], 0x18, 0xc093, c);
    assert_int_equal(c->seg[SEG_FS].selector | c->seg[SEG_GS].selector, 0);
    for (uint64_t at = 0; at < 1ull << 30; at += 0x1ff000)
        assert_int_equal(physical(c, at), at);
    for (unsigned i = 1; i < 512; i++) {
        assert_int_equal(number(c, c->cr3 + i * 8, 8), 0);
        assert_int_equal(number(c, (number(c, c->cr3, 8) & ~0xfffull) + i * 8, 8), 0);
    }
    vmm_cpu_free(c);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void empty_file(void) { file_bytes = 0; }
static void text_file(void) { memcpy(&file, "This is no kernel.", 18); }
static void cut_header(void) { file_bytes = 40; }
static void bzimage(void) { memcpy((char *)&file + 0x202, "HdrS", 4); }
static void gzipped(void) { memcpy(&file, "\x1f\x8b\x08", 3); }
static void elf32(void) { file.eh.ident[4] = 1; }
static void big_endian(void) { file.eh.ident[5] = 2; }
static void other_cpu(void) { file.eh.machine = 183; }
static void no_headers(void) { file.eh.phnum = 0; }
static void headers_outside(void) { file.eh.phoff = sizeof(file) - 20; }
static void headers_far_outside(void) { file.eh.phoff = ~0ull - 8; }
static void header_size(void) { file.eh.phentsize = 32; }
static void nothing_to_load(void) { file.ph[0].type = file.ph[1].type = PT_NOTE; }
static void all_empty(void)
{
    nothing_to_load();
    file.ph[0].type = PT_LOAD;
    file.ph[0].memsz = file.ph[0].filesz = 0;
}
static void bytes_outside(void) { file.ph[1].offset = sizeof(file) - 2; }
static void bytes_far_outside(void) { file.ph[1].offset = ~0ull; }
static void more_in_file(void) { file.ph[1].memsz = 2; }
static void wraps(void) { file.ph[1].paddr = ~0ull - 100; }
static void below_1m(void) { file.ph[1].paddr = 0xff000; }
static void over_tables(void) { file.ph[1].paddr = 0x2000; }
static void above_memory(void) { file.ph[1].paddr = TOP; }
static void over_memory_end(void) { file.ph[1].paddr = TOP - 4095; }
static void too_large(void) { file.ph[1].memsz = 1ull << 40; }
static void overlap(void) { file.ph[1].paddr = TEXT_AT + sizeof(file.text) - 1; }
static void overlap_before(void) { file.ph[1].paddr = TEXT_AT - 4095; }
static void many_segments(void)
{
    file.eh.phnum = 33;
    for (unsigned i = 1; i < 33; i++)
        file.ph[i] = (struct elf64_phdr){ .type = PT_LOAD, .flags = 4, .memsz = 16,
                                          .paddr = DATA_AT + i * 16 };
}
static void entry_outside(void) { file.eh.entry = TEXT_AT - 1; }
static void entry_behind(void) { file.eh.entry = TEXT_AT + sizeof(file.text); }
static void entry_in_zeroes(void) { file.eh.entry = DATA_AT + 3; }
static void virtual_entry(void) { file.eh.entry = 0xffffffff80000000 + ENTRY_AT; }
static void large_ramdisk(void) { request.ramdisk_bytes = TOP - DATA_AT - 4096 + 1; }
static void huge_ramdisk(void) { request.ramdisk_bytes = ~0ull; }
static void long_cmdline(void)
{
    memset(cmdline, 'x', 2048);
    cmdline[2048] = '\0';
}

static const struct refusal {
    const char *name;
    void (*make)(void);
    const char *reason;
} refusals[] = {
#define REFUSAL(name, reason) { #name, name, reason }
    REFUSAL(empty_file, "not an ELF file"), REFUSAL(text_file, "not an ELF file"),
    REFUSAL(cut_header, "header is cut"), REFUSAL(bzimage, "bzImage: tools/unpack-kernel"),
    REFUSAL(gzipped, "gzip: tools/unpack-kernel"), REFUSAL(elf32, "32-bit"),
    REFUSAL(big_endian, "another processor"), REFUSAL(other_cpu, "another processor"),
    REFUSAL(no_headers, "without usable program headers"),
    REFUSAL(headers_outside, "program headers lie beyond"),
    REFUSAL(headers_far_outside, "program headers lie beyond"),
    REFUSAL(header_size, "without usable program headers"),
    REFUSAL(nothing_to_load, "nothing to load"), REFUSAL(all_empty, "nothing to load"),
    REFUSAL(bytes_outside, "segment lies beyond"),
    REFUSAL(bytes_far_outside, "segment lies beyond"),
    REFUSAL(more_in_file, "more bytes in the file"), REFUSAL(wraps, "wraps around"),
    REFUSAL(below_1m, "below 1 MiB"), REFUSAL(over_tables, "below 1 MiB"),
    REFUSAL(above_memory, "too large"), REFUSAL(over_memory_end, "memory up to 8192 KiB"),
    REFUSAL(too_large, "too large"), REFUSAL(overlap, "overlaps another"),
    REFUSAL(overlap_before, "overlaps another"), REFUSAL(many_segments, "more than 32 segments"),
    REFUSAL(entry_outside, "entry 1fffff"), REFUSAL(entry_behind, "entry"),
    REFUSAL(entry_in_zeroes, "entry"), REFUSAL(virtual_entry, "physical address"),
    REFUSAL(large_ramdisk, "ramdisk does not fit"), REFUSAL(huge_ramdisk, "ramdisk does not fit"),
    REFUSAL(long_cmdline, "command line is too long: 2048 bytes, and 2047"),
};

/* A file is in memory of exactly its size, so that a byte read behind its end is found. */
static const char *load_copy(struct cpu *c)
{
    uint8_t *copy = malloc(file_bytes != 0 ? file_bytes : 1);
    const char *reason;

    memcpy(copy, &file, file_bytes);
    request.kernel = copy;
    request.kernel_bytes = file_bytes;
    reason = load_kernel(c, &request);
    free(copy);
    return reason;
}

static void refuses(void **state)
{
    struct cpu *c = dirty_machine();

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *r = &refusals[i];
        const char *reason;

        make_request();
        r->make();
        reason = load_copy(c);
        if (reason == NULL || strstr(reason, r->reason) == NULL)
            fail_msg("%s: %s", r->name, reason != NULL ? reason : "loaded");
        for (uint64_t at = 0; at < TOP; at++)   /* nothing was written */
            if (c->ram.bytes[at] != 0xcc)
                fail_msg("%s: a byte was written at %lx", r->name, at);
    }
    vmm_cpu_free(c);
}

/* The largest that still fit. */
static void accepts_what_just_fits(void **state)
{
    static uint8_t large[TOP - DATA_AT - 4096];
    struct cpu *c;

    (void)state;
    make_request();
    request.ramdisk = large;
    request.ramdisk_bytes = sizeof(large);
    memset(cmdline, 'x', 2047);
    cmdline[2047] = '\0';
    c = loaded_machine();
    assert_int_equal(number(c, c->regs[RSI] + 0x218, 4), DATA_AT + 4096);
    vmm_cpu_free(c);
    make_request();
    request.ramdisk_bytes = 0;
    file.ph[1].paddr = TOP - 4096;
    file.eh.phnum = 32;
    for (unsigned i = 2; i < 32; i++)
        file.ph[i] = (struct elf64_phdr){ .type = PT_LOAD, .flags = 4, .memsz = 16,
                                          .paddr = DATA_AT + i * 16 };
    vmm_cpu_free(loaded_machine());
}

/* --- random changes --------------------------------------------------------------------------- */

static const uint64_t interesting[] = {
    0, 1, 3, 4096, 0x9f000, 0x100000, TEXT_AT, DATA_AT, TOP - 1, TOP, 1ull << 30, 1ull << 32,
    1ull << 63, ~0ull, ~0ull - 4095, sizeof(struct file),
};

static void change_something(void)
{
    uint8_t *at = (uint8_t *)&file + (unsigned)rand() % (sizeof(file.eh) + 3 * sizeof(file.ph[0]));
    uint64_t value = interesting[(unsigned)rand() % ARRAY_SIZE(interesting)];

    switch (rand() % 4) {
    case 0:
        *at = (uint8_t)rand();
        break;
    case 1:
        *at ^= (uint8_t)(1 << rand() % 8);
        break;
    case 2:                             /* a field of 8 bytes */
        memcpy((uint8_t *)((uintptr_t)at & ~7ul), &value, 8);
        break;
    default:
        file_bytes = (unsigned)rand() % (sizeof(file) + 1);
    }
}

/* The sanitizers watch the file's and the memory's ends; what is loaded is in the guest's memory
 * above 1 MiB, and the entry is there too. */
static void survives_changes(void **state)
{
    struct cpu *c = dirty_machine();
    unsigned loaded = 0;

    (void)state;
    srand(7);
    for (unsigned round = 0; round < 100000; round++) {
        make_request();
        for (int n = 1 + rand() % 3; n > 0; n--)
            change_something();
        if (load_copy(c) != NULL)
            continue;
        loaded++;
        assert_in_range(c->regs[REG_RIP], 1 << 20, TOP - 1);
        assert_int_equal(c->stop, STOP_NOT);
    }
    assert_in_range(loaded, 10000, 90000);
    vmm_cpu_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_segments_and_ramdisk), cmocka_unit_test(fills_the_zero_page),
        cmocka_unit_test(without_a_ramdisk), cmocka_unit_test(enters_in_long_mode),
        cmocka_unit_test(refuses), cmocka_unit_test(accepts_what_just_fits),
        cmocka_unit_test(survives_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
