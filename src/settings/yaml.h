/* A YAML file as a tree.  The only part of weir that knows the YAML library. */
#ifndef WR_SETTINGS_YAML_H
#define WR_SETTINGS_YAML_H

#include "settings/node.h"

/* This build reads YAML. */
bool wr_yaml_is_built(void);

/* Reads the one document of a file: a mapping, or nothing at all.
 *
 * @param layer     path of the file; borrowed for as long as the tree lives.
 * @param ret_root  the tree's; NULL when the file holds no value.
 *
 * Syntax, encoding, number of documents and size are checked; keys and values
 * are not.  WEIR_E_SETTINGS with the place.  Prints nothing. */
weir_status wr_yaml_read(struct wr_tree *tree, const char *layer,
                         const char *text, size_t len,
                         struct wr_node **ret_root, weir_error *err);

#endif
