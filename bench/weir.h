/* What the clients of weir share. */
#ifndef BENCH_WEIR_H
#define BENCH_WEIR_H

#include <weir/weir.h>

#include "client.h"

struct weir_client {
    weir_pool *pool;
    weir_request *request;
};

static inline weir_pool_options
weir_client_options(const struct client_args *args)
{
    weir_pool_options options;

    weir_pool_options_init(&options);
    options.ca_file = args->ca_file;
    return options;
}

static inline void weir_client_open(struct weir_client *client,
                                    const struct client_args *args,
                                    const weir_pool_options *options)
{
    weir_error err;

    if (weir_pool_open(options, &client->pool, &err) != WEIR_OK ||
        weir_request_new("GET", args->url, &client->request, &err) != WEIR_OK)
        client_die(err.message);
}

static inline void weir_client_close(struct weir_client *client)
{
    weir_request_free(client->request);
    weir_pool_free(client->pool);
}

static inline void weir_client_fetch(weir_pool *pool, weir_request *request)
{
    weir_response *response;
    weir_error err;

    if (weir_fetch(pool, request, &response, &err) != WEIR_OK)
        client_die(err.message);
    if (weir_response_status(response) != 200)
        client_die("weir: status is not 200");
    weir_response_free(response);
}

static inline void weir_client_get(void *user)
{
    struct weir_client *client = user;

    weir_client_fetch(client->pool, client->request);
}

#endif
