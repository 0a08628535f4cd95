/* The CPU's state for people, when a guest is at its end: see print_state in emulate.h. */
#include <stdarg.h>
#include <stdio.h>
#include "common/x86/format.h"
#include "guest-pv/vmm/core/access.h"
#include "guest-pv/vmm/core/emulate.h"

struct text {
    char bytes[2048];
    unsigned len;
};

static __attribute__((format(printf, 2, 3))) void put(struct text *t, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(t->bytes + t->len, sizeof(t->bytes) - t->len, fmt, args);
    va_end(args);
    if (n > 0)
        t->len = MIN(t->len + (unsigned)n, (unsigned)sizeof(t->bytes) - 1);
}

static void put_registers(struct text *t, const struct cpu *c)
{
    static const char *const names[] = {
        "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
        "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15",
    };

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        put(t, "%s %016llx%s", names[i], (unsigned long long)c->regs[i], i % 4 == 3 ? "\n" : "  ");
}

static void put_system(struct text *t, const struct cpu *c)
{
    put(t, "CPL %u  CS %04x  SS %04x  FS %04x %llx  GS %04x %llx  other GS %llx\n", c->cpl,
        c->seg[SEG_CS].selector, c->seg[SEG_SS].selector, c->seg[SEG_FS].selector,
        (unsigned long long)c->seg[SEG_FS].base, c->seg[SEG_GS].selector,
        (unsigned long long)c->seg[SEG_GS].base, (unsigned long long)c->kernel_gs_base);
    put(t, "CR0 %llx  CR2 %llx  CR3 %llx  CR4 %llx  EFER %llx\n", (unsigned long long)c->cr0,
        (unsigned long long)c->cr2, (unsigned long long)c->cr3, (unsigned long long)c->cr4,
        (unsigned long long)c->efer);
    put(t, "GDT %llx %x  IDT %llx %x  TSS %llx %x\n", (unsigned long long)c->gdtr.base,
        c->gdtr.limit, (unsigned long long)c->idtr.base, c->idtr.limit,
        (unsigned long long)c->tr.base, (unsigned)c->tr.limit);
}

static void put_insn(struct text *t, struct cpu *c)
{
    uint8_t bytes[MAX_INSN];
    struct cpu_fault kept = c->fault;
    unsigned n = fetch_bytes(c, c->regs[REG_RIP], bytes);
    const struct insn_case *k = NULL;
    struct insn in;
    char name[80];

    c->fault = kept;
    if (n == 0) {
        put(t, "RIP is in no page that could be executed\n");
        return;
    }
    if (decode_insn(bytes, n, MODE_64, &in)) {
        k = find_case(&in);
        n = in.length;
    }
    for (unsigned i = 0; i < n; i++)
        put(t, "%02x ", bytes[i]);
    if (k != NULL)
        format_insn(&in, k, c->regs[REG_RIP], name, sizeof(name));
    put(t, " %s\n", k != NULL ? name : "(not known)");
}

void print_state(struct cpu *c, void (*print)(const char *line))
{
    struct text t = { .len = 0 };

    put(&t, "%s\n", c->stop == STOP_NOT ? "running" : c->reason);
    put(&t, "RIP %016llx  RFLAGS %llx  ", (unsigned long long)c->regs[REG_RIP],
        (unsigned long long)c->regs[REG_RFLAGS]);
    put_insn(&t, c);
    put_registers(&t, c);
    put_system(&t, c);
    print(t.bytes);
}
