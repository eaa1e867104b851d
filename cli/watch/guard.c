#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../cli.h"

/* What is written is below PIPE_BUF, and so arrives whole. */
struct note {
    int32_t group;
    int32_t is_there;
};

struct groups {
    pid_t *list;
    size_t count;
    size_t capacity;
};

static void forget(struct groups *groups, pid_t group)
{
    for (size_t i = 0; i < groups->count; i++) {
        if (groups->list[i] == group) {
            groups->list[i] = groups->list[--groups->count];
            return;
        }
    }
}

static void remember(struct groups *groups, pid_t group)
{
    forget(groups, group);
    if (groups->count == groups->capacity) {
        const size_t capacity = groups->capacity ? groups->capacity * 2 : 64;
        pid_t *larger = realloc(groups->list, capacity * sizeof *larger);

        if (!larger)
            return; /* the kernel still ends its leader */
        groups->list = larger;
        groups->capacity = capacity;
    }
    groups->list[groups->count++] = group;
}

static void detach(int fd)
{
    const int null = open("/dev/null", O_RDWR);
    const int kept = fcntl(fd, F_DUPFD, 3);

    for (int standard = 0; standard < 3; standard++)
        dup2(null, standard);
    if (kept != 3)
        dup2(kept, 3);
    close_range(4, ~0U, 0);
}

/* What a terminal or a service manager sends to all of us is not for it. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
}

__attribute__((noreturn)) static void stand_guard(int fd)
{
    struct groups groups = {NULL, 0, 0};
    struct note note;
    ssize_t got;

    setsid();
    prctl(PR_SET_NAME, "weir-guard");
    ignore_signals();
    detach(fd);
    for (;;) {
        got = read(3, &note, sizeof note);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != sizeof note)
            break;
        if (note.is_there)
            remember(&groups, note.group);
        else
            forget(&groups, note.group);
    }
    for (size_t i = 0; i < groups.count; i++)
        kill(-groups.list[i], SIGKILL);
    _exit(0);
}

bool watch_guard_open(struct watch_guard *guard)
{
    int fds[2];

    *guard = (struct watch_guard){0, -1};
    if (pipe2(fds, O_CLOEXEC) != 0) {
        cli_complain("guard: %s", strerror(errno));
        return false;
    }
    guard->pid = fork();
    if (guard->pid == 0) {
        close(fds[1]);
        stand_guard(fds[0]);
    }
    close(fds[0]);
    if (guard->pid < 0) {
        cli_complain("guard: %s", strerror(errno));
        close(fds[1]);
        return false;
    }
    /* Nobody waits for a guard that has been stopped. */
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    guard->fd = fds[1];
    return true;
}

void watch_guard_tell(int fd, pid_t group, bool is_there)
{
    const struct note note = {group, is_there};

    while (write(fd, &note, sizeof note) < 0 && errno == EINTR)
        continue;
}

void watch_guard_close(struct watch_guard *guard)
{
    if (guard->fd < 0)
        return;
    close(guard->fd);
    guard->fd = -1;
    while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}
