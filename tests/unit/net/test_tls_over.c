/* TLS in TLS: a stream through another one, as through an https proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "talk.h"

enum {
    MUCH = 1 << 20
};

/* How the far side ends. */
enum farewell {
    NO_WORD,    /* neither stream has close_notify */
    ABOVE_ONLY, /* the inner one has */
    BELOW_ONLY, /* the outer one has */
    BOTH,
};

/* One talk within another: `talk.stream` is the inner one. */
struct nested {
    struct talk talk; /* must be first: the scripts' user */
    tls_peer_fn *script;
    enum farewell farewell;
    bool saw_notify_above;
    bool saw_notify_below;
};

/* Runs the script over a second server within the first. */
static void accept_inner(SSL *outer, void *user)
{
    struct nested *nested = user;
    SSL *inner = SSL_new(SSL_get_SSL_CTX(outer));
    BIO *bio = BIO_new(BIO_f_ssl());

    BIO_set_ssl(bio, outer, BIO_NOCLOSE);
    SSL_set_bio(inner, bio, bio);
    if (SSL_accept(inner) == 1)
        nested->script(inner, nested);
    if (nested->farewell == ABOVE_ONLY || nested->farewell == BOTH)
        SSL_shutdown(inner);
    if (nested->farewell == BELOW_ONLY || nested->farewell == BOTH)
        SSL_shutdown(outer);
    SSL_set_shutdown(inner, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(inner);
}

static void begin(struct nested *nested, tls_peer_fn *script, int version)
{
    struct talk *talk = &nested->talk;
    struct wr_tls_stream *inner;
    struct wr_waits waits;
    enum wr_step step;
    weir_error err;

    nested->script = script;
    nested->saw_notify_above = nested->saw_notify_below = false;
    talk_begin(talk, accept_inner, version);
    inner =
        wr_tls_stream_new_over(talk->context, NULL, (struct wr_slice){NULL, 0},
                               "localhost", talk->stream, &err);
    assert_non_null(inner);
    talk->stream = inner;
    while ((step = wr_tls_handshake(inner, &waits, &err)) == WR_STEP_WAIT) {
        assert_int_equal(waits.fds[0].fd, talk->fd);
        assert_int_equal(poll(waits.fds, waits.count, 10000), 1);
    }
    assert_int_equal(step, WR_STEP_DONE);
    assert_string_equal(wr_tls_alpn(inner), "");
}

static void say_hello(SSL *ssl, void *user)
{
    (void)user;
    put(ssl, "hello");
}

static void check_end(int version, enum farewell farewell, enum wr_io wanted)
{
    struct nested nested = {.farewell = farewell};
    char buf[8];
    size_t len;

    begin(&nested, say_hello, version);
    check_text(&nested.talk, "hello");
    assert_int_equal(read_some(&nested.talk, buf, sizeof buf, &len), wanted);
    assert_int_equal(wr_tls_was_cut(nested.talk.stream), wanted == WR_IO_ERROR);
    assert_false(wr_tls_has_failed(nested.talk.stream));
    if (wanted == WR_IO_ERROR)
        assert_int_equal(errno, ECONNRESET);
    /* and it stays so */
    assert_int_equal(read_some(&nested.talk, buf, sizeof buf, &len), wanted);
    talk_end(&nested.talk);
}

/* The inner close_notify alone says that all has come (rule 2.6). */
static void only_the_inner_close_notify_counts(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        check_end(versions[i], BOTH, WR_IO_EOF);
        check_end(versions[i], ABOVE_ONLY, WR_IO_EOF);
        check_end(versions[i], BELOW_ONLY, WR_IO_ERROR);
        check_end(versions[i], NO_WORD, WR_IO_ERROR);
    }
}

static void check_peek(enum farewell farewell, enum wr_io wanted)
{
    struct nested nested = {.farewell = farewell};
    size_t len;
    char byte;

    begin(&nested, wait_for_go, 0);
    sem_wait(&nested.talk.did);
    assert_int_equal(wr_tls_peek(nested.talk.stream), WR_IO_AGAIN);
    wr_tls_rest(nested.talk.stream);
    assert_int_equal(wr_tls_peek(nested.talk.stream), WR_IO_AGAIN);
    assert_int_equal(wr_tls_read(nested.talk.stream, &byte, 1, true, &len),
                     WR_IO_AGAIN);
    sem_post(&nested.talk.go);
    talk_join(&nested.talk);
    assert_int_equal(wr_tls_peek(nested.talk.stream), wanted);
    assert_int_equal(wr_tls_was_cut(nested.talk.stream), wanted == WR_IO_ERROR);
    talk_end(&nested.talk);
}

static void a_peek_sees_quiet_and_every_kind_of_end(void **state)
{
    (void)state;
    check_peek(BOTH, WR_IO_EOF);
    check_peek(ABOVE_ONLY, WR_IO_EOF);
    check_peek(BELOW_ONLY, WR_IO_ERROR);
    check_peek(NO_WORD, WR_IO_ERROR);
}

static void bytes_that_wait_are_seen_and_not_taken(void **state)
{
    struct nested nested = {.farewell = ABOVE_ONLY};
    struct wr_tls_stream *stream;
    size_t len;
    char byte;

    (void)state;
    begin(&nested, say_hello, 0);
    stream = nested.talk.stream;
    talk_join(&nested.talk);
    wr_tls_has_news(stream);
    assert_false(wr_tls_is_drained(stream));
    assert_int_equal(wr_tls_peek(stream), WR_IO_OK);
    assert_int_equal(wr_tls_read(stream, &byte, 1, true, &len), WR_IO_OK);
    assert_int_equal(byte, 'h');
    assert_true(wr_tls_has_pending(stream));
    assert_false(wr_tls_is_drained(stream));
    wr_tls_rest(stream); /* keeps what waits inside */
    check_text(&nested.talk, "ello");
    assert_int_equal(wr_tls_read(stream, &byte, 1, true, &len), WR_IO_EOF);
    assert_true(wr_tls_is_drained(stream));
    talk_end(&nested.talk);
}

/* Reads until told to go on, so that the sockets between fill up. */
static void swallow(SSL *ssl, void *user)
{
    struct nested *nested = user;
    char buf[5000];
    int got;

    sem_wait(&nested->talk.go);
    nested->talk.is_equal = true;
    while (nested->talk.total < MUCH &&
           (got = SSL_read(ssl, buf, sizeof buf)) > 0) {
        for (int i = 0; i < got; i++) {
            if (buf[i] != (char)('a' + nested->talk.total++ % 26))
                nested->talk.is_equal = false;
        }
    }
    put(ssl, "taken");
}

static void a_full_socket_stops_writing_and_loses_nothing(void **state)
{
    static char much[MUCH];
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (size_t i = 0; i < sizeof much; i++)
        much[i] = (char)('a' + i % 26);
    for (unsigned i = 0; i < 2; i++) {
        struct nested nested = {.farewell = BOTH};
        bool was_full = false;
        size_t used = 0;

        begin(&nested, swallow, versions[i]);
        setsockopt(nested.talk.fd, SOL_SOCKET, SO_SNDBUF, &(int){4096},
                   sizeof(int));
        while (used < sizeof much) {
            struct pollfd wait = {nested.talk.fd, POLLOUT, 0};
            const struct iovec iov[] = {
                {much + used, (sizeof much - used) / 2},
                {much + used + (sizeof much - used) / 2,
                 sizeof much - used - (sizeof much - used) / 2}};
            size_t len = 0;

            switch (wr_tls_writev(nested.talk.stream, iov, 2, &len)) {
            case WR_IO_OK:
                used += len;
                break;
            case WR_IO_AGAIN:
                if (!was_full)
                    sem_post(&nested.talk.go);
                was_full = true;
                assert_int_equal(poll(&wait, 1, 10000), 1);
                break;
            default:
                fail();
            }
        }
        if (!was_full)
            sem_post(&nested.talk.go);
        check_text(&nested.talk, "taken");
        assert_true(was_full);
        talk_join(&nested.talk);
        assert_true(nested.talk.is_equal);
        assert_int_equal(nested.talk.total, sizeof much);
        talk_end(&nested.talk);
    }
}

/* Until the peer ends: how, for both streams. */
static void watch_the_end(SSL *ssl, void *user)
{
    struct nested *nested = user;
    SSL *outer = NULL;
    char byte;
    int result;

    BIO_get_ssl(SSL_get_rbio(ssl), &outer);
    result = SSL_read(ssl, &byte, 1);
    nested->saw_notify_above =
        SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN;
    result = SSL_read(outer, &byte, 1);
    nested->saw_notify_below =
        SSL_get_error(outer, result) == SSL_ERROR_ZERO_RETURN;
    ERR_clear_error();
}

static void check_close(bool silent)
{
    struct nested nested = {.farewell = NO_WORD};

    begin(&nested, watch_the_end, 0);
    wr_tls_stream_free(nested.talk.stream, silent);
    nested.talk.stream = NULL;
    shutdown(nested.talk.fd, SHUT_WR);
    talk_join(&nested.talk);
    assert_int_equal(nested.saw_notify_above, !silent);
    assert_int_equal(nested.saw_notify_below, !silent);
    talk_end(&nested.talk);
}

static void a_close_notifies_both_and_a_silent_one_neither(void **state)
{
    (void)state;
    check_close(false);
    check_close(true);
}

static void a_failed_creation_leaves_the_lower_one_alone(void **state)
{
    struct talk talk;
    weir_error err;

    (void)state;
    talk_begin(&talk, say_hello, 0);
    assert_null(wr_tls_stream_new_over(
        talk.context, NULL, (struct wr_slice){NULL, 0}, "", talk.stream, &err));
    assert_int_equal(err.code, WEIR_E_TLS);
    check_text(&talk, "hello");
    talk_end(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_inner_close_notify_counts),
        cmocka_unit_test(a_peek_sees_quiet_and_every_kind_of_end),
        cmocka_unit_test(bytes_that_wait_are_seen_and_not_taken),
        cmocka_unit_test(a_full_socket_stops_writing_and_loses_nothing),
        cmocka_unit_test(a_close_notifies_both_and_a_silent_one_neither),
        cmocka_unit_test(a_failed_creation_leaves_the_lower_one_alone),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
