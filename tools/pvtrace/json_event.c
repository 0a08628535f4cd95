/* One event of the trace event format as JSON, valid for any bytes in names: see json.h.
 *
 * Times are microseconds with three decimals, written from integers: a slice's end is its own time rounded down like
 * every other, so that slices that nest in ticks nest in the file. */
#include "tools/pvtrace/json.h"

#include <string.h>

static void json_escape(struct json *j, unsigned code)
{
    const char *digits = "0123456789abcdef";
    char s[] = { '\\', 'u', '0', '0', digits[code >> 4 & 15], digits[code & 15] };
    write_bytes(&j->w, s, sizeof(s));
}

/* Bytes that are no UTF-8 are shown as the characters of Latin 1 with their number. */
void json_string(struct json *j, const char *s, size_t len)
{
    size_t from = 0, i = 0;
    write_char(&j->w, '"');
    while (i < len) {
        unsigned char c = (unsigned char)s[i];
        size_t n = c < 0x80 ? 1 : utf8_length(s + i, len - i);
        if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += n;
            continue;
        }
        write_bytes(&j->w, s + from, i - from);
        if (c == '"' || c == '\\') {
            write_char(&j->w, '\\');
            write_char(&j->w, (char)c);
        } else {
            json_escape(j, c);
        }
        from = ++i;
    }
    write_bytes(&j->w, s + from, len - from);
    write_char(&j->w, '"');
}

static void put_key(struct json *j, const char *key)
{
    write_string(&j->w, ",\"");
    write_string(&j->w, key);
    write_string(&j->w, "\":");
}

static void put_place(struct json *j, char phase, const char *name, struct track on)
{
    write_string(&j->w, j->any ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
    write_char(&j->w, phase);
    write_string(&j->w, "\",\"pid\":");
    write_unsigned(&j->w, on.pid);
    write_string(&j->w, ",\"tid\":");
    write_unsigned(&j->w, on.tid);
    write_string(&j->w, ",\"name\":");
    json_string(j, name, strlen(name));
    j->any = true;
    j->any_args = false;
}

void event_begin(struct json *j, char phase, const char *category, const char *name, struct track on, uint64_t tsc)
{
    put_place(j, phase, name, on);
    event_word(j, "cat", category);
    put_key(j, "ts");
    write_fixed(&j->w, clock_nanoseconds(j->clock, tsc), 3);
}

void event_duration(struct json *j, uint64_t from, uint64_t to)
{
    int64_t ns = clock_nanoseconds_between(j->clock, from, to);
    put_key(j, "dur");
    write_fixed(&j->w, ns > 0 ? ns : 0, 3);
}

void event_word(struct json *j, const char *key, const char *value)
{
    put_key(j, key);
    json_string(j, value, strlen(value));
}

void event_number(struct json *j, const char *key, uint64_t value)
{
    put_key(j, key);
    write_unsigned(&j->w, value);
}

void event_end(struct json *j)
{
    write_string(&j->w, j->any_args ? "}}" : "}");
}

/* --- Arguments ----------------------------------------------------------------------------------------------------- */
static void put_argument(struct json *j, const char *key)
{
    write_string(&j->w, j->any_args ? ",\"" : ",\"args\":{\"");
    write_string(&j->w, key);
    write_string(&j->w, "\":");
    j->any_args = true;
}

void argument_text(struct json *j, const char *key, const char *s, size_t len)
{
    put_argument(j, key);
    json_string(j, s, len);
}

void argument_word(struct json *j, const char *key, const char *s)
{
    argument_text(j, key, s, strlen(s));
}

void argument_number(struct json *j, const char *key, int64_t n)
{
    const int64_t exact = INT64_C(1) << 53;         /* what a reader in JavaScript can hold */
    const char *quote = n > exact || n < -exact ? "\"" : "";
    put_argument(j, key);
    write_string(&j->w, quote);
    write_signed(&j->w, n);
    write_string(&j->w, quote);
}

void argument_hex(struct json *j, const char *key, uint64_t n)
{
    put_argument(j, key);
    write_char(&j->w, '"');
    write_hex(&j->w, n);
    write_char(&j->w, '"');
}

void argument_details(struct json *j, const char *key, const struct text *t)
{
    if (t->len > 0)
        argument_text(j, key, t->buf, t->len);
}

/* --- Metadata ------------------------------------------------------------------------------------------------------ */
void metadata_name(struct json *j, const char *what, struct track on, const char *name, size_t len)
{
    put_place(j, 'M', what, on);
    argument_text(j, "name", name, len);
    event_end(j);
}

void metadata_order(struct json *j, const char *what, struct track on, int64_t order)
{
    put_place(j, 'M', what, on);
    argument_number(j, "sort_index", order);
    event_end(j);
}
