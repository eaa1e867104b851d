/* A service to which anything may happen at any moment: millions of random
 * inputs, and what must hold after each of them.
 *
 * The seed is printed; WEIR_TEST_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "watch/machine.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

enum {
    LIVES = 400,
    STEPS = 5000,
    MAX_NOTED = 64
};

static uint64_t seed;

static uint64_t next_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static unsigned below(unsigned limit)
{
    return (unsigned)(next_number() % limit);
}

static double next_random(void *user)
{
    (void)user;
    return (double)below(1000000) / 1e6;
}

/* One service, and what a supervisor knows of it. */
struct life {
    struct watch_machine machine;
    uint64_t now_ns;
    bool has_process;
    bool is_termed;
    bool is_wanted; /* by the last order */
    uint64_t serial;
    bool is_asked;
    uint64_t restarts[MAX_NOTED]; /* when, since the last order */
    unsigned restart_count;
    unsigned spawns;
};

static struct watch_rules some_rules(void)
{
    static const uint64_t spans_ns[] = {0, 1, 10 * MS, 1 * S, 30 * S, 300 * S};
    const unsigned count = sizeof spans_ns / sizeof *spans_ns;

    return (struct watch_rules){
        .has_health = below(4) > 0,
        .policy = (enum watch_policy)below(3),
        .startup_limit_ns = 1 + spans_ns[below(count)],
        .startup_interval_ns = 1 + spans_ns[below(count)],
        .settle_ns = spans_ns[below(count)],
        .interval_ns = 1 + spans_ns[below(count)],
        .shutdown_limit_ns = spans_ns[below(count)],
        .cooldown_ns = 1 + spans_ns[below(count)],
        .last_tries = below(3),
        .fall = 1 + below(3),
        .rise = 1 + below(3),
        .restarts = {.max_restarts = below(5),
                     .window_ns = 1 + spans_ns[below(count)],
                     .delay_ns = spans_ns[below(count)],
                     .multiplier = 1 + below(3),
                     .max_delay_ns = spans_ns[below(count)]},
    };
}

/* --- what must hold ------------------------------------------------------- */

static void check_spawn(struct life *life)
{
    assert_false(life->has_process); /* never two at a time */
    assert_true(life->is_wanted);
    assert_false(life->machine.is_held);
    assert_int_equal(life->machine.state, WATCH_STARTING);
    life->spawns++;
}

/* No more restarts in a window than are allowed, but for the tries after
 * cool-downs, which are told apart by their detail. */
static void check_restart(struct life *life, const struct watch_action *action)
{
    const struct watch_restart_rules *rules = &life->machine.rules.restarts;
    unsigned in_window = 0;

    assert_int_not_equal(life->machine.rules.policy, WATCH_RESTART_NEVER);
    if (strstr(action->detail, "cool-down"))
        return;
    life->restarts[life->restart_count++ % MAX_NOTED] = life->now_ns;
    for (unsigned i = 0; i < life->restart_count && i < MAX_NOTED; i++)
        in_window += life->now_ns - life->restarts[i] < rules->window_ns;
    if (rules->max_restarts > 0)
        assert_true(in_window <= rules->max_restarts);
}

static void check(const struct life *life)
{
    const struct watch_machine *m = &life->machine;
    const bool may_have_process =
        m->state == WATCH_STARTING || m->state == WATCH_RUNNING ||
        m->state == WATCH_STOPPING || m->state == WATCH_TIMEOUT;

    assert_int_equal(m->has_process, life->has_process);
    if (life->has_process)
        assert_true(may_have_process);
    if (m->state == WATCH_STARTING || m->state == WATCH_RUNNING ||
        m->state == WATCH_STOPPING)
        assert_true(life->has_process);
    if (m->state == WATCH_RUNNING || m->state == WATCH_BACKOFF)
        assert_true(m->is_wanted);
    assert_true(!watch_machine_is_healthy(m) || m->state == WATCH_RUNNING);
    assert_true(m->fails == 0 || m->rules.has_health);
    /* Nothing rests for ever that should not: a planned thing has a time. */
    if (m->state == WATCH_BACKOFF)
        assert_true(m->deadline_ns != WATCH_NEVER || m->is_due);
    if (m->state == WATCH_STARTING && m->rules.has_health)
        assert_true(watch_machine_deadline(m) != WATCH_NEVER || m->is_probing);
    if (m->state == WATCH_STOPPING && m->deadline_ns == WATCH_NEVER)
        assert_true(life->is_termed);
}

/* --- carrying out --------------------------------------------------------- */

static void carry_out(struct life *life, const struct watch_action *action)
{
    switch (action->kind) {
    case WATCH_ACT_SPAWN:
        check_spawn(life);
        if (below(8) == 0) {
            watch_machine_spawn_failed(&life->machine, "no", life->now_ns);
        } else {
            life->has_process = true;
            life->is_termed = false;
            watch_machine_spawned(&life->machine, life->now_ns);
        }
        break;
    case WATCH_ACT_TERM:
        assert_true(life->has_process);
        life->is_termed = true;
        break;
    case WATCH_ACT_KILL:
        assert_true(life->has_process);
        assert_true(life->is_termed);
        break;
    case WATCH_ACT_PROBE:
        assert_true(life->has_process);
        assert_true(life->machine.rules.has_health);
        life->serial = action->serial;
        life->is_asked = true;
        break;
    case WATCH_ACT_EVENT:
        if (action->event == WATCH_EVENT_RESTARTING)
            check_restart(life, action);
        if (action->event == WATCH_EVENT_STOPPED && !action->exit_signal)
            assert_true(action->exit_code >= -1);
        break;
    case WATCH_ACT_NONE:
        break;
    }
}

static void act(struct life *life)
{
    struct watch_action action;

    while (watch_machine_next(&life->machine, &action))
        carry_out(life, &action);
}

/* --- what may happen ------------------------------------------------------ */

static void order(struct life *life)
{
    switch (below(3)) {
    case 0:
        life->is_wanted = true;
        watch_machine_start(&life->machine, life->now_ns);
        break;
    case 1:
        life->is_wanted = false;
        watch_machine_stop(&life->machine, life->now_ns);
        break;
    default:
        life->is_wanted = true;
        watch_machine_restart(&life->machine, life->now_ns);
        break;
    }
    life->restart_count = 0;
    memset(life->restarts, 0, sizeof life->restarts);
}

static void end_process(struct life *life)
{
    if (!life->has_process)
        return;
    life->has_process = false;
    watch_machine_exited(&life->machine, below(3) ? -1 : (int)below(2),
                         (int)below(2) * 9, life->now_ns);
}

static void answer(struct life *life)
{
    if (!life->is_asked)
        return;
    life->is_asked = below(8) == 0; /* some come twice, and late */
    watch_machine_probed(&life->machine, life->serial,
                         (enum watch_verdict)below(3), "why", life->now_ns);
}

static void pass_time(struct life *life)
{
    const uint64_t due_ns = watch_machine_deadline(&life->machine);

    if (due_ns != WATCH_NEVER && due_ns > life->now_ns && below(4) > 0)
        life->now_ns = due_ns;
    else
        life->now_ns += below(3) ? below(1000) * MS : below(100) * S;
    watch_machine_tick(&life->machine, life->now_ns);
}

static void step(struct life *life)
{
    const unsigned what = below(100);

    if (what < 3)
        order(life);
    else if (what < 6)
        watch_machine_hold(&life->machine, below(2) == 0, life->now_ns);
    else if (what < 20)
        end_process(life);
    else if (what < 60)
        answer(life);
    else
        pass_time(life);
    act(life);
    check(life);
}

/* Left alone with a process that dies when told to, all comes to rest. */
static void come_to_rest(struct life *life)
{
    watch_machine_stop(&life->machine, life->now_ns);
    act(life);
    end_process(life);
    act(life);
    assert_int_equal(life->machine.state, WATCH_STOPPED);
    assert_int_equal(watch_machine_deadline(&life->machine), WATCH_NEVER);
}

static void test_anything_may_happen(void **state)
{
    const struct watch_random random = {next_random, NULL};
    unsigned spawns = 0;

    (void)state;
    for (unsigned i = 0; i < LIVES; i++) {
        const struct watch_rules rules = some_rules();
        struct life life = {.now_ns = 1000 * S};

        watch_machine_init(&life.machine, &rules, &random);
        for (unsigned k = 0; k < STEPS; k++) {
            step(&life);
            /* One that has ended by itself is not wanted any more. */
            life.is_wanted = life.is_wanted && life.machine.is_wanted;
        }
        life.is_wanted = false;
        come_to_rest(&life);
        spawns += life.spawns;
        watch_machine_done(&life.machine);
    }
    print_message("%u steps, %u starts\n", LIVES * STEPS, spawns);
    assert_true(spawns > LIVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anything_may_happen),
    };
    const char *given = getenv("WEIR_TEST_SEED");

    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) | 1;
    printf("WEIR_TEST_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
