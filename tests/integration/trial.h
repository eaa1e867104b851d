/* A trial of one response: what becomes of it, fetched whole and streamed, and
 * whether its connection may be used again; a second request follows, which
 * must get the answer that is its own. */
#ifndef INTEGRATION_TRIAL_H
#define INTEGRATION_TRIAL_H

#include "certified.h"

#include "origin.h"

#define NEXT "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"

enum after {
    STAYS, /* the server would serve another request */
    CLOSES,
    RESETS,
    CUTS, /* TLS: closes without close_notify */
};

struct trial {
    const char *method; /* NULL = GET */
    const char *response;
    size_t response_len; /* 0 = strlen */
    enum after after;
    bool tls;

    bool strict; /* options; 0 = the default */
    size_t status_line;
    size_t section;
    unsigned fields;

    weir_status code;
    int status;       /* 0 = 200 */
    const char *body; /* or, streamed, what came of it; NULL = "" */
    bool is_kept;     /* the next request uses the connection */
};

static const struct origin_step answer_next[] = {O_EXPECT, O_SEND(NEXT),
                                                 O_AGAIN};

static inline struct origin *serve(const struct trial *trial,
                                   struct origin_step steps[5])
{
    static const enum origin_verb ends[] = {
        [CLOSES] = ORIGIN_CLOSE, [RESETS] = ORIGIN_RESET, [CUTS] = ORIGIN_CUT};
    const struct origin_step stays[] = {O_EXPECT, O_SEND(NEXT), O_END};
    const struct origin_step closed[] = {O_POST(0), O_END};
    struct origin *origin = origin_start(
        &(struct origin_options){.certs = trial->tls ? certs : NULL});

    assert_non_null(origin);
    steps[0] = stays[0];
    steps[1] = (struct origin_step){
        ORIGIN_SEND, trial->response,
        trial->response_len ? trial->response_len : strlen(trial->response), 0};
    if (trial->after == STAYS)
        memcpy(steps + 2, stays, sizeof stays);
    else
        steps[2] = (struct origin_step){.verb = ends[trial->after]};
    if (trial->after != STAYS)
        memcpy(steps + 3, closed, sizeof closed);
    origin_script(origin, 0, steps);
    origin_script(origin, 1, answer_next);
    return origin;
}

static inline weir_pool *open_for(const struct trial *trial)
{
    weir_pool_options options = test_options();

    options.total_timeout = 10;
    options.strict = trial->strict;
    if (trial->status_line)
        options.max_status_line = trial->status_line;
    if (trial->section)
        options.max_header_bytes = trial->section;
    if (trial->fields)
        options.max_header_fields = trial->fields;
    if (trial->tls)
        options.ca_file = cert_file("ca.pem");
    return must_open(&options);
}

static inline void check_outcome(const struct trial *trial,
                                 const struct outcome *out, bool is_streamed)
{
    assert_code(out, trial->code);
    if (trial->code == WEIR_OK)
        assert_int_equal(out->status, trial->status ? trial->status : 200);
    else
        assert_int_equal(out->err.connection, 1);
    if (trial->code == WEIR_OK || is_streamed)
        assert_string_equal(out->body, trial->body ? trial->body : "");
}

static inline void check_next(const struct trial *trial, struct origin *origin,
                              weir_pool *pool)
{
    struct outcome next;

    get(pool, origin_url(origin, "/next"), &next);
    assert_answer(&next, "next");
    assert_int_equal(next.is_reused, trial->is_kept);
    assert_int_equal(origin_connections(origin), trial->is_kept ? 1 : 2);
    assert_int_equal(figures_of(pool).stale_retries, 0);
}

static inline void run(const struct trial *trial, bool is_streamed)
{
    struct origin_step steps[5];
    struct origin *origin = serve(trial, steps);
    weir_pool *pool = open_for(trial);
    weir_request *request = must_request(trial->method ? trial->method : "GET",
                                         origin_url(origin, "/first"));
    struct outcome out;

    (is_streamed ? stream : fetch)(pool, request, &out);
    weir_request_free(request);
    check_outcome(trial, &out, is_streamed);
    if (trial->after != STAYS)
        assert_true(origin_wait(origin, 0));
    check_next(trial, origin, pool);
    weir_pool_free(pool);
    origin_stop(origin);
}

static inline void check(const struct trial *trial)
{
    run(trial, false);
    run(trial, true);
}

#define CHECK(...) check(&(struct trial){__VA_ARGS__})
#define REFUSED(...) CHECK(.code = WEIR_E_PROTOCOL, .response = __VA_ARGS__)

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

#endif
