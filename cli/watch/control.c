#include "control.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../cli.h"
#include "address.h"
#include "event_text.h"
#include "loop.h"
#include "status_json.h"

#define REST_NS UINT64_C(500000000)

enum {
    MAX_LINE = 4096,
    MAX_CLIENTS = 64,
    BACKLOG = 64
};

enum waiting {
    WAITS_FOR_NOTHING,
    WAITS_FOR_START,
    WAITS_FOR_STOP,
    WAITS_FOR_END
};

struct client {
    struct watch_control *control;
    int fd;
    struct watch_source *source;
    char line[MAX_LINE];
    size_t line_len;
    char *answer; /* what is still to be sent */
    size_t answer_len;
    size_t sent;
    enum waiting waiting;
    char service[80];
    bool is_over; /* closed once the answer is out */
    TAILQ_ENTRY(client) link;
};

struct watch_control {
    struct watch_supervisor *supervisor;
    int fd;
    char *path;
    struct watch_source *source;
    uint64_t rests_until_ns; /* no descriptor is left; 0: it accepts */
    size_t client_count;
    TAILQ_HEAD(, client) clients;
};

/* --- answers ------------------------------------------------------------- */

static void drop(struct client *client)
{
    struct watch_control *control = client->control;

    TAILQ_REMOVE(&control->clients, client, link);
    control->client_count--;
    watch_loop_remove(watch_loop_of(control->supervisor), client->source);
    close(client->fd);
    free(client->answer);
    free(client);
}

/* Its next request is read once this one has been answered. */
static void listen_to(struct client *client)
{
    uint32_t events = EPOLLIN;

    if (client->answer)
        events = EPOLLOUT;
    else if (client->waiting != WAITS_FOR_NOTHING)
        events = 0;
    watch_source_set_events(client->source, events);
}

/* false: the client is gone. */
static bool send_answer(struct client *client)
{
    while (client->sent < client->answer_len) {
        const ssize_t put = send(client->fd, client->answer + client->sent,
                                 client->answer_len - client->sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno == EAGAIN)
            return true;
        if (put <= 0) {
            drop(client);
            return false;
        }
        client->sent += (size_t)put;
    }
    free(client->answer);
    client->answer = NULL;
    if (!client->is_over)
        return true;
    drop(client);
    return false;
}

/* object: given. */
static bool answer(struct client *client, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    json_decref(object);
    if (!text) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    client->waiting = WAITS_FOR_NOTHING;
    free(client->answer);
    client->answer = cli_format("%s\n", text);
    client->answer_len = strlen(client->answer);
    client->sent = 0;
    free(text);
    return send_answer(client);
}

static bool refuse(struct client *client, const char *why)
{
    return answer(client, json_pack("{s:b, s:s}", "ok", 0, "error", why));
}

/* --- waiting ------------------------------------------------------------- */

static const struct watch_service_view *
find_service(struct watch_supervisor *supervisor, const char *name)
{
    const struct watch_view *view = watch_view_of(supervisor);

    for (size_t i = 0; i < view->count; i++) {
        if (strcmp(view->services[i].name, name) == 0)
            return &view->services[i];
    }
    return NULL;
}

static json_t *report(const struct watch_service_view *service, bool is_good)
{
    json_t *object =
        json_pack("{s:b, s:s, s:s}", "ok", is_good, "service", service->name,
                  "state", watch_state_name(service->state));

    if (!is_good)
        json_object_set_new(object, "error",
                            watch_json_text(service->last_error[0]
                                                ? service->last_error
                                                : "it has not come up"));
    if (service->waits_for[0])
        json_object_set_new(object, "waits_for",
                            json_string(service->waits_for));
    return object;
}

/* A start has succeeded, or has failed for now, or cannot be yet. */
static bool settle_start(struct client *client,
                         const struct watch_service_view *service)
{
    if (service->state == WATCH_RUNNING || service->waits_for[0] ||
        (service->state == WATCH_STOPPED && !service->is_wanted))
        return answer(client, report(service, true));
    if (service->state == WATCH_BACKOFF || service->state == WATCH_FAILED ||
        service->state == WATCH_TIMEOUT)
        return answer(client, report(service, false));
    return true;
}

static bool settle_stop(struct client *client,
                        const struct watch_service_view *service)
{
    if (service->state == WATCH_STOPPED && service->pid == 0)
        return answer(client, report(service, true));
    if (service->is_wanted)
        return refuse(client, "it has been started again meanwhile");
    return true;
}

/* false: the client is gone. */
static bool settle_client(struct client *client)
{
    const struct watch_service_view *service;

    if (client->waiting != WAITS_FOR_START && client->waiting != WAITS_FOR_STOP)
        return true;
    service = find_service(client->control->supervisor, client->service);
    if (!service)
        return refuse(client, "it has been taken out of the settings");
    return client->waiting == WAITS_FOR_START ? settle_start(client, service)
                                              : settle_stop(client, service);
}

/* --- requests ------------------------------------------------------------ */

static bool show_status(struct client *client, const json_t *request)
{
    json_t *status = watch_status_json(
        watch_view_of(client->control->supervisor), NULL, NULL);

    (void)request;
    return answer(client, json_pack("{s:b, s:o}", "ok", 1, "status", status));
}

static bool reload(struct client *client, const json_t *request)
{
    struct watch_refusal why;

    (void)request;
    if (!watch_reload(client->control->supervisor, &why))
        return refuse(client, why.why);
    return answer(client, json_pack("{s:b}", "ok", 1));
}

static bool end_all(struct client *client, const json_t *request)
{
    watch_down(client->control->supervisor);
    if (json_is_false(json_object_get(request, "wait")))
        return answer(client, json_pack("{s:b}", "ok", 1));
    client->waiting = WAITS_FOR_END;
    return true;
}

static bool order(struct client *client, const json_t *request,
                  bool (*give)(struct watch_supervisor *supervisor,
                               const char *name, struct watch_refusal *why),
                  enum waiting waiting)
{
    const char *name = json_string_value(json_object_get(request, "service"));
    struct watch_refusal why;

    if (!name)
        return refuse(client, "no \"service\" is named");
    if (!give(client->control->supervisor, name, &why))
        return refuse(client, why.why);
    if (json_is_false(json_object_get(request, "wait")))
        return answer(client, json_pack("{s:b}", "ok", 1));
    snprintf(client->service, sizeof client->service, "%s", name);
    client->waiting = waiting; /* it is settled at the end of this turn */
    return true;
}

static bool start(struct client *client, const json_t *request)
{
    return order(client, request, watch_start, WAITS_FOR_START);
}

static bool stop(struct client *client, const json_t *request)
{
    return order(client, request, watch_stop, WAITS_FOR_STOP);
}

static bool restart(struct client *client, const json_t *request)
{
    return order(client, request, watch_restart, WAITS_FOR_START);
}

static const struct {
    const char *name;
    bool (*run)(struct client *client, const json_t *request);
} verbs[] = {
    {"status", show_status}, {"start", start},   {"stop", stop},
    {"restart", restart},    {"reload", reload}, {"down", end_all},
};

/* false: the client is gone. */
static bool take_line(struct client *client, size_t len)
{
    json_error_t error;
    json_t *request = json_loadb(client->line, len, 0, &error);
    const char *verb = json_string_value(json_object_get(request, "do"));
    bool is_there = true;
    bool is_known = false;

    if (!request) {
        is_there = refuse(client, error.text);
    } else {
        for (size_t i = 0; verb && i < sizeof verbs / sizeof *verbs; i++) {
            if (strcmp(verb, verbs[i].name) != 0)
                continue;
            is_known = true;
            is_there = verbs[i].run(client, request);
            break;
        }
        if (!is_known)
            is_there = refuse(client, "\"do\" is none of status, start, stop, "
                                      "restart, reload and down");
    }
    json_decref(request);
    return is_there;
}

/* One request at a time; the next one stays where it is meanwhile. */
static void take_lines(struct client *client)
{
    char *end;

    while (client->waiting == WAITS_FOR_NOTHING && !client->answer &&
           (end = memchr(client->line, '\n', client->line_len))) {
        const size_t len = (size_t)(end - client->line) + 1;

        if (!take_line(client, len))
            return;
        client->line_len -= len;
        memmove(client->line, client->line + len, client->line_len);
    }
    if (client->line_len == MAX_LINE && !memchr(client->line, '\n', MAX_LINE)) {
        client->is_over = true;
        if (!refuse(client, "the request is too long"))
            return;
    }
    listen_to(client);
}

void watch_control_settle(struct watch_control *control)
{
    struct client *client;
    struct client *next;

    for (client = TAILQ_FIRST(&control->clients); client; client = next) {
        next = TAILQ_NEXT(client, link);
        if (client->waiting != WAITS_FOR_NOTHING && settle_client(client))
            take_lines(client);
    }
}

static void on_client(void *user, uint32_t events)
{
    struct client *client = user;
    ssize_t got;

    if (events & EPOLLOUT) {
        if (send_answer(client))
            take_lines(client);
        return;
    }
    if (!(events & EPOLLIN)) {
        drop(client); /* it has hung up */
        return;
    }
    got = recv(client->fd, client->line + client->line_len,
               MAX_LINE - client->line_len, MSG_DONTWAIT);
    if (got > 0) {
        client->line_len += (size_t)got;
        take_lines(client);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        drop(client);
    }
}

/* --- listening ----------------------------------------------------------- */

/* The socket's mode says the same; this holds where a mode does not. */
static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

/* Who wants to be let in does not go away: it is looked at again later. */
static void rest(struct watch_control *control)
{
    control->rests_until_ns =
        watch_loop_now(watch_loop_of(control->supervisor)) + REST_NS;
    watch_source_set_events(control->source, 0);
}

static int64_t rest_time(void *user)
{
    const struct watch_control *control = user;

    if (control->rests_until_ns == 0)
        return -1;
    return watch_ms_until(watch_loop_now(watch_loop_of(control->supervisor)),
                          control->rests_until_ns);
}

static void on_connection(void *user, uint32_t events)
{
    struct watch_control *control = user;
    const int listener = control->fd;
    struct client *client;
    int fd;

    (void)events;
    control->rests_until_ns = 0;
    watch_source_set_events(control->source, EPOLLIN);
    /* cppcheck-suppress nullPointer ; is_allowed() asks who it is */
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            rest(control);
        return;
    }
    if (control->client_count >= MAX_CLIENTS || !is_allowed(fd)) {
        close(fd);
        return;
    }
    client = cli_alloc(sizeof *client);
    client->control = control;
    client->fd = fd;
    client->source = watch_loop_add(
        watch_loop_of(control->supervisor),
        &(struct watch_source_options){
            .fd = fd, .events = EPOLLIN, .ready = on_client, .user = client});
    TAILQ_INSERT_TAIL(&control->clients, client, link);
    control->client_count++;
    if (!client->source)
        drop(client);
}

/* From a supervisor that was killed; what is no socket is somebody's file. */
static void remove_left_over(const char *path)
{
    struct stat info;

    if (lstat(path, &info) == 0 && S_ISSOCK(info.st_mode))
        unlink(path);
}

static bool is_taken(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool is_answered =
        fd >= 0 &&
        connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;

    if (fd >= 0)
        close(fd);
    return is_answered;
}

static int listen_at(const struct sockaddr_un *address)
{
    const int fd =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const mode_t mask = umask(0177);
    const bool is_good =
        fd >= 0 &&
        bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        listen(fd, BACKLOG) == 0;

    umask(mask);
    if (is_good)
        return fd;
    cli_complain("control socket %s: %s", address->sun_path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

struct watch_control *watch_control_open(struct watch_supervisor *supervisor,
                                         const char *path)
{
    struct watch_control *control;
    struct sockaddr_un address;
    int fd;

    if (!watch_control_address(path, &address))
        return NULL;
    if (is_taken(&address)) {
        cli_complain("control socket %s: another supervisor listens there",
                     path);
        return NULL;
    }
    remove_left_over(path);
    fd = listen_at(&address);
    if (fd < 0)
        return NULL;
    control = cli_alloc(sizeof *control);
    control->supervisor = supervisor;
    control->fd = fd;
    control->path = cli_copy(path);
    TAILQ_INIT(&control->clients);
    control->source =
        watch_loop_add(watch_loop_of(supervisor),
                       &(struct watch_source_options){.fd = fd,
                                                      .events = EPOLLIN,
                                                      .ready = on_connection,
                                                      .timeout_ms = rest_time,
                                                      .user = control});
    return control;
}

void watch_control_close(struct watch_control *control)
{
    struct client *client;
    struct client *next;

    if (!control)
        return;
    for (client = TAILQ_FIRST(&control->clients); client; client = next) {
        next = TAILQ_NEXT(client, link);
        client->is_over = true;
        if (client->waiting == WAITS_FOR_NOTHING ||
            (client->waiting == WAITS_FOR_START
                 ? refuse(client, "the supervisor has ended")
                 : answer(client, json_pack("{s:b}", "ok", 1))))
            drop(client);
    }
    watch_loop_remove(watch_loop_of(control->supervisor), control->source);
    close(control->fd);
    unlink(control->path);
    free(control->path);
    free(control);
}
