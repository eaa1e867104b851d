#include "face_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- keys ---------------------------------------------------------------- */

#define PAGE_AT(member) offsetof(struct page_settings, member)
#define EVENTS_AT(member) offsetof(struct events_settings, member)
#define WEBHOOK_AT(member) offsetof(struct webhook_settings, member)

static const struct section_key page_keys[] = {
    {.name = "listen", .kind = SECTION_TEXT, .offset = PAGE_AT(listen)},
    {.name = "token_file", .kind = SECTION_TEXT, .offset = PAGE_AT(token_file)},
    {.name = "control",
     .kind = SECTION_FLAG,
     .offset = PAGE_AT(control),
     .usual = 1},
    {0},
};

static const struct section_key events_keys[] = {
    {.name = "file", .kind = SECTION_TEXT, .offset = EVENTS_AT(file)},
    {.name = "history",
     .kind = SECTION_TEXT,
     .offset = EVENTS_AT(history),
     .usual_text = "watch.db"},
    {.name = "history_days",
     .kind = SECTION_INTEGER,
     .offset = EVENTS_AT(history_days),
     .max = 36500,
     .usual = 90},
    {.name = "webhook",
     .kind = SECTION_NODE,
     .offset = EVENTS_AT(webhook_node)},
    {0},
};

static const struct section_key webhook_keys[] = {
    {.name = "url", .kind = SECTION_TEXT, .offset = WEBHOOK_AT(url)},
    {.name = "token_file",
     .kind = SECTION_TEXT,
     .offset = WEBHOOK_AT(token_file)},
    {.name = "timeout",
     .kind = SECTION_SECONDS,
     .offset = WEBHOOK_AT(timeout),
     .above_min = true,
     .max = 3600,
     .usual = 30},
    {.name = "attempts",
     .kind = SECTION_INTEGER,
     .offset = WEBHOOK_AT(attempts),
     .min = 1,
     .max = 100,
     .usual = 3},
    {.name = "delay",
     .kind = SECTION_SECONDS,
     .offset = WEBHOOK_AT(delay),
     .above_min = true,
     .max = 3600,
     .usual = 1},
    {.name = "max_delay",
     .kind = SECTION_SECONDS,
     .offset = WEBHOOK_AT(max_delay),
     .above_min = true,
     .max = 86400,
     .usual = 60},
    {.name = "max_queue",
     .kind = SECTION_INTEGER,
     .offset = WEBHOOK_AT(max_queue),
     .min = 2,
     .max = 100000,
     .usual = 1000},
    {0},
};

/* --- secrets ------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool
refuse(weir_error *err, const char *format, ...)
{
    va_list args;

    *err =
        (weir_error){.code = WEIR_E_SETTINGS, .error_class = WEIR_CLASS_USAGE};
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return false;
}

static bool is_token68(const char *text)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789-._~+/";
    const size_t len = strspn(text, alphabet);

    return len > 0 && text[len + strspn(text + len, "=")] == '\0';
}

char *watch_token_from(const char *path, weir_error *ret_err)
{
    char text[1024];
    ssize_t len;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (len < 0) {
        refuse(ret_err, "token file %s: %s", path, strerror(errno));
        return NULL;
    }
    text[len] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (strlen(text) >= WATCH_TOKEN_MIN && is_token68(text))
        return cli_copy(text);
    refuse(ret_err,
           "token file %s: expected at least %d letters, digits or -._~+/",
           path, WATCH_TOKEN_MIN);
    return NULL;
}

/* --- all of it ----------------------------------------------------------- */

/* Nothing in quotes is as good as nothing. */
static void forget_empty(const char **text)
{
    if (*text && !**text)
        *text = NULL;
}

/* The history is a file in the user's own folder of states. */
static weir_status check_history(const char *history, const weir_node *events,
                                 weir_error *err)
{
    if (!strchr(history, '/') && history[0] != '.')
        return WEIR_OK;
    return weir_node_complain(weir_node_find(events, "history"), err,
                              "the name of a file, without a folder");
}

static bool read_face(struct watch_face_settings *face, const weir_node *page,
                      const weir_node *events, weir_error *ret_err)
{
    struct events_settings *said = &face->events;

    memset(face, 0, sizeof *face);
    return section_read(page, page_keys, &face->page, ret_err) == WEIR_OK &&
           section_read(events, events_keys, said, ret_err) == WEIR_OK &&
           section_read(said->webhook_node, webhook_keys, &said->webhook,
                        ret_err) == WEIR_OK &&
           check_history(said->history, events, ret_err) == WEIR_OK;
}

bool watch_face_check(const struct watch_keys *keys, weir_error *ret_err)
{
    struct watch_face_settings face;

    return read_face(&face, keys->page, keys->events, ret_err);
}

bool watch_face_settings_read(struct watch_face_settings *face,
                              const weir_settings *settings,
                              const struct watch_face_options *options,
                              weir_error *ret_err)
{
    const weir_node *section = weir_settings_section(settings, "watch");
    struct events_settings *events = &face->events;

    if (!read_face(face, weir_node_find(section, "page"),
                   weir_node_find(section, "events"), ret_err))
        return false;
    if (options && options->listen)
        face->page.listen = options->listen;
    if (options && options->events)
        events->file = options->events;
    forget_empty(&face->page.listen);
    forget_empty(&face->page.token_file);
    forget_empty(&events->file);
    forget_empty(&events->webhook.url);
    forget_empty(&events->webhook.token_file);
    return true;
}
