/* The outward face of a supervisor: events to files, to SQLite and to a
 * webhook, the live table, the page, and what systemd is told.
 *
 * The supervisor opens it after it has read its settings and before it starts
 * the first service, tells it of new settings, and closes it when all are
 * down: it looks at the supervisor to its end. */
#ifndef WEIR_WATCH_FACE_H
#define WEIR_WATCH_FACE_H

#include "view.h"

/* From the command line; NULL: as the settings say. */
struct watch_face_options {
    const char *listen; /* --listen HOST:PORT */
    const char *events; /* --events FILE, "-" for standard output */
    bool is_plain;      /* --plain: no live table */
};

struct watch_face;

/* NULL: it has complained, and *ret_code is an exit code. */
struct watch_face *watch_face_open(struct watch_supervisor *supervisor,
                                   const weir_settings *settings,
                                   const struct watch_face_options *options,
                                   int *ret_code);
/* New settings, which watch_face_open() would have taken.  false: refused, with
 * the reason, and nothing has changed. */
bool watch_face_reload(struct watch_face *face, const weir_settings *settings,
                       struct watch_refusal *why);
/* NULL is allowed. */
void watch_face_close(struct watch_face *face);

/* `weir watch history`: arguments from there on. */
int watch_history(int argc, char **argv, const char *config);

#endif
