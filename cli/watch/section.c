/* The keys of the section `watch`, and where its files are if nobody says. */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

#include "../store.h"
#include "face_settings.h"
#include "order.h"

#define KEY(member) #member, .offset = offsetof(struct watch_keys, member)

static const struct section_key keys[] = {
    {KEY(control), .kind = SECTION_TEXT},
    {KEY(state), .kind = SECTION_TEXT},
    {KEY(logs), .kind = SECTION_TEXT},
    {KEY(services), .kind = SECTION_NODE},
    {KEY(page), .kind = SECTION_NODE},
    {KEY(events), .kind = SECTION_NODE},
    {.name = NULL},
};

static char *state_of(const struct watch_keys *values)
{
    return values->state ? cli_copy(values->state) : store_folder(STORE_STATE);
}

/* A socket lives no longer than the session; without one, beside the state. */
static char *control_of(const struct watch_keys *values, const char *state)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");

    if (values->control)
        return cli_copy(values->control);
    if (runtime && *runtime == '/')
        return cli_format("%s/weir/watch.sock", runtime);
    return cli_format("%s/watch.sock", state);
}

/* The keys at the top alone: a mistake further down keeps nobody from speaking
 * to a supervisor that runs. */
static bool load_top(const weir_settings *settings, struct watch_keys *values)
{
    static const struct section top = {
        .name = "watch", .keys = keys, .size = sizeof(struct watch_keys)};

    return section_load(settings, &top, values);
}

char *watch_settings_state(const weir_settings *settings)
{
    struct watch_keys values;

    return load_top(settings, &values) ? state_of(&values) : NULL;
}

char *watch_settings_control(const weir_settings *settings)
{
    struct watch_keys values;
    char *state;
    char *control = NULL;

    if (!load_top(settings, &values))
        return NULL;
    state = state_of(&values);
    if (state)
        control = control_of(&values, state);
    free(state);
    return control;
}

static weir_status read_services(struct watch_settings *settings,
                                 const weir_node *node, weir_error *err)
{
    size_t room = 0;

    if (!node || weir_node_is_null(node))
        return WEIR_OK;
    if (weir_node_get_kind(node) != WEIR_NODE_MAPPING)
        return weir_node_complain(node, err, "a mapping of names to services");
    for (const weir_node *child = weir_node_first(node); child;
         child = weir_node_next(child))
        room++;
    if (room > WATCH_MAX_SERVICES)
        return weir_node_complain(node, err, "at most %d services",
                                  WATCH_MAX_SERVICES);
    settings->services = cli_alloc(room * sizeof(void *));
    for (const weir_node *child = weir_node_first(node); child;
         child = weir_node_next(child)) {
        struct watch_service_settings *service = watch_service_read(child, err);

        if (!service)
            return WEIR_E_SETTINGS;
        settings->services[settings->count++] = service;
    }
    return WEIR_OK;
}

/* --- who comes after whom ------------------------------------------------ */

static size_t find(const struct watch_settings *settings, const char *name)
{
    size_t i = 0;

    while (i < settings->count &&
           strcmp(settings->services[i]->name, name) != 0)
        i++;
    return i;
}

static weir_status refuse_after(const struct watch_settings *settings,
                                const weir_node *node, const char *unknown,
                                weir_error *err)
{
    const char **names = cli_alloc((settings->count + 1) * sizeof *names);
    const char *near;
    weir_status status;

    for (size_t i = 0; i < settings->count; i++)
        names[i] = settings->services[i]->name;
    near = weir_suggest(unknown, names);
    free((void *)names);
    status =
        near
            ? weir_node_complain_key(node, err,
                                     "after: there is no service '%s', did you "
                                     "mean %s?",
                                     unknown, near)
            : weir_node_complain_key(
                  node, err, "after: there is no service '%s'", unknown);
    return status;
}

struct graph {
    struct watch_member *members;
    struct watch_member **list;
    size_t count;
};

static void free_graph(struct graph *graph)
{
    for (size_t i = 0; i < graph->count; i++)
        free((void *)graph->members[i].after);
    free(graph->members);
    free((void *)graph->list);
}

static size_t count_names(char *const *names)
{
    size_t count = 0;

    while (names[count])
        count++;
    return count;
}

/* false: a name of `after` that nobody has; *ret_bad is who says it. */
static bool make_graph(const struct watch_settings *settings,
                       struct graph *graph, size_t *ret_bad,
                       const char **ret_name)
{
    graph->count = settings->count;
    graph->members = cli_alloc(graph->count * sizeof *graph->members);
    graph->list = cli_alloc(graph->count * sizeof(void *));
    for (size_t i = 0; i < graph->count; i++) {
        char *const *after = settings->services[i]->after;
        struct watch_member *member = &graph->members[i];

        graph->list[i] = member;
        member->after = cli_alloc(count_names(after) * sizeof(void *));
        for (; *after; after++) {
            const size_t at = find(settings, *after);

            if (at == settings->count) {
                *ret_bad = i;
                *ret_name = *after;
                return false;
            }
            member->after[member->after_count++] = &graph->members[at];
        }
    }
    return true;
}

static weir_status check_order(const struct watch_settings *settings,
                               const weir_node *services, weir_error *err)
{
    struct graph graph = {NULL, NULL, 0};
    const struct watch_member *in_cycle;
    const char *name = NULL;
    size_t bad = 0;
    weir_status status = WEIR_OK;

    if (!make_graph(settings, &graph, &bad, &name)) {
        status = refuse_after(
            settings, weir_node_find(services, settings->services[bad]->name),
            name, err);
    } else {
        in_cycle = watch_order_cycle(graph.list, graph.count);
        if (in_cycle) {
            name = settings->services[in_cycle - graph.members]->name;
            status = weir_node_complain_key(
                weir_node_find(services, name), err,
                "after: it would have to come after itself");
        }
    }
    free_graph(&graph);
    return status;
}

/* --- all of it ----------------------------------------------------------- */

static weir_status read_all(struct watch_settings *settings,
                            const struct watch_keys *values, weir_error *err)
{
    const weir_status status = read_services(settings, values->services, err);

    return status == WEIR_OK ? check_order(settings, values->services, err)
                             : status;
}

static weir_status check_section(const void *target, weir_error *err)
{
    const struct watch_keys *values = target;
    struct watch_settings *read = cli_alloc(sizeof *read);
    weir_status status = read_all(read, values, err);

    watch_settings_free(read);
    if (status == WEIR_OK && !watch_face_check(values, err))
        status = err->code;
    return status;
}

const struct section watch_section = {.name = "watch",
                                      .keys = keys,
                                      .size = sizeof(struct watch_keys),
                                      .check = check_section};

struct watch_settings *watch_settings_read(const weir_settings *settings,
                                           weir_error *err)
{
    struct watch_settings *read = cli_alloc(sizeof *read);
    struct watch_keys values;
    weir_status status =
        section_read(weir_settings_section(settings, watch_section.name),
                     watch_section.keys, &values, err);

    if (status == WEIR_OK)
        status = read_all(read, &values, err);
    if (status == WEIR_OK) {
        read->state = state_of(&values);
        if (!read->state) {
            *err = (weir_error){.code = WEIR_E_SETTINGS,
                                .message = "watch.state: not set"};
            status = WEIR_E_SETTINGS;
        }
    }
    if (status != WEIR_OK) {
        watch_settings_free(read);
        return NULL;
    }
    read->control = control_of(&values, read->state);
    read->logs = values.logs ? cli_copy(values.logs)
                             : cli_format("%s/logs", read->state);
    return read;
}

void watch_settings_free(struct watch_settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->count; i++)
        watch_service_settings_free(settings->services[i]);
    free((void *)settings->services);
    free(settings->control);
    free(settings->state);
    free(settings->logs);
    free(settings);
}
