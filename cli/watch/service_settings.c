/* One service of the settings. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

#define NS(seconds) ((uint64_t)((seconds)*1e9))
#define MIB (1024.0 * 1024.0)

/* As the section's reader fills it: texts are the settings'. */
struct keys {
    const weir_node *command;
    const weir_node *environment;
    const weir_node *after;
    const weir_node *accept;
    const char *folder;
    const char *user;
    const char *health;
    double health_timeout;
    double interval;
    double startup_limit;
    double startup_interval;
    double settle;
    double shutdown_limit;
    int restart;
    long max_restarts;
    double restart_window;
    double restart_delay;
    double multiplier;
    double max_restart_delay;
    double cooldown;
    long last_tries;
    long fall;
    long rise;
    int probe;
    bool detach;
    bool autostart;
    double log_size;
    long log_files;
};

static const char *const policies[] = {
    [WATCH_RESTART_ALWAYS] = "always",
    [WATCH_RESTART_ON_FAILURE] = "on-failure",
    [WATCH_RESTART_NEVER] = "never",
    NULL,
};
static const char *const probes[] = {"fresh", "pooled", NULL};

#define KEY(member) #member, .offset = offsetof(struct keys, member)
#define SPAN SECTION_SECONDS, .max = 31536000 /* a year */

static const struct section_key keys[] = {
    {KEY(command), .kind = SECTION_NODE},
    {KEY(folder), .kind = SECTION_TEXT},
    {KEY(environment), .kind = SECTION_NODE},
    {KEY(user), .kind = SECTION_TEXT},
    {KEY(after), .kind = SECTION_NODE},
    {KEY(autostart), .kind = SECTION_FLAG, .usual = 1},
    {KEY(detach), .kind = SECTION_FLAG, .usual = 0},
    {KEY(health), .kind = SECTION_TEXT},
    {KEY(health_timeout), .kind = SPAN, .above_min = true, .usual = 5.0},
    {KEY(accept), .kind = SECTION_NODE},
    {KEY(probe), .kind = SECTION_CHOICE, .choices = probes, .usual = 0},
    {KEY(interval), .kind = SPAN, .above_min = true, .usual = 30.0},
    {KEY(fall), .kind = SECTION_INTEGER, .min = 1, .usual = 3},
    {KEY(rise), .kind = SECTION_INTEGER, .min = 1, .usual = 1},
    {KEY(startup_limit), .kind = SPAN, .above_min = true, .usual = 30.0},
    {KEY(startup_interval), .kind = SPAN, .above_min = true, .usual = 0.25},
    {KEY(settle), .kind = SPAN, .usual = 1.0},
    {KEY(shutdown_limit), .kind = SPAN, .usual = 10.0},
    {KEY(restart), .kind = SECTION_CHOICE, .choices = policies, .usual = 0},
    {KEY(max_restarts), .kind = SECTION_INTEGER, .max = 10000, .usual = 5},
    {KEY(restart_window), .kind = SPAN, .above_min = true, .usual = 300.0},
    {KEY(restart_delay), .kind = SPAN, .usual = 5.0},
    {KEY(multiplier), .kind = SECTION_NUMBER, .min = 1, .max = 100,
     .usual = 2.0},
    {KEY(max_restart_delay), .kind = SPAN, .usual = 300.0},
    {KEY(cooldown), .kind = SPAN, .above_min = true, .usual = 60.0},
    {KEY(last_tries), .kind = SECTION_INTEGER, .usual = 1},
    {KEY(log_size), .kind = SECTION_NUMBER, /* MiB */
     .max = 1048576, .above_min = true, .usual = 10.0},
    {KEY(log_files), .kind = SECTION_INTEGER, .min = 1, .max = 1000,
     .usual = 5},
    {.name = NULL},
};

/* --- lists --------------------------------------------------------------- */

static size_t count_children(const weir_node *node)
{
    size_t count = 0;

    for (const weir_node *child = weir_node_first(node); child;
         child = weir_node_next(child))
        count++;
    return count;
}

static void free_list(char **list)
{
    for (char **at = list; at && *at; at++)
        free(*at);
    free((void *)list);
}

/* Numbers need no quotes in a list of arguments or names.  NULL: refused. */
static char **read_list(const weir_node *node, const char *expected,
                        weir_error *err)
{
    char **list = cli_alloc((count_children(node) + 1) * sizeof *list);
    size_t len = 0;

    if (node && weir_node_get_kind(node) != WEIR_NODE_SEQUENCE) {
        weir_node_complain(node, err, "%s", expected);
        free_list(list);
        return NULL;
    }
    for (const weir_node *child = weir_node_first(node); child;
         child = weir_node_next(child)) {
        const char *text = weir_node_text(child);

        if (!text) {
            weir_node_complain(child, err, "text");
            free_list(list);
            return NULL;
        }
        list[len++] = cli_copy(text);
    }
    return list;
}

static char **read_variables(const weir_node *node, weir_error *err)
{
    char **list = cli_alloc((count_children(node) + 1) * sizeof *list);
    size_t len = 0;

    for (const weir_node *child = weir_node_first(node); child;
         child = weir_node_next(child)) {
        const char *key = weir_node_key(child);
        const char *text =
            weir_node_is_null(child) ? "" : weir_node_text(child);

        if (!key || !*key || strchr(key, '='))
            weir_node_complain_key(child, err, "no name of a variable");
        else if (!text)
            weir_node_complain(child, err, "text");
        else {
            list[len++] = cli_format("%s=%s", key, text);
            continue;
        }
        free_list(list);
        return NULL;
    }
    return list;
}

/* --- accepted statuses --------------------------------------------------- */

/* "200" or "200-299" */
static bool parse_range(const char *text, struct watch_status_range *range)
{
    char *end;

    if (!text || !isdigit((unsigned char)*text))
        return false;
    range->from = (int)strtol(text, &end, 10);
    range->to = range->from;
    if (*end == '-' && isdigit((unsigned char)end[1]))
        range->to = (int)strtol(end + 1, &end, 10);
    return *end == '\0' && range->from >= 100 && range->from <= range->to &&
           range->to <= 999;
}

static weir_status add_range(struct watch_service_settings *service,
                             const weir_node *node, weir_error *err)
{
    if (service->accept_count == WATCH_MAX_RANGES)
        return weir_node_complain(node, err, "at most %d of them",
                                  WATCH_MAX_RANGES);
    if (!parse_range(weir_node_text(node),
                     &service->accept[service->accept_count]))
        return weir_node_complain(
            node, err, "a status or a range of them, such as 200 or 200-299");
    service->accept_count++;
    return WEIR_OK;
}

static weir_status read_accept(struct watch_service_settings *service,
                               const weir_node *node, weir_error *err)
{
    weir_status status = WEIR_OK;

    if (!node) {
        service->accept[service->accept_count++] =
            (struct watch_status_range){200, 200};
        return WEIR_OK;
    }
    if (weir_node_get_kind(node) == WEIR_NODE_SCALAR)
        return add_range(service, node, err);
    if (!weir_node_first(node) ||
        weir_node_get_kind(node) != WEIR_NODE_SEQUENCE)
        return weir_node_complain(node, err, "statuses, such as [200, 204]");
    for (const weir_node *child = weir_node_first(node);
         child && status == WEIR_OK; child = weir_node_next(child))
        status = add_range(service, child, err);
    return status;
}

bool watch_service_accepts(const struct watch_service_settings *service,
                           int status)
{
    for (size_t i = 0; i < service->accept_count; i++) {
        if (service->accept[i].from <= status &&
            status <= service->accept[i].to)
            return true;
    }
    return false;
}

/* --- a service ----------------------------------------------------------- */

/* It is part of file names. */
static bool is_name(const char *text)
{
    size_t len = 0;

    if (!text || !isalnum((unsigned char)*text))
        return false;
    while (len <= 64 && (isalnum((unsigned char)text[len]) ||
                         (text[len] && strchr("._-", text[len]))))
        len++;
    return len <= 64 && text[len] == '\0';
}

static weir_status check_health(const weir_node *node, const char *url,
                                weir_error *err)
{
    weir_request *request;
    weir_error bad;

    if (!url)
        return WEIR_OK;
    if (weir_request_new("GET", url, &request, &bad) != WEIR_OK)
        return weir_node_complain(weir_node_find(node, "health"), err,
                                  "an address such as "
                                  "http://127.0.0.1:8080/health (%s)",
                                  bad.message);
    weir_request_free(request);
    return WEIR_OK;
}

static struct watch_rules rules_of(const struct keys *values)
{
    return (struct watch_rules){
        .has_health = values->health != NULL,
        .policy = (enum watch_policy)values->restart,
        .startup_limit_ns = NS(values->startup_limit),
        .startup_interval_ns = NS(values->startup_interval),
        .settle_ns = NS(values->settle),
        .interval_ns = NS(values->interval),
        .shutdown_limit_ns = NS(values->shutdown_limit),
        .cooldown_ns = NS(values->cooldown),
        .last_tries = (unsigned)values->last_tries,
        .fall = (unsigned)values->fall,
        .rise = (unsigned)values->rise,
        .restarts = {.max_restarts = (unsigned)values->max_restarts,
                     .window_ns = NS(values->restart_window),
                     .delay_ns = NS(values->restart_delay),
                     .multiplier = values->multiplier,
                     .max_delay_ns = NS(values->max_restart_delay)},
    };
}

static char *copy_or_null(const char *text)
{
    return text ? cli_copy(text) : NULL;
}

static void print_list(FILE *out, const char *name, char *const *list)
{
    fprintf(out, "%s:", name);
    for (; *list; list++) {
        char *quoted = section_quote(*list);

        fprintf(out, " %s", quoted);
        free(quoted);
    }
    fputc('\n', out);
}

/* Every value, however it was written. */
static char *fingerprint_of(const struct watch_service_settings *service,
                            const struct keys *values)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    for (const struct section_key *key = keys; key->name; key++) {
        char *value = section_print(key, values);

        if (value)
            fprintf(out, "%s: %s\n", key->name, value);
        free(value);
    }
    print_list(out, "command", service->argv);
    print_list(out, "environment", service->environment);
    print_list(out, "after", service->after);
    for (size_t i = 0; i < service->accept_count; i++)
        fprintf(out, "accept: %d-%d\n", service->accept[i].from,
                service->accept[i].to);
    fclose(out);
    return text;
}

static weir_status read_lists(struct watch_service_settings *service,
                              const weir_node *node, const struct keys *values,
                              weir_error *err)
{
    static const char expected[] =
        "a list of arguments, such as [server, --port, 8080]";

    if (!values->command)
        return weir_node_complain_key(node, err, "it has no command");
    service->argv = read_list(values->command, expected, err);
    if (service->argv && !service->argv[0])
        return weir_node_complain(values->command, err, "%s", expected);
    if (values->environment &&
        weir_node_get_kind(values->environment) != WEIR_NODE_MAPPING)
        return weir_node_complain(values->environment, err,
                                  "a mapping of variables");
    service->environment = read_variables(values->environment, err);
    service->after =
        read_list(values->after, "a list of services, such as [db]", err);
    if (!service->argv || !service->environment || !service->after)
        return WEIR_E_SETTINGS;
    return read_accept(service, values->accept, err);
}

static void fill(struct watch_service_settings *service, const char *name,
                 const struct keys *values)
{
    service->name = cli_copy(name);
    service->folder = copy_or_null(values->folder);
    service->user = copy_or_null(values->user);
    service->health = copy_or_null(values->health);
    service->health_timeout = values->health_timeout;
    service->is_pooled = values->probe == 1;
    service->is_detached = values->detach;
    service->is_automatic = values->autostart;
    service->rules = rules_of(values);
    service->log.max_bytes = (uint64_t)(values->log_size * MIB) + 1;
    service->log.files = (unsigned)values->log_files;
    service->fingerprint = fingerprint_of(service, values);
}

struct watch_service_settings *watch_service_read(const weir_node *node,
                                                  weir_error *err)
{
    struct watch_service_settings *service = cli_alloc(sizeof *service);
    const char *name = weir_node_key(node);
    struct keys values = {.command = NULL};
    weir_status status;

    if (!is_name(name))
        status = weir_node_complain_key(
            node, err,
            "a service has a name of at most 64 letters, digits, "
            "'.', '_' and '-'");
    else
        status = section_read(node, keys, &values, err);
    if (status == WEIR_OK)
        status = read_lists(service, node, &values, err);
    if (status == WEIR_OK)
        status = check_health(node, values.health, err);
    if (status == WEIR_OK) {
        fill(service, name, &values);
        return service;
    }
    watch_service_settings_free(service);
    return NULL;
}

void watch_service_settings_free(struct watch_service_settings *service)
{
    if (!service)
        return;
    free(service->name);
    free_list(service->argv);
    free_list(service->environment);
    free_list(service->after);
    free(service->folder);
    free(service->user);
    free(service->health);
    free(service->fingerprint);
    free(service);
}
