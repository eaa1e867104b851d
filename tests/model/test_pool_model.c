/* The core of the pool against a naive model (pool_model.h), with a virtual
 * clock and random operations; the seed is printed, and WEIR_SEED replays it.
 */
#include "pool_moves.h"

#include "sanitized.h"

enum {
    OPERATIONS = IS_SANITIZED ? 25000 : 100000 /* in each configuration */
};

static uint64_t seed;
static unsigned long operations;

static void run(const struct wr_core_limits *limits, unsigned number)
{
    static struct model m;

    begin(&m, limits);
    m.random = seed + number * UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < OPERATIONS; i++)
        step(&m);
    finish(&m);
    operations += OPERATIONS;
}

static void random_operations_keep_every_promise(void **state)
{
    /* Spans in UNITs. */
    static const struct wr_core_limits configurations[] = {
        {4, 2, 10, 500, WR_NEVER, true},  {1, 1, 5, 300, 2000, true},
        {20, 3, 64, 1000, 5000, true},    {6, 6, 0, 400, WR_NEVER, true},
        {4, 2, 10, 500, WR_NEVER, false}, {12, 1, 30, 100, 700, true},
        {3, 8, 64, 2000, 3000, true},     {8, 4, 20, 50, 400, true},
    };

    (void)state;
    print_message("seed %llu (replay with WEIR_SEED), 8 times %d operations\n",
                  (unsigned long long)seed, OPERATIONS);
    for (unsigned i = 0; i < sizeof configurations / sizeof *configurations;
         i++)
        run(&configurations[i], i);
    print_message("# cases operations %lu\n", operations);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_keep_every_promise),
    };
    const char *given = getenv("WEIR_SEED");
    FILE *file = given ? NULL : fopen("/dev/urandom", "rb");

    if (given)
        seed = strtoull(given, NULL, 10);
    else if (!file || fread(&seed, sizeof seed, 1, file) != 1)
        seed = 1;
    if (file)
        fclose(file);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
