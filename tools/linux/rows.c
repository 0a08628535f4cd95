/* What operations of Linux cost: rows of the table of tools/ways, in ticks of the TSC, each printed
 * as the test guest prints its rows. A static program without libc, so that the same instructions
 * run wherever this kernel runs. It is started
 *
 *   as the first program, by the kernel's word rdinit=: says at which TSC that was, and becomes
 *     /init
 *   with the word exit: ends at once, for the row of exec
 *   else: measures; by the script `ways` beside this file
 *
 * Each loop runs twice, and the second time is measured: the first fills caches, those of whatever
 * hosts this kernel too. */
#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

#define O_RDWR_CREATE 0102              /* of <fcntl.h>, <sys/mman.h>, <sys/wait.h> */
#define PROT_READ_WRITE 3
#define MAP_ANONYMOUS_PRIVATE 0x22
#define PAGE 4096ul

static char self[] = "/paragon/rows";
static char **environment;
static uint8_t page[PAGE];

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "+a"(nr) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return nr;
}
#define CALL(nr, a, b, c) call(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* --- printing --------------------------------------------------------------------------------- */

static char line[120];
static size_t length;

static void add(const char *text)
{
    while (*text != 0 && length < sizeof(line) - 1)
        line[length++] = *text++;
}
static void add_number(uint64_t n)
{
    char digits[21];
    size_t at = sizeof(digits) - 1;

    digits[at] = 0;
    do
        digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) != 0);
    add(digits + at);
}
static void end_line(void)
{
    line[length++] = '\n';
    CALL(__NR_write, 1, line, length);
    length = 0;
}

static void leave(int status)
{
    CALL(__NR_exit_group, status, 0, 0);
}

/* A row whose operation fails has no cost. */
static long must(long result, const char *what)
{
    if (result < 0) {
        add("# rows: ");
        add(what);
        add(" fails: ");
        add_number((uint64_t)-result);
        end_line();
        leave(1);
    }
    return result;
}

/* --- the operations: n of them ---------------------------------------------------------------- */

static void nothing(uint64_t n)
{
    while (n-- != 0)
        must(CALL(__NR_getppid, 0, 0, 0), "getppid");
}

static int file;
static void write_page(uint64_t n)
{
    while (n-- != 0)
        must(call(__NR_pwrite64, file, (long)page, PAGE, 0, 0, 0), "pwrite64");
}

static void open_close(uint64_t n)
{
    while (n-- != 0)
        CALL(__NR_close, must(CALL(__NR_open, self, 0, 0), "open"), 0, 0);
}

static uint8_t *map(uint64_t pages)
{
    return (uint8_t *)must(call(__NR_mmap, 0, (long)(pages * PAGE), PROT_READ_WRITE,
                                MAP_ANONYMOUS_PRIVATE, -1, 0), "mmap");
}
static void unmap(uint8_t *at, uint64_t pages)
{
    must(CALL(__NR_munmap, at, pages * PAGE, 0), "munmap");
}
static void map_unmap(uint64_t n)
{
    while (n-- != 0)
        unmap(map(16), 16);
}

/* The kernel finds a frame, clears it and maps it, once for each page. */
static uint8_t *area;
static void touch_pages(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        *(volatile uint8_t *)(area + i * PAGE) = 1;
}

static void wait_for(long child)
{
    int status = 0;

    must(call(__NR_wait4, child, (long)&status, 0, 0, 0, 0), "wait4");
    must(status == 0 ? 0 : -status, "a child");
}
static void fork_exit(uint64_t n)
{
    while (n-- != 0) {
        long child = must(CALL(__NR_fork, 0, 0, 0), "fork");

        if (child == 0)
            leave(0);
        wait_for(child);
    }
}
static void fork_exec(uint64_t n)
{
    static char word[] = "exit", *arguments[] = { self, word, NULL };

    while (n-- != 0) {
        long child = must(CALL(__NR_fork, 0, 0, 0), "fork");

        if (child == 0)
            must(CALL(__NR_execve, self, arguments, environment), "execve");
        wait_for(child);
    }
}

/* A byte goes to the other process and comes back: two writes, two reads, two switches. */
static int to_other[2], from_other[2];
static void there_and_back(uint64_t n)
{
    char byte = 1;

    while (n-- != 0) {
        must(CALL(__NR_write, to_other[1], &byte, 1), "write");
        must(CALL(__NR_read, from_other[0], &byte, 1), "read");
    }
}
static void other_process(void)
{
    char byte;

    CALL(__NR_close, to_other[1], 0, 0);
    while (CALL(__NR_read, to_other[0], &byte, 1) == 1)
        must(CALL(__NR_write, from_other[1], &byte, 1), "write");
    leave(0);
}

/* --- the rows --------------------------------------------------------------------------------- */

static uint64_t ticks_of(void (*operations)(uint64_t n), uint64_t n)
{
    uint64_t start = rdtsc();

    operations(n);
    return rdtsc() - start;
}

static void print_row(const char *name, uint64_t ticks, uint64_t n)
{
    uint64_t tenths = (ticks * 10 + n / 2) / n;

    add("# row Linux, ");
    add(name);
    add(": ");
    add_number(tenths / 10);
    add(".");
    add_number(tenths % 10);
    end_line();
}

static void row(const char *name, void (*operations)(uint64_t n), uint64_t n)
{
    operations(n);
    print_row(name, ticks_of(operations, n), n);
}

/* Memory that was never touched, each time. */
static void row_of_faults(uint64_t n)
{
    uint64_t ticks = 0;

    for (unsigned turn = 0; turn < 2; turn++) {
        area = map(n);
        ticks = ticks_of(touch_pages, n);
        unmap(area, n);
    }
    print_row("page fault", ticks, n);
}

static void row_of_switches(uint64_t n)
{
    long child;

    must(CALL(__NR_pipe, to_other, 0, 0), "pipe");
    must(CALL(__NR_pipe, from_other, 0, 0), "pipe");
    child = must(CALL(__NR_fork, 0, 0, 0), "fork");
    if (child == 0)
        other_process();
    there_and_back(n);
    print_row("switch of processes by pipes", ticks_of(there_and_back, n), n * 2);
    CALL(__NR_close, to_other[1], 0, 0);
    wait_for(child);
}

static void measure(void)
{
    row("null system call", nothing, 1000);
    file = (int)must(CALL(__NR_open, "/tmp/rows", O_RDWR_CREATE, 0600), "open");
    row("write of 4 KiB to a file", write_page, 200);
    row("open and close", open_close, 200);
    row("mmap and munmap", map_unmap, 200);
    row_of_faults(256);
    row_of_switches(200);
    row("fork, exit, wait", fork_exit, 50);
    row("fork, exec, exit, wait", fork_exec, 50);
}

static void become_init(void)
{
    static char init[] = "/init", *arguments[] = { init, NULL };

    add("# the first program begins at TSC ");
    add_number(rdtsc());
    end_line();
    must(CALL(__NR_execve, init, arguments, environment), "execve");
}

/* words: argc, the arguments, NULL, the environment, as the kernel leaves them on the stack. */
__attribute__((used)) static void begin(uint64_t *words)
{
    environment = (char **)(words + words[0] + 2);
    if (CALL(__NR_getpid, 0, 0, 0) == 1)
        become_init();
    else if (words[0] == 1)
        measure();
    leave(0);
}

void _start(void);
__attribute__((naked, used)) void _start(void)
{
    __asm__("movq %rsp, %rdi\n\tandq $-16, %rsp\n\tcall begin");
}
