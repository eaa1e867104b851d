#include "pool/state.h"

#include <string.h>

#include "base/deadline.h"

/* --- records ------------------------------------------------------------- */

static uint64_t handle(uint32_t index, uint32_t generation)
{
    return (uint64_t)generation << 32 | index;
}

static struct conn *find_conn(const struct wr_core *core, wr_conn_id id)
{
    const size_t index = (uint32_t)id;
    struct conn *conn;

    if (index >= core->conn_count)
        return NULL;
    conn = &core->conn_chunks[index / CHUNK_RECORDS][index % CHUNK_RECORDS];
    return conn->state != CONN_FREE && conn->generation == id >> 32 ? conn
                                                                    : NULL;
}

static struct ticket *find_ticket(const struct wr_core *core, wr_ticket_id id)
{
    const size_t index = (uint32_t)id;
    struct ticket *ticket;

    if (index >= core->ticket_count)
        return NULL;
    ticket = &core->ticket_chunks[index / CHUNK_RECORDS][index % CHUNK_RECORDS];
    return ticket->is_live && ticket->generation == id >> 32 ? ticket : NULL;
}

static wr_conn_id id_of(const struct conn *conn)
{
    return handle(conn->index, conn->generation);
}

/* Room for one more pointer in an array of chunks. */
static bool grow_array(void **array, size_t *cap, size_t used)
{
    const size_t wanted = *cap ? *cap * 2 : 8;
    void *larger;

    if (used < *cap)
        return true;
    larger = wr_realloc(*array, wanted * sizeof(void *));
    if (!larger)
        return false;
    *array = larger;
    *cap = wanted;
    return true;
}

static bool add_conns(struct wr_core *core)
{
    const size_t chunks = core->conn_count / CHUNK_RECORDS;
    struct conn *chunk;

    if (!grow_array((void **)&core->conn_chunks, &core->conn_chunk_cap,
                    chunks) ||
        !wr_heap_reserve(&core->due, core->conn_count + CHUNK_RECORDS))
        return false;
    chunk = wr_calloc(CHUNK_RECORDS, sizeof *chunk);
    if (!chunk)
        return false;
    core->conn_chunks[chunks] = chunk;
    for (unsigned i = 0; i < CHUNK_RECORDS; i++) {
        chunk[i].index = (uint32_t)core->conn_count++;
        chunk[i].generation = 1;
        TAILQ_INSERT_TAIL(&core->spare, &chunk[i], lru);
    }
    return true;
}

static bool add_tickets(struct wr_core *core)
{
    const size_t chunks = core->ticket_count / CHUNK_RECORDS;
    const size_t total = core->ticket_count + CHUNK_RECORDS;
    struct ticket *chunk;

    if (!grow_array((void **)&core->ticket_chunks, &core->ticket_chunk_cap,
                    chunks) ||
        !wr_heap_reserve(&core->waits, total) ||
        !wr_heap_reserve(&core->hungry, total))
        return false;
    chunk = wr_calloc(CHUNK_RECORDS, sizeof *chunk);
    if (!chunk)
        return false;
    core->ticket_chunks[chunks] = chunk;
    for (unsigned i = 0; i < CHUNK_RECORDS; i++) {
        chunk[i].index = (uint32_t)core->ticket_count++;
        chunk[i].generation = 1;
        TAILQ_INSERT_TAIL(&core->spare_tickets, &chunk[i], line);
    }
    return true;
}

/* Records for all conns that `tickets` waiting ones could still cause. */
static bool reserve_conns(struct wr_core *core, uint64_t tickets,
                          uint64_t max_total)
{
    uint64_t wanted = core->counts.open + tickets;

    if (wanted > max_total)
        wanted = max_total;
    while (core->conn_count < wanted) {
        if (!add_conns(core))
            return false;
    }
    return true;
}

static void free_ticket(struct wr_core *core, struct ticket *ticket)
{
    ticket->is_live = false;
    ticket->generation++;
    ticket->outcome = WR_ACT_NONE;
    TAILQ_INSERT_HEAD(&core->spare_tickets, ticket, line);
}

/* --- buckets ------------------------------------------------------------- */

static struct bucket *find_bucket(const struct wr_core *core,
                                  const struct wr_key *key)
{
    struct bucket *bucket;

    HASH_FIND_BYHASHVALUE(hh, core->buckets, key->bytes, key->len, key->hash,
                          bucket);
    return bucket;
}

static struct bucket *add_bucket(struct wr_core *core, const struct wr_key *key)
{
    struct bucket *bucket = wr_calloc(1, sizeof *bucket + key->len);

    if (!bucket)
        return NULL;
    memcpy(bucket->key, key->bytes, key->len);
    bucket->key_len = key->len;
    bucket->usual_capacity = 1;
    TAILQ_INIT(&bucket->lendable);
    TAILQ_INIT(&bucket->line);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, core->buckets, bucket->key, key->len,
                                key->hash, bucket);
    if (!bucket->hh.tbl) {
        wr_free(bucket);
        return NULL;
    }
    core->counts.buckets++;
    return bucket;
}

static void drop_if_empty(struct wr_core *core, struct bucket *bucket)
{
    if (bucket->conns || bucket->tickets)
        return;
    wr_heap_remove(&core->hungry, &bucket->hungry);
    HASH_DELETE(hh, core->buckets, bucket);
    wr_free(bucket);
    core->counts.buckets--;
}

/* --- covering ------------------------------------------------------------ */

static void update_hungry(struct wr_core *core, struct bucket *bucket)
{
    const bool is_hungry =
        bucket->uncovered && bucket->conns < core->limits.max_per_bucket;

    if (!is_hungry)
        wr_heap_remove(&core->hungry, &bucket->hungry);
    else if (wr_heap_has(&bucket->hungry))
        wr_heap_update(&core->hungry, &bucket->hungry,
                       bucket->uncovered->arrival);
    else
        wr_heap_insert(&core->hungry, &bucket->hungry,
                       bucket->uncovered->arrival);
}

static void cover_next(struct wr_core *core, struct bucket *bucket)
{
    struct ticket *ticket = bucket->uncovered;

    ticket->is_covered = true;
    wr_heap_remove(&core->waits, &ticket->due);
    bucket->uncovered = TAILQ_NEXT(ticket, line);
    bucket->covered++;
    core->uncovered--;
}

static void uncover_last(struct wr_core *core, struct bucket *bucket)
{
    struct ticket *ticket =
        bucket->uncovered ? TAILQ_PREV(bucket->uncovered, ticket_list, line)
                          : TAILQ_LAST(&bucket->line, ticket_list);

    ticket->is_covered = false;
    if (ticket->deadline_ns != WR_HEAP_NONE)
        wr_heap_insert(&core->waits, &ticket->due, ticket->deadline_ns);
    bucket->uncovered = ticket;
    bucket->covered--;
    core->uncovered++;
}

/* Lets the covered tickets be the oldest min(tickets, cover) again. */
static void settle_cover(struct wr_core *core, struct bucket *bucket)
{
    const unsigned wanted =
        bucket->cover < bucket->tickets ? bucket->cover : bucket->tickets;

    while (bucket->covered < wanted)
        cover_next(core, bucket);
    while (bucket->covered > wanted)
        uncover_last(core, bucket);
    update_hungry(core, bucket);
}

/* Takes a ticket out of its line. */
static void leave_line(struct wr_core *core, struct ticket *ticket)
{
    struct bucket *bucket = ticket->bucket;

    if (ticket->is_covered) {
        bucket->covered--;
    } else {
        wr_heap_remove(&core->waits, &ticket->due);
        if (bucket->uncovered == ticket)
            bucket->uncovered = TAILQ_NEXT(ticket, line);
        core->uncovered--;
    }
    TAILQ_REMOVE(&bucket->line, ticket, line);
    bucket->tickets--;
    core->counts.waiting--;
}

static void fail_ticket(struct wr_core *core, struct ticket *ticket,
                        weir_status status)
{
    leave_line(core, ticket);
    ticket->outcome = WR_ACT_FAIL;
    ticket->status = status;
    TAILQ_INSERT_TAIL(&core->outcomes, ticket, line);
}

/* --- conns --------------------------------------------------------------- */

/* Up to a tenth earlier, so that a fleet does not reconnect in step. */
static uint64_t age_limit(const struct wr_core *core, const struct conn *conn)
{
    const uint64_t age_ns = core->limits.max_age_ns;
    const uint32_t mixed =
        (conn->index * UINT32_C(2654435761)) ^ (conn->generation * 40503u);

    if (age_ns == WR_NEVER)
        return WR_NEVER;
    return wr_after(conn->opened_ns,
                    age_ns - age_ns / 10 * (mixed >> 16) / UINT16_MAX);
}

static bool is_idle(const struct conn *conn)
{
    return conn->state == CONN_OPEN && conn->leases == 0;
}

static void make_lendable(struct bucket *bucket, struct conn *conn)
{
    TAILQ_INSERT_HEAD(&bucket->lendable, conn, lendable);
}

static bool has_room(const struct conn *conn)
{
    return conn->state == CONN_OPEN && !conn->is_doomed &&
           conn->leases < conn->capacity;
}

static void rest(struct wr_core *core, struct conn *conn, uint64_t now_ns,
                 uint64_t keep_ns)
{
    const uint64_t idle_ns =
        keep_ns < core->limits.idle_ns ? keep_ns : core->limits.idle_ns;

    conn->idle_since_ns = now_ns;
    conn->expiry_ns =
        wr_earlier(wr_after(now_ns, idle_ns), age_limit(core, conn));
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
static void lend(struct wr_core *core, struct conn *conn, bool *ret_was_used)
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

static void free_conn(struct wr_core *core, struct conn *conn)
{
    struct bucket *bucket = conn->bucket;

    conn->state = CONN_FREE;
    conn->generation++;
    conn->bucket = NULL;
    TAILQ_INSERT_HEAD(&core->spare, conn, lru);
    core->counts.open--;
    bucket->conns--;
    settle_cover(core, bucket);
    drop_if_empty(core, bucket);
}

/* An open conn without a lease that is in no list: out. */
static void start_close(struct wr_core *core, struct conn *conn,
                        weir_close_reason reason)
{
    conn->state = CONN_CLOSING;
    conn->reason = reason;
    wr_heap_remove(&core->due, &conn->due);
    core->counts.closing++;
    core->counts.closed[reason]++;
    TAILQ_INSERT_TAIL(&core->actions, conn, action);
}

static void close_idle(struct wr_core *core, struct conn *conn,
                       weir_close_reason reason)
{
    wake_up(core, conn);
    if (has_room(conn))
        TAILQ_REMOVE(&conn->bucket->lendable, conn, lendable);
    start_close(core, conn, reason);
}

static void doom(struct conn *conn, weir_close_reason reason)
{
    if (conn->is_doomed)
        return;
    if (has_room(conn))
        TAILQ_REMOVE(&conn->bucket->lendable, conn, lendable);
    conn->is_doomed = true;
    conn->reason = reason;
}

static weir_close_reason expiry_reason(const struct wr_core *core,
                                       const struct conn *conn, uint64_t now_ns)
{
    return age_limit(core, conn) <= now_ns ? WEIR_CLOSE_AGE : WEIR_CLOSE_IDLE;
}

/* Lends what is free to the oldest in the line. */
static void serve_line(struct wr_core *core, struct bucket *bucket)
{
    struct ticket *ticket;
    struct conn *conn;

    while ((ticket = TAILQ_FIRST(&bucket->line)) != NULL &&
           (conn = TAILQ_FIRST(&bucket->lendable)) != NULL) {
        leave_line(core, ticket);
        lend(core, conn, &ticket->was_used);
        ticket->granted = conn;
        ticket->outcome = WR_ACT_GRANT;
        TAILQ_INSERT_TAIL(&core->outcomes, ticket, line);
    }
    settle_cover(core, bucket);
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
    settle_cover(core, bucket);
}

static uint64_t hungry_count(const struct wr_core *core)
{
    return core->hungry.len - core->hungry.removed;
}

static struct bucket *first_hungry(struct wr_core *core)
{
    struct wr_heap_node *node = wr_heap_first(&core->hungry);

    return node ? (struct bucket *)((char *)node -
                                    offsetof(struct bucket, hungry))
                : NULL;
}

/* Gives room to the hungry, and makes room for them. */
static void rebalance(struct wr_core *core)
{
    struct bucket *bucket;

    while ((bucket = first_hungry(core)) != NULL) {
        if (core->counts.open < core->limits.max_total)
            start_dial(core, bucket);
        else if (!TAILQ_EMPTY(&core->idle) &&
                 core->counts.closing < hungry_count(core))
            close_idle(core, TAILQ_FIRST(&core->idle), WEIR_CLOSE_EVICTED);
        else
            return;
    }
}

/* --- acquire ------------------------------------------------------------- */

static void fill_grant(struct wr_action *action, const struct conn *conn,
                       bool was_used)
{
    action->kind = WR_ACT_GRANT;
    action->conn = id_of(conn);
    action->opaque = conn->opaque;
    action->reused = was_used;
}

/* The warm path: an idle conn, or spare capacity. */
static bool grant_now(struct wr_core *core, struct bucket *bucket,
                      uint64_t now_ns, struct wr_action *ret_grant)
{
    struct conn *conn;
    bool was_used;

    while ((conn = TAILQ_FIRST(&bucket->lendable)) != NULL) {
        if (conn->leases == 0 && conn->expiry_ns <= now_ns) {
            close_idle(core, conn, expiry_reason(core, conn, now_ns));
            continue;
        }
        lend(core, conn, &was_used);
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
           hungry_count(core) == 0 &&
           (core->counts.open < core->limits.max_total ||
            !TAILQ_EMPTY(&core->idle));
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
    settle_cover(core, bucket);
}

static weir_status queue(struct wr_core *core, struct bucket *bucket,
                         uint64_t now_ns, uint64_t wait_ns, void *user,
                         wr_ticket_id *ret_ticket)
{
    const weir_status status = check_line(core, bucket, wait_ns);
    struct ticket *ticket;

    if (status != WEIR_OK)
        return status;
    if (!reserve_conns(core, core->counts.waiting + 1,
                       core->limits.max_total) ||
        (TAILQ_EMPTY(&core->spare_tickets) && !add_tickets(core)))
        return WEIR_E_NO_MEMORY;
    ticket = TAILQ_FIRST(&core->spare_tickets);
    join_line(core, bucket, ticket,
              wait_ns == 0 ? WR_HEAP_NONE : wr_after(now_ns, wait_ns), user);
    *ret_ticket = handle(ticket->index, ticket->generation);
    rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_acquire(struct wr_core *core, const struct wr_key *key,
                            uint64_t now_ns, uint64_t wait_ns, void *user,
                            struct wr_action *ret_grant,
                            wr_ticket_id *ret_ticket)
{
    struct bucket *bucket = find_bucket(core, key);
    weir_status status;

    ret_grant->kind = WR_ACT_NONE;
    if (core->is_shut)
        return WEIR_E_CLOSED;
    if (bucket && grant_now(core, bucket, now_ns, ret_grant))
        return WEIR_OK;
    if (!bucket)
        bucket = add_bucket(core, key);
    if (!bucket)
        return WEIR_E_NO_MEMORY;
    status = queue(core, bucket, now_ns, wait_ns, user, ret_ticket);
    if (status != WEIR_OK)
        drop_if_empty(core, bucket);
    return status;
}

/* --- the ways back ------------------------------------------------------- */

/* The lease is off; conn rests, serves the next, or closes. */
static void settle_conn(struct wr_core *core, struct conn *conn,
                        uint64_t now_ns, uint64_t keep_ns)
{
    struct bucket *bucket = conn->bucket;

    if (core->is_shut)
        doom(conn, WEIR_CLOSE_SHUTDOWN);
    else if (!core->limits.reuse && conn->is_used)
        doom(conn, WEIR_CLOSE_DISABLED);
    else if (age_limit(core, conn) <= now_ns)
        doom(conn, WEIR_CLOSE_AGE);
    else if (bucket->conns > core->limits.max_per_bucket ||
             core->counts.open > core->limits.max_total)
        doom(conn, WEIR_CLOSE_RECONFIGURED);
    if (conn->leases == 0 && conn->is_doomed) {
        start_close(core, conn, conn->reason);
        return;
    }
    if (conn->leases == 0)
        rest(core, conn, now_ns, keep_ns);
    serve_line(core, bucket);
}

static void take_back(struct wr_core *core, struct conn *conn, uint64_t now_ns,
                      uint64_t keep_ns)
{
    if (!conn->is_doomed && conn->leases == conn->capacity)
        make_lendable(conn->bucket, conn);
    if (--conn->leases == 0)
        core->counts.leased--;
    settle_conn(core, conn, now_ns, keep_ns);
}

weir_status wr_core_release(struct wr_core *core, wr_conn_id id,
                            uint64_t now_ns, bool reusable,
                            weir_close_reason reason, uint64_t keep_ns)
{
    struct conn *conn = find_conn(core, id);

    if (!conn || conn->state != CONN_OPEN || conn->leases == 0)
        return WEIR_E_STATE;
    if (!reusable)
        doom(conn, reason);
    take_back(core, conn, now_ns, keep_ns);
    rebalance(core);
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
    TAILQ_REMOVE(&core->actions, conn, action);
    core->counts.dialing--;
    bucket->cover -= conn->cover;
    free_conn(core, conn);
}

weir_status wr_core_cancel(struct wr_core *core, wr_ticket_id id,
                           uint64_t now_ns)
{
    struct ticket *ticket = find_ticket(core, id);
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
    } else {
        leave_line(core, ticket);
        settle_cover(core, bucket);
        if (ticket->dial)
            resuggest(core, ticket);
        else
            drop_if_empty(core, bucket);
    }
    free_ticket(core, ticket);
    rebalance(core);
    return WEIR_OK;
}

static struct conn *end_dial(struct wr_core *core, wr_conn_id id)
{
    struct conn *conn = find_conn(core, id);

    if (!conn || conn->state != CONN_DIALING || conn->suggested)
        return NULL;
    core->counts.dialing--;
    conn->bucket->cover -= conn->cover;
    conn->cover = 0;
    return conn;
}

weir_status wr_core_dialed(struct wr_core *core, wr_conn_id id, uint64_t now_ns,
                           void *opaque, unsigned capacity)
{
    struct conn *conn = end_dial(core, id);

    if (!conn)
        return WEIR_E_STATE;
    conn->state = CONN_OPEN;
    conn->opaque = opaque;
    conn->capacity = core->limits.reuse ? capacity : 1;
    conn->opened_ns = now_ns;
    conn->idle_since_ns = 0;
    conn->bucket->usual_capacity = capacity;
    core->counts.dialed++;
    wr_heap_insert(&core->due, &conn->due,
                   wr_earlier(wr_after(now_ns, core->limits.idle_ns),
                              age_limit(core, conn)));
    make_lendable(conn->bucket, conn);
    settle_conn(core, conn, now_ns, WR_NEVER);
    settle_cover(core, conn->bucket);
    rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_dial_failed(struct wr_core *core, wr_conn_id id,
                                wr_ticket_id blame, weir_status status,
                                uint64_t now_ns)
{
    struct conn *conn = end_dial(core, id);
    struct ticket *ticket = blame ? find_ticket(core, blame) : NULL;

    (void)now_ns;
    if (!conn)
        return WEIR_E_STATE;
    core->counts.dial_failures += status != WEIR_E_CANCELLED;
    if (ticket && ticket->outcome == WR_ACT_NONE &&
        ticket->bucket == conn->bucket)
        fail_ticket(core, ticket, status);
    free_conn(core, conn);
    rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_renewed(struct wr_core *core, wr_conn_id id,
                            uint64_t now_ns, void *opaque, unsigned capacity,
                            weir_close_reason reason)
{
    struct conn *conn = find_conn(core, id);

    if (!conn || conn->state != CONN_OPEN || conn->leases != 1)
        return WEIR_E_STATE;
    if (has_room(conn))
        TAILQ_REMOVE(&conn->bucket->lendable, conn, lendable);
    conn->opaque = opaque;
    conn->capacity = core->limits.reuse ? capacity : 1;
    conn->opened_ns = now_ns;
    if (has_room(conn))
        make_lendable(conn->bucket, conn);
    core->counts.closed[reason]++;
    core->counts.dialed++;
    return WEIR_OK;
}

weir_status wr_core_lost(struct wr_core *core, wr_conn_id id, uint64_t now_ns,
                         weir_close_reason reason)
{
    struct conn *conn = find_conn(core, id);

    (void)now_ns;
    if (!conn || conn->state != CONN_OPEN)
        return WEIR_E_STATE;
    if (is_idle(conn))
        close_idle(core, conn, reason);
    else
        doom(conn, reason);
    rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_set_capacity(struct wr_core *core, wr_conn_id id,
                                 unsigned capacity, uint64_t now_ns)
{
    struct conn *conn = find_conn(core, id);

    (void)now_ns;
    if (!conn || conn->state != CONN_OPEN)
        return WEIR_E_STATE;
    if (has_room(conn))
        TAILQ_REMOVE(&conn->bucket->lendable, conn, lendable);
    conn->capacity = capacity;
    if (has_room(conn)) {
        make_lendable(conn->bucket, conn);
        serve_line(core, conn->bucket);
    }
    rebalance(core);
    return WEIR_OK;
}

weir_status wr_core_closed(struct wr_core *core, wr_conn_id id, uint64_t now_ns)
{
    struct conn *conn = find_conn(core, id);

    (void)now_ns;
    if (!conn || conn->state != CONN_CLOSING)
        return WEIR_E_STATE;
    core->counts.closing--;
    free_conn(core, conn);
    rebalance(core);
    return WEIR_OK;
}

/* --- time ---------------------------------------------------------------- */

static void tick_ticket(struct wr_core *core, struct wr_heap_node *node)
{
    struct ticket *ticket =
        (struct ticket *)((char *)node - offsetof(struct ticket, due));
    struct bucket *bucket = ticket->bucket;

    core->counts.acquire_timeouts++;
    fail_ticket(core, ticket, WEIR_E_ACQUIRE_TIMEOUT);
    settle_cover(core, bucket);
    drop_if_empty(core, bucket);
}

static void tick_conn(struct wr_core *core, struct wr_heap_node *node,
                      uint64_t now_ns)
{
    struct conn *conn =
        (struct conn *)((char *)node - offsetof(struct conn, due));

    if (!is_idle(conn))
        wr_heap_update(&core->due, node,
                       wr_after(now_ns, core->limits.idle_ns));
    else if (conn->expiry_ns <= now_ns)
        close_idle(core, conn, expiry_reason(core, conn, now_ns));
    else
        wr_heap_update(&core->due, node, conn->expiry_ns);
}

void wr_core_tick(struct wr_core *core, uint64_t now_ns)
{
    while (wr_heap_min(&core->waits) <= now_ns)
        tick_ticket(core, wr_heap_first(&core->waits));
    while (wr_heap_min(&core->due) <= now_ns)
        tick_conn(core, wr_heap_first(&core->due), now_ns);
    rebalance(core);
}

uint64_t wr_core_deadline(struct wr_core *core)
{
    return wr_earlier(wr_heap_min(&core->waits), wr_heap_min(&core->due));
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
            close_idle(core, conn, WEIR_CLOSE_RECONFIGURED);
        else if (!core->limits.reuse)
            close_idle(core, conn, WEIR_CLOSE_DISABLED);
    }
}

weir_status wr_core_set_limits(struct wr_core *core,
                               const struct wr_core_limits *limits,
                               uint64_t now_ns)
{
    struct bucket *bucket;
    struct bucket *next;

    (void)now_ns;
    if (!reserve_conns(core, core->counts.waiting, limits->max_total))
        return WEIR_E_NO_MEMORY;
    core->limits = *limits;
    close_surplus(core);
    HASH_ITER (hh, core->buckets, bucket, next)
        update_hungry(core, bucket);
    rebalance(core);
    return WEIR_OK;
}

void wr_core_shut(struct wr_core *core, uint64_t now_ns)
{
    struct bucket *bucket;
    struct bucket *next;
    struct ticket *ticket;
    struct conn *conn;

    (void)now_ns;
    core->is_shut = true;
    HASH_ITER (hh, core->buckets, bucket, next) {
        while ((ticket = TAILQ_FIRST(&bucket->line)) != NULL)
            fail_ticket(core, ticket, WEIR_E_CLOSED);
        settle_cover(core, bucket);
        drop_if_empty(core, bucket);
    }
    while ((conn = TAILQ_FIRST(&core->idle)) != NULL)
        close_idle(core, conn, WEIR_CLOSE_SHUTDOWN);
}

/* --- actions ------------------------------------------------------------- */

static struct wr_action conn_action(struct wr_core *core, struct conn *conn)
{
    struct wr_action action = {.conn = id_of(conn), .opaque = conn->opaque};

    TAILQ_REMOVE(&core->actions, conn, action);
    if (conn->state == CONN_CLOSING) {
        action.kind = WR_ACT_CLOSE;
        action.reason = conn->reason;
        return action;
    }
    action.kind = WR_ACT_DIAL;
    action.user = conn->suggested->user;
    action.ticket = handle(conn->suggested->index, conn->suggested->generation);
    conn->suggested->dial = NULL;
    conn->suggested = NULL;
    return action;
}

static struct wr_action outcome_action(struct wr_core *core,
                                       struct ticket *ticket)
{
    struct wr_action action = {
        .kind = ticket->outcome,
        .ticket = handle(ticket->index, ticket->generation),
        .user = ticket->user,
        .status = ticket->status,
    };

    TAILQ_REMOVE(&core->outcomes, ticket, line);
    if (ticket->outcome == WR_ACT_GRANT)
        fill_grant(&action, ticket->granted, ticket->was_used);
    if (ticket->outcome == WR_ACT_GRANT)
        action.status = WEIR_OK;
    free_ticket(core, ticket);
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
    return core;
}

void wr_core_free(struct wr_core *core)
{
    struct bucket *bucket;
    struct bucket *next;

    if (!core)
        return;
    HASH_ITER (hh, core->buckets, bucket, next) {
        HASH_DELETE(hh, core->buckets, bucket);
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
    wr_free(core);
}

void wr_core_counts(const struct wr_core *core, struct wr_core_counts *counts)
{
    *counts = core->counts;
}

uint64_t wr_core_idle_since(const struct wr_core *core, wr_conn_id id)
{
    const struct conn *conn = find_conn(core, id);

    return conn && conn->idle_since_ns != conn->opened_ns ? conn->idle_since_ns
                                                          : 0;
}
