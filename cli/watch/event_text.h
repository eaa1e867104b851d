/* An event in words: as a line of JSON for machines, as a line for people. */
#ifndef WEIR_WATCH_EVENT_TEXT_H
#define WEIR_WATCH_EVENT_TEXT_H

#include <jansson.h>
#include <stddef.h>

#include "event.h"

enum {
    /* Of a JSON line, its '\n' included: what a pipe takes in one piece
     * (PIPE_BUF), so that lines of two writers never mix. */
    WATCH_LINE_MAX = 4096
};

/* The text as valid UTF-8: what is not so becomes U+FFFD.  What services write
 * may be anything.  To free. */
char *watch_clean_text(const char *text);
/* The same as JSON. */
json_t *watch_json_text(const char *text);

/* An object: time, event, service, failure, detail, pid, exit_code,
 * exit_signal, restarts; what the event has not is left out. */
json_t *watch_event_json(const struct watch_event *event);
/* The object in one line with its '\n', at most WATCH_LINE_MAX bytes: a longer
 * detail is cut.  To free. */
char *watch_event_line(const struct watch_event *event, size_t *ret_len);
/* "2026-11-28T13:53:36.042Z  api  process_died  exit status 1", without
 * controls.  To free. */
char *watch_event_words(const struct watch_event *event);

#endif
