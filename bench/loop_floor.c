/* The floor of an event loop: many connections over one epoll descriptor,
 * registered once, edge-triggered; each sends, reads, parses the least that is
 * still correct for nginx, and sends again.  TLS reads ahead. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

enum {
    ROOM = 1 << 16,
    EVENTS = 256
};

struct link {
    int fd;
    SSL *ssl;    /* NULL = plain */
    size_t want; /* bytes of the answer; 0 = its head is not in */
    size_t got;
    char head[4096]; /* as much as has come of an answer without its head */
};

struct floor_flight {
    int epoll;
    struct link *links;
    const struct client_args *args;
    long begun;
    long ended;
    long wanted;
    char request[512];
    size_t request_len;
    char in[ROOM];
};

static void send_next(struct floor_flight *flight, struct link *link)
{
    flight->begun++;
    link->want = 0;
    link->got = 0;
    if (link->ssl
            ? SSL_write(link->ssl, flight->request, (int)flight->request_len) !=
                  (int)flight->request_len
            : send(link->fd, flight->request, flight->request_len,
                   MSG_NOSIGNAL) != (ssize_t)flight->request_len)
        client_die("floor: write");
}

/* Length of the whole answer once its head is in, else 0. */
static size_t answer_length(const char *in, size_t len)
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

static void take(struct link *link, const char *in, size_t len)
{
    if (link->want == 0 && link->got == 0)
        link->want = answer_length(in, len);
    if (link->want == 0) { /* in pieces */
        if (link->got + len > sizeof link->head)
            client_die("floor: head is too large");
        memcpy(link->head + link->got, in, len);
        link->want = answer_length(link->head, link->got + len);
    }
    link->got += len;
}

static ssize_t receive(struct floor_flight *flight, struct link *link)
{
    int got;

    if (!link->ssl)
        return recv(link->fd, flight->in, ROOM, 0);
    got = SSL_read(link->ssl, flight->in, ROOM);
    if (got <= 0 && SSL_get_error(link->ssl, got) == SSL_ERROR_WANT_READ)
        errno = EAGAIN;
    return got;
}

static void on_event(struct floor_flight *flight, struct link *link)
{
    do {
        const ssize_t got = receive(flight, link);

        if (got <= 0) {
            if (got < 0 && errno == EAGAIN)
                return;
            client_die("floor: read");
        }
        take(link, flight->in, (size_t)got);
        if (!link->ssl && got < ROOM && (!link->want || link->got < link->want))
            return; /* the socket is empty */
    } while (!link->want || link->got < link->want);
    flight->ended++;
    if (flight->begun < flight->wanted)
        send_next(flight, link);
}

static void run(void *user, long count)
{
    struct floor_flight *flight = user;
    struct epoll_event events[EVENTS];

    flight->begun = 0;
    flight->ended = 0;
    flight->wanted = count;
    for (unsigned i = 0;
         i < flight->args->in_flight && i < (unsigned long)count; i++)
        send_next(flight, &flight->links[i]);
    while (flight->ended < count) {
        const int ready = epoll_wait(flight->epoll, events, EVENTS, -1);

        for (int i = 0; i < ready; i++)
            on_event(flight, events[i].data.ptr);
    }
}

static void connect_link(struct link *link, const char *host, unsigned port,
                         SSL_CTX *context)
{
    const int on = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, host, &addr.sin_addr);
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(link->fd, (struct sockaddr *)&addr, sizeof addr) != 0)
        client_die("floor: connect");
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (context) {
        link->ssl = SSL_new(context);
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(link->ssl), host);
        SSL_set_fd(link->ssl, link->fd);
        if (SSL_connect(link->ssl) != 1)
            client_die("floor: TLS handshake");
    }
    fcntl(link->fd, F_SETFL, O_NONBLOCK);
}

static SSL_CTX *new_context(const char *ca_file)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_load_verify_locations(context, ca_file, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    return context;
}

int main(int argc, char **argv)
{
    static struct floor_flight flight;
    const struct client_args args = client_args(argc, argv);
    SSL_CTX *context = args.ca_file ? new_context(args.ca_file) : NULL;
    char host[64];
    char target[256];
    unsigned port;

    if (sscanf(args.url, "http%*1[s:]%*[:/]%63[^:]:%u%255s", host, &port,
               target) != 3)
        client_die("floor: URL must be http(s)://ADDRESS:PORT/PATH");
    flight.args = &args;
    flight.request_len = (size_t)snprintf(
        flight.request, sizeof flight.request,
        "GET %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: floor\r\n\r\n", target,
        host, port);
    flight.epoll = epoll_create1(EPOLL_CLOEXEC);
    flight.links = calloc(args.in_flight, sizeof *flight.links);
    for (unsigned i = 0; i < args.in_flight; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = &flight.links[i]};

        connect_link(&flight.links[i], host, port, context);
        epoll_ctl(flight.epoll, EPOLL_CTL_ADD, flight.links[i].fd, &event);
    }
    return client_run_many(&args, run, &flight);
}
