/* Asynchronous calls: what is told of them, in which order, and what may be
 * done with their handles, from where. */
#include "client.h"
#include "witness.h"

#include "origin.h"

#define HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static const struct origin_step never_answers[] = {O_EXPECT, O_POST(0), O_HANG,
                                                   O_END};
/* Signal 0: the request is there; signal 1 lets it answer. */
static const struct origin_step answers_when_told[] = {
    O_EXPECT, O_POST(0), O_WAIT(1), O_SEND(HELLO), O_AGAIN};

static struct origin *origin;
static weir_pool *pool;
static struct runner runner;
static struct witness seen;

static void open_pool(const weir_pool_options *options)
{
    pool = must_open(options);
    start_runner(&runner, pool);
}

static void drop_pool(void)
{
    stop_runner(&runner);
    weir_pool_free(pool);
    pool = NULL;
}

static int set_up(void **state)
{
    const weir_pool_options options = test_options();

    (void)state;
    begin_witness(&seen);
    origin = origin_start(NULL);
    open_pool(&options);
    return origin ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    drop_pool();
    origin_stop(origin);
    return 0;
}

/* --- what is told -------------------------------------------------------- */

static void test_response_then_body_then_the_end(void **state)
{
    static const struct origin_step in_parts[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               "5\r\nhello\r\n"),
        O_WAIT(1), O_SEND("6\r\n world\r\n0\r\n\r\n"), O_AGAIN};

    (void)state;
    origin_script(origin, 0, in_parts);
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_true(await_seen(&seen, AT_BODY, 1));
    assert_false(weir_call_is_done(seen.call));
    origin_post(origin, 1);
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello world");
    assert_int_equal(seen.seen[AT_RESPONSE], 1);
    assert_int_equal(seen.seen[AT_BODY], 2);
    assert_at_rest(pool);
}

static void test_an_empty_body_is_not_told(void **state)
{
    weir_request *request = must_request("HEAD", origin_url(origin, "/"));

    (void)state;
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    end_watch(&seen);
    assert_answer(&seen.outcome, "");
    assert_int_equal(seen.seen[AT_RESPONSE], 1);
    assert_int_equal(seen.seen[AT_BODY], 0);
}

struct failure {
    weir_status code;
    bool has_head;
    const char *body;
    struct origin_step steps[4];
};

static void test_every_failure_has_one_end(void **state)
{
    static const struct failure failures[] = {
        {WEIR_E_RESET, false, "", {O_EXPECT, O_CLOSE, O_END}},
        {WEIR_E_RESET, false, "", {O_EXPECT, O_RESET, O_END}},
        {WEIR_E_RESET, false, "", {O_CLOSE, O_END}},
        {WEIR_E_TRUNCATED, false, "", {O_EXPECT, O_SEND("HTTP/1."), O_END}},
        {WEIR_E_PROTOCOL, false, "", {O_EXPECT, O_SEND("SSH-2.0\r\n"), O_END}},
        {WEIR_E_TRUNCATED,
         true,
         "",
         {O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
          O_END}},
        {WEIR_E_TRUNCATED,
         true,
         "hell",
         {O_EXPECT, O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
          O_END}},
        {WEIR_E_PROTOCOL,
         true,
         "hello",
         {O_EXPECT,
          O_SEND("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\nxyz\r\n"),
          O_HANG, O_END}},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof failures / sizeof *failures; i++) {
        const struct failure *failure = &failures[i];

        origin_script(origin, i, failure->steps);
        begin_witness(&seen);
        watch_get(&seen, pool, origin_url(origin, "/"));
        end_watch(&seen);
        assert_code(&seen.outcome, failure->code);
        assert_int_equal(seen.had_response, failure->has_head);
        assert_string_equal(seen.outcome.body, failure->body);
        assert_at_rest(pool);
        assert_int_equal(figures_of(pool).failures, i + 1);
    }
}

static void test_a_refused_connection_is_an_end_too(void **state)
{
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", origin_port(origin, 0));
    origin_stop(origin);
    origin = NULL;
    watch_get(&seen, pool, url);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_CONNECT);
    assert_at_rest(pool);
}

static void test_a_time_limit_is_an_end_too(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    (void)state;
    origin_script(origin, 0, never_answers);
    weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 0.05, NULL);
    watch(&seen, pool, request, &see_all);
    weir_request_free(request);
    end_watch(&seen);
    assert_code(&seen.outcome, WEIR_E_TOTAL_TIMEOUT);
    assert_at_rest(pool);
}

/* What on_done would say is what the wait says. */
static void test_nobody_needs_to_listen(void **state)
{
    static const weir_handlers none = {.size = sizeof none};
    weir_response *response = NULL;
    weir_call *call;
    weir_error err;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        weir_request *request = must_request("GET", origin_url(origin, "/"));

        assert_int_equal(
            weir_submit(pool, request, i ? &none : NULL, NULL, &call, &err),
            WEIR_OK);
        weir_request_free(request);
        assert_int_equal(weir_call_wait(call, -1, &response, &err), WEIR_OK);
        weir_call_free(call);
        assert_int_equal(weir_response_body(response).len, strlen("GET / 0"));
        weir_response_free(response);
    }
}

/* A program built against an older header knows fewer handlers. */
static void test_handlers_of_an_older_size(void **state)
{
    weir_handlers older = see_all;
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    (void)state;
    older.size = offsetof(weir_handlers, on_body);
    watch(&seen, pool, request, &older);
    weir_request_free(request);
    assert_int_equal(weir_call_wait(seen.call, -1, NULL, NULL), WEIR_OK);
    weir_call_free(seen.call);
    assert_int_equal(seen.seen[AT_RESPONSE], 1);
    assert_int_equal(seen.seen[AT_BODY], 0);
    assert_int_equal(seen.seen[AT_DONE], 0);
}

static void test_what_cannot_be_submitted(void **state)
{
    const weir_handlers senseless = {.size = 1};
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_call *call = (weir_call *)&seen;

    (void)state;
    assert_int_equal(weir_submit(NULL, request, NULL, NULL, &call, NULL),
                     WEIR_E_INVALID);
    assert_int_equal(weir_submit(pool, NULL, NULL, NULL, &call, NULL),
                     WEIR_E_INVALID);
    assert_int_equal(weir_submit(pool, request, &senseless, NULL, &call, NULL),
                     WEIR_E_INVALID);
    assert_ptr_equal(call, &seen);
    weir_request_free(request);
    weir_call_cancel(NULL);
    weir_call_pause(NULL);
    weir_call_resume(NULL);
    weir_call_free(NULL);
    assert_int_equal(weir_call_wait(NULL, 0, NULL, NULL), WEIR_E_INVALID);
}

/* --- from within --------------------------------------------------------- */

enum {
    CHAIN = 1000
};

struct chain {
    weir_request *request;
    unsigned begun;
    unsigned failed;
};

static void submit_next(struct witness *witness)
{
    struct chain *chain = witness->with;

    chain->failed += witness->outcome.code != WEIR_OK;
    if (chain->begun == CHAIN)
        return;
    chain->begun++;
    chain->failed += weir_submit(pool, chain->request, &see_ends, witness, NULL,
                                 NULL) != WEIR_OK;
}

/* Each call begins the next one from its on_done: on one connection, and with a
 * stack that does not grow. */
static void test_a_chain_of_1000_calls(void **state)
{
    struct chain chain = {must_request("GET", origin_url(origin, "/")), 0, 0};

    (void)state;
    seen.act[AT_DONE] = submit_next;
    seen.with = &chain;
    chain.begun = 1;
    assert_int_equal(
        weir_submit(pool, chain.request, &see_ends, &seen, NULL, NULL),
        WEIR_OK);
    assert_true(await_seen(&seen, AT_DONE, CHAIN));
    weir_request_free(chain.request);
    assert_int_equal(chain.failed, 0);
    assert_int_equal(seen.seen[AT_RESPONSE], CHAIN);
    assert_int_equal(origin_connections(origin), 1);
    assert_int_equal(figures_of(pool).requests, CHAIN);
    assert_at_rest(pool);
}

static void submit_another(struct witness *witness)
{
    struct witness *another = witness->with;
    weir_request *request;

    if (witness->seen[AT_BODY] ||
        weir_request_new("GET", origin_url(origin, "/another"), &request,
                         NULL) != WEIR_OK)
        return;
    weir_submit(pool, request, &see_all, another, &another->call, NULL);
    weir_request_free(request);
}

/* While the one that submits holds its connection, the other takes another. */
static void test_submitting_while_a_response_comes(void **state)
{
    struct witness another;

    (void)state;
    for (enum moment moment = AT_RESPONSE; moment < AT_DONE; moment++) {
        begin_witness(&seen);
        begin_witness(&another);
        seen.act[moment] = submit_another;
        seen.with = &another;
        watch_get(&seen, pool, origin_url(origin, "/one"));
        end_watch(&seen);
        assert_answer(&seen.outcome, "GET /one 0");
        end_watch(&another);
        assert_answer(&another.outcome, "GET /another 0");
    }
    assert_at_rest(pool);
}

struct answers {
    weir_status wait;
    weir_status waits;
    weir_status close;
    weir_status shared;
    weir_status dispatch;
    bool is_done;
};

static void do_what_waits(struct witness *witness)
{
    struct answers *answers = witness->with;
    weir_call *const calls[] = {witness->call};

    answers->wait = weir_call_wait(witness->call, -1, NULL, NULL);
    answers->waits = weir_calls_wait(calls, 1, WEIR_WAIT_ALL, -1, NULL);
    answers->close = weir_pool_close(pool, 0, NULL);
    weir_pool_free(pool);
    answers->dispatch = weir_pool_dispatch(pool, NULL);
    answers->is_done = weir_call_is_done(witness->call);
}

static void test_what_waits_is_refused_in_a_callback(void **state)
{
    (void)state;
    for (enum moment moment = AT_RESPONSE; moment < MOMENTS; moment++) {
        struct answers answers = {0};

        begin_witness(&seen);
        seen.act[moment] = do_what_waits;
        seen.with = &answers;
        watch_get(&seen, pool, origin_url(origin, "/"));
        end_watch(&seen);
        assert_answer(&seen.outcome, "GET / 0");
        assert_int_equal(answers.wait, WEIR_E_STATE);
        assert_int_equal(answers.waits, WEIR_E_STATE);
        assert_int_equal(answers.close, WEIR_E_STATE);
        assert_int_equal(answers.dispatch, WEIR_E_STATE);
        assert_false(answers.is_done);
    }
}

static void close_shared(struct witness *witness)
{
    struct answers *answers = witness->with;

    answers->shared = weir_shared_close(0, NULL);
}

static void test_the_shared_pool_is_not_closed_in_its_callback(void **state)
{
    const weir_pool_options options = test_options();
    struct answers answers = {0};
    struct runner shared_runner;
    weir_pool *shared;

    (void)state;
    assert_int_equal(weir_shared_open(&options, &shared, NULL), WEIR_OK);
    start_runner(&shared_runner, shared);
    seen.act[AT_RESPONSE] = close_shared;
    seen.with = &answers;
    watch_get(&seen, shared, origin_url(origin, "/"));
    end_watch(&seen);
    assert_answer(&seen.outcome, "GET / 0");
    assert_int_equal(answers.shared, WEIR_E_STATE);
    stop_runner(&shared_runner);
    assert_int_equal(weir_shared_close(0, NULL), WEIR_OK);
}

/* --- handles and responses ----------------------------------------------- */

static void free_early(struct witness *witness)
{
    weir_call *call = witness->call;

    witness->call = NULL;
    weir_call_free(call);
}

static void test_a_handle_given_up_in_any_callback(void **state)
{
    (void)state;
    for (enum moment moment = AT_RESPONSE; moment < MOMENTS; moment++) {
        begin_witness(&seen);
        seen.act[moment] = free_early;
        watch_get(&seen, pool, origin_url(origin, "/"));
        end_watch(&seen);
        assert_answer(&seen.outcome, "GET / 0");
    }
    assert_at_rest(pool);
}

static void test_a_handle_given_up_at_once(void **state)
{
    (void)state;
    origin_script(origin, 0, answers_when_told);
    watch_get(&seen, pool, origin_url(origin, "/"));
    free_early(&seen);
    assert_true(origin_wait(origin, 0));
    origin_post(origin, 1);
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
}

static void test_a_handle_and_a_response_outlive_their_pool(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_response *response = NULL;

    (void)state;
    watch(&seen, pool, request, &see_ends);
    weir_request_free(request);
    assert_int_equal(weir_call_wait(seen.call, -1, NULL, NULL), WEIR_OK);
    drop_pool();
    assert_true(weir_call_is_done(seen.call));
    assert_int_equal(weir_call_wait(seen.call, -1, &response, NULL), WEIR_OK);
    weir_call_free(seen.call);
    assert_int_equal(weir_response_status(response), 200);
    assert_memory_equal(weir_response_body(response).data, "GET / 0", 7);
    weir_response_free(response);
}

static void test_a_response_lent_to_on_done_stays_with_the_handle(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_call *call;
    struct witness other;

    (void)state;
    watch(&seen, pool, request, &see_ends);
    assert_int_equal(weir_call_wait(seen.call, -1, NULL, NULL), WEIR_OK);
    call = seen.call;
    begin_witness(&other); /* nothing of the first is used again */
    watch(&other, pool, request, &see_ends);
    weir_request_free(request);
    end_watch(&other);
    assert_memory_equal(weir_response_body(seen.response).data, "GET / 0", 7);
    assert_int_equal(weir_response_connection(seen.response), 1);
    weir_call_free(call);
}

static void test_a_response_is_given_once(void **state)
{
    weir_response *response = NULL;
    weir_response *second = NULL;
    weir_error err;

    (void)state;
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_int_equal(weir_call_wait(seen.call, -1, &response, NULL), WEIR_OK);
    assert_non_null(response);
    assert_int_equal(weir_call_wait(seen.call, -1, &second, &err),
                     WEIR_E_STATE);
    assert_int_equal(err.code, WEIR_E_STATE);
    assert_null(second);
    assert_int_equal(weir_call_wait(seen.call, -1, NULL, NULL), WEIR_OK);
    weir_response_free(response);
    end_watch(&seen);
}

static void test_how_a_call_failed_can_be_asked_often(void **state)
{
    static const struct origin_step closes[] = {O_EXPECT, O_CLOSE, O_END};
    weir_response *response = NULL;
    weir_error err;

    (void)state;
    origin_script(origin, 0, closes);
    watch_get(&seen, pool, origin_url(origin, "/"));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(weir_call_wait(seen.call, -1, &response, &err),
                         WEIR_E_RESET);
        assert_int_equal(err.code, WEIR_E_RESET);
        assert_int_equal(err.connection, 1);
        assert_true(err.may_have_been_processed);
        assert_null(response);
    }
    end_watch(&seen);
}

/* --- waiting ------------------------------------------------------------- */

static void test_a_wait_that_is_too_short_can_be_repeated(void **state)
{
    weir_response *response = NULL;
    weir_error err;

    (void)state;
    origin_script(origin, 0, answers_when_told);
    watch_get(&seen, pool, origin_url(origin, "/"));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(weir_call_wait(seen.call, i * 0.01, &response, &err),
                         WEIR_E_PENDING);
        assert_int_equal(err.code, WEIR_E_PENDING);
        assert_null(response);
    }
    assert_false(weir_call_is_done(seen.call));
    assert_true(origin_wait(origin, 0));
    origin_post(origin, 1);
    assert_int_equal(weir_call_wait(seen.call, PATIENCE_S, NULL, NULL),
                     WEIR_OK);
    end_watch(&seen);
}

static void test_waiting_for_any_and_for_all(void **state)
{
    struct witness others[3];
    weir_call *calls[5] = {NULL};
    size_t index = 99;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        origin_script(origin, i, answers_when_told);
        begin_witness(&others[i]);
        watch_get(&others[i], pool, origin_url(origin, "/"));
        assert_true(origin_wait(origin, 0));
    }
    calls[1] = others[0].call; /* NULL at 0 and 3 */
    calls[2] = others[1].call;
    calls[4] = others[2].call;
    assert_int_equal(weir_calls_wait(calls, 5, WEIR_WAIT_ANY, 0.01, &index),
                     WEIR_E_PENDING);
    assert_int_equal(index, 1);
    origin_post(origin, 1);
    assert_int_equal(weir_calls_wait(calls, 5, WEIR_WAIT_ANY, -1, &index),
                     WEIR_OK);
    assert_true(weir_call_is_done(calls[index]));
    assert_int_equal(weir_calls_wait(calls, 5, WEIR_WAIT_ALL, 0.01, &index),
                     WEIR_E_PENDING);
    assert_false(weir_call_is_done(calls[index]));
    origin_post(origin, 1);
    origin_post(origin, 1);
    assert_int_equal(weir_calls_wait(calls, 5, WEIR_WAIT_ALL, -1, NULL),
                     WEIR_OK);
    for (unsigned i = 0; i < 3; i++)
        end_watch(&others[i]);
}

static void test_sets_that_cannot_be_waited_for(void **state)
{
    const weir_pool_options options = test_options();
    weir_pool *other_pool = must_open(&options);
    weir_call *calls[3] = {NULL};
    struct witness other;

    (void)state;
    assert_int_equal(weir_calls_wait(NULL, 1, WEIR_WAIT_ALL, 0, NULL),
                     WEIR_E_INVALID);
    assert_int_equal(weir_calls_wait(calls, 0, WEIR_WAIT_ALL, 0, NULL),
                     WEIR_E_INVALID);
    assert_int_equal(weir_calls_wait(calls, 3, WEIR_WAIT_ANY, 0, NULL),
                     WEIR_E_INVALID);
    begin_witness(&other);
    watch_get(&seen, pool, origin_url(origin, "/"));
    watch_get(&other, other_pool, origin_url(origin, "/"));
    calls[0] = seen.call;
    calls[2] = other.call;
    assert_int_equal(weir_calls_wait(calls, 3, WEIR_WAIT_ALL, -1, NULL),
                     WEIR_E_INVALID);
    assert_int_equal(weir_call_wait(other.call, -1, NULL, NULL), WEIR_OK);
    end_watch(&other);
    end_watch(&seen);
    weir_pool_free(other_pool);
}

enum {
    WAITERS = 8
};

struct waiter {
    pthread_t thread;
    weir_call *call;
    weir_status status;
    weir_response *response;
};

static void *wait_for_response(void *user)
{
    struct waiter *waiter = user;

    waiter->status = weir_call_wait(waiter->call, -1, &waiter->response, NULL);
    return NULL;
}

static void test_many_wait_for_one_and_one_gets_the_response(void **state)
{
    struct waiter waiters[WAITERS];
    unsigned given = 0;

    (void)state;
    origin_script(origin, 0, answers_when_told);
    watch_get(&seen, pool, origin_url(origin, "/"));
    for (unsigned i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){.call = seen.call};
        pthread_create(&waiters[i].thread, NULL, wait_for_response,
                       &waiters[i]);
    }
    assert_true(origin_wait(origin, 0));
    origin_post(origin, 1);
    for (unsigned i = 0; i < WAITERS; i++) {
        pthread_join(waiters[i].thread, NULL);
        assert_int_equal(waiters[i].status,
                         waiters[i].response ? WEIR_OK : WEIR_E_STATE);
        given += waiters[i].response != NULL;
        weir_response_free(waiters[i].response);
    }
    assert_int_equal(given, 1);
    end_watch(&seen);
}

/* --- a closed pool ------------------------------------------------------- */

static void test_no_call_begins_after_a_close(void **state)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_call *call = NULL;
    weir_error err;

    (void)state;
    watch(&seen, pool, request, &see_all);
    end_watch(&seen);
    stop_runner(&runner);
    assert_int_equal(weir_pool_close(pool, 0, NULL), WEIR_OK);
    assert_int_equal(weir_submit(pool, request, &see_all, &seen, &call, &err),
                     WEIR_E_CLOSED);
    assert_int_equal(err.code, WEIR_E_CLOSED);
    assert_null(call);
    /* It is no call's: it can be changed, and freed. */
    assert_int_equal(weir_request_add_field(request, "X-A", "b", NULL),
                     WEIR_OK);
    weir_request_free(request);
    assert_int_equal(seen.seen[AT_DONE], 1);
}

static void test_a_close_ends_every_call(void **state)
{
    weir_pool_options options = test_options();
    weir_close_report report = {.size = sizeof report};
    struct witness in_line;

    (void)state;
    options.max_per_host = 1;
    drop_pool();
    open_pool(&options);
    origin_script(origin, 0, never_answers);
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, 0));
    begin_witness(&in_line);
    watch_get(&in_line, pool, origin_url(origin, "/"));
    assert_int_equal(weir_pool_close(pool, 0, &report), WEIR_OK);
    /* The close does not return before the last on_done has. */
    assert_int_equal(seen.seen[AT_DONE], 1);
    assert_int_equal(in_line.seen[AT_DONE], 1);
    end_watch(&seen);
    end_watch(&in_line);
    assert_code(&seen.outcome, WEIR_E_CLOSED);
    assert_code(&in_line.outcome, WEIR_E_CLOSED);
    assert_int_equal(report.cut, 1);
    assert_int_equal(report.refused, 1);
    assert_at_rest(pool);
}

static void *close_with_grace(void *user)
{
    weir_pool_close(pool, PATIENCE_S, (weir_close_report *)user);
    return NULL;
}

static void await_closed(void)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));

    while (weir_submit(pool, request, NULL, NULL, NULL, NULL) != WEIR_E_CLOSED)
        sched_yield();
    weir_request_free(request);
}

static void test_a_close_lets_calls_end_within_its_grace(void **state)
{
    weir_pool_options options = test_options();
    weir_close_report report = {.size = sizeof report};
    pthread_t closer;

    (void)state;
    options.max_per_host = 1;
    options.max_waiting = 0;
    drop_pool();
    open_pool(&options);
    origin_script(origin, 0, answers_when_told);
    watch_get(&seen, pool, origin_url(origin, "/"));
    assert_true(origin_wait(origin, 0));
    pthread_create(&closer, NULL, close_with_grace, &report);
    await_closed();
    assert_false(weir_call_is_done(seen.call));
    origin_post(origin, 1);
    pthread_join(closer, NULL);
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
    assert_int_equal(report.finished, 1);
    assert_int_equal(report.cut, 0);
}

/* --- requests ------------------------------------------------------------ */

static void test_a_request_in_flight_cannot_be_changed(void **state)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/"));

    (void)state;
    origin_script(origin, 0, answers_when_told);
    watch(&seen, pool, request, &see_all);
    assert_true(origin_wait(origin, 0));
    assert_int_equal(weir_request_add_field(request, "X-A", "b", NULL),
                     WEIR_E_STATE);
    assert_int_equal(weir_request_set_body(request, "x", 1, NULL),
                     WEIR_E_STATE);
    assert_int_equal(weir_request_set_body_copy(request, "x", 1, NULL),
                     WEIR_E_STATE);
    assert_int_equal(
        weir_request_set_timeout(request, WEIR_TIMEOUT_TOTAL, 1, NULL),
        WEIR_E_STATE);
    assert_int_equal(weir_request_set_isolation(request, "a", NULL),
                     WEIR_E_STATE);
    assert_int_equal(weir_request_set_expect_continue(request, 1, NULL),
                     WEIR_E_STATE);
    origin_post(origin, 1);
    end_watch(&seen);
    assert_answer(&seen.outcome, "hello");
    assert_int_equal(weir_request_add_field(request, "X-A", "b", NULL),
                     WEIR_OK);
    weir_request_free(request);
}

enum {
    TIMES = 100
};

static void test_one_request_many_times_at_once(void **state)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/x"));
    static struct witness many[TIMES];

    (void)state;
    weir_request_set_body(request, "hello", 5, NULL);
    for (unsigned i = 0; i < TIMES; i++) {
        begin_witness(&many[i]);
        watch(&many[i], pool, request, &see_all);
    }
    weir_request_free(request);
    for (unsigned i = 0; i < TIMES; i++) {
        end_watch(&many[i]);
        assert_answer(&many[i].outcome, "PUT /x 5");
    }
    assert_int_equal(origin_requests_in_all(origin), TIMES);
    assert_at_rest(pool);
}

struct text {
    const char *bytes;
    size_t given;
};

static long read_text(void *user, char *buf, size_t cap)
{
    struct text *text = user;
    const size_t left = strlen(text->bytes) - text->given;
    const size_t len = left < cap ? left : cap;

    memcpy(buf, text->bytes + text->given, len);
    text->given += len;
    return (long)len;
}

static int rewind_text(void *user)
{
    ((struct text *)user)->given = 0;
    return 0;
}

/* A body that is read as it is sent is in one call at a time. */
static void test_a_read_body_is_in_one_call(void **state)
{
    weir_request *request = must_request("PUT", origin_url(origin, "/x"));
    struct text text = {"hello", 0};
    weir_error err;

    (void)state;
    weir_request_set_body_reader(request, 5, read_text, rewind_text, &text,
                                 NULL);
    origin_script(origin, 0, answers_when_told);
    for (unsigned i = 0; i < 2; i++) {
        begin_witness(&seen);
        watch(&seen, pool, request, &see_all);
        assert_int_equal(weir_submit(pool, request, NULL, NULL, NULL, &err),
                         WEIR_E_STATE);
        assert_int_equal(err.code, WEIR_E_STATE);
        assert_true(origin_wait(origin, 0));
        origin_post(origin, 1);
        end_watch(&seen);
        assert_answer(&seen.outcome, "hello");
        assert_string_equal(origin_request(origin, 0, i)->body, "hello");
    }
    weir_request_free(request);
}

/* The line is full: no call has begun, and none is told of. */
static void test_a_full_line_refuses_at_once(void **state)
{
    weir_pool_options options = test_options();
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    weir_call *call = NULL;
    struct witness second;

    (void)state;
    options.max_per_host = 1;
    options.max_waiting = 1;
    drop_pool();
    open_pool(&options);
    origin_script(origin, 0, answers_when_told);
    begin_witness(&second);
    watch(&seen, pool, request, &see_all);
    assert_true(origin_wait(origin, 0));
    watch(&second, pool, request, &see_all);
    assert_int_equal(weir_submit(pool, request, &see_all, NULL, &call, NULL),
                     WEIR_E_QUEUE_FULL);
    assert_null(call);
    origin_post(origin, 1);
    origin_post(origin, 1);
    end_watch(&seen);
    end_watch(&second);
    assert_answer(&second.outcome, "hello");
    weir_request_free(request);
    assert_at_rest(pool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_response_then_body_then_the_end),
        TEST(test_an_empty_body_is_not_told),
        TEST(test_every_failure_has_one_end),
        TEST(test_a_refused_connection_is_an_end_too),
        TEST(test_a_time_limit_is_an_end_too),
        TEST(test_nobody_needs_to_listen),
        TEST(test_handlers_of_an_older_size),
        TEST(test_what_cannot_be_submitted),
        TEST(test_a_chain_of_1000_calls),
        TEST(test_submitting_while_a_response_comes),
        TEST(test_what_waits_is_refused_in_a_callback),
        TEST(test_the_shared_pool_is_not_closed_in_its_callback),
        TEST(test_a_handle_given_up_in_any_callback),
        TEST(test_a_handle_given_up_at_once),
        TEST(test_a_handle_and_a_response_outlive_their_pool),
        TEST(test_a_response_lent_to_on_done_stays_with_the_handle),
        TEST(test_a_response_is_given_once),
        TEST(test_how_a_call_failed_can_be_asked_often),
        TEST(test_a_wait_that_is_too_short_can_be_repeated),
        TEST(test_waiting_for_any_and_for_all),
        TEST(test_sets_that_cannot_be_waited_for),
        TEST(test_many_wait_for_one_and_one_gets_the_response),
        TEST(test_no_call_begins_after_a_close),
        TEST(test_a_close_ends_every_call),
        TEST(test_a_close_lets_calls_end_within_its_grace),
        TEST(test_a_request_in_flight_cannot_be_changed),
        TEST(test_one_request_many_times_at_once),
        TEST(test_a_read_body_is_in_one_call),
        TEST(test_a_full_line_refuses_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
