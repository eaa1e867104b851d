/* Nodes as a program sees them. */
#ifndef WR_SETTINGS_READER_H
#define WR_SETTINGS_READER_H

#include <weir/node.h>

#include "settings/node.h"

/* The same node under its public name. */
static inline const weir_node *wr_node_lend(const struct wr_node *node)
{
    return (const weir_node *)(const void *)node;
}

#endif
