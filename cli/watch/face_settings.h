/* What the settings say of the supervisor's outward face: `watch.page` and
 * `watch.events`.  All other keys of `watch` are the supervisor's. */
#ifndef WEIR_WATCH_FACE_SETTINGS_H
#define WEIR_WATCH_FACE_SETTINGS_H

#include "../section.h"
#include "face.h"
#include "settings.h"

struct page_settings {
    const char *listen;     /* "127.0.0.1:8090"; NULL: no page */
    const char *token_file; /* NULL: no token */
    bool control;           /* the page may start and stop */
};

struct webhook_settings {
    const char *url; /* NULL: none */
    const char *token_file;
    double timeout;
    long attempts;
    double delay;
    double max_delay;
    long max_queue;
};

struct events_settings {
    const char *file;    /* "-": standard output; NULL: none */
    const char *history; /* name of the database; "": none */
    long history_days;   /* kept at most so long; 0: for ever */
    const weir_node *webhook_node;
    struct webhook_settings webhook;
};

/* Texts are lent by the settings and by the command line. */
struct watch_face_settings {
    struct page_settings page;
    struct events_settings events;
};

/* Defaults, what the settings say, and what the command line says on top;
 * `options` may be NULL.  false: `ret_err` says what is wrong. */
bool watch_face_settings_read(struct watch_face_settings *face,
                              const weir_settings *settings,
                              const struct watch_face_options *options,
                              weir_error *ret_err);

/* The settings alone: keys, types and ranges.  false: `ret_err` says what is
 * wrong. */
bool watch_face_check(const struct watch_keys *keys, weir_error *ret_err);

/* A secret from a file, its line end removed: a token68 of RFC 9110 section
 * 11.2, at least WATCH_TOKEN_MIN long.  NULL: `ret_err` says why.  To free. */
enum {
    WATCH_TOKEN_MIN = 16
};
char *watch_token_from(const char *path, weir_error *ret_err);

#endif
