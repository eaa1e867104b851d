/* Many threads over one small pool: every answer belongs to its request, the
 * limits hold, and every call is accounted for. */
#include "client.h"

#include "connections.h"
#include "origin.h"
#include "sanitized.h"

enum {
    THREADS = 64,
    ROUNDS = IS_SANITIZED ? 25 : 100,
    LISTENERS = 4,
    MAX_CONNECTIONS = 8,
    MAX_PER_HOST = 4
};

struct worker {
    pthread_t thread;
    unsigned number;
    uint64_t random;
    /* how its calls ended */
    unsigned answered;
    unsigned lost;    /* POSTs on a connection that was stale */
    unsigned hurried; /* would not wait */
    unsigned wrong;
    char complaint[512];
};

static struct origin *origin;
static weir_pool *pool;

/* xorshift64: the same calls in every run. */
static unsigned choose(struct worker *worker, unsigned count)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (unsigned)(worker->random >> 33) % count;
}

static void complain(struct worker *worker, const char *token,
                     const struct outcome *out)
{
    worker->wrong++;
    snprintf(worker->complaint, sizeof worker->complaint,
             "%s: %s %d \"%.100s\" %.200s", token, weir_status_name(out->code),
             out->status, out->body, out->code ? out->err.message : "");
}

static void judge(struct worker *worker, const char *method, const char *token,
                  bool hurries, const struct outcome *out)
{
    const bool is_post = strcmp(method, "POST") == 0;
    const bool is_head = strcmp(method, "HEAD") == 0;

    if (out->code == WEIR_OK && out->status == 200 &&
        strcmp(out->body, is_head ? "" : token) == 0)
        worker->answered++;
    else if (out->code == WEIR_E_RESET && is_post && out->err.reused &&
             out->err.may_have_been_processed)
        worker->lost++;
    else if (out->code == WEIR_E_ACQUIRE_TIMEOUT && hurries)
        worker->hurried++;
    else
        complain(worker, token, out);
}

/* Reads the head alone and gives the response up. */
static void look(weir_request *request, struct outcome *out)
{
    weir_response *response = NULL;

    begin_outcome(out);
    out->code = weir_send(pool, request, &response, &out->err);
    if (out->code == WEIR_OK)
        note_response(out, response);
    weir_response_free(response);
}

static void call_once(struct worker *worker, unsigned round)
{
    static const char *const methods[] = {"GET",  "GET", "GET",
                                          "HEAD", "PUT", "POST"};
    static const char *const ways[] = {"x", "x", "x", "chunk", "close", "drop"};
    const char *method = methods[choose(worker, 6)];
    const bool has_body = method[0] == 'P';
    const bool hurries = choose(worker, 16) == 0;
    const unsigned kind = choose(worker, 8);
    struct outcome out;
    weir_request *request;
    char url[128];
    char token[128];
    char path[64];

    snprintf(path, sizeof path, "/%s/%u/%u", ways[choose(worker, 6)],
             worker->number, round);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s",
             origin_port(origin, choose(worker, LISTENERS)), path);
    snprintf(token, sizeof token, "%s %s %u", method, path, has_body ? 5u : 0u);
    if (weir_request_new(method, url, &request, NULL) != WEIR_OK) {
        worker->wrong++;
        return;
    }
    if (has_body)
        weir_request_set_body(request, "hello", 5, NULL);
    if (hurries)
        weir_request_set_timeout(request, WEIR_TIMEOUT_ACQUIRE, 0, NULL);
    if (kind == 0) {
        look(request, &out);
        strcpy(out.body, out.code || method[0] == 'H' ? "" : token);
    } else {
        (kind < 4 ? stream : fetch)(pool, request, &out);
    }
    weir_request_free(request);
    judge(worker, method, token, hurries, &out);
}

static void *work(void *user)
{
    struct worker *worker = user;

    for (unsigned i = 0; i < ROUNDS; i++)
        call_once(worker, i);
    return NULL;
}

static void sum_up(struct worker *sum, const struct worker *worker)
{
    if (worker->wrong)
        print_error("%s\n", worker->complaint);
    sum->answered += worker->answered;
    sum->lost += worker->lost;
    sum->hurried += worker->hurried;
    sum->wrong += worker->wrong;
}

static void assert_figures(const struct worker *sum)
{
    const weir_pool_figures figures = figures_of(pool);
    uint64_t closed = 0;

    for (unsigned i = 0; i < WEIR_CLOSE_REASON_COUNT; i++)
        closed += figures.closed[i];
    assert_int_equal(figures.requests, THREADS * ROUNDS);
    assert_int_equal(figures.responses, sum->answered);
    assert_int_equal(figures.failures, sum->lost + sum->hurried);
    assert_int_equal(figures.acquire_timeouts, sum->hurried);
    assert_int_equal(figures.leased, 0);
    assert_int_equal(figures.dialing, 0);
    assert_int_equal(figures.waiting, 0);
    assert_int_equal(figures.open, figures.idle);
    assert_int_equal(figures.dialed, figures.open + closed);
    /* A dial that nobody needs any more is given up, perhaps after the origin
     * has accepted it. */
    assert_true(origin_connections(origin) >= figures.dialed);
    assert_true(origin_connections(origin) <=
                figures.dialed + figures.dial_failures);
    assert_int_equal(figures.closed[WEIR_CLOSE_PROTOCOL], 0);
    assert_int_equal(figures.closed[WEIR_CLOSE_UNEXPECTED_DATA], 0);
}

static void hammer(const weir_pool_options *options)
{
    static struct worker workers[THREADS];
    struct worker sum = {0};

    origin = origin_start(&(struct origin_options){.listeners = LISTENERS});
    assert_non_null(origin);
    pool = must_open(options);
    connections_forget_most();
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){
            .number = i, .random = UINT64_C(0x9e3779b97f4a7c15) * (i + 1)};
        assert_int_equal(
            pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        sum_up(&sum, &workers[i]);
    }
    assert_int_equal(sum.wrong, 0);
    assert_int_equal(sum.answered + sum.lost + sum.hurried, THREADS * ROUNDS);
    assert_true(sum.answered > THREADS * ROUNDS / 2);
    assert_figures(&sum);
    assert_int_equal(origin_pipelined(origin), 0);
    assert_in_range(connections_most(), 1, MAX_CONNECTIONS);
    assert_in_range(connections_most_at_one(), 1, MAX_PER_HOST);
    weir_pool_free(pool);
    origin_stop(origin);
}

static weir_pool_options small(void)
{
    weir_pool_options options;

    weir_pool_options_init(&options);
    options.max_connections = MAX_CONNECTIONS;
    options.max_per_host = MAX_PER_HOST;
    return options;
}

static void test_64_threads_over_a_small_pool(void **state)
{
    const weir_pool_options options = small();

    (void)state;
    hammer(&options);
}

/* Every connection is looked at before it is lent. */
static void test_64_threads_over_a_careful_pool(void **state)
{
    weir_pool_options options = small();

    (void)state;
    options.validate_after = 0;
    hammer(&options);
}

static void test_64_threads_with_pooling_switched_off(void **state)
{
    weir_pool_options options = small();

    (void)state;
    options.enabled = false;
    hammer(&options);
}

/* The pool is closed over threads that are at work in it. */
static void *work_until_closed(void *user)
{
    struct worker *worker = user;
    struct outcome out;

    do {
        char url[128];

        snprintf(url, sizeof url, "http://127.0.0.1:%u/%u",
                 origin_port(origin, choose(worker, LISTENERS)),
                 worker->number);
        get(pool, url, &out);
        worker->answered += out.code == WEIR_OK;
    } while (out.code == WEIR_OK);
    if (out.code != WEIR_E_CLOSED)
        complain(worker, "until closed", &out);
    return NULL;
}

static void test_a_close_over_64_threads_at_work(void **state)
{
    static struct worker workers[THREADS];
    const weir_pool_options options = small();
    weir_close_report report = {.size = sizeof report};
    struct worker sum = {0};

    (void)state;
    origin = origin_start(&(struct origin_options){.listeners = LISTENERS});
    assert_non_null(origin);
    pool = must_open(&options);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){
            .number = i, .random = UINT64_C(0x9e3779b97f4a7c15) * (i + 1)};
        pthread_create(&workers[i].thread, NULL, work_until_closed,
                       &workers[i]);
    }
    while (figures_of(pool).responses < 2 * THREADS)
        sched_yield();
    assert_int_equal(weir_pool_close(pool, 0, &report), WEIR_OK);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        sum_up(&sum, &workers[i]);
    }
    assert_int_equal(sum.wrong, 0);
    assert_int_equal(figures_of(pool).open, 0);
    assert_int_equal(figures_of(pool).waiting, 0);
    weir_pool_free(pool);
    origin_stop(origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_64_threads_over_a_small_pool),
        cmocka_unit_test(test_64_threads_over_a_careful_pool),
        cmocka_unit_test(test_64_threads_with_pooling_switched_off),
        cmocka_unit_test(test_a_close_over_64_threads_at_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
