/* A stream never leaves anything in OpenSSL's error queue of the thread, and
 * every call begins by saying to its socket whether it may wait. */
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/addr.h"
#include "net/tls_inner.h"

enum {
    /* Records without data that are worked off in one peek, and bursts of them
     * in one read. */
    IDLE_RECORDS_MAX = 16,
    /* What one record can hold (RFC 8446 section 5.1). */
    RECORD_BYTES = 16 * 1024,
    HOST_MAX = 255,
    /* How long a read may wait for room to answer a KeyUpdate. */
    ANSWER_WAIT_MS = 100,
};

struct wr_tls_stream {
    SSL *ssl; /* owned */
    struct wr_tls_socket socket;
    struct wr_tls_sessions *sessions; /* borrowed */
    bool verify;
    bool is_connected; /* the handshake is done */
    bool is_broken;    /* no close_notify can be sent any more */
    bool was_cut;
    bool is_resting;  /* wr_tls_rest, and neither read nor written since */
    int records;      /* seen by the peek under way */
    int error;        /* errno of the last failure; 0 = none */
    uint32_t key_len; /* of the pool key, behind the host */
    unsigned long error_code; /* OpenSSL's, 0 = none */
    const char *error_text;   /* static; NULL = error_code or error says it */
    const char *alpn;         /* static */
    char host[];              /* as given, for messages; terminated */
};

static struct wr_slice get_key(const struct wr_tls_stream *stream)
{
    return (struct wr_slice){stream->host + strlen(stream->host) + 1,
                             stream->key_len};
}

static void begin_call(struct wr_tls_stream *stream, bool dont_wait)
{
    stream->socket.dont_wait = dont_wait;
    stream->socket.is_spent = false;
    stream->socket.is_dry = false;
    wr_tls_clear_errors();
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

static enum wr_step verify_failed(struct wr_tls_stream *stream, long result,
                                  weir_error *err)
{
    wr_error_set(err, WEIR_E_TLS_VERIFY, "TLS with %s: %s", stream->host,
                 X509_verify_cert_error_string(result));
    if (err)
        err->tls_code = (unsigned long)result;
    return WR_STEP_ERROR;
}

static bool is_unexpected_end(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
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
        (result == SSL_ERROR_SYSCALL || is_unexpected_end(code))) {
        wr_error_set(err, WEIR_E_RESET,
                     "TLS with %s: connection closed during the handshake",
                     stream->host);
        return WR_STEP_ERROR;
    }
    if (stream->verify && verified != X509_V_OK)
        return verify_failed(stream, verified, err);
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        wr_error_no_memory(err);
        return WR_STEP_ERROR;
    }
    wr_error_set(err, WEIR_E_TLS, "TLS with %s: %s", stream->host, text);
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

    begin_call(stream, true);
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

bool wr_tls_is_resumed(const struct wr_tls_stream *stream)
{
    return SSL_session_reused(stream->ssl) == 1;
}

void wr_tls_names(const struct wr_tls_stream *stream, const char **ret_version,
                  const char **ret_cipher)
{
    *ret_version = stream->is_connected ? SSL_get_version(stream->ssl) : "";
    *ret_cipher = stream->is_connected ? SSL_get_cipher_name(stream->ssl) : "";
}

const char *wr_tls_text(const struct wr_tls_stream *stream, char *buf,
                        size_t cap)
{
    const char *version;
    const char *cipher;

    wr_tls_names(stream, &version, &cipher);
    snprintf(buf, cap, "%s%s%s", version, *version ? " " : "", cipher);
    return buf;
}

const char *wr_tls_alpn(const struct wr_tls_stream *stream)
{
    return stream->alpn;
}

static enum wr_io note(struct wr_tls_stream *stream, int error,
                       unsigned long code, const char *text)
{
    stream->error = error;
    stream->error_code = code;
    stream->error_text = text;
    errno = error;
    return WR_IO_ERROR;
}

static enum wr_io note_cut(struct wr_tls_stream *stream)
{
    stream->was_cut = true;
    return note(stream, ECONNRESET, 0, "connection ended without close_notify");
}

static enum wr_io fail(struct wr_tls_stream *stream, int error,
                       unsigned long code, const char *text)
{
    stream->is_broken = true;
    return note(stream, error, code, text);
}

/* What a call that moved nothing means; `code` is SSL_get_error's. */
static enum wr_io settle(struct wr_tls_stream *stream, int code)
{
    const struct wr_tls_socket *sock = &stream->socket;
    unsigned long queued;

    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
        return WR_IO_AGAIN;
    if (code == SSL_ERROR_ZERO_RETURN)
        return WR_IO_EOF;
    queued = ERR_peek_error();
    wr_tls_clear_errors();
    if (is_unexpected_end(queued) || (!queued && sock->is_ended)) {
        stream->is_broken = true;
        return note_cut(stream);
    }
    if (queued)
        return fail(stream, EPROTO, queued, NULL);
    if (sock->error)
        return fail(stream, sock->error, 0, NULL);
    return fail(stream, stream->error ? stream->error : EPROTO, 0,
                "connection has failed before");
}

static enum wr_io fail_flood(struct wr_tls_stream *stream)
{
    return fail(stream, EPROTO, 0, "too many records without data");
}

/* Reads or peeks.  Records without data (tickets, KeyUpdates) are worked off
 * on the way, as long as the peer does not make a flood of them; OpenSSL takes
 * all that one receive has brought before it comes back. */
static enum wr_io take(struct wr_tls_stream *stream, void *buf, size_t cap,
                       bool peek, size_t *ret_len)
{
    for (int bursts = 0; bursts <= IDLE_RECORDS_MAX; bursts++) {
        const int result = peek ? SSL_peek_ex(stream->ssl, buf, cap, ret_len)
                                : SSL_read_ex(stream->ssl, buf, cap, ret_len);
        int code;

        if (result == 1)
            return WR_IO_OK;
        code = SSL_get_error(stream->ssl, result);
        if (code == SSL_ERROR_WANT_WRITE && !stream->socket.dont_wait) {
            /* A KeyUpdate must be answered and the socket is full. */
            struct pollfd wait = {stream->socket.fd, POLLOUT, 0};

            poll(&wait, 1, ANSWER_WAIT_MS);
        }
        if (peek && stream->records > IDLE_RECORDS_MAX)
            return fail_flood(stream);
        if (code != SSL_ERROR_WANT_READ || stream->socket.is_dry)
            return settle(stream, code);
    }
    return fail_flood(stream);
}

enum wr_io wr_tls_read(struct wr_tls_stream *stream, void *buf, size_t cap,
                       bool dont_wait, size_t *ret_len)
{
    begin_call(stream, dont_wait);
    stream->is_resting = false;
    return take(stream, buf, cap, false, ret_len);
}

/* OpenSSL tells of every record's header. */
static void count_record(int is_write, int version, int type, const void *bytes,
                         size_t len, SSL *ssl, void *user)
{
    struct wr_tls_stream *stream = user;

    (void)version;
    (void)bytes;
    (void)len;
    (void)ssl;
    if (!is_write && type == SSL3_RT_HEADER)
        stream->records++;
}

/* A record that has been taken apart, but not read, lies in a buffer. */
static void free_buffers(struct wr_tls_stream *stream)
{
    if (!SSL_has_pending(stream->ssl))
        SSL_free_buffers(stream->ssl);
}

/* NOLINTBEGIN(misc-no-recursion): a stream lies over at most one other */

static enum wr_io peek_below(const struct wr_tls_stream *stream)
{
    struct wr_tls_stream *under = stream->socket.under;
    enum wr_io io;

    if (!under)
        return wr_sock_peek(stream->socket.fd);
    io = wr_tls_peek(under);
    return io == WR_IO_ERROR && under->was_cut ? WR_IO_EOF : io;
}

enum wr_io wr_tls_peek(struct wr_tls_stream *stream)
{
    enum wr_io io;
    size_t len;
    char byte;

    if (!SSL_has_pending(stream->ssl)) {
        io = peek_below(stream);
        if (io == WR_IO_AGAIN)
            return io;
        /* OpenSSL is not told of a bare end: it would call the session not
         * resumable, which RFC 5246 section 7.2.1 no longer asks for. */
        if (io == WR_IO_EOF)
            return note_cut(stream);
    }
    begin_call(stream, true);
    stream->records = 0;
    SSL_set_msg_callback(stream->ssl, count_record);
    SSL_set_msg_callback_arg(stream->ssl, stream);
    io = take(stream, &byte, 1, true, &len);
    SSL_set_msg_callback(stream->ssl, NULL);
    if (stream->is_resting)
        wr_tls_rest(stream); /* a ticket has come, and is read */
    return io;
}

/* The bytes of the next write: the first piece where it lies if it is alone or
 * fills a record, else as many pieces as fill one, copied to `space`.  Depends
 * on the bytes offered alone, so that a repeated offer is the same write. */
static struct wr_slice gather(const struct iovec *iov, int count, char *space)
{
    size_t len = 0;
    int i = 0;

    while (i < count && iov[i].iov_len == 0)
        i++;
    if (i == count)
        return (struct wr_slice){"", 0};
    if (i + 1 == count || iov[i].iov_len >= RECORD_BYTES)
        return (struct wr_slice){iov[i].iov_base, iov[i].iov_len};
    for (; i < count && len < RECORD_BYTES; i++) {
        const size_t room = RECORD_BYTES - len;
        const size_t part = iov[i].iov_len < room ? iov[i].iov_len : room;

        if (part)
            memcpy(space + len, iov[i].iov_base, part);
        len += part;
    }
    return (struct wr_slice){space, len};
}

enum wr_io wr_tls_writev(struct wr_tls_stream *stream, const struct iovec *iov,
                         int count, size_t *ret_len)
{
    char space[RECORD_BYTES];
    const struct wr_slice bytes = gather(iov, count, space);
    int result;

    if (bytes.len == 0) {
        *ret_len = 0;
        return WR_IO_OK;
    }
    begin_call(stream, true);
    stream->is_resting = false;
    result = SSL_write_ex(stream->ssl, bytes.data, bytes.len, ret_len);
    if (result == 1)
        return WR_IO_OK;
    return settle(stream, SSL_get_error(stream->ssl, result));
}

bool wr_tls_has_pending(const struct wr_tls_stream *stream)
{
    const struct wr_tls_stream *under = stream->socket.under;

    return SSL_has_pending(stream->ssl) == 1 ||
           (under && wr_tls_has_pending(under));
}

void wr_tls_has_news(struct wr_tls_stream *stream)
{
    stream->socket.is_drained = false;
    if (stream->socket.under)
        wr_tls_has_news(stream->socket.under);
}

/* Only the lowest stream knows the socket. */
bool wr_tls_is_drained(const struct wr_tls_stream *stream)
{
    const struct wr_tls_stream *under = stream->socket.under;

    if (under)
        return wr_tls_is_drained(under) && !SSL_has_pending(stream->ssl);
    return stream->socket.is_drained && !wr_tls_has_pending(stream);
}

bool wr_tls_was_cut(const struct wr_tls_stream *stream)
{
    return stream->was_cut;
}

const char *wr_tls_error_text(const struct wr_tls_stream *stream, char *buf,
                              size_t cap)
{
    const struct wr_tls_stream *under = stream->socket.under;

    if (stream->error_code)
        return wr_tls_describe(stream->error_code, buf, cap);
    if (under && under->error && !stream->error_text)
        return wr_tls_error_text(under, buf, cap);
    if (stream->error && !stream->error_text)
        return wr_system_text(stream->error, buf, cap);
    snprintf(buf, cap, "%s", stream->error_text ? stream->error_text : "");
    return buf;
}

void wr_tls_rest(struct wr_tls_stream *stream)
{
    if (!stream->is_connected)
        return;
    stream->is_resting = true;
    free_buffers(stream);
    if (stream->socket.under)
        wr_tls_rest(stream->socket.under);
}

void wr_tls_stream_free(struct wr_tls_stream *stream, bool silent)
{
    if (!stream)
        return;
    if (stream->ssl) {
        begin_call(stream, true);
        if (stream->is_connected && !stream->is_broken && !silent)
            SSL_shutdown(stream->ssl);
        /* Freed without a shutdown, OpenSSL would call the session of a sound
         * connection not resumable; and it would take the context's lock. */
        if (!stream->is_broken || silent)
            SSL_set_shutdown(stream->ssl,
                             SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(stream->ssl);
        wr_tls_clear_errors();
    }
    wr_tls_stream_free(stream->socket.under, silent);
    wr_free(stream);
}

/* NOLINTEND(misc-no-recursion) */
