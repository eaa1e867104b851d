#include "writing.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

ssize_t watch_write(int fd, const void *bytes, size_t len)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    ssize_t written;

    if (poll(&wanted, 1, 0) <= 0) {
        errno = EAGAIN;
        return -1;
    }
    do
        written = write(fd, bytes, len);
    while (written < 0 && errno == EINTR);
    return written;
}
