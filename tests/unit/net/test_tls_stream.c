/* TLS streams after their handshake: reading, writing, watching, ending. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certs.h"
#include "net/tls.h"
#include "tls_peer.h"

static char *folder;

static int make_certs(void **state)
{
    (void)state;
    folder = certs_new();
    return folder ? 0 : -1;
}

static int remove_certs(void **state)
{
    (void)state;
    certs_done(folder);
    return 0;
}

/* A client in this thread, a server's script in another.  The script waits for
 * `go` and posts `did` where the test needs to know. */
struct talk {
    struct wr_tls_context *context;
    struct wr_tls_stream *stream;
    int fd;
    struct tls_peer *peer;
    struct tls_talk *far;
    sem_t go;
    sem_t did;
    size_t total;  /* bytes that the far side has read */
    bool is_equal; /* and they were what was sent */
};

static void talk_begin(struct talk *talk, tls_peer_fn *script, int version)
{
    const struct tls_peer_options server = {.folder = folder,
                                            .max_version = version};
    struct wr_waits waits;
    enum wr_step step;
    weir_error err;

    memset(talk, 0, sizeof *talk);
    sem_init(&talk->go, 0, 0);
    sem_init(&talk->did, 0, 0);
    assert_int_equal(wr_tls_context_new(&(struct wr_tls_options){false},
                                        &talk->context, &err),
                     WEIR_OK);
    talk->peer = tls_peer_new(&server);
    talk->far = tls_peer_connect(talk->peer, script, talk, &talk->fd);
    talk->stream =
        wr_tls_stream_new(talk->context, NULL, (struct wr_slice){NULL, 0},
                          "localhost", talk->fd, &err);
    assert_non_null(talk->stream);
    while ((step = wr_tls_handshake(talk->stream, &waits, &err)) ==
           WR_STEP_WAIT)
        assert_int_equal(poll(waits.fds, waits.count, 10000), 1);
    assert_int_equal(step, WR_STEP_DONE);
}

/* The far side has run to its end; its bytes and its close are here. */
static void talk_join(struct talk *talk)
{
    assert_true(tls_talk_join(talk->far));
    talk->far = NULL;
}

static void talk_end(struct talk *talk)
{
    wr_tls_stream_free(talk->stream, false);
    close(talk->fd);
    if (talk->far)
        tls_talk_join(talk->far);
    tls_peer_free(talk->peer);
    wr_tls_context_free(talk->context);
    sem_destroy(&talk->go);
    sem_destroy(&talk->did);
    assert_int_equal(ERR_peek_error(), 0);
}

static void put(SSL *ssl, const char *text)
{
    SSL_write(ssl, text, (int)strlen(text));
}

/* Reads until something other than AGAIN comes, as a driver would. */
static enum wr_io read_some(struct talk *talk, char *buf, size_t cap,
                            size_t *ret_len)
{
    enum wr_io io;

    do {
        io = wr_tls_read(talk->stream, buf, cap, false, ret_len);
        assert_int_equal(ERR_peek_error(), 0);
    } while (io == WR_IO_AGAIN);
    return io;
}

static void check_text(struct talk *talk, const char *expected)
{
    char buf[256];
    size_t used = 0;

    while (used < strlen(expected)) {
        size_t len = 0;

        assert_int_equal(read_some(talk, buf + used, sizeof buf - used, &len),
                         WR_IO_OK);
        used += len;
    }
    assert_int_equal(used, strlen(expected));
    assert_memory_equal(buf, expected, used);
}

static void say_hello_and_good_bye(SSL *ssl, void *user)
{
    (void)user;
    put(ssl, "hello");
    SSL_shutdown(ssl);
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
    assert_string_equal(wr_tls_error_text(talk.stream), "");
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
    assert_string_equal(wr_tls_error_text(talk.stream),
                        "connection ended without close_notify");
    /* and it stays so */
    assert_int_equal(read_some(&talk, buf, sizeof buf, &len), WR_IO_ERROR);
    talk_end(&talk);
}

static void reset_socket(SSL *ssl, void *user)
{
    const struct linger linger = {1, 0};
    struct talk *talk = user;

    sem_wait(&talk->go);
    setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
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
    assert_string_equal(wr_tls_error_text(talk.stream),
                        "connection reset by peer");
    talk_end(&talk);
}

static void wait_for_go(SSL *ssl, void *user)
{
    struct talk *talk = user;

    (void)ssl;
    sem_post(&talk->did);
    sem_wait(&talk->go);
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
    assert_string_equal(wr_tls_error_text(talk.stream),
                        "too many records without data");
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
        cmocka_unit_test(close_notify_is_eof),
        cmocka_unit_test(an_end_without_close_notify_is_a_cut),
        cmocka_unit_test(a_reset_is_no_cut),
        cmocka_unit_test(reading_ends_with_the_read_limit),
        cmocka_unit_test(a_part_of_a_record_says_again),
        cmocka_unit_test(what_was_read_ahead_is_pending),
        cmocka_unit_test(tickets_do_not_disturb_an_idle_connection),
        cmocka_unit_test(a_key_update_does_not_disturb_an_idle_connection),
        cmocka_unit_test(a_flood_of_key_updates_is_an_error),
        cmocka_unit_test(peek_tells_of_bytes_and_takes_none),
        cmocka_unit_test(peek_tells_of_a_close),
        cmocka_unit_test(peek_tells_of_a_cut),
        cmocka_unit_test(a_vector_goes_out_as_one_stream),
        cmocka_unit_test(more_than_the_socket_holds_is_written_in_parts),
        cmocka_unit_test(small_pieces_share_a_record),
        cmocka_unit_test(nothing_to_write_is_no_record),
        cmocka_unit_test(a_dead_peer_raises_no_sigpipe),
        cmocka_unit_test(a_silent_end_sends_nothing),
    };

    return cmocka_run_group_tests(tests, make_certs, remove_certs);
}
