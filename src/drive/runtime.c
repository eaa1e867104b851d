#include "drive/runtime.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cold.h"
#include "base/error.h"
#include "base/mem.h"
#include "conn/decoding.h"
#include "drive/call.h"
#include "drive/forking.h"
#include "drive/keeper.h"
#include "drive/leaks.h"
#include "drive/wake.h"
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

static struct wr_thread *thread_of(struct wr_waiter *waiter)
{
    return WR_OWNER(waiter, struct wr_thread, waiter);
}

/* The ticket has ended. */
static void tell(struct wr_waiter *waiter)
{
    waiter->ticket = 0;
    if (waiter->call)
        wr_call_post_locked(waiter->call);
    else
        wr_wake_thread(thread_of(waiter));
}

static void fail_waiter(const struct wr_action *action)
{
    struct wr_waiter *waiter = action->user;

    waiter->status = action->status;
    if (action->cause && action->cause->code == action->status)
        waiter->error = *action->cause;
    else
        wr_error_set(&waiter->error, action->status, "%s",
                     weir_status_meaning(action->status));
    if (waiter->error.stage == WEIR_STAGE_NONE)
        waiter->error.stage = WEIR_STAGE_WAIT;
    tell(waiter);
}

static void grant(const struct wr_action *action)
{
    struct wr_waiter *waiter = action->user;

    waiter->conn = action->opaque;
    waiter->is_reused = action->reused;
    waiter->has_rested = action->reused;
    tell(waiter);
}

struct wr_thread *wr_free_hand_locked(struct weir_pool *pool,
                                      const struct wr_key *key)
{
    struct wr_thread *thread;

    TAILQ_FOREACH (thread, &pool->threads, link) {
        const struct wr_key *wanted = &thread->waiter.target->key;

        if (thread->waiter.ticket && !thread->dial_id &&
            wanted->len == key->len &&
            memcmp(wanted->bytes, key->bytes, key->len) == 0)
            return thread;
    }
    return NULL;
}

/* The thread that the core suggests may be busy with another dial of the same
 * bucket; then there is another one, or a call, whose loop dials: there are
 * more tickets than dials. */
static void offer_dial(struct weir_pool *pool, const struct wr_action *action)
{
    struct wr_waiter *waiter = action->user;
    struct wr_thread *thread;

    if (action->ticket == 0) {
        const struct wr_warm *warm = action->user;

        wr_loop_offer_dial_locked(pool, warm->target, action->conn,
                                  pool->limits.connect_ns);
        return;
    }
    if (waiter->call) {
        wr_loop_offer_dial_locked(pool, waiter->target, action->conn,
                                  waiter->call->limits.connect_ns);
        return;
    }
    thread = thread_of(waiter);
    if (thread->dial_id)
        thread = wr_free_hand_locked(pool, &waiter->target->key);
    if (!thread) {
        wr_loop_offer_dial_locked(pool, waiter->target, action->conn,
                                  pool->limits.connect_ns);
        return;
    }
    thread->dial_id = action->conn;
    wr_wake_thread(thread);
}

static void start_close(struct weir_pool *pool, const struct wr_action *action,
                        struct wr_conn_queue *closing)
{
    struct wr_conn *conn = action->opaque;

    conn->reason = action->reason;
    wr_loop_detach_locked(conn);
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
            fail_waiter(&action);
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

void wr_tell_closer_locked(struct weir_pool *pool)
{
    pthread_cond_broadcast(&pool->changed);
    if (pool->loop_count)
        wr_loop_wake_locked(pool->loops[0]); /* it may wait there */
}

void wr_settle_locked(struct weir_pool *pool)
{
    struct wr_conn_queue closing = STAILQ_HEAD_INITIALIZER(closing);
    struct wr_conn *conn;

    for (;;) {
        take_actions_locked(pool, &closing);
        conn = STAILQ_FIRST(&closing);
        if (!conn)
            break;
        STAILQ_REMOVE_HEAD(&closing, closing);
        close_one_locked(pool, conn);
    }
    if (pool->is_closed)
        wr_tell_closer_locked(pool);
}

void wr_catch_up_locked(struct weir_pool *pool, uint64_t now_ns)
{
    if (wr_leaks_due_locked(pool) <= now_ns)
        wr_leaks_look_locked(pool, now_ns);
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

struct weir_response *wr_take_bare_response_locked(struct weir_pool *pool)
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

struct weir_response *wr_take_response_locked(struct weir_pool *pool)
{
    struct weir_response *response = wr_take_bare_response_locked(pool);

    if (!response || wr_response_make_fields(response))
        return response;
    wr_response_delete(response);
    return NULL;
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
    if (response->decoder)
        wr_decoding_end(response);
    if (response->course) {
        wr_course_free(response->course);
        response->course = NULL;
    }
    if (response->exchange.out.cap > WR_SPARE_BUFFER_MAX)
        wr_buf_done(&response->exchange.out);
    SLIST_INSERT_HEAD(&pool->spares, response, spare);
    pool->spare_count++;
    return NULL;
}

/* --- life ---------------------------------------------------------------- */

WR_COLD static void free_pool(struct weir_pool *pool)
{
    struct weir_response *spare;

    wr_forking_remove(pool);
    while ((spare = SLIST_FIRST(&pool->spares)) != NULL) {
        SLIST_REMOVE_HEAD(&pool->spares, spare);
        wr_response_delete(spare);
    }
    wr_calls_drop_spares_locked(pool);
    wr_keeper_forget_warm_locked(pool);
    wr_loops_free(pool);
    wr_core_free(pool->core);
    wr_health_free(pool->health);
    wr_resolver_free(pool->means.resolver);
    wr_tls_sessions_free(pool->means.sessions);
    wr_tls_context_free(pool->tls);
    wr_proxies_free(pool->proxies);
    pthread_cond_destroy(&pool->changed);
    pthread_cond_destroy(&pool->call_ended);
    pthread_mutex_destroy(&pool->lock);
    pthread_rwlock_destroy(&pool->dial_gate);
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
    pool->leak_ns = span_or_never(options->leak_after);
    pool->leak_due_ns = TAILQ_EMPTY(&pool->held) ? WR_NEVER : 0;
}
