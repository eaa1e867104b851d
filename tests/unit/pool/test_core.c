/* The core of the pool, one behaviour a test.  What holds for all sequences is
 * in tests/model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/memory.h>

#include "base/deadline.h"
#include "base/mem.h"
#include "pool/core.h"

static struct wr_core *core;
static char users[8]; /* their addresses tell callers apart */

static const struct wr_core_limits usual = {.max_total = 4,
                                            .max_per_bucket = 2,
                                            .max_waiting = 3,
                                            .idle_ns = 100,
                                            .max_age_ns = WR_NEVER,
                                            .reuse = true};

static int setup(void **state)
{
    (void)state;
    core = wr_core_new(&usual);
    return core ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    wr_core_free(core);
    return 0;
}

static void change(const struct wr_core_limits *limits)
{
    assert_int_equal(wr_core_set_limits(core, limits, 0), WEIR_OK);
}

static struct wr_key key(const char *name)
{
    return (struct wr_key){name, (uint32_t)strlen(name),
                           (uint32_t)name[0] * 7919u};
}

/* Asks; the ticket, or 0 when granted at once (then *ret_grant has it). */
static wr_ticket_id ask(const char *name, unsigned user, uint64_t now_ns,
                        uint64_t wait_ns, struct wr_action *ret_grant)
{
    const struct wr_key wanted = key(name);
    wr_ticket_id ticket = 0;

    assert_int_equal(wr_core_acquire(core, &wanted, WR_HOME_THREAD, now_ns,
                                     wait_ns, &users[user], ret_grant, &ticket),
                     WEIR_OK);
    return ret_grant->kind == WR_ACT_GRANT ? 0 : ticket;
}

static weir_status refusal(const char *name, uint64_t wait_ns)
{
    const struct wr_key wanted = key(name);
    struct wr_action grant;
    wr_ticket_id ticket;

    return wr_core_acquire(core, &wanted, WR_HOME_THREAD, 0, wait_ns, users,
                           &grant, &ticket);
}

static struct wr_action next(enum wr_action_kind kind)
{
    const struct wr_action action = wr_core_next_action(core);

    assert_int_equal(action.kind, kind);
    return action;
}

/* Asks, dials and takes the grant. */
static wr_conn_id dial(const char *name, uint64_t now_ns, unsigned capacity)
{
    struct wr_action action;

    ask(name, 7, now_ns, 10, &action);
    action = next(WR_ACT_DIAL);
    assert_int_equal(wr_core_dialed(core, action.conn, now_ns, users, capacity),
                     WEIR_OK);
    action = next(WR_ACT_GRANT);
    assert_false(action.reused);
    return action.conn;
}

static void give_back(wr_conn_id conn, uint64_t now_ns)
{
    assert_int_equal(
        wr_core_release(core, conn, now_ns, true, WEIR_CLOSE_IDLE, WR_NEVER),
        WEIR_OK);
}

static struct wr_core_counts counts(void)
{
    struct wr_core_counts now;

    wr_core_counts(core, &now);
    return now;
}

/* --- lending ------------------------------------------------------------- */

static void a_released_connection_is_granted_at_once(void **state)
{
    struct wr_action grant;
    const wr_conn_id conn = dial("a", 1, 1);

    (void)state;
    assert_int_equal(wr_core_idle_since(core, conn), 1);
    give_back(conn, 5);
    assert_int_equal(ask("a", 0, 6, 10, &grant), 0);
    assert_true(grant.conn == conn && grant.reused);
    assert_int_equal(wr_core_idle_since(core, conn), 5);
    assert_false(wr_core_has_action(core));
}

static bool has_place(const char *name)
{
    const struct wr_key wanted = key(name);

    return wr_core_has_place(core, &wanted);
}

static void a_place_is_one_that_costs_nobody_anything(void **state)
{
    struct wr_action action;
    wr_conn_id conns[4];

    (void)state;
    assert_true(has_place("a")); /* nothing is known of it */
    conns[0] = dial("a", 1, 1);
    assert_true(has_place("a")); /* one more may be dialled */
    conns[1] = dial("a", 1, 1);
    assert_false(has_place("a")); /* max_per_bucket */
    conns[2] = dial("b", 1, 1);
    conns[3] = dial("c", 1, 1);
    assert_false(has_place("d")); /* max_total */
    give_back(conns[3], 2);
    assert_true(has_place("c"));
    assert_false(has_place("d")); /* it would close that of c */
    give_back(conns[1], 2);
    assert_true(has_place("a"));
    ask("a", 0, 3, 10, &action);
    ask("a", 1, 3, 10, &action);
    assert_false(has_place("a")); /* somebody waits for it */
    wr_core_shut(core, 4);
    assert_false(has_place("e"));
    while (wr_core_next_action(core).kind != WR_ACT_NONE)
        continue;
}

static void a_dial_that_nobody_waits_for_is_a_place(void **state)
{
    const struct wr_core_limits one = {.max_total = 1,
                                       .max_per_bucket = 1,
                                       .max_waiting = 3,
                                       .idle_ns = 100,
                                       .max_age_ns = WR_NEVER,
                                       .reuse = true};
    struct wr_action action;
    wr_ticket_id ticket;

    (void)state;
    change(&one);
    ticket = ask("a", 0, 1, 10, &action);
    next(WR_ACT_DIAL);
    assert_false(has_place("a"));
    assert_int_equal(wr_core_cancel(core, ticket, 2), WEIR_OK);
    assert_true(has_place("a"));
    assert_false(has_place("b"));
}

static void the_most_recently_used_is_lent_first(void **state)
{
    const wr_conn_id first = dial("a", 1, 1);
    const wr_conn_id second = dial("a", 1, 1);
    struct wr_action grant;

    (void)state;
    give_back(second, 2);
    give_back(first, 3);
    ask("a", 0, 4, 10, &grant);
    assert_true(grant.conn == first);
}

static void a_release_goes_to_the_oldest_in_line(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);
    struct wr_action action;

    (void)state;
    dial("a", 1, 1);
    ask("a", 0, 2, 50, &action);
    ask("a", 1, 3, 50, &action);
    give_back(conn, 4);
    action = next(WR_ACT_GRANT);
    assert_ptr_equal(action.user, &users[0]);
    give_back(conn, 5);
    assert_ptr_equal(next(WR_ACT_GRANT).user, &users[1]);
}

static void a_dial_serves_the_oldest_whoever_caused_it(void **state)
{
    struct wr_action action;
    struct wr_action first;
    struct wr_action second;

    (void)state;
    ask("a", 0, 1, 50, &action);
    ask("a", 1, 2, 50, &action);
    first = next(WR_ACT_DIAL);
    second = next(WR_ACT_DIAL);
    assert_ptr_equal(second.user, &users[1]);
    wr_core_dialed(core, second.conn, 3, users, 1);
    assert_ptr_equal(next(WR_ACT_GRANT).user, &users[0]);
    wr_core_dialed(core, first.conn, 3, users, 1);
    assert_ptr_equal(next(WR_ACT_GRANT).user, &users[1]);
}

static void a_dial_that_nobody_needs_any_more_rests(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);
    struct wr_action action;

    (void)state;
    ask("a", 0, 2, 50, &action);
    action = next(WR_ACT_DIAL);
    give_back(conn, 3);
    assert_true(next(WR_ACT_GRANT).conn == conn);
    wr_core_dialed(core, action.conn, 4, users, 1);
    assert_false(wr_core_has_action(core));
    assert_int_equal(counts().idle, 1);
}

static void capacity_lends_one_connection_several_times(void **state)
{
    const wr_conn_id conn = dial("a", 1, 3);
    struct wr_action grant;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ask("a", i, 2, 10, &grant), 0);
        assert_true(grant.conn == conn);
    }
    assert_int_not_equal(ask("a", 2, 2, 10, &grant), 0);
    next(WR_ACT_DIAL);
    assert_int_equal(wr_core_set_capacity(core, conn, 4, 3), WEIR_OK);
    assert_ptr_equal(next(WR_ACT_GRANT).user, &users[2]);
}

/* --- limits -------------------------------------------------------------- */

static void the_line_has_a_limit(void **state)
{
    struct wr_action action;

    (void)state;
    dial("a", 1, 1);
    dial("a", 1, 1);
    for (unsigned i = 0; i < usual.max_waiting; i++)
        ask("a", i, 2, 50, &action);
    assert_int_equal(refusal("a", 50), WEIR_E_QUEUE_FULL);
    assert_int_equal(counts().queue_full, 1);
    assert_int_equal(counts().waiting, usual.max_waiting);
}

static void who_will_not_wait_is_served_at_once_or_not_at_all(void **state)
{
    struct wr_action action;

    (void)state;
    assert_int_not_equal(ask("a", 0, 1, 0, &action), 0);
    next(WR_ACT_DIAL);
    assert_int_not_equal(ask("a", 1, 1, 0, &action), 0);
    next(WR_ACT_DIAL);
    assert_int_equal(refusal("a", 0), WEIR_E_ACQUIRE_TIMEOUT);
    /* A dial of its own has a time limit of its own. */
    wr_core_tick(core, WR_SECOND);
    assert_false(wr_core_has_action(core));
}

static void time_in_the_line_ends(void **state)
{
    struct wr_action action;

    (void)state;
    dial("a", 1, 1);
    dial("a", 1, 1);
    ask("a", 0, 10, 50, &action);
    wr_core_tick(core, 59);
    assert_false(wr_core_has_action(core));
    wr_core_tick(core, 60);
    action = next(WR_ACT_FAIL);
    assert_int_equal(action.status, WEIR_E_ACQUIRE_TIMEOUT);
    assert_ptr_equal(action.user, &users[0]);
    assert_int_equal(counts().acquire_timeouts, 1);
}

static void
the_total_makes_room_by_closing_the_least_recently_used(void **state)
{
    const wr_conn_id oldest = dial("a", 1, 1);
    const wr_conn_id newer = dial("a", 1, 1);
    struct wr_action action;

    (void)state;
    give_back(oldest, 2);
    give_back(newer, 3);
    dial("b", 4, 1);
    dial("b", 4, 1);
    ask("c", 0, 5, 50, &action);
    action = next(WR_ACT_CLOSE);
    assert_true(action.conn == oldest);
    assert_int_equal(action.reason, WEIR_CLOSE_EVICTED);
    assert_false(wr_core_has_action(core)); /* its place counts until closed */
    assert_int_equal(wr_core_closed(core, oldest, 6), WEIR_OK);
    assert_ptr_equal(next(WR_ACT_DIAL).user, &users[0]);
}

static void room_goes_to_the_oldest_of_all_origins(void **state)
{
    wr_conn_id conns[4];
    struct wr_action action;

    (void)state;
    conns[0] = dial("a", 1, 1);
    conns[1] = dial("a", 1, 1);
    conns[2] = dial("b", 1, 1);
    conns[3] = dial("b", 1, 1);
    ask("c", 0, 2, 50, &action);
    ask("d", 1, 3, 50, &action);
    for (unsigned i = 0; i < 2; i++) {
        wr_core_release(core, conns[i], 4, false, WEIR_CLOSE_NOT_REUSABLE,
                        WR_NEVER);
        action = next(WR_ACT_CLOSE);
        wr_core_closed(core, action.conn, 5);
        assert_ptr_equal(next(WR_ACT_DIAL).user, &users[i]);
    }
}

static void lower_limits_close_the_surplus(void **state)
{
    struct wr_core_limits lower = usual;
    const wr_conn_id idle = dial("a", 1, 1);
    const wr_conn_id leased = dial("b", 1, 1);
    struct wr_action action;

    (void)state;
    give_back(idle, 2);
    lower.max_total = 1;
    change(&lower);
    action = next(WR_ACT_CLOSE);
    assert_true(action.conn == idle);
    assert_int_equal(action.reason, WEIR_CLOSE_RECONFIGURED);
    give_back(leased, 3); /* the other is not closed yet: one too many */
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_RECONFIGURED);
}

static void without_reuse_every_lease_is_the_last(void **state)
{
    struct wr_core_limits limits = usual;
    wr_conn_id conn;

    (void)state;
    limits.reuse = false;
    change(&limits);
    conn = dial("a", 1, 5);
    give_back(conn, 2);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_DISABLED);
}

/* --- time ---------------------------------------------------------------- */

static void idle_connections_expire(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);

    (void)state;
    give_back(conn, 10);
    wr_core_tick(core, 109);
    assert_false(wr_core_has_action(core));
    wr_core_tick(core, 110);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_IDLE);
}

static void keep_alive_of_the_peer_shortens_the_idle_limit(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);

    (void)state;
    wr_core_release(core, conn, 10, true, WEIR_CLOSE_IDLE, 20);
    assert_true(wr_core_deadline(core) <= 30);
    wr_core_tick(core, 30);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_IDLE);
}

static void what_expired_unnoticed_is_not_lent(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);
    struct wr_action grant;

    (void)state;
    give_back(conn, 10);
    assert_int_not_equal(ask("a", 0, 200, 10, &grant), 0);
    assert_true(next(WR_ACT_CLOSE).conn == conn);
    next(WR_ACT_DIAL);
}

static void age_ends_a_connection_up_to_a_tenth_early(void **state)
{
    struct wr_core_limits limits = usual;
    wr_conn_id conn;

    (void)state;
    limits.max_age_ns = 1000;
    limits.idle_ns = 100000;
    change(&limits);
    conn = dial("a", 0, 1);
    give_back(conn, 10);
    wr_core_tick(core, 899);
    assert_false(wr_core_has_action(core));
    wr_core_tick(core, 1000);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_AGE);
    wr_core_closed(core, conn, 1000);
    conn = dial("a", 2000, 1);
    give_back(conn, 3000);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_AGE);
}

/* --- failures ------------------------------------------------------------ */

static void a_failed_dial_fails_whom_it_was_for(void **state)
{
    struct wr_action action;
    const wr_ticket_id ticket = ask("a", 0, 1, 50, &action);

    (void)state;
    ask("a", 1, 1, 50, &action);
    ask("a", 2, 1, 50, &action);
    action = next(WR_ACT_DIAL);
    next(WR_ACT_DIAL);
    wr_core_dial_failed(core, action.conn, ticket, WEIR_E_CONNECT, NULL, 2);
    action = next(WR_ACT_FAIL);
    assert_ptr_equal(action.user, &users[0]);
    assert_int_equal(action.status, WEIR_E_CONNECT);
    assert_null(action.cause);
    assert_int_equal(counts().dial_failures, 1);
    /* The third, who had none, may have its place; but not at once. */
    assert_false(wr_core_has_action(core));
    assert_true(wr_core_deadline(core) <= 2 + WR_BACK_OFF_FIRST_NS);
    wr_core_tick(core, 40);
    assert_false(wr_core_has_action(core));
}

/* --- back-off ------------------------------------------------------------ */

/* What a driver gives: code and where it came from. */
static weir_error *cause(weir_status status, uint64_t mark)
{
    weir_error *err = wr_calloc(1, sizeof *err);

    assert_non_null(err);
    err->code = status;
    err->offset = mark;
    return err;
}

/* The next dial, which must be there, fails at now_ns; its conn's ticket is
 * blamed. */
static void fail_dial(uint64_t now_ns, uint64_t mark)
{
    const struct wr_action action = next(WR_ACT_DIAL);

    wr_core_dial_failed(core, action.conn, action.ticket, WEIR_E_CONNECT,
                        cause(WEIR_E_CONNECT, mark), now_ns);
}

static void the_whole_line_of_a_dead_server_fails_with_the_cause(void **state)
{
    struct wr_action action;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        ask("a", i, 1, WR_NEVER, &action);
    fail_dial(2, 77);
    action = next(WR_ACT_DIAL); /* of the second: it may still succeed */
    assert_ptr_equal(next(WR_ACT_FAIL).user, &users[0]);
    assert_false(wr_core_has_action(core));
    wr_core_dial_failed(core, action.conn, action.ticket, WEIR_E_CONNECT,
                        cause(WEIR_E_CONNECT, 78), 3);
    for (unsigned i = 1; i < 4; i++) {
        action = next(WR_ACT_FAIL);
        assert_ptr_equal(action.user, &users[i]);
        assert_int_equal(action.status, WEIR_E_CONNECT);
        assert_int_equal(action.cause->offset, 78);
    }
    assert_int_equal(counts().waiting, 0);
}

static void
a_back_off_doubles_up_to_its_bound_and_ends_with_success(void **state)
{
    struct wr_action action;
    wr_ticket_id ticket;
    uint64_t now_ns = 1;
    uint64_t delay_ns = WR_BACK_OFF_FIRST_NS;

    (void)state;
    ask("a", 0, now_ns, WR_NEVER, &action);
    for (unsigned i = 0; i < 10; i++) {
        fail_dial(now_ns, i);
        next(WR_ACT_FAIL);
        ticket = ask("a", 0, now_ns, WR_NEVER, &action);
        assert_false(wr_core_has_action(core));
        assert_true(wr_core_retry_ns(core, ticket) == now_ns + delay_ns);
        assert_true(wr_core_deadline(core) == now_ns + delay_ns);
        wr_core_tick(core, now_ns + delay_ns - 1);
        assert_false(wr_core_has_action(core));
        now_ns += delay_ns;
        wr_core_tick(core, now_ns);
        assert_true(wr_core_retry_ns(core, ticket) == WR_NEVER);
        delay_ns = wr_earlier(2 * delay_ns, WR_BACK_OFF_MAX_NS);
    }
    assert_true(delay_ns == WR_BACK_OFF_MAX_NS);
    action = next(WR_ACT_DIAL);
    wr_core_dialed(core, action.conn, now_ns, users, 1);
    action = next(WR_ACT_GRANT);
    wr_core_lost(core, action.conn, now_ns, WEIR_CLOSE_PEER_CLOSED);
    wr_core_release(core, action.conn, now_ns, false, WEIR_CLOSE_PEER_CLOSED,
                    WR_NEVER);
    next(WR_ACT_CLOSE);
    wr_core_closed(core, action.conn, now_ns);
    assert_int_equal(counts().buckets, 0);
    /* All is forgotten: the next delay is the first. */
    ask("a", 0, now_ns, WR_NEVER, &action);
    fail_dial(now_ns, 0);
    next(WR_ACT_FAIL);
    assert_true(wr_core_deadline(core) == now_ns + WR_BACK_OFF_FIRST_NS);
}

static void failures_of_one_round_count_once(void **state)
{
    struct wr_action first;
    struct wr_action second;

    (void)state;
    ask("a", 0, 1, WR_NEVER, &first);
    ask("a", 1, 1, WR_NEVER, &second);
    first = next(WR_ACT_DIAL);
    second = next(WR_ACT_DIAL);
    wr_core_dial_failed(core, first.conn, first.ticket, WEIR_E_CONNECT, NULL,
                        10);
    wr_core_dial_failed(core, second.conn, second.ticket, WEIR_E_CONNECT, NULL,
                        20);
    assert_true(wr_core_deadline(core) == 10 + WR_BACK_OFF_FIRST_NS);
}

static void other_origins_do_not_wait_for_a_dead_one(void **state)
{
    struct wr_action action;

    (void)state;
    ask("a", 0, 1, WR_NEVER, &action);
    fail_dial(2, 1);
    next(WR_ACT_FAIL);
    ask("a", 0, 3, WR_NEVER, &action);
    assert_false(wr_core_has_action(core));
    ask("b", 1, 3, WR_NEVER, &action);
    assert_ptr_equal(next(WR_ACT_DIAL).user, &users[1]);
}

static void a_time_out_at_a_dead_server_tells_the_cause(void **state)
{
    struct wr_action action;

    (void)state;
    ask("a", 0, 1, WR_NEVER, &action);
    fail_dial(2, 5);
    next(WR_ACT_FAIL);
    ask("a", 1, 3, 10, &action);
    wr_core_tick(core, 13);
    action = next(WR_ACT_FAIL);
    assert_ptr_equal(action.user, &users[1]);
    assert_int_equal(action.status, WEIR_E_CONNECT);
    assert_int_equal(action.cause->offset, 5);
    assert_int_equal(counts().acquire_timeouts, 1);
    /* Who will not wait is not let in. */
    assert_int_equal(refusal("a", 0), WEIR_E_ACQUIRE_TIMEOUT);
}

static void a_dial_given_up_is_no_failure(void **state)
{
    struct wr_action action;

    (void)state;
    ask("a", 0, 1, WR_NEVER, &action);
    action = next(WR_ACT_DIAL);
    wr_core_dial_failed(core, action.conn, 0, WEIR_E_CANCELLED, NULL, 2);
    assert_int_equal(counts().dial_failures, 0);
    assert_ptr_equal(next(WR_ACT_DIAL).user, &users[0]);
}

static void a_dead_origin_is_forgotten_in_time(void **state)
{
    struct wr_action action;

    (void)state;
    ask("a", 0, 1, WR_NEVER, &action);
    fail_dial(1, 5);
    next(WR_ACT_FAIL);
    assert_int_equal(counts().buckets, 1);
    wr_core_tick(core, 1 + WR_BACK_OFF_FIRST_NS);
    assert_int_equal(counts().buckets, 1);
    wr_core_tick(core, 1 + 2 * WR_BACK_OFF_FIRST_NS);
    assert_int_equal(counts().buckets, 0);
    assert_true(wr_core_deadline(core) == WR_NEVER);
}

/* --- warmth -------------------------------------------------------------- */

static void warm_up(const char *name, unsigned count, void *user,
                    void *expected_old)
{
    const struct wr_key wanted = key(name);
    void *old_user = users;

    assert_int_equal(wr_core_warm(core, &wanted, count, user, &old_user, 1),
                     WEIR_OK);
    assert_ptr_equal(old_user, expected_old);
}

/* The next dial, for warmth, succeeds. */
static wr_conn_id dial_warm(const void *user, uint64_t now_ns)
{
    const struct wr_action action = next(WR_ACT_DIAL);

    assert_int_equal(action.ticket, 0);
    assert_ptr_equal(action.user, user);
    wr_core_dialed(core, action.conn, now_ns, users, 1);
    return action.conn;
}

static void warmth_dials_as_many_as_asked(void **state)
{
    struct wr_action grant;

    (void)state;
    warm_up("a", 2, &users[3], NULL);
    dial_warm(&users[3], 1);
    dial_warm(&users[3], 1);
    assert_false(wr_core_has_action(core));
    assert_int_equal(counts().idle, 2);
    assert_int_equal(ask("a", 0, 2, 10, &grant), 0);
    assert_false(grant.reused);
}

static void warmth_outlasts_the_idle_limit_but_not_the_peers(void **state)
{
    struct wr_action action;
    wr_conn_id conn;

    (void)state;
    warm_up("a", 1, &users[3], NULL);
    conn = dial_warm(&users[3], 1);
    wr_core_tick(core, 1000);
    assert_false(wr_core_has_action(core));
    ask("a", 0, 1001, 10, &action);
    assert_true(action.conn == conn);
    wr_core_release(core, conn, 1002, true, WEIR_CLOSE_IDLE, 50);
    wr_core_tick(core, 1052);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_IDLE);
    wr_core_closed(core, conn, 1052);
    dial_warm(&users[3], 1053);
}

static void warmth_ends_and_its_connections_with_it(void **state)
{
    (void)state;
    warm_up("a", 1, &users[3], NULL);
    dial_warm(&users[3], 1);
    warm_up("a", 0, NULL, &users[3]);
    wr_core_tick(core, 200);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_IDLE);
    warm_up("b", 1, &users[4], NULL);
    warm_up("b", 2, &users[5], &users[4]);
    assert_ptr_equal(next(WR_ACT_DIAL).user, &users[5]);
}

static void warmth_evicts_nobody_and_waits_for_the_hungry(void **state)
{
    struct wr_action action;
    wr_conn_id conns[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        conns[i] = dial(i < 2 ? "a" : "b", 1, 1);
    give_back(conns[0], 2);
    warm_up("c", 1, &users[3], NULL);
    assert_false(wr_core_has_action(core));
    wr_core_lost(core, conns[0], 3, WEIR_CLOSE_PEER_CLOSED);
    next(WR_ACT_CLOSE);
    ask("d", 0, 4, 10, &action);
    wr_core_closed(core, conns[0], 5);
    assert_ptr_equal(next(WR_ACT_DIAL).user, &users[0]);
    assert_false(wr_core_has_action(core));
}

/* --- home ---------------------------------------------------------------- */

static void each_driver_gets_its_own_first(void **state)
{
    const struct wr_key wanted = key("a");
    const wr_conn_id threads = dial("a", 1, 1);
    const wr_conn_id loops = dial("a", 1, 1);
    struct wr_action grant;
    wr_ticket_id ticket;

    (void)state;
    assert_int_equal(wr_core_set_home(core, loops, WR_HOME_LOOP), WEIR_OK);
    give_back(loops, 2);
    assert_true(wr_core_is_idle(core, loops));
    assert_ptr_equal(wr_core_oldest_idle(core, loops), users);
    assert_null(wr_core_oldest_idle(core, threads)); /* of that home */
    give_back(threads, 3);
    wr_core_acquire(core, &wanted, WR_HOME_LOOP, 4, 10, users, &grant, &ticket);
    assert_true(grant.conn == loops);
    assert_false(wr_core_is_idle(core, loops));
    /* The other's is better than none. */
    wr_core_acquire(core, &wanted, WR_HOME_LOOP, 4, 10, users, &grant, &ticket);
    assert_true(grant.conn == threads);
}

/* --- cancel, the end ----------------------------------------------------- */

static void a_cancelled_ticket_frees_its_place(void **state)
{
    struct wr_action action;
    const wr_ticket_id ticket = ask("a", 0, 1, 50, &action);

    (void)state;
    /* Its dial has not been taken yet: it goes with it. */
    assert_int_equal(wr_core_cancel(core, ticket, 2), WEIR_OK);
    assert_false(wr_core_has_action(core));
    assert_int_equal(counts().open, 0);
    assert_int_equal(counts().buckets, 0);
    assert_int_equal(wr_core_cancel(core, ticket, 2), WEIR_E_STATE);
}

static void a_cancel_after_the_grant_gives_the_lease_back(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);
    struct wr_action action;
    wr_ticket_id ticket;

    (void)state;
    dial("a", 1, 1);
    ticket = ask("a", 0, 2, 50, &action);
    give_back(conn, 3); /* the GRANT waits in the queue */
    assert_int_equal(wr_core_cancel(core, ticket, 4), WEIR_OK);
    assert_false(wr_core_has_action(core));
    assert_int_equal(counts().idle, 1);
}

static void a_lost_connection_closes_once_its_leases_are_back(void **state)
{
    const wr_conn_id conn = dial("a", 1, 2);
    struct wr_action grant;

    (void)state;
    ask("a", 0, 1, 10, &grant);
    wr_core_lost(core, conn, 2, WEIR_CLOSE_PEER_CLOSED);
    give_back(conn, 3);
    assert_false(wr_core_has_action(core));
    give_back(conn, 4);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_PEER_CLOSED);
}

static void a_renewed_connection_keeps_its_lease_and_its_place(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);
    struct wr_action grant;

    (void)state;
    give_back(conn, 2);
    ask("a", 0, 3, 10, &grant);
    assert_int_equal(
        wr_core_renewed(core, conn, 4, users, 1, WEIR_CLOSE_PEER_CLOSED),
        WEIR_OK);
    assert_int_equal(counts().open, 1);
    assert_int_equal(counts().leased, 1);
    assert_int_equal(counts().closed[WEIR_CLOSE_PEER_CLOSED], 1);
    assert_int_equal(counts().dialed, 2);
    give_back(conn, 5);
    assert_int_equal(counts().idle, 1);
}

static void stale_handles_are_refused(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);

    (void)state;
    wr_core_release(core, conn, 2, false, WEIR_CLOSE_IO, WR_NEVER);
    assert_int_equal(wr_core_release(core, conn, 2, true, WEIR_CLOSE_IO, 0),
                     WEIR_E_STATE);
    next(WR_ACT_CLOSE);
    wr_core_closed(core, conn, 3);
    assert_int_equal(wr_core_closed(core, conn, 3), WEIR_E_STATE);
    assert_int_equal(wr_core_lost(core, conn, 3, WEIR_CLOSE_IO), WEIR_E_STATE);
    assert_int_equal(wr_core_dialed(core, conn, 3, users, 1), WEIR_E_STATE);
    assert_int_equal(wr_core_cancel(core, 12345, 3), WEIR_E_STATE);
}

static void shutting_fails_the_line_and_closes_what_comes_back(void **state)
{
    const wr_conn_id idle = dial("a", 1, 1);
    const wr_conn_id leased = dial("b", 1, 1);
    struct wr_action action;

    (void)state;
    dial("b", 1, 1);
    give_back(idle, 2);
    ask("b", 0, 2, 50, &action);
    wr_core_shut(core, 3);
    assert_true(next(WR_ACT_CLOSE).conn == idle);
    assert_int_equal(next(WR_ACT_FAIL).status, WEIR_E_CLOSED);
    assert_int_equal(refusal("a", 50), WEIR_E_CLOSED);
    give_back(leased, 4);
    assert_int_equal(next(WR_ACT_CLOSE).reason, WEIR_CLOSE_SHUTDOWN);
}

/* --- memory -------------------------------------------------------------- */

static int allocations_left;

static void *counted_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *counted_realloc(void *ptr, size_t size)
{
    return allocations_left-- > 0 ? realloc(ptr, size) : NULL;
}

static const weir_allocator counted = {counted_malloc, counted_realloc, free};

static void a_failed_acquire_changes_nothing(void **state)
{
    const struct wr_key wanted = key("a");
    weir_status status = WEIR_E_NO_MEMORY;
    struct wr_action grant;
    wr_ticket_id ticket;

    (void)state;
    for (int n = 0; status != WEIR_OK; n++) {
        assert_int_equal(counts().waiting, 0);
        assert_int_equal(counts().buckets, 0);
        assert_false(wr_core_has_action(core));
        allocations_left = n;
        weir_set_allocator(&counted);
        status = wr_core_acquire(core, &wanted, WR_HOME_THREAD, 1, 10, users,
                                 &grant, &ticket);
        weir_set_allocator(NULL);
        assert_true(n < 50);
        assert_true(status == WEIR_OK || status == WEIR_E_NO_MEMORY);
    }
    next(WR_ACT_DIAL);
}

static void the_road_back_and_the_warm_path_need_no_memory(void **state)
{
    const wr_conn_id conn = dial("a", 1, 1);
    struct wr_action grant;

    (void)state;
    give_back(conn, 2);
    allocations_left = 0;
    weir_set_allocator(&counted);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(ask("a", 0, 3, 10, &grant), 0);
        give_back(conn, 3);
    }
    wr_core_tick(core, 200);
    next(WR_ACT_CLOSE);
    wr_core_closed(core, conn, 201);
    weir_set_allocator(NULL);
    assert_int_equal(allocations_left, 0);
    assert_int_equal(counts().buckets, 0);
}

static void every_close_reason_has_a_meaning(void **state)
{
    (void)state;
    assert_string_equal(weir_close_reason_meaning(WEIR_CLOSE_PEER_CLOSED),
                        "peer closed it while idle");
    assert_string_equal(weir_close_reason_meaning(WEIR_CLOSE_SHUTDOWN),
                        "pool closed");
    for (int i = 0; i < WEIR_CLOSE_REASON_COUNT; i++)
        assert_true(*weir_close_reason_meaning((weir_close_reason)i) != '\0');
    assert_string_equal(weir_close_reason_meaning(WEIR_CLOSE_REASON_COUNT),
                        "unknown reason");
    assert_string_equal(weir_close_reason_meaning((weir_close_reason)-1),
                        "unknown reason");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_released_connection_is_granted_at_once),
        TEST(the_most_recently_used_is_lent_first),
        TEST(a_release_goes_to_the_oldest_in_line),
        TEST(a_dial_serves_the_oldest_whoever_caused_it),
        TEST(a_dial_that_nobody_needs_any_more_rests),
        TEST(capacity_lends_one_connection_several_times),
        TEST(the_line_has_a_limit),
        TEST(who_will_not_wait_is_served_at_once_or_not_at_all),
        TEST(time_in_the_line_ends),
        TEST(the_total_makes_room_by_closing_the_least_recently_used),
        TEST(room_goes_to_the_oldest_of_all_origins),
        TEST(lower_limits_close_the_surplus),
        TEST(without_reuse_every_lease_is_the_last),
        TEST(idle_connections_expire),
        TEST(keep_alive_of_the_peer_shortens_the_idle_limit),
        TEST(what_expired_unnoticed_is_not_lent),
        TEST(age_ends_a_connection_up_to_a_tenth_early),
        TEST(a_failed_dial_fails_whom_it_was_for),
        TEST(the_whole_line_of_a_dead_server_fails_with_the_cause),
        TEST(a_back_off_doubles_up_to_its_bound_and_ends_with_success),
        TEST(failures_of_one_round_count_once),
        TEST(other_origins_do_not_wait_for_a_dead_one),
        TEST(a_time_out_at_a_dead_server_tells_the_cause),
        TEST(a_dial_given_up_is_no_failure),
        TEST(a_dead_origin_is_forgotten_in_time),
        TEST(warmth_dials_as_many_as_asked),
        TEST(warmth_outlasts_the_idle_limit_but_not_the_peers),
        TEST(warmth_ends_and_its_connections_with_it),
        TEST(warmth_evicts_nobody_and_waits_for_the_hungry),
        TEST(each_driver_gets_its_own_first),
        TEST(a_cancelled_ticket_frees_its_place),
        TEST(a_cancel_after_the_grant_gives_the_lease_back),
        TEST(a_lost_connection_closes_once_its_leases_are_back),
        TEST(a_renewed_connection_keeps_its_lease_and_its_place),
        TEST(a_place_is_one_that_costs_nobody_anything),
        TEST(a_dial_that_nobody_waits_for_is_a_place),
        TEST(stale_handles_are_refused),
        TEST(shutting_fails_the_line_and_closes_what_comes_back),
        TEST(a_failed_acquire_changes_nothing),
        TEST(the_road_back_and_the_warm_path_need_no_memory),
        TEST(every_close_reason_has_a_meaning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
