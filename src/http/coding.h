/* Content codings (RFC 9110 section 8.4): which a response names, and its body
 * without them.
 *
 * Words: a *coding* is gzip, deflate, br or zstd; the *list* of a response is
 * in the order in which its codings were applied, so the last is removed
 * first; a *stage* removes one coding.
 *
 * Bytes in, bytes out, as they come: a byte of the body is given as soon as
 * the bytes that it hangs on are there.  A decoder takes bounded memory,
 * whatever the peer sends: 16 KiB between two stages, and for a stage at most
 * about 48 KiB (gzip, deflate), 28 MiB (br) or 9 MiB (zstd).  All of it but
 * zstd's own comes from base/mem.
 *
 * Whether a body is decoded, and to what, does not depend on how input and
 * output are split.  An error says the same however they are, but for input
 * that is both damaged and past a bound, which may fail for either.
 *
 * It refuses to know where the bytes come from, and which lengths the fields
 * of the response tell. */
#ifndef WR_HTTP_CODING_H
#define WR_HTTP_CODING_H

#include <stddef.h>
#include <stdint.h>

#include <weir/error.h>

#include "base/slice.h"
#include "http/head.h"

enum wr_coding {
    WR_CODING_GZIP,    /* RFC 1952 */
    WR_CODING_DEFLATE, /* RFC 1950, and RFC 1951 without that wrapper */
    WR_CODING_BR,      /* RFC 7932 */
    WR_CODING_ZSTD,    /* RFC 8878, windows to 8 MiB as RFC 9659 has it */
};

enum {
    WR_CODINGS_MAX = 5,
    WR_RATIO_FREE = 1 << 20, /* bytes that any input may become */
    WR_RATIO_STEP = 1 << 10, /* input that is begun counts whole, see below */
};

/* "gzip", "deflate", "br" or "zstd". */
const char *wr_coding_name(enum wr_coding coding);
/* What Accept-Encoding may ask for: "gzip, deflate, br, zstd", only what is
 * built in; "" if nothing is.  Static. */
const char *wr_codings_accepted(void);

/* The codings of a response; zero-initialised is none. */
struct wr_coding_list {
    unsigned count;
    enum wr_coding list[WR_CODINGS_MAX]; /* in the order of the fields */
};

/* Adds the members of one Content-Encoding value behind those there are.
 * Case does not matter; "x-gzip" is "gzip" (RFC 9110 section 8.4.1.3);
 * "identity" and empty members are passed over.
 *
 * WEIR_E_CODING: a coding that is unknown or not built in, named in the
 * message.  WEIR_E_LIMIT: more than WR_CODINGS_MAX.  Then nothing is added. */
weir_status wr_codings_add(struct wr_coding_list *codings,
                           struct wr_slice value, weir_error *ret_err);

/* Bounds on what a decoder gives; past one: WEIR_E_LIMIT naming it. */
struct wr_coding_limits {
    uint64_t max_output; /* bytes of the last stage; UINT64_MAX = any */
    /* Bytes of any stage to a byte of the decoder's input; UINT64_MAX = any.
     * Judged once a stage has given more than WR_RATIO_FREE.  Input counts in
     * steps of WR_RATIO_STEP, a step that is begun as a whole one: that makes
     * the outcome the same for any split. */
    uint64_t max_ratio;
};

struct wr_decoder;

/* Makes a decoder of codings->count >= 1 codings.  Both arguments are copied.
 * WEIR_E_NO_MEMORY: nothing is made. */
weir_status wr_decoder_new(const struct wr_coding_list *codings,
                           const struct wr_coding_limits *limits,
                           struct wr_decoder **ret, weir_error *ret_err);
/* NULL is allowed. */
void wr_decoder_free(struct wr_decoder *decoder);

/* Takes bytes from the front of *in and writes *ret_len <= cap bytes to out;
 * cap >= 1.
 *
 * MORE: either out is full (*ret_len == cap: call again, with what is left of
 * the input, also when that is nothing) or all input is used.
 * DONE: every coding has come to its end; what is left of the input, and what
 * may follow, is not the body's.  Calling again is DONE again, without bytes.
 * gzip and zstd end with their input, since another member or frame may always
 * follow: they are MORE to the end, unless what follows a gzip member is
 * something else, which is then passed over as gzip(1) does.
 * ERROR: WEIR_E_CODING (damaged), WEIR_E_LIMIT (a bound) or WEIR_E_NO_MEMORY;
 * *ret_len is not written, *in has been used in part, and every later call
 * fails alike. */
enum wr_parse_result wr_decoder_run(struct wr_decoder *decoder,
                                    struct wr_slice *in, char *out, size_t cap,
                                    size_t *ret_len, weir_error *ret_err);
/* The input has ended, and the last run was DONE, or MORE with room left.
 * WEIR_OK: every coding is at its end, or no byte came at all, an empty body.
 * WEIR_E_CODING: one has ended early. */
weir_status wr_decoder_end(struct wr_decoder *decoder, weir_error *ret_err);

#endif
