/* TLS streams after their handshake: writing and ending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "talk.h"

/* The far side reads all; byte i of what it gets is i mod 251. */
static void read_all(SSL *ssl, void *user)
{
    struct talk *talk = user;
    unsigned char buf[4096];
    int got;

    sem_wait(&talk->go);
    talk->is_equal = true;
    while ((got = SSL_read(ssl, buf, sizeof buf)) > 0) {
        for (int i = 0; i < got; i++)
            talk->is_equal =
                talk->is_equal && buf[i] == (talk->total + (size_t)i) % 251;
        talk->total += (size_t)got;
    }
    if (SSL_get_error(ssl, got) != SSL_ERROR_ZERO_RETURN)
        talk->is_equal = false; /* no close_notify came */
}

/* Advances a vector by what has gone out. */
static void advance(struct iovec **iov, int *count, size_t len)
{
    while (*count && len >= (*iov)->iov_len) {
        len -= (*iov)->iov_len;
        ++*iov;
        --*count;
    }
    if (*count) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + len;
        (*iov)->iov_len -= len;
    }
    assert_true(*count || len == 0);
}

static void check_vector(const size_t *lens, int count)
{
    struct iovec pieces[8], *iov = pieces;
    struct talk talk;
    size_t total = 0, again = 0;
    char *bytes;
    int left = count;

    for (int i = 0; i < count; i++)
        total += lens[i];
    bytes = malloc(total);
    for (size_t i = 0; i < total; i++)
        bytes[i] = (char)(unsigned char)(i % 251);
    total = 0;
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){bytes + total, lens[i]};
        total += lens[i];
    }
    talk_begin(&talk, read_all, 0);
    while (left) {
        size_t len = 0;
        const enum wr_io io = wr_tls_writev(talk.stream, iov, left, &len);

        if (io == WR_IO_AGAIN) {
            struct pollfd wait = {talk.fd, POLLOUT, 0};

            if (again++ == 0)
                sem_post(&talk.go); /* the socket is full: now it may read */
            assert_int_equal(poll(&wait, 1, 10000), 1);
            continue;
        }
        assert_int_equal(io, WR_IO_OK);
        advance(&iov, &left, len);
    }
    if (!again)
        sem_post(&talk.go);
    wr_tls_stream_free(talk.stream, false);
    talk.stream = NULL;
    talk_join(&talk);
    assert_int_equal(talk.total, total);
    assert_true(talk.is_equal);
    talk_end(&talk);
    free(bytes);
}

static void a_vector_goes_out_as_one_stream(void **state)
{
    static const size_t small[] = {40, 0, 1, 300};
    static const size_t head_and_body[] = {300, 100000};
    static const size_t edges[] = {0, 16383, 1, 1, 16384, 16385, 0, 7};

    (void)state;
    check_vector(small, 4);
    check_vector(head_and_body, 2);
    check_vector(edges, 8);
}

static void more_than_the_socket_holds_is_written_in_parts(void **state)
{
    static const size_t large[] = {500, 20 << 20};

    (void)state;
    check_vector(large, 2);
}

static void count_records(int writing, int version, int type, const void *buf,
                          size_t len, SSL *ssl, void *user)
{
    struct talk *talk = user;

    (void)version;
    (void)buf;
    (void)len;
    (void)ssl;
    if (!writing && type == SSL3_RT_HEADER)
        talk->total++;
}

static void read_hello(SSL *ssl, void *user)
{
    struct talk *talk = user;
    char buf[64];

    SSL_set_msg_callback(ssl, count_records);
    SSL_set_msg_callback_arg(ssl, talk);
    talk->is_equal = SSL_read(ssl, buf, sizeof buf) == 11 &&
                     memcmp(buf, "hello world", 11) == 0;
}

static void small_pieces_share_a_record(void **state)
{
    char hello[] = "hello", space[] = " ", world[] = "world";
    const struct iovec iov[] = {{hello, 5}, {space, 1}, {world, 5}};
    struct talk talk;
    size_t len;

    (void)state;
    talk_begin(&talk, read_hello, 0);
    assert_int_equal(wr_tls_writev(talk.stream, iov, 3, &len), WR_IO_OK);
    assert_int_equal(len, 11);
    talk_join(&talk);
    assert_true(talk.is_equal);
    assert_int_equal(talk.total, 1);
    talk_end(&talk);
}

static void nothing_to_write_is_no_record(void **state)
{
    const struct iovec iov[] = {{NULL, 0}, {NULL, 0}};
    struct talk talk;
    size_t len = 99;

    (void)state;
    talk_begin(&talk, wait_for_go, 0);
    assert_int_equal(wr_tls_writev(talk.stream, iov, 2, &len), WR_IO_OK);
    assert_int_equal(len, 0);
    assert_int_equal(wr_tls_writev(talk.stream, NULL, 0, &len), WR_IO_OK);
    sem_post(&talk.go);
    talk_end(&talk);
}

static atomic_int signals;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
}

/* rule 7: also under OpenSSL */
static void a_dead_peer_raises_no_sigpipe(void **state)
{
    char byte = 'x';
    const struct iovec iov = {&byte, 1};
    struct talk talk;
    size_t len;

    (void)state;
    talk_begin(&talk, reset_socket, 0);
    sem_post(&talk.go);
    talk_join(&talk);
    signal(SIGPIPE, count_signal);
    assert_int_equal(wr_tls_writev(talk.stream, &iov, 1, &len), WR_IO_ERROR);
    assert_int_equal(wr_tls_writev(talk.stream, &iov, 1, &len), WR_IO_ERROR);
    wr_tls_stream_free(talk.stream, false);
    talk.stream = NULL;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(signals, 0);
    talk_end(&talk);
}

static void say_hello_and_stop_reading(SSL *ssl, void *user)
{
    struct talk *talk = user;

    put(ssl, "hello");
    sem_post(&talk->did);
    sem_wait(&talk->go);
}

/* A server may answer and close before it has read all of a request. */
static void after_a_failed_write_an_answer_can_be_read(void **state)
{
    char byte = 'x';
    const struct iovec iov = {&byte, 1};
    struct talk talk;
    size_t len;

    (void)state;
    talk_begin(&talk, say_hello_and_stop_reading, 0);
    sem_wait(&talk.did);
    shutdown(talk.fd, SHUT_WR); /* now every write fails with EPIPE */
    assert_int_equal(wr_tls_writev(talk.stream, &iov, 1, &len), WR_IO_ERROR);
    assert_int_equal(errno, EPIPE);
    check_text(&talk, "hello");
    sem_post(&talk.go);
    talk_end(&talk);
}

/* A child of fork drops what it inherits without a word (design 4.7). */
static void a_silent_end_sends_nothing(void **state)
{
    struct talk talk;

    (void)state;
    for (int silent = 0; silent <= 1; silent++) {
        talk_begin(&talk, read_all, 0);
        sem_post(&talk.go);
        wr_tls_stream_free(talk.stream, silent);
        talk.stream = NULL;
        shutdown(talk.fd, SHUT_WR);
        talk_join(&talk);
        assert_int_equal(talk.is_equal, !silent); /* saw a close_notify */
        talk_end(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vector_goes_out_as_one_stream),
        cmocka_unit_test(more_than_the_socket_holds_is_written_in_parts),
        cmocka_unit_test(small_pieces_share_a_record),
        cmocka_unit_test(nothing_to_write_is_no_record),
        cmocka_unit_test(a_dead_peer_raises_no_sigpipe),
        cmocka_unit_test(after_a_failed_write_an_answer_can_be_read),
        cmocka_unit_test(a_silent_end_sends_nothing),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
