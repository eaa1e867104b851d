/* What the stack of content decoders asks of one coding's decoder.
 *
 * Bounds, errors for people and the order of calls are the stack's business
 * (coding.c); a coding's file only speaks to its library. */
#ifndef WR_HTTP_CODING_INNER_H
#define WR_HTTP_CODING_INNER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum wr_inner_result {
    WR_INNER_MORE,
    WR_INNER_DONE, /* at the end, whatever follows, and all is given */
    WR_INNER_DAMAGED,
    WR_INNER_NO_MEMORY,
};

struct wr_coding_inner {
    /* NULL: out of memory. */
    void *(*new_fn)(void);
    /* state != NULL. */
    void (*free_fn)(void *state);
    /* Takes bytes from the front of *in and writes *ret_len <= cap bytes, with
     * 1 <= cap <= INT_MAX.  When it writes less, all that the bytes taken so
     * far can give has been given.  It takes or gives something unless *in is
     * empty, which it is only after a call that has filled its output.
     * DAMAGED: *ret_why is a text of static storage, or valid until the next
     * call. */
    enum wr_inner_result (*run)(void *state, struct wr_slice *in, char *out,
                                size_t cap, size_t *ret_len,
                                const char **ret_why);
    /* May the input end here?  Asked when it is not DONE. */
    bool (*is_at_end)(const void *state);
};

/* Which of these there are depends on the build: WEIR_HAVE_ZLIB (gzip and
 * deflate), WEIR_HAVE_BROTLI, WEIR_HAVE_ZSTD. */
extern const struct wr_coding_inner wr_inner_gzip;
extern const struct wr_coding_inner wr_inner_deflate;
extern const struct wr_coding_inner wr_inner_br;
extern const struct wr_coding_inner wr_inner_zstd;

#endif
