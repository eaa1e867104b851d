#include "event_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../table.h"
#include "stamp.h"

static const char replacement[] = "\xEF\xBF\xBD";

enum {
    SHORT_DETAIL = 16 /* one that cannot be the reason for a line's length */
};

/* Length of the character that begins at `text`, 0: no valid one does
 * (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF). */
static size_t char_len(const unsigned char *text)
{
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t len = 2;

    if (text[0] < 0x80)
        return 1;
    if (text[0] < 0xC2 || text[0] > 0xF4)
        return 0;
    if (text[0] >= 0xE0) {
        len = text[0] >= 0xF0 ? 4 : 3;
        if (text[0] == 0xE0)
            low = 0xA0;
        if (text[0] == 0xED)
            high = 0x9F;
        if (text[0] == 0xF0)
            low = 0x90;
        if (text[0] == 0xF4)
            high = 0x8F;
    }
    for (size_t i = 1; i < len; i++, low = 0x80, high = 0xBF) {
        if (text[i] < low || text[i] > high)
            return 0;
    }
    return len;
}

char *watch_clean_text(const char *text)
{
    const size_t grown = sizeof replacement - 1;
    char *clean = cli_alloc(strlen(text) * grown + 1);
    char *end = clean;

    while (*text) {
        const size_t len = char_len((const unsigned char *)text);

        memcpy(end, len ? text : replacement, len ? len : grown);
        end += len ? len : grown;
        text += len ? len : 1;
    }
    *end = '\0';
    return clean;
}

/* Out of memory ends a command, as in cli_alloc(). */
static void *need(void *made)
{
    if (!made) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    return made;
}

json_t *watch_json_text(const char *text)
{
    char *clean = watch_clean_text(text);
    json_t *json = need(json_string(clean));

    free(clean);
    return json;
}

static void set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, need(value)) != 0)
        need(NULL);
}

json_t *watch_event_json(const struct watch_event *event)
{
    json_t *object = need(json_object());
    char stamp[WATCH_STAMP_SIZE];

    watch_stamp(event->at_ms, stamp);
    set(object, "time", json_string(stamp));
    set(object, "event", json_string(watch_event_name(event->kind)));
    if (event->service[0])
        set(object, "service", watch_json_text(event->service));
    set(object, "failure", json_boolean(watch_event_is_failure(event->kind)));
    if (event->detail[0])
        set(object, "detail", watch_json_text(event->detail));
    if (event->pid > 0)
        set(object, "pid", json_integer(event->pid));
    if (event->exit_code >= 0)
        set(object, "exit_code", json_integer(event->exit_code));
    if (event->exit_signal > 0)
        set(object, "exit_signal", json_integer(event->exit_signal));
    if (event->service[0])
        set(object, "restarts", json_integer(event->restarts));
    return object;
}

/* Half of a text, and a sign that it was more. */
static char *shorten(char *text)
{
    char *half = cli_format("%.*s…", (int)(strlen(text) / 2), text);

    free(text);
    return half;
}

char *watch_event_line(const struct watch_event *event, size_t *ret_len)
{
    struct watch_event shown = *event;
    char *detail = cli_copy(event->detail);
    char *line = NULL;

    for (;;) {
        json_t *object;
        size_t len;

        shown.detail = detail;
        object = watch_event_json(&shown);
        len = json_dumpb(object, NULL, 0, JSON_COMPACT);
        if (len + 1 <= WATCH_LINE_MAX || strlen(detail) <= SHORT_DETAIL) {
            line = cli_alloc(len + 2);
            json_dumpb(object, line, len, JSON_COMPACT);
            line[len] = '\n';
            *ret_len = len + 1;
            json_decref(object);
            break;
        }
        json_decref(object);
        detail = shorten(detail);
    }
    free(detail);
    return line;
}

char *watch_event_words(const struct watch_event *event)
{
    char stamp[WATCH_STAMP_SIZE];
    char *words;
    char *clean;

    watch_stamp(event->at_ms, stamp);
    words = cli_format("%s  %s  %s%s%s", stamp,
                       event->service[0] ? event->service : "weir watch",
                       watch_event_name(event->kind),
                       event->detail[0] ? "  " : "", event->detail);
    clean = cli_printable(words, strlen(words));
    free(words);
    return clean;
}
