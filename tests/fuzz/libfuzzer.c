/* The same worlds, their choices made by libFuzzer from coverage. */
#include <string.h>
#include "tests/fuzz/fuzz.h"

struct bytes {
    const uint8_t *at;
    size_t left;
};

/* Two bytes for each choice, mixed, so that every value is possible, of few as of many. */
static uint64_t next(void *state)
{
    struct bytes *b = state;
    uint64_t x = 0;
    size_t n = b->left < 2 ? b->left : 2;

    memcpy(&x, b->at, n);
    b->at += n;
    b->left -= n;
    return x | x * 0x9e3779b97f4a7c15 << 16;
}

static bool dry(void *state)
{
    return ((struct bytes *)state)->left == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = { data, size };
    struct fuzz_source source = { next, dry, &b };

    (void)fuzz_world(&source, 400, 1);
    return 0;
}
