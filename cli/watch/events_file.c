#include "events_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cli.h"
#include "event_text.h"
#include "writing.h"

struct events_file {
    char *path; /* NULL: standard output */
    int fd;
    dev_t device;
    ino_t inode;
    bool is_broken; /* half a line stands at its end */
    bool is_losing; /* and has complained about it */
    uint64_t lost;
};

static bool open_path(struct events_file *file)
{
    struct stat found;

    file->fd =
        open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
             0640);
    if (file->fd < 0 || fstat(file->fd, &found) != 0)
        return false;
    file->device = found.st_dev;
    file->inode = found.st_ino;
    return true;
}

struct events_file *events_file_open(const char *path, weir_error *ret_err)
{
    struct events_file *file = cli_alloc(sizeof *file);

    file->fd = STDOUT_FILENO;
    if (strcmp(path, "-") == 0)
        return file;
    file->path = cli_copy(path);
    if (open_path(file))
        return file;
    *ret_err = (weir_error){.code = WEIR_E_FILE,
                            .error_class = WEIR_CLASS_LOCAL,
                            .system_code = errno};
    snprintf(ret_err->message, sizeof ret_err->message, "events to %.160s: %s",
             path, strerror(errno));
    events_file_close(file);
    return NULL;
}

void events_file_close(struct events_file *file)
{
    if (!file)
        return;
    if (file->path && file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file);
}

uint64_t events_file_lost(const struct events_file *file)
{
    return file->lost;
}

/* The name may stand for another file by now, or for none. */
static bool is_moved(const struct events_file *file)
{
    struct stat found;

    return file->fd < 0 || stat(file->path, &found) != 0 ||
           found.st_dev != file->device || found.st_ino != file->inode;
}

static bool follow_rotation(struct events_file *file)
{
    const int left = file->fd;

    if (!file->path || !is_moved(file))
        return true;
    if (!open_path(file)) {
        file->fd = left;
        return left >= 0; /* better there than nowhere */
    }
    if (left >= 0)
        close(left);
    file->is_broken = false;
    return true;
}

static bool write_once(struct events_file *file, const char *bytes, size_t len)
{
    const ssize_t written = watch_write(file->fd, bytes, len);

    if (written == (ssize_t)len)
        return true;
    if (written >= 0) {
        file->is_broken = true;
        errno = ENOSPC;
    }
    return false;
}

static bool write_line(struct events_file *file, const char *line, size_t len)
{
    if (!follow_rotation(file))
        return false;
    /* Half a line is ended first, so that it takes no whole one with it. */
    if (file->is_broken && !write_once(file, "\n", 1))
        return false;
    file->is_broken = false;
    return write_once(file, line, len);
}

/* Says once that events are lost, and once that they no longer are. */
static void tell_loss(struct events_file *file, bool is_losing)
{
    const char *where = file->path ? file->path : "standard output";
    const char *why = errno == EAGAIN ? "nobody reads them" : strerror(errno);

    if (is_losing && !file->is_losing)
        cli_complain("watch: events to %s: %s; events are lost", where, why);
    if (!is_losing && file->is_losing)
        cli_complain("watch: events to %s: written again, %" PRIu64 " lost",
                     where, file->lost);
    file->is_losing = is_losing;
}

void events_file_emit(void *user, const struct watch_event *event)
{
    struct events_file *file = user;
    size_t len;
    char *line = watch_event_line(event, &len);
    const bool is_lost = !write_line(file, line, len);

    file->lost += is_lost;
    tell_loss(file, is_lost);
    free(line);
}
