/* Memory and complaints: see util.h. */
#include "tools/pvtrace/util.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fprintf(stderr, "pvtrace: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(EXIT_TROUBLE);
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (p == NULL)
        die("out of memory");
    return p;
}

void *xgrow(void *array, size_t *room, size_t wanted, size_t size)
{
    size_t more = *room != 0 ? *room : 4096;

    if (wanted <= *room)
        return array;
    while (more < wanted)
        more *= 2;
    array = more <= SIZE_MAX / size ? realloc(array, more * size) : NULL;
    if (array == NULL)
        die("out of memory");
    *room = more;
    return array;
}
