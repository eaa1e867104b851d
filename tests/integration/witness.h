/* What a test sees of asynchronous calls: which callbacks came, in which order,
 * with what; and what it does from within one.
 *
 * A witness is the user pointer of one call.  Callbacks come on other threads,
 * so they note and the test's own thread judges.  One lock and one condition
 * guard all witnesses. */
#ifndef INTEGRATION_WITNESS_H
#define INTEGRATION_WITNESS_H

#include "client.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE_S = 30 /* after which a test has failed */
};

enum moment {
    AT_RESPONSE,
    AT_BODY,
    AT_DONE,
    MOMENTS
};

struct witness {
    /* The test's, set before the call begins. */
    void (*act[MOMENTS])(struct witness *witness); /* within the callback */
    void *with;                                    /* what act needs */
    weir_flow flow;                                /* what on_body answers */

    /* The callbacks'. */
    weir_call *call;         /* the handle, if watch() gave one */
    weir_response *response; /* within a callback */
    unsigned seen[MOMENTS];
    bool is_disordered;     /* a callback came that must not */
    bool had_response;      /* on_done was given one */
    struct outcome outcome; /* as on_done and on_body told */
};

static pthread_mutex_t witness_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t witness_news = PTHREAD_COND_INITIALIZER;

/* --- the callbacks ------------------------------------------------------- */

static inline void see(struct witness *witness, enum moment moment)
{
    pthread_mutex_lock(&witness_lock);
    if (witness->seen[AT_DONE] || (moment == AT_RESPONSE && witness->seen[0]) ||
        (moment == AT_BODY && !witness->seen[AT_RESPONSE]))
        witness->is_disordered = true;
    pthread_mutex_unlock(&witness_lock);
    if (witness->act[moment])
        witness->act[moment](witness);
    pthread_mutex_lock(&witness_lock);
    witness->seen[moment]++;
    pthread_cond_broadcast(&witness_news);
    pthread_mutex_unlock(&witness_lock);
}

static inline void see_response(void *user, weir_call *call,
                                weir_response *response)
{
    struct witness *witness = user;

    (void)call;
    note_response(&witness->outcome, response);
    witness->response = response;
    see(witness, AT_RESPONSE);
}

static inline weir_flow see_body(void *user, weir_call *call, const void *data,
                                 size_t len)
{
    struct witness *witness = user;

    (void)call;
    take_streamed(&witness->outcome, data, len);
    see(witness, AT_BODY);
    return witness->flow;
}

static inline void see_done(void *user, weir_call *call,
                            weir_response *response, const weir_error *error)
{
    struct witness *witness = user;

    (void)call;
    witness->outcome.code = error ? error->code : WEIR_OK;
    if (error)
        witness->outcome.err = *error;
    witness->had_response = response != NULL;
    witness->response = response;
    if (witness->outcome.len < BODY_MAX)
        witness->outcome.body[witness->outcome.len] = '\0';
    see(witness, AT_DONE);
}

static const weir_handlers see_all = {.size = sizeof(weir_handlers),
                                      .on_response = see_response,
                                      .on_body = see_body,
                                      .on_done = see_done};
/* The body is kept by the response. */
static const weir_handlers see_ends = {.size = sizeof(weir_handlers),
                                       .on_response = see_response,
                                       .on_done = see_done};

/* --- beginning ----------------------------------------------------------- */

static inline void begin_witness(struct witness *witness)
{
    memset(witness, 0, offsetof(struct witness, outcome));
    begin_outcome(&witness->outcome);
}

/* Submits with a handle. */
static inline void watch(struct witness *witness, weir_pool *pool,
                         weir_request *request, const weir_handlers *handlers)
{
    weir_error err;

    if (weir_submit(pool, request, handlers, witness, &witness->call, &err) !=
        WEIR_OK)
        fail_msg("weir_submit: %s", err.message);
}

static inline void watch_get(struct witness *witness, weir_pool *pool,
                             const char *url)
{
    weir_request *request = must_request("GET", url);

    watch(witness, pool, request, &see_all);
    weir_request_free(request);
}

/* --- waiting ------------------------------------------------------------- */

/* On witness_news, under witness_lock; false: patience is over. */
static inline bool await_news(const struct timespec *until)
{
    return pthread_cond_clockwait(&witness_news, &witness_lock, CLOCK_MONOTONIC,
                                  until) == 0;
}

static inline struct timespec patience(void)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

/* Until so many callbacks of a kind have returned. */
static inline bool await_seen(struct witness *witness, enum moment moment,
                              unsigned wanted)
{
    const struct timespec until = patience();
    bool is_there;

    pthread_mutex_lock(&witness_lock);
    while (witness->seen[moment] < wanted && await_news(&until))
        continue;
    is_there = witness->seen[moment] >= wanted;
    pthread_mutex_unlock(&witness_lock);
    return is_there;
}

/* --- holding a callback up ----------------------------------------------- */

/* A callback that comes to a gate stays until it is opened, and with it the
 * loop. */
struct gate {
    bool is_reached;
    bool is_open;
};

static inline void stop_at(struct gate *gate)
{
    pthread_mutex_lock(&witness_lock);
    gate->is_reached = true;
    pthread_cond_broadcast(&witness_news);
    while (!gate->is_open)
        pthread_cond_wait(&witness_news, &witness_lock);
    pthread_mutex_unlock(&witness_lock);
}

static inline void await_gate(struct gate *gate)
{
    pthread_mutex_lock(&witness_lock);
    while (!gate->is_reached)
        pthread_cond_wait(&witness_news, &witness_lock);
    pthread_mutex_unlock(&witness_lock);
}

static inline void open_gate(struct gate *gate)
{
    pthread_mutex_lock(&witness_lock);
    gate->is_open = true;
    pthread_cond_broadcast(&witness_news);
    pthread_mutex_unlock(&witness_lock);
}

/* --- threads that sleep -------------------------------------------------- */

static inline int this_thread(void)
{
    return (int)syscall(SYS_gettid);
}

/* Until a thread of this process sleeps, as the kernel sees it; 0 = one that
 * has not said its number yet. */
static inline void await_asleep(atomic_int *thread)
{
    char state = '?';

    while (state != 'S') {
        char path[64];
        char line[256] = "";
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%d/stat",
                 atomic_load(thread));
        file = fopen(path, "r");
        if (file) {
            (void)!fgets(line, sizeof line, file);
            fclose(file);
        }
        state = strrchr(line, ')') ? strrchr(line, ')')[2] : '?';
        sched_yield();
    }
}

/* --- judging ------------------------------------------------------------- */

/* Waits for the end, gives up the handle, and checks what every call keeps to:
 * the order, and one on_done. */
static inline void end_watch(struct witness *witness)
{
    assert_true(await_seen(witness, AT_DONE, 1));
    if (witness->call) {
        const weir_status code = weir_call_wait(witness->call, -1, NULL, NULL);

        assert_int_equal(code, witness->outcome.code);
        assert_true(weir_call_is_done(witness->call));
        weir_call_free(witness->call);
    }
    witness->call = NULL;
    assert_false(witness->is_disordered);
    assert_int_equal(witness->seen[AT_DONE], 1);
    assert_int_equal(witness->had_response, witness->seen[AT_RESPONSE] == 1);
}

/* Nobody holds anything of the pool's. */
static inline void assert_at_rest(weir_pool *pool)
{
    const weir_pool_figures figures = figures_of(pool);

    assert_int_equal(figures.leased, 0);
    assert_int_equal(figures.waiting, 0);
    assert_int_equal(figures.open, figures.idle + figures.dialing);
}

/* --- the program's loop -------------------------------------------------- */

/* A thread that runs the loop of an external pool as a program would; nothing
 * for any other pool. */
struct runner {
    pthread_t thread;
    weir_pool *pool;
    int stop_fd;
    bool is_running;
};

static inline void *run_loop(void *user)
{
    struct runner *runner = user;

    for (;;) {
        struct pollfd waited[] = {{weir_pool_fd(runner->pool), POLLIN, 0},
                                  {runner->stop_fd, POLLIN, 0}};

        poll(waited, 2, weir_pool_timeout(runner->pool));
        if (waited[1].revents)
            return NULL;
        weir_pool_dispatch(runner->pool, NULL);
    }
}

static inline void start_runner(struct runner *runner, weir_pool *pool)
{
    runner->pool = pool;
    runner->is_running = weir_pool_fd(pool) >= 0;
    if (!runner->is_running)
        return;
    runner->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (pthread_create(&runner->thread, NULL, run_loop, runner) != 0)
        fail_msg("no thread");
}

static inline void stop_runner(struct runner *runner)
{
    static const uint64_t one = 1;

    if (!runner->is_running)
        return;
    runner->is_running = false;
    (void)!write(runner->stop_fd, &one, sizeof one);
    pthread_join(runner->thread, NULL);
    close(runner->stop_fd);
}

#endif
