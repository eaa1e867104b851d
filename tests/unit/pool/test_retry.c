/* Which responses are worth a retry, and how long it waits (protocol-rules
 * section 5). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "pool/retry.h"

static const struct wr_retry_rules usual = {.attempts = 5,
                                            .delay_ns = WR_SECOND,
                                            .backoff = 2.0,
                                            .max_delay_ns = 30 * WR_SECOND};

/* splitmix64: the same numbers in every run. */
static uint64_t next_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The longest delay before attempt `next`: random bits that leave the whole
 * remainder.  The one longer would be 0. */
static void check_top(const struct wr_retry_rules *rules, unsigned next,
                      uint64_t top)
{
    assert_int_equal(wr_retry_delay(rules, next, top), top);
    if (top < UINT64_MAX)
        assert_int_equal(wr_retry_delay(rules, next, top + 1), 0);
    assert_int_equal(wr_retry_delay(rules, next, 0), 0);
}

static void the_longest_delay_doubles_up_to_its_cap(void **state)
{
    (void)state;
    check_top(&usual, 2, 1 * WR_SECOND);
    check_top(&usual, 3, 2 * WR_SECOND);
    check_top(&usual, 4, 4 * WR_SECOND);
    check_top(&usual, 5, 8 * WR_SECOND);
    check_top(&usual, 6, 16 * WR_SECOND);
    check_top(&usual, 7, 30 * WR_SECOND);
    check_top(&usual, UINT32_MAX, 30 * WR_SECOND);
    check_top(&usual, 0, 1 * WR_SECOND);
}

static void a_cap_below_the_delay_holds_from_the_first_retry_on(void **state)
{
    struct wr_retry_rules rules = usual;

    (void)state;
    rules.max_delay_ns = 10;
    check_top(&rules, 2, 10);
    rules.max_delay_ns = 0;
    check_top(&rules, 2, 0);
    check_top(&rules, 9, 0);
}

static void a_backoff_of_one_keeps_the_delay(void **state)
{
    struct wr_retry_rules rules = usual;

    (void)state;
    rules.backoff = 1;
    check_top(&rules, 2, WR_SECOND);
    check_top(&rules, UINT32_MAX, WR_SECOND);
}

static void delays_are_spread_evenly(void **state)
{
    enum {
        PARTS = 8,
        DRAWS = 80000
    };
    unsigned drawn[PARTS] = {0};
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        const uint64_t delay_ns = wr_retry_delay(&usual, 4, next_random(&seed));

        assert_true(delay_ns <= 4 * WR_SECOND);
        drawn[delay_ns * PARTS / (4 * WR_SECOND + 1)]++;
    }
    for (int i = 0; i < PARTS; i++)
        assert_in_range(drawn[i], DRAWS / PARTS * 95 / 100,
                        DRAWS / PARTS * 105 / 100);
}

static void no_input_overflows(void **state)
{
    static const uint64_t spans[] = {
        0,         1, WR_SECOND, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 1,
        UINT64_MAX};
    const double backoffs[] = {-INFINITY, -2, -0.5, 0,        0.5, 1,
                               1.5,       2,  1e9,  INFINITY, NAN};
    static const unsigned nexts[] = {0, 1, 2, 3, 4, 64, 1000, UINT32_MAX};
    const size_t delays = sizeof spans / sizeof *spans;

    (void)state;
    for (size_t i = 0; i < delays * delays; i++) {
        for (size_t b = 0; b < sizeof backoffs / sizeof *backoffs; b++) {
            for (size_t n = 0; n < sizeof nexts / sizeof *nexts; n++) {
                const struct wr_retry_rules rules = {
                    .delay_ns = spans[i / delays],
                    .backoff = backoffs[b],
                    .max_delay_ns = spans[i % delays]};
                const uint64_t delay_ns =
                    wr_retry_delay(&rules, nexts[n], UINT64_MAX);

                assert_true(delay_ns <= rules.max_delay_ns);
                if (rules.delay_ns == 0)
                    assert_int_equal(delay_ns, 0);
            }
        }
    }
}

static void seven_statuses_are_worth_a_retry(void **state)
{
    unsigned count = 0;

    (void)state;
    for (int status = -1; status < 1100; status++)
        count += wr_retry_is_status(status);
    assert_int_equal(count, 7);
    assert_true(wr_retry_is_status(408));
    assert_true(wr_retry_is_status(425));
    assert_true(wr_retry_is_status(429));
    assert_true(wr_retry_is_status(500));
    assert_true(wr_retry_is_status(502));
    assert_true(wr_retry_is_status(503));
    assert_true(wr_retry_is_status(504));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_delay_doubles_up_to_its_cap),
        cmocka_unit_test(a_cap_below_the_delay_holds_from_the_first_retry_on),
        cmocka_unit_test(a_backoff_of_one_keeps_the_delay),
        cmocka_unit_test(delays_are_spread_evenly),
        cmocka_unit_test(no_input_overflows),
        cmocka_unit_test(seven_statuses_are_worth_a_retry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
