/* A stream up to the end of its handshake: whom it asks for, whom it believes,
 * and which sessions it leaves for the next. */
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/addr.h"
#include "net/tls_inner.h"

enum {
    HOST_MAX = 255
};

static struct wr_slice get_key(const struct wr_tls_stream *stream)
{
    return (struct wr_slice){stream->host + strlen(stream->host) + 1,
                             stream->key_len};
}

static void cut_chain(STACK_OF(X509) * chain, int count)
{
    while (chain && sk_X509_num(chain) > count)
        X509_free(sk_X509_pop(chain));
}

/* Once verified, the certificates above the server's own serve nobody: 3 to 6
 * KB each, held by the session, and so by every session made from it, and by
 * the list that verification has built.  A session is seen by other threads
 * only once it is in the cache, and it has been here before: what is cut is
 * ours alone. */
static void drop_chain(SSL *ssl)
{
    cut_chain(SSL_get_peer_cert_chain(ssl), 1);
    cut_chain(SSL_get0_verified_chain(ssl), 0);
}

/* OpenSSL has a session that can be resumed.  Returns 1 to take it over. */
int wr_tls_on_new_session(SSL *ssl, SSL_SESSION *session)
{
    const struct wr_tls_stream *stream = SSL_get_app_data(ssl);

    drop_chain(ssl);
    if (!stream->sessions || !SSL_SESSION_is_resumable(session))
        return 0;
    if (stream->verify && SSL_get_verify_result(ssl) != X509_V_OK)
        return 0;
    return wr_tls_sessions_put(stream->sessions, get_key(stream), session);
}

int wr_tls_on_verify(int is_good, X509_STORE_CTX *store)
{
    const int index = SSL_get_ex_data_X509_STORE_CTX_idx();
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, index);
    struct wr_tls_stream *stream = ssl ? SSL_get_app_data(ssl) : NULL;
    X509 *cert = X509_STORE_CTX_get_current_cert(store);

    if (is_good || !stream || stream->refused || !cert)
        return is_good;
    if (X509_up_ref(cert) == 1)
        stream->refused = cert;
    stream->refused_depth = X509_STORE_CTX_get_error_depth(store);
    return is_good;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's signature */
int wr_tls_on_wanted(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
    struct wr_tls_stream *stream = SSL_get_app_data(ssl);

    (void)cert;
    (void)key;
    stream->lacks_identity = true;
    return 0;
}

/* Name or address that the certificate must have: names with whole-label
 * wildcards, addresses against IP SANs, never the subject (RFC 9110 section
 * 4.3.4, RFC 6125 section 6.4.4). */
static bool set_peer(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    size_t len = strlen(host);
    char name[HOST_MAX + 1];
    struct wr_addr addr;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (wr_addr_parse(&addr, host, 0)) {
        memcpy(&v4, &addr.sa, sizeof v4);
        memcpy(&v6, &addr.sa, sizeof v6);
        if (addr.sa.ss_family == AF_INET)
            return X509_VERIFY_PARAM_set1_ip(
                       param, (const unsigned char *)&v4.sin_addr, 4) == 1;
        return X509_VERIFY_PARAM_set1_ip(
                   param, (const unsigned char *)&v6.sin6_addr, 16) == 1;
    }
    /* RFC 6066 section 3: the name is sent without its trailing dot. */
    if (len && host[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof name)
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return SSL_set_tlsext_host_name(ssl, name) == 1 &&
           X509_VERIFY_PARAM_set1_host(param, name, len) == 1;
}

static bool set_up(struct wr_tls_stream *stream, SSL_CTX *ctx)
{
    SSL_SESSION *session = NULL;
    BIO *bio;

    stream->ssl = SSL_new(ctx);
    bio = stream->ssl ? wr_tls_bio_new(&stream->socket) : NULL;
    if (!bio)
        return false;
    SSL_set_bio(stream->ssl, bio, bio);
    SSL_set_connect_state(stream->ssl);
    if (SSL_set_app_data(stream->ssl, stream) != 1 ||
        !set_peer(stream->ssl, stream->host))
        return false;
    if (stream->sessions)
        session = wr_tls_sessions_take(stream->sessions, get_key(stream));
    if (session) {
        SSL_set_session(stream->ssl, session); /* else a full handshake */
        SSL_SESSION_free(session);
    }
    return true;
}

static struct wr_tls_stream *new_stream(struct wr_tls_context *context,
                                        struct wr_tls_sessions *sessions,
                                        struct wr_slice key, const char *host,
                                        const struct wr_tls_socket *socket,
                                        weir_error *ret_err)
{
    const size_t host_len = strlen(host);
    struct wr_tls_stream *stream;

    if (host_len == 0 || host_len > HOST_MAX) {
        wr_error_set(ret_err, WEIR_E_TLS,
                     "TLS: a host name has 1 to %d bytes, not %zu", HOST_MAX,
                     host_len);
        return NULL;
    }
    if (wr_tls_context_prepare(context, ret_err))
        return NULL;
    stream = wr_calloc(1, sizeof *stream + host_len + 1 + key.len);
    if (!stream) {
        wr_error_no_memory(ret_err);
        return NULL;
    }
    stream->socket = *socket;
    stream->sessions = sessions;
    stream->verify = context->verify;
    memcpy(stream->host, host, host_len + 1);
    stream->key_len = (uint32_t)key.len;
    if (key.len)
        memcpy(stream->host + host_len + 1, key.data, key.len);
    stream->alpn = "";
    if (!set_up(stream, context->ctx)) {
        char text[128];

        wr_error_set(ret_err, WEIR_E_TLS, "TLS with %s: %s", host,
                     wr_tls_take_error(text, sizeof text, NULL));
        stream->socket.under = NULL; /* stays the caller's */
        wr_tls_stream_free(stream, true);
        return NULL;
    }
    wr_tls_clear_errors();
    return stream;
}

struct wr_tls_stream *wr_tls_stream_new(struct wr_tls_context *context,
                                        struct wr_tls_sessions *sessions,
                                        struct wr_slice key, const char *host,
                                        int fd, weir_error *ret_err)
{
    const struct wr_tls_socket socket = {.fd = fd};

    return new_stream(context, sessions, key, host, &socket, ret_err);
}

struct wr_tls_stream *wr_tls_stream_new_over(struct wr_tls_context *context,
                                             struct wr_tls_sessions *sessions,
                                             struct wr_slice key,
                                             const char *host,
                                             struct wr_tls_stream *under,
                                             weir_error *ret_err)
{
    const struct wr_tls_socket socket = {.fd = under->socket.fd,
                                         .under = under};

    return new_stream(context, sessions, key, host, &socket, ret_err);
}

static enum wr_step handshake_failed(struct wr_tls_stream *stream, int result,
                                     weir_error *err)
{
    const long verified = SSL_get_verify_result(stream->ssl);
    unsigned long code;
    char text[128];

    stream->is_broken = true;
    wr_tls_take_error(text, sizeof text, &code);
    if (result == SSL_ERROR_SYSCALL && stream->socket.error) {
        wr_error_system(err, WEIR_E_RESET, stream->socket.error, "TLS with %s",
                        stream->host);
        return WR_STEP_ERROR;
    }
    if (stream->socket.is_ended &&
        (result == SSL_ERROR_SYSCALL || wr_tls_is_unexpected_end(code))) {
        wr_error_set(err, WEIR_E_RESET,
                     "TLS with %s: connection closed during the handshake",
                     stream->host);
        return WR_STEP_ERROR;
    }
    if (stream->verify && verified != X509_V_OK) {
        wr_tls_set_refusal(stream->host, verified, stream->refused,
                           stream->refused_depth, err);
        return WR_STEP_ERROR;
    }
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        wr_error_no_memory(err);
        return WR_STEP_ERROR;
    }
    wr_error_set(err, WEIR_E_TLS, "TLS with %s: %s%s", stream->host, text,
                 wr_tls_hint(stream->ssl, code, stream->lacks_identity));
    if (err)
        err->tls_code = code;
    return WR_STEP_ERROR;
}

/* RFC 7301 section 3.2: a server chooses from what was offered, or nothing. */
static enum wr_step handshake_done(struct wr_tls_stream *stream,
                                   weir_error *err)
{
    static const char offered[] = "http/1.1";
    const unsigned char *name = NULL;
    unsigned len = 0;

    SSL_get0_alpn_selected(stream->ssl, &name, &len);
    if (len) {
        if (len != sizeof offered - 1 || memcmp(name, offered, len) != 0) {
            stream->is_broken = true;
            wr_error_set(err, WEIR_E_TLS,
                         "TLS with %s: the server chose a protocol that was "
                         "not offered",
                         stream->host);
            return WR_STEP_ERROR;
        }
        stream->alpn = offered;
    }
    drop_chain(stream->ssl);
    stream->is_connected = true;
    return WR_STEP_DONE;
}

enum wr_step wr_tls_handshake(struct wr_tls_stream *stream,
                              struct wr_waits *ret_waits, weir_error *ret_err)
{
    enum wr_step step = WR_STEP_WAIT;
    int result, code;

    wr_tls_begin_call(stream, true);
    stream->socket.is_asking = true;
    result = SSL_connect(stream->ssl);
    code = result == 1 ? SSL_ERROR_NONE : SSL_get_error(stream->ssl, result);
    wr_waits_clear(ret_waits);
    if (code == SSL_ERROR_NONE)
        step = handshake_done(stream, ret_err);
    else if (code == SSL_ERROR_WANT_READ)
        wr_waits_add(ret_waits, stream->socket.fd, POLLIN);
    else if (code == SSL_ERROR_WANT_WRITE)
        wr_waits_add(ret_waits, stream->socket.fd, POLLOUT);
    else
        step = handshake_failed(stream, code, ret_err);
    wr_tls_clear_errors();
    return step;
}
