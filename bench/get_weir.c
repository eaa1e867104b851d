/* weir: one request, fetched again and again through a pool. */
#include <weir/weir.h>

#include "client.h"

struct weir_client {
    weir_pool *pool;
    weir_request *request;
};

static void get(void *user)
{
    struct weir_client *client = user;
    weir_response *response;
    weir_error err;

    if (weir_fetch(client->pool, client->request, &response, &err) != WEIR_OK)
        client_die(err.message);
    if (weir_response_status(response) != 200)
        client_die("weir: status is not 200");
    weir_response_free(response);
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv);
    struct weir_client client;
    weir_pool_options options;
    weir_error err;
    int exit_code;

    weir_pool_options_init(&options);
    options.ca_file = args.ca_file;
    if (weir_pool_open(&options, &client.pool, &err) != WEIR_OK ||
        weir_request_new("GET", args.url, &client.request, &err) != WEIR_OK)
        client_die(err.message);
    exit_code = client_run(&args, get, &client);
    weir_request_free(client.request);
    weir_pool_free(client.pool);
    return exit_code;
}
