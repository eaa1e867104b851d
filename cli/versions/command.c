#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

#include "../cli.h"

enum {
    PIPE_BYTES = 65536 /* pipe(7) */
};

/* One stream of the program. */
struct stream {
    int read_fd; /* -1: closed */
    int write_fd;
    char *text;
    size_t len;
};

/* A program that runs. */
struct child {
    pid_t pid;
    int pidfd; /* readable once it has ended */
    struct stream out;
    struct stream err;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool open_stream(struct stream *stream)
{
    int fds[2];

    stream->read_fd = -1;
    stream->write_fd = -1;
    stream->text = cli_alloc(COMMAND_OUTPUT_MAX + 1);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    stream->read_fd = fds[0];
    stream->write_fd = fds[1];
    return fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0;
}

static void close_stream(struct stream *stream)
{
    close_fd(&stream->read_fd);
    close_fd(&stream->write_fd);
}

/* Takes what is there, and no more than a pipe holds: a flood never ends.
 * Closes the stream at its end. */
static void read_stream(struct stream *stream)
{
    char bytes[4096];
    size_t taken = 0;

    while (stream->read_fd >= 0 && taken < PIPE_BYTES) {
        ssize_t got = read(stream->read_fd, bytes, sizeof bytes);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            close_fd(&stream->read_fd);
            return;
        }
        taken += (size_t)got;
        if ((size_t)got > COMMAND_OUTPUT_MAX - stream->len)
            got = (ssize_t)(COMMAND_OUTPUT_MAX - stream->len);
        memcpy(stream->text + stream->len, bytes, (size_t)got);
        stream->len += (size_t)got;
    }
}

/* --- start ---------------------------------------------------------------- */

/* A group of its own, no signal blocked, and the default action for those that
 * weir ignores or waits for. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t signals;

    sigemptyset(&signals);
    posix_spawnattr_setsigmask(attributes, &signals);
    sigaddset(&signals, SIGPIPE);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    posix_spawnattr_setsigdefault(attributes, &signals);
    posix_spawnattr_setpgroup(attributes, 0);
    return posix_spawnattr_setflags(attributes, (short)(POSIX_SPAWN_SETPGROUP |
                                                        POSIX_SPAWN_SETSIGMASK |
                                                        POSIX_SPAWN_SETSIGDEF));
}

static int set_streams(posix_spawn_file_actions_t *actions,
                       const struct child *child)
{
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO,
                                                 "/dev/null", O_RDONLY, 0);

    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, child->out.write_fd,
                                                 STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, child->err.write_fd,
                                                 STDERR_FILENO);
    return error;
}

/* 0, or an errno. */
static int spawn(char *const *argv, struct child *child)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0)
        return error;
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_streams(&actions, child);
        if (error == 0)
            error = set_attributes(&attributes);
        if (error == 0)
            error = posix_spawnp(&child->pid, argv[0], &actions, &attributes,
                                 argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* --- until it ends -------------------------------------------------------- */

static int milliseconds_until(double deadline)
{
    const double left = deadline - cli_now();

    return left <= 0 ? 0 : (int)fmin(ceil(left * 1000), 1e9);
}

/* Reads the streams until the program has ended, the time is up, or it is to
 * stop.  Another process may hold the streams open for longer than that. */
static enum command_end attend(struct child *child, double limit_s, int stop_fd)
{
    const double deadline = cli_now() + limit_s;

    for (;;) {
        struct pollfd fds[] = {
            {.fd = child->pidfd, .events = POLLIN},
            {.fd = stop_fd, .events = POLLIN},
            {.fd = child->out.read_fd, .events = POLLIN},
            {.fd = child->err.read_fd, .events = POLLIN},
        };
        const int count =
            poll(fds, sizeof fds / sizeof *fds, milliseconds_until(deadline));

        if (count < 0 && errno != EINTR)
            return COMMAND_STOPPED;
        if (count < 0)
            continue;
        read_stream(&child->out);
        read_stream(&child->err);
        if (fds[0].revents)
            return COMMAND_ENDED;
        if (fds[1].revents)
            return COMMAND_STOPPED;
        if (cli_now() >= deadline)
            return COMMAND_TIMED_OUT;
    }
}

static bool is_blank(const struct stream *stream)
{
    return strspn(stream->text, " \t\r\n\v\f") == strlen(stream->text);
}

/* What the end of a program says. */
static void judge(int status, const struct child *child,
                  struct command_output *output)
{
    const char *said = is_blank(&child->err) ? "" : child->err.text;
    const int said_len = (int)strcspn(said, "\r\n");

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        output->end = COMMAND_ENDED;
        return;
    }
    output->end = COMMAND_FAILED;
    if (WIFSIGNALED(status))
        snprintf(output->why, sizeof output->why, "ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(output->why, sizeof output->why, "exit status %d%s%.*s",
                 WEXITSTATUS(status), said_len ? ": " : "",
                 said_len > 120 ? 120 : said_len, said);
}

/* Waits for the program, kills it if it has not ended by itself, and frees all
 * but the text that it hands over. */
static void conclude(struct child *child, double limit_s,
                     struct command_output *output)
{
    int status = 0;

    if (output->end != COMMAND_ENDED)
        kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (output->end == COMMAND_ENDED)
        judge(status, child, output);
    else if (output->end == COMMAND_TIMED_OUT)
        snprintf(output->why, sizeof output->why,
                 "had not ended after %g seconds", limit_s);
    else if (output->end == COMMAND_STOPPED)
        snprintf(output->why, sizeof output->why, "was stopped");
    if (is_blank(&child->out)) {
        output->text = child->err.text;
        child->err.text = NULL;
    } else {
        output->text = child->out.text;
        child->out.text = NULL;
    }
}

void command_run(char *const *argv, double limit_s, int stop_fd,
                 struct command_output *ret_output)
{
    struct child child = {.pidfd = -1};
    const bool has_streams =
        (int)open_stream(&child.out) & (int)open_stream(&child.err);
    const int error = has_streams ? spawn(argv, &child) : errno;

    *ret_output = (struct command_output){
        .end = error == ENOENT ? COMMAND_NOT_FOUND : COMMAND_FAILED};
    close_fd(&child.out.write_fd);
    close_fd(&child.err.write_fd);
    if (error == 0) {
        child.pidfd = pidfd_open(child.pid, 0);
        if (child.pidfd >= 0)
            ret_output->end = attend(&child, limit_s, stop_fd);
        else
            snprintf(ret_output->why, sizeof ret_output->why, "pidfd_open: %s",
                     strerror(errno));
        conclude(&child, limit_s, ret_output);
        close_fd(&child.pidfd);
    } else {
        snprintf(ret_output->why, sizeof ret_output->why, "%s",
                 strerror(error));
        ret_output->text = cli_copy("");
    }
    close_stream(&child.out);
    close_stream(&child.err);
    free(child.out.text);
    free(child.err.text);
}

/* --- the version ---------------------------------------------------------- */

const char *command_find_version(const char *text, const regex_t *pattern,
                                 size_t *ret_len)
{
    static const char space[] = " \t\r\v\f";
    size_t end;
    size_t start;

    if (pattern) {
        regmatch_t matches[2];
        const regmatch_t *found = matches + (pattern->re_nsub > 0);

        if (regexec(pattern, text, 2, matches, 0) != 0 || found->rm_so < 0)
            return NULL;
        *ret_len = (size_t)(found->rm_eo - found->rm_so);
        return text + found->rm_so;
    }
    text += strspn(text, " \t\r\n\v\f");
    end = strcspn(text, "\n");
    while (end > 0 && strchr(space, text[end - 1]))
        end--;
    start = end;
    while (start > 0 && !strchr(space, text[start - 1]))
        start--;
    *ret_len = end - start;
    return end > start ? text + start : NULL;
}
