/* TLS over OpenSSL.
 *
 * A *context* is immutable once made, shared by threads, and known by one
 * digest over everything that decides who is trusted (protocol-rules 1.9).  A
 * *session cache* belongs to a pool: sessions by pool key, stored only after
 * verification has passed.  A *stream* is one TLS connection on a socket; one
 * thread at a time.
 *
 * A fork's child may use none of what it inherits, as another thread may have
 * held a lock of it, of ours or of OpenSSL's: it leaves contexts, caches and
 * streams where they are, not freed, and makes new ones.  Nothing here is
 * shared between them. */
#ifndef WR_NET_TLS_H
#define WR_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <weir/error.h>

#include "base/slice.h"
#include "net/poll.h"
#include "net/sock.h"

enum {
    WR_DIGEST_LEN = 32,
    WR_TLS_TEXT = 64,
    WR_TLS_ERROR_TEXT = 192
};

struct wr_tls_options {
    bool verify;
    const char *ca_file; /* NULL and no ca_path: the system's store */
    const char *ca_path;
    const char *cert_file;   /* client certificate chain; NULL = none */
    const char *key_file;    /* NULL = in cert_file */
    const char *min_version; /* "1.2" or "1.3" */
};

struct wr_tls_context;
struct wr_tls_sessions;
struct wr_tls_stream;

/* Loads store, certificate and key, once.  WEIR_E_TLS names the file and what
 * is wrong with it; WEIR_E_OPTION for the version; WEIR_E_NO_MEMORY. */
weir_status wr_tls_context_new(const struct wr_tls_options *options,
                               struct wr_tls_context **ret_context,
                               weir_error *ret_err);
void wr_tls_context_free(struct wr_tls_context *context);
/* WR_DIGEST_LEN bytes: SHA-256 over versions, verify flag, CA sources by
 * content, client certificate and key by content, ALPN. */
const unsigned char *
wr_tls_context_digest(const struct wr_tls_context *context);

/* Bounded: `max` sessions, the oldest goes first.  Thread-safe.
 * NULL: out of memory. */
struct wr_tls_sessions *wr_tls_sessions_new(unsigned max);
void wr_tls_sessions_free(struct wr_tls_sessions *sessions);

/* Starts a client handshake on a connected, blocking socket, which stays the
 * caller's.  host: name or IP literal, for SNI (names only) and verification
 * (IP literals only against IP SANs; no CN fallback; no partial wildcards).
 * key: pool key for resumption; sessions and context outlive the stream.
 * NULL with *ret_err on failure. */
struct wr_tls_stream *wr_tls_stream_new(struct wr_tls_context *context,
                                        struct wr_tls_sessions *sessions,
                                        struct wr_slice key, const char *host,
                                        int fd, weir_error *ret_err);
/* The same through another stream, whose handshake is done: TLS in TLS.  That
 * one is given, and ends with the new one; on failure it stays the caller's. */
struct wr_tls_stream *wr_tls_stream_new_over(struct wr_tls_context *context,
                                             struct wr_tls_sessions *sessions,
                                             struct wr_slice key,
                                             const char *host,
                                             struct wr_tls_stream *under,
                                             weir_error *ret_err);
/* Takes the handshake forward without ever waiting.
 * WAIT: *ret_waits says for what.  ERROR: WEIR_E_TLS_VERIFY with
 * X509_V_ERR_… as tls_code and the text, e.g. "TLS with example.org:
 * certificate has expired (it ended on 2026-11-27 13:00:00 UTC)"; WEIR_E_TLS;
 * WEIR_E_RESET if the peer went away. */
enum wr_step wr_tls_handshake(struct wr_tls_stream *stream,
                              struct wr_waits *ret_waits, weir_error *ret_err);
bool wr_tls_is_resumed(const struct wr_tls_stream *stream);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", or "" before the handshake is done;
 * cap >= 1, WR_TLS_TEXT holds any.  Returns buf. */
const char *wr_tls_text(const struct wr_tls_stream *stream, char *buf,
                        size_t cap);
/* Its two parts, static; "" before the handshake is done. */
void wr_tls_names(const struct wr_tls_stream *stream, const char **ret_version,
                  const char **ret_cipher);
/* "http/1.1" or "" when the peer chose none; static. */
const char *wr_tls_alpn(const struct wr_tls_stream *stream);

/* As wr_sock_*.  Unless dont_wait, reading makes at most one receive that waits
 * (for at most the socket's read limit): AGAIN also when that brought no more
 * than a part of a record, so look at the clock and call again.  EOF only after
 * close_notify: a bare end of the socket is WR_IO_ERROR with errno ==
 * ECONNRESET and wr_tls_was_cut() true.  Writing gathers the iovec into as few
 * records as it can; after AGAIN the same bytes must be offered again
 * (SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER and ENABLE_PARTIAL_WRITE are on).  After
 * a failed write, what the peer has sent can still be read.  Reads ahead: one
 * recv per record burst. */
enum wr_io wr_tls_read(struct wr_tls_stream *stream, void *buf, size_t cap,
                       bool dont_wait, size_t *ret_len);
enum wr_io wr_tls_writev(struct wr_tls_stream *stream, const struct iovec *iov,
                         int count, size_t *ret_len);
/* The last receive took all that the socket had, and none of it waits inside.
 */
bool wr_tls_is_drained(const struct wr_tls_stream *stream);
/* A poller has told of news from the socket: it is drained no more, though what
 * was received before may be read without another receive. */
void wr_tls_has_news(struct wr_tls_stream *stream);
/* Plaintext or records already taken from the socket wait inside (a lease that
 * ends with these is never reused). */
bool wr_tls_has_pending(const struct wr_tls_stream *stream);
/* As wr_sock_peek; tickets and KeyUpdates that wait are processed, at most 16
 * records a call (protocol-rules 7): a peer that sends more is an ERROR. */
enum wr_io wr_tls_peek(struct wr_tls_stream *stream);
/* The socket ended without close_notify (RFC 9112 section 9.8). */
bool wr_tls_was_cut(const struct wr_tls_stream *stream);
/* The last failure of a read or write was one of TLS: not the socket's, which
 * was cut or reset or could not be used. */
bool wr_tls_has_failed(const struct wr_tls_stream *stream);
/* Last TLS failure of a read or write as text, "" if none; WR_TLS_ERROR_TEXT
 * holds any.  Returns buf. */
const char *wr_tls_error_text(const struct wr_tls_stream *stream, char *buf,
                              size_t cap);
/* OpenSSL's code of that failure, 0 if it is not one of OpenSSL's. */
unsigned long wr_tls_error_code(const struct wr_tls_stream *stream);
/* Gives back the record buffers, 49 KB, until the next read or write makes them
 * anew; a peek that had to does the same again.  For a connection that rests
 * for longer: two frees and two allocations are too much for every exchange.
 * Keeps them while bytes wait inside. */
void wr_tls_rest(struct wr_tls_stream *stream);
/* Sends close_notify without waiting and frees; the socket stays open.  Silent:
 * sends nothing, and says nothing to the context or the session cache, so that
 * whoever else holds the socket and the session may go on.  NULL is allowed. */
void wr_tls_stream_free(struct wr_tls_stream *stream, bool silent);

#endif
