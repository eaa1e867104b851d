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
