/* What a layer of settings says, as a tree.
 *
 * A node is a scalar, a mapping, a sequence, or an alias of a node before it;
 * it knows the place it was written in.  A tree owns its nodes: all are freed
 * together.  Sizes are bounded here, so that a small file cannot grow large by
 * aliases. */
#ifndef WR_SETTINGS_NODE_H
#define WR_SETTINGS_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include <weir/error.h>

/* Nodes of one tree, how deep they nest, and bytes and lines of one scalar. */
#define WR_TREE_MAX 100000
#define WR_TREE_DEPTH 64
#define WR_TEXT_MAX 4096
#define WR_LINES_MAX 100

enum wr_node_kind {
    WR_NODE_SCALAR,
    WR_NODE_MAPPING,
    WR_NODE_SEQUENCE,
    WR_NODE_ALIAS,
};

struct wr_node;
STAILQ_HEAD(wr_node_list, wr_node);

/* Where a node was written. */
struct wr_place {
    const char *layer;    /* a file's path or "environment"; borrowed */
    const char *variable; /* of the environment; borrowed; NULL in a file */
    unsigned line;        /* from 1; 0 = none */
    unsigned column;      /* in characters, from 1; 0 = none */
};

struct wr_node {
    SLIST_ENTRY(wr_node) owned; /* in its tree */
    STAILQ_ENTRY(wr_node) next; /* in its parent */
    struct wr_node_list children;
    const struct wr_node *parent; /* NULL at the top, and of a key */
    const struct wr_node *key;    /* in a mapping: what it is the value of */
    const struct wr_node *target; /* of an alias; NULL: it has none */
    struct wr_place place;
    enum wr_node_kind kind;
    bool is_plain;      /* a scalar without quotes */
    const char *oddity; /* "a tag": what no setting can be; NULL: nothing */
    size_t len;
    char text[]; /* of a scalar or alias; terminated, may hold NUL */
};

struct wr_tree {
    SLIST_HEAD(, wr_node) nodes;
    size_t count;
};

/* A node of its own, with a copy of the text.  NULL: out of memory. */
struct wr_node *wr_tree_add(struct wr_tree *tree, enum wr_node_kind kind,
                            const struct wr_place *place, const char *text,
                            size_t len);
/* Frees all nodes; the tree is empty again. */
void wr_tree_done(struct wr_tree *tree);

/* Appends a child; key NULL in a sequence. */
void wr_node_append(struct wr_node *parent, const struct wr_node *key,
                    struct wr_node *child);
/* What an alias stands for; the node itself if it is none.  NULL: an alias
 * without an anchor. */
const struct wr_node *wr_node_resolve(const struct wr_node *node);
/* First value with that key; aliased keys count.  NULL: none. */
const struct wr_node *wr_node_find(const struct wr_node *mapping,
                                   const char *key, size_t len);
/* A scalar that is null. */
bool wr_node_is_null(const struct wr_node *node);
/* Lays a copy of `value` over what `mapping` has under `key`: mappings merge
 * key by key, all else is replaced; aliases become what they stand for.
 * On failure the mapping is half merged: drop its tree. */
weir_status wr_node_merge(struct wr_tree *tree, struct wr_node *mapping,
                          const struct wr_node *key,
                          const struct wr_node *value, weir_error *err);

#endif
