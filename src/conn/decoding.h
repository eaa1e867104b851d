/* The body of a response without its content codings (http/coding.h), for a
 * call that asked for that. */
#ifndef WR_CONN_DECODING_H
#define WR_CONN_DECODING_H

#include "conn/response.h"

/* The head of the response is in: makes a decoder if its body has codings.
 * WEIR_E_CODING: one that is not known; WEIR_E_LIMIT: too many;
 * WEIR_E_NO_MEMORY. */
weir_status wr_decoding_begin(struct weir_response *response,
                              const struct wr_coding_limits *limits,
                              weir_error *ret_err);
/* The response is given back. */
void wr_decoding_end(struct weir_response *response);

/* Decodes what has been received, at most cap >= 1 bytes.  WAIT: *ret_len bytes
 * are in buf; 0: more must be received first.  DONE: the end of the body.
 * ERROR: that of the framing or of a coding. */
enum wr_step wr_decoding_next(struct weir_response *response, char *buf,
                              size_t cap, size_t *ret_len, weir_error *ret_err);
/* The same into response->decoded, as much as there is.  WAIT: more must be
 * received.  WEIR_E_LIMIT: more than max_body. */
enum wr_step wr_decoding_collect(struct weir_response *response,
                                 uint64_t max_body, weir_error *ret_err);

#endif
