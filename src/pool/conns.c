/* The life of a conn, from the end of its dial until it is closed. */
#include "pool/state.h"

#include "base/deadline.h"

/* --- conns --------------------------------------------------------------- */

/* Up to a tenth earlier, so that a fleet does not reconnect in step. */
uint64_t wr_pool_age_limit(const struct wr_core *core, const struct conn *conn)
{
    const uint64_t age_ns = core->limits.max_age_ns;
    const uint32_t mixed =
        (conn->index * UINT32_C(2654435761)) ^ (conn->generation * 40503u);

    if (age_ns == WR_NEVER)
        return WR_NEVER;
    return wr_after(conn->opened_ns,
                    age_ns - age_ns / 10 * (mixed >> 16) / UINT16_MAX);
}

bool wr_pool_is_idle(const struct conn *conn)
{
    return conn->state == CONN_OPEN && conn->leases == 0;
}

bool wr_pool_has_room(const struct conn *conn)
{
    return conn->state == CONN_OPEN && !conn->is_doomed &&
           conn->leases < conn->capacity;
}

void wr_pool_make_lendable(struct wr_core *core, struct conn *conn)
{
    conn->recency = ++core->recencies;
    TAILQ_INSERT_HEAD(&conn->bucket->lendable[conn->home], conn, lendable);
}

void wr_pool_unlist(struct conn *conn)
{
    TAILQ_REMOVE(&conn->bucket->lendable[conn->home], conn, lendable);
}

void wr_pool_set_home(struct conn *conn, enum wr_home home)
{
    struct conn_list *list = &conn->bucket->lendable[home];
    struct conn *older;

    if (conn->home == home)
        return;
    if (!wr_pool_has_room(conn)) {
        conn->home = (unsigned char)home;
        return;
    }
    wr_pool_unlist(conn);
    conn->home = (unsigned char)home;
    TAILQ_FOREACH (older, list, lendable) {
        if (older->recency < conn->recency)
            break;
    }
    if (older)
        TAILQ_INSERT_BEFORE(older, conn, lendable);
    else
        TAILQ_INSERT_TAIL(list, conn, lendable);
}

void wr_pool_set_due(struct wr_core *core, struct conn *conn, uint64_t due_ns)
{
    conn->due_ns = due_ns;
    wr_heap_update(&core->due, &conn->due, due_ns);
}

void wr_pool_rest(struct wr_core *core, struct conn *conn, uint64_t now_ns,
                  uint64_t keep_ns)
{
    conn->idle_since_ns = now_ns;
    conn->limit_ns =
        wr_earlier(wr_after(now_ns, keep_ns), wr_pool_age_limit(core, conn));
    conn->expiry_ns =
        wr_earlier(wr_after(now_ns, core->limits.idle_ns), conn->limit_ns);
    if (conn->expiry_ns < conn->due_ns)
        wr_pool_set_due(core, conn, conn->expiry_ns);
    TAILQ_INSERT_TAIL(&core->idle, conn, lru);
    core->counts.idle++;
}

static void wake_up(struct wr_core *core, struct conn *conn)
{
    if (core->watched == conn)
        core->watched = TAILQ_PREV(conn, conn_list, lru);
    TAILQ_REMOVE(&core->idle, conn, lru);
    core->counts.idle--;
}

void wr_pool_lend(struct wr_core *core, struct conn *conn, bool *ret_was_used)
{
    if (conn->leases++ == 0) {
        wake_up(core, conn);
        core->counts.leased++;
    }
    if (conn->leases == conn->capacity)
        wr_pool_unlist(conn);
    *ret_was_used = conn->is_used;
    core->counts.reused += conn->is_used;
    core->counts.leases++;
    conn->is_used = true;
}

void wr_pool_free_conn(struct wr_core *core, struct conn *conn)
{
    struct bucket *bucket = conn->bucket;

    conn->state = CONN_FREE;
    conn->generation++;
    conn->bucket = NULL;
    TAILQ_INSERT_HEAD(&core->spare, conn, lru);
    core->counts.open--;
    bucket->conns--;
    wr_pool_settle_cover(core, bucket);
    wr_pool_drop_if_empty(core, bucket);
}

void wr_pool_start_close(struct wr_core *core, struct conn *conn,
                         weir_close_reason reason)
{
    conn->state = CONN_CLOSING;
    conn->reason = reason;
    wr_heap_remove(&core->due, &conn->due);
    conn->bucket->open--;
    core->counts.closing++;
    core->counts.closed[reason]++;
    TAILQ_INSERT_TAIL(&core->actions, conn, action);
}

void wr_pool_close_idle(struct wr_core *core, struct conn *conn,
                        weir_close_reason reason)
{
    wake_up(core, conn);
    if (wr_pool_has_room(conn))
        wr_pool_unlist(conn);
    wr_pool_start_close(core, conn, reason);
}

void wr_pool_doom(struct conn *conn, weir_close_reason reason)
{
    if (conn->is_doomed)
        return;
    if (wr_pool_has_room(conn))
        wr_pool_unlist(conn);
    conn->is_doomed = true;
    conn->reason = reason;
}

bool wr_pool_is_expired(const struct wr_core *core, const struct conn *conn,
                        uint64_t now_ns)
{
    return conn->expiry_ns <= now_ns &&
           (conn->limit_ns <= now_ns ||
            !wr_pool_is_kept_warm(core, conn->bucket));
}

weir_close_reason wr_pool_expiry_reason(const struct wr_core *core,
                                        const struct conn *conn,
                                        uint64_t now_ns)
{
    return wr_pool_age_limit(core, conn) <= now_ns ? WEIR_CLOSE_AGE
                                                   : WEIR_CLOSE_IDLE;
}

static struct conn *any_lendable(const struct bucket *bucket)
{
    struct conn *conn = TAILQ_FIRST(&bucket->lendable[WR_HOME_THREAD]);

    return conn ? conn : TAILQ_FIRST(&bucket->lendable[WR_HOME_LOOP]);
}

void wr_pool_serve_line(struct wr_core *core, struct bucket *bucket)
{
    struct ticket *ticket;
    struct conn *conn;

    while ((ticket = TAILQ_FIRST(&bucket->line)) != NULL &&
           (conn = any_lendable(bucket)) != NULL) {
        wr_pool_leave_line(core, ticket);
        wr_pool_lend(core, conn, &ticket->was_used);
        ticket->granted = conn;
        ticket->outcome = WR_ACT_GRANT;
        TAILQ_INSERT_TAIL(&core->outcomes, ticket, line);
    }
    wr_pool_settle_cover(core, bucket);
}

void wr_pool_settle_conn(struct wr_core *core, struct conn *conn,
                         uint64_t now_ns, uint64_t keep_ns)
{
    struct bucket *bucket = conn->bucket;

    if (core->is_shut)
        wr_pool_doom(conn, WEIR_CLOSE_SHUTDOWN);
    else if (!core->limits.reuse && conn->is_used)
        wr_pool_doom(conn, WEIR_CLOSE_DISABLED);
    else if (wr_pool_age_limit(core, conn) <= now_ns)
        wr_pool_doom(conn, WEIR_CLOSE_AGE);
    else if (bucket->conns > core->limits.max_per_bucket ||
             core->counts.open > core->limits.max_total)
        wr_pool_doom(conn, WEIR_CLOSE_RECONFIGURED);
    if (conn->leases == 0 && conn->is_doomed) {
        wr_pool_start_close(core, conn, conn->reason);
        return;
    }
    if (conn->leases == 0)
        wr_pool_rest(core, conn, now_ns, keep_ns);
    if (bucket->tickets > 0)
        wr_pool_serve_line(core, bucket);
}
