/* The core of the pool against a naive model, with a virtual clock.
 *
 * The model knows nothing of how the core works.  It keeps plain arrays of what
 * a driver can see (tickets, connections, their states) and checks after every
 * operation what pool/core.h promises.  Which operation comes next is random;
 * the seed is printed, and WEIR_SEED replays it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "pool/core.h"

enum {
    KEYS = 6,
    TICKETS_MAX = 64,
    CONNS_MAX = 64,
};

/* In each of eight configurations.  Fewer where a sanitizer slows each down. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum {
    OPERATIONS = 25000
};
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum {
    OPERATIONS = 25000
};
#else
enum {
    OPERATIONS = 250000
};
#endif
#else
enum {
    OPERATIONS = 250000
};
#endif

enum conn_state {
    NOT_THERE,
    DIALING,
    OPEN,
    CLOSING
};

struct model_conn {
    enum conn_state state;
    wr_conn_id id;
    unsigned key;
    unsigned capacity;
    unsigned leases;
    unsigned cover;     /* DIALING: tickets that it is under way for */
    bool is_doomed;     /* must not be lent again */
    bool may_be_doomed; /* over a limit, or nearly past its age, at a release
                         * that left leases out */
    bool was_lent;
    uint64_t opened_ns;
    uint64_t rested_ns; /* since when idle */
    uint64_t keep_ns;
    uint64_t rest_order; /* counts up at each rest */
};

struct model_ticket {
    bool is_waiting;
    wr_ticket_id id;
    unsigned key;
    uint64_t arrival;
    uint64_t deadline_ns;
    uint64_t joined_ns;
};

struct model {
    struct wr_core *core;
    struct wr_core_limits limits;
    uint64_t now_ns;
    uint64_t random;
    uint64_t arrivals;
    uint64_t rests;
    bool is_shut;
    unsigned usual[KEYS]; /* capacity of the last dial of a key */
    bool was_lowered;     /* limits may be exceeded until the surplus is gone */
    struct model_ticket tickets[TICKETS_MAX];
    struct model_conn conns[CONNS_MAX];
    uint64_t granted, failed, cancelled, joined;
};

static const char *const keys[KEYS] = {"a", "b", "c", "d", "e", "f"};

/* --- randomness ---------------------------------------------------------- */

static uint64_t next_random(struct model *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return m->random;
}

static unsigned pick(struct model *m, unsigned below)
{
    return (unsigned)(next_random(m) >> 33) % below;
}

/* --- looking at the model ------------------------------------------------ */

static unsigned count_conns(const struct model *m, enum conn_state state,
                            int key)
{
    unsigned count = 0;

    for (int i = 0; i < CONNS_MAX; i++)
        count += m->conns[i].state == state &&
                 (key < 0 || m->conns[i].key == (unsigned)key);
    return count;
}

static unsigned taken_places(const struct model *m, int key)
{
    return count_conns(m, DIALING, key) + count_conns(m, OPEN, key) +
           count_conns(m, CLOSING, key);
}

static unsigned count_waiting(const struct model *m, int key)
{
    unsigned count = 0;

    for (int i = 0; i < TICKETS_MAX; i++)
        count += m->tickets[i].is_waiting &&
                 (key < 0 || m->tickets[i].key == (unsigned)key);
    return count;
}

static bool is_idle(const struct model_conn *conn)
{
    return conn->state == OPEN && conn->leases == 0;
}

static unsigned count_idle(const struct model *m)
{
    unsigned count = 0;

    for (int i = 0; i < CONNS_MAX; i++)
        count += is_idle(&m->conns[i]);
    return count;
}

static struct model_conn *conn_of(struct model *m, wr_conn_id id)
{
    for (int i = 0; i < CONNS_MAX; i++) {
        if (m->conns[i].state != NOT_THERE && m->conns[i].id == id)
            return &m->conns[i];
    }
    fail_msg("an action names a connection that is not there");
    return m->conns; /* never: a failure leaves the test */
}

/* The oldest waiting ticket of a key, after `skip` older ones. */
static struct model_ticket *oldest(struct model *m, unsigned key, unsigned skip)
{
    struct model_ticket *found = NULL;
    uint64_t after = 0;

    for (unsigned n = 0; n <= skip; n++) {
        found = NULL;
        for (int i = 0; i < TICKETS_MAX; i++) {
            struct model_ticket *ticket = &m->tickets[i];

            if (ticket->is_waiting && ticket->key == key &&
                ticket->arrival > after &&
                (!found || ticket->arrival < found->arrival))
                found = ticket;
        }
        if (!found)
            return NULL;
        after = found->arrival;
    }
    return found;
}

static unsigned covered(const struct model *m, unsigned key)
{
    unsigned cover = 0;

    for (int i = 0; i < CONNS_MAX; i++) {
        if (m->conns[i].state == DIALING && m->conns[i].key == key)
            cover += m->conns[i].cover;
    }
    return cover;
}

/* The oldest ticket that no dial is under way for; NULL: none, or the key is at
 * its limit. */
static struct model_ticket *hungry_ticket(struct model *m, unsigned key)
{
    if (taken_places(m, (int)key) >= m->limits.max_per_bucket)
        return NULL;
    return oldest(m, key, covered(m, key));
}

/* --- actions ------------------------------------------------------------- */

static void lend(struct model *m, struct model_conn *conn, unsigned key)
{
    assert_int_equal(conn->state, OPEN);
    assert_int_equal(conn->key, key);
    assert_false(conn->is_doomed);
    assert_true(conn->leases < conn->capacity);
    conn->leases++;
    conn->was_lent = true;
    (void)m;
}

static void see_grant(struct model *m, const struct wr_action *action)
{
    struct model_ticket *ticket = action->user;

    assert_true(ticket->is_waiting);
    assert_true(action->ticket == ticket->id);
    /* Nobody overtakes within a bucket. */
    assert_ptr_equal(ticket, oldest(m, ticket->key, 0));
    assert_ptr_equal(action->opaque, conn_of(m, action->conn));
    assert_int_equal(action->reused, conn_of(m, action->conn)->was_lent);
    lend(m, conn_of(m, action->conn), ticket->key);
    ticket->is_waiting = false;
    m->granted++;
}

static void see_fail(struct model *m, const struct wr_action *action,
                     weir_status dial_status)
{
    struct model_ticket *ticket = action->user;

    assert_true(ticket->is_waiting);
    if (action->status == WEIR_E_ACQUIRE_TIMEOUT)
        assert_true(m->now_ns >= ticket->deadline_ns);
    else if (action->status == WEIR_E_CLOSED)
        assert_true(m->is_shut);
    else
        assert_int_equal(action->status, dial_status);
    ticket->is_waiting = false;
    m->failed++;
}

static void see_close(struct model *m, const struct wr_action *action)
{
    struct model_conn *conn = conn_of(m, action->conn);

    assert_ptr_equal(action->opaque, conn);
    assert_int_equal(conn->state, OPEN);
    assert_int_equal(conn->leases, 0);
    switch (action->reason) {
    case WEIR_CLOSE_EVICTED:
        /* The least recently used goes first. */
        for (int i = 0; i < CONNS_MAX; i++)
            assert_false(is_idle(&m->conns[i]) &&
                         m->conns[i].rest_order < conn->rest_order);
        assert_true(taken_places(m, -1) >= m->limits.max_total);
        break;
    case WEIR_CLOSE_IDLE:
        assert_true(m->now_ns - conn->rested_ns >=
                    (conn->keep_ns < m->limits.idle_ns ? conn->keep_ns
                                                       : m->limits.idle_ns));
        break;
    case WEIR_CLOSE_AGE:
        assert_true(m->now_ns - conn->opened_ns >=
                    m->limits.max_age_ns - m->limits.max_age_ns / 10 - 1);
        break;
    case WEIR_CLOSE_DISABLED:
        assert_false(m->limits.reuse);
        break;
    case WEIR_CLOSE_SHUTDOWN:
        assert_true(m->is_shut);
        break;
    default:
        break;
    }
    conn->state = CLOSING;
}

static void see_dial(struct model *m, const struct wr_action *action)
{
    struct model_ticket *ticket = action->user;
    struct model_ticket *first = NULL;

    assert_true(ticket->is_waiting);
    /* Room goes to the one who has waited longest among those it can help. */
    for (unsigned key = 0; key < KEYS; key++) {
        struct model_ticket *candidate = hungry_ticket(m, key);

        if (candidate && (!first || candidate->arrival < first->arrival))
            first = candidate;
    }
    assert_ptr_equal(ticket, first);
    assert_true(taken_places(m, -1) < m->limits.max_total);
    for (int i = 0; i < CONNS_MAX; i++) {
        if (m->conns[i].state == NOT_THERE) {
            m->conns[i] = (struct model_conn){.state = DIALING,
                                              .id = action->conn,
                                              .key = ticket->key,
                                              .cover = m->usual[ticket->key]};
            return;
        }
    }
    fail_msg("more connections than the model has room for");
}

/* Takes all actions; outcomes of one input come before the room it frees. */
static void drain(struct model *m, weir_status dial_status)
{
    struct wr_action actions[256];
    unsigned count = 0;

    while (wr_core_has_action(m->core)) {
        assert_true(count < 256);
        actions[count++] = wr_core_next_action(m->core);
    }
    for (unsigned i = 0; i < count; i++) {
        if (actions[i].kind == WR_ACT_FAIL)
            see_fail(m, &actions[i], dial_status);
    }
    for (unsigned i = 0; i < count; i++) {
        if (actions[i].kind == WR_ACT_GRANT)
            see_grant(m, &actions[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        if (actions[i].kind == WR_ACT_CLOSE)
            see_close(m, &actions[i]);
        else if (actions[i].kind == WR_ACT_DIAL)
            see_dial(m, &actions[i]);
    }
}

/* --- what must hold after every operation -------------------------------- */

static void check_limits(const struct model *m)
{
    if (!m->was_lowered)
        assert_true(taken_places(m, -1) <= m->limits.max_total);
    for (int key = 0; key < KEYS && !m->was_lowered; key++)
        assert_true(taken_places(m, key) <= m->limits.max_per_bucket);
}

/* Nobody waits for what is there. */
static void check_work_is_done(struct model *m)
{
    bool is_hungry = false;

    for (int i = 0; i < CONNS_MAX; i++) {
        const struct model_conn *conn = &m->conns[i];

        if (conn->state == OPEN && !conn->is_doomed && !conn->may_be_doomed &&
            conn->leases < conn->capacity)
            assert_int_equal(count_waiting(m, (int)conn->key), 0);
    }
    for (unsigned key = 0; key < KEYS; key++)
        is_hungry = is_hungry || hungry_ticket(m, key);
    if (is_hungry) {
        assert_true(taken_places(m, -1) >= m->limits.max_total);
        assert_true(count_idle(m) == 0 || count_conns(m, CLOSING, -1) > 0);
    }
}

static void check_counts(const struct model *m)
{
    struct wr_core_counts counts;

    wr_core_counts(m->core, &counts);
    assert_int_equal(counts.open, taken_places(m, -1));
    assert_int_equal(counts.idle, count_idle(m));
    assert_int_equal(counts.dialing, count_conns(m, DIALING, -1));
    assert_int_equal(counts.closing, count_conns(m, CLOSING, -1));
    assert_int_equal(counts.leased, count_conns(m, OPEN, -1) - count_idle(m));
    assert_int_equal(counts.waiting, count_waiting(m, -1));
}

static void check(struct model *m)
{
    /* What is known of a key goes with its last connection and ticket. */
    for (int key = 0; key < KEYS; key++) {
        if (taken_places(m, key) == 0 && count_waiting(m, key) == 0)
            m->usual[key] = 1;
    }
    if (taken_places(m, -1) <= m->limits.max_total)
        m->was_lowered = false;
    for (int key = 0; key < KEYS; key++)
        m->was_lowered =
            m->was_lowered || taken_places(m, key) > m->limits.max_per_bucket;
    check_limits(m);
    check_work_is_done(m);
    check_counts(m);
}

/* --- operations ---------------------------------------------------------- */

static struct wr_key key_of(unsigned key)
{
    return (struct wr_key){keys[key], 1, key * 7919};
}

static void do_acquire(struct model *m)
{
    const unsigned key = pick(m, KEYS);
    const struct wr_key wanted = key_of(key);
    const uint64_t wait_ns = pick(m, 4) == 0 ? 0 : 1 + pick(m, 2000);
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
    status = wr_core_acquire(m->core, &wanted, m->now_ns, wait_ns, ticket,
                             &grant, &id);
    switch (status) {
    case WEIR_OK:
        break;
    case WEIR_E_CLOSED:
        assert_true(m->is_shut);
        return;
    case WEIR_E_ACQUIRE_TIMEOUT:
        assert_int_equal(wait_ns, 0);
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
        assert_int_equal(count_waiting(m, (int)key), 0);
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

static weir_status do_dial_end(struct model *m)
{
    struct model_conn *conn = random_conn(m, DIALING, false);
    struct model_ticket *blamed;
    weir_status status;

    if (!conn)
        return WEIR_OK;
    if (pick(m, 4) != 0) {
        conn->state = OPEN;
        conn->capacity = m->limits.reuse && conn->key == 0 ? 3 : 1;
        conn->opened_ns = m->now_ns;
        conn->is_doomed = m->is_shut;
        conn->may_be_doomed = m->was_lowered;
        m->usual[conn->key] = conn->capacity;
        rest(m, conn, WR_NEVER);
        assert_int_equal(
            wr_core_dialed(m->core, conn->id, m->now_ns, conn, conn->capacity),
            WEIR_OK);
        return WEIR_OK;
    }
    blamed = oldest(m, conn->key, 0);
    status = blamed && pick(m, 2) ? WEIR_E_CONNECT : WEIR_OK;
    assert_int_equal(
        wr_core_dial_failed(m->core, conn->id, status ? blamed->id : 0,
                            status ? status : WEIR_E_CANCELLED, m->now_ns),
        WEIR_OK);
    conn->state = NOT_THERE;
    return status;
}

static void do_release(struct model *m)
{
    struct model_conn *conn = random_conn(m, OPEN, true);
    const bool is_reusable = pick(m, 5) != 0;
    const uint64_t keep_ns = pick(m, 3) == 0 ? 100 + pick(m, 1000) : WR_NEVER;

    if (!conn)
        return;
    conn->leases--;
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
    assert_int_equal(wr_core_renewed(m->core, conn->id, m->now_ns, conn,
                                     conn->capacity, WEIR_CLOSE_PEER_CLOSED),
                     WEIR_OK);
}

static void do_tick(struct model *m)
{
    wr_core_tick(m->core, m->now_ns);
    /* What is due has been done. */
    assert_true(wr_core_deadline(m->core) > m->now_ns);
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

static void step(struct model *m)
{
    weir_status dial_status = WEIR_OK;
    const unsigned what = pick(m, 1000);

    m->now_ns += pick(m, 50);
    if (what < 350)
        do_acquire(m);
    else if (what < 400)
        do_cancel(m);
    else if (what < 560)
        dial_status = do_dial_end(m);
    else if (what < 800)
        do_release(m);
    else if (what < 900)
        do_closed(m);
    else if (what < 915)
        do_lost(m);
    else if (what < 930)
        do_renewed(m);
    else if (what < 998)
        do_tick(m);
    else
        do_limits(m);
    drain(m, dial_status);
    check(m);
}

/* Shuts the core and lets all come back: nothing may be left. */
static void finish(struct model *m)
{
    m->is_shut = true;
    wr_core_shut(m->core, m->now_ns);
    drain(m, WEIR_OK);
    assert_int_equal(count_waiting(m, -1), 0);
    while (taken_places(m, -1) > 0) {
        m->now_ns++;
        do_dial_end(m);
        drain(m, WEIR_OK);
        do_release(m);
        drain(m, WEIR_OK);
        do_closed(m);
        drain(m, WEIR_OK);
        check(m);
    }
    assert_int_equal(m->joined, m->granted + m->failed + m->cancelled);
    assert_true(wr_core_deadline(m->core) == WR_NEVER);
}

static uint64_t seed;

static void run(const struct wr_core_limits *limits, unsigned number)
{
    static struct model m;

    memset(&m, 0, sizeof m);
    m.limits = *limits;
    m.now_ns = 1;
    m.random = seed + number * UINT64_C(0x9e3779b97f4a7c15);
    m.core = wr_core_new(limits);
    for (int key = 0; key < KEYS; key++)
        m.usual[key] = 1;
    assert_non_null(m.core);
    for (int i = 0; i < OPERATIONS; i++)
        step(&m);
    finish(&m);
    wr_core_free(m.core);
}

static void random_operations_keep_every_promise(void **state)
{
    static const struct wr_core_limits configurations[] = {
        {4, 2, 10, 500, WR_NEVER, true},  {1, 1, 5, 300, 2000, true},
        {20, 3, 64, 1000, 5000, true},    {6, 6, 0, 400, WR_NEVER, true},
        {4, 2, 10, 500, WR_NEVER, false}, {12, 1, 30, 100, 700, true},
        {3, 8, 64, 2000, 3000, true},     {8, 4, 20, 50, 400, true},
    };

    (void)state;
    print_message("seed %llu (replay with WEIR_SEED), 8 times %d operations\n",
                  (unsigned long long)seed, OPERATIONS);
    for (unsigned i = 0; i < sizeof configurations / sizeof *configurations;
         i++)
        run(&configurations[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_keep_every_promise),
    };
    const char *given = getenv("WEIR_SEED");
    FILE *file = given ? NULL : fopen("/dev/urandom", "rb");

    if (given)
        seed = strtoull(given, NULL, 10);
    else if (!file || fread(&seed, sizeof seed, 1, file) != 1)
        seed = 1;
    if (file)
        fclose(file);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
