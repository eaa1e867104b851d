#include "logs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cli.h"

enum {
    CHUNK = 65536,
    TAIL = 1024,
    LAST_LINES = 5,
    /* A pipe holds no more, so no more can be left behind. */
    MOST_LEFT_BEHIND = 1 << 20
};

struct watch_log {
    struct watch_loop *loop;
    struct watch_source *source; /* NULL: no pipe */
    char *path;
    struct watch_log_rules rules;
    int pipe; /* -1: none */
    int file; /* -1: not open */
    uint64_t size;
    uint64_t lost;
    bool is_mid_line;     /* what was written last is no whole line */
    bool is_direct;       /* the process writes to the file itself */
    uint64_t direct_from; /* size when it began */
    char tail[TAIL];
    size_t tail_len;
};

/* --- the file ------------------------------------------------------------ */

static bool open_file(struct watch_log *log)
{
    struct stat info;

    if (log->file >= 0)
        return true;
    log->file =
        open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log->file < 0)
        return false;
    log->size = fstat(log->file, &info) == 0 ? (uint64_t)info.st_size : 0;
    return true;
}

static void close_file(struct watch_log *log)
{
    if (log->file >= 0)
        close(log->file);
    log->file = -1;
}

/* NAME.1 to NAME.2 and so on; the last one goes. */
static void shift_files(const struct watch_log *log)
{
    char *older = NULL;

    for (unsigned i = log->rules.files - 1; i > 0; i--) {
        char *newer =
            i > 1 ? cli_format("%s.%u", log->path, i - 1) : cli_copy(log->path);

        free(older);
        older = cli_format("%s.%u", log->path, i);
        if (i > 1 || !log->is_direct)
            rename(newer, older);
        free(newer);
    }
    free(older);
}

static void rotate(struct watch_log *log)
{
    close_file(log);
    if (log->rules.files > 1)
        shift_files(log);
    else
        unlink(log->path);
    open_file(log);
}

static void write_out(struct watch_log *log, const char *bytes, size_t len)
{
    while (len > 0 && log->file >= 0) {
        const ssize_t put = write(log->file, bytes, len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        bytes += put;
        len -= (size_t)put;
        log->size += (uint64_t)put;
    }
    log->lost += len;
}

/* How much of what has come goes to the file that is nearly full.  A line that
 * has begun there, or is longer than a whole file, is ended there, if its end
 * has come; else it is cut. */
static size_t last_part(const struct watch_log *log, const char *bytes,
                        size_t len, size_t room)
{
    const char *end = room > 0 ? memrchr(bytes, '\n', room) : NULL;

    if (!end && log->size > 0 && !log->is_mid_line)
        return 0;
    if (!end)
        end = memchr(bytes, '\n', len);
    return end ? (size_t)(end - bytes) + 1 : room;
}

static void store(struct watch_log *log, const char *bytes, size_t len)
{
    while (len > 0) {
        const uint64_t left = log->size < log->rules.max_bytes
                                  ? log->rules.max_bytes - log->size
                                  : 0;
        const bool is_full = len > left;
        const size_t part =
            is_full ? last_part(log, bytes, len, (size_t)left) : len;

        write_out(log, bytes, part);
        if (part > 0)
            log->is_mid_line = bytes[part - 1] != '\n';
        bytes += part;
        len -= part;
        if (is_full && len > 0)
            rotate(log);
    }
}

/* --- the last lines ------------------------------------------------------ */

static void keep_tail(struct watch_log *log, const char *bytes, size_t len)
{
    size_t kept = log->tail_len;

    if (len > TAIL) {
        bytes += len - TAIL;
        len = TAIL;
    }
    if (kept + len > TAIL)
        kept = TAIL - len;
    memmove(log->tail, log->tail + log->tail_len - kept, kept);
    memcpy(log->tail + kept, bytes, len);
    log->tail_len = kept + len;
}

/* Where the last few lines begin. */
static size_t last_lines_from(const char *text, size_t len)
{
    unsigned lines = 0;
    size_t from = len;

    while (from > 0) {
        if (text[from - 1] == '\n' && ++lines == LAST_LINES)
            break;
        from--;
    }
    return from;
}

static void read_tail_of_file(struct watch_log *log)
{
    const int fd = open(log->path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    ssize_t got = 0;

    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0) {
        off_t from = (off_t)log->direct_from;

        if (from > info.st_size)
            from = 0; /* it has been cut since */
        if (info.st_size - from > TAIL)
            from = info.st_size - TAIL;
        got = pread(fd, log->tail, TAIL, from);
    }
    close(fd);
    log->tail_len = got > 0 ? (size_t)got : 0;
}

void watch_log_last_lines(struct watch_log *log, char *text, size_t size)
{
    size_t len;
    size_t put = 0;

    if (log->is_direct)
        read_tail_of_file(log);
    len = log->tail_len;
    while (len > 0 && log->tail[len - 1] == '\n')
        len--;
    for (size_t i = last_lines_from(log->tail, len); i < len && put + 4 < size;
         i++) {
        const unsigned char c = (unsigned char)log->tail[i];

        if (c == '\n') {
            memcpy(text + put, " | ", 3);
            put += 3;
        } else {
            text[put++] = (char)(c < ' ' || c == 127 ? ' ' : c);
        }
    }
    text[put] = '\0';
}

/* --- the pipe ------------------------------------------------------------ */

static void close_pipe(struct watch_log *log)
{
    watch_loop_remove(log->loop, log->source);
    log->source = NULL;
    if (log->pipe >= 0)
        close(log->pipe);
    log->pipe = -1;
}

/* Below 0: nothing for now. */
static ssize_t take(struct watch_log *log)
{
    static char chunk[CHUNK];
    ssize_t got;

    do
        got = read(log->pipe, chunk, sizeof chunk);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        store(log, chunk, (size_t)got);
        keep_tail(log, chunk, (size_t)got);
    }
    return got;
}

/* One chunk a turn: a flood does not keep the others waiting. */
static void on_output(void *user, uint32_t events)
{
    struct watch_log *log = user;

    (void)events;
    if (take(log) == 0)
        close_pipe(log);
}

int watch_log_begin(struct watch_log *log)
{
    int fds[2];

    watch_log_end(log);
    log->tail_len = 0;
    log->is_direct = false;
    if (!open_file(log) || pipe2(fds, O_CLOEXEC) != 0)
        return -1;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    log->pipe = fds[0];
    log->source = watch_loop_add(
        log->loop,
        &(struct watch_source_options){
            .fd = fds[0], .events = EPOLLIN, .ready = on_output, .user = log});
    if (log->source)
        return fds[1];
    close(fds[1]);
    close_pipe(log);
    return -1;
}

int watch_log_begin_detached(struct watch_log *log)
{
    int fd;

    watch_log_end(log);
    log->tail_len = 0;
    log->is_direct = true;
    watch_log_cut(log);
    if (!open_file(log))
        return -1;
    log->direct_from = log->size;
    fd = log->file;
    log->file = -1;
    return fd;
}

void watch_log_adopt(struct watch_log *log)
{
    struct stat info;

    log->is_direct = true;
    log->direct_from = stat(log->path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

void watch_log_end(struct watch_log *log)
{
    size_t left = MOST_LEFT_BEHIND;
    ssize_t got = 1;

    while (log->pipe >= 0 && got > 0 && left > 0) {
        got = take(log);
        left -= got > 0 && (size_t)got < left ? (size_t)got : left;
    }
    close_pipe(log);
    close_file(log);
}

/* Copies the file to NAME.1 and empties it, for its writer has it open. */
static void copy_and_empty(struct watch_log *log, int from)
{
    char *older = cli_format("%s.1", log->path);
    const int to = open(older, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    ssize_t put = 1;

    while (to >= 0 && put > 0)
        put = sendfile(to, from, NULL, CHUNK);
    if (to >= 0)
        close(to);
    if (ftruncate(from, 0) == 0)
        log->direct_from = 0;
    free(older);
}

void watch_log_cut(struct watch_log *log)
{
    const int fd = log->is_direct ? open(log->path, O_RDWR | O_CLOEXEC) : -1;
    struct stat info;

    if (fd < 0)
        return;
    if (fstat(fd, &info) == 0 &&
        (uint64_t)info.st_size > log->rules.max_bytes) {
        shift_files(log);
        if (log->rules.files > 1)
            copy_and_empty(log, fd);
        else if (ftruncate(fd, 0) == 0)
            log->direct_from = 0;
    }
    close(fd);
}

/* --- all of it ----------------------------------------------------------- */

struct watch_log *watch_log_new(struct watch_loop *loop, const char *path,
                                const struct watch_log_rules *rules)
{
    struct watch_log *log = cli_alloc(sizeof *log);

    log->loop = loop;
    log->path = cli_copy(path);
    log->rules = *rules;
    log->pipe = -1;
    log->file = -1;
    return log;
}

void watch_log_free(struct watch_log *log)
{
    if (!log)
        return;
    watch_log_end(log);
    free(log->path);
    free(log);
}

const char *watch_log_path(const struct watch_log *log)
{
    return log->path;
}

uint64_t watch_log_lost(struct watch_log *log)
{
    const uint64_t lost = log->lost;

    log->lost = 0;
    return lost;
}
