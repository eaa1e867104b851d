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
#include "base/mem.h"
#include "pool/core.h"
#include "sanitized.h"

enum {
    KEYS = 6,
    TICKETS_MAX = 64,
    CONNS_MAX = 64,
};

/* All spans are multiples of it: an operation takes half a millisecond, so that
 * a back-off is some forty operations long at first. */
#define UNIT UINT64_C(20000)

enum {
    OPERATIONS = IS_SANITIZED ? 25000 : 100000 /* in each configuration */
};

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
    enum wr_home home;
    uint64_t recency; /* counts up when a conn without room has some again */
};

struct model_ticket {
    bool is_waiting;
    wr_ticket_id id;
    unsigned key;
    uint64_t arrival;
    uint64_t deadline_ns;
    uint64_t joined_ns;
    weir_status must_fail; /* the operation under way ends it with that */
};

/* What is known of a key besides its connections and tickets. */
struct model_key {
    unsigned usual; /* capacity of the last dial */
    unsigned warm;  /* fewest connections */
    void *warm_user;
    uint64_t needed_ns; /* when there were no more than that at last */
    bool is_backing_off;
    bool is_kept; /* for the delay's sake, until forget_ns */
    uint64_t delay_ns;
    uint64_t retry_ns;
    uint64_t forget_ns;
    uint64_t cause; /* number of the last failed dial's; 0 = not given */
    weir_status cause_status;
};

struct model {
    struct wr_core *core;
    struct wr_core_limits limits;
    uint64_t now_ns;
    uint64_t random;
    uint64_t arrivals;
    uint64_t rests;
    bool is_shut;
    bool was_lowered;   /* limits may be exceeded until the surplus is gone */
    bool are_dials_bad; /* for a while, most dials fail */
    bool has_ticked;    /* in the operations since the last drain */
    bool is_behind;     /* a second operation came before the drain */
    uint64_t causes;
    uint64_t recencies;
    struct model_key keys[KEYS];
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

static unsigned count_live(const struct model *m, unsigned key)
{
    return count_conns(m, OPEN, (int)key) + count_conns(m, DIALING, (int)key);
}

/* How many connections of a key are kept warm. */
static unsigned warm_target(const struct model *m, unsigned key)
{
    return m->keys[key].warm < m->limits.max_per_bucket
               ? m->keys[key].warm
               : m->limits.max_per_bucket;
}

static bool is_cold(const struct model *m, unsigned key)
{
    return !m->keys[key].is_backing_off &&
           taken_places(m, (int)key) < warm_target(m, key);
}

static bool is_known(const struct model *m, unsigned key)
{
    return taken_places(m, (int)key) > 0 || count_waiting(m, (int)key) > 0 ||
           m->keys[key].warm > 0 || m->keys[key].is_kept;
}

static bool has_room(const struct model_conn *conn)
{
    return conn->state == OPEN && !conn->is_doomed &&
           conn->leases < conn->capacity;
}

/* Has it rested for too long?  Too old counts from nine tenths on, when it may
 * be closed or not. */
static bool may_be_expired(const struct model *m, const struct model_conn *conn)
{
    const uint64_t rested_ns = m->now_ns - conn->rested_ns;

    return conn->leases == 0 &&
           (rested_ns >= conn->keep_ns || rested_ns >= m->limits.idle_ns ||
            (m->limits.max_age_ns != WR_NEVER &&
             m->now_ns - conn->opened_ns >= m->limits.max_age_ns / 10 * 9));
}

/* The oldest ticket that no dial is under way for; NULL: none, or the key is at
 * its limit, or backs off. */
static struct model_ticket *hungry_ticket(struct model *m, unsigned key)
{
    if (m->keys[key].is_backing_off ||
        taken_places(m, (int)key) >= m->limits.max_per_bucket)
        return NULL;
    return oldest(m, key, covered(m, key));
}

static bool is_any_hungry(struct model *m)
{
    bool is_hungry = false;

    for (unsigned key = 0; key < KEYS; key++)
        is_hungry = is_hungry || hungry_ticket(m, key);
    return is_hungry;
}

/* Remembers when a key had no surplus over its warm minimum. */
static void note_needed(struct model *m)
{
    for (unsigned key = 0; key < KEYS; key++) {
        if (count_live(m, key) <= warm_target(m, key))
            m->keys[key].needed_ns = m->now_ns;
    }
}

/* --- failing dials ------------------------------------------------------- */

static void end_failures(struct model_key *key)
{
    key->is_backing_off = false;
    key->is_kept = false;
    key->delay_ns = 0;
    key->cause = 0;
}

static void begin_back_off(struct model *m, struct model_key *key)
{
    if (key->is_backing_off)
        return;
    key->delay_ns = key->delay_ns == 0 ? WR_BACK_OFF_FIRST_NS
                    : key->delay_ns * 2 < WR_BACK_OFF_MAX_NS
                        ? key->delay_ns * 2
                        : WR_BACK_OFF_MAX_NS;
    key->is_backing_off = true;
    key->is_kept = true;
    key->retry_ns = m->now_ns + key->delay_ns;
    key->forget_ns = WR_NEVER;
}

/* What a tick does to back-offs, after the time-outs. */
static void end_back_offs(struct model *m)
{
    for (unsigned i = 0; i < KEYS; i++) {
        struct model_key *key = &m->keys[i];

        if (key->is_kept && key->forget_ns <= m->now_ns)
            key->is_kept = false;
        if (key->is_backing_off && key->retry_ns <= m->now_ns) {
            key->is_backing_off = false;
            key->forget_ns = m->now_ns + key->delay_ns;
        }
    }
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
    assert_null(action->cause);
    lend(m, conn_of(m, action->conn), ticket->key);
    ticket->is_waiting = false;
    m->granted++;
}

/* A time limit in the line; of a dead server it tells what is wrong with it. */
static void see_time_out(struct model *m, const struct wr_action *action,
                         const struct model_ticket *ticket)
{
    const struct model_key *key = &m->keys[ticket->key];

    assert_true(m->has_ticked);
    assert_true(m->now_ns >= ticket->deadline_ns);
    if (key->is_backing_off && key->cause &&
        count_conns(m, OPEN, (int)ticket->key) == 0) {
        assert_int_equal(action->status, key->cause_status);
        assert_true(action->cause->offset == key->cause);
    } else {
        assert_int_equal(action->status, WEIR_E_ACQUIRE_TIMEOUT);
        assert_null(action->cause);
    }
}

static void see_fail(struct model *m, const struct wr_action *action)
{
    struct model_ticket *ticket = action->user;

    assert_true(ticket->is_waiting);
    if (m->is_shut) {
        assert_int_equal(action->status, WEIR_E_CLOSED);
        assert_null(action->cause);
    } else if (ticket->must_fail) {
        assert_int_equal(action->status, ticket->must_fail);
        if (ticket->must_fail != WEIR_E_CANCELLED && m->keys[ticket->key].cause)
            assert_true(action->cause->offset == m->keys[ticket->key].cause);
        else
            assert_null(action->cause);
    } else {
        see_time_out(m, action, ticket);
    }
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
        assert_true(m->is_behind || taken_places(m, -1) >= m->limits.max_total);
        break;
    case WEIR_CLOSE_IDLE:
        if (m->now_ns - conn->rested_ns >= conn->keep_ns)
            break;
        assert_true(m->now_ns - conn->rested_ns >= m->limits.idle_ns);
        assert_true(m->is_behind ||
                    count_live(m, conn->key) > warm_target(m, conn->key));
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
    note_needed(m);
}

static unsigned see_dial_for_ticket(struct model *m,
                                    const struct wr_action *action)
{
    struct model_ticket *ticket = action->user;
    struct model_ticket *first = NULL;

    assert_true(ticket->is_waiting);
    assert_true(ticket->id == action->ticket);
    assert_false(m->keys[ticket->key].is_backing_off);
    /* Room goes to the one who has waited longest among those it can help. */
    for (unsigned key = 0; key < KEYS; key++) {
        struct model_ticket *candidate = hungry_ticket(m, key);

        if (candidate && (!first || candidate->arrival < first->arrival))
            first = candidate;
    }
    if (!m->is_behind)
        assert_ptr_equal(ticket, first);
    return ticket->key;
}

static unsigned see_dial_for_warmth(struct model *m,
                                    const struct wr_action *action)
{
    /* Warmth comes last. */
    if (!m->is_behind)
        assert_false(is_any_hungry(m));
    for (unsigned key = 0; key < KEYS; key++) {
        if (m->keys[key].warm && action->user == m->keys[key].warm_user) {
            assert_true(is_cold(m, key));
            return key;
        }
    }
    fail_msg("a dial for a user who is not warm");
    return 0;
}

static void see_dial(struct model *m, const struct wr_action *action)
{
    const unsigned key = action->ticket ? see_dial_for_ticket(m, action)
                                        : see_dial_for_warmth(m, action);

    assert_true(taken_places(m, -1) < m->limits.max_total);
    note_needed(m);
    for (int i = 0; i < CONNS_MAX; i++) {
        if (m->conns[i].state == NOT_THERE) {
            m->conns[i] = (struct model_conn){.state = DIALING,
                                              .id = action->conn,
                                              .key = key,
                                              .cover = m->keys[key].usual};
            return;
        }
    }
    fail_msg("more connections than the model has room for");
}

/* Takes all actions; outcomes of one input come before the room it frees. */
static void drain(struct model *m)
{
    struct wr_action actions[256];
    unsigned count = 0;

    while (wr_core_has_action(m->core)) {
        assert_true(count < 256);
        actions[count++] = wr_core_next_action(m->core);
    }
    for (unsigned i = 0; i < count; i++) {
        if (actions[i].kind == WR_ACT_FAIL)
            see_fail(m, &actions[i]);
    }
    for (int i = 0; i < TICKETS_MAX; i++) {
        assert_false(m->tickets[i].is_waiting && m->tickets[i].must_fail);
        m->tickets[i].must_fail = WEIR_OK;
    }
    if (m->has_ticked)
        end_back_offs(m);
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
    m->has_ticked = false;
    m->is_behind = false;
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
    const bool is_hungry = is_any_hungry(m);

    for (int i = 0; i < CONNS_MAX; i++) {
        const struct model_conn *conn = &m->conns[i];

        if (has_room(conn) && !conn->may_be_doomed)
            assert_int_equal(count_waiting(m, (int)conn->key), 0);
    }
    if (is_hungry) {
        assert_true(taken_places(m, -1) >= m->limits.max_total);
        assert_true(count_idle(m) == 0 || count_conns(m, CLOSING, -1) > 0);
    }
    for (unsigned key = 0; key < KEYS; key++) {
        if (is_cold(m, key))
            assert_true(is_hungry ||
                        taken_places(m, -1) >= m->limits.max_total);
    }
}

/* What the core tells when asked is so. */
static void check_answers(const struct model *m)
{
    for (int i = 0; i < CONNS_MAX; i++) {
        if (m->conns[i].state != NOT_THERE)
            assert_int_equal(wr_core_is_idle(m->core, m->conns[i].id),
                             is_idle(&m->conns[i]));
    }
    for (int i = 0; i < TICKETS_MAX; i++) {
        const struct model_ticket *ticket = &m->tickets[i];
        const struct model_key *key = &m->keys[ticket->key];

        if (ticket->is_waiting)
            assert_true(wr_core_retry_ns(m->core, ticket->id) ==
                        (key->is_backing_off ? key->retry_ns : WR_NEVER));
    }
}

static void check_counts(const struct model *m)
{
    struct wr_core_counts counts;
    unsigned known = 0;

    wr_core_counts(m->core, &counts);
    for (unsigned key = 0; key < KEYS; key++)
        known += is_known(m, key);
    assert_int_equal(counts.buckets, known);
    assert_int_equal(counts.open, taken_places(m, -1));
    assert_int_equal(counts.idle, count_idle(m));
    assert_int_equal(counts.dialing, count_conns(m, DIALING, -1));
    assert_int_equal(counts.closing, count_conns(m, CLOSING, -1));
    assert_int_equal(counts.leased, count_conns(m, OPEN, -1) - count_idle(m));
    assert_int_equal(counts.waiting, count_waiting(m, -1));
}

/* What is known of a key goes with what keeps it. */
static void note_keys(struct model *m)
{
    for (unsigned key = 0; key < KEYS; key++) {
        if (!is_known(m, key))
            m->keys[key] = (struct model_key){.usual = 1};
    }
    note_needed(m);
}

static void check(struct model *m)
{
    note_keys(m);
    if (taken_places(m, -1) <= m->limits.max_total)
        m->was_lowered = false;
    for (int key = 0; key < KEYS; key++)
        m->was_lowered =
            m->was_lowered || taken_places(m, key) > m->limits.max_per_bucket;
    check_limits(m);
    check_work_is_done(m);
    check_counts(m);
    check_answers(m);
}

/* --- operations ---------------------------------------------------------- */

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
    } else if (what < 940) {
        do_home(m);
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
}

static uint64_t seed;

static void run(const struct wr_core_limits *limits, unsigned number)
{
    static struct model m;

    memset(&m, 0, sizeof m);
    m.limits = *limits;
    m.limits.idle_ns *= UNIT;
    if (m.limits.max_age_ns != WR_NEVER)
        m.limits.max_age_ns *= UNIT;
    m.now_ns = 1;
    m.random = seed + number * UINT64_C(0x9e3779b97f4a7c15);
    m.core = wr_core_new(&m.limits);
    for (int key = 0; key < KEYS; key++)
        m.keys[key].usual = 1;
    assert_non_null(m.core);
    for (int i = 0; i < OPERATIONS; i++)
        step(&m);
    finish(&m);
    wr_core_free(m.core);
}

static void random_operations_keep_every_promise(void **state)
{
    /* Spans in UNITs. */
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
