#include "settings/others.h"

#include <string.h>

#include "base/error.h"

/* Values of one mapping: a repeated key is looked for among all before it. */
enum {
    KEYS_MAX = 10000
};

static const char too_large[] = "too many values or levels";
static const char twice[] = "a second value under one key";

/* WEIR_E_LIMIT, beside success and WEIR_E_NO_MEMORY: beyond all measure. */
static weir_status tidy(struct wr_tree *tree, const struct wr_node *from,
                        int depth, struct wr_node **ret);

static weir_status add_odd(struct wr_tree *tree, const struct wr_node *from,
                           const char *oddity, struct wr_node **ret)
{
    struct wr_node *node =
        wr_tree_add(tree, WR_NODE_SCALAR, &from->place, "", 0);

    if (!node)
        return WEIR_E_NO_MEMORY;
    node->oddity = oddity;
    *ret = node;
    return WEIR_OK;
}

static struct wr_node *find_child(const struct wr_node *mapping,
                                  const struct wr_node *key)
{
    struct wr_node *child;

    if (key->kind != WR_NODE_SCALAR || key->oddity)
        return NULL;
    STAILQ_FOREACH (child, &mapping->children, next) {
        if (child->key->kind == WR_NODE_SCALAR && !child->key->oddity &&
            child->key->len == key->len &&
            !memcmp(child->key->text, key->text, key->len))
            return child;
    }
    return NULL;
}

static void make_odd(struct wr_node *node, const struct wr_node *key,
                     const struct wr_place *place, const char *oddity)
{
    node->key = key;
    STAILQ_INIT(&node->children);
    node->kind = WR_NODE_SCALAR;
    node->place = *place;
    node->oddity = oddity;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most WR_TREE_DEPTH deep */
static weir_status tidy_children(struct wr_tree *tree, struct wr_node *into,
                                 const struct wr_node *from, int depth)
{
    const struct wr_node *child;
    size_t count = 0;

    STAILQ_FOREACH (child, &from->children, next) {
        struct wr_node *key = NULL;
        struct wr_node *value = NULL;
        struct wr_node *first;
        weir_status status = WEIR_OK;

        if (child->key) {
            status = tidy(tree, child->key, depth + 1, &key);
            count++;
        }
        if (status == WEIR_OK && count > KEYS_MAX)
            status = WEIR_E_LIMIT;
        first = status == WEIR_OK && key ? find_child(into, key) : NULL;
        if (first) {
            make_odd(first, key, &child->place, twice);
            continue;
        }
        if (status == WEIR_OK)
            status = tidy(tree, child, depth + 1, &value);
        if (status != WEIR_OK)
            return status;
        wr_node_append(into, key, value);
    }
    return WEIR_OK;
}

/* A copy without aliases in which only leaves are odd. */
/* NOLINTNEXTLINE(misc-no-recursion): at most WR_TREE_DEPTH deep */
static weir_status tidy(struct wr_tree *tree, const struct wr_node *from,
                        int depth, struct wr_node **ret)
{
    const struct wr_node *target = wr_node_resolve(from);
    struct wr_node *node;

    if (depth >= WR_TREE_DEPTH - 1 || tree->count >= WR_TREE_MAX / 2)
        return WEIR_E_LIMIT;
    if (!target)
        return add_odd(tree, from, "an alias without its anchor", ret);
    if (target->oddity)
        return add_odd(tree, from, target->oddity, ret);
    node = wr_tree_add(tree, target->kind, &from->place, target->text,
                       target->len);
    if (!node)
        return WEIR_E_NO_MEMORY;
    node->is_plain = target->is_plain;
    *ret = node;
    return tidy_children(tree, node, target, depth);
}

/* Whatever the layers before have said, the section is odd from now on. */
static weir_status take_odd(struct wr_others *others, const struct wr_node *key,
                            const struct wr_node *value, const char *oddity)
{
    struct wr_node *old = find_child(others->root, key);
    struct wr_node *odd;
    const struct wr_node *name = wr_tree_add(&others->tree, WR_NODE_SCALAR,
                                             &key->place, key->text, key->len);

    if (!name)
        return WEIR_E_NO_MEMORY;
    if (old) {
        make_odd(old, name, &value->place, oddity);
        return WEIR_OK;
    }
    if (add_odd(&others->tree, value, oddity, &odd) != WEIR_OK)
        return WEIR_E_NO_MEMORY;
    wr_node_append(others->root, name, odd);
    return WEIR_OK;
}

static weir_status take(struct wr_others *others, const struct wr_node *key,
                        const struct wr_node *value)
{
    const struct wr_node *old = find_child(others->root, key);
    struct wr_tree tree = {0};
    struct wr_node *tidied = NULL;
    weir_status status = WEIR_OK;

    /* An odd section stays so: what lies under it is not known. */
    if (old && old->oddity)
        return WEIR_OK;
    status = tidy(&tree, value, 0, &tidied);
    if (status == WEIR_OK && tidied->oddity)
        status = take_odd(others, key, value, tidied->oddity);
    else if (status == WEIR_OK)
        status = wr_node_merge(&others->tree, others->root, key, tidied, NULL);
    if (status != WEIR_OK && status != WEIR_E_NO_MEMORY)
        status = take_odd(others, key, value, too_large);
    wr_tree_done(&tree);
    return status;
}

weir_status wr_others_take(struct wr_others *others, const struct wr_node *key,
                           const struct wr_node *value, bool is_again,
                           weir_error *err)
{
    static const struct wr_place nowhere = {.layer = "default"};
    const struct wr_node *name = wr_node_resolve(key);
    const struct wr_node *target = wr_node_resolve(value);
    weir_status status;

    /* Without a name nobody can ask for it. */
    if (!name || name->kind != WR_NODE_SCALAR || name->oddity)
        return WEIR_OK;
    /* A section in which all is commented out says nothing. */
    if (target && wr_node_is_null(target) && !is_again)
        return WEIR_OK;
    if (!others->root)
        others->root =
            wr_tree_add(&others->tree, WR_NODE_MAPPING, &nowhere, "", 0);
    if (!others->root)
        return wr_error_no_memory(err);
    status = is_again ? take_odd(others, name, value, twice)
                      : take(others, name, value);
    return status == WEIR_OK ? WEIR_OK : wr_error_no_memory(err);
}

weir_status wr_others_take_all(struct wr_others *others,
                               const struct wr_node *mapping, weir_error *err)
{
    const struct wr_node *child;
    weir_status status = WEIR_OK;

    STAILQ_FOREACH (child, &mapping->children, next) {
        status = wr_others_take(others, child->key, child, false, err);
        if (status != WEIR_OK)
            break;
    }
    return status;
}

void wr_others_done(struct wr_others *others)
{
    wr_tree_done(&others->tree);
    others->root = NULL;
}
