/* What the three loop examples share: a pool whose loop is the program's, and
 * calls that tell of themselves when they end. */
#ifndef FETCH_ALL_H
#define FETCH_ALL_H

#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

static int calls_left;
static int calls_failed;

static inline void on_done(void *user, weir_call *call, weir_response *response,
                           const weir_error *error)
{
    const char *url = user;

    (void)call;
    calls_left--;
    if (error) {
        calls_failed++;
        fprintf(stderr, "%s: %s\n", url, error->message);
        return;
    }
    printf("%s: %d, %zu bytes\n", url, weir_response_status(response),
           weir_response_body(response).len);
}

static inline void submit(weir_pool *pool, char *url)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_done = on_done};
    weir_request *request = NULL;
    weir_error err;

    if (weir_request_new("GET", url, &request, &err) == WEIR_OK &&
        weir_submit(pool, request, &handlers, url, NULL, &err) == WEIR_OK) {
        calls_left++;
    } else {
        calls_failed++;
        fprintf(stderr, "%s: %s\n", url, err.message);
    }
    weir_request_free(request);
}

/* A pool that the program's loop drives, with a call for each URL. */
static inline weir_pool *begin(int argc, char **argv)
{
    weir_pool_options options;
    weir_pool *pool;
    weir_error err;

    if (argc < 2) {
        fprintf(stderr, "usage: %s URL...\n", argv[0]);
        exit(2);
    }
    weir_pool_options_init(&options);
    options.loop = WEIR_LOOP_EXTERNAL;
    if (weir_pool_open(&options, &pool, &err) != WEIR_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    for (int i = 1; i < argc; i++)
        submit(pool, argv[i]);
    return pool;
}

static inline int end(weir_pool *pool)
{
    weir_pool_free(pool);
    return calls_failed ? 1 : 0;
}

#endif
