/* The core of the pool against its model (tests/model): a byte of the input
 * chooses the limits, all others what happens next, to the last. */
#include "fuzz.h"
#include "pool_moves.h"

enum {
    MOST_BYTES = 4096
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Times are in UNITs, as in the model test. */
    static const struct wr_core_limits limits[] = {
        {4, 2, 10, 500, WR_NEVER, true},  {1, 1, 5, 300, 2000, true},
        {20, 3, 64, 1000, 5000, true},    {6, 6, 0, 400, WR_NEVER, true},
        {4, 2, 10, 500, WR_NEVER, false}, {12, 1, 30, 100, 700, true},
        {3, 8, 64, 2000, 3000, true},     {8, 4, 20, 50, 400, true},
    };
    static struct model m;

    if (size < 2 || size > MOST_BYTES)
        return -1;
    /* A failed assertion has no test to leave: it must end the program. */
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    begin(&m, &limits[data[0] % (sizeof limits / sizeof *limits)]);
    m.random = 1;
    m.script = data + 1;
    m.script_len = size - 1;
    while (m.script_len > 0)
        step(&m);
    m.script = NULL; /* the end is random again, so that it comes */
    finish(&m);
    return 0;
}
