/* A day of supervision on a virtual clock: machines, their order, and a world
 * of processes that live, die and turn sick as the test wants.  What the
 * settings promise is checked to the nanosecond. */
#include <string.h>

#include "machine_steps.h"
#include "watch/order.h"

#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum {
    MAX_UNITS = 8,
    MAX_TOLD = 20000
};

/* One service of the world, and how it behaves. */
struct unit {
    struct watch_machine machine;
    struct watch_member member;
    struct watch_member *after[MAX_UNITS];
    uint64_t lives_ns;     /* from its start to its death; WATCH_NEVER */
    uint64_t healthy_ns;   /* from its start until it answers well */
    uint64_t term_ns;      /* from SIGTERM to its end; WATCH_NEVER: ignored */
    uint64_t sick_from_ns; /* of the world, until sick_to_ns */
    uint64_t sick_to_ns;
    uint64_t took_ns; /* a check's answer takes so long */

    uint64_t began_ns;
    uint64_t dies_ns;
    uint64_t answer_ns; /* of the check under way; WATCH_NEVER: none */
    uint64_t serial;
    uint64_t asked_ns; /* the latest check */
};

struct told {
    struct unit *unit;
    enum watch_event_kind kind;
    uint64_t at_ns;
};

static struct world {
    struct unit units[MAX_UNITS];
    struct watch_member *members[MAX_UNITS];
    size_t count;
    uint64_t now_ns;
    double random;
    struct told told[MAX_TOLD];
    size_t told_count;
} world;

static double next_random(void *user)
{
    const struct world *of = user;

    return of->random;
}

/* A service that is well for ever. */
static struct unit *add(const struct watch_rules *rules)
{
    const struct watch_random random = {next_random, &world};
    struct unit *unit = &world.units[world.count];

    *unit = (struct unit){.lives_ns = WATCH_NEVER,
                          .healthy_ns = 1 * S,
                          .term_ns = 500 * MS,
                          .sick_from_ns = WATCH_NEVER,
                          .sick_to_ns = WATCH_NEVER,
                          .took_ns = 5 * MS,
                          .dies_ns = WATCH_NEVER,
                          .answer_ns = WATCH_NEVER};
    watch_machine_init(&unit->machine, rules, &random);
    unit->member.machine = &unit->machine;
    unit->member.after = unit->after;
    world.members[world.count++] = &unit->member;
    return unit;
}

static int begin_day(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.random = 0.5;
    return 0;
}

static int end_day(void **state)
{
    (void)state;
    for (size_t i = 0; i < world.count; i++)
        watch_machine_done(&world.units[i].machine);
    return 0;
}

/* --- the world turns ------------------------------------------------------ */

static uint64_t later(uint64_t span_ns)
{
    return span_ns == WATCH_NEVER ? WATCH_NEVER : world.now_ns + span_ns;
}

static void note(struct unit *unit, enum watch_event_kind kind)
{
    assert_true(world.told_count < MAX_TOLD);
    world.told[world.told_count++] = (struct told){unit, kind, world.now_ns};
}

static void carry_out(struct unit *unit, const struct watch_action *action)
{
    switch (action->kind) {
    case WATCH_ACT_SPAWN:
        unit->began_ns = world.now_ns;
        unit->dies_ns = later(unit->lives_ns);
        watch_machine_spawned(&unit->machine, world.now_ns);
        break;
    case WATCH_ACT_TERM:
        if (later(unit->term_ns) < unit->dies_ns)
            unit->dies_ns = later(unit->term_ns);
        break;
    case WATCH_ACT_KILL:
        unit->dies_ns = world.now_ns;
        break;
    case WATCH_ACT_PROBE:
        unit->serial = action->serial;
        unit->asked_ns = world.now_ns;
        unit->answer_ns = world.now_ns + unit->took_ns;
        break;
    case WATCH_ACT_EVENT:
        note(unit, action->event);
        break;
    case WATCH_ACT_NONE:
        break;
    }
}

static bool is_well(const struct unit *unit)
{
    return world.now_ns >= unit->began_ns + unit->healthy_ns &&
           !(world.now_ns >= unit->sick_from_ns &&
             world.now_ns < unit->sick_to_ns);
}

/* false: nothing was to be done. */
static bool live(struct unit *unit)
{
    struct watch_action action;
    bool has_acted = false;

    if (unit->dies_ns <= world.now_ns) {
        unit->dies_ns = WATCH_NEVER;
        watch_machine_exited(&unit->machine, 1, 0, world.now_ns);
    }
    if (unit->answer_ns <= world.now_ns) {
        unit->answer_ns = WATCH_NEVER;
        watch_machine_probed(&unit->machine, unit->serial,
                             is_well(unit) ? WATCH_VERDICT_OK
                                           : WATCH_VERDICT_BAD,
                             "why", world.now_ns);
    }
    watch_machine_tick(&unit->machine, world.now_ns);
    while (watch_machine_next(&unit->machine, &action)) {
        carry_out(unit, &action);
        has_acted = true;
    }
    return has_acted;
}

static uint64_t next_of(const struct unit *unit)
{
    uint64_t next_ns = watch_machine_deadline(&unit->machine);

    next_ns = unit->dies_ns < next_ns ? unit->dies_ns : next_ns;
    return unit->answer_ns < next_ns ? unit->answer_ns : next_ns;
}

static void settle(void)
{
    bool has_acted = true;

    while (has_acted) {
        has_acted = false;
        watch_order_settle(world.members, world.count, world.now_ns);
        for (size_t i = 0; i < world.count; i++)
            has_acted |= live(&world.units[i]);
    }
}

/* From event to event, as the main loop would. */
static void live_until(uint64_t end_ns)
{
    for (;;) {
        uint64_t next_ns = end_ns;

        settle();
        for (size_t i = 0; i < world.count; i++) {
            const uint64_t unit_ns = next_of(&world.units[i]);

            next_ns = unit_ns < next_ns ? unit_ns : next_ns;
        }
        if (world.now_ns == end_ns)
            return;
        assert_true(next_ns >= world.now_ns);
        world.now_ns = next_ns;
    }
}

static void start_all(void)
{
    watch_order_settle(world.members, world.count, world.now_ns);
    for (size_t i = 0; i < world.count; i++)
        watch_machine_start(&world.units[i].machine, world.now_ns);
}

static unsigned count_told(const struct unit *unit, enum watch_event_kind kind)
{
    unsigned count = 0;

    for (size_t i = 0; i < world.told_count; i++)
        count += world.told[i].unit == unit && world.told[i].kind == kind;
    return count;
}

/* When it was told for the nth time, from 1. */
static uint64_t when_told(const struct unit *unit, enum watch_event_kind kind,
                          unsigned nth)
{
    for (size_t i = 0; i < world.told_count; i++) {
        if (world.told[i].unit == unit && world.told[i].kind == kind &&
            --nth == 0)
            return world.told[i].at_ns;
    }
    return WATCH_NEVER;
}

/* --- days ----------------------------------------------------------------- */

static void test_a_day_without_trouble(void **state)
{
    const struct watch_rules rules = defaults();
    struct unit *unit = add(&rules);

    (void)state;
    start_all();
    live_until(DAY);
    assert_int_equal(world.told_count, 2); /* starting, started */
    assert_int_equal(unit->machine.state, WATCH_RUNNING);
    /* Polled each 250 ms until it was well, then checked every 30 s. */
    assert_int_equal(when_told(unit, WATCH_EVENT_STARTED, 1), 1 * S + 5 * MS);
    assert_int_equal(unit->machine.probe_serial,
                     4 + (DAY - 1 * S - 5 * MS) / (30 * S));
    assert_int_equal((unit->asked_ns - 1 * S - 5 * MS) % (30 * S), 0);
}

static void test_every_sickness_of_a_day_is_one_restart(void **state)
{
    const struct watch_rules rules = defaults();
    struct unit *unit = add(&rules);

    (void)state;
    start_all();
    for (unsigned hour = 1; hour < 24; hour++) {
        uint64_t died_ns;
        uint64_t fell_ns;

        unit->sick_from_ns = hour * HOUR;
        unit->sick_to_ns = hour * HOUR + 91 * S;
        live_until(hour * HOUR + HOUR / 2);
        assert_int_equal(count_told(unit, WATCH_EVENT_HEALTH_FAIL), 3 * hour);
        assert_int_equal(count_told(unit, WATCH_EVENT_RESTARTING), hour);
        assert_int_equal(unit->machine.restarts.total, hour);
        assert_int_equal(unit->machine.state, WATCH_RUNNING);

        /* Three checks in a row, 30 s apart; then SIGTERM at once, and after
         * half of the first delay, as the random number says, a new start. */
        fell_ns = when_told(unit, WATCH_EVENT_HEALTH_FAIL, 3 * hour);
        assert_int_equal(
            fell_ns - when_told(unit, WATCH_EVENT_HEALTH_FAIL, 3 * hour - 2),
            60 * S);
        assert_true(fell_ns >= hour * HOUR + 60 * S);
        assert_true(fell_ns <= hour * HOUR + 90 * S + 5 * MS);
        assert_int_equal(when_told(unit, WATCH_EVENT_STOPPING, hour), fell_ns);
        died_ns = when_told(unit, WATCH_EVENT_RESTARTING, hour);
        assert_int_equal(died_ns, fell_ns + 500 * MS);
        assert_int_equal(when_told(unit, WATCH_EVENT_STARTING, hour + 1),
                         died_ns + 2500 * MS);
    }
}

static void test_two_bad_checks_in_a_row_change_nothing(void **state)
{
    const struct watch_rules rules = defaults();
    struct unit *unit = add(&rules);

    (void)state;
    start_all();
    for (unsigned hour = 1; hour < 24; hour++) {
        unit->sick_from_ns = hour * HOUR;
        unit->sick_to_ns = hour * HOUR + 59 * S;
        live_until(hour * HOUR + HOUR / 2);
        assert_int_equal(count_told(unit, WATCH_EVENT_HEALTH_FAIL), 2 * hour);
        assert_int_equal(count_told(unit, WATCH_EVENT_HEALTH_RECOVERED), hour);
    }
    assert_int_equal(unit->machine.restarts.total, 0);
}

/* Dies a second after each start: its delays, the limit, the cool-down. */
static void test_one_that_always_dies(void **state)
{
    static const unsigned delays_s[] = {5, 10, 20, 40, 80};
    struct watch_rules rules = defaults();
    struct unit *unit = add(&rules);
    uint64_t at_ns = 0;

    (void)state;
    unit->healthy_ns = 0;
    unit->lives_ns = 1 * S;
    world.random = 0.25;
    start_all();
    live_until(DAY);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(when_told(unit, WATCH_EVENT_STARTING, i + 1), at_ns);
        at_ns += 1 * S;
        assert_int_equal(when_told(unit, WATCH_EVENT_PROCESS_DIED, i + 1),
                         at_ns);
        at_ns += delays_s[i] * S / 4;
    }
    /* The fifth restart dies, and a sixth within 300 s is one too many. */
    at_ns += 1 * S;
    assert_int_equal(when_told(unit, WATCH_EVENT_RESTART_LIMIT, 1), at_ns);
    /* 60 s later comes one more try, and it was the last. */
    at_ns += 60 * S;
    assert_int_equal(when_told(unit, WATCH_EVENT_STARTING, 7), at_ns);
    at_ns += 1 * S;
    assert_int_equal(when_told(unit, WATCH_EVENT_RESTART_LIMIT, 2), at_ns);
    assert_int_equal(count_told(unit, WATCH_EVENT_STARTING), 7);
    assert_int_equal(unit->machine.restarts.total, 6);
    assert_int_equal(unit->machine.state, WATCH_FAILED);
}

static void test_tries_after_cool_downs_without_end(void **state)
{
    struct watch_rules rules = defaults();
    struct unit *unit;

    (void)state;
    rules.last_tries = 0;
    rules.restarts.max_restarts = 1;
    rules.restarts.window_ns = DAY;
    unit = add(&rules);
    unit->healthy_ns = 0;
    unit->lives_ns = 1 * S;
    start_all();
    live_until(DAY);
    /* A start, a restart after 2.5 s, and one each 61 s. */
    assert_int_equal(count_told(unit, WATCH_EVENT_STARTING),
                     2 + (DAY - 4500 * MS) / (61 * S));
}

/* Dies just often enough that the window never holds five restarts. */
static void test_the_window_forgets(void **state)
{
    struct watch_rules rules = defaults();
    struct unit *unit = add(&rules);

    (void)state;
    unit->healthy_ns = 0;
    unit->lives_ns = 75 * S;
    world.random = 0; /* no delay: one restart each 75 s */
    start_all();
    live_until(DAY);
    assert_int_equal(count_told(unit, WATCH_EVENT_RESTART_LIMIT), 0);
    assert_int_equal(count_told(unit, WATCH_EVENT_RESTARTING), DAY / (75 * S));
    assert_int_equal(unit->machine.restarts.in_a_row, DAY / (75 * S));
}

/* Just too often: the sixth restart within 300 s is refused. */
static void test_the_window_remembers(void **state)
{
    struct watch_rules rules = defaults();
    struct unit *unit = add(&rules);

    (void)state;
    unit->healthy_ns = 0;
    unit->lives_ns = 59 * S;
    world.random = 0;
    start_all();
    live_until(DAY);
    assert_int_equal(when_told(unit, WATCH_EVENT_RESTART_LIMIT, 1), 6 * 59 * S);
    /* The cool-down has made room in the window for four more. */
    assert_int_equal(when_told(unit, WATCH_EVENT_RESTART_LIMIT, 2),
                     (11 * 59 + 60) * S);
    assert_int_equal(count_told(unit, WATCH_EVENT_PROCESS_DIED), 11);
    assert_int_equal(unit->machine.state, WATCH_FAILED);
}

/* After a whole window in good health the delay is the first one again. */
static void test_a_long_run_begins_anew(void **state)
{
    struct watch_rules rules = defaults();
    struct unit *unit = add(&rules);
    unsigned deaths;

    (void)state;
    unit->healthy_ns = 0;
    unit->lives_ns = 301 * S;
    start_all();
    live_until(DAY);
    deaths = count_told(unit, WATCH_EVENT_PROCESS_DIED);
    assert_int_equal(deaths, (DAY - 301 * S) / (303500 * MS) + 1);
    for (unsigned i = 1; i < deaths; i++)
        assert_int_equal(when_told(unit, WATCH_EVENT_STARTING, i + 1) -
                             when_told(unit, WATCH_EVENT_PROCESS_DIED, i),
                         2500 * MS);
}

static void test_the_delay_is_capped_for_a_day(void **state)
{
    struct watch_rules rules = defaults();
    struct unit *unit;
    unsigned deaths;

    (void)state;
    rules.restarts.max_restarts = 0;
    unit = add(&rules);
    unit->healthy_ns = 0;
    unit->lives_ns = 1 * S;
    world.random = 0.5;
    start_all();
    live_until(DAY);
    deaths = count_told(unit, WATCH_EVENT_PROCESS_DIED);
    for (unsigned i = 1; i < deaths; i++) {
        const unsigned longest_s = i < 7 ? 5U << (i - 1) : 300;

        assert_int_equal(when_told(unit, WATCH_EVENT_STARTING, i + 1) -
                             when_told(unit, WATCH_EVENT_PROCESS_DIED, i),
                         longest_s * S / 2);
    }
    assert_true(deaths > 500);
}

static void test_a_start_that_hangs_all_day(void **state)
{
    struct watch_rules rules = defaults();
    struct unit *unit;

    (void)state;
    rules.restarts.max_restarts = 0;
    rules.restarts.max_delay_ns = 10 * S;
    unit = add(&rules);
    unit->healthy_ns = WATCH_NEVER / 2;
    unit->term_ns = WATCH_NEVER; /* and it ignores SIGTERM */
    world.random = 0;
    start_all();
    live_until(DAY + 1 * S);
    /* 30 s to start, 10 s to end, and again. */
    assert_int_equal(count_told(unit, WATCH_EVENT_STARTING),
                     1 + DAY / (40 * S));
    assert_int_equal(count_told(unit, WATCH_EVENT_KILLED), DAY / (40 * S));
    assert_int_equal(count_told(unit, WATCH_EVENT_START_ERROR), 1);
    assert_int_equal(count_told(unit, WATCH_EVENT_RESTART_FAILED),
                     DAY / (40 * S) - 1);
}

/* api comes after db, which needs ten minutes now and then. */
static void test_who_comes_after_another_waits_for_it(void **state)
{
    struct watch_rules rules = defaults();
    struct unit *db;
    struct unit *api;

    (void)state;
    rules.startup_limit_ns = HOUR;
    db = add(&rules);
    api = add(&rules);
    api->after[0] = &db->member;
    api->member.after_count = 1;
    db->healthy_ns = 10 * MINUTE;
    start_all();
    live_until(HOUR);
    assert_int_equal(when_told(db, WATCH_EVENT_STARTED, 1),
                     10 * MINUTE + 5 * MS);
    assert_int_equal(when_told(api, WATCH_EVENT_STARTING, 1),
                     10 * MINUTE + 5 * MS);

    /* Both die: the restart of api is held until db is up again. */
    db->dies_ns = HOUR + 1 * S;
    api->dies_ns = HOUR + 1 * S;
    live_until(2 * HOUR);
    assert_int_equal(when_told(db, WATCH_EVENT_STARTING, 2), HOUR + 3500 * MS);
    assert_int_equal(when_told(api, WATCH_EVENT_STARTING, 2),
                     HOUR + 3500 * MS + 10 * MINUTE + 5 * MS);
    assert_int_equal(api->machine.restarts.total, 1);
}

int main(void)
{
#define DAY_TEST(name) cmocka_unit_test_setup_teardown(name, begin_day, end_day)
    const struct CMUnitTest tests[] = {
        DAY_TEST(test_a_day_without_trouble),
        DAY_TEST(test_every_sickness_of_a_day_is_one_restart),
        DAY_TEST(test_two_bad_checks_in_a_row_change_nothing),
        DAY_TEST(test_one_that_always_dies),
        DAY_TEST(test_tries_after_cool_downs_without_end),
        DAY_TEST(test_the_window_forgets),
        DAY_TEST(test_the_window_remembers),
        DAY_TEST(test_a_long_run_begins_anew),
        DAY_TEST(test_the_delay_is_capped_for_a_day),
        DAY_TEST(test_a_start_that_hangs_all_day),
        DAY_TEST(test_who_comes_after_another_waits_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
