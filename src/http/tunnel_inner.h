/* What the files of the tunnel know of one another; nobody else includes
 * this. */
#ifndef WR_HTTP_TUNNEL_INNER_H
#define WR_HTTP_TUNNEL_INNER_H

#include "http/tunnel.h"

/* Each appends its first question to `out`. */
weir_status wr_connect_ask(struct wr_tunnel *tunnel, weir_error *err);
weir_status wr_socks_ask(struct wr_tunnel *tunnel, weir_error *err);
/* `in` has more than before. */
enum wr_parse_result wr_connect_take(struct wr_tunnel *tunnel, weir_error *err);
enum wr_parse_result wr_socks_take(struct wr_tunnel *tunnel, weir_error *err);

/* Always WR_PARSE_ERROR; the message says which proxy and tunnel. */
__attribute__((format(printf, 4, 5))) enum wr_parse_result
wr_tunnel_fail(const struct wr_tunnel *tunnel, weir_error *err,
               weir_status code, const char *format, ...);

#endif
