#include "settings/node.h"

#include <string.h>

#include "base/mem.h"
#include "settings/complain.h"
#include "settings/schema.h"
#include "settings/value.h"

struct wr_node *wr_tree_add(struct wr_tree *tree, enum wr_node_kind kind,
                            const struct wr_place *place, const char *text,
                            size_t len)
{
    struct wr_node *node;
    size_t size;

    if (__builtin_add_overflow(sizeof *node + 1, len, &size))
        return NULL;
    node = wr_calloc(1, size);
    if (!node)
        return NULL;
    node->kind = kind;
    node->place = *place;
    node->len = len;
    STAILQ_INIT(&node->children);
    if (len)
        memcpy(node->text, text, len);
    SLIST_INSERT_HEAD(&tree->nodes, node, owned);
    tree->count++;
    return node;
}

void wr_tree_done(struct wr_tree *tree)
{
    while (!SLIST_EMPTY(&tree->nodes)) {
        struct wr_node *node = SLIST_FIRST(&tree->nodes);

        SLIST_REMOVE_HEAD(&tree->nodes, owned);
        wr_free(node);
    }
    tree->count = 0;
}

void wr_node_append(struct wr_node *parent, const struct wr_node *key,
                    struct wr_node *child)
{
    child->parent = parent;
    child->key = key;
    STAILQ_INSERT_TAIL(&parent->children, child, next);
}

const struct wr_node *wr_node_resolve(const struct wr_node *node)
{
    return node->kind == WR_NODE_ALIAS ? node->target : node;
}

static bool is_key(const struct wr_node *key, const char *text, size_t len)
{
    key = wr_node_resolve(key);
    return key && key->kind == WR_NODE_SCALAR && !key->oddity &&
           key->len == len && !memcmp(key->text, text, len);
}

static struct wr_node *find(const struct wr_node *mapping, const char *key,
                            size_t len)
{
    struct wr_node *child;

    STAILQ_FOREACH (child, &mapping->children, next) {
        if (is_key(child->key, key, len))
            return child;
    }
    return NULL;
}

const struct wr_node *wr_node_find(const struct wr_node *mapping,
                                   const char *key, size_t len)
{
    return find(mapping, key, len);
}

bool wr_node_is_null(const struct wr_node *node)
{
    return node->kind == WR_NODE_SCALAR && node->is_plain && !node->oddity &&
           wr_schema_type(node->text, node->len) == WR_SCHEMA_NULL;
}

static weir_status copy(struct wr_tree *tree, const struct wr_node *from,
                        int depth, struct wr_node **ret, weir_error *err);

/* Refuses what has grown beyond all measure by aliases. */
static weir_status check_growth(const struct wr_tree *tree,
                                const struct wr_node *from, int depth,
                                weir_error *err)
{
    if (tree->count >= WR_TREE_MAX)
        return wr_complain(err, &from->place, NULL, NULL,
                           "found more than %d values, aliases included",
                           WR_TREE_MAX);
    if (depth >= WR_TREE_DEPTH)
        return wr_complain(err, &from->place, NULL, NULL,
                           "found more than %d levels, aliases included",
                           WR_TREE_DEPTH);
    return WEIR_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most WR_TREE_DEPTH deep */
static weir_status copy_children(struct wr_tree *tree, struct wr_node *into,
                                 const struct wr_node *from, int depth,
                                 weir_error *err)
{
    const struct wr_node *child;
    weir_status status = WEIR_OK;

    STAILQ_FOREACH (child, &from->children, next) {
        struct wr_node *key = NULL;
        struct wr_node *value = NULL;

        if (child->key)
            status = copy(tree, child->key, depth + 1, &key, err);
        if (status == WEIR_OK)
            status = copy(tree, child, depth + 1, &value, err);
        if (status != WEIR_OK || !value)
            return status;
        wr_node_append(into, key, value);
    }
    return WEIR_OK;
}

static weir_status refuse_alias(const struct wr_node *alias, weir_error *err)
{
    char shown[WR_FOUND_CAP];

    wr_text_shown(alias->text, alias->len, shown);
    return wr_complain(err, &alias->place, NULL, NULL,
                       "found *%s, expected an anchor of that name before it",
                       shown);
}

/* A copy without aliases.  A scalar keeps the place where it was used. */
/* NOLINTNEXTLINE(misc-no-recursion): at most WR_TREE_DEPTH deep */
static weir_status copy(struct wr_tree *tree, const struct wr_node *from,
                        int depth, struct wr_node **ret, weir_error *err)
{
    const struct wr_node *target = wr_node_resolve(from);
    weir_status status = check_growth(tree, from, depth, err);
    struct wr_node *node;

    if (status != WEIR_OK)
        return status;
    if (!target)
        return refuse_alias(from, err);
    node = wr_tree_add(tree, target->kind, &from->place, target->text,
                       target->len);
    if (!node)
        return wr_error_no_memory(err);
    node->is_plain = target->is_plain;
    node->oddity = target->oddity;
    *ret = node;
    return copy_children(tree, node, target, depth, err);
}

static weir_status replace(struct wr_tree *tree, struct wr_node *mapping,
                           const struct wr_node *key,
                           const struct wr_node *value, struct wr_node *old,
                           weir_error *err)
{
    struct wr_node *new_key = NULL;
    struct wr_node *new_value = NULL;
    weir_status status = copy(tree, key, 0, &new_key, err);

    if (status == WEIR_OK)
        status = copy(tree, value, 0, &new_value, err);
    if (status != WEIR_OK || !new_value)
        return status;
    if (!old) {
        wr_node_append(mapping, new_key, new_value);
        return WEIR_OK;
    }
    new_value->parent = mapping;
    new_value->key = new_key;
    STAILQ_INSERT_AFTER(&mapping->children, old, new_value, next);
    STAILQ_REMOVE(&mapping->children, old, wr_node, next);
    return WEIR_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most WR_TREE_DEPTH deep */
static weir_status merge(struct wr_tree *tree, struct wr_node *mapping,
                         const struct wr_node *key, const struct wr_node *value,
                         int depth, weir_error *err)
{
    const struct wr_node *name = wr_node_resolve(key);
    const struct wr_node *target = wr_node_resolve(value);
    const struct wr_node *child;
    struct wr_node *old = NULL;
    weir_status status = check_growth(tree, value, depth, err);

    if (status != WEIR_OK)
        return status;
    if (name && name->kind == WR_NODE_SCALAR && !name->oddity)
        old = find(mapping, name->text, name->len);
    if (!old || !target || old->kind != WR_NODE_MAPPING ||
        target->kind != WR_NODE_MAPPING)
        return replace(tree, mapping, key, value, old, err);
    STAILQ_FOREACH (child, &target->children, next) {
        status = merge(tree, old, child->key, child, depth + 1, err);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

weir_status wr_node_merge(struct wr_tree *tree, struct wr_node *mapping,
                          const struct wr_node *key,
                          const struct wr_node *value, weir_error *err)
{
    return merge(tree, mapping, key, value, 0, err);
}
