/* Both kinds of poller keep the same promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive/poller.h"

enum {
    MANY = 200
};

static const short all = POLLIN | POLLOUT | POLLRDHUP;
static struct wr_poller *poller;
static int pair[2];

static int open_both(weir_poller kind)
{
    poller = wr_poller_open(kind);
    return poller && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
                                pair) == 0
               ? 0
               : -1;
}

static int set_up_epoll(void **state)
{
    (void)state;
    return open_both(WEIR_POLLER_EPOLL);
}

static int set_up_poll(void **state)
{
    (void)state;
    return open_both(WEIR_POLLER_POLL);
}

static int tear_down(void **state)
{
    (void)state;
    wr_poller_close(poller);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

/* The events of `data` that are there now; nothing else is. */
static short events_of(uint64_t data)
{
    struct wr_poller_event events[4];
    const int count = wr_poller_wait(poller, 0, events, 4);

    if (count == 0)
        return 0;
    assert_int_equal(count, 1);
    assert_true(events[0].data == data);
    return events[0].events;
}

static void add(bool edge, short events, uint64_t data)
{
    assert_int_equal(wr_poller_add(poller, pair[0], events, edge, data), 0);
}

static void send_byte(void)
{
    assert_int_equal(write(pair[1], "x", 1), 1);
}

static void read_byte(void)
{
    char byte;

    assert_int_equal(read(pair[0], &byte, 1), 1);
}

static void a_level_lasts(void **state)
{
    (void)state;
    add(false, POLLIN, 7);
    assert_int_equal(events_of(7), 0);
    send_byte();
    assert_int_equal(events_of(7), POLLIN);
    assert_int_equal(events_of(7), POLLIN);
    read_byte();
    assert_int_equal(events_of(7), 0);
}

static void an_edge_is_told_once(void **state)
{
    (void)state;
    add(true, all, 7);
    events_of(7); /* epoll says at once that there is room */
    assert_int_equal(events_of(7), 0);
    send_byte();
    assert_true(events_of(7) & POLLIN);
    assert_int_equal(events_of(7), 0);
    read_byte();
    wr_poller_rearm(poller, 7, POLLIN);
    assert_int_equal(events_of(7), 0);
    send_byte();
    assert_true(events_of(7) & POLLIN);
}

static void fill(void)
{
    static char block[65536];

    while (write(pair[0], block, sizeof block) > 0)
        continue;
}

static void drain(void)
{
    static char block[65536];

    while (read(pair[1], block, sizeof block) > 0)
        continue;
}

static void room_is_told_once_it_was_missed(void **state)
{
    (void)state;
    add(true, all, 7);
    events_of(7);
    fill();
    wr_poller_rearm(poller, 7, POLLOUT);
    assert_int_equal(events_of(7) & POLLOUT, 0);
    drain();
    assert_true(events_of(7) & POLLOUT);
    assert_int_equal(events_of(7) & POLLOUT, 0);
}

static void an_end_is_told(void **state)
{
    (void)state;
    add(true, all, 7);
    events_of(7);
    shutdown(pair[1], SHUT_WR);
    assert_true(events_of(7) & (POLLRDHUP | POLLIN));
}

/* poll() would tell of it without end; only who has looked is told again. */
static void an_end_that_was_missed_is_told_again(void **state)
{
    (void)state;
    add(true, all, 7);
    events_of(7);
    shutdown(pair[1], SHUT_RDWR);
    assert_true(events_of(7) & POLLHUP);
    assert_int_equal(events_of(7), 0);
    wr_poller_rearm(poller, 7, POLLIN);
    assert_true(events_of(7) & POLLHUP);
    assert_int_equal(events_of(7), 0);
}

static void what_was_there_before_is_told(void **state)
{
    (void)state;
    send_byte();
    add(true, all, 7);
    assert_true(events_of(7) & POLLIN);
}

static void what_is_removed_is_silent(void **state)
{
    (void)state;
    add(true, all, 7);
    send_byte();
    wr_poller_remove(poller, pair[0], 7);
    assert_int_equal(events_of(7), 0);
    /* The same descriptor under another number. */
    add(true, all, 8);
    assert_true(events_of(8) & POLLIN);
    wr_poller_remove(poller, pair[0], 8);
    wr_poller_remove(poller, pair[0], 8);
    wr_poller_rearm(poller, 8, POLLIN);
    assert_int_equal(events_of(8), 0);
}

static void many_are_told_in_portions(void **state)
{
    struct wr_poller_event events[16];
    bool seen[MANY] = {false};
    int pairs[MANY][2];
    int count = 0;
    int told;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        assert_int_equal(wr_poller_add(poller, pairs[i][0], POLLIN, true, i),
                         0);
        assert_int_equal(write(pairs[i][1], "x", 1), 1);
    }
    while ((told = wr_poller_wait(poller, 0, events, 16)) > 0) {
        for (int i = 0; i < told; i++) {
            assert_false(seen[events[i].data]);
            seen[events[i].data] = true;
        }
        count += told;
    }
    assert_int_equal(count, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        wr_poller_remove(poller, pairs[i][0], i);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
}

/* Removes what the other thread waits for, then wakes it. */
static void *remove_and_wake(void *user)
{
    const int *waker = user;

    wr_poller_remove(poller, pair[0], 7);
    (void)!write(*waker, "x", 1);
    return NULL;
}

static void another_thread_may_remove(void **state)
{
    int waker[2];
    pthread_t thread;
    struct wr_poller_event events[4];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, waker), 0);
    assert_int_equal(wr_poller_add(poller, waker[0], POLLIN, false, 1), 0);
    add(true, POLLIN, 7);
    pthread_create(&thread, NULL, remove_and_wake, &waker[1]);
    assert_int_equal(wr_poller_wait(poller, 10000, events, 4), 1);
    assert_true(events[0].data == 1);
    pthread_join(thread, NULL);
    send_byte();
    assert_int_equal(wr_poller_wait(poller, 0, events, 4), 1);
    assert_true(events[0].data == 1);
    close(waker[0]);
    close(waker[1]);
}

static void time_ends_a_wait(void **state)
{
    struct wr_poller_event events[4];

    (void)state;
    add(true, POLLIN, 7);
    assert_int_equal(wr_poller_wait(poller, 1, events, 4), 0);
}

static void only_epoll_has_a_descriptor(void **state)
{
    (void)state;
    if (strcmp(poller->kind->name, "epoll") == 0)
        assert_true(wr_poller_fd(poller) >= 0);
    else
        assert_int_equal(wr_poller_fd(poller), -1);
}

#define TEST(name)                                                             \
    {#name " (epoll)", name, set_up_epoll, tear_down, NULL},                   \
    {                                                                          \
#name " (poll)", name, set_up_poll, tear_down, NULL                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_level_lasts),
        TEST(an_edge_is_told_once),
        TEST(room_is_told_once_it_was_missed),
        TEST(an_end_is_told),
        cmocka_unit_test_setup_teardown(an_end_that_was_missed_is_told_again,
                                        set_up_poll, tear_down),
        TEST(what_was_there_before_is_told),
        TEST(what_is_removed_is_silent),
        TEST(many_are_told_in_portions),
        TEST(another_thread_may_remove),
        TEST(time_ends_a_wait),
        TEST(only_epoll_has_a_descriptor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
