/* Where the body of a request comes from: memory, a file, or a callback. */
#ifndef WR_CONN_SOURCE_H
#define WR_CONN_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weir/request.h>

enum wr_source_kind {
    WR_SOURCE_NONE,
    WR_SOURCE_MEMORY, /* sent from where it lies */
    WR_SOURCE_FILE,
    WR_SOURCE_READER,
};

struct wr_source {
    enum wr_source_kind kind;
    uint64_t length;        /* bytes, or WEIR_LENGTH_UNKNOWN: sent chunked */
    const char *bytes;      /* MEMORY */
    char *owned;            /* MEMORY: the copy, or NULL when borrowed */
    int fd;                 /* FILE: owned */
    bool is_seekable;       /* FILE */
    weir_body_read_fn read; /* READER */
    weir_body_rewind_fn rewind;
    void *user;
    uint64_t given;   /* bytes produced in this send */
    bool is_used;     /* FILE, READER: some send has begun to read */
    bool is_late;     /* READER: it had nothing for now (WEIR_BODY_LATER) */
    bool is_borrowed; /* a copy: what it points to is another's */
};

/* Each sets a source that is NONE or done.  On failure it stays NONE. */
void wr_source_memory(struct wr_source *source, const void *bytes, size_t len);
weir_status wr_source_copy(struct wr_source *source, const void *bytes,
                           size_t len, weir_error *ret_err);
weir_status wr_source_file(struct wr_source *source, const char *path,
                           weir_error *ret_err);
void wr_source_reader(struct wr_source *source, uint64_t length,
                      weir_body_read_fn read, weir_body_rewind_fn rewind,
                      void *user);
/* Frees what the source owns; it is NONE again. */
void wr_source_done(struct wr_source *source);

/* Could the body be sent (again) from its first byte? */
bool wr_source_can_begin(const struct wr_source *source);
/* Sets the source to its first byte for a send.  WEIR_E_BODY. */
weir_status wr_source_begin(struct wr_source *source, weir_error *ret_err);
/* Is it read as it is sent, so that one send at a time can have it? */
static inline bool wr_source_is_consumed(const struct wr_source *source)
{
    return source->kind == WR_SOURCE_FILE || source->kind == WR_SOURCE_READER;
}
/* Next bytes of a FILE or READER; *ret_len 0 = the end, or is_late. WEIR_E_BODY
 * when it fails, or ends before or goes beyond its announced length. */
weir_status wr_source_read(struct wr_source *source, char *buf, size_t cap,
                           size_t *ret_len, weir_error *ret_err);

#endif
