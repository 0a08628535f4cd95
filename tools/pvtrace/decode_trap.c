/* Owns what is said of an exception: its name, its error code in words. */
#include "tools/pvtrace/decode.h"

/* SDM vol. 3, 4.7. A PV guest's kernel is not "user" here, although it runs in ring 3. */
static void print_page_fault_code(struct text *t, uint32_t code)
{
    text_str(t, code & 16 ? " fetch" : code & 2 ? " write" : " read");
    text_str(t, code & 1 ? " protection" : " not-present");
    text_str(t, code & 4 ? " user" : " kernel");
    if (code & 8)
        text_str(t, " reserved-bit");
    if (code & 32)
        text_str(t, " protection-key");
    if (code & ~63u) {
        text_str(t, " code=");
        text_hex(t, code);
    }
}

/* SDM vol. 3, 6.13: a selector, or a vector with its IDT bit. */
static void print_selector_code(struct text *t, uint32_t code)
{
    text_add(t, " code=0x%x", code);
    if (code == 0)
        return;
    if (code & 2) {
        text_str(t, " (vector ");
        text_hex(t, code >> 3 & 0x1fff);
    } else {
        text_str(t, code & 4 ? " (ldt " : " (gdt ");
        text_dec(t, code >> 3 & 0x1fff);
    }
    text_str(t, code & 1 ? " ext)" : ")");
}

void decode_trap(struct text *t, const struct item *item)
{
    uint32_t vector = item->trap.vector, code = item->trap.code;
    const char *name = decode_options.raw ? NULL : abi_trap_name(vector);

    if (name != NULL) {
        text_str(t, name);
    } else {
        text_add(t, "trap %u", vector);
    }
    if (item->trap.has_code && !decode_options.raw && vector == 14) {
        print_page_fault_code(t, code);
    } else if (item->trap.has_code && !decode_options.raw && vector >= 10 && vector <= 13) {
        print_selector_code(t, code);
    } else if (item->trap.has_code) {
        text_add(t, " code=0x%x", code);
    }
    if (vector == 14) {
        text_add(t, " va=0x%lx", item->trap.va);
    }
    print_rip(t, item->trap.rip);
}
