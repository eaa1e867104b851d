/* Sections that are not weir's own: another part of the program's.
 *
 * They are merged like weir's, but nothing in them is weir's to judge, so
 * loading never fails for what they say.  What no setting can be (a tag, an
 * alias without its anchor, a second value under one key, a section beyond all
 * measure) is kept as a scalar with an oddity; whoever reads it complains. */
#ifndef WR_SETTINGS_OTHERS_H
#define WR_SETTINGS_OTHERS_H

#include "settings/node.h"

struct wr_others {
    struct wr_tree tree;
    struct wr_node *root; /* a mapping of all sections; NULL: none was taken */
};

/* Lays what a layer says under a key at its top over the layers before it.
 * `is_again`: the layer has had that key before.  Places stay borrowed.
 * The one error is WEIR_E_NO_MEMORY. */
weir_status wr_others_take(struct wr_others *others, const struct wr_node *key,
                           const struct wr_node *value, bool is_again,
                           weir_error *err);
/* The same for all that a mapping of sections holds. */
weir_status wr_others_take_all(struct wr_others *others,
                               const struct wr_node *mapping, weir_error *err);
void wr_others_done(struct wr_others *others);

#endif
