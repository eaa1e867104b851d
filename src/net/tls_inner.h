/* What the files of the TLS part know of one another; nobody else includes
 * this. */
#ifndef WR_NET_TLS_INNER_H
#define WR_NET_TLS_INNER_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/tls.h"

/* --- tls_context.c ------------------------------------------------------ */

struct wr_tls_context {
    SSL_CTX *ctx; /* owned */
    bool verify;
    /* The system's store takes 20 ms to read, so it waits for the first
     * handshake that verifies. */
    bool wants_system_store;
    atomic_bool has_system_store;
    pthread_mutex_t store_lock;
    unsigned char digest[WR_DIGEST_LEN];
};

/* Loads the system's store if this context wants it and has it not. */
weir_status wr_tls_context_prepare(struct wr_tls_context *context,
                                   weir_error *ret_err);
/* An error code of OpenSSL as text, e.g. "no such file or directory".  Returns
 * buf. */
const char *wr_tls_describe(unsigned long code, char *buf, size_t cap);
/* The oldest entry of OpenSSL's error queue as text; the queue is emptied.
 * Returns buf. */
const char *wr_tls_take_error(char *buf, size_t cap, unsigned long *ret_code);
/* OpenSSL asks the queue when a call has failed, so it must be empty before;
 * and it is never left with our errors in it. */
void wr_tls_clear_errors(void);

/* --- tls_bio.c ---------------------------------------------------------- */

/* The socket as a stream's BIO sees it. */
struct wr_tls_socket {
    int fd; /* borrowed */
    /* Another stream on that socket, which all goes through: TLS in TLS; owned
     * by the one above.  NULL = none. */
    struct wr_tls_stream *under;
    /* For the call under way: */
    bool dont_wait;
    bool is_spent;  /* the one receive that may wait has been made */
    bool is_dry;    /* OpenSSL was told that there is nothing now */
    bool is_asking; /* in a handshake */
    bool has_asked; /* bytes have been sent */
    /* For good: */
    bool is_ended;   /* the peer has shut the socket down */
    bool is_drained; /* the last receive took all that there was */
    int error;       /* errno of the last failure, 0 = none */
};

/* A BIO over `socket`, which stays the caller's.  NULL: out of memory. */
BIO *wr_tls_bio_new(struct wr_tls_socket *socket);

/* --- tls_stream.c ------------------------------------------------------- */

struct wr_tls_stream {
    SSL *ssl; /* owned */
    struct wr_tls_socket socket;
    struct wr_tls_sessions *sessions; /* borrowed */
    bool verify;
    bool is_connected; /* the handshake is done */
    bool is_broken;    /* no close_notify can be sent any more */
    bool was_cut;
    bool is_resting;     /* wr_tls_rest, and neither read nor written since */
    bool lacks_identity; /* the server wanted a certificate, we have none */
    int records;         /* seen by the peek under way */
    int error;           /* errno of the last failure; 0 = none */
    uint32_t key_len;    /* of the pool key, behind the host */
    unsigned long error_code; /* OpenSSL's, 0 = none */
    const char *error_text;   /* static; NULL = error_code or error says it */
    const char *alpn;         /* static */
    X509 *refused;            /* certificate that failed, owned; or NULL */
    int refused_depth;        /* above the server's own */
    char host[];              /* as given, for messages; terminated */
};

/* Every call on a stream begins by saying to its socket whether it may wait,
 * and with OpenSSL's queue empty. */
void wr_tls_begin_call(struct wr_tls_stream *stream, bool dont_wait);
/* The code is that of a socket which ended within a record or a handshake. */
bool wr_tls_is_unexpected_end(unsigned long code);

/* --- tls_handshake.c ---------------------------------------------------- */

/* The new-session callback of every context. */
int wr_tls_on_new_session(SSL *ssl, SSL_SESSION *session);
/* The verify callback of every context that verifies. */
int wr_tls_on_verify(int is_good, X509_STORE_CTX *store);
/* The client-certificate callback: asked of those alone who have none. */
int wr_tls_on_wanted(SSL *ssl, X509 **cert, EVP_PKEY **key);

/* --- tls_refusal.c ------------------------------------------------------ */

/* WEIR_E_TLS_VERIFY with what was found: "TLS with example.org: hostname
 * mismatch (the certificate is for example.com)".  cert: at fault, `depth`
 * above the server's own; NULL = unknown. */
void wr_tls_set_refusal(const char *host, long verdict, X509 *cert, int depth,
                        weir_error *err);
/* The peer's alert behind a code, "handshake failure"; static; NULL = none. */
const char *wr_tls_alert(unsigned long code);
/* What to say behind a failure: " (expected TLS 1.2 or later)", or "".  Static.
 * lacks_identity: the server asked for a certificate and was given none. */
const char *wr_tls_hint(SSL *ssl, unsigned long code, bool lacks_identity);

/* --- tls_digest.c ------------------------------------------------------- */

/* The digest of a context that has loaded all but the system's store. */
weir_status wr_tls_digest(SSL_CTX *ctx, const struct wr_tls_options *options,
                          unsigned char ret_digest[WR_DIGEST_LEN],
                          weir_error *ret_err);

/* --- tls_sessions.c ----------------------------------------------------- */

/* A session to resume, given, or NULL.  A TLS 1.3 ticket is handed out once
 * (RFC 8446 appendix C.4); a TLS 1.2 session stays for others too. */
SSL_SESSION *wr_tls_sessions_take(struct wr_tls_sessions *sessions,
                                  struct wr_slice key);
/* true: the session is taken over.  false: it stays the caller's. */
bool wr_tls_sessions_put(struct wr_tls_sessions *sessions, struct wr_slice key,
                         SSL_SESSION *session);

#endif
