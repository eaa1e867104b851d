/* Who starts before whom, and ends after whom. */
#include "machine_steps.h"
#include "watch/order.h"

static double no_random(void *user)
{
    (void)user;
    return 0;
}

enum {
    DB,
    API,
    WEB,
    TRIO
};

struct trio {
    struct watch_machine machines[TRIO];
    struct watch_member members[TRIO];
    struct watch_member *list[TRIO];
    struct watch_member *after[TRIO];
};

/* web after api after db */
static void make_trio(struct trio *trio)
{
    const struct watch_random none = {no_random, NULL};
    struct watch_rules rules = defaults();

    rules.has_health = false;
    for (int i = 0; i < TRIO; i++) {
        watch_machine_init(&trio->machines[i], &rules, &none);
        trio->after[i] = i > 0 ? &trio->members[i - 1] : NULL;
        trio->members[i] = (struct watch_member){
            .machine = &trio->machines[i],
            .after = &trio->after[i],
            .after_count = i > 0,
        };
        trio->list[i] = &trio->members[i];
    }
}

static void lose_trio(struct trio *trio)
{
    for (int i = 0; i < TRIO; i++)
        watch_machine_done(&trio->machines[i]);
}

static void test_starts_in_order_and_ends_in_reverse(void **state)
{
    struct trio trio;
    struct watch_machine *m = trio.machines;
    uint64_t now_ns = 0;

    (void)state;
    make_trio(&trio);
    watch_order_settle(trio.list, TRIO, now_ns);
    for (int i = 0; i < TRIO; i++)
        watch_machine_start(&m[i], now_ns);
    for (int i = 0; i < TRIO; i++) {
        for (int k = i + 1; k < TRIO; k++) {
            EXPECT(&m[k], "");
            assert_ptr_equal(watch_order_obstacle(trio.list[k]),
                             trio.list[k - 1]);
        }
        EXPECT(&m[i], "SPAWN");
        watch_machine_spawned(&m[i], now_ns);
        now_ns += 1 * S;
        watch_machine_tick(&m[i], now_ns);
        EXPECT(&m[i], "starting started");
        watch_order_settle(trio.list, TRIO, now_ns);
    }

    /* The one in the middle is gone: what it needs still stays. */
    watch_machine_stop(&m[API], now_ns);
    watch_machine_exited(&m[API], 0, 0, now_ns);
    EXPECT(&m[API], "stopping TERM stopped");
    assert_false(watch_order_stop(trio.list, TRIO, now_ns));
    EXPECT(&m[WEB], "stopping TERM");
    EXPECT(&m[DB], "");
    assert_false(watch_order_stop(trio.list, TRIO, now_ns));
    EXPECT(&m[WEB], "");
    watch_machine_exited(&m[WEB], 0, 0, now_ns);
    assert_false(watch_order_stop(trio.list, TRIO, now_ns));
    EXPECT(&m[DB], "stopping TERM");
    watch_machine_exited(&m[DB], 0, 0, now_ns);
    assert_true(watch_order_stop(trio.list, TRIO, now_ns));
    lose_trio(&trio);
}

static void test_nobody_comes_back_while_the_others_end(void **state)
{
    struct trio trio;
    struct watch_machine *m = trio.machines;

    (void)state;
    make_trio(&trio);
    for (int i = 0; i < TRIO; i++) {
        watch_machine_start(&m[i], 0);
        watch_machine_spawned(&m[i], 0);
        watch_machine_tick(&m[i], 1 * S);
        taken(&m[i]);
    }
    assert_false(watch_order_stop(trio.list, TRIO, 2 * S));
    watch_machine_exited(&m[DB], 1, 0, 2 * S);
    EXPECT(&m[DB], "process_died restarting");
    assert_false(watch_order_stop(trio.list, TRIO, 2 * S));
    EXPECT(&m[DB], "stopped");
    watch_machine_tick(&m[DB], 100 * S);
    EXPECT(&m[DB], "");
    lose_trio(&trio);
}

static void test_a_cycle_is_found(void **state)
{
    struct trio trio;

    (void)state;
    make_trio(&trio);
    assert_null(watch_order_cycle(trio.list, TRIO));
    trio.after[DB] = &trio.members[WEB];
    trio.members[DB].after_count = 1;
    assert_non_null(watch_order_cycle(trio.list, TRIO));
    lose_trio(&trio);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_in_order_and_ends_in_reverse),
        cmocka_unit_test(test_nobody_comes_back_while_the_others_end),
        cmocka_unit_test(test_a_cycle_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
