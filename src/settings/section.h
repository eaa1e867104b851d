/* A section of settings: a mapping whose keys stand in a table. */
#ifndef WR_SETTINGS_SECTION_H
#define WR_SETTINGS_SECTION_H

#include "settings/node.h"
#include "settings/options.h"
#include "settings/value.h"

struct wr_section {
    const char *name;
    const struct wr_option *options;
};

/* ASCII only, whatever the locale. */
static inline char wr_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

/* Checks what one layer says in a section: a mapping or null, known keys, each
 * once, each of its type and range. */
weir_status wr_section_check(const struct wr_section *section,
                             const struct wr_node *node, weir_error *err);
/* The scalar that a node, checked or not, stands for. */
struct wr_scalar wr_node_scalar(const struct wr_node *node);
/* For messages: null, "many", a mapping. */
void wr_node_found(const struct wr_node *node, char found[WR_FOUND_CAP]);

#endif
