/* System calls that neither change mappings nor switch to another process: the way into the kernel
 * and back, files, signals, timers. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "costs.h"

static int zero, file;

static void sample_null(void)
{
    getppid();
}

/* getppid, by the entry of 32-bit programs. */
static void sample_int80(void)
{
    long nr = 64;

    __asm__ volatile("int $0x80" : "+a"(nr) : : "memory", "r8", "r9", "r10", "r11");
}

static void sample_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
}

/* --- Files ------------------------------------------------------------------------------------ */

static uint8_t page[PAGE];

static void open_files(void)
{
    zero = (int)must(open("/dev/zero", O_RDONLY), "open of /dev/zero");
    file = (int)must(open("/file", O_RDWR | O_CREAT, 0600), "open of /file");
    must(write(file, page, PAGE), "write");
}

static void close_files(void)
{
    close(zero);
    close(file);
}

static void sample_read(void)
{
    uint8_t byte;

    must(read(zero, &byte, 1), "read");
}

static void sample_write_page(void)
{
    must(pwrite(file, page, PAGE, 0), "pwrite");
}

static void sample_stat(void)
{
    struct stat info;

    must(stat("/file", &info), "stat");
}

static void sample_open_close(void)
{
    must(close((int)must(open("/file", O_RDONLY), "open")), "close");
}

/* --- Signals ---------------------------------------------------------------------------------- */

static void handler(int number)
{
    (void)number;
}

static void sample_sigaction(void)
{
    struct sigaction action = { .sa_handler = handler };

    must(sigaction(SIGUSR1, &action, NULL), "sigaction");
}

static void sample_signal(void)
{
    must(kill(getpid(), SIGUSR1), "kill");
}

/* --- Timers ----------------------------------------------------------------------------------- */

static void sample_timer(void)
{
    const struct itimerval on = { .it_value.tv_sec = 3600 }, off = { 0 };

    must(setitimer(ITIMER_REAL, &on, NULL), "setitimer");
    must(setitimer(ITIMER_REAL, &off, NULL), "setitimer");
}

const struct row call_rows[] = {
    { .name = "null system call", .samples = 301, .per = 1, .sample = sample_null },
    { .name = "null int 0x80", .samples = 301, .per = 1, .sample = sample_int80 },
    { .name = "clock_gettime", .samples = 301, .per = 1, .sample = sample_clock },
    { .name = "read of 1 byte", .samples = 301, .per = 1, .sample = sample_read,
      .begin = open_files },
    { .name = "write of 4 KiB to a file", .samples = 301, .per = 1, .sample = sample_write_page,
      .end = close_files },
    { .name = "stat", .samples = 301, .per = 1, .sample = sample_stat },
    { .name = "open and close", .samples = 301, .per = 1, .sample = sample_open_close },
    { .name = "sigaction", .samples = 301, .per = 1, .sample = sample_sigaction },
    { .name = "signal, handled", .samples = 301, .per = 1, .sample = sample_signal },
    { .name = "interval timer on and off", .samples = 301, .per = 1, .sample = sample_timer },
};
ROWS(call_rows);
