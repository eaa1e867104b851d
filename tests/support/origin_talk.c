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
        const long sent = conn->ssl ? SSL_write(conn->ssl, bytes, (int)step)
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

static bool take_bytes(struct connection *conn, size_t len)
{
    while (conn->in_len < len) {
        if (!receive(conn))
            return false;
    }
    consume(conn, len);
    return true;
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
        end =
            conn->in_len ? memmem(conn->in, conn->in_len, "\r\n\r\n", 4) : NULL;
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
    request->body_cap = 1;
    consume(conn, request->head_len);
    origin_keep_request(conn, request);
    return request;
}

static void append_body(struct origin_request *request, const char *bytes,
                        size_t len)
{
    if (request->body_cap - request->body_len <= len) {
        request->body_cap = 2 * request->body_cap + len + 1;
        request->body = realloc(request->body, request->body_cap);
        if (!request->body)
            origin_die("memory");
    }
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

    while (!conn->in_len ||
           !(end = memmem(conn->in, conn->in_len, "\r\n", 2))) {
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
    const bool is_complete =
        coding
            ? read_chunks(conn, request)
            : read_sized(conn, request, length ? strtoul(length, NULL, 10) : 0);

    /* The lock hands the body over to whoever asks for the request. */
    pthread_mutex_lock(&conn->origin->lock);
    request->is_complete = is_complete;
    conn->origin->pipelined += is_complete && conn->in_len > 0;
    pthread_mutex_unlock(&conn->origin->lock);
    return is_complete;
}

/* --- echo ---------------------------------------------------------------- */

/* The answer to a request as the echo gives it; returns its length. */
static size_t write_echo(const struct origin_request *request, char *answer,
                         size_t cap, const char *target_end, bool closes)
{
    const bool is_chunked =
        memmem(request->head, (size_t)(target_end - request->head), "chunk", 5);
    const bool is_head = strncmp(request->head, "HEAD ", 5) == 0;
    char token[512];
    char framing[64];
    int token_len;
    int len;

    token_len = snprintf(token, sizeof token, "%.*s %zu",
                         (int)(target_end - request->head), request->head,
                         request->body_len);
    if (token_len < 0 || (size_t)token_len >= sizeof token)
        origin_die("echo: the target is too long");
    if (is_chunked)
        snprintf(framing, sizeof framing, "Transfer-Encoding: chunked\r\n");
    else
        snprintf(framing, sizeof framing, "Content-Length: %d\r\n", token_len);
    len = snprintf(answer, cap, "HTTP/1.1 200 OK\r\n%s%s\r\n", framing,
                   closes ? "Connection: close\r\n" : "");
    if (!is_head && is_chunked)
        len += snprintf(answer + len, cap - (size_t)len,
                        "%x\r\n%s\r\n0\r\n\r\n", (unsigned)token_len, token);
    else if (!is_head)
        len += snprintf(answer + len, cap - (size_t)len, "%s", token);
    return (size_t)len;
}

/* Answers one request; false: the connection ends. */
static bool echo_one(struct connection *conn,
                     const struct origin_request *request)
{
    const size_t line = strcspn(request->head, "\r");
    const char *target_end = request->head + line - strlen(" HTTP/1.1");
    const bool closes = memmem(request->head, line, "close", 5);
    const bool drops = memmem(request->head, line, "drop", 4);
    char answer[1024];
    const size_t len =
        write_echo(request, answer, sizeof answer, target_end, closes);

    return transmit(conn, answer, len) && !closes && !drops;
}

static void echo(struct connection *conn)
{
    struct origin_request *request;

    do {
        request = read_head(conn);
    } while (request && read_body(conn, request) && echo_one(conn, request));
}

/* --- ends ---------------------------------------------------------------- */

static void close_in_order(struct connection *conn)
{
    if (conn->ssl)
        SSL_shutdown(conn->ssl);
    origin_drop_socket(conn);
}

static void reset(struct connection *conn)
{
    const struct linger linger = {1, 0};

    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    origin_drop_socket(conn);
}

static void half_close(struct connection *conn)
{
    if (conn->ssl)
        SSL_shutdown(conn->ssl);
    shutdown(conn->fd, SHUT_WR);
}

/* Waits until the peer has gone, for at most `ms`.  true: it has. */
static bool wait_for_end(const struct connection *conn, int ms)
{
    struct pollfd waited = {conn->fd, POLLRDHUP, 0};

    return poll(&waited, 1, ms) > 0;
}

/* --- steps --------------------------------------------------------------- */

static bool send_singly(struct connection *conn, const struct origin_step *step)
{
    for (size_t i = 0; i < step->len; i++) {
        if (!transmit(conn, step->bytes + i, 1))
            return false;
    }
    return true;
}

static bool send_many(struct connection *conn, const struct origin_step *step)
{
    for (unsigned i = 0; i < step->number; i++) {
        if (!transmit(conn, step->bytes, step->len))
            return false;
    }
    return true;
}

static void drip(struct connection *conn, const struct origin_step *step)
{
    while (transmit(conn, step->bytes, step->len) &&
           !wait_for_end(conn, (int)step->number))
        ;
}

/* Carries out a step; false: nothing is left to do. */
static bool take_step(struct connection *conn, const struct origin_step *step,
                      struct origin_request **request)
{
    switch (step->verb) {
    case ORIGIN_EXPECT:
        *request = read_head(conn);
        return *request && read_body(conn, *request);
    case ORIGIN_EXPECT_HEAD:
        *request = read_head(conn);
        return *request != NULL;
    case ORIGIN_EXPECT_BODY:
        return *request && read_body(conn, *request);
    case ORIGIN_RECEIVE:
        return receive(conn);
    case ORIGIN_TAKE:
        return take_bytes(conn, step->number);
    case ORIGIN_SEND:
        return transmit(conn, step->bytes, step->len);
    case ORIGIN_SEND_SINGLY:
        return send_singly(conn, step);
    case ORIGIN_SEND_MANY:
        return send_many(conn, step);
    case ORIGIN_DRIP:
        drip(conn, step);
        return true;
    case ORIGIN_ECHO:
        echo(conn);
        return false;
    case ORIGIN_POST:
        origin_post(conn->origin, step->number);
        return true;
    case ORIGIN_WAIT:
        return origin_await(conn->origin, step->number);
    case ORIGIN_HALF_CLOSE:
        half_close(conn);
        return true;
    case ORIGIN_HANG:
        while (receive(conn))
            conn->in_len = 0;
        return true;
    case ORIGIN_STALL:
        wait_for_end(conn, -1);
        return true;
    case ORIGIN_RENEGOTIATE:
        return origin_renegotiate(conn, step->number);
    case ORIGIN_PESTER:
        while (origin_renegotiate(conn, step->number))
            continue;
        return true;
    case ORIGIN_TICKETS:
        return origin_send_tickets(conn, step->number);
    case ORIGIN_CLOSE:
        close_in_order(conn);
        return true;
    case ORIGIN_CUT:
        origin_drop_socket(conn);
        return true;
    case ORIGIN_RESET:
        reset(conn);
        return true;
    case ORIGIN_END:
    case ORIGIN_AGAIN:
        break;
    }
    return false;
}

static void run_script(struct connection *conn, const struct origin_step *steps)
{
    struct origin_request *request = NULL;
    const struct origin_step *step = steps;

    while (step->verb == ORIGIN_AGAIN || take_step(conn, step, &request))
        step = step->verb == ORIGIN_AGAIN ? steps : step + 1;
}

static const struct origin_step *script_of(struct connection *conn)
{
    static const struct origin_step echoes[] = {O_ECHO, O_END};
    struct origin *origin = conn->origin;
    const struct origin_step *steps = NULL;

    pthread_mutex_lock(&origin->lock);
    for (unsigned i = 0; i < origin->script_count && i <= conn->number; i++) {
        if (origin->scripts[i])
            steps = origin->scripts[i];
    }
    pthread_mutex_unlock(&origin->lock);
    return steps ? steps : echoes;
}

void *origin_talk(void *user)
{
    struct connection *conn = user;
    const int one = 1;
    sigset_t pipe_signal;

    /* OpenSSL writes without MSG_NOSIGNAL; the test's other threads keep the
     * signal, so that weir is caught when it raises it. */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (origin_shake_hands(conn))
        run_script(conn, script_of(conn));
    if (conn->fd >= 0)
        close_in_order(conn);
    /* A session freed without a shutdown could not be resumed. */
    if (conn->ssl)
        SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    ERR_clear_error();
    pthread_mutex_lock(&conn->origin->lock);
    conn->is_finished = true;
    pthread_mutex_unlock(&conn->origin->lock);
    return NULL;
}
