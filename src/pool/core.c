/* The inputs and outputs of the core. */
#include "pool/state.h"

#include "base/deadline.h"

/* --- acquire ------------------------------------------------------------- */

static void fill_grant(struct wr_action *action, const struct conn *conn,
                       bool was_used)
{
    action->kind = WR_ACT_GRANT;
    action->conn = wr_pool_id_of(conn);
    action->opaque = conn->opaque;
    action->reused = was_used;
}

/* The most recently used of one home, else of the other; NULL: none. */
static struct conn *best_lendable(const struct bucket *bucket,
                                  enum wr_home home)
{
    struct conn *conn = TAILQ_FIRST(&bucket->lendable[home]);

    return conn ? conn : TAILQ_FIRST(&bucket->lendable[HOMES - 1 - home]);
}

/* The warm path: an idle conn, or spare capacity. */
static bool grant_now(struct wr_core *core, struct bucket *bucket,
                      enum wr_home home, uint64_t now_ns,
                      struct wr_action *ret_grant)
{
    struct conn *conn;
    bool was_used;

    while ((conn = best_lendable(bucket, home)) != NULL) {
        if (conn->leases == 0 && wr_pool_is_expired(core, conn, now_ns)) {
            wr_pool_close_idle(core, conn,
                               wr_pool_expiry_reason(core, conn, now_ns));
            continue;
        }
        wr_pool_lend(core, conn, &was_used);
        fill_grant(ret_grant, conn, was_used);
        return true;
    }
    return false;
}

/* A new ticket of the bucket would be covered by a dial at once, or as soon as
 * an idle conn of another origin has been closed for it. */
static bool is_served_at_once(struct wr_core *core, const struct bucket *bucket)
{
    if (bucket->cover > bucket->tickets)
        return true;
    return bucket->conns < core->limits.max_per_bucket &&
           !bucket->is_backing_off && wr_pool_hungry_count(core) == 0 &&
           (core->counts.open < core->limits.max_total ||
            !TAILQ_EMPTY(&core->idle));
}

bool wr_core_has_place(struct wr_core *core, const struct wr_key *key)
{
    const struct bucket *bucket = wr_pool_find_bucket(core, key);

    if (core->is_shut)
        return false;
    if (bucket && best_lendable(bucket, WR_HOME_THREAD))
        return true;
    if (core->counts.open >= core->limits.max_total)
        return bucket && bucket->cover > bucket->tickets;
    return bucket ? is_served_at_once(core, bucket)
                  : wr_pool_hungry_count(core) == 0;
}

static weir_status check_line(struct wr_core *core, const struct bucket *bucket,
                              uint64_t wait_ns)
{
    if (is_served_at_once(core, bucket))
        return WEIR_OK;
    if (core->uncovered >= core->limits.max_waiting) {
        core->counts.queue_full++;
        return WEIR_E_QUEUE_FULL;
    }
    if (wait_ns == 0) {
        core->counts.acquire_timeouts++;
        return WEIR_E_ACQUIRE_TIMEOUT;
    }
    return WEIR_OK;
}

static void join_line(struct wr_core *core, struct bucket *bucket,
                      struct ticket *ticket, uint64_t deadline_ns, void *user)
{
    TAILQ_REMOVE(&core->spare_tickets, ticket, line);
    ticket->is_live = true;
    ticket->is_covered = false;
    ticket->bucket = bucket;
    ticket->granted = NULL;
    ticket->dial = NULL;
    ticket->user = user;
    ticket->arrival = core->arrivals++;
    ticket->deadline_ns = deadline_ns;
    if (deadline_ns != WR_HEAP_NONE)
        wr_heap_insert(&core->waits, &ticket->due, deadline_ns);
    TAILQ_INSERT_TAIL(&bucket->line, ticket, line);
    bucket->tickets++;
    if (!bucket->uncovered)
        bucket->uncovered = ticket;
    core->uncovered++;
    core->counts.waiting++;
    core->counts.queued++;
    wr_pool_settle_cover(core, bucket);
}

static weir_status queue(struct wr_core *core, struct bucket *bucket,
                         uint64_t now_ns, uint64_t wait_ns, void *user,
                         wr_ticket_id *ret_ticket)
{
    const weir_status status = check_line(core, bucket, wait_ns);
    struct ticket *ticket;

    if (status != WEIR_OK)
        return status;
    if (!wr_pool_reserve_conns(core, core->counts.waiting + core->warm + 1,
                               core->limits.max_total) ||
        (TAILQ_EMPTY(&core->spare_tickets) && !wr_pool_add_tickets(core)))
        return WEIR_E_NO_MEMORY;
    ticket = TAILQ_FIRST(&core->spare_tickets);
    join_line(core, bucket, ticket,
              wait_ns == 0 ? WR_HEAP_NONE : wr_after(now_ns, wait_ns), user);
    *ret_ticket = wr_pool_handle(ticket->index, ticket->generation);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_acquire(struct wr_core *core, const struct wr_key *key,
                            enum wr_home home, uint64_t now_ns,
                            uint64_t wait_ns, void *user,
                            struct wr_action *ret_grant,
                            wr_ticket_id *ret_ticket)
{
    struct bucket *bucket = wr_pool_find_bucket(core, key);
    weir_status status;

    ret_grant->kind = WR_ACT_NONE;
    if (core->is_shut)
        return WEIR_E_CLOSED;
    if (bucket && grant_now(core, bucket, home, now_ns, ret_grant))
        return WEIR_OK;
    if (!bucket)
        bucket = wr_pool_add_bucket(core, key);
    if (!bucket)
        return WEIR_E_NO_MEMORY;
    status = queue(core, bucket, now_ns, wait_ns, user, ret_ticket);
    if (status != WEIR_OK)
        wr_pool_drop_if_empty(core, bucket);
    return status;
}

/* --- the ways back ------------------------------------------------------- */

static void take_back(struct wr_core *core, struct conn *conn, uint64_t now_ns,
                      uint64_t keep_ns)
{
    if (!conn->is_doomed && conn->leases == conn->capacity)
        wr_pool_make_lendable(core, conn);
    if (--conn->leases == 0)
        core->counts.leased--;
    wr_pool_settle_conn(core, conn, now_ns, keep_ns);
}

weir_status wr_core_release(struct wr_core *core, wr_conn_id id,
                            uint64_t now_ns, bool reusable,
                            weir_close_reason reason, uint64_t keep_ns)
{
    struct conn *conn = wr_pool_find_conn(core, id);

    if (!conn || conn->state != CONN_OPEN || conn->leases == 0)
        return WEIR_E_STATE;
    if (!reusable)
        wr_pool_doom(conn, reason);
    take_back(core, conn, now_ns, keep_ns);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

/* A DIAL that nobody has taken yet loses the ticket it was suggested to: it
 * goes to another that it covers, or is taken back. */
static void resuggest(struct wr_core *core, struct ticket *ticket)
{
    struct conn *conn = ticket->dial;
    struct bucket *bucket = conn->bucket;
    struct ticket *other;

    ticket->dial = NULL;
    TAILQ_FOREACH (other, &bucket->line, line) {
        if (other->is_covered && !other->dial) {
            other->dial = conn;
            conn->suggested = other;
            return;
        }
    }
    wr_pool_take_back_dial(core, conn);
}

weir_status wr_core_cancel(struct wr_core *core, wr_ticket_id id,
                           uint64_t now_ns)
{
    struct ticket *ticket = wr_pool_find_ticket(core, id);
    struct bucket *bucket;

    if (!ticket)
        return WEIR_E_STATE;
    bucket = ticket->bucket;
    if (ticket->outcome != WR_ACT_NONE) {
        struct conn *granted =
            ticket->outcome == WR_ACT_GRANT ? ticket->granted : NULL;

        TAILQ_REMOVE(&core->outcomes, ticket, line);
        if (granted)
            take_back(core, granted, now_ns, WR_NEVER);
        if (ticket->dial)
            resuggest(core, ticket);
    } else {
        wr_pool_leave_line(core, ticket);
        wr_pool_settle_cover(core, bucket);
        if (ticket->dial)
            resuggest(core, ticket);
        else
            wr_pool_drop_if_empty(core, bucket);
    }
    wr_pool_free_ticket(core, ticket);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_lost(struct wr_core *core, wr_conn_id id, uint64_t now_ns,
                         weir_close_reason reason)
{
    struct conn *conn = wr_pool_find_conn(core, id);

    (void)now_ns;
    if (!conn || conn->state != CONN_OPEN)
        return WEIR_E_STATE;
    if (wr_pool_is_idle(conn))
        wr_pool_close_idle(core, conn, reason);
    else
        wr_pool_doom(conn, reason);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_set_capacity(struct wr_core *core, wr_conn_id id,
                                 unsigned capacity, uint64_t now_ns)
{
    struct conn *conn = wr_pool_find_conn(core, id);

    (void)now_ns;
    if (!conn || conn->state != CONN_OPEN)
        return WEIR_E_STATE;
    if (wr_pool_has_room(conn))
        wr_pool_unlist(conn);
    conn->capacity = capacity;
    if (wr_pool_has_room(conn)) {
        wr_pool_make_lendable(core, conn);
        wr_pool_serve_line(core, conn->bucket);
    }
    wr_pool_rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_set_home(struct wr_core *core, wr_conn_id id,
                             enum wr_home home)
{
    struct conn *conn = wr_pool_find_conn(core, id);

    if (!conn || conn->state != CONN_OPEN)
        return WEIR_E_STATE;
    wr_pool_set_home(conn, home);
    return WEIR_OK;
}

weir_status wr_core_closed(struct wr_core *core, wr_conn_id id, uint64_t now_ns)
{
    struct conn *conn = wr_pool_find_conn(core, id);

    (void)now_ns;
    if (!conn || conn->state != CONN_CLOSING)
        return WEIR_E_STATE;
    core->counts.closing--;
    wr_pool_free_conn(core, conn);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

/* --- time ---------------------------------------------------------------- */

/* A time limit in the line.  What holds the bucket up tells more than that. */
static void tick_ticket(struct wr_core *core, struct wr_heap_node *node)
{
    struct ticket *ticket = WR_OWNER(node, struct ticket, due);
    struct bucket *bucket = ticket->bucket;
    const weir_error *cause =
        bucket->is_backing_off && bucket->open == 0 ? bucket->cause : NULL;

    core->counts.acquire_timeouts++;
    wr_pool_fail_ticket(core, ticket,
                        cause ? cause->code : WEIR_E_ACQUIRE_TIMEOUT, cause);
    wr_pool_settle_cover(core, bucket);
    wr_pool_drop_if_empty(core, bucket);
}

static void tick_conn(struct wr_core *core, struct wr_heap_node *node,
                      uint64_t now_ns)
{
    struct conn *conn = WR_OWNER(node, struct conn, due);
    const uint64_t later_ns = wr_after(now_ns, core->limits.idle_ns);

    if (!wr_pool_is_idle(conn)) {
        wr_pool_set_due(core, conn, later_ns);
    } else if (wr_pool_is_expired(core, conn, now_ns)) {
        wr_pool_close_idle(core, conn,
                           wr_pool_expiry_reason(core, conn, now_ns));
    } else {
        if (conn->expiry_ns <= now_ns) /* kept warm */
            conn->expiry_ns = wr_earlier(later_ns, conn->limit_ns);
        wr_pool_set_due(core, conn, conn->expiry_ns);
    }
}

void wr_core_tick(struct wr_core *core, uint64_t now_ns)
{
    while (wr_heap_min(&core->waits) <= now_ns)
        tick_ticket(core, wr_heap_first(&core->waits));
    while (wr_heap_min(&core->due) <= now_ns)
        tick_conn(core, wr_heap_first(&core->due), now_ns);
    wr_pool_tick_back_offs(core, now_ns);
    wr_pool_rebalance(core);
}

uint64_t wr_core_deadline(struct wr_core *core)
{
    return wr_earlier(
        wr_earlier(wr_heap_min(&core->waits), wr_heap_min(&core->due)),
        wr_heap_min(&core->back_offs));
}

/* --- changing and ending ------------------------------------------------- */

static void close_surplus(struct wr_core *core)
{
    struct conn *conn;
    struct conn *next;

    for (conn = TAILQ_FIRST(&core->idle); conn; conn = next) {
        next = TAILQ_NEXT(conn, lru);
        if (core->counts.open - core->counts.closing > core->limits.max_total ||
            conn->bucket->conns > core->limits.max_per_bucket)
            wr_pool_close_idle(core, conn, WEIR_CLOSE_RECONFIGURED);
        else if (!core->limits.reuse)
            wr_pool_close_idle(core, conn, WEIR_CLOSE_DISABLED);
    }
}

weir_status wr_core_set_limits(struct wr_core *core,
                               const struct wr_core_limits *limits,
                               uint64_t now_ns)
{
    struct bucket *bucket;

    (void)now_ns;
    if (!wr_pool_reserve_conns(core, core->counts.waiting + core->warm,
                               limits->max_total))
        return WEIR_E_NO_MEMORY;
    core->limits = *limits;
    close_surplus(core);
    for (bucket = core->buckets; bucket; bucket = bucket->hh.next)
        wr_pool_update_needs(core, bucket);
    wr_pool_rebalance(core);
    return WEIR_OK;
}

void wr_core_shut(struct wr_core *core, uint64_t now_ns)
{
    struct bucket *bucket;
    struct bucket *next;
    struct conn *conn;

    (void)now_ns;
    core->is_shut = true;
    wr_pool_cool(core);
    for (bucket = core->buckets; bucket; bucket = next) {
        next = bucket->hh.next;
        wr_pool_forget_failures(core, bucket);
        wr_pool_fail_line(core, bucket, WEIR_E_CLOSED, NULL);
        wr_pool_settle_cover(core, bucket);
        wr_pool_drop_if_empty(core, bucket);
    }
    while ((conn = TAILQ_FIRST(&core->idle)) != NULL)
        wr_pool_close_idle(core, conn, WEIR_CLOSE_SHUTDOWN);
}

/* --- actions ------------------------------------------------------------- */

static struct wr_action conn_action(struct wr_core *core, struct conn *conn)
{
    struct wr_action action = {.conn = wr_pool_id_of(conn),
                               .opaque = conn->opaque};
    struct ticket *ticket = conn->suggested;

    TAILQ_REMOVE(&core->actions, conn, action);
    if (conn->state == CONN_CLOSING) {
        action.kind = WR_ACT_CLOSE;
        action.reason = conn->reason;
        return action;
    }
    action.kind = WR_ACT_DIAL;
    action.user = ticket ? ticket->user : conn->bucket->warm_user;
    conn->is_queued = false;
    conn->suggested = NULL;
    if (ticket) {
        action.ticket = wr_pool_handle(ticket->index, ticket->generation);
        ticket->dial = NULL;
    }
    return action;
}

static struct wr_action outcome_action(struct wr_core *core,
                                       struct ticket *ticket)
{
    struct wr_action action = {
        .kind = ticket->outcome,
        .ticket = wr_pool_handle(ticket->index, ticket->generation),
        .user = ticket->user,
        .status = ticket->status,
        .cause = ticket->cause,
    };

    TAILQ_REMOVE(&core->outcomes, ticket, line);
    if (ticket->outcome == WR_ACT_GRANT)
        fill_grant(&action, ticket->granted, ticket->was_used);
    if (ticket->outcome == WR_ACT_GRANT)
        action.status = WEIR_OK;
    wr_pool_free_ticket(core, ticket);
    return action;
}

struct wr_action wr_core_next_action(struct wr_core *core)
{
    struct conn *conn = TAILQ_FIRST(&core->actions);
    struct ticket *ticket = TAILQ_FIRST(&core->outcomes);

    if (conn)
        return conn_action(core, conn);
    if (ticket)
        return outcome_action(core, ticket);
    return (struct wr_action){.kind = WR_ACT_NONE};
}

bool wr_core_has_action(const struct wr_core *core)
{
    return !TAILQ_EMPTY(&core->actions) || !TAILQ_EMPTY(&core->outcomes);
}

/* --- life ---------------------------------------------------------------- */

struct wr_core *wr_core_new(const struct wr_core_limits *limits)
{
    struct wr_core *core = wr_calloc(1, sizeof *core);

    if (!core)
        return NULL;
    core->limits = *limits;
    TAILQ_INIT(&core->idle);
    TAILQ_INIT(&core->spare);
    TAILQ_INIT(&core->actions);
    TAILQ_INIT(&core->outcomes);
    TAILQ_INIT(&core->spare_tickets);
    TAILQ_INIT(&core->cold);
    return core;
}

void wr_core_free(struct wr_core *core)
{
    struct bucket *bucket;
    struct bucket *next;

    if (!core)
        return;
    for (bucket = core->buckets; bucket; bucket = next) {
        next = bucket->hh.next;
        HASH_DELETE(hh, core->buckets, bucket);
        wr_free(bucket->cause);
        wr_free(bucket);
    }
    for (size_t i = 0; i < core->conn_count / CHUNK_RECORDS; i++)
        wr_free(core->conn_chunks[i]);
    for (size_t i = 0; i < core->ticket_count / CHUNK_RECORDS; i++)
        wr_free(core->ticket_chunks[i]);
    wr_free(core->conn_chunks);
    wr_free(core->ticket_chunks);
    wr_heap_done(&core->due);
    wr_heap_done(&core->waits);
    wr_heap_done(&core->hungry);
    wr_heap_done(&core->back_offs);
    wr_free(core);
}

void wr_core_counts(const struct wr_core *core, struct wr_core_counts *counts)
{
    *counts = core->counts;
}

uint64_t wr_core_idle_since(const struct wr_core *core, wr_conn_id id)
{
    const struct conn *conn = wr_pool_find_conn(core, id);

    return conn ? conn->idle_since_ns : 0;
}

void *wr_core_oldest_idle(const struct wr_core *core, wr_conn_id id)
{
    const struct conn *conn = wr_pool_find_conn(core, id);
    const struct conn *oldest =
        conn ? TAILQ_LAST(&conn->bucket->lendable[conn->home], conn_list)
             : NULL;

    return oldest ? oldest->opaque : NULL;
}

static struct conn *next_to_watch(const struct wr_core *core)
{
    return core->watched ? TAILQ_NEXT(core->watched, lru)
                         : TAILQ_FIRST(&core->idle);
}

void *wr_core_next_to_watch(const struct wr_core *core)
{
    const struct conn *conn = next_to_watch(core);

    return conn ? conn->opaque : NULL;
}

weir_status wr_core_watch(struct wr_core *core, wr_conn_id id)
{
    struct conn *conn = wr_pool_find_conn(core, id);

    if (!conn || conn != next_to_watch(core))
        return WEIR_E_STATE;
    core->watched = conn;
    return WEIR_OK;
}

bool wr_core_is_idle(const struct wr_core *core, wr_conn_id id)
{
    const struct conn *conn = wr_pool_find_conn(core, id);

    return conn && wr_pool_is_idle(conn);
}
