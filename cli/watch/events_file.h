/* Events as JSON lines, to a file or to standard output.
 *
 * One write(2) a line, so that two writers and a reader of the file never see
 * half of one.  A file that was moved away, as logrotate does, is left and made
 * anew. */
#ifndef WEIR_WATCH_EVENTS_FILE_H
#define WEIR_WATCH_EVENTS_FILE_H

#include <weir/error.h>

#include "event.h"

struct events_file;

/* `path` "-": standard output.  NULL: `ret_err` says why. */
struct events_file *events_file_open(const char *path, weir_error *ret_err);
/* NULL is allowed. */
void events_file_close(struct events_file *file);
/* A sink's emit; `user` is the events_file. */
void events_file_emit(void *user, const struct watch_event *event);
/* Events that could not be written: the disk is full, or whoever reads standard
 * output does not. */
uint64_t events_file_lost(const struct events_file *file);

#endif
