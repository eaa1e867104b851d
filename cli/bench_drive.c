/* The requests of one run, by threads that block or on the pool's loop. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench.h"

/* What those who make the requests share. */
struct shared {
    weir_pool *pool;
    const char *url;
    struct run *run;
    atomic_size_t next;
    atomic_bool has_failed; /* there is nothing to measure then */
    pthread_mutex_t lock;   /* over the rest, and the run's failures */
    pthread_cond_t ended;
    long in_flight;
};

/* One of the requests that are under way at the same time. */
struct flight {
    struct shared *shared;
    weir_request *request;
    size_t index;
    double begun;
};

static void note_failure(struct shared *shared, const weir_error *err)
{
    struct run *run = shared->run;

    atomic_store(&shared->has_failed, true);
    pthread_mutex_lock(&shared->lock);
    if (run->failed++ == 0)
        snprintf(run->error, sizeof run->error, "%s", err->message);
    pthread_mutex_unlock(&shared->lock);
}

static void make_request(struct flight *flight)
{
    weir_error err;

    if (weir_request_new("GET", flight->shared->url, &flight->request, &err) !=
        WEIR_OK)
        note_failure(flight->shared, &err);
}

/* The next one, if any is left. */
static bool take(struct flight *flight)
{
    struct shared *shared = flight->shared;

    flight->index = atomic_fetch_add(&shared->next, 1);
    flight->begun = cli_now();
    return flight->index < shared->run->count &&
           !atomic_load(&shared->has_failed);
}

/* err NULL: well. */
static void note_end(const struct flight *flight, const weir_error *err)
{
    flight->shared->run->latencies[flight->index] = cli_now() - flight->begun;
    if (err)
        note_failure(flight->shared, err);
}

/* --- blocking ------------------------------------------------------------ */

static void *work(void *user)
{
    struct flight flight = {.shared = user};

    make_request(&flight);
    while (flight.request && take(&flight)) {
        weir_response *response = NULL;
        weir_error err;
        const weir_status status =
            weir_fetch(flight.shared->pool, flight.request, &response, &err);

        weir_response_free(response);
        note_end(&flight, status == WEIR_OK ? NULL : &err);
    }
    weir_request_free(flight.request);
    return NULL;
}

static void drive_blocking(struct shared *shared, long concurrency)
{
    pthread_t *threads = cli_alloc((size_t)concurrency * sizeof *threads);
    long started = 0;

    while (started + 1 < concurrency &&
           pthread_create(&threads[started], NULL, work, shared) == 0)
        started++;
    work(shared);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    free(threads);
}

/* --- on the loop --------------------------------------------------------- */

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error);

/* Submits the next request; without one the flight is over. */
static void go_on(struct flight *flight)
{
    static const weir_handlers handlers = {.size = sizeof handlers,
                                           .on_done = on_done};
    struct shared *shared = flight->shared;
    weir_error err;

    while (flight->request && take(flight)) {
        if (weir_submit(shared->pool, flight->request, &handlers, flight, NULL,
                        &err) == WEIR_OK)
            return;
        note_end(flight, &err);
    }
    pthread_mutex_lock(&shared->lock);
    if (--shared->in_flight == 0)
        pthread_cond_signal(&shared->ended);
    pthread_mutex_unlock(&shared->lock);
}

static void on_done(void *user, weir_call *call, weir_response *response,
                    const weir_error *error)
{
    (void)call;
    (void)response;
    note_end(user, error);
    go_on(user);
}

static void drive_loop(struct shared *shared, long concurrency)
{
    struct flight *flights = cli_alloc((size_t)concurrency * sizeof *flights);

    shared->in_flight = concurrency;
    for (long i = 0; i < concurrency; i++) {
        flights[i].shared = shared;
        make_request(&flights[i]);
        go_on(&flights[i]);
    }
    pthread_mutex_lock(&shared->lock);
    while (shared->in_flight > 0)
        pthread_cond_wait(&shared->ended, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
    for (long i = 0; i < concurrency; i++)
        weir_request_free(flights[i].request);
    free(flights);
}

/* --- both ---------------------------------------------------------------- */

void bench_drive(const struct scenario *scenario, weir_pool *pool,
                 const char *url, struct run *run)
{
    struct shared shared = {.pool = pool,
                            .url = url,
                            .run = run,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .ended = PTHREAD_COND_INITIALIZER};

    if (scenario->driver == DRIVER_BLOCKING)
        drive_blocking(&shared, scenario->concurrency);
    else
        drive_loop(&shared, scenario->concurrency);
}
