/* One stream of a service's output: to a file that is rotated by size, and its
 * last lines in memory.
 *
 * The process writes to a pipe, so that a line is never torn by a rotation, and
 * a flood costs a fixed buffer.  A detached one, which must be able to write
 * when nobody reads, has the file itself; that is copied and cut short instead,
 * which can lose what it writes meanwhile. */
#ifndef WEIR_WATCH_LOGS_H
#define WEIR_WATCH_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

struct watch_log_rules {
    uint64_t max_bytes; /* of a file before it is rotated */
    unsigned files;     /* in all: NAME, NAME.1 and so on; at least 1 */
};

struct watch_log;

/* Opens nothing yet.  path: copied. */
struct watch_log *watch_log_new(struct watch_loop *loop, const char *path,
                                const struct watch_log_rules *rules);
/* NULL is allowed. */
void watch_log_free(struct watch_log *log);

/* What a new process writes to: the caller closes it once that has begun.
 * Below 0: none can be had; errno says why. */
int watch_log_begin(struct watch_log *log);
/* The same for a detached process: the file. */
int watch_log_begin_detached(struct watch_log *log);
/* A detached process of an earlier supervisor has the file already. */
void watch_log_adopt(struct watch_log *log);
/* The process is gone: takes what it has left behind, and closes. */
void watch_log_end(struct watch_log *log);
/* Rotates a file that is written to directly, if it is time. */
void watch_log_cut(struct watch_log *log);

const char *watch_log_path(const struct watch_log *log);
/* Bytes that could not be written since it was last asked. */
uint64_t watch_log_lost(struct watch_log *log);
/* The last lines since the process began, joined with " | ", no controls;
 * "" if none. */
void watch_log_last_lines(struct watch_log *log, char *text, size_t size);

#endif
