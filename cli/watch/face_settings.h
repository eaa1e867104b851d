/* What the settings say of the supervisor's outward face: `watch.page` and
 * `watch.events`.  All other keys of `watch` are the supervisor's. */
#ifndef WEIR_WATCH_FACE_SETTINGS_H
#define WEIR_WATCH_FACE_SETTINGS_H

#include "face.h"
#include "webhook.h"

/* Texts are its own; what was not asked for is NULL. */
struct watch_face_settings {
    char *listen;        /* page.listen, or --listen: "127.0.0.1:8090" */
    char *token;         /* what is in page.token_file */
    bool has_control;    /* page.control: the page may start and stop */
    char *events;        /* events.file, or --events; "-": standard output */
    char *history;       /* events.history: path of the database */
    double history_days; /* events.history_days: kept at most so long; 0: all */
    struct webhook_options webhook; /* events.webhook; url NULL: none */
};

/* Keys of `watch` that are read here, for whoever looks for unknown ones. */
#define WATCH_FACE_KEYS "page", "events"

/* Defaults, what the settings say, and what the command line says on top.
 * false: `ret_err` says what is wrong. */
bool watch_face_settings_read(struct watch_face_settings *face,
                              const weir_settings *settings,
                              const struct watch_face_options *options,
                              weir_error *ret_err);
void watch_face_settings_done(struct watch_face_settings *face);

/* A secret from a file, its line end removed: a token68 of RFC 9110 section
 * 11.2, at least WATCH_TOKEN_MIN long.  NULL: `ret_err` says why.  To free. */
enum {
    WATCH_TOKEN_MIN = 16
};
char *watch_token_from(const char *path, weir_error *ret_err);

/* Where the history is unless the settings say otherwise: in
 * $XDG_STATE_HOME/weir, or ~/.local/state/weir.  NULL: neither is known.  To
 * free. */
char *watch_history_default(void);

#endif
