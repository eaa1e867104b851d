/* What the setters of a request have in common. */
#ifndef WR_API_REQUEST_H
#define WR_API_REQUEST_H

#include "conn/request.h"

/* WEIR_E_INVALID: "what is NULL". */
weir_status wr_missing(weir_error *ret_err, const char *what);
/* A request in use by an asynchronous call stays as it is: WEIR_E_STATE. */
weir_status wr_check_unused(struct weir_request *request, weir_error *ret_err);
/* Replaces an owned text by a copy of another; NULL = none. */
weir_status wr_request_set_text(struct weir_request *request, char **at,
                                const char *text, weir_error *ret_err);

#endif
