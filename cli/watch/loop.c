/* The main loop over epoll. */
#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "../cli.h"

#define NS_PER_MS UINT64_C(1000000)

enum {
    BATCH = 64
};

struct watch_source {
    struct watch_source_options options;
    struct watch_loop *loop;
    bool is_removed; /* freed once no event of this turn can name it */
    TAILQ_ENTRY(watch_source) link;
};

struct watch_loop {
    int epoll;
    uint64_t now_ns;
    unsigned depth; /* turns under way: a callback may take one */
    TAILQ_HEAD(, watch_source) sources;
};

static uint64_t read_clock(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

struct watch_loop *watch_loop_new(void)
{
    struct watch_loop *loop = cli_alloc(sizeof *loop);

    TAILQ_INIT(&loop->sources);
    loop->now_ns = read_clock();
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll >= 0)
        return loop;
    cli_complain("main loop: %s", strerror(errno));
    free(loop);
    return NULL;
}

static void sweep(struct watch_loop *loop)
{
    struct watch_source *source;
    struct watch_source *next;

    for (source = TAILQ_FIRST(&loop->sources); source; source = next) {
        next = TAILQ_NEXT(source, link);
        if (source->is_removed) {
            TAILQ_REMOVE(&loop->sources, source, link);
            free(source);
        }
    }
}

void watch_loop_free(struct watch_loop *loop)
{
    struct watch_source *source;

    if (!loop)
        return;
    TAILQ_FOREACH (source, &loop->sources, link)
        source->is_removed = true;
    sweep(loop);
    close(loop->epoll);
    free(loop);
}

struct watch_source *watch_loop_add(struct watch_loop *loop,
                                    const struct watch_source_options *options)
{
    struct watch_source *source = cli_alloc(sizeof *source);
    struct epoll_event event = {.events = options->events};

    event.data.ptr = source;
    if (options->fd >= 0 &&
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, options->fd, &event) != 0) {
        free(source);
        return NULL;
    }
    source->options = *options;
    source->loop = loop;
    TAILQ_INSERT_TAIL(&loop->sources, source, link);
    return source;
}

void watch_source_set_events(struct watch_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events};

    if (source->options.events == events || source->options.fd < 0)
        return;
    source->options.events = events;
    event.data.ptr = source;
    epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->options.fd, &event);
}

void watch_loop_remove(struct watch_loop *loop, struct watch_source *source)
{
    if (!source)
        return;
    if (source->options.fd >= 0)
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->options.fd, NULL);
    source->is_removed = true;
    if (loop->depth == 0)
        sweep(loop);
}

uint64_t watch_loop_now(const struct watch_loop *loop)
{
    return loop->now_ns;
}

int64_t watch_ms_until(uint64_t now_ns, uint64_t at_ns)
{
    if (at_ns <= now_ns)
        return 0;
    return (int64_t)((at_ns - now_ns - 1) / NS_PER_MS + 1);
}

/* The earlier of two times to wait; below 0 is none. */
static int64_t sooner(int64_t a, int64_t b)
{
    if (a < 0)
        return b;
    return b >= 0 && b < a ? b : a;
}

static int wait_time(struct watch_loop *loop, int64_t limit_ms)
{
    struct watch_source *source;
    int64_t wait_ms = limit_ms;

    TAILQ_FOREACH (source, &loop->sources, link) {
        if (!source->is_removed && source->options.timeout_ms)
            wait_ms = sooner(wait_ms,
                             source->options.timeout_ms(source->options.user));
    }
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

static void call_the_due(struct watch_loop *loop)
{
    struct watch_source *source;

    TAILQ_FOREACH (source, &loop->sources, link) {
        if (!source->is_removed && source->options.timeout_ms &&
            source->options.timeout_ms(source->options.user) == 0)
            source->options.ready(source->options.user, 0);
    }
}

void watch_loop_turn(struct watch_loop *loop, int64_t limit_ms)
{
    struct epoll_event events[BATCH];
    int count;

    loop->now_ns = read_clock();
    loop->depth++;
    count = epoll_wait(loop->epoll, events, BATCH, wait_time(loop, limit_ms));
    loop->now_ns = read_clock();
    for (int i = 0; i < count; i++) {
        struct watch_source *source = events[i].data.ptr;

        if (!source->is_removed)
            source->options.ready(source->options.user, events[i].events);
    }
    call_the_due(loop);
    loop->depth--;
    if (loop->depth == 0)
        sweep(loop);
}
