/* Waiting for bytes on the caller's own thread, within the time limits of the
 * call. */
#ifndef WR_DRIVE_RECEIVE_H
#define WR_DRIVE_RECEIVE_H

#include "drive/runtime.h"

/* Reads at least one byte, or finds the end.  WAIT: *ret_len bytes were read.
 * DONE: the peer's close ended the body.  ERROR: *err. */
enum wr_step wr_receive(struct weir_response *response, void *at, size_t cap,
                        uint64_t now_ns, size_t *ret_len, weir_error *err);
/* The same without waiting: WAIT with *ret_len 0 when there is nothing (what is
 * there may be no data: TLS tickets). */
enum wr_step wr_receive_now(struct weir_response *response, void *at,
                            size_t cap, size_t *ret_len, weir_error *err);
/* Waits until the socket can be written, or has something to read, or the
 * deadline.  Returns the events; 0 = the deadline, or a signal. */
short wr_wait_socket(const struct weir_response *response, short events,
                     uint64_t deadline_ns);

#endif
