/* Choices of a world: made from main.c's numbers, or from libfuzzer.c's bytes. Called by all
 * other files here. */
#include "tests/fuzz/choice.h"
#include "tests/fuzz/fuzz.h"

static struct fuzz_source *source;

void choose_from(struct fuzz_source *s)
{
    source = s;
}

bool choices_end(void)
{
    return source->dry(source->state);
}

uint64_t any(void)
{
    return source->next(source->state);
}

uint64_t below(uint64_t n)
{
    return any() % n;
}

bool one_in(unsigned n)
{
    return below(n) == 0;
}
