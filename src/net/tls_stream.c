/* A stream after its handshake: reading, writing, peeking, ending.  It never
 * leaves anything in OpenSSL's error queue of the thread, and
 * every call begins by saying to its socket whether it may wait. */
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/tls_inner.h"

enum {
    /* Records without data that are worked off in one peek, and bursts of them
     * in one read. */
    IDLE_RECORDS_MAX = 16,
    /* What one record can hold (RFC 8446 section 5.1). */
    RECORD_BYTES = 16 * 1024,
    /* How long a read may wait for room to answer a KeyUpdate. */
    ANSWER_WAIT_MS = 100,
};

void wr_tls_begin_call(struct wr_tls_stream *stream, bool dont_wait)
{
    stream->socket.dont_wait = dont_wait;
    stream->socket.is_spent = false;
    stream->socket.is_dry = false;
    stream->socket.is_asking = false;
    stream->socket.has_asked = false;
    wr_tls_clear_errors();
}

bool wr_tls_is_unexpected_end(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
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
    if (wr_tls_is_unexpected_end(queued) || (!queued && sock->is_ended)) {
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
    wr_tls_begin_call(stream, dont_wait);
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
    wr_tls_begin_call(stream, true);
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
    wr_tls_begin_call(stream, true);
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

bool wr_tls_has_failed(const struct wr_tls_stream *stream)
{
    const struct wr_tls_stream *under = stream->socket.under;

    if (stream->was_cut)
        return false;
    if (stream->error_code || stream->error_text)
        return true;
    return under && under->error && wr_tls_has_failed(under);
}

const char *wr_tls_error_text(const struct wr_tls_stream *stream, char *buf,
                              size_t cap)
{
    const struct wr_tls_stream *under = stream->socket.under;

    if (stream->error_code) {
        char text[WR_TLS_ERROR_TEXT];

        wr_tls_describe(stream->error_code, text, sizeof text);
        snprintf(buf, cap, "%s%s", text,
                 wr_tls_hint(stream->ssl, stream->error_code,
                             stream->lacks_identity));
        return buf;
    }
    if (under && under->error && !stream->error_text)
        return wr_tls_error_text(under, buf, cap);
    if (stream->error && !stream->error_text)
        return wr_system_text(stream->error, buf, cap);
    snprintf(buf, cap, "%s", stream->error_text ? stream->error_text : "");
    return buf;
}

unsigned long wr_tls_error_code(const struct wr_tls_stream *stream)
{
    const struct wr_tls_stream *under = stream->socket.under;

    if (!stream->error_code && under && under->error && !stream->error_text)
        return under->error_code;
    return stream->error_code;
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
        wr_tls_begin_call(stream, true);
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
    X509_free(stream->refused);
    wr_tls_stream_free(stream->socket.under, silent);
    wr_free(stream);
}

/* NOLINTEND(misc-no-recursion) */
