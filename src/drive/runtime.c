#include "drive/runtime.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/clock.h"

void wr_trace(struct weir_pool *pool, weir_trace_kind kind, uint64_t connection,
              const char *origin, uint64_t elapsed_ns, const char *format, ...)
{
    char detail[256];
    weir_trace_event event = {.size = sizeof event,
                              .kind = kind,
                              .connection = connection,
                              .origin = origin,
                              .detail = detail,
                              .elapsed = (double)elapsed_ns / 1e9};
    va_list args;

    if (!pool->trace)
        return;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    pool->trace(pool->trace_user, &event);
}

/* --- actions ------------------------------------------------------------- */

static void wake(struct wr_waiter *waiter)
{
    static const uint64_t one = 1;

    if (waiter->wake_fd >= 0)
        (void)!write(waiter->wake_fd, &one, sizeof one);
    else
        pthread_cond_signal(&waiter->wake);
}

static void fail_waiter(struct weir_pool *pool, const struct wr_action *action)
{
    struct wr_waiter *waiter = action->user;

    waiter->ticket = 0;
    waiter->status = action->status;
    if (pool->dial_error && pool->dial_error->code == action->status)
        waiter->error = *pool->dial_error;
    else
        wr_error_set(&waiter->error, action->status, "%s",
                     weir_status_meaning(action->status));
    if (waiter->error.stage == WEIR_STAGE_NONE)
        waiter->error.stage = WEIR_STAGE_WAIT;
    wake(waiter);
}

static void grant(const struct wr_action *action)
{
    struct wr_waiter *waiter = action->user;

    waiter->ticket = 0;
    waiter->conn = action->opaque;
    waiter->is_reused = action->reused;
    wake(waiter);
}

struct wr_waiter *wr_free_hand_locked(struct weir_pool *pool,
                                      const struct wr_key *key)
{
    struct wr_waiter *waiter;

    TAILQ_FOREACH (waiter, &pool->waiters, link) {
        const struct wr_key *wanted = &waiter->target->key;

        if (waiter->ticket && !waiter->dial_id && wanted->len == key->len &&
            memcmp(wanted->bytes, key->bytes, key->len) == 0)
            return waiter;
    }
    return NULL;
}

/* The thread that the core suggests may be busy with another dial of the same
 * bucket; then some older one has none: there are more tickets than dials. */
static void offer_dial(struct weir_pool *pool, const struct wr_action *action)
{
    struct wr_waiter *waiter = action->user;

    if (waiter->dial_id)
        waiter = wr_free_hand_locked(pool, &waiter->target->key);
    assert(waiter);
    waiter->dial_id = action->conn;
    wake(waiter);
}

static void start_close(struct weir_pool *pool, const struct wr_action *action,
                        struct wr_conn_queue *closing)
{
    struct wr_conn *conn = action->opaque;

    conn->reason = action->reason;
    TAILQ_REMOVE(&pool->conns, conn, link);
    STAILQ_INSERT_TAIL(closing, conn, closing);
}

static void take_actions_locked(struct weir_pool *pool,
                                struct wr_conn_queue *closing)
{
    for (;;) {
        const struct wr_action action = wr_core_next_action(pool->core);

        switch (action.kind) {
        case WR_ACT_NONE:
            return;
        case WR_ACT_GRANT:
            grant(&action);
            break;
        case WR_ACT_FAIL:
            fail_waiter(pool, &action);
            break;
        case WR_ACT_DIAL:
            offer_dial(pool, &action);
            break;
        case WR_ACT_CLOSE:
            start_close(pool, &action, closing);
            break;
        }
    }
}

static void close_one_locked(struct weir_pool *pool, struct wr_conn *conn)
{
    const wr_conn_id id = conn->id;

    pthread_mutex_unlock(&pool->lock);
    if (WR_TRACES(pool))
        wr_trace(pool, WEIR_TRACE_CLOSE, conn->number, conn->target->origin, 0,
                 "%s", weir_close_reason_meaning(conn->reason));
    wr_conn_free(conn);
    pthread_mutex_lock(&pool->lock);
    wr_core_closed(pool->core, id, wr_now());
}

void wr_settle_locked(struct weir_pool *pool)
{
    struct wr_conn_queue closing = STAILQ_HEAD_INITIALIZER(closing);
    struct wr_conn *conn;

    for (;;) {
        take_actions_locked(pool, &closing);
        pool->dial_error = NULL;
        conn = STAILQ_FIRST(&closing);
        if (!conn)
            break;
        STAILQ_REMOVE_HEAD(&closing, closing);
        close_one_locked(pool, conn);
    }
    if (pool->is_closed)
        pthread_cond_broadcast(&pool->changed);
}

void wr_tick_locked(struct weir_pool *pool, uint64_t now_ns)
{
    if (wr_core_deadline(pool->core) > now_ns)
        return;
    wr_core_tick(pool->core, now_ns);
    wr_settle_if_needed_locked(pool);
}

void wr_adopt_locked(struct weir_pool *pool, struct wr_conn *conn,
                     wr_conn_id id)
{
    conn->id = id;
    conn->number = ++pool->conn_numbers;
    pool->tally.tls_resumed += conn->is_resumed;
    TAILQ_INSERT_TAIL(&pool->conns, conn, link);
    if (pool->is_cut)
        atomic_store_explicit(&conn->is_cut, true, memory_order_relaxed);
}

/* --- responses ----------------------------------------------------------- */

struct weir_response *wr_take_response_locked(struct weir_pool *pool)
{
    struct weir_response *response = SLIST_FIRST(&pool->spares);

    if (response) {
        SLIST_REMOVE_HEAD(&pool->spares, spare);
        pool->spare_count--;
    } else {
        response = wr_response_new(pool->head_limits.fields);
        if (!response)
            return NULL;
    }
    response->is_in_use = true;
    return response;
}

struct weir_response *wr_keep_response_locked(struct weir_pool *pool,
                                              struct weir_response *response)
{
    response->is_in_use = false;
    if (pool->spare_count >= WR_SPARES_MAX || pool->is_closed ||
        response->fields_max != pool->head_limits.fields)
        return response;
    if (response->exchange.in.cap > WR_SPARE_BUFFER_MAX)
        wr_buf_done(&response->exchange.in);
    wr_buf_done(&response->exchange.tail);
    if (response->exchange.out.cap > WR_SPARE_BUFFER_MAX)
        wr_buf_done(&response->exchange.out);
    SLIST_INSERT_HEAD(&pool->spares, response, spare);
    pool->spare_count++;
    return NULL;
}

/* --- life ---------------------------------------------------------------- */

static void free_pool(struct weir_pool *pool)
{
    struct weir_response *spare;

    while ((spare = SLIST_FIRST(&pool->spares)) != NULL) {
        SLIST_REMOVE_HEAD(&pool->spares, spare);
        wr_response_delete(spare);
    }
    wr_core_free(pool->core);
    wr_resolver_free(pool->means.resolver);
    wr_tls_sessions_free(pool->means.sessions);
    wr_tls_context_free(pool->tls);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    wr_free(pool->options_block);
    wr_free(pool);
}

void wr_unref_unlock(struct weir_pool *pool)
{
    const bool is_last = --pool->refs == 0;

    pthread_mutex_unlock(&pool->lock);
    if (is_last)
        free_pool(pool);
}

/* --- options ------------------------------------------------------------- */

static uint64_t span_or_never(double seconds)
{
    return seconds > 0 ? wr_seconds(seconds) : WR_NEVER;
}

void wr_core_limits_from(const weir_pool_options *options,
                         struct wr_core_limits *ret_limits)
{
    *ret_limits = (struct wr_core_limits){
        .max_total = options->max_connections,
        .max_per_bucket = options->max_per_host,
        .max_waiting = options->max_waiting,
        .idle_ns = wr_seconds(options->idle_timeout),
        .max_age_ns = span_or_never(options->max_age),
        .reuse = options->enabled,
    };
}

void wr_apply_options_locked(struct weir_pool *pool)
{
    const weir_pool_options *options = &pool->options;

    pool->limits = (struct wr_call_limits){
        .acquire_ns = wr_seconds(options->acquire_timeout),
        .connect_ns = wr_seconds(options->connect_timeout),
        .first_byte_ns = span_or_never(options->first_byte_timeout),
        .idle_read_ns = span_or_never(options->idle_read_timeout),
        .total_ns = span_or_never(options->total_timeout),
        .max_body = options->max_body,
    };
    pool->head_limits = (struct wr_head_limits){
        .status_line = (uint32_t)options->max_status_line,
        .section = (uint32_t)options->max_header_bytes,
        .fields = options->max_header_fields,
        .strict = options->strict,
    };
    pool->validate_ns = wr_seconds(options->validate_after);
}
