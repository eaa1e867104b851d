/* Origins under load with a virtual clock: what the budget and the breaker
 * spare a sick one, and that its healthy neighbour notices nothing.
 *
 * Each site gets one request a millisecond from clients with 3 attempts, delay
 * 1 s, backoff 2 and max_delay 30 s.  What an attempt ends in and how long it
 * takes hangs on the number of its request alone, so that two runs can be
 * compared.  The figures are printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/queue.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "pool/health.h"
#include "pool/retry.h"

#define MS UINT64_C(1000000)

enum {
    SLOTS = 1 << 16 /* ms that an event may lie ahead: delay and latency */
};

static const struct wr_retry_rules thrice = {.attempts = 3,
                                             .delay_ns = WR_SECOND,
                                             .backoff = 2.0,
                                             .max_delay_ns = 30 * WR_SECOND};
static const struct wr_breaker_rules no_breaker = {0};
static const struct wr_breaker_rules five_in_a_row = {
    .failures = 5, .open_ns = 10 * WR_SECOND};

/* --- sites --------------------------------------------------------------- */

struct site {
    const char *name;
    const struct wr_breaker_rules *breaker;
    bool has_budget;
    uint64_t sick_ms; /* until then it fails … */
    unsigned percent; /* … that many of 100 attempts */

    struct wr_origin *origin;
    uint64_t requests;
    uint64_t attempts;      /* that reached it */
    uint64_t sick_attempts; /* of them, while it was sick */
    uint64_t retries;
    uint64_t denied;  /* retries, by the budget */
    uint64_t refused; /* attempts, by the breaker */
    uint64_t probes;  /* attempts, while it was sick */
    uint64_t last_probe_ms;
    uint64_t least_gap_ms; /* between probes */
    uint64_t openings;
    uint64_t open_ms; /* in all: OPEN or HALF_OPEN */
    uint64_t last_close_ms;
    uint64_t good;
    uint64_t latency_ms; /* sum of the good ones */
    uint64_t digest;     /* of them in their order */
};

/* splitmix64's mixer: random bits of a number. */
static uint64_t mix(uint64_t z)
{
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* --- calls --------------------------------------------------------------- */

struct call {
    struct site *site;
    uint64_t number;
    unsigned attempt; /* 1 = the first */
    bool is_running;  /* its next event ends an attempt, else begins one */
    uint64_t began_ms;
    struct wr_pass pass;
    STAILQ_ENTRY(call) due;
};

STAILQ_HEAD(call_list, call);

struct world {
    struct wr_health *health;
    uint64_t now_ms;
    struct call_list due[SLOTS]; /* by ms modulo their count */
    uint64_t pending;
};

static struct world world;

static uint64_t draw(const struct call *call, unsigned purpose)
{
    return mix(mix(call->number * 64 + call->attempt) + purpose);
}

static void wait_for(struct call *call, uint64_t delay_ms)
{
    assert_in_range(delay_ms, 1, SLOTS - 1);
    STAILQ_INSERT_TAIL(&world.due[(world.now_ms + delay_ms) % SLOTS], call,
                       due);
    world.pending++;
}

/* Its retry, if it was one, is not pending any more. */
static void leave_attempt(struct call *call)
{
    if (call->attempt > 1 && call->site->has_budget)
        wr_origin_end_retry(call->site->origin);
}

static void count_probe(struct site *site)
{
    if (site->probes++ > 0) {
        const uint64_t gap_ms = world.now_ms - site->last_probe_ms;

        if (gap_ms < site->least_gap_ms)
            site->least_gap_ms = gap_ms;
    }
    site->last_probe_ms = world.now_ms;
}

static void begin_attempt(struct call *call)
{
    struct site *site = call->site;
    uint64_t probe_ns;

    if (!wr_origin_admit(site->origin, site->breaker, world.now_ms * MS,
                         &call->pass, &probe_ns)) {
        site->refused++;
        leave_attempt(call);
        free(call);
        return;
    }
    site->attempts++;
    site->sick_attempts += world.now_ms < site->sick_ms;
    if (call->pass.is_probe && world.now_ms < site->sick_ms)
        count_probe(site);
    call->is_running = true;
    call->began_ms = world.now_ms;
    wait_for(call, 20 + draw(call, 1) % 40);
}

/* Schedules the next attempt, if one may be made. */
static bool retry(struct call *call)
{
    struct site *site = call->site;
    uint64_t delay_ns;

    if (call->attempt >= thrice.attempts)
        return false;
    if (site->has_budget &&
        !wr_origin_begin_retry(site->origin, world.now_ms * MS)) {
        site->denied++;
        return false;
    }
    site->retries++;
    call->attempt++;
    call->is_running = false;
    delay_ns = wr_retry_delay(&thrice, call->attempt, draw(call, 2));
    wait_for(call, delay_ns / MS + 1);
    return true;
}

static void count_good(struct call *call)
{
    struct site *site = call->site;
    const uint64_t took_ms = world.now_ms - call->began_ms;

    site->good++;
    site->latency_ms += took_ms;
    site->digest = mix(site->digest ^ took_ms);
    wr_origin_count_latency(site->origin, took_ms * MS);
}

static void report(struct call *call, enum wr_outcome outcome)
{
    struct site *site = call->site;
    const enum wr_breaker_state before = wr_origin_breaker_state(site->origin);
    enum wr_breaker_state after;

    wr_origin_report(site->origin, site->breaker, &call->pass, outcome,
                     world.now_ms * MS);
    after = wr_origin_breaker_state(site->origin);
    site->openings += before != after && after == WR_BREAKER_OPEN;
    if (before != after && after == WR_BREAKER_CLOSED)
        site->last_close_ms = world.now_ms;
}

static void end_attempt(struct call *call)
{
    const struct site *site = call->site;
    const bool is_bad =
        call->began_ms < site->sick_ms && draw(call, 3) % 100 < site->percent;

    report(call, is_bad ? WR_OUTCOME_BAD : WR_OUTCOME_GOOD);
    leave_attempt(call);
    if (is_bad && retry(call))
        return;
    if (!is_bad)
        count_good(call);
    free(call);
}

/* --- the run ------------------------------------------------------------- */

static void step_due(void)
{
    struct call_list due = STAILQ_HEAD_INITIALIZER(due);
    struct call *call;

    STAILQ_CONCAT(&due, &world.due[world.now_ms % SLOTS]);
    while ((call = STAILQ_FIRST(&due))) {
        STAILQ_REMOVE_HEAD(&due, due);
        world.pending--;
        if (call->is_running)
            end_attempt(call);
        else
            begin_attempt(call);
    }
}

static void arrive(struct site *site)
{
    struct call *call = calloc(1, sizeof *call);

    assert_non_null(call);
    call->site = site;
    call->number = site->requests++;
    call->attempt = 1;
    wr_origin_count_request(site->origin, world.now_ms * MS);
    begin_attempt(call);
}

/* Requests for `span_ms`, then until the last call has ended. */
static void run(struct site *sites, size_t count, uint64_t span_ms)
{
    world.health = wr_health_new(count);
    assert_non_null(world.health);
    for (size_t i = 0; i < SLOTS; i++)
        STAILQ_INIT(&world.due[i]);
    for (size_t i = 0; i < count; i++) {
        sites[i].origin = wr_health_open(world.health, sites[i].name);
        assert_non_null(sites[i].origin);
        sites[i].least_gap_ms = UINT64_MAX;
    }
    for (world.now_ms = 0; world.now_ms < span_ms || world.pending > 0;
         world.now_ms++) {
        step_due();
        for (size_t i = 0; i < count; i++) {
            if (world.now_ms < span_ms)
                arrive(&sites[i]);
            sites[i].open_ms +=
                wr_origin_breaker_state(sites[i].origin) != WR_BREAKER_CLOSED;
        }
    }
}

static void finish(struct site *sites, size_t count)
{
    for (size_t i = 0; i < count; i++)
        wr_health_close(world.health, sites[i].origin);
    wr_health_free(world.health);
}

static void print(const struct site *site)
{
    printf("  %-30s %6llu requests, %6llu attempts (%.4f each), "
           "%5llu retries, %5llu denied, %5llu refused\n",
           site->name, (unsigned long long)site->requests,
           (unsigned long long)site->attempts,
           (double)site->attempts / (double)site->requests,
           (unsigned long long)site->retries, (unsigned long long)site->denied,
           (unsigned long long)site->refused);
}

/* --- what is shown ------------------------------------------------------- */

static void a_budget_bounds_the_attempts_at_a_sick_origin(void **state)
{
    struct site sites[] = {
        {.name = "sick, with a budget",
         .breaker = &no_breaker,
         .has_budget = true,
         .sick_ms = UINT64_MAX,
         .percent = 100},
        {.name = "sick, without",
         .breaker = &no_breaker,
         .sick_ms = UINT64_MAX,
         .percent = 100},
    };

    (void)state;
    run(sites, 2, 60000);
    print(&sites[0]);
    print(&sites[1]);
    assert_int_equal(sites[0].requests, 60000);
    assert_true(sites[0].attempts <=
                sites[0].requests * (100 + WR_RETRY_PERCENT) / 100 +
                    WR_RETRY_FLOOR);
    assert_true(sites[0].attempts >= sites[0].requests * 115 / 100);
    assert_int_equal(sites[1].attempts, 3 * sites[1].requests);
    finish(sites, 2);
}

static struct site healthy(void)
{
    return (struct site){.name = "healthy, beside it",
                         .breaker = &five_in_a_row,
                         .has_budget = true};
}

static void a_breaker_leaves_a_sick_origin_all_but_alone(void **state)
{
    const uint64_t period_ms = five_in_a_row.open_ns / MS;
    struct site sites[] = {
        {.name = "sick for 60 s, with a breaker",
         .breaker = &five_in_a_row,
         .has_budget = true,
         .sick_ms = 60000,
         .percent = 100},
        healthy(),
    };
    struct site alone = healthy();
    uint64_t p95_ns;
    uint64_t alone_p95_ns;

    (void)state;
    run(&alone, 1, 90000);
    assert_true(wr_origin_p95(alone.origin, &alone_p95_ns));
    finish(&alone, 1);

    run(sites, 2, 90000);
    assert_true(wr_origin_p95(sites[1].origin, &p95_ns));
    print(&sites[0]);
    printf("  %-30s while sick %llu attempts, of them %llu probes, at least "
           "%llu ms apart; closed at %llu ms\n",
           "", (unsigned long long)sites[0].sick_attempts,
           (unsigned long long)sites[0].probes,
           (unsigned long long)sites[0].least_gap_ms,
           (unsigned long long)sites[0].last_close_ms);
    print(&sites[1]);
    printf("  %-30s mean %.3f ms, p95 %.0f ms; alone %.3f ms, %.0f ms\n", "",
           (double)sites[1].latency_ms / (double)sites[1].good,
           (double)p95_ns / 1e6, (double)alone.latency_ms / (double)alone.good,
           (double)alone_p95_ns / 1e6);

    assert_int_equal(sites[0].openings, 1 + sites[0].probes);
    assert_true(sites[0].probes <= sites[0].sick_ms / period_ms);
    assert_true(sites[0].probes >= 5);
    assert_true(sites[0].least_gap_ms >= period_ms);
    /* besides, what was under way when the fifth failed */
    assert_true(sites[0].sick_attempts <= sites[0].probes + 60);
    assert_int_equal(wr_origin_breaker_state(sites[0].origin),
                     WR_BREAKER_CLOSED);
    assert_true(sites[0].last_close_ms <= sites[0].sick_ms + period_ms + 60);

    assert_int_equal(sites[1].attempts, sites[1].requests);
    assert_int_equal(sites[1].refused, 0);
    assert_int_equal(sites[1].openings, 0);
    assert_int_equal(sites[1].good, alone.good);
    assert_int_equal(sites[1].digest, alone.digest);
    assert_int_equal(p95_ns, alone_p95_ns);
    finish(sites, 2);
}

static void a_share_of_failures_opens_a_breaker_below_it_only(void **state)
{
    static const struct wr_breaker_rules at_30 = {.rate = 0.3,
                                                  .window_ns = 10 * WR_SECOND,
                                                  .min_requests = 200,
                                                  .open_ns = 10 * WR_SECOND};
    static const struct wr_breaker_rules at_50 = {.rate = 0.5,
                                                  .window_ns = 10 * WR_SECOND,
                                                  .min_requests = 200,
                                                  .open_ns = 10 * WR_SECOND};
    struct site sites[] = {
        {.name = "40 % fail, opens at 30 %",
         .breaker = &at_30,
         .has_budget = true,
         .sick_ms = 100000,
         .percent = 40},
        {.name = "40 % fail, opens at 50 %",
         .breaker = &at_50,
         .has_budget = true,
         .sick_ms = 100000,
         .percent = 40},
    };

    (void)state;
    run(sites, 2, 120000);
    for (int i = 0; i < 2; i++) {
        print(&sites[i]);
        printf("  %-30s opened %llu times, not closed for %.1f s of 120\n", "",
               (unsigned long long)sites[i].openings,
               (double)sites[i].open_ms / 1000);
    }
    assert_true(sites[0].openings >= 5);
    assert_true(sites[0].least_gap_ms >= 10000);
    assert_true(sites[0].open_ms >= 90000);
    assert_int_equal(wr_origin_breaker_state(sites[0].origin),
                     WR_BREAKER_CLOSED);
    assert_true(sites[0].last_close_ms <= 110060);
    assert_int_equal(sites[1].openings, 0);
    assert_int_equal(sites[1].refused, 0);
    finish(sites, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_budget_bounds_the_attempts_at_a_sick_origin),
        cmocka_unit_test(a_breaker_leaves_a_sick_origin_all_but_alone),
        cmocka_unit_test(a_share_of_failures_opens_a_breaker_below_it_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
