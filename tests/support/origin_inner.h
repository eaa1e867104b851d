/* Shared by origin.c (listening, accounts), origin_talk.c (what happens on one
 * connection) and origin_tls.c alone. */
#ifndef ORIGIN_INNER_H
#define ORIGIN_INNER_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "origin.h"

struct connection {
    struct origin *origin;
    unsigned number;
    unsigned listener;
    pthread_t thread;
    bool is_finished; /* the thread is at its end */
    bool is_joined;
    int fd;   /* closed under the lock; -1 = closed */
    SSL *ssl; /* the thread's */

    /* received and not yet taken: the thread's */
    char *in;
    size_t in_len;
    size_t in_cap;

    struct origin_request **requests;
    unsigned request_count;
    struct connection *next;
};

struct text {
    struct text *next;
    char bytes[];
};

struct origin {
    struct origin_options options;
    SSL_CTX *ctx; /* replaced under the lock */
    int listeners[ORIGIN_LISTENERS_MAX];
    uint16_t ports[ORIGIN_LISTENERS_MAX];
    unsigned listener_count;
    int fillers[2]; /* of a backlog */
    int wake_fd;
    char folder[64]; /* of the Unix socket; "" = none */
    char path[96];
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_stopping;
    unsigned signals[ORIGIN_SIGNALS_MAX];
    const struct origin_step **scripts;
    unsigned script_count;
    struct connection *connections; /* newest first */
    unsigned connection_count;
    unsigned most_open;
    unsigned most_open_at_one;
    unsigned pipelined;
    unsigned handshakes;
    unsigned resumed;
    struct text *texts;
};

/* What must not happen in a test's own server. */
void origin_die(const char *what);
/* Waits for a signal and lowers it; false: the origin stops. */
bool origin_await(struct origin *origin, unsigned number);
/* Gives a request to the accounts. */
void origin_keep_request(struct connection *conn,
                         struct origin_request *request);
/* Closes the socket, so that nobody else uses the number any more. */
void origin_drop_socket(struct connection *conn);
/* A server that shows certificate `name`; NULL with OpenSSL's errors queued. */
SSL_CTX *origin_new_ctx(const struct origin_options *options, const char *name);
/* The handshake of an accepted connection; true at once without TLS. */
bool origin_shake_hands(struct connection *conn);
/* Asks for another handshake (TLS 1.2), without waiting for it, so many times
 * in one write. */
bool origin_renegotiate(struct connection *conn, unsigned count);
/* Sends session tickets (TLS 1.3). */
bool origin_send_tickets(struct connection *conn, unsigned count);
/* The thread of one connection. */
void *origin_talk(void *user);

#endif
