/* What both hand-written clients do by hand: address, request, connection,
 * handshake, and the least parse that is still correct for nginx. */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

struct floor_peer {
    char host[64];
    unsigned port;
    SSL_CTX *context; /* NULL = plain */
    char request[512];
    int request_len;
};

struct floor_link {
    int fd;
    SSL *ssl; /* NULL = plain */
};

static inline void floor_peer_init(struct floor_peer *peer,
                                   const struct client_args *args)
{
    char target[256];

    if (sscanf(args->url, "http%*1[s:]%*[:/]%63[^:]:%u%255s", peer->host,
               &peer->port, target) != 3)
        client_die("floor: URL must be http(s)://ADDRESS:PORT/PATH");
    peer->request_len = snprintf(peer->request, sizeof peer->request,
                                 "GET %s HTTP/1.1\r\nHost: %s:%u\r\n"
                                 "User-Agent: floor\r\n\r\n",
                                 target, peer->host, peer->port);
    if (!args->ca_file)
        return;
    peer->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(peer->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_load_verify_locations(peer->context, args->ca_file, NULL);
    SSL_CTX_set_read_ahead(peer->context, 1);
}

/* `session` is resumed unless it is NULL; `data` is what callbacks find. */
static inline void floor_dial(const struct floor_peer *peer,
                              struct floor_link *link, SSL_SESSION *session,
                              void *data)
{
    const int on = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)peer->port)};

    inet_pton(AF_INET, peer->host, &addr.sin_addr);
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(link->fd, (struct sockaddr *)&addr, sizeof addr) != 0)
        client_die("floor: connect");
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!peer->context)
        return;
    link->ssl = SSL_new(peer->context);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(link->ssl), peer->host);
    SSL_set_app_data(link->ssl, data);
    if (session)
        SSL_set_session(link->ssl, session);
    SSL_set_fd(link->ssl, link->fd);
    if (SSL_connect(link->ssl) != 1)
        client_die("floor: TLS handshake");
}

static inline void floor_connect(const struct floor_peer *peer,
                                 struct floor_link *link)
{
    floor_dial(peer, link, NULL, NULL);
}

static inline void floor_send(const struct floor_peer *peer,
                              const struct floor_link *link)
{
    const int len = peer->request_len;

    if (link->ssl
            ? SSL_write(link->ssl, peer->request, len) != len
            : send(link->fd, peer->request, (size_t)len, MSG_NOSIGNAL) != len)
        client_die("floor: write");
}

static inline ssize_t floor_read(const struct floor_link *link, char *in,
                                 size_t room)
{
    return link->ssl ? SSL_read(link->ssl, in, (int)room)
                     : recv(link->fd, in, room, 0);
}

/* Length of the whole answer once its head is in, else 0. */
static inline size_t floor_answer_length(const char *in, size_t len)
{
    const char *end = memmem(in, len, "\r\n\r\n", 4);
    const char *line = in;

    if (!end)
        return 0;
    if (memcmp(in, "HTTP/1.1 200", 12) != 0)
        client_die("floor: status is not 200");
    while (line < end) {
        line = (const char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1;
        if ((line[0] | 0x20) == 'c' &&
            strncasecmp(line, "content-length:", 15) == 0)
            return (size_t)(end + 4 - in) + strtoul(line + 15, NULL, 10);
    }
    client_die("floor: no Content-Length");
}

/* An answer as it comes, in pieces or whole. */
struct floor_answer {
    size_t want; /* bytes of it; 0 = its head is not in */
    size_t got;
    char head[4096]; /* as much as has come of an answer without its head */
};

/* Takes what has come.  Is the answer whole? */
static inline bool floor_take(struct floor_answer *answer, const char *in,
                              size_t len)
{
    if (answer->want == 0 && answer->got == 0)
        answer->want = floor_answer_length(in, len);
    if (answer->want == 0) { /* in pieces */
        if (answer->got + len > sizeof answer->head)
            client_die("floor: head is too large");
        memcpy(answer->head + answer->got, in, len);
        answer->want = floor_answer_length(answer->head, answer->got + len);
    }
    answer->got += len;
    return answer->want && answer->got >= answer->want;
}

/* One exchange; the whole answer fits in `room` bytes. */
static inline void floor_get(const struct floor_peer *peer,
                             const struct floor_link *link, char *in,
                             size_t room)
{
    size_t len = 0;
    size_t want = 0;

    floor_send(peer, link);
    while (want == 0 || len < want) {
        const ssize_t got = floor_read(link, in + len, room - len);

        if (got <= 0)
            client_die("floor: read");
        len += (size_t)got;
        if (want == 0)
            want = floor_answer_length(in, len);
    }
}

/* A time limit on reads, set once, as weir does. */
static inline void floor_limit_reads(const struct floor_link *link)
{
    const struct timeval limit = {30, 0};

    setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

#endif
