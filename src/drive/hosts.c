/* The loops of a pool: made when they are first needed, and run by threads of
 * weir's own unless the program runs them. */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "drive/loop.h"
#include "net/clock.h"

static void free_loop(struct wr_loop *loop)
{
    if (!loop)
        return;
    wr_poller_close(loop->poller);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    wr_heap_done(&loop->call_due);
    wr_heap_done(&loop->dial_due);
    while (loop->room_count > 0)
        wr_room_done(&loop->rooms[--loop->room_count]);
    wr_free(loop->slots);
    wr_free(loop);
}

static struct wr_loop *new_loop(struct weir_pool *pool, unsigned index)
{
    struct wr_loop *loop = wr_calloc(1, sizeof *loop);

    errno = ENOMEM;
    if (!loop)
        return NULL;
    loop->pool = pool;
    loop->index = index;
    TAILQ_INIT(&loop->inbox);
    TAILQ_INIT(&loop->new_dials);
    TAILQ_INIT(&loop->calls);
    TAILQ_INIT(&loop->again);
    TAILQ_INIT(&loop->ready);
    TAILQ_INIT(&loop->dials);
    loop->wake_fd = -1;
    loop->poller = wr_poller_open(pool->options.poller);
    if (loop->poller)
        loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd >= 0) {
        /* Whoever wants something before the first turn must wake it. */
        loop->is_asleep = true;
        loop->sleeps_until_ns = WR_NEVER;
        loop->rest_ns = 0; /* what rests already is seen to at once */
        loop->untimed_ns = WR_NEVER;
        loop->now_ns = wr_now();
        errno = wr_slot_add_first(loop);
        if (errno == 0)
            return loop;
    }
    free_loop(loop);
    return NULL;
}

static void *host(void *user)
{
    struct wr_loop *loop = user;

    while (!loop->must_stop)
        wr_loop_turn(loop, WR_NEVER);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(struct wr_loop *loop)
{
    sigset_t all;
    sigset_t before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&loop->thread, NULL, host, loop);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    loop->has_thread = error == 0;
    return error;
}

static bool is_hosted(const struct weir_pool *pool)
{
    return pool->options.loop == WEIR_LOOP_HOSTED;
}

weir_status wr_loops_make_locked(struct weir_pool *pool, weir_error *ret_err)
{
    const unsigned wanted = is_hosted(pool) ? pool->options.loops : 1;
    struct wr_loop **loops;
    int error = 0;

    loops = wr_calloc(wanted, sizeof(struct wr_loop *));
    if (!loops)
        return wr_error_no_memory(ret_err);
    pool->loops = loops;
    for (unsigned i = 0; i < wanted && !error; i++) {
        loops[i] = new_loop(pool, i);
        error = loops[i] ? 0 : errno;
        if (loops[i])
            pool->loop_count++;
    }
    for (unsigned i = 0; i < wanted && !error && is_hosted(pool); i++)
        error = start_thread(loops[i]);
    if (!error)
        return WEIR_OK;
    wr_loops_stop_locked(pool);
    wr_loops_free(pool);
    if (error == ENOMEM)
        return wr_error_no_memory(ret_err);
    return wr_error_system(ret_err, WEIR_E_SYSTEM, error,
                           "start the loop of asynchronous calls");
}

void wr_loops_stop_locked(struct weir_pool *pool)
{
    for (unsigned i = 0; i < pool->loop_count; i++) {
        pool->loops[i]->is_stopping = true;
        wr_loop_wake_locked(pool->loops[i]);
    }
    for (unsigned i = 0; i < pool->loop_count; i++) {
        while (pool->loops[i]->is_running)
            pthread_cond_wait(&pool->changed, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->loop_count; i++) {
        if (pool->loops[i]->has_thread)
            pthread_join(pool->loops[i]->thread, NULL);
        pool->loops[i]->has_thread = false;
        wr_loop_end(pool->loops[i]);
    }
    pthread_mutex_lock(&pool->lock);
}

void wr_loops_free(struct weir_pool *pool)
{
    for (unsigned i = 0; i < pool->loop_count; i++)
        free_loop(pool->loops[i]);
    wr_free(pool->loops);
    pool->loops = NULL;
    pool->loop_count = 0;
}

bool wr_loop_keeps_time(const struct weir_pool *pool)
{
    return pool->loop_count && is_hosted(pool) && !pool->is_cut;
}

struct wr_loop *wr_loop_choose_locked(struct weir_pool *pool)
{
    struct wr_loop *here = wr_loop_here();

    if (here && here->pool == pool)
        return here;
    return pool->loops[pool->next_loop++ % pool->loop_count];
}
