/* weir: many GETs in flight from one thread, weir's own; with WEIR_EXTERNAL in
 * the environment from this one, in a poll() loop that could wait for other
 * things as well. */
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "weir.h"

struct weir_flight {
    weir_pool *pool;
    weir_request *request;
    const struct client_args *args;
    sem_t is_over;
    atomic_long begun; /* by now, or about to be */
    long ended;
    long wanted; /* of this run */
};

static void submit(struct weir_flight *flight);

static weir_flow on_body(void *user, weir_call *call, const void *data,
                         size_t len)
{
    (void)user;
    (void)call;
    (void)data;
    (void)len;
    return WEIR_FLOW_ON;
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    struct weir_flight *flight = user;

    (void)call;
    if (error)
        client_die(error->message);
    if (weir_response_status(response) != 200)
        client_die("weir: status is not 200");
    if (atomic_fetch_add(&flight->begun, 1) < flight->wanted)
        submit(flight);
    /* Last, since the next run may begin at once. */
    if (++flight->ended == flight->wanted)
        sem_post(&flight->is_over);
}

static void submit(struct weir_flight *flight)
{
    static const weir_handlers handlers = {
        .size = sizeof handlers, .on_body = on_body, .on_done = on_done};
    weir_error err;

    if (weir_submit(flight->pool, flight->request, &handlers, flight, NULL,
                    &err) != WEIR_OK)
        client_die(err.message);
}

/* Waits for the end of a run, on the loop of this thread or beside it. */
static void wait_for_end(struct weir_flight *flight)
{
    struct pollfd waited = {weir_pool_fd(flight->pool), POLLIN, 0};

    if (waited.fd < 0)
        sem_wait(&flight->is_over);
    while (waited.fd >= 0 && flight->ended < flight->wanted) {
        poll(&waited, 1, weir_pool_timeout(flight->pool));
        weir_pool_dispatch(flight->pool, NULL);
    }
}

/* All connections before the first request, as the others have them. */
static void connect_all(struct weir_flight *flight)
{
    const unsigned wanted = flight->args->count;
    weir_pool_figures figures = {.size = sizeof figures};
    weir_error err;

    if (weir_pool_warm(flight->pool, flight->args->url, wanted, &err) !=
        WEIR_OK)
        client_die(err.message);
    while (figures.idle < wanted) {
        struct pollfd waited = {weir_pool_fd(flight->pool), POLLIN, 0};

        poll(&waited, waited.fd >= 0, 10);
        if (waited.fd >= 0)
            weir_pool_dispatch(flight->pool, NULL);
        weir_pool_stats(flight->pool, &figures);
    }
    weir_pool_warm(flight->pool, flight->args->url, 0, NULL);
}

static void run(void *user, long count)
{
    struct weir_flight *flight = user;

    flight->begun = flight->args->count;
    flight->ended = 0;
    flight->wanted = count;
    for (unsigned i = flight->args->count; i > 0 && count > 0; i--, count--)
        submit(flight);
    wait_for_end(flight);
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 64);
    struct weir_flight flight = {.args = &args};
    weir_pool_options options = weir_client_options(&args);
    weir_error err;
    int exit_code;

    if (getenv("WEIR_EXTERNAL"))
        options.loop = WEIR_LOOP_EXTERNAL;
    sem_init(&flight.is_over, 0, 0);
    options.max_connections = args.count;
    options.max_per_host = args.count;
    if (weir_pool_open(&options, &flight.pool, &err) != WEIR_OK ||
        weir_request_new("GET", args.url, &flight.request, &err) != WEIR_OK)
        client_die(err.message);
    connect_all(&flight);
    exit_code = client_run_many(&args, run, &flight);
    weir_request_free(flight.request);
    weir_pool_free(flight.pool);
    return exit_code;
}
