/* A section of settings: a mapping whose keys stand in a table. */
#ifndef WR_SETTINGS_SECTION_H
#define WR_SETTINGS_SECTION_H

#include "settings/node.h"
#include "settings/options.h"
#include "settings/value.h"

struct wr_section {
    const char *name;
    const struct wr_option *options;
    /* What a key may be split at: with "retry" in it, "retry: {delay: 1}" means
     * "retry_delay: 1".  NULL ends it. */
    const char *const *groups;
};

/* ASCII only, whatever the locale. */
static inline char wr_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

/* *ret = the section as one layer says it with its groups dissolved: `node`
 * itself if it has none, else a mapping in `tree`, which owns `node` too. */
weir_status wr_section_flatten(struct wr_tree *tree,
                               const struct wr_section *section,
                               const struct wr_node *node,
                               const struct wr_node **ret, weir_error *err);
/* Checks what one layer says in a section: a mapping or null, known keys, each
 * once, each of its type and range. */
weir_status wr_section_check(const struct wr_section *section,
                             const struct wr_node *node, weir_error *err);
/* The scalar that a node, checked or not, stands for. */
struct wr_scalar wr_node_scalar(const struct wr_node *node);
/* For messages: null, "many", a mapping. */
void wr_node_found(const struct wr_node *node, char found[WR_FOUND_CAP]);

#endif
