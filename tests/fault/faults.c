#include "faults.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

enum {
    FDS_MAX = 4096,
    STAYS_BEHIND = 200
};

enum mode {
    MODE_OFF,
    MODE_RANDOM,
    MODE_NTH
};

/* What is registered for edges, and where descriptors lead. */
static struct {
    int epoll; /* 0 = not registered */
    struct epoll_event event;
    in_port_t port;
} known[FDS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool is_spared;
static atomic_int mode;
static atomic_uint_least64_t seed;
static atomic_uint_least64_t draws;
static atomic_uint_least64_t made;
static atomic_int whole_port;
static atomic_uint_least64_t calls[FAULTS_CALL_COUNT];
static atomic_int chosen_call;
static atomic_uint_least64_t chosen_nth;
static atomic_int chosen_error;

const char *faults_name(enum faults_call call)
{
    static const char *const names[] = {
#define FAULTS_X(name) #name,
        FAULTS_CALLS(FAULTS_X)
#undef FAULTS_X
    };

    return names[call];
}

void faults_begin(uint64_t new_seed)
{
    atomic_store(&seed, new_seed);
    atomic_store(&draws, 0);
    atomic_store(&mode, MODE_RANDOM);
}

void faults_read_whole(uint16_t port)
{
    atomic_store(&whole_port, htons(port));
}

void faults_fail_at(enum faults_call call, uint64_t nth, int error)
{
    atomic_store(&mode, MODE_OFF);
    for (unsigned i = 0; i < FAULTS_CALL_COUNT; i++)
        atomic_store(&calls[i], 0);
    atomic_store(&chosen_call, (int)call);
    atomic_store(&chosen_nth, nth);
    atomic_store(&chosen_error, error);
    atomic_store(&mode, MODE_NTH);
}

void faults_end(void)
{
    atomic_store(&mode, MODE_OFF);
}

uint64_t faults_calls(enum faults_call call)
{
    return atomic_load(&calls[call]);
}

uint64_t faults_made(void)
{
    return atomic_load(&made);
}

void faults_spare_thread(void)
{
    is_spared = true;
}

/* --- deciding ------------------------------------------------------------ */

/* One error in so many calls; 0 ends the list. */
struct chance {
    unsigned one_in;
    int error;
};

/* splitmix64 of the next number */
static uint64_t draw(void)
{
    uint64_t z = atomic_load(&seed) +
                 (atomic_fetch_add(&draws, 1) + 1) * 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* What becomes of this call: 0 = nothing, FAULTS_SHORT, or an errno. */
static int decide(enum faults_call call, const struct chance *chances)
{
    const int now = is_spared ? MODE_OFF : atomic_load(&mode);

    if (now == MODE_NTH) {
        const uint64_t number = atomic_fetch_add(&calls[call], 1) + 1;

        if ((int)call != atomic_load(&chosen_call) ||
            number != atomic_load(&chosen_nth))
            return 0;
        atomic_fetch_add(&made, 1);
        return atomic_load(&chosen_error);
    }
    for (; now == MODE_RANDOM && chances->one_in; chances++) {
        if (draw() % chances->one_in == 0) {
            atomic_fetch_add(&made, 1);
            return chances->error;
        }
    }
    return 0;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

static bool is_datagram(int fd)
{
    int type = 0;
    socklen_t len = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_DGRAM;
}

/* A connection that is lost is lost for what comes after, too. */
static int fail_on(int fd, int error)
{
    if ((error == ECONNRESET || error == EPIPE) && !is_datagram(fd))
        shutdown(fd, SHUT_RDWR);
    return fail(error);
}

static bool is_known(int fd)
{
    return fd >= 0 && fd < FDS_MAX;
}

int __real_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);

/* There is more than was told: the edge comes again, as it would if that had
 * come only now. */
static void tell_again(int fd)
{
    const int error = errno;

    if (!is_known(fd))
        return;
    pthread_mutex_lock(&lock);
    if (known[fd].epoll)
        __real_epoll_ctl(known[fd].epoll, EPOLL_CTL_MOD, fd, &known[fd].event);
    pthread_mutex_unlock(&lock);
    errno = error;
}

static bool must_be_whole(int fd)
{
    bool is_whole = false;

    if (is_known(fd)) {
        pthread_mutex_lock(&lock);
        is_whole = known[fd].port && known[fd].port == atomic_load(&whole_port);
        pthread_mutex_unlock(&lock);
    }
    return is_whole;
}

/* --- the calls ----------------------------------------------------------- */

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);

int __wrap_socket(int family, int type, int protocol)
{
    static const struct chance chances[] = {
        {4000, EMFILE}, {4000, ENOBUFS}, {0, 0}};
    const int error = decide(FAULTS_socket, chances);

    return error > 0 ? fail(error) : __real_socket(family, type, protocol);
}

int __real_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);

int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    static const struct chance chances[] = {
        {100, EINTR}, {4000, ENOBUFS}, {4000, EADDRNOTAVAIL}, {0, 0}};
    const int error = decide(FAULTS_connect, chances);
    struct sockaddr_in to;

    if (is_known(fd) && addr->sa_family == AF_INET) {
        memcpy(&to, addr, sizeof to);
        pthread_mutex_lock(&lock);
        known[fd].port = to.sin_port;
        pthread_mutex_unlock(&lock);
    }
    if (error == EINTR) { /* it goes on by itself */
        if (__real_connect(fd, addr, len) == 0 || errno == EINPROGRESS)
            return fail(EINTR);
        return -1;
    }
    return error > 0 ? fail(error) : __real_connect(fd, addr, len);
}

ssize_t __real_recv(int fd, void *buf, size_t cap, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t cap, int flags);

/* At random something stays behind that is as long as a short response: bytes
 * that came in one segment with the end of a response are there when that is.
 */
static ssize_t receive_less(int fd, void *buf, size_t cap, int flags)
{
    ssize_t there;

    if (atomic_load(&mode) != MODE_RANDOM)
        return __real_recv(fd, buf, cap > 0 ? 1 : cap, flags);
    there = __real_recv(fd, buf, cap, flags | MSG_PEEK);
    if (there <= STAYS_BEHIND)
        return __real_recv(fd, buf, cap, flags);
    return __real_recv(fd, buf, 1 + draw() % (uint64_t)(there - STAYS_BEHIND),
                       flags);
}

ssize_t __wrap_recv(int fd, void *buf, size_t cap, int flags)
{
    static const struct chance waiting[] = {{64, EINTR},
                                            {64, EAGAIN},
                                            {32, FAULTS_SHORT},
                                            {30000, ECONNRESET},
                                            {0, 0}};
    static const struct chance not_waiting[] = {
        {32, FAULTS_SHORT}, {30000, ECONNRESET}, {0, 0}};
    const bool waits = !(flags & MSG_DONTWAIT);
    int error;
    ssize_t got;

    if (flags & MSG_PEEK)
        return __real_recv(fd, buf, cap, flags);
    error = decide(FAULTS_recv, waits ? waiting : not_waiting);
    if (error == FAULTS_SHORT && !waits && must_be_whole(fd))
        error = 0;
    if (error > 0) {
        tell_again(fd);
        return fail_on(fd, error);
    }
    if (error != FAULTS_SHORT)
        return __real_recv(fd, buf, cap, flags);
    got = receive_less(fd, buf, cap, flags);
    tell_again(fd);
    return got;
}

ssize_t __real_recvfrom(int fd, void *buf, size_t cap, int flags,
                        struct sockaddr *addr, socklen_t *len);
ssize_t __wrap_recvfrom(int fd, void *buf, size_t cap, int flags,
                        struct sockaddr *addr, socklen_t *len);

/* Who asks names; nobody of those waits in it. */
ssize_t __wrap_recvfrom(int fd, void *buf, size_t cap, int flags,
                        struct sockaddr *addr, socklen_t *len)
{
    static const struct chance chances[] = {{0, 0}};
    const int error = decide(FAULTS_recvfrom, chances);

    if (error > 0)
        return fail_on(fd, error);
    if (error == FAULTS_SHORT && cap > 0 && !is_datagram(fd))
        cap = 1;
    return __real_recvfrom(fd, buf, cap, flags, addr, len);
}

ssize_t __wrap___recvfrom_chk(int fd, void *buf, size_t cap, size_t room,
                              int flags, struct sockaddr *addr, socklen_t *len);

ssize_t __wrap___recvfrom_chk(int fd, void *buf, size_t cap, size_t room,
                              int flags, struct sockaddr *addr, socklen_t *len)
{
    (void)room;
    return __wrap_recvfrom(fd, buf, cap, flags, addr, len);
}

static const struct chance sending[] = {{64, EAGAIN},       {64, EINTR},
                                        {32, FAULTS_SHORT}, {30000, ECONNRESET},
                                        {30000, EPIPE},     {0, 0}};

ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
    const int error = decide(FAULTS_send, sending);
    ssize_t sent;

    if (error > 0) {
        tell_again(fd);
        return fail_on(fd, error);
    }
    sent =
        __real_send(fd, buf, error == FAULTS_SHORT && len > 0 ? 1 : len, flags);
    if (error == FAULTS_SHORT)
        tell_again(fd);
    return sent;
}

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    const int error = decide(FAULTS_sendmsg, sending);
    ssize_t sent;

    if (error > 0) {
        tell_again(fd);
        return fail_on(fd, error);
    }
    if (error != FAULTS_SHORT || message->msg_iovlen == 0 ||
        message->msg_iov[0].iov_len == 0 || is_datagram(fd))
        return __real_sendmsg(fd, message, flags);
    sent = __real_send(fd, message->msg_iov[0].iov_base, 1, flags);
    tell_again(fd);
    return sent;
}

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms,
                      size_t len);

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    static const struct chance chances[] = {{64, EINTR}, {0, 0}};
    const int error = decide(FAULTS_poll, chances);

    return error > 0 ? fail(error) : __real_poll(fds, count, timeout_ms);
}

/* What a fortified build calls. */
int __wrap___poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms,
                      size_t len)
{
    (void)len;
    return __wrap_poll(fds, count, timeout_ms);
}

int __real_epoll_create1(int flags);
int __wrap_epoll_create1(int flags);

int __wrap_epoll_create1(int flags)
{
    static const struct chance chances[] = {{0, 0}};
    const int error = decide(FAULTS_epoll_create1, chances);

    return error > 0 ? fail(error) : __real_epoll_create1(flags);
}

int __wrap_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    static const struct chance chances[] = {
        {4000, ENOMEM}, {4000, ENOSPC}, {0, 0}};
    const int error =
        op == EPOLL_CTL_ADD ? decide(FAULTS_epoll_ctl, chances) : 0;
    int result;

    if (error > 0)
        return fail(error);
    if (!is_known(fd))
        return __real_epoll_ctl(epoll, op, fd, event);
    pthread_mutex_lock(&lock);
    result = __real_epoll_ctl(epoll, op, fd, event);
    if (op == EPOLL_CTL_DEL) {
        known[fd].epoll = 0;
    } else if (result == 0 && event->events & EPOLLET) {
        known[fd].epoll = epoll;
        known[fd].event = *event;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int __real_epoll_wait(int epoll, struct epoll_event *events, int max,
                      int timeout_ms);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max,
                      int timeout_ms);

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int max,
                      int timeout_ms)
{
    static const struct chance chances[] = {{64, EINTR}, {0, 0}};
    const int error = decide(FAULTS_epoll_wait, chances);

    return error > 0 ? fail(error)
                     : __real_epoll_wait(epoll, events, max, timeout_ms);
}

int __real_eventfd(unsigned value, int flags);
int __wrap_eventfd(unsigned value, int flags);

int __wrap_eventfd(unsigned value, int flags)
{
    static const struct chance chances[] = {{200, EMFILE}, {0, 0}};
    const int error = decide(FAULTS_eventfd, chances);

    return error > 0 ? fail(error) : __real_eventfd(value, flags);
}

int __real_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t len);

int __wrap_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t len)
{
    static const struct chance chances[] = {{0, 0}};
    const int error = decide(FAULTS_setsockopt, chances);

    return error > 0 ? fail(error)
                     : __real_setsockopt(fd, level, name, value, len);
}

int __real_close(int fd);
int __wrap_close(int fd);

/* A close that fails has closed all the same. */
int __wrap_close(int fd)
{
    static const struct chance chances[] = {{64, EINTR}, {0, 0}};
    const int error = decide(FAULTS_close, chances);
    int result;

    if (is_known(fd)) {
        pthread_mutex_lock(&lock);
        known[fd].epoll = 0;
        known[fd].port = 0;
        pthread_mutex_unlock(&lock);
    }
    result = __real_close(fd);
    return error > 0 ? fail(error) : result;
}

ssize_t __real_getrandom(void *buf, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags);

ssize_t __wrap_getrandom(void *buf, size_t len, unsigned flags)
{
    static const struct chance chances[] = {
        {4, EINTR}, {8, FAULTS_SHORT}, {0, 0}};
    const int error = decide(FAULTS_getrandom, chances);

    if (error > 0)
        return fail(error);
    return __real_getrandom(buf, error == FAULTS_SHORT ? 1 : len, flags);
}
