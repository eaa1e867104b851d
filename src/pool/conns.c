/* The life of a conn, and who gets the room that there is. */
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

void wr_pool_make_lendable(struct bucket *bucket, struct conn *conn)
{
    TAILQ_INSERT_HEAD(&bucket->lendable, conn, lendable);
}

bool wr_pool_has_room(const struct conn *conn)
{
    return conn->state == CONN_OPEN && !conn->is_doomed &&
           conn->leases < conn->capacity;
}

void wr_pool_rest(struct wr_core *core, struct conn *conn, uint64_t now_ns,
                  uint64_t keep_ns)
{
    const uint64_t idle_ns =
        keep_ns < core->limits.idle_ns ? keep_ns : core->limits.idle_ns;

    conn->idle_since_ns = now_ns;
    conn->expiry_ns =
        wr_earlier(wr_after(now_ns, idle_ns), wr_pool_age_limit(core, conn));
    if (conn->expiry_ns < wr_heap_key(&core->due, &conn->due))
        wr_heap_update(&core->due, &conn->due, conn->expiry_ns);
    TAILQ_INSERT_TAIL(&core->idle, conn, lru);
    core->counts.idle++;
}

static void wake_up(struct wr_core *core, struct conn *conn)
{
    TAILQ_REMOVE(&core->idle, conn, lru);
    core->counts.idle--;
}

/* One more lease; conn is lendable. */
void wr_pool_lend(struct wr_core *core, struct conn *conn, bool *ret_was_used)
{
    if (conn->leases++ == 0) {
        wake_up(core, conn);
        core->counts.leased++;
    }
    if (conn->leases == conn->capacity)
        TAILQ_REMOVE(&conn->bucket->lendable, conn, lendable);
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

/* An open conn without a lease that is in no list: out. */
void wr_pool_start_close(struct wr_core *core, struct conn *conn,
                         weir_close_reason reason)
{
    conn->state = CONN_CLOSING;
    conn->reason = reason;
    wr_heap_remove(&core->due, &conn->due);
    core->counts.closing++;
    core->counts.closed[reason]++;
    TAILQ_INSERT_TAIL(&core->actions, conn, action);
}

void wr_pool_close_idle(struct wr_core *core, struct conn *conn,
                        weir_close_reason reason)
{
    wake_up(core, conn);
    if (wr_pool_has_room(conn))
        TAILQ_REMOVE(&conn->bucket->lendable, conn, lendable);
    wr_pool_start_close(core, conn, reason);
}

void wr_pool_doom(struct conn *conn, weir_close_reason reason)
{
    if (conn->is_doomed)
        return;
    if (wr_pool_has_room(conn))
        TAILQ_REMOVE(&conn->bucket->lendable, conn, lendable);
    conn->is_doomed = true;
    conn->reason = reason;
}

weir_close_reason wr_pool_expiry_reason(const struct wr_core *core,
                                        const struct conn *conn,
                                        uint64_t now_ns)
{
    return wr_pool_age_limit(core, conn) <= now_ns ? WEIR_CLOSE_AGE
                                                   : WEIR_CLOSE_IDLE;
}

/* Lends what is free to the oldest in the line. */
void wr_pool_serve_line(struct wr_core *core, struct bucket *bucket)
{
    struct ticket *ticket;
    struct conn *conn;

    while ((ticket = TAILQ_FIRST(&bucket->line)) != NULL &&
           (conn = TAILQ_FIRST(&bucket->lendable)) != NULL) {
        wr_pool_leave_line(core, ticket);
        wr_pool_lend(core, conn, &ticket->was_used);
        ticket->granted = conn;
        ticket->outcome = WR_ACT_GRANT;
        TAILQ_INSERT_TAIL(&core->outcomes, ticket, line);
    }
    wr_pool_settle_cover(core, bucket);
}

/* --- balance ------------------------------------------------------------- */

static void start_dial(struct wr_core *core, struct bucket *bucket)
{
    struct conn *conn = TAILQ_FIRST(&core->spare);

    TAILQ_REMOVE(&core->spare, conn, lru);
    conn->state = CONN_DIALING;
    conn->bucket = bucket;
    conn->opaque = NULL;
    conn->leases = 0;
    conn->is_used = false;
    conn->is_doomed = false;
    conn->cover = bucket->usual_capacity;
    conn->suggested = bucket->uncovered;
    conn->suggested->dial = conn;
    core->counts.open++;
    core->counts.dialing++;
    bucket->conns++;
    bucket->cover += conn->cover;
    TAILQ_INSERT_TAIL(&core->actions, conn, action);
    wr_pool_settle_cover(core, bucket);
}

uint64_t wr_pool_hungry_count(const struct wr_core *core)
{
    return core->hungry.len - core->hungry.removed;
}

static struct bucket *first_hungry(struct wr_core *core)
{
    struct wr_heap_node *node = wr_heap_first(&core->hungry);

    return node ? WR_OWNER(node, struct bucket, hungry) : NULL;
}

/* Gives room to the hungry, and makes room for them. */
void wr_pool_rebalance(struct wr_core *core)
{
    struct bucket *bucket;

    while ((bucket = first_hungry(core)) != NULL) {
        if (core->counts.open < core->limits.max_total)
            start_dial(core, bucket);
        else if (!TAILQ_EMPTY(&core->idle) &&
                 core->counts.closing < wr_pool_hungry_count(core))
            wr_pool_close_idle(core, TAILQ_FIRST(&core->idle),
                               WEIR_CLOSE_EVICTED);
        else
            return;
    }
}
