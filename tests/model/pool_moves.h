/* What can happen to the core of a pool, each with what the model knows of it
 * (pool_model.h): begin(), any number of step(), finish(). */
#ifndef POOL_MOVES_H
#define POOL_MOVES_H

#include "pool_model.h"

static struct wr_key key_of(unsigned key)
{
    return (struct wr_key){keys[key], 1, key * 7919};
}

/* No conn that is lent sooner could have been had. */
static void check_choice(const struct model *m, const struct model_conn *chosen,
                         enum wr_home home)
{
    if (m->is_behind)
        return;
    assert_int_equal(count_waiting(m, (int)chosen->key), 0);
    for (int i = 0; i < CONNS_MAX; i++) {
        const struct model_conn *conn = &m->conns[i];

        if (conn == chosen || conn->key != chosen->key || !has_room(conn) ||
            conn->may_be_doomed || may_be_expired(m, conn))
            continue;
        if (conn->home == chosen->home)
            assert_true(conn->recency < chosen->recency);
        else
            assert_true(conn->home != home);
    }
}

static void do_acquire(struct model *m)
{
    const unsigned key = pick(m, KEYS);
    const enum wr_home home = pick(m, 2) ? WR_HOME_LOOP : WR_HOME_THREAD;
    const struct wr_key wanted = key_of(key);
    const uint64_t wait_ns = pick(m, 4) == 0 ? 0 : (1 + pick(m, 2000)) * UNIT;
    struct model_ticket *ticket = NULL;
    struct wr_action grant;
    wr_ticket_id id;
    weir_status status;

    for (int i = 0; i < TICKETS_MAX && !ticket; i++) {
        if (!m->tickets[i].is_waiting)
            ticket = &m->tickets[i];
    }
    if (!ticket)
        return;
    status = wr_core_acquire(m->core, &wanted, home, m->now_ns, wait_ns, ticket,
                             &grant, &id);
    switch (status) {
    case WEIR_OK:
        break;
    case WEIR_E_CLOSED:
        assert_true(m->is_shut);
        return;
    case WEIR_E_ACQUIRE_TIMEOUT:
        assert_int_equal(wait_ns, 0);
        assert_true(m->is_behind ||
                    covered(m, key) <= count_waiting(m, (int)key));
        return;
    case WEIR_E_QUEUE_FULL:
        assert_true(count_waiting(m, -1) >= m->limits.max_waiting);
        return;
    default:
        fail_msg("acquire: %s", weir_status_name(status));
    }
    m->joined++;
    if (grant.kind == WR_ACT_GRANT) {
        /* An expired connection may have been closed on the way. */
        check_choice(m, conn_of(m, grant.conn), home);
        lend(m, conn_of(m, grant.conn), key);
        m->granted++;
        return;
    }
    *ticket = (struct model_ticket){.is_waiting = true,
                                    .id = id,
                                    .key = key,
                                    .arrival = ++m->arrivals,
                                    .joined_ns = m->now_ns,
                                    .deadline_ns = wait_ns ? m->now_ns + wait_ns
                                                           : WR_NEVER};
}

static struct model_ticket *random_waiting(struct model *m)
{
    const unsigned from = pick(m, TICKETS_MAX);

    for (unsigned i = 0; i < TICKETS_MAX; i++) {
        struct model_ticket *ticket = &m->tickets[(from + i) % TICKETS_MAX];

        if (ticket->is_waiting)
            return ticket;
    }
    return NULL;
}

static struct model_conn *random_conn(struct model *m, enum conn_state state,
                                      bool must_be_leased)
{
    const unsigned from = pick(m, CONNS_MAX);

    for (unsigned i = 0; i < CONNS_MAX; i++) {
        struct model_conn *conn = &m->conns[(from + i) % CONNS_MAX];

        if (conn->state == state && (!must_be_leased || conn->leases > 0))
            return conn;
    }
    return NULL;
}

static void do_cancel(struct model *m)
{
    struct model_ticket *ticket = random_waiting(m);

    if (!ticket)
        return;
    assert_int_equal(wr_core_cancel(m->core, ticket->id, m->now_ns), WEIR_OK);
    ticket->is_waiting = false;
    ticket->must_fail = WEIR_OK;
    m->cancelled++;
    assert_int_equal(wr_core_cancel(m->core, ticket->id, m->now_ns),
                     WEIR_E_STATE);
}

static void rest(struct model *m, struct model_conn *conn, uint64_t keep_ns)
{
    conn->rested_ns = m->now_ns;
    conn->keep_ns = keep_ns;
    conn->rest_order = ++m->rests;
}

static void end_well(struct model *m, struct model_conn *conn)
{
    conn->state = OPEN;
    conn->capacity = m->limits.reuse && conn->key == 0 ? 3 : 1;
    conn->opened_ns = m->now_ns;
    conn->is_doomed = m->is_shut;
    conn->may_be_doomed = m->was_lowered;
    conn->recency = ++m->recencies;
    m->keys[conn->key].usual = conn->capacity;
    end_failures(&m->keys[conn->key]);
    rest(m, conn, WR_NEVER);
    assert_int_equal(
        wr_core_dialed(m->core, conn->id, m->now_ns, conn, conn->capacity),
        WEIR_OK);
}

/* Whom a driver blames: a thread its own ticket, which may be any of the line
 * or none any more; the event loop nobody. */
static wr_ticket_id pick_blame(struct model *m, unsigned key)
{
    const struct model_ticket *ticket = oldest(m, key, pick(m, 3));

    switch (pick(m, 4)) {
    case 0:
        return m->tickets[pick(m, TICKETS_MAX)].id;
    case 1:
        return 0;
    default:
        return ticket ? ticket->id : 0;
    }
}

/* Who has to fail for it, and why. */
static void expect_failures(struct model *m, unsigned key, wr_ticket_id blame,
                            weir_status status)
{
    struct model_ticket *first = oldest(m, key, 0);
    const bool is_dead = status != WEIR_E_CANCELLED && count_live(m, key) == 0;

    if (blame == 0 && status != WEIR_E_CANCELLED && first)
        first->must_fail = status;
    for (int i = 0; i < TICKETS_MAX; i++) {
        struct model_ticket *ticket = &m->tickets[i];

        if (ticket->is_waiting && ticket->key == key &&
            (is_dead || ticket->id == blame))
            ticket->must_fail = status;
    }
}

static weir_error *give_cause(struct model *m, struct model_key *key,
                              weir_status status)
{
    weir_error *cause = wr_malloc(sizeof *cause);

    assert_non_null(cause);
    key->cause = ++m->causes;
    key->cause_status = status;
    *cause = (weir_error){.code = status, .offset = key->cause};
    return cause;
}

static void end_badly(struct model *m, struct model_conn *conn)
{
    static const weir_status failures[] = {WEIR_E_CONNECT, WEIR_E_TLS,
                                           WEIR_E_CANCELLED};
    const weir_status status = failures[pick(m, 3)];
    const wr_ticket_id blame = pick_blame(m, conn->key);
    struct model_key *key = &m->keys[conn->key];
    weir_error *cause = NULL;

    conn->state = NOT_THERE;
    expect_failures(m, conn->key, blame, status);
    if (status == WEIR_E_CANCELLED || m->is_shut) {
        cause = wr_malloc(sizeof *cause);
    } else {
        key->cause = 0;
        if (pick(m, 8) > 0)
            cause = give_cause(m, key, status);
        begin_back_off(m, key);
    }
    assert_int_equal(
        wr_core_dial_failed(m->core, conn->id, blame, status, cause, m->now_ns),
        WEIR_OK);
    /* A stale one is freed all the same. */
    assert_int_equal(wr_core_dial_failed(m->core, conn->id, blame, status,
                                         wr_malloc(1), m->now_ns),
                     WEIR_E_STATE);
}

static void do_dial_end(struct model *m)
{
    struct model_conn *conn = random_conn(m, DIALING, false);

    if (!conn)
        return;
    if (pick(m, 8) < (m->are_dials_bad ? 7u : 2u))
        end_badly(m, conn);
    else
        end_well(m, conn);
}

static void do_release(struct model *m)
{
    struct model_conn *conn = random_conn(m, OPEN, true);
    const bool is_reusable = pick(m, 5) != 0;
    const uint64_t keep_ns =
        pick(m, 3) == 0 ? (100 + pick(m, 1000)) * UNIT : WR_NEVER;

    if (!conn)
        return;
    if (conn->leases-- == conn->capacity)
        conn->recency = ++m->recencies;
    conn->is_doomed =
        conn->is_doomed || !is_reusable || m->is_shut || !m->limits.reuse;
    if (conn->leases == 0)
        rest(m, conn, keep_ns);
    else
        conn->may_be_doomed =
            conn->may_be_doomed || m->was_lowered ||
            (m->limits.max_age_ns != WR_NEVER &&
             m->now_ns - conn->opened_ns >= m->limits.max_age_ns / 10 * 9);
    assert_int_equal(wr_core_release(m->core, conn->id, m->now_ns, is_reusable,
                                     WEIR_CLOSE_NOT_REUSABLE, keep_ns),
                     WEIR_OK);
}

static void do_closed(struct model *m)
{
    struct model_conn *conn = random_conn(m, CLOSING, false);

    if (!conn)
        return;
    conn->state = NOT_THERE;
    assert_int_equal(wr_core_closed(m->core, conn->id, m->now_ns), WEIR_OK);
    assert_int_equal(wr_core_closed(m->core, conn->id, m->now_ns),
                     WEIR_E_STATE);
}

static void do_lost(struct model *m)
{
    struct model_conn *conn = random_conn(m, OPEN, false);

    if (!conn)
        return;
    conn->is_doomed = true;
    assert_int_equal(
        wr_core_lost(m->core, conn->id, m->now_ns, WEIR_CLOSE_PEER_CLOSED),
        WEIR_OK);
}

static void do_renewed(struct model *m)
{
    struct model_conn *conn = random_conn(m, OPEN, true);

    if (!conn || conn->leases != 1 || conn->is_doomed || conn->may_be_doomed)
        return;
    conn->opened_ns = m->now_ns;
    conn->recency = ++m->recencies;
    if (m->limits.reuse && conn->key == 0)
        conn->capacity = 2 + pick(m, 2);
    end_failures(&m->keys[conn->key]);
    assert_int_equal(wr_core_renewed(m->core, conn->id, m->now_ns, conn,
                                     conn->capacity, WEIR_CLOSE_PEER_CLOSED),
                     WEIR_OK);
}

static void do_home(struct model *m)
{
    struct model_conn *conn = random_conn(m, OPEN, false);

    if (!conn)
        return;
    conn->home = pick(m, 2) ? WR_HOME_LOOP : WR_HOME_THREAD;
    assert_int_equal(wr_core_set_home(m->core, conn->id, conn->home), WEIR_OK);
}

/* Those that have been idle for longest are watched first. */
static void do_watch(struct model *m)
{
    struct model_conn *next = NULL;

    for (int i = 0; i < CONNS_MAX; i++) {
        struct model_conn *conn = &m->conns[i];

        if (is_idle(conn) && conn->watched != conn->rest_order &&
            (!next || conn->rest_order < next->rest_order))
            next = conn;
    }
    assert_ptr_equal(wr_core_next_to_watch(m->core), next);
    for (int i = 0; i < CONNS_MAX; i++) {
        if (m->conns[i].state != NOT_THERE && &m->conns[i] != next)
            assert_int_equal(wr_core_watch(m->core, m->conns[i].id),
                             WEIR_E_STATE);
    }
    if (!next)
        return;
    assert_int_equal(wr_core_watch(m->core, next->id), WEIR_OK);
    next->watched = next->rest_order;
}

static void do_warm(struct model *m)
{
    static char users[KEYS][2];
    static const unsigned counts[] = {0, 0, 0, 1, 1, 2, 4, 1000};
    const unsigned key = pick(m, KEYS);
    const struct wr_key wanted = key_of(key);
    const unsigned count = counts[pick(m, 8)];
    void *user = &users[key][pick(m, 2)];
    void *old_user;

    assert_int_equal(
        wr_core_warm(m->core, &wanted, count, user, &old_user, m->now_ns),
        WEIR_OK);
    assert_ptr_equal(old_user, m->keys[key].warm_user);
    m->keys[key].warm = count;
    m->keys[key].warm_user = count ? user : NULL;
}

/* No idle connection has outstayed, unless it was kept warm. */
static void check_idle_limits(const struct model *m)
{
    for (int i = 0; i < CONNS_MAX; i++) {
        const struct model_conn *conn = &m->conns[i];
        const uint64_t needed_ns = m->keys[conn->key].needed_ns;

        if (!is_idle(conn))
            continue;
        assert_true(m->now_ns - conn->rested_ns < conn->keep_ns);
        assert_true(m->now_ns - conn->rested_ns < m->limits.idle_ns ||
                    m->now_ns - needed_ns < m->limits.idle_ns);
    }
}

static void do_tick(struct model *m)
{
    m->has_ticked = true;
    wr_core_tick(m->core, m->now_ns);
    /* What is due has been done. */
    assert_true(wr_core_deadline(m->core) > m->now_ns);
    drain(m);
    check_idle_limits(m);
}

static void do_limits(struct model *m)
{
    struct wr_core_limits limits = m->limits;

    limits.max_total = 1 + pick(m, 20);
    limits.max_per_bucket = 1 + pick(m, 8);
    limits.max_waiting = pick(m, 40);
    m->was_lowered = true;
    m->limits = limits;
    assert_int_equal(wr_core_set_limits(m->core, &limits, m->now_ns), WEIR_OK);
}

/* Most drivers empty the queue after every input; but the core says that a
 * cancel and an end of warmth take back what is queued.  (After operations that
 * queue no GRANT: what happens to the connection of one that is taken back is
 * hidden from the model.) */
static void do_before_drain(struct model *m)
{
    m->is_behind = true;
    note_keys(m);
    switch (pick(m, 3)) {
    case 0:
        do_acquire(m);
        break;
    case 1:
        do_warm(m);
        break;
    }
    note_keys(m);
    do_cancel(m);
}

static void step(struct model *m)
{
    const unsigned what = pick(m, 1000);
    bool may_grant = false;

    m->now_ns += pick(m, 50) * UNIT;
    if (pick(m, 2000) == 0)
        m->are_dials_bad = !m->are_dials_bad;
    if (what < 330) {
        do_acquire(m);
    } else if (what < 380) {
        do_cancel(m);
    } else if (what < 540) {
        may_grant = true;
        do_dial_end(m);
    } else if (what < 780) {
        may_grant = true;
        do_release(m);
    } else if (what < 880) {
        do_closed(m);
    } else if (what < 895) {
        do_lost(m);
    } else if (what < 910) {
        may_grant = true;
        do_renewed(m);
    } else if (what < 920) {
        do_warm(m);
    } else if (what < 930) {
        do_home(m);
    } else if (what < 940) {
        do_watch(m);
    } else if (what < 998) {
        do_tick(m);
    } else {
        do_limits(m);
    }
    if (!may_grant && pick(m, 10) == 0)
        do_before_drain(m);
    drain(m);
    check(m);
}

/* Gets a model ready; times of the limits are in UNITs. */
static void begin(struct model *m, const struct wr_core_limits *limits)
{
    memset(m, 0, sizeof *m);
    m->limits = *limits;
    m->limits.idle_ns *= UNIT;
    if (m->limits.max_age_ns != WR_NEVER)
        m->limits.max_age_ns *= UNIT;
    m->now_ns = 1;
    m->core = wr_core_new(&m->limits);
    for (int key = 0; key < KEYS; key++)
        m->keys[key].usual = 1;
    assert_non_null(m->core);
}

/* Shuts the core and lets all come back: nothing may be left. */
static void finish(struct model *m)
{
    const struct wr_key any = key_of(0);
    void *old_user;

    m->is_shut = true;
    for (int key = 0; key < KEYS; key++) {
        m->keys[key].warm = 0;
        end_failures(&m->keys[key]);
    }
    wr_core_shut(m->core, m->now_ns);
    drain(m);
    check(m);
    assert_int_equal(wr_core_warm(m->core, &any, 1, m, &old_user, m->now_ns),
                     WEIR_E_CLOSED);
    assert_int_equal(count_waiting(m, -1), 0);
    while (taken_places(m, -1) > 0) {
        m->now_ns++;
        do_dial_end(m);
        drain(m);
        do_release(m);
        drain(m);
        do_closed(m);
        drain(m);
        check(m);
    }
    assert_int_equal(m->joined, m->granted + m->failed + m->cancelled);
    assert_true(wr_core_deadline(m->core) == WR_NEVER);
    wr_core_free(m->core);
}

#endif
