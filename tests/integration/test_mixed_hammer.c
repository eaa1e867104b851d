/* Everything at once over one small pool: threads that block, threads that
 * submit, others that cancel, resume and change the limits, and a close in the
 * end.  Every call is accounted for, and the limits hold. */
#include "client.h"
#include "witness.h"

#include <stdatomic.h>

#include "connections.h"
#include "origin.h"
#include "sanitized.h"

enum {
    BLOCKERS = 16,
    SUBMITTERS = 4,
    CANCELLERS = 2,
    SLOTS = 16, /* calls of one submitter at a time */
    ENOUGH = IS_SANITIZED ? 500 : 3000,
    LISTENERS = 4,
    MAX_CONNECTIONS = 8,
    MAX_PER_HOST = 4
};

/* A call in flight.  Its submitter alone frees the handle, under the lock, so
 * that whoever has the lock may use it. */
struct slot {
    pthread_mutex_t lock;
    weir_call *call;
    unsigned
        ends; /* times that on_done came; the submitter's once it is done */
    weir_status code;
    bool is_right; /* the answer is that of its request */
    bool pauses;
    struct outcome out;
    char token[64];
};

/* How calls ended. */
struct tally {
    unsigned ok;
    unsigned cancelled;
    unsigned closed;
    unsigned full;
    unsigned refused; /* the pool was closed: no call has begun */
    unsigned wrong;
    char complaint[512];
};

struct worker {
    pthread_t thread;
    unsigned number;
    uint64_t random;
    struct tally tally;
};

static struct origin *origin;
static weir_pool *pool;
static struct slot slots[SUBMITTERS * SLOTS];
static weir_pool_options widest; /* limits that may be set */
static atomic_bool is_over;

/* xorshift64: the same choices in every run. */
static unsigned choose(struct worker *worker, unsigned count)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (unsigned)(worker->random >> 33) % count;
}

static void choose_url(struct worker *worker, char *url, size_t cap,
                       char *token, size_t token_cap)
{
    static const char *const ways[] = {"x", "x", "chunk", "close", "drop"};
    char path[48];

    snprintf(path, sizeof path, "/%s/%u/%u", ways[choose(worker, 5)],
             worker->number, choose(worker, 1000000));
    snprintf(url, cap, "http://127.0.0.1:%u%s",
             origin_port(origin, choose(worker, LISTENERS)), path);
    snprintf(token, token_cap, "GET %s 0", path);
}

static void count(struct tally *tally, weir_status code, bool is_right,
                  const char *message)
{
    if (code == WEIR_OK && is_right) {
        tally->ok++;
    } else if (code == WEIR_E_CANCELLED) {
        tally->cancelled++;
    } else if (code == WEIR_E_CLOSED) {
        tally->closed++;
    } else if (code == WEIR_E_QUEUE_FULL) {
        tally->full++;
    } else {
        tally->wrong++;
        snprintf(tally->complaint, sizeof tally->complaint, "%s: %s",
                 weir_status_name(code), message);
    }
}

/* --- blocking ------------------------------------------------------------ */

static void *block(void *user)
{
    struct worker *worker = user;
    weir_status code;

    do {
        weir_response *response = NULL;
        bool is_right = false;
        weir_error err = {.message = "wrong answer"};
        char token[64];
        char url[96];

        choose_url(worker, url, sizeof url, token, sizeof token);
        code = weir_get(pool, url, &response, &err);
        if (code == WEIR_OK) {
            const weir_slice body = weir_response_body(response);

            is_right = body.len == strlen(token) &&
                       memcmp(body.data, token, body.len) == 0;
        }
        weir_response_free(response);
        count(&worker->tally, code, is_right, err.message);
    } while (code != WEIR_E_CLOSED);
    return NULL;
}

/* --- submitting ---------------------------------------------------------- */

static weir_flow on_slot_body(void *user, weir_call *call, const void *data,
                              size_t len)
{
    struct slot *slot = user;

    (void)call;
    take_streamed(&slot->out, data, len);
    return slot->pauses ? WEIR_FLOW_PAUSE : WEIR_FLOW_ON;
}

static void on_slot_done(void *user, weir_call *call, weir_response *response,
                         const weir_error *error)
{
    struct slot *slot = user;

    (void)call;
    (void)response;
    slot->ends++;
    slot->code = error ? error->code : WEIR_OK;
    if (error)
        slot->out.err = *error;
    slot->is_right = slot->out.len == strlen(slot->token) &&
                     memcmp(slot->out.body, slot->token, slot->out.len) == 0;
}

static weir_status fill(struct worker *worker, struct slot *slot)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_body = on_slot_body,
                                           .on_done = on_slot_done};
    weir_request *request;
    weir_status status;
    weir_error err;
    char url[96];

    begin_outcome(&slot->out);
    slot->ends = 0;
    slot->pauses = choose(worker, 4) == 0;
    choose_url(worker, url, sizeof url, slot->token, sizeof slot->token);
    status = weir_request_new("GET", url, &request, &err);
    if (status == WEIR_OK) {
        pthread_mutex_lock(&slot->lock);
        status = weir_submit(pool, request, &handlers, slot, &slot->call, &err);
        pthread_mutex_unlock(&slot->lock);
        weir_request_free(request);
    }
    if (status == WEIR_E_CLOSED)
        worker->tally.refused++;
    else if (status != WEIR_OK)
        count(&worker->tally, status, false, err.message);
    return status;
}

/* Waits for the end of a slot's call, and resumes it if nobody else does. */
static void empty(struct worker *worker, struct slot *slot)
{
    weir_call *call = slot->call;

    while (weir_call_wait(call, 0.005, NULL, NULL) == WEIR_E_PENDING)
        weir_call_resume(call);
    count(&worker->tally, slot->ends == 1 ? slot->code : WEIR_E_STATE,
          slot->is_right, slot->code ? slot->out.err.message : slot->out.body);
    pthread_mutex_lock(&slot->lock);
    slot->call = NULL;
    weir_call_free(call);
    pthread_mutex_unlock(&slot->lock);
}

static void *submit(void *user)
{
    struct worker *worker = user;
    struct slot *mine = &slots[worker->number % SUBMITTERS * SLOTS];
    weir_status status = WEIR_OK;

    while (status != WEIR_E_CLOSED) {
        struct slot *slot = &mine[choose(worker, SLOTS)];

        if (slot->call)
            empty(worker, slot);
        status = fill(worker, slot);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        if (mine[i].call)
            empty(worker, &mine[i]);
    }
    return NULL;
}

/* --- disturbing ---------------------------------------------------------- */

static void *cancel(void *user)
{
    struct worker *worker = user;

    while (!atomic_load(&is_over)) {
        struct slot *slot = &slots[choose(worker, SUBMITTERS * SLOTS)];
        const unsigned what = choose(worker, 8);

        pthread_mutex_lock(&slot->lock);
        if (slot->call && what == 0)
            weir_call_cancel(slot->call);
        else if (slot->call && what == 1)
            weir_call_pause(slot->call);
        else if (slot->call)
            weir_call_resume(slot->call);
        pthread_mutex_unlock(&slot->lock);
        sched_yield();
    }
    return NULL;
}

static weir_pool_options small(void)
{
    weir_pool_options options = test_options();

    options.max_connections = MAX_CONNECTIONS;
    options.max_per_host = MAX_PER_HOST;
    options.max_waiting = 200;
    options.validate_after = 0.01;
    return options;
}

static void *reconfigure(void *user)
{
    struct worker *worker = user;

    while (!atomic_load(&is_over)) {
        weir_pool_options options = widest;
        weir_status status;
        weir_error err;

        options.max_connections = 2 + choose(worker, MAX_CONNECTIONS - 1);
        options.max_per_host = 1 + choose(worker, MAX_PER_HOST);
        options.max_waiting = 1 + choose(worker, 200);
        options.max_header_fields = 100 + choose(worker, 2);
        options.enabled = choose(worker, 8) != 0;
        status = weir_pool_reconfigure(pool, &options, &err);
        if (status != WEIR_OK && status != WEIR_E_CLOSED)
            count(&worker->tally, status, false, err.message);
        sched_yield();
    }
    return NULL;
}

/* --- all of it ----------------------------------------------------------- */

static struct worker workers[BLOCKERS + SUBMITTERS + CANCELLERS + 1];
static unsigned worker_count;

static void start(unsigned how_many, void *(*work)(void *))
{
    for (unsigned i = 0; i < how_many; i++) {
        struct worker *worker = &workers[worker_count++];

        *worker = (struct worker){.number = worker_count,
                                  .random = UINT64_C(0x9e3779b97f4a7c15) *
                                            worker_count};
        assert_int_equal(pthread_create(&worker->thread, NULL, work, worker),
                         0);
    }
}

static struct tally join_all(void)
{
    struct tally sum = {0};

    for (unsigned i = 0; i < worker_count; i++) {
        const struct tally *tally = &workers[i].tally;

        pthread_join(workers[i].thread, NULL);
        sum.ok += tally->ok;
        sum.cancelled += tally->cancelled;
        sum.closed += tally->closed;
        sum.full += tally->full;
        sum.refused += tally->refused;
        sum.wrong += tally->wrong;
        if (tally->wrong)
            print_error("%s\n", tally->complaint);
    }
    return sum;
}

static void assert_accounted_for(const struct tally *sum)
{
    const weir_pool_figures figures = figures_of(pool);
    uint64_t closed = 0;

    for (unsigned i = 0; i < WEIR_CLOSE_REASON_COUNT; i++)
        closed += figures.closed[i];
    assert_int_equal(sum->wrong, 0);
    assert_int_equal(figures.requests, figures.failures + sum->ok);
    /* Of the blocking calls that found the pool closed, some had not begun. */
    assert_true(figures.failures <= sum->cancelled + sum->closed + sum->full);
    assert_true(figures.failures + BLOCKERS >=
                sum->cancelled + sum->closed + sum->full);
    assert_int_equal(figures.queue_full, sum->full);
    assert_int_equal(figures.open, 0);
    assert_int_equal(figures.leased, 0);
    assert_int_equal(figures.dialing, 0);
    assert_int_equal(figures.waiting, 0);
    assert_int_equal(figures.dialed, closed);
    assert_int_equal(figures.closed[WEIR_CLOSE_PROTOCOL], 0);
    assert_int_equal(figures.closed[WEIR_CLOSE_UNEXPECTED_DATA], 0);
    assert_int_equal(origin_pipelined(origin), 0);
    assert_in_range(connections_most(), 1, MAX_CONNECTIONS);
    assert_in_range(connections_most_at_one(), 1, MAX_PER_HOST);
}

static void hammer(unsigned loops, double grace)
{
    struct runner runner;
    struct tally sum;

    widest = small();
    widest.loops = is_driver("external") ? 1 : loops;
    atomic_store(&is_over, false);
    worker_count = 0;
    for (unsigned i = 0; i < SUBMITTERS * SLOTS; i++)
        pthread_mutex_init(&slots[i].lock, NULL);
    origin = origin_start(&(struct origin_options){.listeners = LISTENERS});
    assert_non_null(origin);
    pool = must_open(&widest);
    connections_forget_most();
    start_runner(&runner, pool);
    start(BLOCKERS, block);
    start(SUBMITTERS, submit);
    start(CANCELLERS, cancel);
    start(1, reconfigure);
    while (figures_of(pool).responses < ENOUGH)
        sched_yield();
    assert_int_equal(weir_pool_close(pool, grace, NULL), WEIR_OK);
    atomic_store(&is_over, true);
    sum = join_all();
    assert_accounted_for(&sum);
    stop_runner(&runner);
    weir_pool_free(pool);
    origin_stop(origin);
}

static void test_everything_at_once(void **state)
{
    (void)state;
    hammer(1, 0.2);
}

static void test_everything_at_once_on_three_loops(void **state)
{
    (void)state;
    hammer(3, 0.2);
}

static void test_a_close_without_grace(void **state)
{
    (void)state;
    hammer(2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_at_once),
        cmocka_unit_test(test_everything_at_once_on_three_loops),
        cmocka_unit_test(test_a_close_without_grace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
