/* The text of a scalar, past the faults of the YAML library. */
#ifndef WR_SETTINGS_YAML_TEXT_H
#define WR_SETTINGS_YAML_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "settings/node.h"

struct fy_token;

/* Copies a token's text, or says why it cannot be had: *ret_oddity is then set
 * to words for a message, and *ret_len stays.  false: out of memory. */
bool wr_yaml_text(struct fy_token *token, char text[WR_TEXT_MAX],
                  size_t *ret_len, const char **ret_oddity);

#endif
