/* The corpus: responses and what must become of them, in files that a person
 * can read (tests/corpus/h1/README.md describes them).
 *
 * It knows nothing of weir, so that any test can run the cases in its own way:
 * against the parser, or through a socket. */
#ifndef CORPUS_H
#define CORPUS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CORPUS_LINES_MAX = 32,
    CORPUS_INTERIM_MAX = 32
};

/* Bytes, with a NUL behind them that does not count. */
struct corpus_bytes {
    char *data;
    size_t len;
};

/* A list of fields, each "Name: value". */
struct corpus_fields {
    struct corpus_bytes lines[CORPUS_LINES_MAX];
    size_t count;
};

struct corpus_case {
    const char *file; /* its last part: "chunked.md" */
    unsigned line;    /* where the case begins in it */
    char *name;
    const char *source; /* "RFC 9112 section 4, rule 2.18": what is in brackets
                         * behind the last "# "; NULL: nothing */

    /* what happens: the peer sends these bytes and closes */
    struct corpus_bytes bytes;
    bool head;            /* the request's method was HEAD */
    bool strict;          /* the strict option is on */
    bool cut;             /* TLS without close_notify */
    unsigned status_line; /* limits; 0 = the default */
    unsigned section;
    unsigned field_limit;

    /* what must come of it; each is checked only if it is said */
    const char *error; /* "WEIR_E_PROTOCOL"; NULL = the response is complete */
    long offset;       /* of the error, from the first byte; -1 = not said */
    int status;        /* 0 = not said */
    int version;       /* 10, 11; 0 = not said */
    struct corpus_bytes reason;  /* data is NULL: not said, as all below */
    struct corpus_fields fields; /* all of them; count 0 = not said */
    const char *framing;         /* "none", "length", "chunked" or "close" */
    struct corpus_bytes body;
    struct corpus_fields trailers; /* all of them; count 0 = none */
    int reuse;       /* 1 may be used again, 0 not; -1 = not said */
    long keep_alive; /* seconds of Keep-Alive: timeout=; -1 = not said */
    size_t surplus;  /* bytes behind the end of the response */
    int interim[CORPUS_INTERIM_MAX]; /* statuses before the final one */
    size_t interim_count;
};

struct corpus {
    struct corpus_case *cases;
    size_t count;
    char **files; /* names, which the cases point to */
    char **sources;
    size_t file_count;
};

/* Reads all *.md but README.md in a folder, in the order of their names.  Says
 * on stderr what is wrong and returns false if a file cannot be understood. */
bool corpus_load(struct corpus *corpus, const char *folder);
void corpus_free(struct corpus *corpus);

#endif
