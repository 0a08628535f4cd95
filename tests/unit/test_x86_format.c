/* Instructions as text: the same as objdump 2.40 prints, except for the %ds: that string
 * instructions imply and for displacements of 0. Random bytes: no text is longer than its
 * buffer. */
#include "cmocka_main.h"
#include <stdlib.h>
#include <string.h>
#include "common/x86/format.h"

#define RIP 0x1000u

static const struct {
    enum cpu_mode mode;
    const char *bytes, *text;
} rows[] = {
    { MODE_64, "0f 22 d8", "mov %rax,%cr3" },
    { MODE_64, "0f 20 d8", "mov %cr3,%rax" },
    { MODE_64, "0f 21 f8", "mov %db7,%rax" },
    { MODE_64, "ec", "in (%dx),%al" },
    { MODE_64, "66 ed", "in (%dx),%ax" },
    { MODE_64, "ed", "in (%dx),%eax" },
    { MODE_64, "e6 60", "out %al,$0x60" },
    { MODE_64, "ef", "out %eax,(%dx)" },
    { MODE_64, "6c", "insb (%dx),%es:(%rdi)" },
    { MODE_64, "f3 6f", "rep outsl (%rsi),(%dx)" },
    { MODE_64, "64 66 6f", "outsw %fs:(%rsi),(%dx)" },
    { MODE_64, "9c", "pushf" },
    { MODE_64, "66 9c", "pushfw" },
    { MODE_64, "9d", "popf" },
    { MODE_64, "48 cf", "iretq" },
    { MODE_64, "cf", "iret" },
    { MODE_64, "0f 01 50 10", "lgdt 0x10(%rax)" },
    { MODE_64, "0f 01 f0", "lmsw %ax" },
    { MODE_64, "0f 01 3f", "invlpg (%rdi)" },
    { MODE_64, "65 0f 01 3d 10 00 00 00", "invlpg %gs:0x10(%rip)" },
    { MODE_64, "0f 01 f8", "swapgs" },
    { MODE_64, "0f 01 f9", "rdtscp" },
    { MODE_64, "0f 01 d1", "xsetbv" },
    { MODE_64, "f0 48 0f b1 4f 08", "lock cmpxchg %rcx,0x8(%rdi)" },
    { MODE_64, "48 89 44 cd f8", "mov %rax,-0x8(%rbp,%rcx,8)" },
    { MODE_64, "c7 00 05 00 00 00", "movl $0x5,(%rax)" },
    { MODE_64, "c6 00 ff", "movb $0xff,(%rax)" },
    { MODE_64, "49 c7 04 24 ff ff ff ff", "movq $0xffffffffffffffff,(%r12)" },
    { MODE_64, "49 b9 88 77 66 55 44 33 22 11", "movabs $0x1122334455667788,%r9" },
    { MODE_64, "6a ff", "push $0xffffffffffffffff" },
    { MODE_64, "41 ff 75 10", "push 0x10(%r13)" },
    { MODE_64, "8f 00", "pop (%rax)" },
    { MODE_64, "0f b6 08", "movzbl (%rax),%ecx" },
    { MODE_64, "4c 0f be c0", "movsbq %al,%r8" },
    { MODE_64, "48 63 d8", "movslq %eax,%rbx" },
    { MODE_64, "0f bf d8", "movswl %ax,%ebx" },
    { MODE_64, "d3 e0", "shl %cl,%eax" },
    { MODE_64, "d3 20", "shll %cl,(%rax)" },
    { MODE_64, "d1 20", "shll (%rax)" },
    { MODE_64, "48 c1 e8 03", "shr $0x3,%rax" },
    { MODE_64, "d1 c0", "rol %eax" },
    { MODE_64, "ff d0", "call *%rax" },
    { MODE_64, "ff 53 10", "call *0x10(%rbx)" },
    { MODE_64, "ff 20", "jmp *(%rax)" },
    { MODE_64, "eb fe", "jmp 0x1000" },
    { MODE_64, "74 fc", "je 0xffe" },
    { MODE_64, "48 8d 0c 85 00 00 00 00", "lea 0x0(,%rax,4),%rcx" },
    { MODE_64, "8b 04 25 34 12 00 00", "mov 0x1234,%eax" },
    { MODE_64, "a0 88 77 66 55 44 33 22 11", "movabs 0x1122334455667788,%al" },
    { MODE_64, "aa", "stos %al,%es:(%rdi)" },
    { MODE_64, "f3 48 a5", "rep movsq (%rsi),%es:(%rdi)" },
    { MODE_64, "f2 ae", "repnz scas %es:(%rdi),%al" },
    { MODE_64, "f3 a7", "repz cmpsl %es:(%rdi),(%rsi)" },
    { MODE_64, "66 ad", "lods (%rsi),%ax" },
    { MODE_64, "48 93", "xchg %rax,%rbx" },
    { MODE_64, "0f 45 d8", "cmovne %eax,%ebx" },
    { MODE_64, "0f 94 00", "sete (%rax)" },
    { MODE_64, "0f 94 c4", "sete %ah" },
    { MODE_64, "48 98", "cltq" },
    { MODE_64, "48 99", "cqto" },
    { MODE_64, "99", "cltd" },
    { MODE_64, "66 99", "cwtd" },
    { MODE_64, "98", "cwtl" },
    { MODE_64, "c8 10 00 01", "enter $0x10,$0x1" },
    { MODE_64, "c9", "leave" },
    { MODE_64, "c2 08 00", "ret $0x8" },
    { MODE_64, "cb", "lret" },
    { MODE_64, "cd 80", "int $0x80" },
    { MODE_64, "48 6b d8 05", "imul $0x5,%rax,%rbx" },
    { MODE_64, "48 f7 20", "mulq (%rax)" },
    { MODE_64, "a8 01", "test $0x1,%al" },
    { MODE_64, "f7 00 01 00 00 00", "testl $0x1,(%rax)" },
    { MODE_64, "dd 00", "fldl (%rax)" },
    { MODE_64, "d9 00", "flds (%rax)" },
    { MODE_64, "db 28", "fldt (%rax)" },
    { MODE_64, "df 28", "fildll (%rax)" },
    { MODE_64, "df 18", "fistps (%rax)" },
    { MODE_64, "de c1", "faddp %st,%st(1)" },
    { MODE_64, "d8 c1", "fadd %st(1),%st" },
    { MODE_64, "d9 ca", "fxch %st(2)" },
    { MODE_64, "d9 38", "fnstcw (%rax)" },
    { MODE_64, "0f 10 08", "movups (%rax),%xmm1" },
    { MODE_64, "f3 0f 11 08", "movss %xmm1,(%rax)" },
    { MODE_64, "66 44 0f 70 c9 1b", "pshufd $0x1b,%xmm1,%xmm9" },
    { MODE_64, "f2 0f 2a 08", "cvtsi2sdl (%rax),%xmm1" },
    { MODE_64, "f2 48 0f 2a c8", "cvtsi2sd %rax,%xmm1" },
    { MODE_64, "f2 48 0f 2c c1", "cvttsd2si %xmm1,%rax" },
    { MODE_64, "66 48 0f 6e d8", "movq %rax,%xmm3" },
    { MODE_64, "66 0f 7e d8", "movd %xmm3,%eax" },
    { MODE_64, "0f fc d1", "paddb %mm1,%mm2" },
    { MODE_64, "0f 1f 00", "nopl (%rax)" },
    { MODE_64, "66 0f 1f 04 00", "nopw (%rax,%rax,1)" },
    { MODE_64, "f3 90", "pause" },
    { MODE_64, "f3 0f 1e fa", "endbr64" },
    { MODE_64, "49 0f c8", "bswap %r8" },
    { MODE_64, "0f a3 00", "bt %eax,(%rax)" },
    { MODE_64, "0f ba 28 03", "btsl $0x3,(%rax)" },
    { MODE_64, "0f a5 c3", "shld %cl,%eax,%ebx" },
    { MODE_64, "48 0f ae 00", "fxsave64 (%rax)" },
    { MODE_64, "0f 30", "wrmsr" },
    { MODE_64, "0f 05", "syscall" },
    { MODE_64, "48 0f 07", "sysretq" },
    { MODE_64, "0f 07", "sysret" },
    { MODE_64, "8c d8", "mov %ds,%eax" },
    { MODE_64, "8e 00", "mov (%rax),%es" },
    { MODE_64, "0f a0", "push %fs" },
    { MODE_64, "f2 0f 38 f0 08", "crc32b (%rax),%ecx" },
    { MODE_64, "0f 02 c8", "lar %eax,%ecx" },
    { MODE_64, "66 0f 00 c8", "str %ax" },
    { MODE_64, "0f 00 00", "sldt (%rax)" },
    { MODE_64, "0f 00 d8", "ltr %ax" },
    { MODE_64, "ff 28", "ljmp *(%rax)" },
    { MODE_64, "e3 fe", "jrcxz 0x1000" },
    { MODE_64, "e2 fc", "loop 0xffe" },
    { MODE_64, "48 0f c7 08", "cmpxchg16b (%rax)" },
    { MODE_64, "48 0f c7 f0", "rdrand %rax" },
    { MODE_64, "f3 48 0f b8 00", "popcnt (%rax),%rax" },
    { MODE_64, "67 8b 00", "mov (%eax),%eax" },
    { MODE_64, "40 10 c6", "adc %al,%sil" },
    { MODE_64, "0f 01 14 24", "lgdt (%rsp)" },
    { MODE_64, "65 0f 01 0c 25 18 00 00 00", "sidt %gs:0x18" },
    { MODE_64, "42 0f 01 5c 8d f8", "lidt -0x8(%rbp,%r9,4)" },
    { MODE_64, "89 c3", "mov %eax,%ebx" },
    { MODE_64, "88 26", "mov %ah,(%rsi)" },
    { MODE_64, "68 78 56 34 12", "push $0x12345678" },
    { MODE_64, "b8 ff ff ff 7f", "mov $0x7fffffff,%eax" },
    { MODE_64, "48 83 c0 ff", "add $0xffffffffffffffff,%rax" },
    { MODE_64, "66 83 c0 ff", "add $0xffff,%ax" },
    { MODE_64, "80 7c cf 10 05", "cmpb $0x5,0x10(%rdi,%rcx,8)" },
    { MODE_64, "48 f7 30", "divq (%rax)" },
    { MODE_64, "f3 0f 7f 0d 10 00 00 00", "movdqu %xmm1,0x10(%rip)" },
    { MODE_64, "0f c7 0f", "cmpxchg8b (%rdi)" },
    { MODE_64, "66 0f c5 c1 03", "pextrw $0x3,%xmm1,%eax" },
    { MODE_64, "66 0f 3a 14 08 03", "pextrb $0x3,%xmm1,(%rax)" },
    { MODE_64, "0f 18 00", "prefetchnta (%rax)" },
    { MODE_64, "0f ae 38", "clflush (%rax)" },
    { MODE_64, "f3 48 0f ae d0", "wrfsbase %rax" },
    { MODE_64, "0f 38 f0 08", "movbe (%rax),%ecx" },
    { MODE_64, "0f 01 00", "sgdt (%rax)" },
    { MODE_64, "0f a2", "cpuid" },
    { MODE_64, "0f 06", "clts" },
    { MODE_64, "0f 09", "wbinvd" },
    { MODE_64, "d9 fa", "fsqrt" },
    { MODE_64, "df f1", "fcomip %st(1),%st" },
    { MODE_64, "db 10", "fistl (%rax)" },
    { MODE_64, "d8 20", "fsubs (%rax)" },
    { MODE_64, "df 20", "fbld (%rax)" },
    { MODE_64, "0f 85 fa 00 00 00", "jne 0x1100" },
    { MODE_64, "e8 40 23 01 00", "call 0x13345" },
    { MODE_64, "f4", "hlt" },
    { MODE_64, "fa", "cli" },
    { MODE_64, "fb", "sti" },
    { MODE_64, "0f 32", "rdmsr" },
    { MODE_64, "0f 33", "rdpmc" },
    { MODE_64, "0f 01 c1", "vmcall" },
    { MODE_32, "06", "push %es" },
    { MODE_32, "60", "pusha" },
    { MODE_32, "27", "daa" },
    { MODE_32, "c4 08", "les (%eax),%ecx" },
    { MODE_32, "ea bc 9a 78 56 34 12", "ljmp $0x1234,$0x56789abc" },
    { MODE_32, "9a 10 00 00 00 08 00", "lcall $0x8,$0x10" },
    { MODE_32, "ff 28", "ljmp *(%eax)" },
    { MODE_32, "a1 34 12 00 00", "mov 0x1234,%eax" },
    { MODE_32, "40", "inc %eax" },
    { MODE_32, "26 8b 08", "mov %es:(%eax),%ecx" },
    { MODE_32, "ff 30", "push (%eax)" },
    { MODE_32, "9c", "pushf" },
    { MODE_32, "cf", "iret" },
    { MODE_32, "62 01", "bound %eax,(%ecx)" },
    { MODE_32, "63 01", "arpl %ax,(%ecx)" },
    { MODE_32, "d4 0a", "aam $0xa" },
    { MODE_32, "ee", "out %al,(%dx)" },
    { MODE_32, "0f 20 c0", "mov %cr0,%eax" },
    { MODE_32, "67 8b 00", "mov (%bx,%si),%eax" },
    { MODE_32, "67 8a 46 10", "mov 0x10(%bp),%al" },
};

static unsigned bytes_of(const char *hex, uint8_t bytes[16])
{
    unsigned n = 0;
    char *end;

    for (; *hex; hex = end)
        bytes[n++] = (uint8_t)strtoul(hex, &end, 16);
    return n;
}

static void text_is_that_of_objdump(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct insn_case *c;
        struct insn in;
        uint8_t bytes[16];
        char text[80];
        unsigned len = bytes_of(rows[i].bytes, bytes);

        assert_true(decode_insn(bytes, len, rows[i].mode, &in));
        c = find_case(&in);
        assert_non_null(c);
        assert_int_equal(in.length, len);
        len = format_insn(&in, c, RIP, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
        assert_int_equal(len, strlen(text));
    }
}

/* The sanitizers check for writes behind the buffer. */
static void text_keeps_within_its_buffer(void **state)
{
    unsigned written = 0, longest = 0;

    (void)state;
    srand(5);
    for (unsigned round = 0; round < 300000; round++) {
        static const enum cpu_mode modes[] = { MODE_16, MODE_32, MODE_64 };
        unsigned room = (unsigned)rand() % 50, len;
        const struct insn_case *c;
        struct insn in;
        uint8_t bytes[15];
        char *text;

        for (unsigned i = 0; i < 15; i++)
            bytes[i] = (uint8_t)(rand() >> 4);
        if (!decode_insn(bytes, 15, modes[rand() % 3], &in) || (c = find_case(&in)) == NULL)
            continue;
        text = malloc(room ? room : 1);
        len = format_insn(&in, c, RIP, text, room);
        if (room)
            assert_int_equal(strlen(text), MIN(len, room - 1));
        free(text);
        longest = MAX(longest, len);
        written++;
    }
    assert_true(written > 100000);
    assert_in_range(longest, 40, 95);       /* the trace's reader has room for 95 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_that_of_objdump),
        cmocka_unit_test(text_keeps_within_its_buffer),
    };

    return cmocka_run_group_tests_name("x86 as text", tests, NULL, NULL);
}
