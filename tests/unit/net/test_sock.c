/* Plain transfers on real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/deadline.h"
#include "net/clock.h"
#include "net/sock.h"
#include "tls_peer.h"

struct pair {
    int near;
    int far;
};

static int set_up(void **state)
{
    static struct pair pair;
    int fds[2];

    if (tcp_pair(fds) != 0)
        return -1;
    pair = (struct pair){fds[0], fds[1]};
    *state = &pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;

    close(pair->near);
    if (pair->far >= 0)
        close(pair->far);
    return 0;
}

static void close_far(struct pair *pair)
{
    close(pair->far);
    pair->far = -1;
}

/* The far side goes away with a reset instead of an orderly end. */
static void reset_far(struct pair *pair)
{
    const struct linger linger = {1, 0};

    setsockopt(pair->far, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close_far(pair);
}

static void read_takes_what_is_there(void **state)
{
    struct pair *pair = *state;
    size_t len = 99;
    char buf[16];

    assert_int_equal(send(pair->far, "hello", 5, 0), 5);
    assert_int_equal(wr_sock_read(pair->near, buf, sizeof buf, false, &len),
                     WR_IO_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(buf, "hello", 5);
}

static void read_without_waiting_says_again(void **state)
{
    struct pair *pair = *state;
    size_t len = 99;
    char buf[16];

    assert_int_equal(wr_sock_read(pair->near, buf, sizeof buf, true, &len),
                     WR_IO_AGAIN);
    assert_int_equal(len, 99); /* written only on success */
}

static void read_limit_ends_a_wait(void **state)
{
    struct pair *pair = *state;
    const uint64_t begun_ns = wr_now();
    size_t len;
    char buf[16];

    assert_int_equal(wr_sock_set_read_limit(pair->near, 20000000), 0);
    assert_int_equal(wr_sock_read(pair->near, buf, sizeof buf, false, &len),
                     WR_IO_AGAIN);
    assert_true(wr_now() - begun_ns >= 19000000);
}

static uint64_t limit_us(int fd)
{
    struct timeval limit;
    socklen_t len = sizeof limit;

    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &len);
    return (uint64_t)limit.tv_sec * 1000000 + (uint64_t)limit.tv_usec;
}

static void read_limit_zero_and_never_mean_none(void **state)
{
    struct pair *pair = *state;

    assert_int_equal(wr_sock_set_read_limit(pair->near, WR_SECOND), 0);
    assert_int_equal(limit_us(pair->near), 1000000);
    assert_int_equal(wr_sock_set_read_limit(pair->near, WR_NEVER), 0);
    assert_int_equal(limit_us(pair->near), 0);
    assert_int_equal(wr_sock_set_read_limit(pair->near, WR_SECOND), 0);
    assert_int_equal(wr_sock_set_read_limit(pair->near, 0), 0);
    assert_int_equal(limit_us(pair->near), 0);
    /* One nanosecond is a limit, and so are 584 years. */
    assert_int_equal(wr_sock_set_read_limit(pair->near, 1), 0);
    assert_int_not_equal(limit_us(pair->near), 0);
    assert_int_equal(wr_sock_set_read_limit(pair->near, WR_NEVER - 1), 0);
    assert_int_equal(wr_sock_set_read_limit(-1, 1), EBADF);
}

static void an_orderly_end_is_eof(void **state)
{
    struct pair *pair = *state;
    size_t len;
    char buf[16];

    shutdown(pair->far, SHUT_WR);
    assert_int_equal(wr_sock_read(pair->near, buf, sizeof buf, false, &len),
                     WR_IO_EOF);
}

static void a_reset_is_an_error_with_errno(void **state)
{
    struct pair *pair = *state;
    size_t len;
    char buf[16];

    reset_far(pair);
    errno = 0;
    assert_int_equal(wr_sock_read(pair->near, buf, sizeof buf, false, &len),
                     WR_IO_ERROR);
    assert_int_equal(errno, ECONNRESET);
}

static void peek_tells_quiet_bytes_end_and_error(void **state)
{
    struct pair *pair = *state;
    size_t len;
    char buf[16];

    assert_int_equal(wr_sock_peek(pair->near), WR_IO_AGAIN);
    assert_int_equal(send(pair->far, "x", 1, 0), 1);
    assert_int_equal(wr_sock_peek(pair->near), WR_IO_OK);
    assert_int_equal(wr_sock_peek(pair->near), WR_IO_OK); /* still there */
    assert_int_equal(wr_sock_read(pair->near, buf, sizeof buf, false, &len),
                     WR_IO_OK);
    assert_int_equal(len, 1);
    shutdown(pair->far, SHUT_WR);
    assert_int_equal(wr_sock_peek(pair->near), WR_IO_EOF);
}

static void peek_tells_a_reset(void **state)
{
    struct pair *pair = *state;

    reset_far(pair);
    assert_int_equal(wr_sock_peek(pair->near), WR_IO_ERROR);
}

static void writing_never_waits_and_counts_what_went(void **state)
{
    struct pair *pair = *state;
    static char block[1 << 20];
    size_t total = 0, len;
    enum wr_io io;

    while ((io = wr_sock_write(pair->near, block, sizeof block, &len)) ==
           WR_IO_OK)
        total += len;
    assert_int_equal(io, WR_IO_AGAIN);
    assert_true(total > 0);
}

static void a_vector_goes_out_in_order(void **state)
{
    struct pair *pair = *state;
    char method[] = "GET ", target[] = "/";
    const struct iovec iov[] = {{method, 4}, {NULL, 0}, {target, 1}};
    size_t len;
    char buf[16];

    assert_int_equal(wr_sock_writev(pair->near, iov, 3, &len), WR_IO_OK);
    assert_int_equal(len, 5);
    assert_int_equal(recv(pair->far, buf, sizeof buf, 0), 5);
    assert_memory_equal(buf, "GET /", 5);
}

static atomic_int signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

/* rule 7: SIGPIPE never reaches the program */
static void writing_to_a_dead_peer_raises_no_sigpipe(void **state)
{
    struct pair *pair = *state;
    char byte = 'x';
    const struct iovec iov = {&byte, 1};
    size_t len;

    signals = 0;
    signal(SIGPIPE, count_signal);
    reset_far(pair);
    assert_int_equal(wr_sock_write(pair->near, "x", 1, &len), WR_IO_ERROR);
    assert_int_equal(wr_sock_write(pair->near, "x", 1, &len), WR_IO_ERROR);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(wr_sock_writev(pair->near, &iov, 1, &len), WR_IO_ERROR);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(signals, 0);
}

struct poke {
    pthread_t target;
    int fd;
};

/* Signals the reader until it has been interrupted once, then sends. */
static void *poke_main(void *user)
{
    const struct poke *poke = user;

    while (!signals)
        pthread_kill(poke->target, SIGUSR1);
    send(poke->fd, "x", 1, 0);
    return NULL;
}

static void a_signal_ends_a_wait_and_is_no_error(void **state)
{
    struct pair *pair = *state;
    const struct sigaction action = {.sa_handler = count_signal};
    struct poke poke = {pthread_self(), pair->far};
    pthread_t thread;
    enum wr_io io;
    size_t len = 0;
    char buf[4];

    signals = 0;
    sigaction(SIGUSR1, &action, NULL);
    assert_int_equal(wr_sock_set_read_limit(pair->near, 60 * WR_SECOND), 0);
    assert_int_equal(pthread_create(&thread, NULL, poke_main, &poke), 0);
    do {
        io = wr_sock_read(pair->near, buf, sizeof buf, false, &len);
    } while (io == WR_IO_AGAIN);
    assert_int_equal(io, WR_IO_OK);
    assert_int_equal(len, 1);
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_DFL);
}

#define SOCK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOCK_TEST(read_takes_what_is_there),
        SOCK_TEST(read_without_waiting_says_again),
        SOCK_TEST(read_limit_ends_a_wait),
        SOCK_TEST(read_limit_zero_and_never_mean_none),
        SOCK_TEST(an_orderly_end_is_eof),
        SOCK_TEST(a_reset_is_an_error_with_errno),
        SOCK_TEST(peek_tells_quiet_bytes_end_and_error),
        SOCK_TEST(peek_tells_a_reset),
        SOCK_TEST(writing_never_waits_and_counts_what_went),
        SOCK_TEST(a_vector_goes_out_in_order),
        SOCK_TEST(writing_to_a_dead_peer_raises_no_sigpipe),
        SOCK_TEST(a_signal_ends_a_wait_and_is_no_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
