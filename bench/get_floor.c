/* The floor: a hand-written write/read loop over one connection, with the
 * least parse that is still correct for nginx: the end of the head, the status
 * and Content-Length.  A time limit on reads is set once, as weir does.  TLS
 * reads ahead. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

struct floor_client {
    int fd;
    SSL *ssl; /* NULL = plain */
    char request[512];
    int request_len;
    char in[1 << 21];
};

static int floor_write(struct floor_client *client)
{
    if (client->ssl)
        return SSL_write(client->ssl, client->request, client->request_len);
    return (int)send(client->fd, client->request, (size_t)client->request_len,
                     MSG_NOSIGNAL);
}

static int floor_read(struct floor_client *client, size_t at)
{
    const size_t room = sizeof client->in - at;

    if (client->ssl)
        return SSL_read(client->ssl, client->in + at, (int)room);
    return (int)recv(client->fd, client->in + at, room, 0);
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
    return 0;
}

static void floor_get(void *user)
{
    struct floor_client *client = user;
    size_t len = 0;
    size_t want = 0;

    if (floor_write(client) != client->request_len)
        client_die("floor: write");
    while (want == 0 || len < want) {
        const int got = floor_read(client, len);

        if (got <= 0)
            client_die("floor: read");
        len += (size_t)got;
        if (want == 0)
            want = answer_length(client->in, len);
    }
}

static void floor_connect(struct floor_client *client, const char *host,
                          unsigned port)
{
    const struct timeval limit = {30, 0};
    const int on = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port)};

    inet_pton(AF_INET, host, &addr.sin_addr);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(client->fd, (struct sockaddr *)&addr, sizeof addr) != 0)
        client_die("floor: connect");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void floor_tls(struct floor_client *client, const char *host,
                      const char *ca_file)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_load_verify_locations(context, ca_file, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    client->ssl = SSL_new(context);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(client->ssl), host);
    SSL_set_fd(client->ssl, client->fd);
    if (SSL_connect(client->ssl) != 1)
        client_die("floor: TLS handshake");
}

int main(int argc, char **argv)
{
    static struct floor_client client;
    const struct client_args args = client_args(argc, argv);
    char host[64];
    char target[256];
    unsigned port;

    if (sscanf(args.url, "http%*1[s:]%*[:/]%63[^:]:%u%255s", host, &port,
               target) != 3)
        client_die("floor: URL must be http(s)://ADDRESS:PORT/PATH");
    client.request_len = snprintf(client.request, sizeof client.request,
                                  "GET %s HTTP/1.1\r\nHost: %s:%u\r\n"
                                  "User-Agent: floor\r\n\r\n",
                                  target, host, port);
    floor_connect(&client, host, port);
    if (args.ca_file)
        floor_tls(&client, host, args.ca_file);
    return client_run(&args, floor_get, &client);
}
