#include "settings/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    STEP = 4096
};

static int read_all(int fd, size_t most, struct wr_buf *out)
{
    for (;;) {
        ssize_t n;

        if (!wr_buf_reserve(out, STEP))
            return ENOMEM;
        n = read(fd, out->data + out->len, STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        out->len += (size_t)n;
        if (out->len > most)
            return EFBIG;
    }
}

int wr_file_read(const char *path, size_t most, struct wr_buf *out)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int code;

    if (fd < 0)
        return errno;
    code = read_all(fd, most, out);
    close(fd);
    return code;
}
