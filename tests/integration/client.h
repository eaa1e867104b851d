/* What the whole-library tests share: a pool with options, and a call whose
 * outcome can be looked at after its response is gone. */
#ifndef INTEGRATION_CLIENT_H
#define INTEGRATION_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weir/weir.h>

enum {
    BODY_MAX = 4096
};

/* One call as it ended. */
struct outcome {
    weir_status code;
    weir_error err; /* code WEIR_OK: nothing in it */
    int status;
    bool is_reused;
    uint64_t connection;
    size_t len;          /* of the body, of which BODY_MAX are kept */
    char body[BODY_MAX]; /* NUL behind it */
};

/* Which driver calls go through: WEIR_TEST_DRIVER is blocking (so without it),
 * epoll or poll (asynchronous, on a loop of weir's own) or external (the
 * waiting thread runs the loop). */
static inline const char *test_driver(void)
{
    const char *driver = getenv("WEIR_TEST_DRIVER");

    return driver ? driver : "blocking";
}

static inline bool is_driver(const char *name)
{
    return strcmp(test_driver(), name) == 0;
}

static inline void choose_driver(weir_pool_options *options)
{
    if (is_driver("poll"))
        options->poller = WEIR_POLLER_POLL;
    if (is_driver("external"))
        options->loop = WEIR_LOOP_EXTERNAL;
}

/* Options for tests: the defaults, but every idle connection is looked at
 * before it is lent, so that no outcome depends on the bypass window. */
static inline weir_pool_options test_options(void)
{
    weir_pool_options options;

    weir_pool_options_init(&options);
    options.validate_after = 0;
    choose_driver(&options);
    return options;
}

static inline weir_pool *must_open(const weir_pool_options *options)
{
    weir_pool_options chosen;
    weir_pool *pool = NULL;
    weir_error err;

    if (!options) {
        weir_pool_options_init(&chosen);
        choose_driver(&chosen);
        options = &chosen;
    }
    if (weir_pool_open(options, &pool, &err) != WEIR_OK)
        fail_msg("weir_pool_open: %s", err.message);
    return pool;
}

static inline weir_request *must_request(const char *method, const char *url)
{
    weir_request *request = NULL;
    weir_error err;

    if (weir_request_new(method, url, &request, &err) != WEIR_OK)
        fail_msg("weir_request_new %s %s: %s", method, url, err.message);
    return request;
}

static inline double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void begin_outcome(struct outcome *out)
{
    memset(out, 0, offsetof(struct outcome, body));
    out->body[0] = '\0';
}

static inline void note_response(struct outcome *out,
                                 const weir_response *response)
{
    out->status = weir_response_status(response);
    out->is_reused = weir_response_is_reused(response);
    out->connection = weir_response_connection(response);
}

/* weir_submit() and weir_call_wait(). */
static inline weir_status submit_and_wait(weir_pool *pool,
                                          weir_request *request,
                                          const weir_handlers *handlers,
                                          void *user, weir_response **ret,
                                          weir_error *err)
{
    weir_call *call;
    weir_status status = weir_submit(pool, request, handlers, user, &call, err);

    if (status != WEIR_OK)
        return status;
    status = weir_call_wait(call, -1, ret, err);
    weir_call_free(call);
    return status;
}

static inline weir_status fetch_by_driver(weir_pool *pool,
                                          weir_request *request,
                                          weir_response **ret, weir_error *err)
{
    if (is_driver("blocking"))
        return weir_fetch(pool, request, ret, err);
    return submit_and_wait(pool, request, NULL, NULL, ret, err);
}

/* weir_fetch() of a request that stays the caller's. */
static inline void fetch(weir_pool *pool, weir_request *request,
                         struct outcome *out)
{
    weir_response *response = NULL;

    begin_outcome(out);
    out->code = fetch_by_driver(pool, request, &response, &out->err);
    if (out->code == WEIR_OK) {
        const weir_slice body = weir_response_body(response);
        const size_t kept = body.len < BODY_MAX ? body.len : BODY_MAX - 1;

        note_response(out, response);
        out->len = body.len;
        if (kept)
            memcpy(out->body, body.data, kept);
        out->body[kept] = '\0';
    }
    weir_response_free(response);
}

static inline void take_streamed(struct outcome *out, const void *data,
                                 size_t len)
{
    if (out->len + len < BODY_MAX)
        memcpy(out->body + out->len, data, len);
    out->len += len;
}

static inline void on_stream_response(void *user, weir_call *call,
                                      weir_response *response)
{
    (void)call;
    note_response((struct outcome *)user, response);
}

static inline weir_flow on_stream_body(void *user, weir_call *call,
                                       const void *data, size_t len)
{
    (void)call;
    take_streamed((struct outcome *)user, data, len);
    return WEIR_FLOW_ON;
}

/* weir_send() and weir_response_read() to the end or a failure. */
static inline void stream(weir_pool *pool, weir_request *request,
                          struct outcome *out)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_response = on_stream_response,
                                           .on_body = on_stream_body};
    weir_response *response = NULL;

    begin_outcome(out);
    if (!is_driver("blocking")) {
        out->code = submit_and_wait(pool, request, &handlers, out, &response,
                                    &out->err);
        out->body[out->len < BODY_MAX ? out->len : BODY_MAX - 1] = '\0';
        weir_response_free(response);
        return;
    }
    out->code = weir_send(pool, request, &response, &out->err);
    if (out->code != WEIR_OK)
        return;
    note_response(out, response);
    for (;;) {
        char buf[1024];
        size_t len = 0;

        out->code =
            weir_response_read(response, buf, sizeof buf, &len, &out->err);
        if (out->code != WEIR_OK || len == 0)
            break;
        take_streamed(out, buf, len);
    }
    out->body[out->len < BODY_MAX ? out->len : BODY_MAX - 1] = '\0';
    weir_response_free(response);
}

static inline void fetch_method(weir_pool *pool, const char *method,
                                const char *url, struct outcome *out)
{
    weir_request *request = must_request(method, url);

    fetch(pool, request, out);
    weir_request_free(request);
}

static inline void get(weir_pool *pool, const char *url, struct outcome *out)
{
    fetch_method(pool, "GET", url, out);
}

/* A GET on a thread of its own. */
struct call {
    pthread_t thread;
    weir_pool *pool;
    const char *url;
    struct outcome out; /* once it has been joined */
};

static inline void *run_call(void *user)
{
    struct call *call = user;

    get(call->pool, call->url, &call->out);
    return NULL;
}

static inline void start_call(struct call *call, weir_pool *pool,
                              const char *url)
{
    call->pool = pool;
    call->url = url;
    if (pthread_create(&call->thread, NULL, run_call, call) != 0)
        fail_msg("no thread");
}

static inline void join_call(struct call *call)
{
    pthread_join(call->thread, NULL);
}

static inline void check_code(const struct outcome *out, weir_status wanted,
                              const char *file, int line)
{
    if (out->code == wanted)
        return;
    print_error("%s (%s), wanted %s\n", weir_status_name(out->code),
                out->code ? out->err.message : "", weir_status_name(wanted));
    _fail(file, line);
}

/* Fails the test unless the call ended as it must, with what it said. */
#define assert_code(ended, wanted)                                             \
    check_code((ended), (wanted), __FILE__, __LINE__)

/* A 200 with this body. */
#define assert_answer(ended, text)                                             \
    do {                                                                       \
        assert_code((ended), WEIR_OK);                                         \
        assert_int_equal((ended)->status, 200);                                \
        assert_string_equal((ended)->body, (text));                            \
    } while (0)

static inline weir_pool_figures figures_of(weir_pool *pool)
{
    weir_pool_figures figures = {.size = sizeof figures};

    assert_int_equal(weir_pool_stats(pool, &figures), WEIR_OK);
    return figures;
}

/* Until so many callers stand in line. */
static inline void await_waiting(weir_pool *pool, uint64_t wanted)
{
    while (figures_of(pool).waiting != wanted)
        sched_yield();
}

#endif
