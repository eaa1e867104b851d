/* A naive model of the core of the pool.
 *
 * It knows nothing of how the core works.  It keeps plain arrays of what a
 * driver can see (tickets, connections, their states) and checks after every
 * operation what pool/core.h promises.  Which operation comes next is random,
 * or read from a script of bytes; pool_moves.h has the operations. */
#ifndef POOL_MODEL_H
#define POOL_MODEL_H

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

enum {
    KEYS = 6,
    TICKETS_MAX = 64,
    CONNS_MAX = 64,
};

/* All spans are multiples of it: an operation takes half a millisecond, so that
 * a back-off is some forty operations long at first. */
#define UNIT UINT64_C(20000)

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
    uint64_t watched;    /* the rest in which it was watched last */
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
    const uint8_t *script; /* given: what is picked comes from there */
    size_t script_len;
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

/* A script's next bytes; zeros behind its end. */
static uint64_t next_of_script(struct model *m, unsigned bytes)
{
    uint64_t number = 0;

    while (bytes-- > 0 && m->script_len > 0) {
        number = number << 8 | *m->script++;
        m->script_len--;
    }
    return number;
}

static unsigned pick(struct model *m, unsigned below)
{
    if (m->script)
        return (unsigned)next_of_script(m, below > 256 ? 2 : 1) % below;
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

#endif
