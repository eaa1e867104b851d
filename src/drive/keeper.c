#include "drive/keeper.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "conn/reuse.h"
#include "drive/follow.h"
#include "drive/leaks.h"
#include "net/clock.h"

/* A connection is put to rest after the bypass window, kept within these. */
#define REST_MIN_NS (WR_SECOND / 10)
#define REST_MAX_NS (WR_SECOND / 2)

enum {
    REST_BATCH = 32, /* connections put to rest under one hold of the lock */
    REST_PACE = 4,   /* rounds within that span, at most */
};

static uint64_t rest_span(const struct weir_pool *pool)
{
    if (pool->validate_ns < REST_MIN_NS)
        return REST_MIN_NS;
    return wr_earlier(pool->validate_ns, REST_MAX_NS);
}

static bool is_keeper(const struct wr_loop *loop)
{
    return loop->index == 0;
}

/* --- when ---------------------------------------------------------------- */

void wr_keeper_nudge_locked(struct weir_pool *pool, uint64_t due_ns)
{
    struct wr_loop *keeper = pool->loop_count ? pool->loops[0] : NULL;

    if (!keeper || !keeper->is_asleep || keeper->sleeps_until_ns <= due_ns)
        return;
    keeper->sleeps_until_ns = due_ns;
    wr_loop_wake_locked(keeper);
}

/* Without a keeper the promises are kept when connections are lent. */
static bool start_keeper_locked(struct weir_pool *pool)
{
    if (pool->has_no_keeper || pool->options.loop == WEIR_LOOP_EXTERNAL)
        return false;
    pool->has_no_keeper = wr_loops_start_locked(pool, NULL) != WEIR_OK;
    return !pool->has_no_keeper;
}

void wr_keeper_rested_locked(struct weir_pool *pool, uint64_t now_ns)
{
    const uint64_t due_ns = wr_after(now_ns, rest_span(pool));
    const bool has_keeper = pool->loop_count > 0;

    if ((has_keeper && pool->loops[0]->rest_ns <= due_ns) ||
        !pool->options.keeper || pool->is_closed ||
        !wr_core_next_to_watch(pool->core))
        return;
    if (!has_keeper && !start_keeper_locked(pool))
        return;
    pool->loops[0]->rest_ns = due_ns;
    wr_keeper_nudge_locked(pool, due_ns);
}

uint64_t wr_keeper_due_locked(const struct wr_loop *loop)
{
    const struct weir_pool *pool = loop->pool;
    uint64_t due_ns;

    if (!is_keeper(loop))
        return WR_NEVER;
    due_ns =
        wr_earlier(wr_core_deadline(pool->core), wr_leaks_due_locked(pool));
    return wr_earlier(due_ns, loop->rest_ns);
}

/* --- putting to rest ----------------------------------------------------- */

/* Resting connections of a bucket have one target between them, though each
 * was dialled with that of some request. */
static void share_target_locked(struct weir_pool *pool, struct wr_conn *conn)
{
    const struct wr_conn *oldest = wr_core_oldest_idle(pool->core, conn->id);

    if (!oldest || oldest->target == conn->target)
        return;
    wr_target_unref(conn->target);
    conn->target = oldest->target;
    wr_target_ref(conn->target);
}

/* false: it cannot be registered, and is tried again. */
static bool put_to_rest_locked(struct wr_loop *loop, struct wr_conn *conn)
{
    struct weir_pool *pool = loop->pool;

    if (!conn->loop && wr_loop_attach_locked(loop, conn) != 0)
        return false;
    wr_transport_rest(&conn->io);
    share_target_locked(pool, conn);
    wr_core_watch(pool->core, conn->id);
    return true;
}

/* Puts to rest what has been idle for long enough, a handful at a time.
 * Returns when the next one is due. */
static uint64_t rest_some_locked(struct wr_loop *loop, uint64_t now_ns)
{
    struct weir_pool *pool = loop->pool;
    const uint64_t span_ns = rest_span(pool);
    struct wr_conn *conn;
    unsigned done = 0;

    while ((conn = wr_core_next_to_watch(pool->core)) != NULL) {
        const uint64_t due_ns =
            wr_after(wr_core_idle_since(pool->core, conn->id), span_ns);

        if (due_ns > now_ns)
            return wr_later(due_ns, wr_after(now_ns, span_ns / REST_PACE));
        if (done++ == REST_BATCH)
            return now_ns;
        if (!put_to_rest_locked(loop, conn))
            return wr_after(now_ns, span_ns);
    }
    return WR_NEVER;
}

void wr_keeper_round(struct wr_loop *loop)
{
    struct weir_pool *pool = loop->pool;

    if (!is_keeper(loop))
        return;
    pthread_mutex_lock(&pool->lock);
    wr_tick_locked(pool, loop->now_ns);
    wr_close_moved_locked(pool);
    wr_settle_if_needed_locked(pool);
    loop->rest_ns = WR_NEVER;
    if (pool->options.keeper && !pool->is_closed)
        loop->rest_ns = rest_some_locked(loop, loop->now_ns);
    pthread_mutex_unlock(&pool->lock);
}

/* --- watching ------------------------------------------------------------ */

/* The socket is looked at under the lock, because nobody else may take the
 * connection meanwhile; that never waits, and TLS records without data are
 * worked off with a cap. */
void wr_keeper_look(struct wr_loop *loop, uint64_t slot_data)
{
    struct weir_pool *pool = loop->pool;
    const uint32_t index = (uint32_t)slot_data;
    struct wr_conn *conn;
    enum wr_io io;
    int error;

    pthread_mutex_lock(&pool->lock);
    conn =
        wr_slot_data(loop, index) == slot_data ? loop->slots[index].conn : NULL;
    if (conn && wr_core_is_idle(pool->core, conn->id)) {
        io = wr_transport_peek(&conn->io);
        error = errno;
        wr_poller_rearm(loop->poller, slot_data, POLLIN);
        if (io != WR_IO_AGAIN) {
            wr_core_lost(pool->core, conn->id, loop->now_ns,
                         wr_judge_idle(io, error));
            wr_settle_locked(pool);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

/* --- warmth -------------------------------------------------------------- */

static void free_warm_locked(struct weir_pool *pool, struct wr_warm *warm)
{
    if (!warm)
        return;
    TAILQ_REMOVE(&pool->warm, warm, link);
    wr_target_unref(warm->target);
    wr_free(warm);
}

static weir_status warm_locked(struct weir_pool *pool, struct wr_warm *warm,
                               struct wr_target *target, unsigned count,
                               weir_error *ret_err)
{
    weir_status status = WEIR_OK;
    void *before = NULL;

    if (pool->is_closed)
        return wr_error_set(ret_err, WEIR_E_CLOSED, "the pool is closed");
    if (count)
        status = wr_loops_start_locked(pool, ret_err);
    if (status != WEIR_OK)
        return status;
    status =
        wr_core_warm(pool->core, &target->key, count, warm, &before, wr_now());
    if (status != WEIR_OK)
        return wr_error_set(ret_err, status, "%s", weir_status_meaning(status));
    free_warm_locked(pool, before);
    if (warm)
        TAILQ_INSERT_TAIL(&pool->warm, warm, link);
    wr_settle_if_needed_locked(pool);
    wr_keeper_nudge_locked(pool, wr_core_deadline(pool->core));
    return WEIR_OK;
}

weir_status wr_keeper_warm(struct weir_pool *pool, struct wr_target *target,
                           unsigned count, weir_error *ret_err)
{
    struct wr_warm *warm = NULL;
    weir_status status;

    if (count) {
        warm = wr_calloc(1, sizeof *warm);
        if (!warm)
            return wr_error_no_memory(ret_err);
        warm->target = target;
        wr_target_ref(target);
    }
    pthread_mutex_lock(&pool->lock);
    status = warm_locked(pool, warm, target, count, ret_err);
    pthread_mutex_unlock(&pool->lock);
    if (status != WEIR_OK && warm) {
        wr_target_unref(warm->target);
        wr_free(warm);
    }
    return status;
}

void wr_keeper_forget_warm_locked(struct weir_pool *pool)
{
    struct wr_warm *warm;

    while ((warm = TAILQ_FIRST(&pool->warm)) != NULL)
        free_warm_locked(pool, warm);
}
