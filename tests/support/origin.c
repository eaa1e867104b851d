/* The origin itself: its sockets, its threads, its accounts. */
#include "origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "origin_inner.h"

enum {
    WAIT_S = 20 /* after which a test has failed */
};

void origin_die(const char *what)
{
    fprintf(stderr, "origin: %s\n", what);
    abort();
}

/* --- connections --------------------------------------------------------- */

void origin_drop_socket(struct connection *conn)
{
    pthread_mutex_lock(&conn->origin->lock);
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    pthread_mutex_unlock(&conn->origin->lock);
}

void origin_keep_request(struct connection *conn,
                         struct origin_request *request)
{
    pthread_mutex_lock(&conn->origin->lock);
    conn->requests = realloc(conn->requests, (conn->request_count + 1) *
                                                 sizeof(conn->requests[0]));
    if (!conn->requests)
        origin_die("memory");
    conn->requests[conn->request_count++] = request;
    pthread_mutex_unlock(&conn->origin->lock);
}

/* Has neither side closed?  A close of the peer's shows at once on loopback, so
 * a connection that was closed before another was made is not counted. */
static bool is_open_locked(const struct connection *conn)
{
    struct pollfd looked = {conn->fd, POLLRDHUP, 0};

    return conn->fd >= 0 && poll(&looked, 1, 0) == 0;
}

/* Looks who is there now that one has come, and joins who has left. */
static void count_open_locked(struct origin *origin)
{
    unsigned at_one[ORIGIN_LISTENERS_MAX] = {0};
    unsigned in_all = 0;
    struct connection *conn;

    for (conn = origin->connections; conn; conn = conn->next) {
        if (conn->is_finished && !conn->is_joined) {
            pthread_join(conn->thread, NULL);
            conn->is_joined = true;
        }
        if (conn->is_joined || !is_open_locked(conn))
            continue;
        in_all++;
        if (++at_one[conn->listener] > origin->most_open_at_one)
            origin->most_open_at_one = at_one[conn->listener];
    }
    if (in_all > origin->most_open)
        origin->most_open = in_all;
}

static void accept_one(struct origin *origin, unsigned listener)
{
    const int fd =
        accept4(origin->listeners[listener], NULL, NULL, SOCK_CLOEXEC);
    struct connection *conn;

    if (fd < 0)
        return;
    conn = calloc(1, sizeof *conn);
    if (!conn)
        origin_die("memory");
    conn->origin = origin;
    conn->listener = listener;
    conn->fd = fd;
    pthread_mutex_lock(&origin->lock);
    conn->number = origin->connection_count++;
    conn->next = origin->connections;
    origin->connections = conn;
    if (pthread_create(&conn->thread, NULL, origin_talk, conn) != 0)
        origin_die("thread");
    count_open_locked(origin);
    pthread_mutex_unlock(&origin->lock);
}

static void *accept_all(void *user)
{
    struct origin *origin = user;
    struct pollfd waited[ORIGIN_LISTENERS_MAX + 1];
    const unsigned count = origin->listener_count;

    for (;;) {
        for (unsigned i = 0; i < count; i++)
            waited[i] = (struct pollfd){origin->listeners[i], POLLIN, 0};
        waited[count] = (struct pollfd){origin->wake_fd, POLLIN, 0};
        if (poll(waited, count + 1, -1) < 0)
            continue;
        if (waited[count].revents)
            return NULL;
        for (unsigned i = 0; i < count; i++) {
            if (waited[i].revents)
                accept_one(origin, i);
        }
    }
}

/* --- start --------------------------------------------------------------- */

/* The address of a listener to be; returns its length. */
static socklen_t make_address(struct origin *origin,
                              struct sockaddr_storage *addr)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    switch (origin->options.family) {
    case ORIGIN_IPV6:
        v6.sin6_addr = in6addr_loopback;
        memcpy(addr, &v6, sizeof v6);
        return sizeof v6;
    case ORIGIN_UNIX:
        strcpy(origin->folder, "/tmp/origin-XXXXXX");
        if (!mkdtemp(origin->folder))
            origin_die("temporary folder");
        snprintf(origin->path, sizeof origin->path, "%s/socket",
                 origin->folder);
        strcpy(local.sun_path, origin->path);
        memcpy(addr, &local, sizeof local);
        return sizeof local;
    case ORIGIN_IPV4:
        break;
    }
    v4.sin_addr.s_addr = origin->options.address
                             ? inet_addr(origin->options.address)
                             : htonl(INADDR_LOOPBACK);
    memcpy(addr, &v4, sizeof v4);
    return sizeof v4;
}

/* A backlog of 0 takes one connection; one more, and every SYN is dropped. */
static bool fill_backlog(struct origin *origin,
                         const struct sockaddr_storage *addr, socklen_t len)
{
    for (unsigned i = 0; i < 2; i++) {
        const int fd = socket(addr->ss_family,
                              SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
            return false;
        (void)!connect(fd, (const struct sockaddr *)addr, len);
        origin->fillers[i] = fd;
    }
    return true;
}

static bool open_listener(struct origin *origin)
{
    struct sockaddr_storage addr = {0};
    struct sockaddr *sa = (struct sockaddr *)&addr;
    socklen_t len = make_address(origin, &addr);
    const int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 bound; /* the port lies where sockaddr_in has it */

    if (fd < 0)
        return false;
    origin->listeners[origin->listener_count] = fd;
    if (bind(fd, sa, len) != 0 ||
        listen(fd, origin->options.never_accepts ? 0 : 128) != 0 ||
        getsockname(fd, sa, &len) != 0)
        return false;
    memcpy(&bound, &addr, sizeof bound);
    origin->ports[origin->listener_count++] = ntohs(bound.sin6_port);
    return !origin->options.never_accepts || fill_backlog(origin, &addr, len);
}

static bool set_up(struct origin *origin)
{
    const unsigned count =
        origin->options.listeners ? origin->options.listeners : 1;

    origin->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (origin->wake_fd < 0)
        return false;
    if (origin->options.certs) {
        origin->ctx = origin_new_ctx(&origin->options, origin->options.cert);
        if (!origin->ctx)
            return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!open_listener(origin))
            return false;
    }
    if (origin->options.never_accepts)
        return true;
    origin->has_thread =
        pthread_create(&origin->thread, NULL, accept_all, origin) == 0;
    return origin->has_thread;
}

struct origin *origin_start(const struct origin_options *options)
{
    struct origin *origin = calloc(1, sizeof *origin);

    if (!origin)
        origin_die("memory");
    if (options)
        origin->options = *options;
    pthread_mutex_init(&origin->lock, NULL);
    pthread_cond_init(&origin->changed, NULL);
    origin->fillers[0] = origin->fillers[1] = -1;
    if (set_up(origin))
        return origin;
    perror("origin");
    ERR_print_errors_fp(stderr);
    origin_stop(origin);
    return NULL;
}

/* --- stop ---------------------------------------------------------------- */

static void free_connection(struct connection *conn)
{
    for (unsigned i = 0; i < conn->request_count; i++) {
        free(conn->requests[i]->head);
        free(conn->requests[i]->body);
        free(conn->requests[i]);
    }
    free(conn->requests);
    free(conn->in);
    free(conn);
}

static void end_connections(struct origin *origin)
{
    struct connection *conn;

    pthread_mutex_lock(&origin->lock);
    origin->is_stopping = true;
    pthread_cond_broadcast(&origin->changed);
    for (conn = origin->connections; conn; conn = conn->next) {
        if (conn->fd >= 0)
            shutdown(conn->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&origin->lock);
    while ((conn = origin->connections) != NULL) {
        if (!conn->is_joined)
            pthread_join(conn->thread, NULL);
        origin->connections = conn->next;
        free_connection(conn);
    }
}

static void close_sockets(struct origin *origin)
{
    for (unsigned i = 0; i < origin->listener_count; i++)
        close(origin->listeners[i]);
    for (unsigned i = 0; i < 2; i++) {
        if (origin->fillers[i] >= 0)
            close(origin->fillers[i]);
    }
    if (origin->wake_fd >= 0)
        close(origin->wake_fd);
    if (origin->folder[0]) {
        unlink(origin->path);
        rmdir(origin->folder);
    }
}

void origin_stop(struct origin *origin)
{
    static const uint64_t one = 1;
    struct text *text;

    if (!origin)
        return;
    if (origin->has_thread) {
        if (write(origin->wake_fd, &one, sizeof one) != sizeof one)
            origin_die("eventfd");
        pthread_join(origin->thread, NULL);
    }
    end_connections(origin);
    close_sockets(origin);
    while ((text = origin->texts) != NULL) {
        origin->texts = text->next;
        free(text);
    }
    SSL_CTX_free(origin->ctx);
    pthread_cond_destroy(&origin->changed);
    pthread_mutex_destroy(&origin->lock);
    free(origin->scripts);
    free(origin);
}

/* --- what it does -------------------------------------------------------- */

void origin_script(struct origin *origin, unsigned number,
                   const struct origin_step *steps)
{
    pthread_mutex_lock(&origin->lock);
    if (number >= origin->script_count) {
        const size_t count = (size_t)number + 1;

        origin->scripts =
            realloc(origin->scripts, count * sizeof(origin->scripts[0]));
        if (!origin->scripts)
            origin_die("memory");
        while (origin->script_count < count)
            origin->scripts[origin->script_count++] = NULL;
    }
    origin->scripts[number] = steps;
    pthread_mutex_unlock(&origin->lock);
}

void origin_post(struct origin *origin, unsigned number)
{
    if (number >= ORIGIN_SIGNALS_MAX)
        origin_die("no such signal");
    pthread_mutex_lock(&origin->lock);
    origin->signals[number]++;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->lock);
}

/* Waits for a signal until `until`, or for ever if that is NULL. */
static bool await_until(struct origin *origin, unsigned number,
                        const struct timespec *until)
{
    bool is_raised;

    if (number >= ORIGIN_SIGNALS_MAX)
        origin_die("no such signal");
    pthread_mutex_lock(&origin->lock);
    while (!origin->signals[number] && !origin->is_stopping) {
        if (!until)
            pthread_cond_wait(&origin->changed, &origin->lock);
        else if (pthread_cond_clockwait(&origin->changed, &origin->lock,
                                        CLOCK_MONOTONIC, until) != 0)
            break;
    }
    is_raised = origin->signals[number] > 0;
    origin->signals[number] -= is_raised;
    pthread_mutex_unlock(&origin->lock);
    return is_raised;
}

bool origin_await(struct origin *origin, unsigned number)
{
    return await_until(origin, number, NULL);
}

bool origin_wait(struct origin *origin, unsigned number)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WAIT_S;
    return await_until(origin, number, &until);
}

/* --- what it is called --------------------------------------------------- */

const char *origin_url_of(struct origin *origin, const char *host,
                          const char *path)
{
    const size_t size = strlen(host) + strlen(path) + 32;
    struct text *text = malloc(sizeof *text + size);

    if (!text)
        origin_die("memory");
    snprintf(text->bytes, size, "%s://%s:%u%s",
             origin->options.certs ? "https" : "http", host,
             origin->folder[0] ? 80u : origin->ports[0], path);
    pthread_mutex_lock(&origin->lock);
    text->next = origin->texts;
    origin->texts = text;
    pthread_mutex_unlock(&origin->lock);
    return text->bytes;
}

const char *origin_url(struct origin *origin, const char *path)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost"};

    return origin_url_of(origin,
                         origin->options.address
                             ? origin->options.address
                             : hosts[origin->options.family],
                         path);
}

uint16_t origin_port(const struct origin *origin, unsigned listener)
{
    return origin->ports[listener];
}

const char *origin_path(const struct origin *origin)
{
    return origin->path;
}

/* --- accounts ------------------------------------------------------------ */

static unsigned look(struct origin *origin, const unsigned *figure)
{
    unsigned value;

    pthread_mutex_lock(&origin->lock);
    value = *figure;
    pthread_mutex_unlock(&origin->lock);
    return value;
}

unsigned origin_connections(struct origin *origin)
{
    return look(origin, &origin->connection_count);
}

unsigned origin_most_open(struct origin *origin)
{
    return look(origin, &origin->most_open);
}

unsigned origin_most_open_at_one(struct origin *origin)
{
    return look(origin, &origin->most_open_at_one);
}

unsigned origin_handshakes(struct origin *origin)
{
    return look(origin, &origin->handshakes);
}

unsigned origin_resumed(struct origin *origin)
{
    return look(origin, &origin->resumed);
}

unsigned origin_pipelined(struct origin *origin)
{
    return look(origin, &origin->pipelined);
}

static const struct connection *find_locked(const struct origin *origin,
                                            unsigned number)
{
    const struct connection *conn = origin->connections;

    while (conn && conn->number != number)
        conn = conn->next;
    return conn;
}

unsigned origin_requests(struct origin *origin, unsigned connection)
{
    const struct connection *conn;
    unsigned count;

    pthread_mutex_lock(&origin->lock);
    conn = find_locked(origin, connection);
    count = conn ? conn->request_count : 0;
    pthread_mutex_unlock(&origin->lock);
    return count;
}

unsigned origin_requests_in_all(struct origin *origin)
{
    const struct connection *conn;
    unsigned count = 0;

    pthread_mutex_lock(&origin->lock);
    for (conn = origin->connections; conn; conn = conn->next)
        count += conn->request_count;
    pthread_mutex_unlock(&origin->lock);
    return count;
}

const struct origin_request *origin_request(struct origin *origin,
                                            unsigned connection, unsigned index)
{
    const struct connection *conn;
    const struct origin_request *request = NULL;

    pthread_mutex_lock(&origin->lock);
    conn = find_locked(origin, connection);
    if (conn && index < conn->request_count)
        request = conn->requests[index];
    pthread_mutex_unlock(&origin->lock);
    return request;
}
