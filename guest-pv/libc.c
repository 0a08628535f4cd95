/* The system calls that newlib needs below it. There is a console, a heap, a clock and an exit;
 * there are no files and no processes, and those calls fail. Called by newlib only. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>
#include "clock.h"
#include "console.h"
#include "event.h"
#include "mm.h"
#include "start.h"
#include "trap.h"
#include <public/sched.h>

#define MALLOC_RESERVE 64               /* frames that the heap leaves to page tables and tests */

int execve(const char *path, char *const argv[], char *const envp[]);
int fork(void);

static uint64_t heap_end = HEAP_BASE, heap_mapped = HEAP_BASE;

static int refuse(int err)
{
    errno = err;
    return -1;
}

void *sbrk(ptrdiff_t incr)
{
    uint64_t old = heap_end;

    for (; heap_mapped < old + incr; heap_mapped += PAGE_SIZE) {
        pfn_t pfn;

        if (frames_free() < MALLOC_RESERVE)
            return (void *)(long)refuse(ENOMEM);
        pfn = frame_alloc();
        if (map_page((void *)heap_mapped, make_pte(pfn_to_mfn(pfn), PTE_KERNEL)))
            panic("heap at %#lx", heap_mapped);
    }
    heap_end += incr;
    return (void *)old;
}

/* A preempted thread must not be inside the heap. Nests, as newlib's realloc does. */
static unsigned malloc_depth;
static bool malloc_masked;

void __malloc_lock(struct _reent *re)
{
    bool masked = events_save_off();

    (void)re;
    if (malloc_depth++ == 0)
        malloc_masked = masked;
}

void __malloc_unlock(struct _reent *re)
{
    (void)re;
    if (--malloc_depth == 0)
        events_restore(malloc_masked);
}

int write(int fd, const void *buf, size_t len)
{
    if (fd != 1 && fd != 2)
        return refuse(EBADF);
    console_write(buf, len);
    return len;
}

int read(int fd, void *buf, size_t len)
{
    return fd ? refuse(EBADF) : console_read(buf, len);
}

_Noreturn void _exit(int status)
{
    char how[8];

    (void)status;                               /* the KTAP text has the result */
    /* end=reboot: where domain 0's poweroff only halts the machine, its reboot ends an emulator. */
    if (cmdline_get("end", how, sizeof(how)) && !strcmp(how, "reboot"))
        shutdown(SHUTDOWN_reboot);
    shutdown(SHUTDOWN_poweroff);
}

int kill(pid_t pid, int sig)
{
    panic("signal %d to %d: abort() or a failed assertion of libc", sig, (int)pid);
}

int gettimeofday(struct timeval *tv, void *tz)
{
    uint64_t ns = clock_wall_ns();

    (void)tz;
    tv->tv_sec = ns / NS_PER_S;
    tv->tv_usec = ns % NS_PER_S / 1000;
    return 0;
}

clock_t times(struct tms *buf)
{
    *buf = (struct tms){ .tms_utime = clock_ns() / (NS_PER_S / CLOCKS_PER_SEC) };
    return buf->tms_utime;
}

int fstat(int fd, struct stat *st)
{
    *st = (struct stat){ .st_mode = S_IFCHR, .st_blksize = 256 };
    return fd < 3 ? 0 : refuse(EBADF);
}

int isatty(int fd)
{
    return fd < 3 ? 1 : refuse(EBADF);
}

pid_t getpid(void)                              { return 1; }
int close(int fd)                               { (void)fd; return 0; }
off_t lseek(int fd, off_t off, int whence)
{
    (void)fd, (void)off, (void)whence;
    return refuse(ESPIPE);
}

int open(const char *path, int flags, ...)      { (void)path, (void)flags; return refuse(ENOENT); }
int stat(const char *path, struct stat *st)     { (void)path, (void)st; return refuse(ENOENT); }
int unlink(const char *path)                    { (void)path; return refuse(ENOENT); }
int link(const char *from, const char *to)      { (void)from, (void)to; return refuse(ENOSYS); }
int fork(void)                                  { return refuse(ENOSYS); }
pid_t wait(int *status)                         { (void)status; return refuse(ECHILD); }

int execve(const char *path, char *const argv[], char *const envp[])
{
    (void)path, (void)argv, (void)envp;
    return refuse(ENOSYS);
}
