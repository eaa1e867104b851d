/* What the tests of hedged requests share: a scripted origin, a pool that
 * hedges, and scripts.
 *
 * Which of the two requests comes first is never left to chance: origins answer
 * when they are told to, by the other connection or by the pool's trace. */
#ifndef INTEGRATION_HEDGING_H
#define INTEGRATION_HEDGING_H

#include "witness.h"

#include "origin_pool.h"

#define ANSWER(body) "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" body

/* Signals of an origin. */
enum {
    SECOND_IS_THERE, /* raised by scripts */
    SKIPPED,         /* raised by the trace */
    GOES_ON,         /* one has failed, the other one goes on */
    DECIDED,
    AT_LAST, /* raised by tests */
};

/* --- pools --------------------------------------------------------------- */

static inline bool says(const weir_trace_event *event, const char *text)
{
    return strstr(event->detail, text) != NULL;
}

static inline void tell_origin(void *user, const weir_trace_event *event)
{
    (void)user;
    if (event->kind != WEIR_TRACE_HEDGE)
        return;
    if (says(event, "skipped") || says(event, "denied"))
        origin_post(origin, SKIPPED);
    else if (says(event, "goes on"))
        origin_post(origin, GOES_ON);
    else if (says(event, "has won"))
        origin_post(origin, DECIDED);
}

static inline weir_pool_options hedging(double delay)
{
    weir_pool_options options = test_options();

    options.hedge_delay = delay;
    options.trace = tell_origin;
    return options;
}

static inline int set_up(void **state)
{
    const weir_pool_options options = hedging(0.01);

    (void)state;
    return start_both(NULL, &options);
}

static inline void check_hedges(uint64_t sent, uint64_t won)
{
    const weir_pool_figures figures = figures_of(pool);

    assert_int_equal(figures.hedges, sent);
    assert_int_equal(figures.hedges_won, won);
    assert_int_equal(figures.leased, 0);
    assert_int_equal(figures.waiting, 0);
}

/* One that is not hedged, however slow the machine. */
static inline void get_plain(const char *path, struct outcome *out)
{
    weir_request *request = must_request("GET", origin_url(origin, path));
    weir_hedge none;

    weir_hedge_init(&none);
    assert_int_equal(weir_request_set_hedge(request, &none, NULL), WEIR_OK);
    fetch(pool, request, out);
    weir_request_free(request);
}

static inline uint64_t abandoned(void)
{
    return figures_of(pool).closed[WEIR_CLOSE_ABANDONED];
}

/* A hedge after 10 ms. */
static inline void get_hedged(struct outcome *out)
{
    weir_request *request = must_request("GET", origin_url(origin, "/hedged"));
    weir_hedge hedge;

    weir_hedge_init(&hedge);
    hedge.delay = 0.01;
    assert_int_equal(weir_request_set_hedge(request, &hedge, NULL), WEIR_OK);
    fetch(pool, request, out);
    weir_request_free(request);
}

/* --- scripts ------------------------------------------------------------- */

static const struct origin_step hangs[] = {O_EXPECT, O_HANG, O_END};
static const struct origin_step echoes[] = {O_ECHO, O_END};
/* As the first, when the second has come. */
static const struct origin_step wins_as_first[] = {
    O_EXPECT, O_WAIT(SECOND_IS_THERE), O_SEND(ANSWER("good")), O_ECHO, O_END};
static const struct origin_step dies_as_first[] = {
    O_EXPECT, O_WAIT(SECOND_IS_THERE), O_RESET, O_END};
static const struct origin_step hangs_as_second[] = {
    O_EXPECT, O_POST(SECOND_IS_THERE), O_HANG, O_END};
static const struct origin_step dies_as_second[] = {
    O_EXPECT, O_POST(SECOND_IS_THERE), O_RESET, O_END};

/* A GET whose two requests come to these. */
static inline void race(const struct origin_step *first,
                        const struct origin_step *second, struct outcome *out)
{
    origin_script(origin, 0, first);
    origin_script(origin, 1, second);
    get(pool, origin_url(origin, "/"), out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
