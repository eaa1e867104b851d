/* A TLS server made of OpenSSL itself, for tests: every connection runs a
 * script in a thread of its own, so nothing is left to chance or to sleeps. */
#ifndef TEST_TLS_PEER_H
#define TEST_TLS_PEER_H

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_peer;
struct tls_talk;

struct tls_peer_options {
    const char *folder; /* of certs_new() */
    const char *cert;   /* NULL = "server" */
    int max_version;    /* TLS1_2_VERSION …; 0 = any */
    bool wants_client;  /* a certificate by ca, or no handshake */
    bool has_alpn;      /* chooses "http/1.1" when offered */
    bool sends_ca;      /* the chain has ca's certificate too */
};

/* Runs after the handshake; the socket is closed when it returns, without
 * close_notify unless it called SSL_shutdown(). */
typedef void tls_peer_fn(SSL *ssl, void *user);

/* NULL after printing why. */
struct tls_peer *tls_peer_new(const struct tls_peer_options *options);
/* No talk may be running; NULL is allowed. */
void tls_peer_free(struct tls_peer *peer);
/* Connects over loopback and starts a thread that answers.  script NULL: the
 * handshake alone.  *ret_fd, blocking, is the caller's. */
struct tls_talk *tls_peer_connect(struct tls_peer *peer, tls_peer_fn *script,
                                  void *user, int *ret_fd);
/* Waits for the script and frees the talk.  true: its handshake succeeded. */
bool tls_talk_join(struct tls_talk *talk);
/* Asks a client of TLS 1.2 `count` times for another handshake, in one write,
 * and waits for none.  false: a failure. */
bool tls_peer_hello_requests(SSL *ssl, int count);
/* Sends a client of TLS 1.3 `count` session tickets, in one write.  false: a
 * failure. */
bool tls_peer_tickets(SSL *ssl, int count);
/* Two connected TCP sockets on loopback, blocking.  Returns 0, or -1. */
int tcp_pair(int ret_fds[2]);

#endif
