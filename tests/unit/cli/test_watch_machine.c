/* One service, step by step: what goes in, what must come out. */
#include "machine_steps.h"

static double middle(void *user)
{
    (void)user;
    return 0.5;
}

static double almost_one(void *user)
{
    (void)user;
    return 0.999999;
}

static const struct watch_random half = {middle, NULL};
static const struct watch_random longest = {almost_one, NULL};

static void probed(struct watch_machine *m, enum watch_verdict verdict,
                   uint64_t now_ns)
{
    watch_machine_probed(m, m->probe_serial, verdict, "why", now_ns);
}

/* A machine in RUNNING at `at` seconds. */
static void bring_up(struct watch_machine *m, const struct watch_rules *rules,
                     uint64_t at_ns)
{
    watch_machine_init(m, rules, &half);
    watch_machine_start(m, at_ns - 250 * MS);
    EXPECT(m, "SPAWN");
    watch_machine_spawned(m, at_ns - 250 * MS);
    EXPECT(m, "starting");
    watch_machine_tick(m, at_ns);
    EXPECT(m, "PROBE");
    probed(m, WATCH_VERDICT_OK, at_ns);
    EXPECT(m, "started");
    assert_int_equal(m->state, WATCH_RUNNING);
    assert_true(watch_machine_is_healthy(m));
}

static void test_a_start_is_polled_until_healthy(void **state)
{
    const struct watch_rules rules = defaults();
    struct watch_machine m;

    (void)state;
    watch_machine_init(&m, &rules, &half);
    assert_int_equal(watch_machine_deadline(&m), WATCH_NEVER);
    watch_machine_start(&m, 0);
    EXPECT(&m, "SPAWN");
    watch_machine_spawned(&m, 0);
    EXPECT(&m, "starting");
    for (uint64_t i = 1; i < 100; i++) {
        assert_int_equal(watch_machine_deadline(&m), i * 250 * MS);
        watch_machine_tick(&m, i * 250 * MS);
        EXPECT(&m, "PROBE");
        probed(&m, WATCH_VERDICT_BAD, i * 250 * MS);
        EXPECT(&m, "");
        assert_false(watch_machine_is_healthy(&m));
    }
    watch_machine_tick(&m, 25 * S);
    EXPECT(&m, "PROBE");
    probed(&m, WATCH_VERDICT_OK, 25 * S + 10 * MS);
    EXPECT(&m, "started");
    /* From now on it is checked at its interval. */
    assert_int_equal(watch_machine_deadline(&m), 55 * S + 10 * MS);
    watch_machine_done(&m);
}

static void test_the_startup_limit(void **state)
{
    const struct watch_rules rules = defaults();
    struct watch_machine m;
    struct watch_action action;

    (void)state;
    watch_machine_init(&m, &rules, &half);
    watch_machine_start(&m, 0);
    watch_machine_spawned(&m, 0);
    watch_machine_tick(&m, 250 * MS);
    EXPECT(&m, "SPAWN starting PROBE");
    probed(&m, WATCH_VERDICT_BAD, 300 * MS);
    watch_machine_tick(&m, 30 * S);
    assert_true(watch_machine_next(&m, &action));
    assert_int_equal(action.event, WATCH_EVENT_START_ERROR);
    assert_string_equal(action.detail, "not healthy within 30 s: why");
    EXPECT(&m, "TERM");
    assert_int_equal(m.state, WATCH_TIMEOUT);
    assert_int_equal(watch_machine_deadline(&m), 40 * S);
    watch_machine_tick(&m, 40 * S);
    EXPECT(&m, "killed KILL");
    watch_machine_exited(&m, -1, 9, 41 * S);
    EXPECT(&m, "restarting");
    assert_int_equal(m.state, WATCH_BACKOFF);
    assert_int_equal(watch_machine_deadline(&m), 41 * S + 2500 * MS);
    watch_machine_tick(&m, 43500 * MS);
    EXPECT(&m, "SPAWN");
    watch_machine_spawn_failed(&m, "no such file", 43500 * MS);
    EXPECT(&m, "restart_failed restarting");
    watch_machine_done(&m);
}

static void test_a_missed_startup_without_restarts_stays_told(void **state)
{
    struct watch_rules rules = defaults();
    struct watch_machine m;

    (void)state;
    rules.policy = WATCH_RESTART_NEVER;
    watch_machine_init(&m, &rules, &half);
    watch_machine_start(&m, 0);
    watch_machine_spawned(&m, 0);
    watch_machine_tick(&m, 30 * S);
    watch_machine_exited(&m, 0, 0, 31 * S);
    assert_int_equal(m.state, WATCH_TIMEOUT);
    assert_int_equal(watch_machine_deadline(&m), WATCH_NEVER);
    taken(&m);
    watch_machine_start(&m, 32 * S);
    EXPECT(&m, "SPAWN");
    watch_machine_done(&m);
}

static void test_fall_and_rise(void **state)
{
    struct watch_rules rules = defaults();
    struct watch_machine m;

    (void)state;
    rules.policy = WATCH_RESTART_NEVER;
    rules.rise = 1;
    bring_up(&m, &rules, 1 * S);
    rules.rise = 2;
    m.rules.rise = 2;
    for (unsigned i = 1; i <= 4; i++) {
        watch_machine_tick(&m, (1 + i * 30) * S);
        EXPECT(&m, "PROBE");
        probed(&m, WATCH_VERDICT_BAD, (1 + i * 30) * S);
        EXPECT(&m, i <= 3 ? "health_fail" : "");
        assert_int_equal(watch_machine_is_healthy(&m), i < 3);
    }
    assert_int_equal(m.state, WATCH_RUNNING);
    watch_machine_tick(&m, 151 * S);
    probed(&m, WATCH_VERDICT_OK, 151 * S);
    EXPECT(&m, "PROBE");
    assert_false(watch_machine_is_healthy(&m));
    watch_machine_tick(&m, 181 * S);
    probed(&m, WATCH_VERDICT_OK, 181 * S);
    EXPECT(&m, "PROBE health_recovered");
    assert_true(watch_machine_is_healthy(&m));
    watch_machine_done(&m);
}

static void test_an_unhealthy_service_is_restarted(void **state)
{
    const struct watch_rules rules = defaults();
    struct watch_machine m;

    (void)state;
    bring_up(&m, &rules, 1 * S);
    for (unsigned i = 1; i <= 3; i++) {
        watch_machine_tick(&m, (1 + i * 30) * S);
        EXPECT(&m, "PROBE");
        probed(&m, WATCH_VERDICT_BAD, (1 + i * 30) * S);
        EXPECT(&m, i < 3 ? "health_fail" : "health_fail stopping TERM");
    }
    assert_int_equal(m.state, WATCH_STOPPING);
    watch_machine_tick(&m, 101 * S);
    EXPECT(&m, "killed KILL");
    watch_machine_exited(&m, -1, 9, 102 * S);
    EXPECT(&m, "restarting");
    assert_int_equal(m.restarts.total, 1);
    watch_machine_done(&m);
}

static void test_a_local_failure_is_not_the_services_fault(void **state)
{
    const struct watch_rules rules = defaults();
    struct watch_machine m;

    (void)state;
    bring_up(&m, &rules, 1 * S);
    for (unsigned i = 1; i <= 50; i++) {
        watch_machine_tick(&m, (1 + i * 30) * S);
        EXPECT(&m, "PROBE");
        probed(&m, WATCH_VERDICT_UNKNOWN, (1 + i * 30) * S);
        EXPECT(&m, i == 1 ? "probe_error" : "");
        assert_true(watch_machine_is_healthy(&m));
    }
    watch_machine_done(&m);

    /* Nor does a start fail that nobody could look at. */
    watch_machine_init(&m, &rules, &half);
    watch_machine_start(&m, 0);
    watch_machine_spawned(&m, 0);
    watch_machine_tick(&m, 250 * MS);
    probed(&m, WATCH_VERDICT_UNKNOWN, 260 * MS);
    EXPECT(&m, "SPAWN starting PROBE probe_error");
    watch_machine_tick(&m, 31 * S);
    EXPECT(&m, "PROBE");
    assert_int_equal(m.state, WATCH_STARTING);
    probed(&m, WATCH_VERDICT_BAD, 32 * S);
    EXPECT(&m, "start_error TERM");
    assert_int_equal(m.state, WATCH_TIMEOUT);
    watch_machine_done(&m);
}

static void test_policies(void **state)
{
    static const struct {
        enum watch_policy policy;
        int code;
        int signal;
        enum watch_state then;
        const char *told;
    } cases[] = {
        {WATCH_RESTART_ALWAYS, 0, 0, WATCH_BACKOFF, "process_died restarting"},
        {WATCH_RESTART_ALWAYS, 1, 0, WATCH_BACKOFF, "process_died restarting"},
        {WATCH_RESTART_ALWAYS, -1, 11, WATCH_BACKOFF,
         "process_died restarting"},
        {WATCH_RESTART_ON_FAILURE, 0, 0, WATCH_STOPPED, "stopped"},
        {WATCH_RESTART_ON_FAILURE, 3, 0, WATCH_BACKOFF,
         "process_died restarting"},
        {WATCH_RESTART_ON_FAILURE, -1, 15, WATCH_BACKOFF,
         "process_died restarting"},
        /* How an adopted one has ended is not known. */
        {WATCH_RESTART_ON_FAILURE, -1, 0, WATCH_BACKOFF,
         "process_died restarting"},
        {WATCH_RESTART_NEVER, 0, 0, WATCH_STOPPED, "stopped"},
        {WATCH_RESTART_NEVER, 1, 0, WATCH_FAILED, "process_died"},
        {WATCH_RESTART_NEVER, -1, 9, WATCH_FAILED, "process_died"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct watch_rules rules = defaults();
        struct watch_machine m;

        rules.policy = cases[i].policy;
        bring_up(&m, &rules, 1 * S);
        watch_machine_exited(&m, cases[i].code, cases[i].signal, 2 * S);
        assert_int_equal(m.state, cases[i].then);
        EXPECT(&m, cases[i].told);
        watch_machine_done(&m);
    }
}

static void test_delays_grow_and_are_capped(void **state)
{
    static const unsigned longest_s[] = {5, 10, 20, 40, 80, 160, 300, 300, 300};
    struct watch_rules rules = defaults();
    struct watch_machine m;
    uint64_t now_ns = 0;

    (void)state;
    rules.restarts.max_restarts = 0;
    watch_machine_init(&m, &rules, &longest);
    watch_machine_start(&m, now_ns);
    for (size_t i = 0; i < sizeof longest_s / sizeof *longest_s; i++) {
        uint64_t due_ns;

        watch_machine_spawned(&m, now_ns);
        watch_machine_exited(&m, 1, 0, now_ns);
        due_ns = watch_machine_deadline(&m);
        assert_true(due_ns <= now_ns + longest_s[i] * S);
        assert_true(due_ns >= now_ns + longest_s[i] * S - 1 * MS);
        now_ns = due_ns;
        taken(&m);
        watch_machine_tick(&m, now_ns);
        EXPECT(&m, "SPAWN");
    }
    watch_machine_done(&m);
}

static void test_the_limit_and_the_try_after_the_cool_down(void **state)
{
    struct watch_rules rules = defaults();
    struct watch_machine m;
    uint64_t now_ns = 1 * S;

    (void)state;
    bring_up(&m, &rules, now_ns);
    for (unsigned i = 1; i <= 5; i++) {
        watch_machine_exited(&m, 1, 0, now_ns);
        assert_int_equal(m.state, WATCH_BACKOFF);
        now_ns = watch_machine_deadline(&m);
        watch_machine_tick(&m, now_ns);
        watch_machine_spawned(&m, now_ns);
        taken(&m);
    }
    watch_machine_exited(&m, 1, 0, now_ns);
    EXPECT(&m, "restart_failed restart_limit");
    assert_int_equal(m.state, WATCH_FAILED);
    assert_int_equal(watch_machine_deadline(&m), now_ns + 60 * S);
    now_ns += 60 * S;
    watch_machine_tick(&m, now_ns);
    EXPECT(&m, "restarting SPAWN");
    watch_machine_spawned(&m, now_ns);
    watch_machine_exited(&m, 1, 0, now_ns);
    EXPECT(&m, "starting restart_failed restart_limit");
    assert_int_equal(m.state, WATCH_FAILED);
    assert_int_equal(watch_machine_deadline(&m), WATCH_NEVER);
    /* A person may, and with a clean slate. */
    watch_machine_start(&m, now_ns);
    EXPECT(&m, "SPAWN");
    watch_machine_spawned(&m, now_ns);
    watch_machine_exited(&m, 1, 0, now_ns);
    EXPECT(&m, "starting start_error restarting");
    assert_int_equal(watch_machine_deadline(&m), now_ns + 2500 * MS);
    watch_machine_done(&m);
}

static void test_orders_in_every_state(void **state)
{
    const struct watch_rules rules = defaults();
    struct watch_machine m;

    (void)state;
    bring_up(&m, &rules, 1 * S);
    watch_machine_stop(&m, 2 * S);
    EXPECT(&m, "stopping TERM");
    watch_machine_start(&m, 3 * S); /* a change of mind */
    EXPECT(&m, "");
    watch_machine_exited(&m, -1, 15, 4 * S);
    EXPECT(&m, "stopped SPAWN");
    watch_machine_spawned(&m, 4 * S);
    EXPECT(&m, "starting");
    watch_machine_restart(&m, 5 * S);
    EXPECT(&m, "stopping TERM");
    watch_machine_stop(&m, 6 * S);
    watch_machine_exited(&m, 0, 0, 7 * S);
    EXPECT(&m, "stopped");
    assert_int_equal(m.state, WATCH_STOPPED);
    watch_machine_stop(&m, 8 * S);
    EXPECT(&m, "");
    watch_machine_restart(&m, 9 * S);
    EXPECT(&m, "SPAWN");
    watch_machine_spawn_failed(&m, "no such file", 9 * S);
    EXPECT(&m, "start_error restarting");
    watch_machine_stop(&m, 10 * S);
    EXPECT(&m, "stopped");
    assert_int_equal(watch_machine_deadline(&m), WATCH_NEVER);
    assert_int_equal(m.restarts.total, 1);
    watch_machine_done(&m);
}

static void test_an_answer_that_comes_late_is_passed_over(void **state)
{
    const struct watch_rules rules = defaults();
    struct watch_machine m;
    uint64_t stale;

    (void)state;
    bring_up(&m, &rules, 1 * S);
    watch_machine_tick(&m, 31 * S);
    EXPECT(&m, "PROBE");
    stale = m.probe_serial;
    watch_machine_restart(&m, 32 * S);
    watch_machine_exited(&m, 0, 0, 33 * S);
    watch_machine_spawned(&m, 33 * S);
    taken(&m);
    watch_machine_probed(&m, stale, WATCH_VERDICT_OK, "", 33 * S);
    assert_int_equal(m.state, WATCH_STARTING);
    watch_machine_tick(&m, 34 * S);
    EXPECT(&m, "PROBE");
    watch_machine_probed(&m, stale, WATCH_VERDICT_OK, "", 34 * S);
    assert_int_equal(m.state, WATCH_STARTING);
    watch_machine_done(&m);
}

static void test_an_adopted_process_is_checked_at_once(void **state)
{
    const struct watch_rules rules = defaults();
    struct watch_machine m;

    (void)state;
    watch_machine_init(&m, &rules, &half);
    watch_machine_adopted(&m, 5 * S);
    EXPECT(&m, "adopted");
    watch_machine_tick(&m, 5 * S);
    EXPECT(&m, "PROBE");
    watch_machine_exited(&m, -1, 0, 6 * S);
    EXPECT(&m, "process_died restarting");
    watch_machine_done(&m);
}

static void test_without_a_check_it_is_up_if_it_lives(void **state)
{
    struct watch_rules rules = defaults();
    struct watch_machine m;

    (void)state;
    rules.has_health = false;
    watch_machine_init(&m, &rules, &half);
    watch_machine_start(&m, 0);
    watch_machine_spawned(&m, 0);
    assert_int_equal(watch_machine_deadline(&m), 1 * S);
    watch_machine_exited(&m, 1, 0, 900 * MS);
    EXPECT(&m, "SPAWN starting start_error restarting");
    watch_machine_tick(&m, 10 * S);
    watch_machine_spawned(&m, 10 * S);
    watch_machine_tick(&m, 11 * S);
    EXPECT(&m, "SPAWN starting started");
    assert_int_equal(watch_machine_deadline(&m), WATCH_NEVER);
    watch_machine_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_start_is_polled_until_healthy),
        cmocka_unit_test(test_the_startup_limit),
        cmocka_unit_test(test_a_missed_startup_without_restarts_stays_told),
        cmocka_unit_test(test_fall_and_rise),
        cmocka_unit_test(test_an_unhealthy_service_is_restarted),
        cmocka_unit_test(test_a_local_failure_is_not_the_services_fault),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_delays_grow_and_are_capped),
        cmocka_unit_test(test_the_limit_and_the_try_after_the_cool_down),
        cmocka_unit_test(test_orders_in_every_state),
        cmocka_unit_test(test_an_answer_that_comes_late_is_passed_over),
        cmocka_unit_test(test_an_adopted_process_is_checked_at_once),
        cmocka_unit_test(test_without_a_check_it_is_up_if_it_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
