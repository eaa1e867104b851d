/* Writing to where somebody may not be reading. */
#ifndef WEIR_WATCH_WRITING_H
#define WEIR_WATCH_WRITING_H

#include <sys/types.h>

/* One write(2) that does not wait: a pipe that nobody empties, or a terminal
 * that has been stopped with Ctrl-S, would stop the supervisor.  -1: nothing
 * was written, errno says why (EAGAIN: it would have waited).  A pipe takes up
 * to PIPE_BUF bytes in one piece. */
ssize_t watch_write(int fd, const void *bytes, size_t len);

#endif
