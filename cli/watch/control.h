/* The control socket: orders from the command line, a line of JSON each.
 *
 * A request is an object: "do" is one of status, start, stop, restart, reload
 * and down; "service" names one; "wait": the answer comes when it is done.  An
 * answer is an object: "ok"; "error" if it is false; what was asked for
 * otherwise. */
#ifndef WEIR_WATCH_CONTROL_H
#define WEIR_WATCH_CONTROL_H

#include "view.h"

struct watch_control;

/* Listens at a path of which no other supervisor does; mode 0600.  NULL: it has
 * complained. */
struct watch_control *watch_control_open(struct watch_supervisor *supervisor,
                                         const char *path);
/* Answers those who wait for something that has come about.  After every turn
 * of the loop. */
void watch_control_settle(struct watch_control *control);
/* Answers those who wait for the end, and closes.  NULL is allowed. */
void watch_control_close(struct watch_control *control);

#endif
