#include "page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../cli.h"
#include "page_inner.h"
#include "page_listen.h"
#include "page_peer.h"

enum {
    MAX_CONNECTIONS = 64,
    IDLE_SECONDS = 30,
    REQUEST_BYTES = 32 * 1024 /* head and answer's head of one connection */
};

struct page {
    struct MHD_Daemon *daemon;
    struct watch_loop *loop;
    struct watch_source *watch;
    struct page_guard guard;
    struct page_source source;
    char *token;
    char *address;
    bool is_loopback;
};

/* --- requests ------------------------------------------------------------ */

/* What is kept with a connection: whether our own user is at its other end.
 * It is looked up once, when the connection comes. */
static char own_user;

static void on_connection(void *user, struct MHD_Connection *connection,
                          void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    const union MHD_ConnectionInfo *info;
    uid_t peer;

    (void)user;
    if (what != MHD_CONNECTION_NOTIFY_STARTED)
        return;
    info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info && page_peer_user(info->connect_fd, &peer) &&
        (peer == geteuid() || peer == 0))
        *context = &own_user;
}

static const char *field(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static bool is_own_user(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info && info->socket_context == &own_user;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection,
                                  const char *path, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    static char begun;
    const struct page *page = user;
    const struct page_request request = {
        .connection = connection,
        .method = method,
        .path = path,
        .asker = {.host = field(connection, "Host"),
                  .origin = field(connection, "Origin"),
                  .fetch_site = field(connection, "Sec-Fetch-Site"),
                  .marker = field(connection, "X-Weir-Watch"),
                  .authorization = field(connection, "Authorization"),
                  .is_own_user = is_own_user(connection)}};

    (void)version;
    (void)upload;
    if (!*state) { /* the head; the request is complete at the last call */
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_len) { /* no request of ours has a body */
        *upload_len = 0;
        return MHD_YES;
    }
    return page_answer(&page->guard, &page->source, &request);
}

/* --- in the main loop ---------------------------------------------------- */

static void on_ready(void *user, uint32_t events)
{
    (void)events;
    MHD_run(((struct page *)user)->daemon);
}

static int64_t timeout_ms(void *user)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (MHD_get_timeout(((struct page *)user)->daemon, &ms) != MHD_YES)
        return -1;
    return ms < INT64_MAX ? (int64_t)ms : INT64_MAX;
}

static bool join_loop(struct page *page)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(page->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct watch_source_options options = {.fd = -1,
                                           .events = EPOLLIN,
                                           .ready = on_ready,
                                           .timeout_ms = timeout_ms,
                                           .user = page};

    if (!info || info->epoll_fd < 0)
        return false;
    options.fd = info->epoll_fd;
    page->watch = watch_loop_add(page->loop, &options);
    return page->watch != NULL;
}

static bool start(struct page *page, int fd)
{
    page->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, page,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)REQUEST_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_END);
    return page->daemon != NULL;
}

/* --- life ---------------------------------------------------------------- */

static bool refuse(weir_error *err, weir_status code, const char *message)
{
    *err = (weir_error){.code = code, .error_class = weir_status_class(code)};
    snprintf(err->message, sizeof err->message, "%s", message);
    return false;
}

static bool check_token(const struct page *page, const char *token,
                        weir_error *err)
{
    if (token || page->is_loopback)
        return true;
    return refuse(err, WEIR_E_OPTION,
                  "listen: beyond loopback a token is needed "
                  "(watch.page.token_file)");
}

static bool open_at(struct page *page, const char *listen, weir_error *ret_err)
{
    struct sockaddr_storage address;
    int fd;

    if (!page_read_address(listen, &address, ret_err))
        return false;
    page->is_loopback = page_is_loopback(&address);
    if (!check_token(page, page->token, ret_err))
        return false;
    fd = page_listen(&address, listen, ret_err);
    if (fd < 0)
        return false;
    page->address = page_address_of(fd);
    if (!start(page, fd)) {
        close(fd);
        return refuse(ret_err, WEIR_E_SYSTEM, "listen: no server");
    }
    if (!join_loop(page))
        return refuse(ret_err, WEIR_E_SYSTEM, "listen: no epoll descriptor");
    return true;
}

struct page *page_open(const struct page_options *options,
                       struct watch_loop *loop, weir_error *ret_err)
{
    struct page *page = cli_alloc(sizeof *page);

    page->loop = loop;
    page->source = options->source;
    page->token = options->token ? cli_copy(options->token) : NULL;
    page->guard.token = page->token;
    page->guard.has_control = options->has_control;
    if (open_at(page, options->listen, ret_err))
        return page;
    page_close(page);
    return NULL;
}

bool page_change(struct page *page, const char *token, bool has_control,
                 weir_error *ret_err)
{
    if (!check_token(page, token, ret_err))
        return false;
    free(page->token);
    page->token = token ? cli_copy(token) : NULL;
    page->guard.token = page->token;
    page->guard.has_control = has_control;
    return true;
}

void page_close(struct page *page)
{
    if (!page)
        return;
    watch_loop_remove(page->loop, page->watch);
    if (page->daemon)
        MHD_stop_daemon(page->daemon);
    free(page->token);
    free(page->address);
    free(page);
}

const char *page_address(const struct page *page)
{
    return page->address;
}
