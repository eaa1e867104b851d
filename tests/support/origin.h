/* A scripted origin: an HTTP server that does what a test tells it, for
 * example to misbehave.
 *
 * It knows nothing of weir.  Every connection runs a script, a list of steps,
 * in a thread of its own:
 *
 *   static const struct origin_step script[] = {
 *       O_EXPECT, O_SEND("HTTP/1.1 204 No Content\r\n\r\n"), O_CLOSE, O_END,
 *   };
 *
 * Tests order events with numbered signals (O_POST, O_WAIT, origin_post,
 * origin_wait), never by sleeping.  What an origin cannot do for lack of
 * memory or threads ends the program.  All functions are thread-safe. */
#ifndef ORIGIN_H
#define ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_LISTENERS_MAX = 8,
    ORIGIN_SIGNALS_MAX = 16
};

enum origin_family {
    ORIGIN_IPV4 = 0, /* 127.0.0.1 */
    ORIGIN_IPV6,     /* ::1 */
    ORIGIN_UNIX,     /* a socket in a temporary folder */
};

struct origin_options {
    enum origin_family family;
    const char *address; /* IPv4 to listen at; NULL = loopback */
    unsigned listeners;  /* ports; 0 = one */
    const char *certs;   /* folder of certs_new(): TLS; NULL = plain */
    const char *cert;    /* NULL = "server" */
    int tls_max_version; /* TLS1_VERSION …; 0 = 1.2 and later */
    bool wants_client;   /* a certificate by ca, or no handshake */
    bool never_accepts;  /* and its backlog is full: a connect hangs */
};

enum origin_verb {
    ORIGIN_END,         /* closes in good order */
    ORIGIN_EXPECT,      /* reads a request, head and body */
    ORIGIN_EXPECT_HEAD, /* reads the head alone */
    ORIGIN_EXPECT_BODY, /* reads the body that belongs to it */
    ORIGIN_RECEIVE,     /* reads once, whatever comes */
    ORIGIN_TAKE,        /* reads `number` bytes and forgets them */
    ORIGIN_SEND,        /* sends `bytes` at once */
    ORIGIN_SEND_SINGLY, /* sends them byte by byte, a segment each */
    ORIGIN_SEND_MANY,   /* sends them `number` times over */
    ORIGIN_DRIP,        /* sends `bytes` every `number` ms till the peer goes */
    ORIGIN_ECHO,        /* answers every request with its token, see below */
    ORIGIN_POST,        /* raises signal `number` */
    ORIGIN_WAIT,        /* waits for signal `number` and lowers it */
    ORIGIN_CLOSE,       /* in good order; TLS: with close_notify */
    ORIGIN_CUT,         /* TLS: closes without close_notify */
    ORIGIN_RESET,       /* closes with a reset */
    ORIGIN_HALF_CLOSE,  /* ends its sending side alone */
    ORIGIN_HANG,        /* reads till the peer closes, sends nothing */
    ORIGIN_STALL,       /* reads nothing till the peer resets or the stop */
    ORIGIN_RENEGOTIATE, /* TLS 1.2: asks `number` times for a handshake */
    ORIGIN_PESTER,      /* the same over and over till the peer goes */
    ORIGIN_TICKETS,     /* TLS 1.3: sends `number` session tickets */
    ORIGIN_AGAIN,       /* goes on at the first step */
};

struct origin_step {
    enum origin_verb verb;
    const char *bytes;
    size_t len;
    unsigned number;
};

/* clang-format off */
#define O_END {ORIGIN_END, NULL, 0, 0}
#define O_EXPECT {ORIGIN_EXPECT, NULL, 0, 0}
#define O_EXPECT_HEAD {ORIGIN_EXPECT_HEAD, NULL, 0, 0}
#define O_EXPECT_BODY {ORIGIN_EXPECT_BODY, NULL, 0, 0}
#define O_RECEIVE {ORIGIN_RECEIVE, NULL, 0, 0}
#define O_TAKE(number) {ORIGIN_TAKE, NULL, 0, number}
#define O_SEND(literal) {ORIGIN_SEND, literal, sizeof(literal) - 1, 0}
#define O_SEND_SINGLY(literal) \
    {ORIGIN_SEND_SINGLY, literal, sizeof(literal) - 1, 0}
#define O_SEND_MANY(literal, times) \
    {ORIGIN_SEND_MANY, literal, sizeof(literal) - 1, times}
#define O_DRIP(literal, ms) {ORIGIN_DRIP, literal, sizeof(literal) - 1, ms}
#define O_ECHO {ORIGIN_ECHO, NULL, 0, 0}
#define O_POST(number) {ORIGIN_POST, NULL, 0, number}
#define O_WAIT(number) {ORIGIN_WAIT, NULL, 0, number}
#define O_CLOSE {ORIGIN_CLOSE, NULL, 0, 0}
#define O_CUT {ORIGIN_CUT, NULL, 0, 0}
#define O_RESET {ORIGIN_RESET, NULL, 0, 0}
#define O_HALF_CLOSE {ORIGIN_HALF_CLOSE, NULL, 0, 0}
#define O_HANG {ORIGIN_HANG, NULL, 0, 0}
#define O_STALL {ORIGIN_STALL, NULL, 0, 0}
#define O_RENEGOTIATE(number) {ORIGIN_RENEGOTIATE, NULL, 0, number}
#define O_PESTER(number) {ORIGIN_PESTER, NULL, 0, number}
#define O_TICKETS(number) {ORIGIN_TICKETS, NULL, 0, number}
#define O_AGAIN {ORIGIN_AGAIN, NULL, 0, 0}
/* clang-format on */

/* The echo of a request has as its body "METHOD TARGET LENGTH", LENGTH being
 * that of the request's body.  The target chooses how: with "close" in it the
 * answer says Connection: close and the connection ends; with "drop" it ends
 * without a word; with "chunk" the body is chunked. */

struct origin;

/* One request as received.  Lent, until origin_stop(). */
struct origin_request {
    char *head; /* the header section, NUL behind it */
    size_t head_len;
    char *body; /* without chunk framing, NUL behind it */
    size_t body_len;
    size_t body_cap;  /* private */
    bool is_complete; /* all of its body has come */
};

/* options NULL: the defaults.  Until told otherwise it echoes.  NULL after
 * printing why. */
struct origin *origin_start(const struct origin_options *options);
/* Ends all connections, joins all threads, frees; NULL is allowed. */
void origin_stop(struct origin *origin);
/* What connection `number`, from 0, does, and all later ones until told
 * otherwise.  The steps are borrowed. */
void origin_script(struct origin *origin, unsigned number,
                   const struct origin_step *steps);

/* "http://127.0.0.1:PORT/path" (https if it speaks TLS; localhost for a Unix
 * socket) of the first listener; lent, until origin_stop(). */
const char *origin_url(struct origin *origin, const char *path);
/* The same with another host: "http://HOST:PORT/path". */
const char *origin_url_of(struct origin *origin, const char *host,
                          const char *path);
uint16_t origin_port(const struct origin *origin, unsigned listener);
/* Path of the Unix socket; lent. */
const char *origin_path(const struct origin *origin);

/* Connections from now on are shown certificate `name`, by a server that knows
 * nothing of the sessions before. */
void origin_use_cert(struct origin *origin, const char *name);

/* Raises a signal once. */
void origin_post(struct origin *origin, unsigned number);
/* Waits for a signal and lowers it.  false: nothing for 20 s. */
bool origin_wait(struct origin *origin, unsigned number);

/* Connections accepted so far. */
unsigned origin_connections(struct origin *origin);
/* The most that were open at one time: in all, and at one listener. */
unsigned origin_most_open(struct origin *origin);
unsigned origin_most_open_at_one(struct origin *origin);
/* TLS handshakes that were completed, and of them those that resumed a session,
 * as the server sees it. */
unsigned origin_handshakes(struct origin *origin);
unsigned origin_resumed(struct origin *origin);
/* Requests whose head has come: on one connection, or on all. */
unsigned origin_requests(struct origin *origin, unsigned connection);
unsigned origin_requests_in_all(struct origin *origin);
/* Request `index`, from 0, of a connection; NULL if there is none. */
const struct origin_request *
origin_request(struct origin *origin, unsigned connection, unsigned index);
/* Times that bytes of a next request had come before the answer to the one
 * before (rule 2.17: never). */
unsigned origin_pipelined(struct origin *origin);

#endif
