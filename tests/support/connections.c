#include "connections.h"

#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

enum {
    FDS_MAX = 4096,
    PORTS = 65536
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static in_port_t ports[FDS_MAX]; /* each descriptor's; 0: no connection */
static unsigned held_at_one[PORTS];
static unsigned held;
static unsigned most;
static unsigned most_at_one;

static unsigned most_of(unsigned known, unsigned now)
{
    return now > known ? now : known;
}

static void note(int fd, in_port_t port)
{
    pthread_mutex_lock(&lock);
    ports[fd] = port;
    most = most_of(most, ++held);
    most_at_one = most_of(most_at_one, ++held_at_one[port]);
    pthread_mutex_unlock(&lock);
}

static void forget(int fd)
{
    pthread_mutex_lock(&lock);
    if (ports[fd]) {
        held--;
        held_at_one[ports[fd]]--;
        ports[fd] = 0;
    }
    pthread_mutex_unlock(&lock);
}

int __real_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len);
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_in to;

    if (fd >= 0 && fd < FDS_MAX && addr->sa_family == AF_INET) {
        memcpy(&to, addr, sizeof to);
        note(fd, to.sin_port);
    }
    return __real_connect(fd, addr, len);
}

int __wrap_close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX)
        forget(fd);
    return __real_close(fd);
}

void connections_forget_most(void)
{
    pthread_mutex_lock(&lock);
    most = held;
    most_at_one = 0;
    pthread_mutex_unlock(&lock);
}

unsigned connections_most(void)
{
    pthread_mutex_lock(&lock);
    const unsigned answer = most;
    pthread_mutex_unlock(&lock);
    return answer;
}

unsigned connections_most_at_one(void)
{
    pthread_mutex_lock(&lock);
    const unsigned answer = most_at_one;
    pthread_mutex_unlock(&lock);
    return answer;
}
