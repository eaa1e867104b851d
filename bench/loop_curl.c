/* libcurl: many easy handles in flight through its multi interface, with
 * curl_multi_socket_action() on epoll, the fastest way that it has. */
#include <sys/epoll.h>

#include "curl.h"

enum {
    EVENTS = 256
};

struct curl_flight {
    CURLM *multi;
    CURL **handles;
    int epoll;
    int timeout_ms; /* -1 = none */
    const struct client_args *args;
    long begun;
    long ended;
    long wanted;
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user,
                     void *known)
{
    struct curl_flight *flight = user;
    struct epoll_event event = {
        .events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
                  (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0),
        .data.fd = fd,
    };

    (void)easy;
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(flight->epoll, EPOLL_CTL_DEL, fd, NULL);
    else
        epoll_ctl(flight->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd,
                  &event);
    curl_multi_assign(flight->multi, fd,
                      what == CURL_POLL_REMOVE ? NULL : flight);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct curl_flight *flight = user;

    (void)multi;
    flight->timeout_ms = (int)timeout_ms;
    return 0;
}

static void begin(struct curl_flight *flight, CURL *easy)
{
    flight->begun++;
    curl_multi_add_handle(flight->multi, easy);
}

static void take_ended(struct curl_flight *flight)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(flight->multi, &left)) != NULL) {
        CURL *easy = message->easy_handle;

        curl_client_check(easy, message->data.result);
        curl_multi_remove_handle(flight->multi, easy);
        flight->ended++;
        if (flight->begun < flight->wanted)
            begin(flight, easy);
    }
}

static void turn(struct curl_flight *flight)
{
    struct epoll_event events[EVENTS];
    const int ready =
        epoll_wait(flight->epoll, events, EVENTS, flight->timeout_ms);
    int running;

    for (int i = 0; i < ready; i++)
        curl_multi_socket_action(
            flight->multi, events[i].data.fd,
            (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
            &running);
    if (ready == 0)
        curl_multi_socket_action(flight->multi, CURL_SOCKET_TIMEOUT, 0,
                                 &running);
    take_ended(flight);
}

static void run(void *user, long count)
{
    struct curl_flight *flight = user;

    flight->begun = 0;
    flight->ended = 0;
    flight->wanted = count;
    for (unsigned i = 0; i < flight->args->count && i < (unsigned long)count;
         i++)
        begin(flight, flight->handles[i]);
    while (flight->ended < count)
        turn(flight);
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 64);
    struct curl_flight flight = {.args = &args, .timeout_ms = -1};
    int exit_code;

    curl_global_init(CURL_GLOBAL_ALL);
    flight.epoll = epoll_create1(EPOLL_CLOEXEC);
    flight.multi = curl_multi_init();
    flight.handles = calloc(args.count, sizeof(CURL *));
    curl_multi_setopt(flight.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(flight.multi, CURLMOPT_SOCKETDATA, &flight);
    curl_multi_setopt(flight.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(flight.multi, CURLMOPT_TIMERDATA, &flight);
    curl_multi_setopt(flight.multi, CURLMOPT_MAXCONNECTS, (long)args.count);
    for (unsigned i = 0; i < args.count; i++)
        flight.handles[i] = curl_client_easy(&args);
    exit_code = client_run_many(&args, run, &flight);
    for (unsigned i = 0; i < args.count; i++)
        curl_easy_cleanup(flight.handles[i]);
    curl_multi_cleanup(flight.multi);
    curl_global_cleanup();
    return exit_code;
}
