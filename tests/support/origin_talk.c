/* One connection of an origin: its script, step by step. */
#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "origin_inner.h"

/* --- bytes --------------------------------------------------------------- */

static bool transmit(struct connection *conn, const char *bytes, size_t len)
{
    while (len > 0) {
        const size_t step = len < 1 << 20 ? len : 1 << 20;
        const long sent = conn->ssl
                              ? SSL_write(conn->ssl, bytes, (int)step)
                              : send(conn->fd, bytes, step, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

/* Receives once, behind what is there.  false: the end, or a failure. */
static bool receive(struct connection *conn)
{
    const size_t room = 65536;
    long got;

    if (conn->in_cap - conn->in_len < room) {
        conn->in_cap += room + conn->in_cap;
        conn->in = realloc(conn->in, conn->in_cap);
        if (!conn->in)
            origin_die("memory");
    }
    got = conn->ssl ? SSL_read(conn->ssl, conn->in + conn->in_len, (int)room)
                    : recv(conn->fd, conn->in + conn->in_len, room, 0);
    if (got <= 0)
        return false;
    conn->in_len += (size_t)got;
    return true;
}

/* Takes bytes from the front. */
static void consume(struct connection *conn, size_t len)
{
    conn->in_len -= len;
    memmove(conn->in, conn->in + len, conn->in_len);
}

static char *copy_of(const char *bytes, size_t len)
{
    char *copy = malloc(len + 1);

    if (!copy)
        origin_die("memory");
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

/* --- requests ------------------------------------------------------------ */

/* Value of a field in a header section, up to the end of its line. */
static const char *find_field(const char *head, const char *name)
{
    const size_t len = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " ");
    }
    return NULL;
}

static struct origin_request *read_head(struct connection *conn)
{
    struct origin_request *request;
    const char *end;

    for (;;) {
        end = conn->in_len
                  ? memmem(conn->in, conn->in_len, "\r\n\r\n", 4)
                  : NULL;
        if (end)
            break;
        if (!receive(conn))
            return NULL;
    }
    request = calloc(1, sizeof *request);
    if (!request)
        origin_die("memory");
    request->head_len = (size_t)(end - conn->in) + 4;
    request->head = copy_of(conn->in, request->head_len);
    request->body = copy_of("", 0);
    consume(conn, request->head_len);
    origin_keep_request(conn, request);
    return request;
}

static void append_body(struct origin_request *request, const char *bytes,
                        size_t len)
{
    request->body = realloc(request->body, request->body_len + len + 1);
    if (!request->body)
        origin_die("memory");
    memcpy(request->body + request->body_len, bytes, len);
    request->body_len += len;
    request->body[request->body_len] = '\0';
}

static bool read_sized(struct connection *conn, struct origin_request *request,
                       size_t len)
{
    while (len > 0) {
        const size_t step = conn->in_len < len ? conn->in_len : len;

        append_body(request, conn->in, step);
        consume(conn, step);
        len -= step;
        if (len > 0 && !receive(conn))
            return false;
    }
    return true;
}

/* Takes a line, its CRLF included; false: the connection ended before. */
static bool read_line(struct connection *conn, char *line, size_t cap)
{
    const char *end;
    size_t len;

    while (!conn->in_len || !(end = memmem(conn->in, conn->in_len, "\r\n", 2))) {
        if (!receive(conn))
            return false;
    }
    len = (size_t)(end - conn->in);
    if (len >= cap)
        return false;
    memcpy(line, conn->in, len);
    line[len] = '\0';
    consume(conn, len + 2);
    return true;
}

static bool read_chunks(struct connection *conn, struct origin_request *request)
{
    char line[64];

    for (;;) {
        char *end;
        size_t len;

        if (!read_line(conn, line, sizeof line) ||
            !isxdigit((unsigned char)line[0]))
            return false;
        len = strtoul(line, &end, 16);
        if (*end || (len && !read_sized(conn, request, len)) ||
            !read_line(conn, line, sizeof line) || line[0])
            return false;
        if (len == 0)
            return true;
    }
}

static bool read_body(struct connection *conn, struct origin_request *request)
{
    const char *length = find_field(request->head, "Content-Length");
    const char *coding = find_field(request->head, "Transfer-Encoding");

    if (coding)
        request->is_complete = read_chunks(conn, request);
    else
        request->is_complete = read_sized(
            conn, request, length ? strtoul(length, NULL, 10) : 0);
    if (request->is_complete && conn->in_len > 0) {
        pthread_mutex_lock(&conn->origin->lock);
        conn->origin->pipelined++;
        pthread_mutex_unlock(&conn->origin->lock);
    }
    return request->is_complete;
}

/* --- echo ---------------------------------------------------------------- */

/* Answers one request; false: the connection ends. */
static bool echo_one(struct connection *conn,
                     const struct origin_request *request)
{
    const int line = (int)strcspn(request->head, "\r");
    const bool is_head = strncmp(request->head, "HEAD ", 5) == 0;
    const bool closes = memmem(request->head, (size_t)line, "close", 5);
    char token[512];
    char answer[1024];
    int token_len;
    int len;

    if (memmem(request->head, (size_t)line, "drop", 4))
        closes = true;
    token_len = snprintf(token, sizeof token, "%.*s %zu",
                         line - (int)strlen(" HTTP/1.1"), request->head,
                         request->body_len);
    if (token_len < 0 || (size_t)token_len >= sizeof token)
        return false;
    return transmit(conn, answer, (size_t)len) && !closes;
}
