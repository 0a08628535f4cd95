/* The vmm as an ordinary program, under the sanitizers: boots a kernel by emulation in this
 * process, far faster than in an emulated machine. The terminal is the guest's serial line, the
 * system's clock its TSC, of 1 GHz.
 *
 *     vmm KERNEL RAMDISK "COMMAND LINE" [MIB]
 *
 * Exit status 0: the guest reset or halted its machine. 1: it is lost, and its state was printed,
 * or it could not be loaded. The program that does the same in a domain is guest-pv/vmm/main.c. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "guest-pv/vmm/core/emulate.h"
#include "guest-pv/vmm/emulate/block.h"
#include "guest-pv/vmm/emulate/run.h"
#include "guest-pv/vmm/load/load.h"
#include "guest-pv/vmm/platform/platform.h"

#define HZ 1000000000ull
#define BLOCKS_BYTES (32ull << 20)

static bool input_ended;

static uint64_t get_tsc(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * HZ + (uint64_t)t.tv_nsec;
}
static uint64_t get_wall(void)
{
    return (uint64_t)time(NULL);
}
static void write_console(const char *bytes, unsigned len)
{
    fwrite(bytes, 1, len, stdout);
    fflush(stdout);
}

static bool wait_for_input(int ms)
{
    struct pollfd stdin_ready = { .fd = input_ended ? -1 : STDIN_FILENO, .events = POLLIN };

    return poll(&stdin_ready, 1, ms) > 0;
}
static unsigned read_console(char *bytes, unsigned len)
{
    ssize_t n = wait_for_input(0) ? read(STDIN_FILENO, bytes, len) : 0;

    input_ended |= n <= 0 && wait_for_input(0);
    return n > 0 ? (unsigned)n : 0;
}
static void wait_until(uint64_t tsc)
{
    uint64_t now = get_tsc();

    if (tsc > now)
        wait_for_input((int)MIN((tsc - now) / 1000000 + 1, 1000ull));
}

static const struct host host = {
    .tsc = get_tsc, .tsc_hz = HZ, .wall_seconds = get_wall,
    .console_write = write_console, .console_read = read_console, .wait = wait_until,
};

static const void *map_file(const char *name, uint64_t *bytes)
{
    int fd = open(name, O_RDONLY);
    struct stat st;
    void *at = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &st) == 0)
        at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) {
        perror(name);
        exit(1);
    }
    *bytes = (uint64_t)st.st_size;
    return at;
}

static void make_machine(struct cpu *c, uint64_t mib)
{
    static struct platform platform;
    static uint8_t zeroes[GUEST_PAGE] __attribute__((aligned(GUEST_PAGE)));
    static uint8_t sink[GUEST_PAGE] __attribute__((aligned(GUEST_PAGE)));

    c->ram = (struct ram){
        .bytes = aligned_alloc(GUEST_PAGE, mib << 20), .nr_frames = mib << 8,
        .flags = calloc(mib << 8, 1), .zeroes = zeroes, .sink = sink,
    };
    platform_init(&platform, &host);
    c->platform = &platform;
}

static void print(const char *text)
{
    fputs(text, stderr);
}

int main(int argc, char **argv)
{
    static struct cpu cpu;
    struct load_request request = { .cmdline = argc > 3 ? argv[3] : "" };
    const char *reason;

    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: %s KERNEL RAMDISK \"COMMAND LINE\" [MIB]\n", argv[0]);
        return 1;
    }
    request.kernel = map_file(argv[1], &request.kernel_bytes);
    request.ramdisk = map_file(argv[2], &request.ramdisk_bytes);
    make_machine(&cpu, argc == 5 ? strtoul(argv[4], NULL, 10) : 256);
    reason = load_kernel(&cpu, &request);
    if (reason != NULL || !blocks_init(&cpu, BLOCKS_BYTES)) {
        fprintf(stderr, "vmm: %s\n", reason != NULL ? reason : "out of memory");
        return 1;
    }
    run_emulated(&cpu);
    fprintf(stderr, "vmm: the end: %s\nvmm: %lu instructions\n", cpu.reason,
            cpu.counters.instructions);
    if (cpu.stop == STOP_RESET || cpu.stop == STOP_HALTED)
        return 0;
    print_state(&cpu, print);
    return 1;
}
