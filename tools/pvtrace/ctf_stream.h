/* A CTF 1.8 trace as files: the directory, one stream of packets per CPU, the metadata's file. What is in
 * the events is ctf.c's; ctf_stream.c knows only their header. */
#ifndef PVTRACE_CTF_STREAM_H
#define PVTRACE_CTF_STREAM_H

#include "tools/pvtrace/words.h"

/* TSDL of what ctf_stream.c writes: of the packet header, for the trace block; of packets and event
 * headers. */
extern const char ctf_packet_header_tsdl[], ctf_stream_tsdl[];

struct ctf_directory;
struct ctf_stream;

/* Makes the directory, or empties an earlier trace of ours out of it. NULL: it holds something else or
 * cannot be written; said. */
struct ctf_directory *ctf_directory_open(const char *path);
const uint8_t *ctf_directory_uuid(const struct ctf_directory *d);
/* Replaces the metadata's text. */
void ctf_directory_metadata(struct ctf_directory *d, const char *text, size_t len);
/* NULL: more CPUs than EXPORT_MAX_CPUS, counted. */
struct ctf_stream *ctf_directory_stream(struct ctf_directory *d, uint16_t cpu);
void ctf_directory_flush(struct ctf_directory *d);
int ctf_directory_close(struct ctf_directory *d);       /* 0, or 1: said why */

/* An event at tsc; its fields follow, in the order of its TSDL. At most CTF_EVENT_BYTES. */
#define CTF_EVENT_BYTES (2 * EXPORT_TEXT + 1024u)
void ctf_event(struct ctf_stream *s, uint16_t id, uint64_t tsc);
uint64_t ctf_last(const struct ctf_stream *s);          /* TSC of the event before */
void ctf_lost(struct ctf_stream *s, uint64_t records);  /* before the next event */
void ctf_put(struct ctf_stream *s, const void *bytes, size_t len);
void ctf_string(struct ctf_stream *s, const char *text);    /* NULL: empty */

#endif
