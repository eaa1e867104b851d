#include "settings/section.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/slice.h"
#include "settings/complain.h"
#include "settings/guess.h"

struct wr_scalar wr_node_scalar(const struct wr_node *node)
{
    return (struct wr_scalar){.text = node->text,
                              .len = node->len,
                              .plain = node->is_plain,
                              .raw = node->place.variable != NULL};
}

void wr_node_found(const struct wr_node *node, char found[WR_FOUND_CAP])
{
    const struct wr_node *target = wr_node_resolve(node);
    const char *words = NULL;
    struct wr_scalar scalar;

    if (!target)
        words = "an alias without its anchor";
    else if (target->oddity)
        words = target->oddity;
    else if (target->kind == WR_NODE_MAPPING)
        words = "a mapping";
    else if (target->kind == WR_NODE_SEQUENCE)
        words = "a sequence";
    if (words) {
        snprintf(found, WR_FOUND_CAP, "%s", words);
        return;
    }
    scalar = wr_node_scalar(target);
    wr_scalar_found(&scalar, found);
}

/* The known key that was most likely meant, or NULL. */
static const char *find_meant(const struct wr_section *section,
                              const struct wr_node *key)
{
    struct wr_guess guess;

    wr_guess_begin(&guess, key->text, key->len);
    for (const struct wr_option *option = section->options; option->name;
         option++)
        wr_guess_try(&guess, option->name);
    return guess.meant;
}

static weir_status refuse_key(const struct wr_section *section,
                              const struct wr_node *child, weir_error *err)
{
    const struct wr_node *key = wr_node_resolve(child->key);
    const char *meant;
    char found[WR_FOUND_CAP];
    char spelled[WR_GUESS_NAME_MAX + 1];

    if (!key || key->kind != WR_NODE_SCALAR || key->oddity) {
        wr_node_found(child->key, found);
        return wr_complain(err, &child->key->place, section->name, NULL,
                           "found %s as a key, expected the name of an option",
                           found);
    }
    wr_text_shown(key->text, key->len, found);
    meant = find_meant(section, key);
    if (!meant)
        return wr_complain(err, &child->key->place, section->name, found,
                           "unknown key");
    snprintf(spelled, sizeof spelled, "%s", meant);
    for (char *c = spelled; *c && child->place.variable; c++)
        *c = wr_upper(*c);
    return wr_complain(err, &child->key->place, section->name, found,
                       "unknown key, did you mean %s?", spelled);
}

static weir_status check_value(const struct wr_section *section,
                               const struct wr_option *option,
                               const struct wr_node *child, weir_error *err)
{
    const struct wr_node *node = wr_node_resolve(child);
    struct wr_scalar scalar;
    struct wr_value value;
    char found[WR_FOUND_CAP];
    char expected[WR_EXPECTED_CAP];

    if (node && node->kind == WR_NODE_SCALAR && !node->oddity) {
        scalar = wr_node_scalar(node);
        if (wr_value_read(option, &scalar, &value) &&
            wr_value_is_valid(option, &value))
            return WEIR_OK;
    }
    if (option->is_secret)
        snprintf(found, sizeof found, "%s", WR_SECRET_FOUND);
    else
        wr_node_found(child, found);
    wr_value_expected(option, expected);
    return wr_complain(err, &child->place, section->name, option->name,
                       "found %s, expected %s", found, expected);
}

static weir_status check_entry(const struct wr_section *section,
                               const struct wr_node *mapping,
                               const struct wr_node *child, weir_error *err)
{
    const struct wr_node *key = wr_node_resolve(child->key);
    const struct wr_option *option = NULL;
    const struct wr_node *first;

    if (key && key->kind == WR_NODE_SCALAR && !key->oddity)
        option = wr_option_find_in(section->options, key->text, key->len);
    if (!option)
        return refuse_key(section, child, err);
    first = wr_node_find(mapping, option->name, strlen(option->name));
    if (first != child)
        return wr_complain(err, &child->key->place, section->name, option->name,
                           "found twice, first in line %u, expected once",
                           first->key->place.line);
    return check_value(section, option, child, err);
}

weir_status wr_section_check(const struct wr_section *section,
                             const struct wr_node *node, weir_error *err)
{
    const struct wr_node *mapping = wr_node_resolve(node);
    const struct wr_node *child;
    char found[WR_FOUND_CAP];
    weir_status status = WEIR_OK;

    if (mapping && wr_node_is_null(mapping))
        return WEIR_OK;
    if (!mapping || mapping->kind != WR_NODE_MAPPING || mapping->oddity) {
        wr_node_found(node, found);
        return wr_complain(err, &node->place, section->name, NULL,
                           "found %s, expected a mapping", found);
    }
    STAILQ_FOREACH (child, &mapping->children, next) {
        status = check_entry(section, mapping, child, err);
        if (status != WEIR_OK)
            break;
    }
    return status;
}

/* --- groups -------------------------------------------------------------- */

/* The group that a key names, or NULL. */
static const char *find_group(const struct wr_section *section,
                              const struct wr_node *child)
{
    const struct wr_node *key = wr_node_resolve(child->key);

    if (!key || key->kind != WR_NODE_SCALAR || key->oddity)
        return NULL;
    for (const char *const *group = section->groups; *group; group++) {
        if (key->len == strlen(*group) && !memcmp(key->text, *group, key->len))
            return *group;
    }
    return NULL;
}

/* Appends what `child` says under another key. */
static weir_status append_alias(struct wr_tree *tree, struct wr_node *mapping,
                                const struct wr_node *key,
                                const struct wr_node *child, weir_error *err)
{
    const bool is_alias = child->kind == WR_NODE_ALIAS;
    struct wr_node *alias = wr_tree_add(tree, WR_NODE_ALIAS, &child->place,
                                        child->text, is_alias ? child->len : 0);

    if (!alias || !key)
        return wr_error_no_memory(err);
    alias->target = is_alias ? child->target : child;
    wr_node_append(mapping, key, alias);
    return WEIR_OK;
}

/* "group_key", where `key` was written.  NULL: no memory. */
static const struct wr_node *joined_key(struct wr_tree *tree, const char *group,
                                        const struct wr_node *key)
{
    struct wr_buf name = {0};
    const struct wr_node *joined = NULL;

    if (wr_buf_append_text(&name, group) && wr_buf_append(&name, "_", 1) &&
        wr_buf_append(&name, key->text, key->len))
        joined =
            wr_tree_add(tree, WR_NODE_SCALAR, &key->place, name.data, name.len);
    wr_buf_done(&name);
    return joined;
}

static weir_status dissolve(struct wr_tree *tree,
                            const struct wr_section *section, const char *group,
                            const struct wr_node *child,
                            struct wr_node *mapping, weir_error *err)
{
    const struct wr_node *target = wr_node_resolve(child);
    const struct wr_node *inner;
    char found[WR_FOUND_CAP];
    weir_status status = WEIR_OK;

    if (target && wr_node_is_null(target))
        return WEIR_OK;
    if (!target || target->kind != WR_NODE_MAPPING || target->oddity) {
        wr_node_found(child, found);
        return wr_complain(err, &child->place, section->name, group,
                           "found %s, expected a mapping", found);
    }
    STAILQ_FOREACH (inner, &target->children, next) {
        const struct wr_node *key = wr_node_resolve(inner->key);

        if (key && key->kind == WR_NODE_SCALAR && !key->oddity)
            status = append_alias(tree, mapping, joined_key(tree, group, key),
                                  inner, err);
        else
            status = append_alias(tree, mapping, inner->key, inner, err);
        if (status != WEIR_OK)
            break;
    }
    return status;
}

weir_status wr_section_flatten(struct wr_tree *tree,
                               const struct wr_section *section,
                               const struct wr_node *node,
                               const struct wr_node **ret, weir_error *err)
{
    const struct wr_node *target = wr_node_resolve(node);
    const struct wr_node *child;
    struct wr_node *mapping;
    bool has_group = false;
    weir_status status = WEIR_OK;

    *ret = node;
    if (!target || target->kind != WR_NODE_MAPPING)
        return WEIR_OK;
    STAILQ_FOREACH (child, &target->children, next)
        has_group = has_group || find_group(section, child);
    if (!has_group)
        return WEIR_OK;
    mapping = wr_tree_add(tree, WR_NODE_MAPPING, &node->place, "", 0);
    if (!mapping)
        return wr_error_no_memory(err);
    mapping->oddity = target->oddity;
    *ret = mapping;
    STAILQ_FOREACH (child, &target->children, next) {
        const char *group = find_group(section, child);

        status = group ? dissolve(tree, section, group, child, mapping, err)
                       : append_alias(tree, mapping, child->key, child, err);
        if (status != WEIR_OK)
            break;
    }
    return status;
}
