/* What follows a response, as the program sees it: a second request that asks
 * whether the first answer is still good, and the trace of redirects and
 * breakers. */
#include "client.h"

#include "origin.h"

enum {
    EVENTS_MAX = 64
};

/* Events of the kinds that are looked at; a test makes one call at a time, and
 * looks when it has ended. */
struct seen {
    struct {
        weir_trace_kind kind;
        char origin[128];
        char detail[256];
    } events[EVENTS_MAX];
    unsigned count;
};

static void note_event(void *user, const weir_trace_event *event)
{
    struct seen *seen = user;

    if ((event->kind != WEIR_TRACE_REDIRECT &&
         event->kind != WEIR_TRACE_BREAKER) ||
        seen->count == EVENTS_MAX)
        return;
    seen->events[seen->count].kind = event->kind;
    snprintf(seen->events[seen->count].origin, sizeof seen->events->origin,
             "%s", event->origin);
    snprintf(seen->events[seen->count].detail, sizeof seen->events->detail,
             "%s", event->detail);
    seen->count++;
}

static weir_pool *open_traced(struct seen *seen, weir_pool_options *options)
{
    seen->count = 0;
    options->trace = note_event;
    options->trace_user = seen;
    return must_open(options);
}

static void test_a_redirect_is_traced_with_its_target(void **state)
{
    static const struct origin_step script[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 302 Found\r\nLocation: /next?x\r\n"
               "Content-Length: 0\r\n\r\n"),
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"),
        O_END,
    };
    weir_pool_options options = test_options();
    struct origin *origin = origin_start(NULL);
    struct outcome out;
    struct seen seen;
    weir_pool *pool;
    char wanted[256];

    (void)state;
    assert_non_null(origin);
    origin_script(origin, 0, script);
    options.max_redirects = 3;
    pool = open_traced(&seen, &options);
    get(pool, origin_url(origin, "/first"), &out);
    assert_answer(&out, "next");
    snprintf(wanted, sizeof wanted, "302 to %s", origin_url(origin, "/next?x"));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.events[0].kind, WEIR_TRACE_REDIRECT);
    assert_string_equal(seen.events[0].detail, wanted);
    weir_pool_free(pool);
    origin_stop(origin);
}

/* 500 closes nothing, but counts as a failure of the origin. */
static void test_a_breaker_is_traced_when_it_opens(void **state)
{
    static const struct origin_step fails[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n"),
        O_AGAIN,
    };
    weir_pool_options options = test_options();
    struct origin *origin = origin_start(NULL);
    struct outcome out;
    struct seen seen;
    weir_pool *pool;

    (void)state;
    assert_non_null(origin);
    origin_script(origin, 0, fails);
    options.breaker_failures = 2;
    options.breaker_open = 3600;
    pool = open_traced(&seen, &options);
    get(pool, origin_url(origin, "/"), &out);
    assert_int_equal(out.status, 500);
    assert_int_equal(seen.count, 0);
    get(pool, origin_url(origin, "/"), &out);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.events[0].kind, WEIR_TRACE_BREAKER);
    assert_string_equal(seen.events[0].detail, "open");
    get(pool, origin_url(origin, "/"), &out);
    assert_true(out.code != WEIR_OK);
    assert_int_equal(origin_requests_in_all(origin), 2);
    weir_pool_free(pool);
    origin_stop(origin);
}

static weir_response *must_fetch(weir_pool *pool, weir_request *request)
{
    weir_response *response = NULL;
    weir_error err;

    if (fetch_by_driver(pool, request, &response, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    return response;
}

static void test_a_response_says_how_to_ask_again(void **state)
{
    static const struct origin_step script[] = {
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nETag: \"v1\"\r\n"
               "Last-Modified: Fri, 28 Nov 2025 12:00:00 GMT\r\n"
               "Content-Length: 2\r\n\r\nok"),
        O_EXPECT,
        O_SEND("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"),
        O_EXPECT,
        O_SEND("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"),
        O_END,
    };
    weir_pool_options options = test_options();
    struct origin *origin = origin_start(NULL);
    weir_pool *pool = must_open(&options);
    weir_request *request;
    weir_response *earlier;
    weir_response *later;

    (void)state;
    assert_non_null(origin);
    origin_script(origin, 0, script);
    request = must_request("GET", origin_url(origin, "/"));
    earlier = must_fetch(pool, request);
    assert_false(weir_response_is_not_modified(earlier));
    assert_int_equal(weir_request_revalidate(request, earlier, NULL), WEIR_OK);
    weir_response_free(earlier);
    later = must_fetch(pool, request);
    assert_true(weir_response_is_not_modified(later));
    assert_non_null(strstr(origin_request(origin, 0, 1)->head,
                           "If-None-Match: \"v1\"\r\n"));
    assert_non_null(
        strstr(origin_request(origin, 0, 1)->head,
               "If-Modified-Since: Fri, 28 Nov 2025 12:00:00 GMT\r\n"));
    /* What a response has not is not asked for. */
    assert_int_equal(weir_request_revalidate(request, later, NULL), WEIR_OK);
    weir_response_free(later);
    later = must_fetch(pool, request);
    assert_int_equal(weir_response_body(later).len, 3);
    assert_null(
        strstr(origin_request(origin, 0, 2)->head, "If-Modified-Since"));
    weir_response_free(later);
    weir_request_free(request);
    weir_pool_free(pool);
    origin_stop(origin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_redirect_is_traced_with_its_target),
        cmocka_unit_test(test_a_breaker_is_traced_when_it_opens),
        cmocka_unit_test(test_a_response_says_how_to_ask_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
