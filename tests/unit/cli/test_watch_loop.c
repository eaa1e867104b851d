/* The main loop: who is called when, whoever comes and goes meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "watch/loop.h"

enum {
    PIPES = 3
};

struct party {
    struct watch_source *source;
    struct watch_source **victim; /* removed when this one is called */
    uint64_t due_ns;
    unsigned calls;
    unsigned timed_out;
    int fds[2];
};

static struct watch_loop *loop;
static struct party parties[PIPES];

static void ready(void *user, uint32_t events)
{
    struct party *party = user;

    party->calls++;
    party->timed_out += events == 0;
    if (party->victim && *party->victim) {
        watch_loop_remove(loop, *party->victim);
        *party->victim = NULL;
    }
}

static int64_t timeout_ms(void *user)
{
    const struct party *party = user;

    return party->due_ns ? watch_ms_until(watch_loop_now(loop), party->due_ns)
                         : -1;
}

static int set_up(void **state)
{
    (void)state;
    loop = watch_loop_new();
    for (int i = 0; i < PIPES; i++) {
        struct party *party = &parties[i];

        *party = (struct party){.calls = 0};
        if (pipe(party->fds) != 0)
            return -1;
        party->source = watch_loop_add(
            loop, &(struct watch_source_options){.fd = party->fds[0],
                                                 .events = EPOLLIN,
                                                 .ready = ready,
                                                 .timeout_ms = timeout_ms,
                                                 .user = party});
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    watch_loop_free(loop);
    for (int i = 0; i < PIPES; i++) {
        close(parties[i].fds[0]);
        close(parties[i].fds[1]);
    }
    return 0;
}

static void make_ready(int i)
{
    assert_int_equal(write(parties[i].fds[1], "x", 1), 1);
}

static void test_who_is_ready_is_called(void **state)
{
    (void)state;
    make_ready(1);
    watch_loop_turn(loop, 1000);
    assert_int_equal(parties[0].calls, 0);
    assert_int_equal(parties[1].calls, 1);
    assert_int_equal(parties[1].timed_out, 0);
    watch_source_set_events(parties[1].source, 0);
    make_ready(2);
    watch_loop_turn(loop, 1000);
    assert_int_equal(parties[1].calls, 1);
    assert_int_equal(parties[2].calls, 1);
}

static void test_time_comes(void **state)
{
    uint64_t begun_ns;

    (void)state;
    watch_loop_turn(loop, 0);
    begun_ns = watch_loop_now(loop);
    parties[0].due_ns = begun_ns + 3000001;
    while (parties[0].calls == 0)
        watch_loop_turn(loop, -1);
    assert_true(watch_loop_now(loop) >= parties[0].due_ns);
    assert_int_equal(parties[0].timed_out, 1);
    assert_int_equal(parties[1].calls, 0);
}

static void test_times_are_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(watch_ms_until(5, 5), 0);
    assert_int_equal(watch_ms_until(6, 5), 0);
    assert_int_equal(watch_ms_until(5, 6), 1);
    assert_int_equal(watch_ms_until(0, 1000000), 1);
    assert_int_equal(watch_ms_until(0, 1000001), 2);
    assert_true(watch_ms_until(0, UINT64_MAX) > 0);
}

static void test_one_removes_itself(void **state)
{
    (void)state;
    parties[0].victim = &parties[0].source;
    make_ready(0);
    watch_loop_turn(loop, 1000);
    watch_loop_turn(loop, 0);
    assert_int_equal(parties[0].calls, 1);
    assert_null(parties[0].source);
}

/* Of two that are ready at once the first takes the other away: that one is
 * not called any more, though the kernel has named it already. */
static void test_one_removes_another_of_the_same_turn(void **state)
{
    (void)state;
    parties[0].victim = &parties[1].source;
    parties[1].victim = &parties[0].source;
    make_ready(0);
    make_ready(1);
    watch_loop_turn(loop, 1000);
    watch_loop_turn(loop, 0);
    assert_int_equal(!parties[0].source + !parties[1].source, 1);
    assert_true(parties[0].calls == 0 || parties[1].calls == 0);
}

static void test_what_cannot_be_waited_for(void **state)
{
    (void)state;
    assert_null(watch_loop_add(
        loop, &(struct watch_source_options){
                  .fd = 1000000, .events = EPOLLIN, .ready = ready}));
    assert_int_equal(errno, EBADF);
    watch_loop_remove(loop, NULL);
    watch_loop_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_who_is_ready_is_called),
        TEST(test_time_comes),
        TEST(test_times_are_rounded_up),
        TEST(test_one_removes_itself),
        TEST(test_one_removes_another_of_the_same_turn),
        TEST(test_what_cannot_be_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
