/* The translated machine in this process: see vmm_translated.h. What compares it with the core's is
 * vmm_lockstep.c. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cmocka_main.h"
#include "tests/unit/vmm_native.h"
#include "tests/unit/vmm_translated.h"

#define RAM_FRAMES 256u         /* vmm_kernel_new's */
#define TABLE_FRAME 0x28u
#define FIRST_FRAME 0x30u
#define REGION_BYTES (CODE_OFFSET + (1u << 20))
#define LEVEL_2 0x3000u         /* vmm_host.c's */
#define PTE 0x63u               /* P, RW, A, D */
#define PTE_READ_ONLY 0x61u

static struct cpu new_core, new_translated;
static uint8_t new_low[FIRST_FRAME * GUEST_PAGE]; /* tables, which programs may overwrite */
static uint8_t *first_ram;      /* vmm_cpu_free's */
static uint8_t rights[NR_PAGES];

uint64_t window_frame(unsigned page)
{
    if (page == PAGE_TABLE)
        return TABLE_FRAME;
    if (page == PAGE_CODE_ALIAS)
        page = PAGE_CODE;
    return FIRST_FRAME + (page * 7 & 15); /* neighbours are no neighbours in memory */
}

static bool is_mapped(unsigned page)
{
    return page != PAGE_ABSENT && page != 10 && page != 15;
}

uint8_t *translated_at(struct cpu *c, uint64_t linear)
{
    unsigned page = (unsigned)((linear - WINDOW) / GUEST_PAGE);

    assert_true(page < NR_PAGES);
    return c->ram.bytes + window_frame(page) * GUEST_PAGE + linear % GUEST_PAGE;
}

/* --- Rights of the window's pages in this process --------------------------------------------- */

/* As shadow tables would have them: nothing is writable that somebody wants to know of. */
static void set_rights(struct cpu *c, unsigned page, bool force)
{
    uint64_t entry = *vmm_word(c, TABLE_FRAME * GUEST_PAGE + 8 * page);
    uint8_t wanted = PROT_NONE;

    if (entry & 1)
        wanted = PROT_READ;
    if ((entry & 2) && c->ram.flags[window_frame(page)] == 0)
        wanted |= PROT_WRITE;
    if (wanted == rights[page] && !force)
        return;
    rights[page] = wanted;
    assert_int_equal(mprotect((void *)PAGE_AT(page), GUEST_PAGE, wanted), 0);
}

static void set_all_rights(struct cpu *c, bool force)
{
    for (unsigned page = 0; page < NR_PAGES; page++)
        if (is_mapped(page))
            set_rights(c, page, force);
}

static void protect(struct cpu *c, uint64_t frame)
{
    (void)frame;
    set_all_rights(c, false);
}

static void frame_written(struct cpu *c, uint64_t phys, unsigned bytes)
{
    translate_written(c, phys, bytes, false);
    set_all_rights(c, false);
}

static const struct translate_host host = {
    .memory = (uint8_t *)REGION, .base = REGION, .bytes = REGION_BYTES,
    .callout = { 0x0f, 0x0b }, .protect = protect,
};

/* --- Making ----------------------------------------------------------------------------------- */

static bool map_region(void)
{
    return mmap((void *)REGION, REGION_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)REGION;
}

/* Its RAM in shared memory, which the window has too. */
static bool share_ram(struct cpu *c)
{
    int fd = memfd_create("guest", 0);
    size_t bytes = RAM_FRAMES * GUEST_PAGE;
    void *ram;

    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        return false;
    ram = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (ram == MAP_FAILED)
        return false;
    for (unsigned page = 0; page < NR_PAGES; page++) {
        void *at = (void *)PAGE_AT(page);

        if (mmap(at, GUEST_PAGE, PROT_NONE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
                 (off_t)(window_frame(page) * GUEST_PAGE)) != at)
            return false;
    }
    close(fd);
    memcpy(ram, c->ram.bytes, bytes);
    first_ram = c->ram.bytes;
    c->ram.bytes = ram;
    return true;
}

/* Exceptions use a stack of their own, so that they are delivered whatever RSP is. */
static void set_system(struct cpu *c)
{
    uint64_t ist = PAGE_AT(PAGE_IST) + GUEST_PAGE;

    *vmm_word(c, LEVEL_2 + 8 * (WINDOW >> 21)) = TABLE_FRAME * GUEST_PAGE | PTE;
    memcpy(c->ram.bytes + KERNEL_TSS + 0x24, &ist, 8);
    for (unsigned v = 0; v < 256; v++) {
        bool error = v == VECTOR_DF || (v >= VECTOR_TS && v <= VECTOR_PF) || v == VECTOR_AC;

        vmm_set_gate(c, v, GATE_INTERRUPT, KERNEL_CS, 1,
                     PAGE_AT(PAGE_HANDLERS) + (v == VECTOR_OF_TEST ? 0x80 : error ? 0x40 : 0));
    }
}

bool translated_init(struct pair *p)
{
    p->core = vmm_kernel_new();
    p->translated = vmm_kernel_new();
    set_system(p->core);
    set_system(p->translated);
    p->translated->frame_written = frame_written;
    if (!native_init() || !map_region() || !share_ram(p->translated))
        return false;
    memcpy(new_low, p->core->ram.bytes, sizeof(new_low));
    new_core = *p->core;
    new_translated = *p->translated;
    return translate_init(p->translated, &host);
}

void translated_free(struct pair *p)
{
    translate_free(p->translated);
    munmap(p->translated->ram.bytes, RAM_FRAMES * GUEST_PAGE);
    p->translated->ram.bytes = first_ram;
    vmm_cpu_free(p->translated);
    vmm_cpu_free(p->core);
}

/* An exception goes on at RESUME_AT, with an error code taken off; an interrupt where it came. */
static void set_handlers(struct cpu *c)
{
    static const uint8_t without_error[] = {
        0x50, 0x48, 0x8b, 0x04, 0x25, 0x00, 0x30, 0x00, 0x10,   /* push %rax; mov RESUME_AT, %rax */
        0x48, 0x89, 0x44, 0x24, 0x08, 0x58, 0x48, 0xcf,         /* mov to 8(%rsp); pop; iretq */
    };
    static const uint8_t with_error[] = {
        0x50, 0x48, 0x8b, 0x04, 0x25, 0x00, 0x30, 0x00, 0x10,
        0x48, 0x89, 0x44, 0x24, 0x10, 0x58, 0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf,
    };
    static const uint8_t interrupt[] = {
        0x48, 0xff, 0x05, 0x01, 0x00, 0x00, 0x00, 0x48, 0xcf,   /* incq 1(%rip); iretq */
    };
    uint8_t *to = translated_at(c, PAGE_AT(PAGE_HANDLERS));
    int32_t counter = (int32_t)(RESUME_AT + 8 - (PAGE_AT(PAGE_HANDLERS) + 0x80 + 7));

    memcpy(to, without_error, sizeof(without_error));
    memcpy(to + 0x40, with_error, sizeof(with_error));
    memcpy(to + 0x80, interrupt, sizeof(interrupt));
    memcpy(to + 0x83, &counter, 4);
}

static void renew(struct cpu *c, const struct cpu *from)
{
    struct translator *t = c->translator;
    struct ram ram = c->ram;
    struct platform *platform = c->platform;

    *c = *from;
    c->ram = ram;
    c->platform = platform;
    c->translator = t;
    set_cpl(c, 0);
    memset(c->ram.flags, 0, c->ram.nr_frames);
    memcpy(c->ram.bytes, new_low, sizeof(new_low));
    memset(c->ram.bytes + FIRST_FRAME * GUEST_PAGE, 0, 16 * GUEST_PAGE);
    for (unsigned page = 0; page < NR_PAGES; page++)
        *vmm_word(c, TABLE_FRAME * GUEST_PAGE + 8 * page) =
            !is_mapped(page) ? 0
            : window_frame(page) * GUEST_PAGE | (page == PAGE_READ_ONLY ? PTE_READ_ONLY : PTE);
    set_handlers(c);
    c->regs[RSP] = PAGE_AT(PAGE_STACK) + GUEST_PAGE;
    c->regs[REG_RIP] = WINDOW;
}

void translated_renew(struct pair *p)
{
    native_set_signals();
    renew(p->core, &new_core);
    renew(p->translated, &new_translated);
    p->translated->translator->all_stale = true;
    p->host = p->undefined = 0;
    p->nr_steps = p->nr_points = 0;
    p->foreign = false;
    p->rip = WINDOW;
    set_all_rights(p->translated, true);
}

void translated_write(struct pair *p, uint64_t linear, const void *bytes, unsigned len)
{
    const uint8_t *from = bytes;

    for (unsigned i = 0; i < len; i++) {
        *translated_at(p->core, linear + i) = from[i];
        *translated_at(p->translated, linear + i) = from[i];
    }
}

/* --- X3 --------------------------------------------------------------------------------------- */

static bool leads_to(const struct translator *t, uint32_t patch, uint32_t start)
{
    int32_t displacement;

    memcpy(&displacement, t->host->memory + patch, 4);
    return patch + 4 + (uint32_t)displacement == start;
}

/* The branches that are listed with a block lead there, or to their stubs while it is suspect. */
static bool leads_right(const struct translator *t, const struct tblock *b, const struct stub *s)
{
    uint32_t place = b->state == BLOCK_ROUTINE && b->rip == s->rip
                         ? b->start : place_in_block(t, b, s->rip);

    return s->chained && s->kind == EXIT_OF_BRANCH && s->to == place &&
           leads_to(t, s->patch, b->state == BLOCK_SUSPECT ? s->at - STUB_BYTES : s->to);
}

static bool is_watched(const struct cpu *c, const struct tblock *b)
{
    for (unsigned i = 0; i < 2; i++)
        if (b->frame[i] != NO_FRAME && !(c->ram.flags[b->frame[i]] & FRAME_CODE))
            return false;
    return true;
}

static const char *check_blocks(const struct cpu *c, unsigned *chained)
{
    const struct translator *t = c->translator;

    for (uint32_t nr = 1; nr < t->nr_blocks; nr++) {
        const struct tblock *b = &t->blocks[nr];

        for (uint32_t s = b->incoming; s != 0; s = t->stubs[s].next, ++*chained)
            if (!leads_right(t, b, &t->stubs[s]))
                return "a branch that is chained to a block does not lead there";
        if (b->state == BLOCK_LIVE && !is_watched(c, b))
            return "nobody watches the frame of a block that may run";
    }
    return NULL;
}

/* Nothing, or an entry for a target with this number. */
static bool is_target(const struct translator *t, enum lookup by, unsigned number)
{
    uint32_t at = (uint32_t)(t->targets[by][number] - t->host->base);
    const struct tblock *b = &t->blocks[block_at(t, at)];

    return at == t->missed[by] - 14 || /* two registers are restored there */
           (b->start == at && b->state == BLOCK_ROUTINE && b->slot == by &&
            (b->rip & (TARGETS - 1)) == number);
}

const char *check_chains(const struct cpu *c)
{
    const struct translator *t = c->translator;
    unsigned listed = 0, chained = 0;
    const char *wrong = t->all_stale ? NULL : check_blocks(c, &listed);

    if (t->all_stale || wrong != NULL)
        return wrong;
    for (uint32_t nr = 1; nr < t->nr_stubs; nr++) {
        const struct stub *s = &t->stubs[nr];

        if (s->kind == PLACE_OF_RETURN &&
            (t->host->memory[s->patch] != 0) != (t->blocks[s->block].state == BLOCK_LIVE))
            return "RETs go on in a block that may not run, or do not in one that may";
        if (s->kind != EXIT_OF_BRANCH)
            continue;
        chained += s->chained;
        if (!s->chained && !leads_to(t, s->patch, s->at - STUB_BYTES))
            return "a branch leads neither to a block nor to its stub";
    }
    if (listed != chained)
        return "a chained branch is in no block's list";
    for (unsigned i = 0; i < NR_LOOKUPS * TARGETS; i++)
        if (!is_target(t, (enum lookup)(i / TARGETS), i % TARGETS))
            return "the table of indirect branches leads elsewhere";
    return NULL;
}
