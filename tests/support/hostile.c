/* An attacking origin: its sockets, and the loop that serves them. */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "certs.h"
#include "hostile_inner.h"

enum {
    EVENTS = 128,
    READ_ROOM = 65536,
    HEAD_MAX = 65536
};

TAILQ_HEAD(conn_list, hostile_conn);

struct hostile {
    struct hostile_options options;
    SSL_CTX *ctx;
    int listener;
    int epoll;
    int wake;
    uint16_t port;
    pthread_t thread;
    uint64_t random;
    uint64_t numbers;
    char token[HOSTILE_TOKEN + 1]; /* of the request before */
    unsigned stalled;
    struct conn_list conns;
    struct conn_list gone; /* freed once no event can name them */

    atomic_uint_least64_t open;
    atomic_uint_least64_t requests;
    atomic_uint_least64_t pipelined;
    atomic_bool is_stopping;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t surprised; /* connection to be surprised; 0 = none */
    bool is_surprised;  /* it has been */
    bool was_there;
};

void hostile_die(const char *what)
{
    fprintf(stderr, "hostile origin: %s\n", what);
    abort();
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* xorshift64 */
static uint64_t choose(struct hostile *hostile)
{
    hostile->random ^= hostile->random << 13;
    hostile->random ^= hostile->random >> 7;
    hostile->random ^= hostile->random << 17;
    return hostile->random >> 8;
}

/* --- connections --------------------------------------------------------- */

static void drop(struct hostile *hostile, struct hostile_conn *conn,
                 enum hostile_end end)
{
    const struct linger at_once = {1, 0};

    if (conn->is_gone)
        return;
    if (conn->ssl && end == HOSTILE_CLOSE && conn->has_shaken)
        SSL_shutdown(conn->ssl);
    /* A child that was forked may have the descriptor too. */
    epoll_ctl(hostile->epoll, EPOLL_CTL_DEL, conn->fd, NULL);
    if (end == HOSTILE_ABORT)
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    else
        shutdown(conn->fd, SHUT_RDWR);
    close(conn->fd);
    if (conn->ssl)
        SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    conn->is_gone = true;
    if (conn->due_ms)
        hostile->stalled--;
    atomic_fetch_sub(&hostile->open, 1);
    TAILQ_REMOVE(&hostile->conns, conn, link);
    TAILQ_INSERT_TAIL(&hostile->gone, conn, link);
}

static void free_gone(struct hostile *hostile)
{
    struct hostile_conn *conn;

    while ((conn = TAILQ_FIRST(&hostile->gone)) != NULL) {
        TAILQ_REMOVE(&hostile->gone, conn, link);
        free(conn->in);
        free(conn->answer.bytes);
        free(conn);
    }
}

static void accept_one(struct hostile *hostile)
{
    const int one = 1;
    struct epoll_event event = {.events = EPOLLIN};
    struct hostile_conn *conn;
    int fd;

    /* Counted before it is there, so that no descriptor is when none is. */
    atomic_fetch_add(&hostile->open, 1);
    fd = accept4(hostile->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        atomic_fetch_sub(&hostile->open, 1);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conn = calloc(1, sizeof *conn);
    if (!conn)
        hostile_die("memory");
    conn->fd = fd;
    conn->number = ++hostile->numbers;
    if (hostile->ctx) {
        conn->ssl = SSL_new(hostile->ctx);
        if (!conn->ssl || SSL_set_fd(conn->ssl, fd) != 1)
            hostile_die("TLS");
        SSL_set_accept_state(conn->ssl);
    }
    TAILQ_INSERT_TAIL(&hostile->conns, conn, link);
    event.data.ptr = conn;
    if (epoll_ctl(hostile->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        hostile_die("epoll");
}

static void want_out(struct hostile *hostile, struct hostile_conn *conn,
                     bool wants)
{
    struct epoll_event event = {.events = EPOLLIN | (wants ? EPOLLOUT : 0u)};

    if (conn->wants_out == wants)
        return;
    conn->wants_out = wants;
    event.data.ptr = conn;
    epoll_ctl(hostile->epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

/* --- bytes --------------------------------------------------------------- */

/* Below 0: not now; 0: the end, or a failure. */
static long receive(struct hostile_conn *conn, char *at, size_t cap)
{
    long got;
    int error;

    if (!conn->ssl) {
        got = recv(conn->fd, at, cap, 0);
        if (got > 0)
            return got;
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : 0;
    }
    ERR_clear_error();
    got = SSL_read(conn->ssl, at, (int)cap);
    if (got > 0)
        return got;
    error = SSL_get_error(conn->ssl, (int)got);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1
                                                                         : 0;
}

static long transmit(struct hostile_conn *conn, const char *at, size_t len)
{
    long sent;
    int error;

    if (!conn->ssl) {
        sent = send(conn->fd, at, len, MSG_NOSIGNAL);
        if (sent > 0)
            return sent;
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    }
    ERR_clear_error();
    sent = SSL_write(conn->ssl, at, (int)len);
    if (sent > 0)
        return sent;
    error = SSL_get_error(conn->ssl, (int)sent);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? -1
                                                                         : 0;
}

/* --- answering ----------------------------------------------------------- */

/* How much the next write may have: whole segments end at the cuts. */
static size_t next_stretch(const struct hostile_answer *answer)
{
    size_t end = answer->len;

    for (unsigned i = answer->cut_count; i > 0; i--) {
        if (answer->cuts[i - 1] > answer->sent)
            end = answer->cuts[i - 1];
    }
    if (answer->piece && end - answer->sent > answer->piece)
        return answer->piece;
    return end - answer->sent;
}

/* A last stretch that holds a second response goes out whole, so it waits until
 * there is room. */
static bool must_wait(const struct hostile_conn *conn)
{
    const struct hostile_answer *answer = &conn->answer;
    int left = 0;

    return answer->cut_count > 0 &&
           answer->sent >= answer->cuts[answer->cut_count - 1] &&
           ioctl(conn->fd, SIOCOUTQ, &left) == 0 && left > 0;
}

/* One write; the next one when the loop comes round again. */
static void go_on_answering(struct hostile *hostile, struct hostile_conn *conn)
{
    struct hostile_answer *answer = &conn->answer;

    if (answer->sent < answer->len && !must_wait(conn)) {
        const long sent =
            transmit(conn, answer->bytes + answer->sent, next_stretch(answer));

        if (sent == 0) {
            drop(hostile, conn, HOSTILE_CLOSE);
            return;
        }
        if (sent > 0)
            answer->sent += (size_t)sent;
        /* The kernel took less than a segment, and what would follow now comes
         * late: when it does, nobody could tell it from the next answer. */
        if (answer->evil_at && answer->sent == answer->evil_at)
            answer->len = answer->evil_at;
    }
    if (answer->sent < answer->len) {
        want_out(hostile, conn, true);
        return;
    }
    want_out(hostile, conn, false);
    conn->has_answer = false;
    conn->is_asked = conn->body_left > 0;
    if (answer->end != HOSTILE_KEEP)
        drop(hostile, conn, answer->end);
}

static void answer(struct hostile *hostile, struct hostile_conn *conn)
{
    if (conn->request.way < HOSTILE_WAY_COUNT)
        hostile_compose(&conn->answer, &conn->request, conn->number,
                        choose(hostile));
    else
        hostile_compose_course(&conn->answer, &conn->request,
                               hostile->options.onward);
    conn->has_answer = true;
    go_on_answering(hostile, conn);
}

/* The request is in, or its head is and the answer does not wait for more. */
static void asked(struct hostile *hostile, struct hostile_conn *conn)
{
    if (conn->request.way == HOSTILE_STALL) {
        conn->due_ms = now_ms() + HOSTILE_STALL_MS;
        hostile->stalled++;
    } else {
        answer(hostile, conn);
    }
}

static void end_stalls(struct hostile *hostile)
{
    const uint64_t now = now_ms();
    struct hostile_conn *conn;
    struct hostile_conn *next;

    for (conn = TAILQ_FIRST(&hostile->conns); conn; conn = next) {
        next = TAILQ_NEXT(conn, link);
        if (!conn->due_ms || conn->due_ms > now)
            continue;
        conn->due_ms = 0;
        hostile->stalled--;
        answer(hostile, conn);
    }
}

/* --- requests ------------------------------------------------------------ */

static void take(struct hostile_conn *conn, size_t len)
{
    conn->in_len -= len;
    memmove(conn->in, conn->in + len, conn->in_len);
}

/* Passes over what has come of the request's body.  true: all of it. */
static bool take_body(struct hostile_conn *conn)
{
    const size_t len =
        conn->in_len < conn->body_left ? conn->in_len : conn->body_left;

    take(conn, len);
    conn->body_left -= len;
    return conn->body_left == 0;
}

static void note_token(struct hostile *hostile, struct hostile_request *request)
{
    request->is_first = strcmp(request->token, hostile->token) != 0;
    strcpy(hostile->token, request->token);
}

static void take_requests(struct hostile *hostile, struct hostile_conn *conn)
{
    while (!conn->is_gone && conn->in_len > 0) {
        char *end;

        if (conn->body_left > 0) {
            const bool is_answered = conn->request.way == HOSTILE_EARLY;

            if (!take_body(conn))
                return;
            if (!is_answered)
                asked(hostile, conn);
            else if (!conn->has_answer)
                conn->is_asked = false;
            continue;
        }
        if (conn->is_asked) {
            atomic_fetch_add(&hostile->pipelined, 1);
            drop(hostile, conn, HOSTILE_ABORT);
            return;
        }
        end = memmem(conn->in, conn->in_len, "\r\n\r\n", 4);
        if (!end) {
            if (conn->in_len > HEAD_MAX)
                hostile_die("a head is too long");
            return;
        }
        end[2] = '\0';
        atomic_fetch_add(&hostile->requests, 1);
        conn->body_left = hostile_read_request(&conn->request, conn->in);
        note_token(hostile, &conn->request);
        conn->is_asked = true;
        take(conn, (size_t)(end - conn->in) + 4);
        if (conn->body_left == 0 || conn->request.way == HOSTILE_EARLY)
            asked(hostile, conn);
    }
}

static void on_readable(struct hostile *hostile, struct hostile_conn *conn)
{
    long got;

    if (conn->in_cap - conn->in_len < READ_ROOM) {
        conn->in_cap = conn->in_len + 2 * READ_ROOM;
        conn->in = realloc(conn->in, conn->in_cap);
        if (!conn->in)
            hostile_die("memory");
    }
    do {
        got = receive(conn, conn->in + conn->in_len, READ_ROOM);
        if (got == 0)
            drop(hostile, conn, HOSTILE_CLOSE);
        if (got <= 0)
            return;
        conn->has_shaken = true;
        conn->in_len += (size_t)got;
        take_requests(hostile, conn);
    } while (!conn->is_gone && conn->ssl && SSL_pending(conn->ssl) > 0 &&
             conn->in_cap - conn->in_len >= READ_ROOM);
}

/* --- surprises ----------------------------------------------------------- */

/* Until the peer's kernel has acknowledged it, so it is there to be read; or
 * the peer has reset the connection, which acknowledges nothing. */
static void await_arrival(const struct hostile_conn *conn)
{
    struct pollfd ended = {conn->fd, 0, 0};
    int left = 1;

    while (ioctl(conn->fd, SIOCOUTQ, &left) == 0 && left > 0 &&
           poll(&ended, 1, 0) == 0)
        sched_yield();
}

static void surprise(struct hostile *hostile)
{
    struct hostile_conn *conn;

    pthread_mutex_lock(&hostile->lock);
    if (hostile->surprised && !hostile->is_surprised) {
        TAILQ_FOREACH (conn, &hostile->conns, link) {
            if (conn->number == hostile->surprised)
                break;
        }
        hostile->was_there = conn && !conn->is_asked;
        if (hostile->was_there) {
            hostile_compose_evil(&conn->answer, &conn->request);
            hostile->was_there =
                transmit(conn, conn->answer.bytes, conn->answer.len) > 0;
            await_arrival(conn);
        }
        hostile->is_surprised = true;
        pthread_cond_broadcast(&hostile->changed);
    }
    pthread_mutex_unlock(&hostile->lock);
}

static void wake(const struct hostile *hostile)
{
    static const uint64_t one = 1;

    if (write(hostile->wake, &one, sizeof one) != sizeof one)
        hostile_die("eventfd");
}

bool hostile_surprise(struct hostile *hostile, uint64_t connection)
{
    bool was_there;

    pthread_mutex_lock(&hostile->lock);
    while (hostile->surprised)
        pthread_cond_wait(&hostile->changed, &hostile->lock);
    hostile->surprised = connection;
    hostile->is_surprised = false;
    wake(hostile);
    while (!hostile->is_surprised)
        pthread_cond_wait(&hostile->changed, &hostile->lock);
    was_there = hostile->was_there;
    hostile->surprised = 0;
    pthread_cond_broadcast(&hostile->changed);
    pthread_mutex_unlock(&hostile->lock);
    return was_there;
}

/* --- the loop ------------------------------------------------------------ */

static void handle(struct hostile *hostile, const struct epoll_event *event)
{
    struct hostile_conn *conn = event->data.ptr;
    uint64_t count;

    if (event->data.ptr == &hostile->listener) {
        accept_one(hostile);
    } else if (event->data.ptr == &hostile->wake) {
        (void)!read(hostile->wake, &count, sizeof count);
        surprise(hostile);
    } else if (!conn->is_gone) {
        if (event->events & EPOLLOUT)
            go_on_answering(hostile, conn);
        if (!conn->is_gone && event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            on_readable(hostile, conn);
    }
}

static void *serve(void *user)
{
    struct hostile *hostile = user;
    struct epoll_event events[EVENTS];
    sigset_t pipe_signal;

    /* OpenSSL writes without MSG_NOSIGNAL. */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    if (hostile->options.on_thread)
        hostile->options.on_thread();
    while (!atomic_load(&hostile->is_stopping)) {
        const int count = epoll_wait(hostile->epoll, events, EVENTS,
                                     hostile->stalled ? 2 : -1);

        for (int i = 0; i < count; i++)
            handle(hostile, &events[i]);
        if (hostile->stalled)
            end_stalls(hostile);
        free_gone(hostile);
    }
    return NULL;
}

/* --- life ---------------------------------------------------------------- */

static bool set_up_tls(struct hostile *hostile)
{
    const char *certs = hostile->options.certs;
    char path[512];

    if (!certs)
        return true;
    hostile->ctx = SSL_CTX_new(TLS_server_method());
    if (!hostile->ctx)
        return false;
    SSL_CTX_set_session_id_context(hostile->ctx,
                                   (const unsigned char *)"hostile", 7);
    SSL_CTX_set_mode(hostile->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return SSL_CTX_use_certificate_chain_file(
               hostile->ctx,
               certs_path(certs, "server.pem", path, sizeof path)) == 1 &&
           SSL_CTX_use_PrivateKey_file(
               hostile->ctx, certs_path(certs, "server.key", path, sizeof path),
               SSL_FILETYPE_PEM) == 1;
}

static bool watch(struct hostile *hostile, int *fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};

    return epoll_ctl(hostile->epoll, EPOLL_CTL_ADD, *fd, &event) == 0;
}

static bool set_up(struct hostile *hostile)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;

    addr.sin_addr.s_addr =
        htonl(hostile->options.is_everywhere ? INADDR_ANY : INADDR_LOOPBACK);
    hostile->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    hostile->epoll = epoll_create1(EPOLL_CLOEXEC);
    hostile->wake = eventfd(0, EFD_CLOEXEC);
    if (hostile->listener < 0 || hostile->epoll < 0 || hostile->wake < 0 ||
        !set_up_tls(hostile) ||
        bind(hostile->listener, (struct sockaddr *)&addr, len) != 0 ||
        listen(hostile->listener, 1024) != 0 ||
        getsockname(hostile->listener, (struct sockaddr *)&addr, &len) != 0)
        return false;
    hostile->port = ntohs(addr.sin_port);
    return watch(hostile, &hostile->listener) &&
           watch(hostile, &hostile->wake) &&
           pthread_create(&hostile->thread, NULL, serve, hostile) == 0;
}

struct hostile *hostile_start(const struct hostile_options *options)
{
    struct hostile *hostile = calloc(1, sizeof *hostile);

    if (!hostile)
        hostile_die("memory");
    hostile->options = *options;
    hostile->random = options->seed ? options->seed : 1;
    TAILQ_INIT(&hostile->conns);
    TAILQ_INIT(&hostile->gone);
    pthread_mutex_init(&hostile->lock, NULL);
    pthread_cond_init(&hostile->changed, NULL);
    if (set_up(hostile))
        return hostile;
    perror("hostile origin");
    ERR_print_errors_fp(stderr);
    abort();
}

void hostile_stop(struct hostile *hostile)
{
    if (!hostile)
        return;
    atomic_store(&hostile->is_stopping, true);
    wake(hostile);
    pthread_join(hostile->thread, NULL);
    while (!TAILQ_EMPTY(&hostile->conns))
        drop(hostile, TAILQ_FIRST(&hostile->conns), HOSTILE_ABORT);
    free_gone(hostile);
    close(hostile->listener);
    close(hostile->epoll);
    close(hostile->wake);
    SSL_CTX_free(hostile->ctx);
    pthread_cond_destroy(&hostile->changed);
    pthread_mutex_destroy(&hostile->lock);
    free(hostile);
}

uint16_t hostile_port(const struct hostile *hostile)
{
    return hostile->port;
}

uint64_t hostile_open(struct hostile *hostile)
{
    return atomic_load(&hostile->open);
}

uint64_t hostile_requests(struct hostile *hostile)
{
    return atomic_load(&hostile->requests);
}

uint64_t hostile_pipelined(struct hostile *hostile)
{
    return atomic_load(&hostile->pipelined);
}
