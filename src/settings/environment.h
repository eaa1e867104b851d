/* The environment as a layer: PROJECT_SECTION__KEY=value.
 *
 * A value is a plain scalar; text is taken as it is, quotes and all.  Where the
 * process has more rights than its caller (AT_SECURE) the environment says
 * nothing.  No lock: as with getenv(), nobody may change the environment
 * meanwhile. */
#ifndef WR_SETTINGS_ENVIRONMENT_H
#define WR_SETTINGS_ENVIRONMENT_H

#include "settings/section.h"

/* Longest name of a project. */
#define WR_PROJECT_MAX 64

/* Value of a variable; NULL when it is unset or empty. */
const char *wr_environment_get(const char *name);
/* Value of PROJECT_SUFFIX, as wr_environment_get(). */
const char *wr_environment_get_own(const char *project, const char *suffix);
/* All that the environment says in a section, known keys or not: a mapping of
 * the tree's, or NULL when it says nothing. */
weir_status wr_environment_read(struct wr_tree *tree, const char *project,
                                const char *section,
                                struct wr_node **ret_mapping, weir_error *err);
/* All that it says in sections for which `is_own` is false: a mapping of the
 * tree's, section by section, each "__" behind the name leading one mapping
 * deeper; NULL when it says nothing. */
weir_status
wr_environment_read_others(struct wr_tree *tree, const char *project,
                           bool (*is_own)(const char *name, size_t len),
                           struct wr_node **ret_mapping, weir_error *err);

#endif
