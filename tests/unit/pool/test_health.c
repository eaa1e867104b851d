/* What a pool knows of each origin's health, one behaviour a test.  What holds
 * for all sequences, and under load, is in test_health_sim.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/memory.h>

#include "alloc.h"

#include "base/deadline.h"
#include "pool/health.h"

static struct wr_health *health;
static struct wr_origin *origin;

static int setup(void **state)
{
    (void)state;
    health = wr_health_new(2);
    origin = health ? wr_health_open(health, "https://a:443") : NULL;
    return origin ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    wr_health_close(health, origin);
    wr_health_free(health);
    return 0;
}

/* --- records ------------------------------------------------------------- */

/* A record is told from a new one of the same name by its latencies. */
static void mark(struct wr_origin *record)
{
    for (int i = 0; i < WR_LATENCIES_MIN; i++)
        wr_origin_count_latency(record, 7);
}

static bool is_marked(const char *name)
{
    struct wr_origin *record = wr_health_open(health, name);
    uint64_t ns;
    bool is_known;

    assert_non_null(record);
    is_known = wr_origin_p95(record, &ns);
    wr_health_close(health, record);
    return is_known;
}

static void visit(const char *name)
{
    struct wr_origin *record = wr_health_open(health, name);

    assert_non_null(record);
    mark(record);
    wr_health_close(health, record);
}

static void equal_names_are_one_record(void **state)
{
    struct wr_origin *same = wr_health_open(health, "https://a:443");
    struct wr_origin *other = wr_health_open(health, "https://a:4433");

    (void)state;
    assert_ptr_equal(same, origin);
    assert_non_null(other);
    assert_ptr_not_equal(other, origin);
    wr_health_close(health, same);
    wr_health_close(health, other);
}

static void the_name_is_copied(void **state)
{
    char name[] = "https://b:443";

    (void)state;
    visit(name);
    name[8] = 'c';
    assert_true(is_marked("https://b:443"));
}

static void a_record_outlives_its_references(void **state)
{
    (void)state;
    mark(origin);
    wr_health_close(health, origin);
    origin = NULL;
    assert_true(is_marked("https://a:443"));
}

/* Two are kept, one of them in use. */
static void the_least_recently_used_is_forgotten(void **state)
{
    (void)state;
    wr_health_close(health, origin);
    origin = NULL;
    visit("https://b:443");
    visit("https://a:443");
    visit("https://c:443"); /* b is forgotten */
    assert_true(is_marked("https://a:443"));
    assert_true(is_marked("https://c:443"));
    assert_false(is_marked("https://b:443"));
}

static void records_in_use_stay(void **state)
{
    struct wr_origin *second = wr_health_open(health, "https://b:443");
    struct wr_origin *third = wr_health_open(health, "https://c:443");

    (void)state;
    mark(origin);
    mark(second);
    mark(third);
    assert_true(is_marked("https://a:443"));
    assert_true(is_marked("https://b:443"));
    assert_true(is_marked("https://c:443"));
    wr_health_close(health, third); /* a third one nobody needs */
    assert_false(is_marked("https://c:443"));
    assert_true(is_marked("https://b:443"));
    wr_health_close(health, second);
    assert_true(is_marked("https://b:443"));
}

static void with_a_maximum_of_zero_only_use_keeps(void **state)
{
    struct wr_health *none = wr_health_new(0);
    struct wr_origin *record;
    uint64_t ns;

    (void)state;
    assert_non_null(none);
    record = wr_health_open(none, "https://a:443");
    assert_non_null(record);
    mark(record);
    assert_true(wr_origin_p95(record, &ns));
    wr_health_close(none, record);
    record = wr_health_open(none, "https://a:443");
    assert_non_null(record);
    assert_false(wr_origin_p95(record, &ns));
    wr_health_close(none, record);
    wr_health_free(none);
}

static void nothing_can_be_closed_and_freed(void **state)
{
    (void)state;
    wr_health_close(health, NULL);
    wr_health_free(NULL);
}

/* Opens `count` origins; how many could be. */
static unsigned open_many(struct wr_health *many, struct wr_origin **records,
                          unsigned count)
{
    char name[32];

    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "http://origin-%u:80", i);
        records[i] = wr_health_open(many, name);
        if (!records[i])
            return i;
    }
    return count;
}

static void close_many(struct wr_health *many, struct wr_origin **records,
                       unsigned count)
{
    const uint64_t calls = alloc_calls();

    for (unsigned i = 0; i < count; i++)
        wr_health_close(many, records[i]);
    assert_int_equal(alloc_calls(), calls);
}

/* Each allocation in turn; the map grows several times. */
static void want_of_memory_changes_nothing(void **state)
{
    enum {
        MANY = 300
    };
    static const weir_allocator counting = {alloc_malloc, alloc_realloc,
                                            alloc_free};
    struct wr_origin *records[MANY];
    unsigned opened = 0;
    unsigned failed = 0;

    (void)state;
    teardown(NULL);
    assert_int_equal(weir_set_allocator(&counting), WEIR_OK);
    for (uint64_t nth = 1; opened < MANY; nth++) {
        struct wr_health *many;

        alloc_fail_at(nth);
        many = wr_health_new(MANY);
        opened = many ? open_many(many, records, MANY) : 0;
        alloc_fail_at(0);
        if (many && opened < MANY) {
            failed++;
            assert_int_equal(open_many(many, records, MANY), MANY);
            close_many(many, records, MANY);
        }
        if (many)
            close_many(many, records, opened);
        wr_health_free(many);
        assert_int_equal(alloc_held(), 0);
    }
    assert_true(failed > MANY);
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
    setup(NULL);
}

/* --- retry budget -------------------------------------------------------- */

static void request(unsigned count, uint64_t now_ns)
{
    while (count-- > 0)
        wr_origin_count_request(origin, now_ns);
}

/* Retries that may begin, all pending. */
static unsigned retries(uint64_t now_ns)
{
    unsigned count = 0;

    while (wr_origin_begin_retry(origin, now_ns))
        count++;
    return count;
}

static void end(unsigned count)
{
    while (count-- > 0)
        wr_origin_end_retry(origin);
}

static void three_retries_may_be_pending_whatever_the_share(void **state)
{
    (void)state;
    request(1, 0);
    assert_int_equal(retries(0), 3);
    end(1);
    assert_int_equal(retries(0), 1);
    end(3);
    assert_int_equal(retries(0), 3);
    end(3);
}

static void retries_are_a_fifth_of_the_requests(void **state)
{
    (void)state;
    request(100, 0);
    assert_int_equal(retries(0), 20);
    request(4, 0);
    assert_int_equal(retries(0), 0);
    request(1, 0);
    assert_int_equal(retries(0), 1);
    end(21);
}

/* Those that ended count for as long as the window shows them. */
static void the_share_is_of_all_retries_lately(void **state)
{
    (void)state;
    request(100, 0);
    assert_int_equal(retries(0), 20);
    end(18);
    assert_int_equal(retries(0), 1); /* the third that is pending */
    end(3);
}

static void the_window_shows_ten_slots_of_a_second(void **state)
{
    (void)state;
    request(50, 0);
    request(50, 5 * WR_SECOND);
    assert_int_equal(retries(10 * WR_SECOND - 1), 20);
    end(20);
    assert_true(wr_origin_begin_retry(origin, 10 * WR_SECOND)); /* floor */
    assert_true(wr_origin_begin_retry(origin, 10 * WR_SECOND));
    assert_true(wr_origin_begin_retry(origin, 10 * WR_SECOND));
    request(64, 10 * WR_SECOND); /* 50 + 64 are worth 22, 23 are there */
    assert_false(wr_origin_begin_retry(origin, 10 * WR_SECOND));
    request(6, 10 * WR_SECOND);
    assert_true(wr_origin_begin_retry(origin, 10 * WR_SECOND));
    assert_false(wr_origin_begin_retry(origin, 10 * WR_SECOND));
    end(4);
}

static void a_long_silence_empties_the_window(void **state)
{
    (void)state;
    request(1000, 0);
    assert_int_equal(retries(1000 * WR_SECOND), 3);
    request(100, 1000 * WR_SECOND);
    assert_int_equal(retries(1000 * WR_SECOND), 17);
    end(20);
}

static void a_time_before_the_latest_counts_as_the_latest(void **state)
{
    (void)state;
    request(50, 20 * WR_SECOND);
    request(50, 3 * WR_SECOND);
    assert_int_equal(retries(0), 20);
    end(20);
    request(0, WR_NEVER);
    assert_int_equal(retries(WR_NEVER), 3);
    end(3);
}

/* --- circuit breaker ----------------------------------------------------- */

static const struct wr_breaker_rules five = {.failures = 5,
                                             .open_ns = 10 * WR_SECOND};
static const struct wr_breaker_rules half = {.rate = 0.5,
                                             .window_ns = 10 * WR_SECOND,
                                             .min_requests = 10,
                                             .open_ns = 10 * WR_SECOND};

static struct wr_pass admit(const struct wr_breaker_rules *rules,
                            uint64_t now_ns)
{
    struct wr_pass pass;
    uint64_t probe_ns;

    assert_true(wr_origin_admit(origin, rules, now_ns, &pass, &probe_ns));
    return pass;
}

/* When the next probe may go, said at a refusal. */
static uint64_t refusal(const struct wr_breaker_rules *rules, uint64_t now_ns)
{
    struct wr_pass pass;
    uint64_t probe_ns = 1;

    assert_false(wr_origin_admit(origin, rules, now_ns, &pass, &probe_ns));
    return probe_ns;
}

static void attempt(const struct wr_breaker_rules *rules, unsigned count,
                    enum wr_outcome outcome, uint64_t now_ns)
{
    while (count-- > 0) {
        const struct wr_pass pass = admit(rules, now_ns);

        wr_origin_report(origin, rules, &pass, outcome, now_ns);
    }
}

static void expect(enum wr_breaker_state expected)
{
    assert_string_equal(wr_breaker_state_name(wr_origin_breaker_state(origin)),
                        wr_breaker_state_name(expected));
}

static void failures_in_a_row_open_it(void **state)
{
    (void)state;
    attempt(&five, 4, WR_OUTCOME_BAD, 0);
    attempt(&five, 1, WR_OUTCOME_GOOD, 0);
    attempt(&five, 4, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_CLOSED);
    attempt(&five, 1, WR_OUTCOME_BAD, 3);
    expect(WR_BREAKER_OPEN);
    assert_int_equal(refusal(&five, 3), 10 * WR_SECOND + 3);
    assert_int_equal(refusal(&five, 10 * WR_SECOND + 2), 10 * WR_SECOND + 3);
}

static void a_neutral_end_counts_nowhere(void **state)
{
    (void)state;
    attempt(&five, 4, WR_OUTCOME_BAD, 0);
    attempt(&five, 10, WR_OUTCOME_NEUTRAL, 0);
    expect(WR_BREAKER_CLOSED);
    attempt(&five, 1, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_OPEN);
}

static void a_share_of_failures_opens_it(void **state)
{
    (void)state;
    attempt(&half, 4, WR_OUTCOME_GOOD, 0);
    attempt(&half, 5, WR_OUTCOME_BAD, 0);
    attempt(&half, 100, WR_OUTCOME_NEUTRAL, 0);
    expect(WR_BREAKER_CLOSED); /* 5 of 9: too few outcomes */
    attempt(&half, 1, WR_OUTCOME_GOOD, 0);
    expect(WR_BREAKER_OPEN); /* 5 of 10 */
}

static void a_smaller_share_does_not_open_it(void **state)
{
    (void)state;
    attempt(&half, 6, WR_OUTCOME_GOOD, 0);
    attempt(&half, 5, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_CLOSED); /* 5 of 11 */
    attempt(&half, 1, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_OPEN);
}

/* A share that no binary fraction is: 3 of 10 are 0.3. */
static void a_share_is_reached_when_it_is_equal(void **state)
{
    struct wr_breaker_rules rules = half;

    (void)state;
    rules.rate = 0.3;
    attempt(&rules, 7, WR_OUTCOME_GOOD, 0);
    attempt(&rules, 3, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_OPEN);
}

static void outcomes_leave_the_window(void **state)
{
    (void)state;
    attempt(&half, 9, WR_OUTCOME_BAD, 0);
    attempt(&half, 1, WR_OUTCOME_GOOD, 10 * WR_SECOND);
    expect(WR_BREAKER_CLOSED); /* 0 of 1 */
    attempt(&half, 9, WR_OUTCOME_BAD, 10 * WR_SECOND);
    expect(WR_BREAKER_OPEN);
}

static void a_window_of_another_width_begins_anew(void **state)
{
    struct wr_breaker_rules wide = half;

    (void)state;
    wide.window_ns = 20 * WR_SECOND;
    attempt(&half, 9, WR_OUTCOME_BAD, 0);
    attempt(&wide, 9, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_CLOSED);
    attempt(&wide, 1, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_OPEN);
}

static void a_window_has_a_width_whatever_the_rules_say(void **state)
{
    struct wr_breaker_rules rules = half;

    (void)state;
    rules.window_ns = 0;
    attempt(&rules, 9, WR_OUTCOME_BAD, WR_NEVER);
    expect(WR_BREAKER_CLOSED);
    rules.window_ns = UINT64_MAX;
    attempt(&rules, 10, WR_OUTCOME_BAD, WR_NEVER);
    expect(WR_BREAKER_OPEN);
    assert_int_equal(refusal(&rules, 0), WR_NEVER);
}

static void half_open_lets_one_probe_through(void **state)
{
    struct wr_pass probe;

    (void)state;
    attempt(&five, 5, WR_OUTCOME_BAD, 0);
    probe = admit(&five, 10 * WR_SECOND);
    assert_true(probe.is_probe);
    expect(WR_BREAKER_HALF_OPEN);
    assert_int_equal(refusal(&five, 11 * WR_SECOND), 11 * WR_SECOND);
    assert_int_equal(refusal(&five, 50 * WR_SECOND), 50 * WR_SECOND);
    wr_origin_report(origin, &five, &probe, WR_OUTCOME_GOOD, 50 * WR_SECOND);
    expect(WR_BREAKER_CLOSED);
    assert_false(admit(&five, 50 * WR_SECOND).is_probe);
}

static void a_good_probe_closes_it_with_fresh_counts(void **state)
{
    struct wr_breaker_rules both = half;

    (void)state;
    both.failures = 8;
    attempt(&both, 8, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_OPEN);
    attempt(&both, 1, WR_OUTCOME_GOOD, 10 * WR_SECOND);
    expect(WR_BREAKER_CLOSED);
    attempt(&both, 7, WR_OUTCOME_BAD, 10 * WR_SECOND);
    expect(WR_BREAKER_CLOSED); /* not 15 of 16, not 8 in a row */
    attempt(&both, 1, WR_OUTCOME_BAD, 10 * WR_SECOND);
    expect(WR_BREAKER_OPEN);
}

static void a_bad_probe_opens_it_again(void **state)
{
    struct wr_pass probe;

    (void)state;
    attempt(&five, 5, WR_OUTCOME_BAD, 0);
    probe = admit(&five, 10 * WR_SECOND);
    wr_origin_report(origin, &five, &probe, WR_OUTCOME_BAD, 12 * WR_SECOND);
    expect(WR_BREAKER_OPEN);
    assert_int_equal(refusal(&five, 13 * WR_SECOND), 22 * WR_SECOND);
    assert_true(admit(&five, 22 * WR_SECOND).is_probe);
}

static void a_neutral_probe_leaves_its_place_to_the_next(void **state)
{
    struct wr_pass probe;

    (void)state;
    attempt(&five, 5, WR_OUTCOME_BAD, 0);
    probe = admit(&five, 10 * WR_SECOND);
    wr_origin_report(origin, &five, &probe, WR_OUTCOME_NEUTRAL, 12 * WR_SECOND);
    expect(WR_BREAKER_HALF_OPEN);
    assert_true(admit(&five, 12 * WR_SECOND).is_probe);
    assert_int_equal(refusal(&five, 12 * WR_SECOND), 12 * WR_SECOND);
}

static void what_began_before_it_opened_does_not_disturb(void **state)
{
    const struct wr_pass old = admit(&five, 0);
    struct wr_pass probe;

    (void)state;
    attempt(&five, 5, WR_OUTCOME_BAD, 0);
    wr_origin_report(origin, &five, &old, WR_OUTCOME_GOOD, 1);
    expect(WR_BREAKER_OPEN);
    probe = admit(&five, 10 * WR_SECOND);
    wr_origin_report(origin, &five, &old, WR_OUTCOME_GOOD, 10 * WR_SECOND);
    wr_origin_report(origin, &five, &old, WR_OUTCOME_BAD, 10 * WR_SECOND);
    expect(WR_BREAKER_HALF_OPEN);
    assert_int_equal(refusal(&five, 10 * WR_SECOND), 10 * WR_SECOND);
    wr_origin_report(origin, &five, &probe, WR_OUTCOME_GOOD, 10 * WR_SECOND);
    for (int i = 0; i < 5; i++)
        wr_origin_report(origin, &five, &old, WR_OUTCOME_BAD, 11 * WR_SECOND);
    expect(WR_BREAKER_CLOSED);
}

static void without_rules_all_are_admitted(void **state)
{
    static const struct wr_breaker_rules none = {.open_ns = WR_NEVER};
    struct wr_pass probe;

    (void)state;
    attempt(&none, 1000, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_CLOSED);
    attempt(&five, 1, WR_OUTCOME_GOOD, 0);
    attempt(&five, 5, WR_OUTCOME_BAD, 0);
    expect(WR_BREAKER_OPEN);
    assert_false(admit(&none, 1).is_probe);
    expect(WR_BREAKER_CLOSED);
    attempt(&five, 5, WR_OUTCOME_BAD, 0);
    probe = admit(&five, 10 * WR_SECOND);
    assert_false(admit(&none, 10 * WR_SECOND).is_probe);
    wr_origin_report(origin, &none, &probe, WR_OUTCOME_BAD, 10 * WR_SECOND);
    expect(WR_BREAKER_CLOSED);
}

/* --- latency ------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a;
    const uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void twenty_latencies_say_something(void **state)
{
    uint64_t ns = 42;

    (void)state;
    for (uint64_t i = 1; i < WR_LATENCIES_MIN; i++) {
        wr_origin_count_latency(origin, i);
        assert_false(wr_origin_p95(origin, &ns));
    }
    assert_int_equal(ns, 42);
    wr_origin_count_latency(origin, WR_LATENCIES_MIN);
    assert_true(wr_origin_p95(origin, &ns));
    assert_int_equal(ns, 19);
}

/* By sorting the last 128. */
static void it_is_that_of_the_last_128(void **state)
{
    enum {
        MANY = 1000
    };
    static uint64_t all[MANY];
    uint64_t sorted[WR_LATENCIES];
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        const size_t count = i + 1 < WR_LATENCIES ? i + 1 : WR_LATENCIES;
        const size_t rank = (count * 95 + 99) / 100;
        uint64_t ns;

        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        all[i] = i % 200 < 100 ? random >> 56 : random; /* many are equal */
        wr_origin_count_latency(origin, all[i]);
        memcpy(sorted, &all[i + 1 - count], count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, compare);
        if (count < WR_LATENCIES_MIN)
            continue;
        assert_true(wr_origin_p95(origin, &ns));
        assert_int_equal(ns, sorted[rank - 1]);
        assert_true(wr_origin_p95(origin, &ns)); /* it has changed nothing */
        assert_int_equal(ns, sorted[rank - 1]);
    }
}

static void latencies_of_zero_count(void **state)
{
    uint64_t ns = 42;

    (void)state;
    for (int i = 0; i < WR_LATENCIES; i++)
        wr_origin_count_latency(origin, 0);
    assert_true(wr_origin_p95(origin, &ns));
    assert_int_equal(ns, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(equal_names_are_one_record),
        CASE(the_name_is_copied),
        CASE(a_record_outlives_its_references),
        CASE(the_least_recently_used_is_forgotten),
        CASE(records_in_use_stay),
        CASE(with_a_maximum_of_zero_only_use_keeps),
        CASE(nothing_can_be_closed_and_freed),
        CASE(want_of_memory_changes_nothing),
        CASE(three_retries_may_be_pending_whatever_the_share),
        CASE(retries_are_a_fifth_of_the_requests),
        CASE(the_share_is_of_all_retries_lately),
        CASE(the_window_shows_ten_slots_of_a_second),
        CASE(a_long_silence_empties_the_window),
        CASE(a_time_before_the_latest_counts_as_the_latest),
        CASE(failures_in_a_row_open_it),
        CASE(a_neutral_end_counts_nowhere),
        CASE(a_share_of_failures_opens_it),
        CASE(a_smaller_share_does_not_open_it),
        CASE(a_share_is_reached_when_it_is_equal),
        CASE(outcomes_leave_the_window),
        CASE(a_window_of_another_width_begins_anew),
        CASE(a_window_has_a_width_whatever_the_rules_say),
        CASE(half_open_lets_one_probe_through),
        CASE(a_good_probe_closes_it_with_fresh_counts),
        CASE(a_bad_probe_opens_it_again),
        CASE(a_neutral_probe_leaves_its_place_to_the_next),
        CASE(what_began_before_it_opened_does_not_disturb),
        CASE(without_rules_all_are_admitted),
        CASE(twenty_latencies_say_something),
        CASE(it_is_that_of_the_last_128),
        CASE(latencies_of_zero_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
