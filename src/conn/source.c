#include "conn/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

void wr_source_memory(struct wr_source *source, const void *bytes, size_t len)
{
    *source = (struct wr_source){
        .kind = WR_SOURCE_MEMORY, .bytes = bytes, .length = len, .fd = -1};
}

weir_status wr_source_copy(struct wr_source *source, const void *bytes,
                           size_t len, weir_error *ret_err)
{
    char *copy = wr_strndup(bytes, len);

    if (!copy)
        return wr_error_no_memory(ret_err);
    wr_source_memory(source, copy, len);
    source->owned = copy;
    return WEIR_OK;
}

weir_status wr_source_file(struct wr_source *source, const char *path,
                           weir_error *ret_err)
{
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error;

    if (fd < 0)
        return wr_error_system(ret_err, WEIR_E_FILE, errno, "open %s", path);
    error = fstat(fd, &info) == 0 ? 0 : errno;
    if (!error && S_ISDIR(info.st_mode))
        error = EISDIR;
    if (error) {
        close(fd);
        return wr_error_system(ret_err, WEIR_E_FILE, error, "read %s", path);
    }
    *source = (struct wr_source){
        .kind = WR_SOURCE_FILE, .fd = fd, .length = WEIR_LENGTH_UNKNOWN};
    source->is_seekable = S_ISREG(info.st_mode);
    if (source->is_seekable)
        source->length = (uint64_t)info.st_size;
    return WEIR_OK;
}

void wr_source_reader(struct wr_source *source, uint64_t length,
                      weir_body_read_fn read_fn, weir_body_rewind_fn rewind_fn,
                      void *user)
{
    *source = (struct wr_source){.kind = WR_SOURCE_READER,
                                 .fd = -1,
                                 .length = length,
                                 .read = read_fn,
                                 .rewind = rewind_fn,
                                 .user = user};
}

void wr_source_done(struct wr_source *source)
{
    if (!source->is_borrowed) {
        if (source->kind == WR_SOURCE_FILE)
            close(source->fd);
        wr_free(source->owned);
    }
    *source = (struct wr_source){.kind = WR_SOURCE_NONE, .fd = -1};
}

bool wr_source_can_begin(const struct wr_source *source)
{
    switch (source->kind) {
    case WR_SOURCE_FILE:
        return source->is_seekable || !source->is_used;
    case WR_SOURCE_READER:
        return source->rewind || !source->is_used;
    default:
        return true;
    }
}

weir_status wr_source_begin(struct wr_source *source, weir_error *ret_err)
{
    if (!wr_source_is_consumed(source))
        return WEIR_OK; /* shared by many calls: nothing to set */
    if (!wr_source_can_begin(source))
        return wr_error_set(ret_err, WEIR_E_BODY,
                            "request body: it has been sent once and cannot "
                            "be set back to its start");
    if (source->kind == WR_SOURCE_READER && source->is_used &&
        source->rewind(source->user) != 0)
        return wr_error_set(ret_err, WEIR_E_BODY,
                            "request body: its rewind callback failed");
    source->given = 0;
    return WEIR_OK;
}

static ssize_t read_file(struct wr_source *source, char *buf, size_t cap)
{
    ssize_t got;

    do {
        got = source->is_seekable
                  ? pread(source->fd, buf, cap, (off_t)source->given)
                  : read(source->fd, buf, cap);
    } while (got < 0 && errno == EINTR);
    return got;
}

static weir_status produce(struct wr_source *source, char *buf, size_t cap,
                           size_t *ret_len, weir_error *ret_err)
{
    long got;

    source->is_used = true;
    if (source->kind == WR_SOURCE_FILE) {
        got = read_file(source, buf, cap);
        if (got < 0)
            return wr_error_system(ret_err, WEIR_E_BODY, errno,
                                   "request body: read file");
    } else {
        got = source->read(source->user, buf, cap);
        source->is_late = got == WEIR_BODY_LATER;
        if (source->is_late)
            got = 0;
        if (got < 0 || (size_t)got > cap)
            return wr_error_set(ret_err, WEIR_E_BODY,
                                "request body: its callback returned %ld, "
                                "expected 0 to %zu",
                                got, cap);
    }
    *ret_len = (size_t)got;
    return WEIR_OK;
}

weir_status wr_source_read(struct wr_source *source, char *buf, size_t cap,
                           size_t *ret_len, weir_error *ret_err)
{
    const bool is_bounded = source->length != WEIR_LENGTH_UNKNOWN;
    const uint64_t left = source->length - source->given;
    weir_status status;

    *ret_len = 0;
    source->is_late = false;
    if (is_bounded && left == 0)
        return WEIR_OK;
    if (is_bounded && left < cap)
        cap = (size_t)left;
    if (cap > LONG_MAX)
        cap = LONG_MAX;
    status = produce(source, buf, cap, ret_len, ret_err);
    if (status != WEIR_OK)
        return status;
    if (*ret_len == 0 && is_bounded && !source->is_late)
        return wr_error_set(ret_err, WEIR_E_BODY,
                            "request body: ended after %llu of %llu bytes",
                            (unsigned long long)source->given,
                            (unsigned long long)source->length);
    source->given += *ret_len;
    return WEIR_OK;
}
