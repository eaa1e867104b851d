/* The floor of an event loop: many connections over one epoll descriptor,
 * registered once, edge-triggered; each sends, reads, parses the least, and
 * sends again.  TLS reads ahead. */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "floor.h"

enum {
    ROOM = 1 << 16,
    EVENTS = 256
};

struct link {
    struct floor_link link;
    struct floor_answer answer;
};

struct floor_flight {
    struct floor_peer peer;
    int epoll;
    struct link *links;
    const struct client_args *args;
    long begun;
    long ended;
    long wanted;
    char in[ROOM];
};

static void send_next(struct floor_flight *flight, struct link *link)
{
    flight->begun++;
    link->answer.want = 0;
    link->answer.got = 0;
    floor_send(&flight->peer, &link->link);
}

static bool would_block(const struct link *link, ssize_t got)
{
    if (link->link.ssl)
        return SSL_get_error(link->link.ssl, (int)got) == SSL_ERROR_WANT_READ;
    return got < 0 && errno == EAGAIN;
}

static void on_event(struct floor_flight *flight, struct link *link)
{
    bool is_whole;

    do {
        const ssize_t got = floor_read(&link->link, flight->in, ROOM);

        if (got <= 0 && would_block(link, got))
            return;
        if (got <= 0)
            client_die("floor: read");
        is_whole = floor_take(&link->answer, flight->in, (size_t)got);
        if (!is_whole && !link->link.ssl && got < ROOM)
            return; /* the socket is empty */
    } while (!is_whole);
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
    for (unsigned i = 0; i < flight->args->count && i < (unsigned long)count;
         i++)
        send_next(flight, &flight->links[i]);
    while (flight->ended < count) {
        const int ready = epoll_wait(flight->epoll, events, EVENTS, -1);

        for (int i = 0; i < ready; i++)
            on_event(flight, events[i].data.ptr);
    }
}

int main(int argc, char **argv)
{
    static struct floor_flight flight;
    const struct client_args args = client_args(argc, argv, 64);

    flight.args = &args;
    floor_peer_init(&flight.peer, &args);
    flight.epoll = epoll_create1(EPOLL_CLOEXEC);
    flight.links = calloc(args.count, sizeof *flight.links);
    for (unsigned i = 0; i < args.count; i++) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = &flight.links[i]};
        struct floor_link *link = &flight.links[i].link;

        floor_connect(&flight.peer, link);
        fcntl(link->fd, F_SETFL, O_NONBLOCK);
        epoll_ctl(flight.epoll, EPOLL_CTL_ADD, link->fd, &event);
    }
    return client_run_many(&args, run, &flight);
}
