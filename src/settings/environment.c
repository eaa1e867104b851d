#include "settings/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "settings/complain.h"
#include "settings/text.h"

/* Room for PROJECT_SECTION__. */
enum {
    PREFIX_CAP = 2 * WR_PROJECT_MAX
};

static const char layer_name[] = "environment";

const char *wr_environment_get(const char *name)
{
    const char *value = secure_getenv(name);

    return value && *value ? value : NULL;
}

/* Writes a name of a variable: upper case, '_' for '-'. */
static void write_name(char *buf, size_t cap, const char *project,
                       const char *rest, const char *end)
{
    snprintf(buf, cap, "%s_%s%s", project, rest, end);
    for (char *c = buf; *c; c++)
        *c = *c == '-' ? '_' : wr_upper(*c);
}

const char *wr_environment_get_own(const char *project, const char *suffix)
{
    char name[PREFIX_CAP];

    write_name(name, sizeof name, project, suffix, "");
    return wr_environment_get(name);
}

/* Keys are lower case and their variables upper case; one that is written in
 * another case is another variable, so it must not become a known key. */
static void swap_case(char *text)
{
    for (; *text; text++)
        *text = wr_upper(*text) != *text ? wr_upper(*text) : wr_lower(*text);
}

static weir_status add_variable(struct wr_tree *tree, struct wr_node *mapping,
                                const char *entry, size_t prefix_len,
                                weir_error *err)
{
    const size_t name_len = strcspn(entry, "=");
    struct wr_place place = {.layer = layer_name};
    struct wr_node *name =
        wr_tree_add(tree, WR_NODE_SCALAR, &place, entry, name_len);
    const char *text;
    struct wr_node *key;
    struct wr_node *value;

    if (!name)
        return wr_error_no_memory(err);
    /* Of two entries with one name the first counts. */
    text = secure_getenv(name->text);
    if (text != entry + name_len + 1)
        return WEIR_OK;
    place.variable = name->text;
    if (wr_text_check(text, strlen(text)) != strlen(text))
        return wr_complain(err, &place, NULL, NULL,
                           "found other bytes than printable UTF-8");
    key = wr_tree_add(tree, WR_NODE_SCALAR, &place, entry + prefix_len,
                      name_len - prefix_len);
    value = wr_tree_add(tree, WR_NODE_SCALAR, &place, text, strlen(text));
    if (!key || !value)
        return wr_error_no_memory(err);
    swap_case(key->text);
    value->is_plain = true;
    wr_node_append(mapping, key, value);
    return WEIR_OK;
}

/* --- sections that are not weir's ---------------------------------------- */

static struct wr_node *find_child(const struct wr_node *mapping,
                                  const char *name, size_t len)
{
    struct wr_node *child;

    STAILQ_FOREACH (child, &mapping->children, next) {
        if (child->key->len == len && !memcmp(child->key->text, name, len))
            return child;
    }
    return NULL;
}

/* The value under a key, added if need be; what is a scalar and a mapping at
 * once becomes odd.  NULL: out of memory. */
static struct wr_node *enter(struct wr_tree *tree, struct wr_node *mapping,
                             const struct wr_place *place, const char *name,
                             size_t len, const char *text)
{
    const enum wr_node_kind kind = text ? WR_NODE_SCALAR : WR_NODE_MAPPING;
    struct wr_node *child = find_child(mapping, name, len);
    struct wr_node *key;

    if (child) {
        if (child->kind != kind)
            child->oddity = "a value and others below it";
        return child;
    }
    key = wr_tree_add(tree, WR_NODE_SCALAR, place, name, len);
    child = wr_tree_add(tree, kind, place, text ? text : "",
                        text ? strlen(text) : 0);
    if (!key || !child)
        return NULL;
    child->is_plain = text != NULL;
    if (text && wr_text_check(text, strlen(text)) != strlen(text))
        child->oddity = "other bytes than printable UTF-8";
    wr_node_append(mapping, key, child);
    return child;
}

/* `path` is SECTION__KEY__KEY in lower case, in the name of a variable. */
static weir_status add_path(struct wr_tree *tree, struct wr_node *mapping,
                            const struct wr_place *place, const char *path,
                            const char *text)
{
    for (int depth = 0; mapping; depth++) {
        const char *end = strstr(path, "__");
        /* Of more underscores the last two lead deeper: A___B is A_ and B. */
        const size_t more = end ? strspn(end, "_") - 2 : 0;
        const size_t len = end ? (size_t)(end - path) + more : strlen(path);
        const bool is_last = !end || depth == WR_TREE_DEPTH / 2;

        mapping = enter(tree, mapping, place, path,
                        is_last ? strlen(path) : len, is_last ? text : NULL);
        if (mapping && (is_last || mapping->kind != WR_NODE_MAPPING))
            return WEIR_OK;
        path += len + 2;
    }
    return WEIR_E_NO_MEMORY;
}

/* The name of the section: what stands before the first "__".  0: none. */
static size_t section_len(const char *rest, size_t len)
{
    const char *end = strstr(rest, "__");

    return end && (size_t)(end - rest) + 2 < len ? (size_t)(end - rest) : 0;
}

static weir_status add_other(struct wr_tree *tree, struct wr_node *mapping,
                             const char *entry, size_t prefix_len,
                             bool (*is_own)(const char *name, size_t len))
{
    const size_t name_len = strcspn(entry, "=");
    struct wr_place place = {.layer = layer_name};
    const struct wr_node *name =
        wr_tree_add(tree, WR_NODE_SCALAR, &place, entry, name_len);
    struct wr_node *path;
    size_t len;

    if (!name)
        return WEIR_E_NO_MEMORY;
    /* Of two entries with one name the first counts. */
    if (secure_getenv(name->text) != entry + name_len + 1)
        return WEIR_OK;
    place.variable = name->text;
    path = wr_tree_add(tree, WR_NODE_SCALAR, &place, entry + prefix_len,
                       name_len - prefix_len);
    if (!path)
        return WEIR_E_NO_MEMORY;
    swap_case(path->text);
    len = section_len(path->text, path->len);
    if (!len || is_own(path->text, len))
        return WEIR_OK;
    return add_path(tree, mapping, &place, path->text, entry + name_len + 1);
}

weir_status
wr_environment_read_others(struct wr_tree *tree, const char *project,
                           bool (*is_own)(const char *name, size_t len),
                           struct wr_node **ret_mapping, weir_error *err)
{
    const struct wr_place place = {.layer = layer_name};
    char prefix[PREFIX_CAP];
    struct wr_node *mapping = NULL;
    size_t len;

    write_name(prefix, sizeof prefix, project, "", "");
    len = strlen(prefix);
    for (char **entry = environ; entry && *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        const char *deeper = strstr(*entry, "__");

        if (strncmp(*entry, prefix, len) || !equals || !deeper ||
            deeper > equals)
            continue;
        if (!mapping)
            mapping = wr_tree_add(tree, WR_NODE_MAPPING, &place, "", 0);
        if (!mapping ||
            add_other(tree, mapping, *entry, len, is_own) != WEIR_OK)
            return wr_error_no_memory(err);
    }
    *ret_mapping = mapping;
    return WEIR_OK;
}

weir_status wr_environment_read(struct wr_tree *tree, const char *project,
                                const char *section,
                                struct wr_node **ret_mapping, weir_error *err)
{
    const struct wr_place place = {.layer = layer_name};
    char prefix[PREFIX_CAP];
    struct wr_node *mapping;
    size_t len;

    write_name(prefix, sizeof prefix, project, section, "__");
    len = strlen(prefix);
    mapping = wr_tree_add(tree, WR_NODE_MAPPING, &place, "", 0);
    if (!mapping)
        return wr_error_no_memory(err);
    for (char **entry = environ; entry && *entry; entry++) {
        weir_status status;

        if (strncmp(*entry, prefix, len) || !strchr(*entry, '='))
            continue;
        status = add_variable(tree, mapping, *entry, len, err);
        if (status != WEIR_OK)
            return status;
    }
    *ret_mapping = STAILQ_EMPTY(&mapping->children) ? NULL : mapping;
    return WEIR_OK;
}
