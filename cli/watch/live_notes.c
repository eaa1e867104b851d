#include "live_notes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../cli.h"

enum {
    KEPT_MAX = 8192, /* bytes; of more the oldest lines go */
    LINE_MAX_BYTES = 512
};

struct live_notes {
    struct watch_loop *loop;
    struct watch_source *source;
    bool *is_touched;
    int saved; /* standard error as it was */
    int pipe;  /* what is written to it comes out here */
    char kept[KEPT_MAX];
    size_t len;
    char last[LINE_MAX_BYTES];
};

static void drop_oldest(struct live_notes *notes, size_t room)
{
    while (notes->len > KEPT_MAX - room) {
        const char *end = memchr(notes->kept, '\n', notes->len);
        const size_t line = end ? (size_t)(end - notes->kept) + 1 : notes->len;

        notes->len -= line;
        memmove(notes->kept, notes->kept + line, notes->len);
    }
}

/* The last whole line of what is kept. */
static void find_last(struct live_notes *notes)
{
    size_t end = notes->len;
    size_t begin;

    while (end > 0 && notes->kept[end - 1] != '\n')
        end--;
    if (end == 0)
        return;
    begin = --end;
    while (begin > 0 && notes->kept[begin - 1] != '\n')
        begin--;
    if (end - begin >= LINE_MAX_BYTES)
        end = begin + LINE_MAX_BYTES - 1;
    memcpy(notes->last, notes->kept + begin, end - begin);
    notes->last[end - begin] = '\0';
}

static void on_ready(void *user, uint32_t events)
{
    struct live_notes *notes = user;
    char bytes[1024];
    ssize_t got;

    (void)events;
    while ((got = read(notes->pipe, bytes, sizeof bytes)) > 0) {
        drop_oldest(notes, (size_t)got);
        memcpy(notes->kept + notes->len, bytes, (size_t)got);
        notes->len += (size_t)got;
        *notes->is_touched = true;
    }
    find_last(notes);
}

/* Standard error becomes a pipe's end.  We empty it ourselves, so a full one
 * must not wait. */
static bool divert(struct live_notes *notes)
{
    struct watch_source_options options = {
        .events = EPOLLIN, .ready = on_ready, .user = notes};
    int ends[2];

    notes->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (notes->saved < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    notes->pipe = options.fd = ends[0];
    if (dup2(ends[1], STDERR_FILENO) >= 0)
        notes->source = watch_loop_add(notes->loop, &options);
    close(ends[1]);
    return notes->source != NULL;
}

struct live_notes *live_notes_open(struct watch_loop *loop, bool *is_touched)
{
    struct live_notes *notes;

    if (!isatty(STDERR_FILENO))
        return NULL;
    notes = cli_alloc(sizeof *notes);
    notes->loop = loop;
    notes->is_touched = is_touched;
    notes->saved = notes->pipe = -1;
    if (divert(notes))
        return notes;
    live_notes_close(notes);
    return NULL;
}

const char *live_notes_last(const struct live_notes *notes)
{
    return notes && notes->last[0] ? notes->last : NULL;
}

void live_notes_close(struct live_notes *notes)
{
    if (!notes)
        return;
    if (notes->source)
        on_ready(notes, 0);
    watch_loop_remove(notes->loop, notes->source);
    if (notes->saved >= 0) {
        dup2(notes->saved, STDERR_FILENO);
        close(notes->saved);
    }
    if (notes->pipe >= 0)
        close(notes->pipe);
    for (size_t at = 0; at < notes->len;) {
        const ssize_t said =
            write(STDERR_FILENO, notes->kept + at, notes->len - at);

        if (said <= 0)
            break;
        at += (size_t)said;
    }
    free(notes);
}
