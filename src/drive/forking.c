#include "drive/forking.h"

#include <unistd.h>

#include "drive/dialing.h"
#include "drive/keeper.h"
#include "drive/leaks.h"
#include "drive/loop.h"
#include "drive/means.h"
#include "drive/wake.h"

static struct {
    pthread_mutex_t lock; /* before all others but those of dials */
    TAILQ_HEAD(, weir_pool) pools;
} known = {PTHREAD_MUTEX_INITIALIZER, TAILQ_HEAD_INITIALIZER(known.pools)};

/* --- what the child inherits --------------------------------------------- */

static void close_waits(const struct wr_waits *waits)
{
    for (unsigned i = 0; waits && i < waits->count; i++)
        close(waits->fds[i].fd);
}

/* Threads that are not there any more, whose stacks still are. */
static void drop_threads(struct weir_pool *pool)
{
    struct wr_thread *thread;

    TAILQ_FOREACH (thread, &pool->threads, link) {
        close_waits(thread->waits);
        if (thread->wake_fd >= 0)
            close(thread->wake_fd);
    }
    wr_wake_drop_spare_locked(pool); /* the parent's too */
    TAILQ_INIT(&pool->threads);
    TAILQ_INIT(&pool->delayed);
    pool->timekeeper = NULL;
}

/* Nothing is taken out of the poller: with epoll the parent shares it. */
static void drop_loop(struct wr_loop *loop)
{
    const int fd = wr_poller_fd(loop->poller);

    for (uint32_t i = 0; i < loop->slot_count; i++) {
        if (loop->slots[i].fd >= 0 && !loop->slots[i].conn)
            close(loop->slots[i].fd);
    }
    if (fd >= 0)
        close(fd);
}

static void drop_loops(struct weir_pool *pool)
{
    for (unsigned i = 0; i < pool->loop_count; i++)
        drop_loop(pool->loops[i]);
    pool->loops = NULL;
    pool->loop_count = 0;
    pool->has_no_keeper = false;
    pool->call_count = 0;
    pool->call_waiters = 0;
    pool->epoch++;
}

/* One that is lent stays until it is given back, which frees it: id 0. */
static void drop_conns(struct weir_pool *pool)
{
    struct wr_conn *conn;

    while ((conn = TAILQ_FIRST(&pool->conns)) != NULL) {
        const bool is_idle = wr_core_is_idle(pool->core, conn->id);

        TAILQ_REMOVE(&pool->conns, conn, link);
        wr_transport_abandon(&conn->io);
        conn->loop = NULL;
        conn->id = 0;
        atomic_store_explicit(&conn->is_cut, true, memory_order_relaxed);
        if (is_idle)
            wr_conn_free(conn);
    }
}

/* --- how it begins ------------------------------------------------------- */

static void init_locks(struct weir_pool *pool)
{
    pthread_mutex_init(&pool->lock, NULL);
    wr_dialing_init_gate(pool);
    pthread_cond_init(&pool->changed, NULL);
    pthread_cond_init(&pool->call_ended, NULL);
}

/* Without memory for it the pool counts as closed. */
static void begin_again(struct weir_pool *pool)
{
    struct wr_core_limits limits;
    struct wr_health *health = wr_health_new(WR_ORIGINS_MAX);
    struct wr_core *core;

    wr_core_limits_from(&pool->options, &limits);
    core = wr_core_new(&limits);
    if (!core || !health || wr_means_make(pool, NULL) != WEIR_OK) {
        wr_core_free(core);
        wr_health_free(health);
        pool->is_closed = true;
        return;
    }
    wr_core_free(pool->core);
    pool->core = core;
    wr_health_free(pool->health);
    pool->health = health;
    pool->tally = (struct wr_tally){0};
    pool->tls = NULL;
    pool->dns_seen = 0;
    atomic_store(&pool->is_tls_due, true);
}

static void begin_empty(struct weir_pool *pool)
{
    init_locks(pool);
    drop_threads(pool);
    drop_loops(pool);
    drop_conns(pool);
    wr_keeper_forget_warm_locked(pool);
    wr_leaks_forget(pool);
    begin_again(pool);
}

/* --- fork ---------------------------------------------------------------- */

/* No dial is within a step, and nobody holds a lock. */
static void before_fork(void)
{
    struct weir_pool *pool;

    pthread_mutex_lock(&known.lock);
    TAILQ_FOREACH (pool, &known.pools, known) {
        pthread_rwlock_wrlock(&pool->dial_gate);
        pthread_mutex_lock(&pool->lock);
    }
}

static void in_parent(void)
{
    struct weir_pool *pool;

    TAILQ_FOREACH (pool, &known.pools, known) {
        pthread_mutex_unlock(&pool->lock);
        pthread_rwlock_unlock(&pool->dial_gate);
    }
    pthread_mutex_unlock(&known.lock);
}

static void in_child(void)
{
    struct weir_pool *pool;

    pthread_mutex_init(&known.lock, NULL);
    TAILQ_FOREACH (pool, &known.pools, known)
        begin_empty(pool);
}

static void ask_to_be_told(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}

void wr_forking_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, ask_to_be_told);
}

void wr_forking_add(struct weir_pool *pool)
{
    wr_forking_prepare();
    pthread_mutex_lock(&known.lock);
    TAILQ_INSERT_TAIL(&known.pools, pool, known);
    pthread_mutex_unlock(&known.lock);
}

void wr_forking_remove(struct weir_pool *pool)
{
    pthread_mutex_lock(&known.lock);
    TAILQ_REMOVE(&known.pools, pool, known);
    pthread_mutex_unlock(&known.lock);
}
