/* TLS handshakes: who is believed, and what is said of who is not (rule 7). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weir/memory.h>

#include "certs_once.h"
#include "net/tls.h"
#include "tls_peer.h"

static struct wr_tls_context *context_of(const struct wr_tls_options *options)
{
    struct wr_tls_context *context;
    weir_error err;

    if (wr_tls_context_new(options, &context, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    return context;
}

static enum wr_step shake_hands(struct wr_tls_stream *stream, weir_error *err)
{
    struct wr_waits waits;
    enum wr_step step;

    while ((step = wr_tls_handshake(stream, &waits, err)) == WR_STEP_WAIT) {
        assert_int_equal(waits.count, 1);
        assert_true(poll(waits.fds, 1, 10000) == 1);
    }
    assert_int_equal(ERR_peek_error(), 0);
    return step;
}

/* One handshake of a client with `options` and a server. */
struct meeting {
    struct wr_tls_options client;
    struct tls_peer_options server;
    const char *host;
    /* what came of it: */
    enum wr_step step;
    weir_error err;
    bool is_accepted; /* the server's view */
    char text[64];
    char alpn[16];
    char sni[64]; /* what the server was asked for, "" = nothing */
};

static void note_name(SSL *ssl, void *user)
{
    struct meeting *meeting = user;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    snprintf(meeting->sni, sizeof meeting->sni, "%s", name ? name : "");
}

static void meet(struct meeting *meeting)
{
    struct wr_tls_context *context = context_of(&meeting->client);
    struct tls_peer *peer;
    struct wr_tls_stream *stream;
    struct tls_talk *talk;
    int fd;

    meeting->server.folder = certs;
    peer = tls_peer_new(&meeting->server);
    assert_non_null(peer);
    talk = tls_peer_connect(peer, note_name, meeting, &fd);
    memset(&meeting->err, 0, sizeof meeting->err);
    stream = wr_tls_stream_new(context, NULL, (struct wr_slice){NULL, 0},
                               meeting->host, fd, &meeting->err);
    assert_non_null(stream);
    meeting->step = shake_hands(stream, &meeting->err);
    if (meeting->step == WR_STEP_DONE) {
        wr_tls_text(stream, meeting->text, sizeof meeting->text);
        snprintf(meeting->alpn, sizeof meeting->alpn, "%s",
                 wr_tls_alpn(stream));
        assert_false(wr_tls_is_resumed(stream));
    }
    shutdown(fd, SHUT_WR); /* a server that waits for more gives up */
    wr_tls_stream_free(stream, false);
    close(fd);
    meeting->is_accepted = tls_talk_join(talk);
    tls_peer_free(peer);
    wr_tls_context_free(context);
}

static void check_believed(const char *cert, const char *host)
{
    struct meeting meeting = {
        .client = {.verify = true, .ca_file = cert_file("ca.pem")},
        .server = {.cert = cert},
        .host = host};

    meet(&meeting);
    if (meeting.step != WR_STEP_DONE)
        fail_msg("%s", meeting.err.message);
    assert_true(meeting.is_accepted);
}

static void check_refused(const char *cert, const char *host, int code,
                          const char *begins)
{
    struct meeting meeting = {
        .client = {.verify = true, .ca_file = cert_file("ca.pem")},
        .server = {.cert = cert},
        .host = host};

    meet(&meeting);
    assert_int_equal(meeting.step, WR_STEP_ERROR);
    assert_int_equal(meeting.err.code, WEIR_E_TLS_VERIFY);
    assert_int_equal(meeting.err.error_class, WEIR_CLASS_TLS);
    assert_int_equal(meeting.err.tls_code, code);
    if (begins)
        assert_memory_equal(meeting.err.message, begins, strlen(begins));
    assert_false(meeting.is_accepted);
}

static void a_name_that_the_certificate_has_is_believed(void **state)
{
    (void)state;
    check_believed("server", "localhost");
    check_believed("server", "LOCALHOST");
    check_believed("server", "example.test");
    check_believed("server", "example.test."); /* the root's dot */
}

static void a_wildcard_stands_for_one_whole_label(void **state)
{
    (void)state;
    check_believed("server", "a.wild.test");
    check_refused("server", "a.b.wild.test", X509_V_ERR_HOSTNAME_MISMATCH,
                  NULL);
    check_refused("server", "wild.test", X509_V_ERR_HOSTNAME_MISMATCH, NULL);
    check_refused("partial", "localhost", X509_V_ERR_HOSTNAME_MISMATCH, NULL);
}

static void an_address_is_checked_against_ip_sans_alone(void **state)
{
    (void)state;
    check_believed("server", "127.0.0.1");
    check_believed("server", "::1");
    check_refused("server", "127.0.0.2", X509_V_ERR_IP_ADDRESS_MISMATCH, NULL);
    check_refused("server", "::2", X509_V_ERR_IP_ADDRESS_MISMATCH, NULL);
    check_refused("wrong-name", "127.0.0.1", X509_V_ERR_IP_ADDRESS_MISMATCH,
                  NULL);
}

static void a_wrong_name_is_refused(void **state)
{
    (void)state;
    check_refused("wrong-name", "localhost", X509_V_ERR_HOSTNAME_MISMATCH,
                  "TLS with localhost: hostname mismatch (the certificate is "
                  "for other.test)");
}

static void the_common_name_does_not_count(void **state)
{
    (void)state;
    check_refused("cn-only", "localhost", X509_V_ERR_HOSTNAME_MISMATCH, NULL);
}

static void a_certificate_out_of_its_time_is_refused(void **state)
{
    (void)state;
    check_refused("expired", "example.test", X509_V_ERR_CERT_HAS_EXPIRED,
                  "TLS with example.test: certificate has expired (it ended "
                  "on 20");
    check_refused("future", "localhost", X509_V_ERR_CERT_NOT_YET_VALID, NULL);
}

static void a_certificate_of_nobody_is_refused(void **state)
{
    (void)state;
    check_refused("self-signed", "localhost",
                  X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, NULL);
    check_refused("other-client", "localhost",
                  X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NULL);
}

static void a_certificate_for_clients_is_no_servers(void **state)
{
    (void)state;
    check_refused("client", "localhost", X509_V_ERR_INVALID_PURPOSE, NULL);
}

static void cas_may_come_from_a_folder(void **state)
{
    struct meeting meeting = {
        .client = {.verify = true, .ca_path = cert_file("hashed")},
        .host = "localhost"};

    (void)state;
    meet(&meeting);
    assert_int_equal(meeting.step, WR_STEP_DONE);
    meeting.server.cert = "self-signed";
    meet(&meeting);
    assert_int_equal(meeting.err.code, WEIR_E_TLS_VERIFY);
}

static void the_systems_store_does_not_know_our_ca(void **state)
{
    struct meeting meeting = {.client = {.verify = true}, .host = "localhost"};

    (void)state;
    meet(&meeting);
    assert_int_equal(meeting.step, WR_STEP_ERROR);
    assert_int_equal(meeting.err.code, WEIR_E_TLS_VERIFY);
}

static void the_systems_store_is_used(void **state)
{
    struct meeting meeting = {.client = {.verify = true}, .host = "localhost"};

    (void)state;
    setenv("SSL_CERT_FILE", cert_file("ca.pem"), 1);
    meet(&meeting);
    unsetenv("SSL_CERT_FILE");
    assert_int_equal(meeting.step, WR_STEP_DONE);
}

static void without_verification_all_is_believed(void **state)
{
    static const char *const bad[] = {"self-signed", "expired", "wrong-name"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct meeting meeting = {.client = {.verify = false},
                                  .server = {.cert = bad[i]},
                                  .host = "localhost"};

        meet(&meeting);
        assert_int_equal(meeting.step, WR_STEP_DONE);
    }
}

/* RFC 6066 section 3: names only, without the trailing dot */
static void sni_is_sent_for_names_alone(void **state)
{
    struct meeting meeting = {
        .client = {.verify = true, .ca_file = cert_file("ca.pem")},
        .host = "example.test."};

    (void)state;
    meet(&meeting);
    assert_string_equal(meeting.sni, "example.test");
    meeting.host = "127.0.0.1";
    meet(&meeting);
    assert_string_equal(meeting.sni, "");
    meeting.host = "::1";
    meet(&meeting);
    assert_string_equal(meeting.sni, "");
}

static void version_and_cipher_can_be_told(void **state)
{
    struct meeting meeting = {.host = "localhost"};

    (void)state;
    meet(&meeting);
    assert_memory_equal(meeting.text, "TLSv1.3 TLS_", 12);
    meeting.server.max_version = TLS1_2_VERSION;
    meet(&meeting);
    assert_memory_equal(meeting.text, "TLSv1.2 ECDHE-", 14);
}

static void alpn_offers_http_1_1(void **state)
{
    struct meeting meeting = {.host = "localhost"};

    (void)state;
    meet(&meeting);
    assert_string_equal(meeting.alpn, "");
    meeting.server.has_alpn = true;
    meet(&meeting);
    assert_string_equal(meeting.alpn, "http/1.1");
}

static void the_least_version_is_kept(void **state)
{
    struct meeting meeting = {.client = {.min_version = "1.3"},
                              .server = {.max_version = TLS1_2_VERSION},
                              .host = "localhost"};

    (void)state;
    meet(&meeting);
    assert_int_equal(meeting.step, WR_STEP_ERROR);
    assert_int_equal(meeting.err.code, WEIR_E_TLS);
    assert_int_not_equal(meeting.err.tls_code, 0);
    meeting.server.max_version = 0;
    meet(&meeting);
    assert_int_equal(meeting.step, WR_STEP_DONE);
}

static void a_client_certificate_is_given_when_wanted(void **state)
{
    struct meeting meeting = {.client = {.cert_file = cert_file("client.pem"),
                                         .key_file = cert_file("client.key")},
                              .server = {.wants_client = true},
                              .host = "localhost"};

    (void)state;
    meet(&meeting);
    assert_int_equal(meeting.step, WR_STEP_DONE);
    assert_true(meeting.is_accepted);
    meeting.client.cert_file = cert_file("client-chain.pem");
    meeting.client.key_file = NULL; /* in cert_file */
    meet(&meeting);
    assert_true(meeting.is_accepted);
    meeting.client.cert_file = cert_file("other-client.pem");
    meeting.client.key_file = cert_file("other-client.key");
    meet(&meeting);
    assert_false(meeting.is_accepted);
}

static void without_a_client_certificate_tls_1_2_says_so_at_once(void **state)
{
    struct meeting meeting = {
        .server = {.wants_client = true, .max_version = TLS1_2_VERSION},
        .host = "localhost"};

    (void)state;
    meet(&meeting);
    assert_int_equal(meeting.step, WR_STEP_ERROR);
    assert_int_equal(meeting.err.code, WEIR_E_TLS);
    assert_false(meeting.is_accepted);
}

/* In TLS 1.3 the server's refusal comes after the handshake. */
static void without_a_client_certificate_tls_1_3_fails_the_read(void **state)
{
    const struct tls_peer_options server = {.folder = certs,
                                            .wants_client = true};
    struct wr_tls_context *context =
        context_of(&(struct wr_tls_options){.verify = false});
    struct tls_peer *peer = tls_peer_new(&server);
    struct wr_tls_stream *stream;
    struct tls_talk *talk;
    weir_error err;
    char text[WR_TLS_ERROR_TEXT];
    char buf[8];
    size_t len;
    int fd;

    (void)state;
    talk = tls_peer_connect(peer, NULL, NULL, &fd);
    stream = wr_tls_stream_new(context, NULL, (struct wr_slice){NULL, 0},
                               "localhost", fd, &err);
    assert_int_equal(shake_hands(stream, &err), WR_STEP_DONE);
    assert_string_equal(wr_tls_error_text(stream, text, sizeof text), "");
    assert_false(tls_talk_join(talk));
    assert_int_equal(wr_tls_read(stream, buf, sizeof buf, false, &len),
                     WR_IO_ERROR);
    assert_int_equal(errno, EPROTO);
    assert_non_null(strstr(wr_tls_error_text(stream, text, sizeof text),
                           "certificate required"));
    assert_false(wr_tls_was_cut(stream));
    assert_true(wr_tls_has_failed(stream));
    wr_tls_stream_free(stream, false);
    close(fd);
    tls_peer_free(peer);
    wr_tls_context_free(context);
}

/* A client's side of a handshake with whatever the far end says. */
struct odd {
    int fds[2];
    struct wr_tls_context *context;
    struct wr_tls_stream *stream;
    weir_error err;
};

static void odd_begin(struct odd *odd)
{
    struct wr_waits waits;

    memset(odd, 0, sizeof *odd);
    odd->context = context_of(&(struct wr_tls_options){.verify = true});
    assert_int_equal(tcp_pair(odd->fds), 0);
    odd->stream =
        wr_tls_stream_new(odd->context, NULL, (struct wr_slice){NULL, 0},
                          "localhost", odd->fds[0], &odd->err);
    assert_non_null(odd->stream);
    /* Nobody answers: the handshake does not wait, though the socket would. */
    assert_int_equal(wr_tls_handshake(odd->stream, &waits, &odd->err),
                     WR_STEP_WAIT);
    assert_int_equal(waits.count, 1);
    assert_int_equal(waits.fds[0].fd, odd->fds[0]);
    assert_int_equal(waits.fds[0].events, POLLIN);
}

static void odd_end(struct odd *odd)
{
    wr_tls_stream_free(odd->stream, false);
    wr_tls_context_free(odd->context);
    close(odd->fds[0]);
    if (odd->fds[1] >= 0)
        close(odd->fds[1]);
}

static void a_peer_that_closes_in_the_handshake_is_a_reset(void **state)
{
    struct odd odd;

    (void)state;
    odd_begin(&odd);
    shutdown(odd.fds[1], SHUT_WR);
    assert_int_equal(shake_hands(odd.stream, &odd.err), WR_STEP_ERROR);
    assert_int_equal(odd.err.code, WEIR_E_RESET);
    assert_string_equal(
        odd.err.message,
        "TLS with localhost: connection closed during the handshake");
    odd_end(&odd);
}

static void a_peer_that_resets_in_the_handshake_is_a_reset(void **state)
{
    const struct linger linger = {1, 0};
    struct odd odd;

    (void)state;
    odd_begin(&odd);
    setsockopt(odd.fds[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(odd.fds[1]);
    odd.fds[1] = -1;
    assert_int_equal(shake_hands(odd.stream, &odd.err), WR_STEP_ERROR);
    assert_int_equal(odd.err.code, WEIR_E_RESET);
    assert_int_equal(odd.err.system_code, ECONNRESET);
    assert_string_equal(odd.err.message,
                        "TLS with localhost: connection reset by peer");
    odd_end(&odd);
}

static void a_peer_that_speaks_no_tls_is_an_error(void **state)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct odd odd;

    (void)state;
    odd_begin(&odd);
    assert_true(send(odd.fds[1], text, sizeof text, 0) > 0);
    assert_int_equal(shake_hands(odd.stream, &odd.err), WR_STEP_ERROR);
    assert_int_equal(odd.err.code, WEIR_E_TLS);
    assert_string_equal(odd.err.message,
                        "TLS with localhost: wrong version number (what "
                        "answers there speaks no TLS)");
    odd_end(&odd);
}

static void a_host_that_cannot_be_is_refused(void **state)
{
    struct wr_tls_context *context =
        context_of(&(struct wr_tls_options){.verify = false});
    char host[400];
    weir_error err;

    (void)state;
    memset(host, 'a', sizeof host);
    host[399] = '\0';
    assert_null(wr_tls_stream_new(context, NULL, (struct wr_slice){NULL, 0},
                                  host, 0, &err));
    assert_int_equal(err.code, WEIR_E_TLS);
    assert_null(wr_tls_stream_new(context, NULL, (struct wr_slice){NULL, 0}, "",
                                  0, &err));
    assert_null(wr_tls_stream_new(context, NULL, (struct wr_slice){NULL, 0},
                                  ".", 0, &err));
    assert_int_equal(ERR_peek_error(), 0);
    wr_tls_context_free(context);
}

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

static void *no_realloc(void *ptr, size_t size)
{
    (void)ptr;
    (void)size;
    return NULL;
}

static void a_stream_without_memory_is_an_error(void **state)
{
    const weir_allocator failing = {no_malloc, no_realloc, free};
    struct wr_tls_context *context =
        context_of(&(struct wr_tls_options){.verify = false});
    weir_error err;

    (void)state;
    assert_int_equal(weir_set_allocator(&failing), WEIR_OK);
    assert_null(wr_tls_stream_new(context, NULL, (struct wr_slice){NULL, 0},
                                  "localhost", 0, &err));
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
    assert_int_equal(err.code, WEIR_E_NO_MEMORY);
    wr_tls_context_free(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_the_certificate_has_is_believed),
        cmocka_unit_test(a_wildcard_stands_for_one_whole_label),
        cmocka_unit_test(an_address_is_checked_against_ip_sans_alone),
        cmocka_unit_test(a_wrong_name_is_refused),
        cmocka_unit_test(the_common_name_does_not_count),
        cmocka_unit_test(a_certificate_out_of_its_time_is_refused),
        cmocka_unit_test(a_certificate_of_nobody_is_refused),
        cmocka_unit_test(a_certificate_for_clients_is_no_servers),
        cmocka_unit_test(cas_may_come_from_a_folder),
        cmocka_unit_test(the_systems_store_does_not_know_our_ca),
        cmocka_unit_test(the_systems_store_is_used),
        cmocka_unit_test(without_verification_all_is_believed),
        cmocka_unit_test(sni_is_sent_for_names_alone),
        cmocka_unit_test(version_and_cipher_can_be_told),
        cmocka_unit_test(alpn_offers_http_1_1),
        cmocka_unit_test(the_least_version_is_kept),
        cmocka_unit_test(a_client_certificate_is_given_when_wanted),
        cmocka_unit_test(without_a_client_certificate_tls_1_2_says_so_at_once),
        cmocka_unit_test(without_a_client_certificate_tls_1_3_fails_the_read),
        cmocka_unit_test(a_peer_that_closes_in_the_handshake_is_a_reset),
        cmocka_unit_test(a_peer_that_resets_in_the_handshake_is_a_reset),
        cmocka_unit_test(a_peer_that_speaks_no_tls_is_an_error),
        cmocka_unit_test(a_host_that_cannot_be_is_refused),
        cmocka_unit_test(a_stream_without_memory_is_an_error),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
