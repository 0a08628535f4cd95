/* The trace as it lies in memory and in files. Records are Xen's (public/trace.h); this file adds
 * what Xen has no record for, in a sub-class of TRC_HW that Xen does not use and its readers skip,
 * and the ring that a host finds in the machine's RAM. Shared by the hypervisor, which writes it,
 * and tools/pvtrace, which reads it.
 *
 * A trace file is a sequence of windows: TRC_TRACE_CPU_CHANGE {cpu, bytes of records that follow},
 * then records of that CPU. The order of a window's first records is: CLOCK,
 * TRC_SCHED_CONTINUE_RUNNING (who runs). A CPU's windows are in the order of time; those of two
 * CPUs are not, so a reader merges them by the records' TSC.
 *
 * 64-bit values are two words, low first. "vcpu" words are vcpu | domain << 16, as in
 * TRC_SCHED_RUNSTATE_CHANGE. */
#ifndef COMMON_TRACE_FORMAT_H
#define COMMON_TRACE_FORMAT_H

#include <stdint.h>
#include <public/trace.h>

#define TRC_PARAGON             0x00804000

/* tsc_hz (2 words), TSC at system time 0 (2 words), TRACE_FORMAT_VERSION, how many CPUs write
 * records, the number of this record among its CPU's (the lower 32 bits; those that are reported as
 * lost count, too). Ticks to system time: (tsc - zero) / hz. The TSCs of all CPUs agree: a CPU of
 * which it does not is not started. Format 1 had one CPU, and its record ended with the version. */
#define TRC_PARAGON_CLOCK       (TRC_PARAGON + 1)
/* Hypercall number, result (2 words, signed), ticks that it took (2 words). Ends the youngest
 * hypercall of the vCPU that has not ended. The ticks include what the vCPU slept or waited for the
 * CPU meanwhile. */
#define TRC_PARAGON_RESULT      (TRC_PARAGON + 2)
/* What a hypercall read from or wrote to guest memory: bits 31..0 of the address; bits 47..32 and,
 * in the upper half, the number of bytes (1 to 20) with TRACE_COPY_CUT when more followed that were
 * not recorded; then the bytes. Longer copies take several records. */
#define TRC_PARAGON_COPY_IN     (TRC_PARAGON + 3)
#define TRC_PARAGON_COPY_OUT    (TRC_PARAGON + 4)
/* Arguments that the hypercall's own record had no room for: index of the first, then up to three
 * (2 words each). */
#define TRC_PARAGON_ARGS        (TRC_PARAGON + 5)
/* An event was made pending: enum trace_send, port or VIRQ of the sender, vcpu word of the
 * receiver, its port. */
#define TRC_PARAGON_SEND        (TRC_PARAGON + 6)
/* The running vCPU enters its event callback: the address of it (2 words). */
#define TRC_PARAGON_UPCALL      (TRC_PARAGON + 7)
/* domid, enum trace_domain, name (up to 20 bytes, padded with NULs). */
#define TRC_PARAGON_DOMAIN      (TRC_PARAGON + 8)
/* An instruction was emulated: rip (2 words), length in bytes (0: unknown), up to 16 of its bytes.
 * Follows Xen's own record of the same. */
#define TRC_PARAGON_EMULATED    (TRC_PARAGON + 9)
/* The hypervisor's count of a hypercall since boot, written when the trace ends: number, count (2
 * words). Numbers that are not served are counted too. */
#define TRC_PARAGON_COUNTER     (TRC_PARAGON + 10)
/* The classes recorded from here on (TRACE_* below; 0: none). Written at the beginning, and when
 * they change. */
#define TRC_PARAGON_CLASSES     (TRC_PARAGON + 11)

#define TRACE_FORMAT_VERSION 2u
#define TRACE_COPY_CUT 0x8000u          /* in the upper half of a COPY record's second word */
#define TRACE_COPY_BYTES 20u            /* most in one record */

enum trace_send {
    TRACE_SEND_PORT,
    TRACE_SEND_VIRQ,
    TRACE_SEND_IPI,
    TRACE_SEND_XEN /* of a console ring, by the hypervisor */
};
enum trace_domain { TRACE_DOMAIN_BUILT, TRACE_DOMAIN_ENDED, TRACE_DOMAIN_CRASHED };

/* What can be traced, by the names of trace=. */
#define TRACE_CLASSES(X)                                                                          \
    X(HYPERCALL, "hypercall", "hypercalls: arguments, result, time")                              \
    X(ARGS,      "args",      "what their arguments point to, read and written")                  \
    X(TRAP,      "trap",      "exceptions given to guests, page faults among them")               \
    X(EMUL,      "emul",      "instructions emulated, page-table writes among them")              \
    X(EVENT,     "event",     "events sent, upcalls entered")                                     \
    X(SCHED,     "sched",     "which vCPU runs")                                                  \
    X(MEM,       "mem",       "grant mappings made and undone")
enum trace_class_bit {
#define X(name, word, help) TRACE_##name##_BIT,
    TRACE_CLASSES(X)
#undef X
    NR_TRACE_CLASSES
};
enum trace_class {
#define X(name, word, help) TRACE_##name = 1u << TRACE_##name##_BIT,
    TRACE_CLASSES(X)
#undef X
    TRACE_ALL = (1u << NR_TRACE_CLASSES) - 1
};

/* --- The ring in RAM
 * -----------------------------------------------------------------------------------------------
 * The header is page-aligned in the hypervisor's image (below 4 GiB, and its address is printed at
 * boot), so that a host finds it by its signature. Physical addresses are the machine's; under QEMU
 * with a file as memory the file's offset is the address below 4 GiB, and address - ram_end + file
 * size above it.
 *
 * Each CPU has a ring of its own and writes no other. It is nr_blocks blocks of block_bytes, one
 * after the other. Block number n (from 1, never reused) lies in slot (n - 1) % nr_blocks. The
 * writer never waits: it makes a slot's number 0, writes the header with its new number last, and
 * adds records, moving `used` after each. A reader copies `used` bytes and believes them if the
 * number is still the same afterwards. Records are numbered from 0 in each ring; a gap between a
 * block's first_record and what the reader has seen is the number of records lost. */
#define TRACE_MAGIC "PARAGON-TRACE-01"  /* 16 bytes, no NUL */
#define TRACE_MAX_CPUS 256u

struct trace_block {
    volatile uint64_t number;
    uint64_t first_record;
    volatile uint32_t used;             /* bytes of records below */
    uint32_t cpu;
    uint64_t first_tsc;
    uint32_t records[];
};

/* A line of the cache for each CPU. In format 1 they had 16 bytes. */
struct trace_ring_info {
    uint64_t pa;                        /* of slot 0; 0: this CPU has no ring */
    volatile uint64_t head;             /* number of the block being written; 0: nothing yet */
    uint64_t pad[6];
};

enum trace_state { TRACE_STATE_NONE, TRACE_STATE_RUNNING, TRACE_STATE_ENDED };

struct trace_header {
    char magic[16];
    uint64_t pa;                        /* of this header itself: a copy elsewhere is none */
    uint32_t version;
    volatile uint32_t state;            /* enum trace_state; ended: nothing more will be written */
    uint64_t ram_end;                   /* one above the highest RAM address */
    uint64_t tsc_hz;
    uint32_t block_bytes;
    uint32_t nr_blocks;                 /* of each ring */
    uint32_t nr_cpus;
    uint32_t pad;
    struct trace_ring_info rings[TRACE_MAX_CPUS];
};

#endif
