/* Loading: the layers in their order, checked one by one, merged, bound.
 *
 * Each layer becomes a tree (yaml.c, environment.c), each of our sections in it
 * is checked against its table (section.c), and is laid over what the layers
 * before it said (node.c).  A value that a later layer replaces must still be
 * right.  Another section is another row of `sections`; what is in none of them
 * belongs to the program and is kept for it (others.c). */
#include <weir/settings.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "settings/complain.h"
#include "settings/environment.h"
#include "settings/file.h"
#include "settings/others.h"
#include "settings/reader.h"
#include "settings/section.h"
#include "settings/yaml.h"

enum {
    FILE_MAX = 1 << 20
};

static const char *const pool_groups[] = {"retry", "breaker", NULL};

static const struct wr_section sections[] = {
    {"http_connection_pool", wr_option_table, pool_groups},
};

enum {
    SECTION_COUNT = sizeof sections / sizeof *sections
};

/* One effective value. */
struct entry {
    const struct wr_section *section;
    const struct wr_option *option;
    const struct wr_node *node; /* NULL: the default */
    size_t text;                /* offset in weir_settings.texts */
};

struct weir_settings {
    struct wr_tree tree; /* what all layers say together */
    struct wr_node *root;
    struct wr_others others;
    weir_pool_options pool; /* strings: the tree's */
    struct wr_buf texts;    /* every value as YAML, each terminated */
    struct entry *entries;
    size_t count;
};

void weir_settings_free(weir_settings *settings)
{
    if (!settings)
        return;
    wr_tree_done(&settings->tree);
    wr_others_done(&settings->others);
    wr_buf_done(&settings->texts);
    wr_free(settings->entries);
    wr_free(settings);
}

static weir_settings *new_settings(void)
{
    static const struct wr_place nowhere = {.layer = "default"};
    weir_settings *settings = wr_calloc(1, sizeof *settings);

    if (!settings)
        return NULL;
    settings->root =
        wr_tree_add(&settings->tree, WR_NODE_MAPPING, &nowhere, "", 0);
    if (settings->root)
        return settings;
    weir_settings_free(settings);
    return NULL;
}

/* Checks what a layer says in a section and lays it over the layers before.
 * `tree` is the layer's. */
static weir_status apply_section(weir_settings *settings, struct wr_tree *tree,
                                 const struct wr_section *section,
                                 const struct wr_node *key,
                                 const struct wr_node *value, weir_error *err)
{
    const struct wr_node *flat;
    const struct wr_node *target;
    weir_status status = wr_section_flatten(tree, section, value, &flat, err);

    if (status == WEIR_OK)
        status = wr_section_check(section, flat, err);
    if (status != WEIR_OK)
        return status;
    /* A section in which all is commented out says nothing. */
    target = wr_node_resolve(flat);
    if (target->kind != WR_NODE_MAPPING)
        return WEIR_OK;
    return wr_node_merge(&settings->tree, settings->root, key, flat, err);
}

static const struct wr_section *find_section(const char *text, size_t len)
{
    for (size_t i = 0; i < SECTION_COUNT; i++) {
        const char *name = sections[i].name;

        if (len == strlen(name) && !memcmp(text, name, len))
            return &sections[i];
    }
    return NULL;
}

/* What one layer says under a key at its top.  `first` is the first value
 * there under that key. */
static weir_status apply_child(weir_settings *settings, struct wr_tree *tree,
                               const struct wr_node *child,
                               const struct wr_node *first, weir_error *err)
{
    const struct wr_node *key = wr_node_resolve(child->key);
    const struct wr_section *section = find_section(key->text, key->len);

    if (!section)
        return wr_others_take(&settings->others, key, child, first != child,
                              err);
    if (first != child)
        return wr_complain(err, &child->key->place, section->name, NULL,
                           "found twice, first in line %u, expected once",
                           first->key->place.line);
    return apply_section(settings, tree, section, child->key, child, err);
}

static weir_status apply_document(weir_settings *settings, struct wr_tree *tree,
                                  const struct wr_node *root, weir_error *err)
{
    const struct wr_node *child;
    weir_status status = WEIR_OK;

    STAILQ_FOREACH (child, &root->children, next) {
        const struct wr_node *key = wr_node_resolve(child->key);

        if (!key || key->kind != WR_NODE_SCALAR || key->oddity)
            continue;
        status = apply_child(settings, tree, child,
                             wr_node_find(root, key->text, key->len), err);
        if (status != WEIR_OK)
            break;
    }
    return status;
}

/* A copy of a layer's path that lives as long as the settings. */
static const char *keep_path(weir_settings *settings, const char *path)
{
    static const struct wr_place nowhere = {.layer = "default"};
    const struct wr_node *node = wr_tree_add(&settings->tree, WR_NODE_SCALAR,
                                             &nowhere, path, strlen(path));

    return node ? node->text : NULL;
}

static weir_status apply_text(weir_settings *settings, const char *path,
                              const struct wr_buf *text, weir_error *err)
{
    const char *layer = keep_path(settings, path);
    struct wr_tree tree = {0};
    struct wr_node *root = NULL;
    weir_status status;

    if (!layer)
        return wr_error_no_memory(err);
    status = wr_yaml_read(&tree, layer, text->data, text->len, &root, err);
    if (status == WEIR_OK && root)
        status = apply_document(settings, &tree, root, err);
    wr_tree_done(&tree);
    return status;
}

static weir_status refuse_file(const char *path, int code, weir_error *err)
{
    char shown[WR_PATH_SHOWN];

    path = wr_path_shown(path, shown, sizeof shown);
    if (code == ENOMEM)
        return wr_error_no_memory(err);
    if (code == EFBIG)
        return wr_error_set(err, WEIR_E_FILE, "%s: larger than %d bytes", path,
                            FILE_MAX);
    return wr_error_system(err, WEIR_E_FILE, code, "%s", path);
}

static weir_status apply_file(weir_settings *settings, const char *path,
                              bool is_required, weir_error *err)
{
    struct wr_buf text = {0};
    const int code = wr_file_read(path, FILE_MAX, &text);
    weir_status status = WEIR_OK;

    if (!code)
        status = apply_text(settings, path, &text, err);
    else if (is_required || (code != ENOENT && code != ENOTDIR))
        status = refuse_file(path, code, err);
    wr_buf_done(&text);
    return status;
}

/* A layer: FOLDER/MIDDLE/NAME.yaml, the middle with its slash or empty. */
static weir_status apply_layer(weir_settings *settings, const char *folder,
                               const char *middle, const char *name,
                               weir_error *err)
{
    struct wr_buf path = {0};
    weir_status status;

    if (wr_buf_append_format(&path, "%s/%s%s.yaml", folder, middle, name) &&
        wr_buf_append(&path, "", 1))
        status = apply_file(settings, path.data, false, err);
    else
        status = wr_error_no_memory(err);
    wr_buf_done(&path);
    return status;
}

static weir_status apply_user_layers(weir_settings *settings,
                                     const char *project, weir_error *err)
{
    const char *base = wr_environment_get("XDG_CONFIG_HOME");
    const char *below = "";
    char middle[WR_PROJECT_MAX + 16];
    weir_status status;

    /* The base folder specification ignores a relative path. */
    if (!base || *base != '/') {
        base = wr_environment_get("HOME");
        below = ".config/";
    }
    if (!base)
        return WEIR_OK;
    snprintf(middle, sizeof middle, "%s%s/", below, project);
    status = apply_layer(settings, base, middle, "config", err);
    if (status == WEIR_OK)
        status = apply_layer(settings, base, middle, "local", err);
    return status;
}

static weir_status apply_folders(weir_settings *settings, const char *project,
                                 weir_error *err)
{
    weir_status status = apply_layer(settings, "settings", "", project, err);

    if (status == WEIR_OK)
        status = apply_layer(settings, "settings", "", "local", err);
    if (status == WEIR_OK)
        status = apply_user_layers(settings, project, err);
    return status;
}

static bool is_own(const char *name, size_t len)
{
    return find_section(name, len) != NULL;
}

/* The nodes stay in the settings' own tree: their names are lent. */
static weir_status apply_other_variables(weir_settings *settings,
                                         const char *project, weir_error *err)
{
    struct wr_node *mapping = NULL;
    weir_status status = wr_environment_read_others(&settings->tree, project,
                                                    is_own, &mapping, err);

    if (status == WEIR_OK && mapping)
        status = wr_others_take_all(&settings->others, mapping, err);
    return status;
}

static weir_status apply_environment(weir_settings *settings,
                                     const char *project, weir_error *err)
{
    static const struct wr_place nowhere = {.layer = "environment"};

    for (size_t i = 0; i < SECTION_COUNT; i++) {
        const char *name = sections[i].name;
        struct wr_node *mapping = NULL;
        const struct wr_node *key;
        weir_status status =
            wr_environment_read(&settings->tree, project, name, &mapping, err);

        if (status != WEIR_OK)
            return status;
        if (!mapping)
            continue;
        key = wr_tree_add(&settings->tree, WR_NODE_SCALAR, &nowhere, name,
                          strlen(name));
        if (!key)
            return wr_error_no_memory(err);
        status = apply_section(settings, &settings->tree, &sections[i], key,
                               mapping, err);
        if (status != WEIR_OK)
            return status;
    }
    return apply_other_variables(settings, project, err);
}

static weir_status apply_named(weir_settings *settings, const char *project,
                               const char *path, weir_error *err)
{
    if (!path)
        path = wr_environment_get_own(project, "config");
    if (!path)
        return WEIR_OK;
    if (!wr_yaml_is_built())
        return apply_text(settings, path, &(struct wr_buf){0}, err);
    return apply_file(settings, path, true, err);
}

static const struct wr_node *find_effective(const weir_settings *settings,
                                            const struct wr_section *section,
                                            const char *key)
{
    const struct wr_node *mapping =
        wr_node_find(settings->root, section->name, strlen(section->name));

    return mapping ? wr_node_find(mapping, key, strlen(key)) : NULL;
}

/* Values that are right one by one were checked as they came. */
static weir_status bind_pool(weir_settings *settings, weir_error *err)
{
    const struct wr_section *section = &sections[0];
    const struct wr_node *node;
    const char *expected;
    const char *name;
    char found[WR_FOUND_CAP];

    weir_pool_options_init(&settings->pool);
    for (const struct wr_option *option = section->options; option->name;
         option++) {
        struct wr_scalar scalar;
        struct wr_value value;

        node = find_effective(settings, section, option->name);
        if (!node)
            continue;
        scalar = wr_node_scalar(node);
        if (!wr_value_read(option, &scalar, &value))
            return wr_error_no_memory(err);
        wr_value_store(option, &value, &settings->pool);
    }
    name = wr_options_conflict(&settings->pool, &expected);
    node = name ? find_effective(settings, section, name) : NULL;
    if (!node)
        return WEIR_OK;
    wr_node_found(node, found);
    return wr_complain(err, &node->place, section->name, name,
                       "found %s, expected %s", found, expected);
}

static bool list_value(weir_settings *settings,
                       const struct wr_section *section,
                       const struct wr_option *option)
{
    const struct wr_value value = wr_value_load(option, &settings->pool);

    settings->entries[settings->count++] = (struct entry){
        .section = section,
        .option = option,
        .node = find_effective(settings, section, option->name),
        .text = settings->texts.len,
    };
    return wr_value_print(option, &value, &settings->texts) &&
           wr_buf_append(&settings->texts, "", 1);
}

static weir_status list_values(weir_settings *settings, weir_error *err)
{
    const struct wr_section *section = &sections[0];
    size_t count = 0;

    while (section->options[count].name)
        count++;
    settings->entries = wr_calloc(count, sizeof *settings->entries);
    if (!settings->entries)
        return wr_error_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (!list_value(settings, section, &section->options[i]))
            return wr_error_no_memory(err);
    }
    return WEIR_OK;
}

static weir_status check_project(const char *project, weir_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    const size_t len = project ? strlen(project) : 0;
    char shown[WR_FOUND_CAP];

    if (len && len <= WR_PROJECT_MAX && strspn(project, allowed) == len)
        return WEIR_OK;
    wr_text_shown(project ? project : "", len, shown);
    return wr_error_set(err, WEIR_E_INVALID,
                        "project: found \"%s\", expected 1 to %d letters, "
                        "digits, '-' and '_'",
                        shown, WR_PROJECT_MAX);
}

static weir_status load(weir_settings *settings, const char *project,
                        const char *path, bool with_files, weir_error *err)
{
    weir_status status = WEIR_OK;

    if (with_files)
        status = apply_folders(settings, project, err);
    if (status == WEIR_OK)
        status = apply_environment(settings, project, err);
    if (status == WEIR_OK && with_files)
        status = apply_named(settings, project, path, err);
    if (status == WEIR_OK)
        status = bind_pool(settings, err);
    return status == WEIR_OK ? list_values(settings, err) : status;
}

static weir_status load_new(const char *project, const char *path,
                            bool with_files, weir_settings **ret_settings,
                            weir_error *err)
{
    weir_settings *settings;
    weir_status status = check_project(project, err);

    if (status != WEIR_OK)
        return status;
    if (!ret_settings || (path && !*path))
        return wr_error_set(err, WEIR_E_INVALID,
                            ret_settings ? "path: found \"\", expected a file"
                                         : "ret_settings: found NULL");
    settings = new_settings();
    if (!settings)
        return wr_error_no_memory(err);
    status = load(settings, project, path, with_files, err);
    if (status == WEIR_OK)
        *ret_settings = settings;
    else
        weir_settings_free(settings);
    return status;
}

weir_status weir_settings_load(const char *project, const char *path,
                               weir_settings **ret_settings,
                               weir_error *ret_err)
{
    return load_new(project, path, true, ret_settings, ret_err);
}

weir_status weir_settings_load_environment(const char *project,
                                           weir_settings **ret_settings,
                                           weir_error *ret_err)
{
    return load_new(project, NULL, false, ret_settings, ret_err);
}

void weir_settings_pool_options_sized(const weir_settings *settings,
                                      weir_pool_options *options, size_t size)
{
    wr_options_give(options, size, &settings->pool);
}

const weir_node *weir_settings_section(const weir_settings *settings,
                                       const char *name)
{
    const size_t len = strlen(name);
    const struct wr_node *root =
        find_section(name, len) ? settings->root : settings->others.root;

    return root ? wr_node_lend(wr_node_find(root, name, len)) : NULL;
}

size_t weir_settings_count(const weir_settings *settings)
{
    return settings->count;
}

weir_setting weir_settings_at(const weir_settings *settings, size_t index)
{
    static const weir_setting none = {sizeof none, "", "", "", "", 0, 0};
    const struct entry *entry;

    if (index >= settings->count)
        return none;
    entry = &settings->entries[index];
    return (weir_setting){
        .size = sizeof(weir_setting),
        .section = entry->section->name,
        .key = entry->option->name,
        .value = settings->texts.data + entry->text,
        .layer = entry->node ? entry->node->place.layer : "default",
        .line = entry->node ? entry->node->place.line : 0,
        .column = entry->node ? entry->node->place.column : 0,
    };
}
