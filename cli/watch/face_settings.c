#include "face_settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cli.h"

/* --- secrets ------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static bool
refuse(weir_error *err, const char *format, ...)
{
    va_list args;

    *err = (weir_error){.code = WEIR_E_SETTINGS,
                        .error_class = WEIR_CLASS_USAGE};
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

char *watch_history_default(void)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");

    if (state && state[0] == '/')
        return cli_format("%s/weir/watch.db", state);
    if (home && home[0] == '/')
        return cli_format("%s/.local/state/weir/watch.db", home);
    return NULL;
}

/* --- values -------------------------------------------------------------- */

/* A key, and what reads its value. */
struct key {
    const char *name;
    weir_status (*read)(struct watch_face_settings *face,
                        const weir_node *node, weir_error *err);
};

static weir_status keep_text(char **text, const weir_node *node,
                             weir_error *err)
{
    const char *found;
    const weir_status status = weir_node_string(node, &found, err);

    if (status != WEIR_OK)
        return status;
    free(*text);
    *text = found[0] ? cli_copy(found) : NULL;
    return WEIR_OK;
}

static weir_status keep_token(char **token, const weir_node *node,
                              weir_error *err)
{
    weir_error why;
    char *path = NULL;
    weir_status status = keep_text(&path, node, err);

    if (status == WEIR_OK && path) {
        free(*token);
        *token = watch_token_from(path, &why);
        if (!*token)
            status = weir_node_complain(node, err, "a token (%s)", why.message);
    }
    free(path);
    return status;
}

static weir_status read_mapping(struct watch_face_settings *face,
                                const weir_node *node, const struct key *keys,
                                weir_error *err);

static weir_status read_listen(struct watch_face_settings *face,
                               const weir_node *node, weir_error *err)
{
    return keep_text(&face->listen, node, err);
}

static weir_status read_page_token(struct watch_face_settings *face,
                                   const weir_node *node, weir_error *err)
{
    return keep_token(&face->token, node, err);
}

static weir_status read_control(struct watch_face_settings *face,
                                const weir_node *node, weir_error *err)
{
    return weir_node_boolean(node, &face->has_control, err);
}

static weir_status read_file(struct watch_face_settings *face,
                             const weir_node *node, weir_error *err)
{
    return keep_text(&face->events, node, err);
}

static weir_status read_history(struct watch_face_settings *face,
                                const weir_node *node, weir_error *err)
{
    return keep_text(&face->history, node, err);
}

static weir_status read_history_days(struct watch_face_settings *face,
                                     const weir_node *node, weir_error *err)
{
    return weir_node_number(node, 0, 36500, &face->history_days, err);
}

static weir_status read_url(struct watch_face_settings *face,
                            const weir_node *node, weir_error *err)
{
    return keep_text((char **)&face->webhook.url, node, err);
}

static weir_status read_webhook_token(struct watch_face_settings *face,
                                      const weir_node *node, weir_error *err)
{
    return keep_token((char **)&face->webhook.token, node, err);
}

static weir_status read_timeout(struct watch_face_settings *face,
                                const weir_node *node, weir_error *err)
{
    return weir_node_number(node, 0.1, 3600, &face->webhook.timeout, err);
}

static weir_status read_attempts(struct watch_face_settings *face,
                                 const weir_node *node, weir_error *err)
{
    int64_t attempts;
    const weir_status status = weir_node_integer(node, 1, 100, &attempts, err);

    if (status == WEIR_OK)
        face->webhook.attempts = (unsigned)attempts;
    return status;
}

static weir_status read_delay(struct watch_face_settings *face,
                              const weir_node *node, weir_error *err)
{
    return weir_node_number(node, 0.01, 3600, &face->webhook.delay, err);
}

static weir_status read_max_delay(struct watch_face_settings *face,
                                  const weir_node *node, weir_error *err)
{
    return weir_node_number(node, 0.01, 86400, &face->webhook.max_delay, err);
}

static weir_status read_max_queue(struct watch_face_settings *face,
                                  const weir_node *node, weir_error *err)
{
    int64_t count;
    const weir_status status = weir_node_integer(node, 2, 100000, &count, err);

    if (status == WEIR_OK)
        face->webhook.max_queue = (size_t)count;
    return status;
}

/* --- mappings ------------------------------------------------------------ */

static weir_status read_page(struct watch_face_settings *face,
                             const weir_node *node, weir_error *err)
{
    static const struct key keys[] = {{"listen", read_listen},
                                      {"token_file", read_page_token},
                                      {"control", read_control},
                                      {NULL, NULL}};

    return read_mapping(face, node, keys, err);
}

static weir_status read_webhook(struct watch_face_settings *face,
                                const weir_node *node, weir_error *err)
{
    static const struct key keys[] = {{"url", read_url},
                                      {"token_file", read_webhook_token},
                                      {"timeout", read_timeout},
                                      {"attempts", read_attempts},
                                      {"delay", read_delay},
                                      {"max_delay", read_max_delay},
                                      {"max_queue", read_max_queue},
                                      {NULL, NULL}};

    return read_mapping(face, node, keys, err);
}

static weir_status read_events(struct watch_face_settings *face,
                               const weir_node *node, weir_error *err)
{
    static const struct key keys[] = {{"file", read_file},
                                      {"history", read_history},
                                      {"history_days", read_history_days},
                                      {"webhook", read_webhook},
                                      {NULL, NULL}};

    return read_mapping(face, node, keys, err);
}

static weir_status refuse_key(const weir_node *node, const struct key *keys,
                              weir_error *err)
{
    enum {
        MAX_KEYS = 8
    };
    const char *names[MAX_KEYS + 1] = {NULL};
    const char *key = weir_node_key(node);
    const char *near = NULL;

    for (size_t i = 0; i < MAX_KEYS && keys[i].name; i++)
        names[i] = keys[i].name;
    if (key)
        near = cli_suggest(key, names);
    return weir_node_complain_key(node, err, "unknown key%s%s%s",
                                  near ? ", did you mean " : "",
                                  near ? near : "", near ? "?" : "");
}

static weir_status read_mapping(struct watch_face_settings *face,
                                const weir_node *node, const struct key *keys,
                                weir_error *err)
{
    weir_status status = WEIR_OK;

    if (weir_node_is_null(node))
        return WEIR_OK;
    if (weir_node_get_kind(node) != WEIR_NODE_MAPPING)
        return weir_node_complain(node, err, "keys and values");
    for (const weir_node *value = weir_node_first(node);
         value && status == WEIR_OK; value = weir_node_next(value)) {
        const char *name = weir_node_key(value);
        const struct key *key = keys;

        while (key->name && (!name || strcmp(key->name, name) != 0))
            key++;
        status = key->name ? key->read(face, value, err)
                           : refuse_key(value, keys, err);
    }
    return status;
}

/* --- all of it ----------------------------------------------------------- */

static void set_defaults(struct watch_face_settings *face)
{
    *face = (struct watch_face_settings){.has_control = true,
                                         .history = watch_history_default(),
                                         .history_days = 90,
                                         .webhook = {.timeout = 30,
                                                     .attempts = 3,
                                                     .delay = 1,
                                                     .max_delay = 60,
                                                     .max_queue = 1000}};
}

static void replace(char **text, const char *other)
{
    if (!other)
        return;
    free(*text);
    *text = cli_copy(other);
}

bool watch_face_settings_read(struct watch_face_settings *face,
                              const weir_settings *settings,
                              const struct watch_face_options *options,
                              weir_error *ret_err)
{
    const weir_node *section = weir_settings_section(settings, "watch");
    const weir_node *page = weir_node_find(section, "page");
    const weir_node *events = weir_node_find(section, "events");

    set_defaults(face);
    if ((page && read_page(face, page, ret_err) != WEIR_OK) ||
        (events && read_events(face, events, ret_err) != WEIR_OK)) {
        watch_face_settings_done(face);
        return false;
    }
    replace(&face->listen, options->listen);
    replace(&face->events, options->events);
    return true;
}

void watch_face_settings_done(struct watch_face_settings *face)
{
    free(face->listen);
    free(face->token);
    free(face->events);
    free(face->history);
    free((char *)face->webhook.url);
    free((char *)face->webhook.token);
    *face = (struct watch_face_settings){0};
}
