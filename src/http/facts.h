/* What a field says about framing and reuse (RFC 9112 sections 6, 9). */
#ifndef WR_HTTP_FACTS_H
#define WR_HTTP_FACTS_H

#include "http/head.h"

/* Lengths of Connection and Keep-Alive, Content-Length, Transfer-Encoding: a
 * name of any other length is not looked at. */
static inline bool wr_facts_wants(uint32_t name_len)
{
    return name_len == 10 || name_len == 14 || name_len == 17;
}

/* Adds one field, complete and unfolded, to head->facts.  false: *ret_err has
 * WEIR_E_PROTOCOL. */
bool wr_facts_take(struct wr_head *head, const struct wr_field_ref *field,
                   const char *block, weir_error *ret_err);

#endif
