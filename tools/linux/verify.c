/* Writes to a file and reads it back, as fio --verify does, whose libraries are too many for a
 * ramdisk: verify FILE MIB PROCESSES REQUESTS. Each process has a part of the file to itself, and
 * does requests at random places, of 512 bytes to 128 KiB, past the page cache, with flushes
 * between them. A sector holds its number, how many times it was written, and bytes made of both,
 * so a lost, misplaced or torn write is seen. At the end all is read once more. Run by the script
 * disk. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECTOR 512u
#define MOST 256u                       /* sectors of a request */

static uint64_t buffer[MOST * SECTOR / 8] __attribute__((aligned(4096)));
static uint32_t *written;               /* how often, by sector of the part; 0: it is unknown */
static uint64_t first, nr;              /* the part, in sectors */
static uint64_t seed;
static int file;

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static unsigned one_of(uint64_t n)
{
    return (unsigned)(next(&seed) % n);
}

static _Noreturn void fail(const char *what, uint64_t sector)
{
    fprintf(stderr, "verify: %s in the place of sector %lu\n", what, sector);
    exit(1);
}

static void fill(uint64_t *at, uint64_t sector, uint32_t times)
{
    uint64_t s = (sector + 1) * 0x9e3779b97f4a7c15 ^ times;

    at[0] = sector;
    at[1] = times;
    for (unsigned i = 2; i < SECTOR / 8; i++)
        at[i] = next(&s);
}

static void write_some(uint64_t at, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fill(buffer + i * SECTOR / 8, first + at + i, ++written[at + i]);
    if (pwrite(file, buffer, n * SECTOR, (off_t)((first + at) * SECTOR)) != n * SECTOR)
        fail("nothing can be written", first + at);
}

static void read_some(uint64_t at, unsigned n)
{
    uint64_t wanted[SECTOR / 8];

    memset(buffer, 0xa5, n * SECTOR);
    if (pread(file, buffer, n * SECTOR, (off_t)((first + at) * SECTOR)) != n * SECTOR)
        fail("nothing can be read", first + at);
    for (unsigned i = 0; i < n; i++) {
        fill(wanted, first + at + i, written[at + i]);
        if (written[at + i] != 0 && memcmp(wanted, buffer + i * SECTOR / 8, SECTOR) != 0)
            fail(buffer[i * SECTOR / 8] == first + at + i ? "an old or torn sector is"
                                                          : "another sector's bytes are",
                 first + at + i);
    }
}

/* Every second request writes; one of 32 is followed by a flush. */
static void work(unsigned requests)
{
    for (unsigned i = 0; i < requests; i++) {
        unsigned n = 1 + one_of(one_of(4) == 0 ? MOST : 16);
        uint64_t at = one_of(nr - n);

        (one_of(2) ? write_some : read_some)(at, n);
        if (one_of(32) == 0 && fdatasync(file) != 0)
            fail("no flush is done", first);
    }
    if (fdatasync(file) != 0)
        fail("no flush is done", first);
    for (uint64_t at = 0; at < nr; at += MOST)
        read_some(at, (unsigned)(nr - at < MOST ? nr - at : MOST));
}

int main(int argc, char **argv)
{
    unsigned processes = argc == 5 ? (unsigned)atoi(argv[3]) : 0;
    int status, bad = 0;

    if (processes == 0) {
        fprintf(stderr, "verify FILE MIB PROCESSES REQUESTS\n");
        return 2;
    }
    nr = (uint64_t)atoi(argv[2]) * 2048 / processes;
    file = open(argv[1], O_RDWR | O_CREAT | O_DIRECT, 0600);
    written = calloc(nr, sizeof(*written));
    if (file < 0 || written == NULL ||
        posix_fallocate(file, 0, (off_t)(nr * processes * SECTOR)) != 0)
        fail("there is no room", 0);
    for (unsigned i = 0; i < processes; i++) {
        first = i * nr;
        seed = 88172645463325252ull + i;
        if (fork() == 0) {
            work((unsigned)atoi(argv[4]));
            return 0;
        }
    }
    while (wait(&status) > 0)
        bad |= status;
    return bad != 0;
}
