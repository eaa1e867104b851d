/* weir: a pool that holds a connection to each of many origins, asked in turn.
 * They are names of one server. */
#include "weir.h"

struct many {
    weir_pool *pool;
    weir_request **requests;
    unsigned count;
    unsigned at;
};

static void get(void *user)
{
    struct many *many = user;

    weir_client_fetch(many->pool, many->requests[many->at]);
    many->at = (many->at + 1) % many->count;
}

/* URL with its host replaced: "http://127.0.0.1:80/x", "h7" gives
 * "http://h7.test:80/x"; the request goes to the host all the same. */
static weir_request *request_of(const char *url, unsigned number)
{
    weir_request *request;
    char host[64];
    char rest[256];
    char named[384];
    weir_error err;

    if (sscanf(url, "http://%63[^:]%255s", host, rest) != 2)
        client_die("weir: URL must be http://ADDRESS:PORT/PATH");
    snprintf(named, sizeof named, "http://h%u.test%s", number, rest);
    if (weir_request_new("GET", named, &request, &err) != WEIR_OK ||
        weir_request_set_address(request, host, &err) != WEIR_OK)
        client_die(err.message);
    return request;
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 8000);
    weir_pool_options options = weir_client_options(&args);
    struct many many = {.count = args.count,
                        .requests = calloc(args.count, sizeof(void *))};
    weir_error err;
    int exit_code;

    options.max_connections = args.count;
    options.idle_timeout = 600;
    if (weir_pool_open(&options, &many.pool, &err) != WEIR_OK)
        client_die(err.message);
    for (unsigned i = 0; i < args.count; i++) {
        many.requests[i] = request_of(args.url, i);
        weir_client_fetch(many.pool, many.requests[i]);
    }
    exit_code = client_run(&args, get, &many);
    for (unsigned i = 0; i < args.count; i++)
        weir_request_free(many.requests[i]);
    free(many.requests);
    weir_pool_free(many.pool);
    return exit_code;
}
