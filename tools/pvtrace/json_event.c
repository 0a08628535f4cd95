/* One event of the trace event format as JSON, valid for any bytes in names: see json.h.
 *
 * Times are microseconds with three decimals, written from integers: a slice's end is its own time
 * rounded down like every other, so that slices that nest in ticks nest in the file. */
#include "tools/pvtrace/json.h"

#include <string.h>

/* Bytes that are no UTF-8 are shown as the characters of Latin 1 with their number. */
void json_string(struct json *j, const char *s, size_t len)
{
    size_t from = 0, i = 0;
    text_char(&j->out, '"');
    while (i < len) {
        unsigned char c = (unsigned char)s[i];
        size_t n = c < 0x80 ? 1 : utf8_length(s + i, len - i);
        if (n > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += n;
            continue;
        }
        text_put(&j->out, s + from, i - from);
        if (c == '"' || c == '\\') {
            text_char(&j->out, '\\');
            text_char(&j->out, (char)c);
        } else {
            text_str(&j->out, "\\u00");
            text_byte(&j->out, c);
        }
        from = ++i;
    }
    text_put(&j->out, s + from, len - from);
    text_char(&j->out, '"');
}

static void put_key(struct json *j, const char *key)
{
    text_put(&j->out, ",\"", 2);
    text_str(&j->out, key);
    text_put(&j->out, "\":", 2);
}

static void put_place(struct json *j, char phase, const char *name, struct track on)
{
    text_add(&j->out, "%s\n{\"ph\":\"%c\",\"pid\":%u,\"tid\":%u,\"name\":", j->any ? "," : "", phase,
             on.pid, on.tid);
    json_string(j, name, strlen(name));
    j->any = true;
    j->any_args = false;
}

void event_begin(struct json *j, char phase, const char *category, const char *name, struct track on,
                 uint64_t tsc)
{
    put_place(j, phase, name, on);
    event_word(j, "cat", category);
    put_key(j, "ts");
    text_fixed(&j->out, clock_time(j->clock, tsc), 3);
}

void event_duration(struct json *j, uint64_t from, uint64_t to)
{
    int64_t ns = clock_between(j->clock, from, to);
    put_key(j, "dur");
    text_fixed(&j->out, ns > 0 ? ns : 0, 3);
}

void event_word(struct json *j, const char *key, const char *value)
{
    put_key(j, key);
    json_string(j, value, strlen(value));
}

void event_number(struct json *j, const char *key, uint64_t value)
{
    put_key(j, key);
    text_dec(&j->out, value);
}

void event_end(struct json *j)
{
    text_str(&j->out, j->any_args ? "}}" : "}");
}

/* --- Arguments -------------------------------------------------------------------------------------- */
static void put_argument(struct json *j, const char *key)
{
    text_str(&j->out, j->any_args ? ",\"" : ",\"args\":{\"");
    text_str(&j->out, key);
    text_str(&j->out, "\":");
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
    text_str(&j->out, quote);
    text_int(&j->out, n);
    text_str(&j->out, quote);
}

void argument_details(struct json *j, const char *key, const struct text *t)
{
    if (t->len > 0)
        argument_text(j, key, t->buf, t->len);
}

/* --- Metadata --------------------------------------------------------------------------------------- */
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
