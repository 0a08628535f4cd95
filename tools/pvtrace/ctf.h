/* The CTF export: ctf.c writes items as events; ctf_fields.c says which fields they have, and the
 * metadata; ctf_files.c has packets, and the directory with a file of them for each CPU. */
#ifndef PVTRACE_CTF_H
#define PVTRACE_CTF_H

#include "tools/pvtrace/export.h"

#define PACKET_BYTES (1u << 17)
#define CTF_EVENT_BYTES (2 * EXPORT_TEXT + 1024u)       /* of the longest event */

struct ctf_stream {
    struct ctf_files *files;
    uint16_t cpu;
    uint64_t first, last;       /* TSC of the packet's first event; of the last event written */
    uint64_t discarded;         /* since the beginning */
    struct text packet;         /* room for its header, then events */
    char room[PACKET_BYTES + 1];
};

struct ctf_files {
    int fd;                     /* of the directory */
    bool failed;                /* said why; nothing more is written */
    const char *path;
    uint8_t uuid[16];
    uint64_t wrong;             /* events whose time cannot follow that of the one before them */
    uint64_t homeless;          /* items of CPUs above EXPORT_MAX_CPUS */
    struct ctf_stream *streams[EXPORT_MAX_CPUS];
};

/* What is written of an item and does not lie in it as it is written. */
struct ctf_facts {
    const char *name, *operation, *error, *arguments, *outcome;     /* NULL: "-" */
    uint8_t how, known;
    uint32_t record;
    int64_t result;
    uint64_t ticks;
    uint8_t length;                 /* of list */
    uint64_t list[16];
    struct label label;
};

struct ctf {
    struct export x;
    struct ctf_files files;
    struct clock_info written;      /* what the metadata's file says */
    /* By item kind, PAGE_FAULT being one more: the event's number, and its first field. */
    uint16_t ids[NR_ITEM_KINDS + 1], first[NR_ITEM_KINDS + 1];
    struct ctf_facts facts;
};

/* --- ctf_fields.c ----------------------------------------------------------------------------- */
#define PAGE_FAULT NR_ITEM_KINDS

enum field_type { EVENT, NUMBER, SIGNED, HEX, ENUM, STRING, LIST };
enum within { ITEM, CALL, FACTS };

struct ctf_field {
    const char *name;               /* of an EVENT: its own; its fields follow */
    enum field_type type;
    uint8_t bytes;                  /* of a number, as written; of an EVENT: the item's kind */
    enum within within;
    uint16_t at, size;
    const char *words;      /* of an ENUM: what its values mean; of a LIST: which field counts it */
};

extern const struct ctf_field ctf_fields[];
extern const unsigned nr_ctf_fields;
void ctf_write_metadata(struct ctf *c);
/* If the clock is not what the metadata's file says. */
void ctf_refresh_metadata(struct ctf *c);

/* --- ctf_files.c ------------------------------------------------------------------------------ */
/* TSDL of packets: their headers, for the trace block; and the stream. */
extern const char ctf_packet_header_tsdl[], ctf_stream_tsdl[];

/* Makes the directory, or empties an earlier trace of ours out of it; what holds anything else, or
 * cannot be written, ends the program. */
void ctf_open_files(struct ctf_files *d, const char *path);
void ctf_write_file(struct ctf_files *d, const char *name, int flags, const void *bytes,
                    size_t len);
/* NULL: more CPUs than EXPORT_MAX_CPUS, counted. */
struct ctf_stream *ctf_stream_of(struct ctf_files *d, uint16_t cpu);
void ctf_flush(struct ctf_files *d);
int ctf_close_files(struct ctf_files *d);               /* 0, or 1: said why */

/* An event at tsc; its fields follow in s->packet, in the order of its TSDL. At most
 * CTF_EVENT_BYTES. */
void ctf_event(struct ctf_stream *s, uint16_t id, uint64_t tsc);
void ctf_string(struct ctf_stream *s, const char *text);
void ctf_lost(struct ctf_stream *s, uint64_t records);  /* before the next event */

#endif
