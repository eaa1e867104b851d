/* TLS streams after their handshake: reading and watching. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/bio.h>
#include <string.h>
#include <sys/socket.h>

#include "talk.h"

enum {
    /* More than sixteen receives take. */
    HELLO_REQUESTS = 20000
};

static void say_hello_and_good_bye(SSL *ssl, void *user)
{
    (void)user;
    put(ssl, "hello");
    SSL_shutdown(ssl);
}

static void check_error(const struct talk *talk, const char *expected)
{
    char text[WR_TLS_ERROR_TEXT];

    assert_string_equal(wr_tls_error_text(talk->stream, text, sizeof text),
                        expected);
}

static void close_notify_is_eof(void **state)
{
    struct talk talk;
    char buf[8];
    size_t len;

    (void)state;
    talk_begin(&talk, say_hello_and_good_bye, 0);
    check_text(&talk, "hello");
    assert_int_equal(read_some(&talk, buf, sizeof buf, &len), WR_IO_EOF);
    assert_false(wr_tls_was_cut(talk.stream));
    check_error(&talk, "");
    talk_end(&talk);
}

static void say_hello(SSL *ssl, void *user)
{
    (void)user;
    put(ssl, "hello");
}

/* RFC 9112 section 9.8, rule 2.6 */
static void an_end_without_close_notify_is_a_cut(void **state)
{
    struct talk talk;
    char buf[8];
    size_t len;

    (void)state;
    talk_begin(&talk, say_hello, 0);
    check_text(&talk, "hello");
    assert_false(wr_tls_was_cut(talk.stream));
    assert_int_equal(read_some(&talk, buf, sizeof buf, &len), WR_IO_ERROR);
    assert_int_equal(errno, ECONNRESET);
    assert_true(wr_tls_was_cut(talk.stream));
    assert_false(wr_tls_has_failed(talk.stream));
    check_error(&talk, "connection ended without close_notify");
    /* and it stays so */
    assert_int_equal(read_some(&talk, buf, sizeof buf, &len), WR_IO_ERROR);
    talk_end(&talk);
}

static void a_reset_is_no_cut(void **state)
{
    struct talk talk;
    char buf[8];
    size_t len;

    (void)state;
    talk_begin(&talk, reset_socket, TLS1_2_VERSION);
    sem_post(&talk.go);
    talk_join(&talk);
    assert_int_equal(read_some(&talk, buf, sizeof buf, &len), WR_IO_ERROR);
    assert_int_equal(errno, ECONNRESET);
    assert_false(wr_tls_was_cut(talk.stream));
    assert_false(wr_tls_has_failed(talk.stream));
    check_error(&talk, "connection reset by peer");
    talk_end(&talk);
}

static void reading_ends_with_the_read_limit(void **state)
{
    struct talk talk;
    char buf[8];
    size_t len = 99;

    (void)state;
    talk_begin(&talk, wait_for_go, 0);
    assert_int_equal(wr_sock_set_read_limit(talk.fd, 20000000), 0);
    /* twice: what waits first may be tickets */
    assert_int_equal(wr_tls_read(talk.stream, buf, sizeof buf, false, &len),
                     WR_IO_AGAIN);
    assert_int_equal(wr_tls_read(talk.stream, buf, sizeof buf, false, &len),
                     WR_IO_AGAIN);
    assert_int_equal(wr_tls_read(talk.stream, buf, sizeof buf, true, &len),
                     WR_IO_AGAIN);
    assert_int_equal(len, 99);
    sem_post(&talk.go);
    talk_end(&talk);
}

/* Sends a record in two halves. */
static void say_hello_in_two_parts(SSL *ssl, void *user)
{
    struct talk *talk = user;
    const int fd = SSL_get_fd(ssl);
    BIO *memory = BIO_new(BIO_s_mem());
    char *bytes;
    long len;

    SSL_set0_wbio(ssl, memory);
    put(ssl, "hello");
    len = BIO_get_mem_data(memory, &bytes);
    sem_wait(&talk->go);
    send(fd, bytes, (size_t)len / 2, 0);
    sem_post(&talk->did);
    sem_wait(&talk->go);
    send(fd, bytes + len / 2, (size_t)(len - len / 2), 0);
}

/* A peer that sends a record byte by byte must not hold its reader beyond the
 * read limit: every call makes one receive that waits. */
static void a_part_of_a_record_says_again(void **state)
{
    struct talk talk;
    char buf[8];
    size_t len;

    (void)state;
    talk_begin(&talk, say_hello_in_two_parts, TLS1_2_VERSION);
    sem_post(&talk.go);
    sem_wait(&talk.did);
    assert_int_equal(wr_tls_read(talk.stream, buf, sizeof buf, false, &len),
                     WR_IO_AGAIN);
    assert_true(wr_tls_has_pending(talk.stream));
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_AGAIN);
    sem_post(&talk.go);
    assert_int_equal(wr_tls_read(talk.stream, buf, sizeof buf, false, &len),
                     WR_IO_OK);
    assert_int_equal(len, 5);
    assert_false(wr_tls_has_pending(talk.stream));
    talk_end(&talk);
}

static void say_two_records(SSL *ssl, void *user)
{
    struct talk *talk = user;

    sem_wait(&talk->go); /* not in one burst with the handshake's end */
    put(ssl, "one");
    put(ssl, "two");
    sem_post(&talk->did);
    sem_wait(&talk->go);
}

/* rule 2.13: left-over plaintext, and records that were read ahead */
static void what_was_read_ahead_is_pending(void **state)
{
    struct talk talk;
    char buf[8];
    size_t len = 0;

    (void)state;
    talk_begin(&talk, say_two_records, TLS1_2_VERSION);
    assert_false(wr_tls_has_pending(talk.stream));
    sem_post(&talk.go);
    sem_wait(&talk.did);
    assert_int_equal(wr_tls_read(talk.stream, buf, 1, true, &len), WR_IO_OK);
    assert_int_equal(buf[0], 'o');
    assert_true(wr_tls_has_pending(talk.stream)); /* of the first record */
    assert_int_equal(wr_tls_read(talk.stream, buf, sizeof buf, true, &len),
                     WR_IO_OK);
    assert_int_equal(len, 2);
    assert_true(wr_tls_has_pending(talk.stream)); /* the second record */
    assert_int_equal(recv(talk.fd, buf, 1, MSG_PEEK | MSG_DONTWAIT), -1);
    assert_int_equal(wr_tls_read(talk.stream, buf, sizeof buf, true, &len),
                     WR_IO_OK);
    assert_memory_equal(buf, "two", 3);
    assert_false(wr_tls_has_pending(talk.stream));
    sem_post(&talk.go);
    talk_end(&talk);
}

/* rule 7: tickets on an idle connection are processed */
static void tickets_do_not_disturb_an_idle_connection(void **state)
{
    struct talk talk;

    (void)state;
    talk_begin(&talk, wait_for_go, TLS1_3_VERSION);
    sem_wait(&talk.did); /* two tickets have been sent */
    assert_int_equal(wr_sock_peek(talk.fd), WR_IO_OK);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_AGAIN);
    assert_int_equal(wr_sock_peek(talk.fd), WR_IO_AGAIN); /* both are taken */
    assert_false(wr_tls_has_pending(talk.stream));
    sem_post(&talk.go);
    talk_end(&talk);
}

static void update_keys(SSL *ssl, void *user)
{
    struct talk *talk = user;
    char byte;

    SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(ssl);
    sem_post(&talk->did);
    /* The answer is a KeyUpdate too; then come the bytes under the new keys. */
    talk->total = (size_t)SSL_read(ssl, &byte, 1);
    put(ssl, "hello");
}

/* rule 7: so are KeyUpdates */
static void a_key_update_does_not_disturb_an_idle_connection(void **state)
{
    struct talk talk;
    char byte = 'x';
    size_t len;

    (void)state;
    talk_begin(&talk, update_keys, TLS1_3_VERSION);
    sem_wait(&talk.did);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_AGAIN);
    assert_int_equal(
        wr_tls_writev(talk.stream, &(struct iovec){&byte, 1}, 1, &len),
        WR_IO_OK);
    check_text(&talk, "hello");
    talk_join(&talk);
    assert_int_equal(talk.total, 1);
    talk_end(&talk);
}

static void flood(SSL *ssl, void *user)
{
    struct talk *talk = user;

    for (int i = 0; i < 40; i++) {
        SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(ssl);
    }
    sem_post(&talk->did);
    sem_wait(&talk->go);
}

/* rule 7: with a cap */
static void a_flood_of_key_updates_is_an_error(void **state)
{
    struct talk talk;

    (void)state;
    talk_begin(&talk, flood, TLS1_3_VERSION);
    sem_wait(&talk.did);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_ERROR);
    assert_int_equal(errno, EPROTO);
    check_error(&talk, "too many records without data");
    sem_post(&talk.go);
    talk_end(&talk);
}

/* --- HelloRequests of TLS 1.2 -------------------------------------------- */

static void ask_once(SSL *ssl, void *user)
{
    struct talk *talk = user;
    char byte;

    talk->is_equal = tls_peer_hello_requests(ssl, 1);
    sem_post(&talk->did);
    /* The client's no, which this side takes for a failure. */
    talk->total = SSL_read(ssl, &byte, 1) > 0;
    talk->reason = ERR_GET_REASON(ERR_peek_last_error());
    ERR_clear_error();
}

/* rule 7: weir says no, and does not shake hands */
static void a_hello_request_is_declined(void **state)
{
    struct talk talk;
    enum wr_io io;

    (void)state;
    talk_begin(&talk, ask_once, TLS1_2_VERSION);
    sem_wait(&talk.did);
    assert_true(talk.is_equal);
    io =
        wr_tls_peek(talk.stream); /* which may see what the server says to it */
    assert_true(io == WR_IO_AGAIN || io == WR_IO_ERROR);
    talk_join(&talk);
    assert_int_equal(talk.total, 0);
    assert_int_equal(talk.reason, SSL_R_NO_RENEGOTIATION);
    talk_end(&talk);
}

static void ask_often(SSL *ssl, void *user)
{
    struct talk *talk = user;

    sem_wait(&talk->go);
    talk->is_equal = tls_peer_hello_requests(ssl, (int)talk->total);
    sem_post(&talk->did);
    sem_wait(&talk->go);
}

static void begin_to_ask(struct talk *talk, size_t count)
{
    talk_begin(talk, ask_often, TLS1_2_VERSION);
    talk->total = count;
    sem_post(&talk->go);
    sem_wait(&talk->did);
    assert_true(talk->is_equal);
}

/* rule 7: with a cap, which a few do not reach */
static void a_flood_of_hello_requests_is_an_error(void **state)
{
    struct talk talk;

    (void)state;
    begin_to_ask(&talk, 15);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_AGAIN);
    assert_int_equal(wr_sock_peek(talk.fd), WR_IO_AGAIN); /* all are taken */
    sem_post(&talk.go);
    talk_end(&talk);
    begin_to_ask(&talk, 40);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_ERROR);
    assert_int_equal(errno, EPROTO);
    check_error(&talk, "too many records without data");
    sem_post(&talk.go);
    talk_end(&talk);
}

/* What has come so far; recv() gives it out before it asks the socket, so that
 * a peer that was slow to send seems a fast one. */
static struct {
    char bytes[1 << 21];
    size_t len;
    size_t at;
} stash;

/* In the place of the library's recv(): the linker's --wrap. */
ssize_t __real_recv(int fd, void *buf, size_t cap, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t cap, int flags);

ssize_t __wrap_recv(int fd, void *buf, size_t cap, int flags)
{
    const size_t left = stash.len - stash.at;
    const size_t len = left < cap ? left : cap;

    if (left == 0)
        return __real_recv(fd, buf, cap, flags);
    memcpy(buf, stash.bytes + stash.at, len);
    stash.at += len;
    return (ssize_t)len;
}

static void fill_stash(int fd)
{
    ssize_t got;

    while ((got = __real_recv(fd, stash.bytes + stash.len,
                              sizeof stash.bytes - stash.len, MSG_DONTWAIT)) >
           0)
        stash.len += (size_t)got;
}

/* A call takes so many bursts, and no more. */
static void a_flood_of_hello_requests_ends_a_read(void **state)
{
    struct talk talk;
    char byte;
    size_t len;

    (void)state;
    talk_begin(&talk, ask_often, TLS1_2_VERSION);
    talk.total = HELLO_REQUESTS;
    sem_post(&talk.go);
    while (sem_trywait(&talk.did) != 0)
        fill_stash(talk.fd);
    fill_stash(talk.fd);
    assert_int_equal(wr_tls_read(talk.stream, &byte, 1, true, &len),
                     WR_IO_ERROR);
    assert_int_equal(errno, EPROTO);
    check_error(&talk, "too many records without data");
    assert_true(stash.at < stash.len);
    stash.len = stash.at = 0;
    sem_post(&talk.go);
    talk_end(&talk);
}

static void say_hello_and_wait(SSL *ssl, void *user)
{
    say_hello(ssl, user);
    wait_for_go(ssl, user);
}

/* rule 2.13 */
static void peek_tells_of_bytes_and_takes_none(void **state)
{
    struct talk talk;

    (void)state;
    talk_begin(&talk, say_hello_and_wait, 0);
    sem_wait(&talk.did);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_OK);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_OK);
    check_text(&talk, "hello");
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_AGAIN);
    sem_post(&talk.go);
    talk_end(&talk);
}

static void say_good_bye(SSL *ssl, void *user)
{
    (void)user;
    SSL_shutdown(ssl);
}

static void peek_tells_of_a_close(void **state)
{
    struct talk talk;

    (void)state;
    talk_begin(&talk, say_good_bye, 0);
    talk_join(&talk);
    assert_int_equal(wr_tls_peek(talk.stream), WR_IO_EOF);
    talk_end(&talk);
}

static void peek_tells_of_a_cut(void **state)
{
    struct talk talk;

    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        talk_begin(&talk, NULL, version);
        talk_join(&talk);
        assert_int_equal(wr_tls_peek(talk.stream), WR_IO_ERROR);
        assert_int_equal(errno, ECONNRESET);
        assert_true(wr_tls_was_cut(talk.stream));
        talk_end(&talk);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_notify_is_eof),
        cmocka_unit_test(an_end_without_close_notify_is_a_cut),
        cmocka_unit_test(a_reset_is_no_cut),
        cmocka_unit_test(reading_ends_with_the_read_limit),
        cmocka_unit_test(a_part_of_a_record_says_again),
        cmocka_unit_test(what_was_read_ahead_is_pending),
        cmocka_unit_test(tickets_do_not_disturb_an_idle_connection),
        cmocka_unit_test(a_key_update_does_not_disturb_an_idle_connection),
        cmocka_unit_test(a_flood_of_key_updates_is_an_error),
        cmocka_unit_test(a_hello_request_is_declined),
        cmocka_unit_test(a_flood_of_hello_requests_is_an_error),
        cmocka_unit_test(a_flood_of_hello_requests_ends_a_read),
        cmocka_unit_test(peek_tells_of_bytes_and_takes_none),
        cmocka_unit_test(peek_tells_of_a_close),
        cmocka_unit_test(peek_tells_of_a_cut),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
