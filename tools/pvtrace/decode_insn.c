/* Emulated instructions as text: disassembled by common/x86, in the syntax of AT&T, as 64-bit code.
 * What is no instruction, or not all there, is shown as its bytes. */
#include <string.h>

#include "common/x86/format.h"
#include "tools/pvtrace/decode.h"

#define MAX_TEXT 96u

static bool print_instruction(struct text *t, const uint8_t *bytes, unsigned len, uint64_t rip)
{
    const struct insn_case *c;
    char text[MAX_TEXT];
    struct insn in;

    if (!decode_insn(bytes, len, MODE_64, &in) || (c = find_case(&in)) == NULL)
        return false;
    format_insn(&in, c, rip, text, sizeof(text));
    text_str(t, text);
    return true;
}

static void print_bytes(struct text *t, const uint8_t *bytes, unsigned len)
{
    text_str(t, "bytes");
    for (unsigned i = 0; i < len; i++)
        text_add(t, " %02x", bytes[i]);
}

void decode_instruction(struct text *t, const struct item *item)
{
    static const uint8_t forced[5] = { 0x0f, 0x0b, 'x', 'e', 'n' };
    const uint8_t *bytes = item->emulated.bytes;
    unsigned len = MIN(item->emulated.len, sizeof(item->emulated.bytes)), at = 0;

    if (len == 0) {
        text_str(t, item->emulated.forced ? "cpuid (forced)" : "?");
        return;
    }
    if (len >= sizeof(forced) && memcmp(bytes, forced, sizeof(forced)) == 0)
        at = sizeof(forced);
    if (decode_options.raw || !print_instruction(t, bytes + at, len - at, item->emulated.rip + at))
        print_bytes(t, bytes, len);
    if (at != 0 || item->emulated.forced)
        text_str(t, " (forced)");
}
