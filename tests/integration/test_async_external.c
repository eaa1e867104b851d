/* The program runs the loop (WEIR_LOOP_EXTERNAL): what its descriptor and its
 * time limit tell, and who runs it when.  The loop itself is the subject, so no
 * other driver takes its place. */
#include "witness.h"

#include <stdatomic.h>

#include "origin_pool.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const struct origin_step answers_when_told[] = {
    O_EXPECT, O_POST(0), O_WAIT(1), O_SEND(HELLO), O_AGAIN};
static const struct origin_step never_answers[] = {O_EXPECT, O_POST(0), O_HANG,
                                                   O_END};

static struct witness seen;
static struct gate gate;

static weir_pool_options external(void)
{
    weir_pool_options options;

    weir_pool_options_init(&options);
    options.loop = WEIR_LOOP_EXTERNAL;
    return options;
}

static int set_up(void **state)
{
    const weir_pool_options options = external();

    (void)state;
    begin_witness(&seen);
    gate = (struct gate){false, false};
    return start_both(NULL, &options);
}

/* --- a bare loop --------------------------------------------------------- */

/* One turn of the program: waits as weir asks, and dispatches.  Milliseconds
 * that were waited at most are returned. */
static int turn(void)
{
    struct pollfd waited = {weir_pool_fd(pool), POLLIN, 0};
    const int timeout = weir_pool_timeout(pool);

    poll(&waited, 1, timeout < 0 ? PATIENCE_S * 1000 : timeout);
    assert_int_equal(weir_pool_dispatch(pool, NULL), WEIR_OK);
    return timeout;
}

static void run_until_done(const struct witness *witness)
{
    while (!witness->seen[AT_DONE])
        turn();
}

static bool is_readable(void)
{
    struct pollfd waited = {weir_pool_fd(pool), POLLIN, 0};

    return poll(&waited, 1, 0) > 0;
}

/* Turns until there is nothing to do. */
static void run_dry(void)
{
    while (weir_pool_timeout(pool) == 0 || is_readable())
        weir_pool_dispatch(pool, NULL);
}

/* Until the origin has so many requests. */
static void run_until_requested(unsigned wanted)
{
    while (origin_requests_in_all(origin) < wanted) {
        run_dry();
        sched_yield();
    }
}

enum {
    CALLS = 100
};

static void test_a_bare_loop_drives_100_calls(void **state)
{
    static struct witness many[CALLS];
    const int fd = weir_pool_fd(pool);
    unsigned done = 0;

    (void)state;
    assert_true(fd >= 0);
    for (unsigned i = 0; i < CALLS; i++) {
        begin_witness(&many[i]);
        watch_get(&many[i], pool, origin_url(origin, "/x"));
    }
    while (done < CALLS) {
        turn();
        for (done = 0; done < CALLS && many[done].seen[AT_DONE]; done++)
            continue;
    }
    for (unsigned i = 0; i < CALLS; i++) {
        end_watch(&many[i]);
        assert_answer(&many[i].outcome, "GET /x 0");
    }
    assert_int_equal(weir_pool_fd(pool), fd);
    assert_at_rest(pool);
}

/* Nothing happens but in a dispatch, and none is asked for without need. */
static void test_a_loop_without_work_is_quiet(void **state)
{
    (void)state;
    run_dry();
    assert_int_equal(weir_pool_timeout(pool), -1);
    origin_script(origin, 0, answers_when_told);
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_int_equal(origin_connections(origin), 0);
    run_until_requested(1);
    assert_true(origin_wait(origin, 0));
    run_dry();
    assert_true(weir_pool_timeout(pool) > 1000); /* total_timeout */
    assert_int_equal(seen.seen[AT_RESPONSE], 0);
    origin_post(origin, 1);
    run_until_done(&seen);
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
}

static void test_a_hosted_loop_is_not_the_program_s(void **state)
{
    static const weir_poller pollers[] = {WEIR_POLLER_AUTO, WEIR_POLLER_EPOLL,
                                          WEIR_POLLER_POLL};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        weir_pool_options options = external();
        weir_pool *hosted;
        weir_error err;

        options.loop = WEIR_LOOP_HOSTED;
        options.poller = pollers[i];
        hosted = must_open(&options);
        assert_int_equal(weir_pool_fd(hosted), -1);
        assert_int_equal(weir_pool_timeout(hosted), -1);
        assert_int_equal(weir_pool_dispatch(hosted, &err), WEIR_E_STATE);
        assert_int_equal(err.code, WEIR_E_STATE);
        begin_witness(&seen);
        watch_get(&seen, hosted, origin_url(origin, "/"));
        end_watch(&seen);
        assert_answer(&seen.outcome, "GET / 0");
        assert_int_equal(weir_pool_dispatch(hosted, NULL), WEIR_E_STATE);
        weir_pool_free(hosted);
    }
    assert_int_equal(weir_pool_fd(NULL), -1);
    assert_int_equal(weir_pool_timeout(NULL), -1);
    assert_int_equal(weir_pool_dispatch(NULL, NULL), WEIR_E_INVALID);
}

/* poll() has no descriptor for the program to wait for. */
static void test_a_poll_loop_cannot_be_the_program_s(void **state)
{
    weir_pool_options options = external();
    weir_pool *none = NULL;

    (void)state;
    options.poller = WEIR_POLLER_POLL;
    assert_int_equal(weir_pool_open(&options, &none, NULL), WEIR_E_OPTION);
    assert_null(none);
}

/* --- what others do ------------------------------------------------------ */

/* On a thread of its own, while this one waits in poll(). */
static void *submit_there(void *user)
{
    (void)user;
    watch_get(&seen, pool, origin_url(origin, "/"));
    return NULL;
}

static void *cancel_there(void *user)
{
    (void)user;
    weir_call_cancel(seen.call);
    return NULL;
}

static void *resume_there(void *user)
{
    (void)user;
    weir_call_resume(seen.call);
    return NULL;
}

/* The descriptor becomes readable for it. */
static void assert_wakes(void *(*act)(void *))
{
    struct pollfd waited = {weir_pool_fd(pool), POLLIN, 0};
    pthread_t thread;

    run_dry();
    assert_int_not_equal(weir_pool_timeout(pool), 0);
    pthread_create(&thread, NULL, act, NULL);
    assert_int_equal(poll(&waited, 1, PATIENCE_S * 1000), 1);
    pthread_join(thread, NULL);
}

static void test_a_submit_wakes_the_loop(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) { /* a dial, and a warm connection */
        begin_witness(&seen);
        assert_wakes(submit_there);
        run_until_done(&seen);
        end_watch(&seen);
        assert_answer(&seen.outcome, "GET / 0");
    }
}

static void test_a_cancel_wakes_the_loop(void **state)
{
    (void)state;
    origin_script(origin, 0, never_answers);
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_until_requested(1);
    assert_wakes(cancel_there);
    run_until_done(&seen);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CANCELLED);
}

static void test_a_resume_wakes_the_loop(void **state)
{
    (void)state;
    seen.flow = WEIR_FLOW_PAUSE;
    watch_get(&seen, pool, origin_url(origin, "/"));
    while (!seen.seen[AT_BODY])
        turn();
    assert_wakes(resume_there);
    run_until_done(&seen);
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
}

/* A connection that a thread gives back goes to the loop's call in the line. */
static void test_a_release_wakes_the_loop(void **state)
{
    weir_pool_options options = external();
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *held = NULL;
    struct pollfd waited = {-1, POLLIN, 0};

    (void)state;
    options.max_per_host = 1;
    weir_pool_free(pool);
    pool = must_open(&options);
    assert_int_equal(weir_send(pool, request, &held, NULL), WEIR_OK);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    run_dry();
    assert_int_equal(figures_of(pool).waiting, 1);
    weir_response_free(held);
    waited.fd = weir_pool_fd(pool);
    assert_int_equal(poll(&waited, 1, PATIENCE_S * 1000), 1);
    run_until_done(&seen);
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
    assert_int_equal(seen.outcome.connection, 1);
}

/* --- time ---------------------------------------------------------------- */

static void check_limit(weir_timeout which, weir_status code)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    begin_witness(&seen);
    weir_request_set_timeout(request, which, 0.05, NULL);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    run_until_done(&seen);
    end_watch(&seen);
    assert_code(&seen.outcome, code);
    assert_at_rest(pool);
}

static void test_a_time_limit_needs_no_traffic(void **state)
{
    (void)state;
    origin_script(origin, 0, never_answers);
    check_limit(WEIR_TIMEOUT_TOTAL, WEIR_E_TOTAL_TIMEOUT);
    check_limit(WEIR_TIMEOUT_FIRST_BYTE, WEIR_E_FIRST_BYTE_TIMEOUT);
}

static void test_a_connect_time_limit_needs_none_either(void **state)
{
    (void)state;
    origin_stop(origin);
    origin = origin_start(&(struct origin_options){.never_accepts = true});
    assert_non_null(origin);
    check_limit(WEIR_TIMEOUT_CONNECT, WEIR_E_CONNECT_TIMEOUT);
}

static void test_a_time_limit_in_the_line(void **state)
{
    weir_pool_options options = external();
    struct witness holder;

    (void)state;
    options.max_per_host = 1;
    weir_pool_free(pool);
    pool = must_open(&options);
    origin_script(origin, 0, never_answers);
    begin_witness(&holder);
    watch_get(&holder, pool, origin_url(origin, "/"));
    run_until_requested(1);
    begin_witness(&seen);
    {
        weir_request *request = must_request("GET", origin_url(origin, "/"));

        weir_request_set_timeout(request, WEIR_TIMEOUT_ACQUIRE, 0.05, NULL);
        watch(&seen, pool, request, &see_all);
        weir_request_free(request);
    }
    run_until_done(&seen);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_ACQUIRE_TIMEOUT);
    weir_call_cancel(holder.call);
    run_until_done(&holder);
    end_watch(&holder);
}

/* The keeper's work is done in dispatches too. */
static void test_idle_connections_are_looked_after(void **state)
{
    static const struct origin_step closes_when_told[] = {
        O_EXPECT, O_SEND(HELLO), O_WAIT(1), O_CLOSE, O_END};
    weir_pool_options options = external();

    (void)state;
    options.idle_timeout = 0.05;
    origin_script(origin, 0, closes_when_told);
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_until_done(&seen);
    end_watch(&seen);
    origin_post(origin, 1);
    while (figures_of(pool).open > 0)
        turn();
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_PEER_CLOSED], 1);
    weir_pool_free(pool);
    pool = must_open(&options);
    begin_witness(&seen);
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_until_done(&seen);
    end_watch(&seen);
    while (figures_of(pool).open > 0)
        turn();
}

/* --- threads beside the loop --------------------------------------------- */

enum {
    THREADS = 8,
    ROUNDS = 25
};

static void *get_often(void *user)
{
    unsigned *wrong = user;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct outcome out;

        begin_outcome(&out);
        {
            weir_response *response = NULL;

            out.code =
                weir_get(pool, origin_url(origin, "/t"), &response, &out.err);
            *wrong += out.code != WEIR_OK;
            weir_response_free(response);
        }
    }
    return NULL;
}

static void test_threads_share_the_pool_meanwhile(void **state)
{
    weir_pool_options options = external();
    static struct witness many[CALLS];
    pthread_t threads[THREADS];
    unsigned wrong[THREADS] = {0};

    (void)state;
    options.max_connections = 4;
    weir_pool_free(pool);
    pool = must_open(&options);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, get_often, &wrong[i]);
    for (unsigned i = 0; i < CALLS; i++) {
        begin_witness(&many[i]);
        watch_get(&many[i], pool, origin_url(origin, "/x"));
        if (i % 8 == 0)
            turn();
    }
    for (unsigned i = 0; i < CALLS; i++)
        run_until_done(&many[i]);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
    for (unsigned i = 0; i < CALLS; i++) {
        end_watch(&many[i]);
        assert_answer(&many[i].outcome, "GET /x 0");
    }
    assert_true(origin_most_open(origin) <= 4);
    assert_at_rest(pool);
}

static uint64_t call_on_loop(void)
{
    begin_witness(&seen);
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_until_done(&seen);
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
    return seen.outcome.connection;
}

static uint64_t call_on_thread(void)
{
    weir_response *response = NULL;
    uint64_t number;

    assert_int_equal(weir_get(pool, origin_url(origin, "/"), &response, NULL),
                     WEIR_OK);
    number = weir_response_connection(response);
    weir_response_free(response);
    return number;
}

/* A connection belongs to the pool, whoever has dialled it. */
static void test_a_connection_passes_to_and_fro(void **state)
{
    const weir_pool_options options = external();

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(call_on_thread(), 1);
        assert_int_equal(call_on_loop(), 1);
        assert_int_equal(call_on_loop(), 1);
    }
    weir_pool_free(pool);
    pool = must_open(&options);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(call_on_loop(), 1);
        assert_int_equal(call_on_thread(), 1);
        assert_int_equal(call_on_thread(), 1);
    }
    assert_int_equal(origin_connections(origin), 2);
}

/* A thread waits for a call, and so runs the loop, while a blocking caller of
 * another thread holds what it needs. */
static void test_a_waiting_thread_runs_the_loop(void **state)
{
    (void)state;
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_int_equal(weir_call_wait(seen.call, PATIENCE_S, NULL, NULL),
                     WEIR_OK);
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
}

/* --- who runs the loop --------------------------------------------------- */

struct waiter {
    pthread_t thread;
    atomic_int tid;
    weir_call *call;
    weir_status status;
};

static void *wait_there(void *user)
{
    struct waiter *waiter = user;

    atomic_store(&waiter->tid, this_thread());
    waiter->status = weir_call_wait(waiter->call, PATIENCE_S, NULL, NULL);
    return NULL;
}

static void stop_at_gate(struct witness *witness)
{
    (void)witness;
    stop_at(&gate);
}

static void *dispatch_until_done(void *user)
{
    run_until_done((struct witness *)user);
    return NULL;
}

/* The thread that runs the loop leaves it for good; the one that waits takes
 * it over. */
static void test_a_waiting_thread_takes_the_loop_over(void **state)
{
    static const struct origin_step answers_late[] = {O_EXPECT, O_WAIT(2),
                                                      O_SEND(HELLO), O_AGAIN};
    struct waiter waiter = {.call = NULL};
    struct witness first;
    pthread_t dispatcher;

    (void)state;
    origin_script(origin, 0, answers_late);
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_until_requested(1);
    begin_witness(&first);
    first.act[AT_DONE] = stop_at_gate;
    origin_script(origin, 1, answers_when_told);
    watch_get(&first, pool, origin_url(origin, "/first"));
    run_until_requested(2);
    origin_post(origin, 1);
    pthread_create(&dispatcher, NULL, dispatch_until_done, &first);
    await_gate(&gate);
    waiter.call = seen.call;
    pthread_create(&waiter.thread, NULL, wait_there, &waiter);
    await_asleep(&waiter.tid);
    open_gate(&gate);
    pthread_join(dispatcher, NULL);
    origin_post(origin, 2);
    pthread_join(waiter.thread, NULL);
    assert_int_equal(waiter.status, WEIR_OK);
    end_watch(&seen);
    end_watch(&first);
    assert_answer(&seen.outcome, "hello");
}

static void submit_another(struct witness *witness)
{
    watch_get((struct witness *)witness->with, pool,
              origin_url(origin, "/another"));
}

/* Another thread's wait leaves work behind: the program, which asked for the
 * time before, learns of it by the descriptor. */
static void test_what_a_wait_leaves_behind_wakes_the_program(void **state)
{
    struct pollfd waited = {weir_pool_fd(pool), POLLIN, 0};
    struct witness another;

    (void)state;
    begin_witness(&another);
    seen.act[AT_RESPONSE] = submit_another; /* while its connection is lent */
    seen.with = &another;
    run_dry();
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_dry();
    assert_true(weir_pool_timeout(pool) != 0);
    assert_int_equal(weir_call_wait(seen.call, PATIENCE_S, NULL, NULL),
                     WEIR_OK);
    if (!another.seen[AT_DONE])
        assert_int_equal(poll(&waited, 1, PATIENCE_S * 1000), 1);
    run_until_done(&another);
    end_watch(&seen);
    end_watch(&another);
    assert_answer(&another.outcome, "GET /another 0");
}

static void *dispatch_for_ever(void *user)
{
    while (!atomic_load((atomic_bool *)user))
        weir_pool_dispatch(pool, NULL);
    return NULL;
}

static void test_many_threads_dispatch(void **state)
{
    static struct witness many[CALLS];
    pthread_t threads[THREADS];
    atomic_bool is_over = false;

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, dispatch_for_ever, &is_over);
    for (unsigned i = 0; i < CALLS; i++) {
        begin_witness(&many[i]);
        watch_get(&many[i], pool, origin_url(origin, "/x"));
    }
    for (unsigned i = 0; i < CALLS; i++) {
        end_watch(&many[i]);
        assert_answer(&many[i].outcome, "GET /x 0");
    }
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_at_rest(pool);
}

/* --- closing ------------------------------------------------------------- */

static void test_a_close_without_any_dispatch(void **state)
{
    (void)state;
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
    assert_int_equal(seen.seen[AT_DONE], 1);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CLOSED);
}

static void test_a_close_runs_the_loop_within_its_grace(void **state)
{
    (void)state;
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_until_requested(1);
    assert_int_equal(weir_pool_close(pool, PATIENCE_S, NULL), WEIR_OK);
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
}

static void test_a_close_over_threads_that_dispatch(void **state)
{
    const weir_pool_options options = external();
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        atomic_bool is_over = false;

        begin_witness(&seen);
        weir_pool_free(pool);
        pool = must_open(&options);
        origin_script(origin, origin_connections(origin), never_answers);
        for (unsigned i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, dispatch_for_ever, &is_over);
        watch_get(&seen, pool, origin_url(origin, "/"));
        assert_true(origin_wait(origin, 0));
        assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
        end_watch(&seen);
        assert_code(&seen.outcome, WEIR_E_CLOSED);
        atomic_store(&is_over, true);
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
}

/* A program that has not noticed the close yet does not turn for ever. */
static void test_a_closed_loop_is_quiet(void **state)
{
    (void)state;
    origin_script(origin, 0, never_answers);
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_until_requested(1);
    assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
    end_watch(&seen);
    assert_true(weir_pool_fd(pool) >= 0);
    assert_int_equal(weir_pool_timeout(pool), -1);
    assert_false(is_readable());
    assert_int_equal(weir_pool_dispatch(pool, NULL), WEIR_OK);
}

/* --- two pools ----------------------------------------------------------- */

struct other_pool {
    weir_pool *pool;
    weir_status waited;
};

static void wait_in_another_pool(struct witness *witness)
{
    struct other_pool *other = witness->with;
    struct witness inner;

    begin_witness(&inner);
    watch_get(&inner, other->pool, origin_url(origin, "/inner"));
    other->waited = weir_call_wait(inner.call, -1, NULL, NULL);
    weir_call_free(inner.call);
}

/* What waits is refused for the callback's own pool alone. */
static void test_a_callback_may_run_another_pool_s_loop(void **state)
{
    const weir_pool_options options = external();
    struct other_pool other = {must_open(&options), WEIR_E_STATE};

    (void)state;
    seen.act[AT_RESPONSE] = wait_in_another_pool;
    seen.with = &other;
    watch_get(&seen, pool, origin_url(origin, "/"));
    run_until_done(&seen);
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
    assert_int_equal(other.waited, WEIR_OK);
    weir_pool_free(other.pool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_bare_loop_drives_100_calls),
        TEST(test_a_loop_without_work_is_quiet),
        TEST(test_a_hosted_loop_is_not_the_program_s),
        TEST(test_a_poll_loop_cannot_be_the_program_s),
        TEST(test_a_submit_wakes_the_loop),
        TEST(test_a_cancel_wakes_the_loop),
        TEST(test_a_resume_wakes_the_loop),
        TEST(test_a_release_wakes_the_loop),
        TEST(test_a_time_limit_needs_no_traffic),
        TEST(test_a_connect_time_limit_needs_none_either),
        TEST(test_a_time_limit_in_the_line),
        TEST(test_idle_connections_are_looked_after),
        TEST(test_threads_share_the_pool_meanwhile),
        TEST(test_a_connection_passes_to_and_fro),
        TEST(test_a_waiting_thread_runs_the_loop),
        TEST(test_a_waiting_thread_takes_the_loop_over),
        TEST(test_what_a_wait_leaves_behind_wakes_the_program),
        TEST(test_many_threads_dispatch),
        TEST(test_a_close_without_any_dispatch),
        TEST(test_a_close_runs_the_loop_within_its_grace),
        TEST(test_a_close_over_threads_that_dispatch),
        TEST(test_a_closed_loop_is_quiet),
        TEST(test_a_callback_may_run_another_pool_s_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
