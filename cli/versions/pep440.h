/* Versions of Python packages: PEP 440, now the "Version specifiers" page of
 * the Python packaging user guide.
 *
 * Every spelling that it allows is read, and versions are ordered as it says.
 * Numbers are texts of digits and may be of any size; nothing is allocated. */
#ifndef WEIR_CLI_PEP440_H
#define WEIR_CLI_PEP440_H

#include <stdbool.h>
#include <stddef.h>

enum {
    PEP440_MAX = 255,                    /* bytes of a version */
    PEP440_NORMAL_MAX = PEP440_MAX + 33, /* of its normal form, with its NUL:
                                          * "1a-1" becomes "1a0.post1" */
};

/* A stretch of a version's text. */
struct pep440_part {
    unsigned char at;
    unsigned char len;
};

/* A version; may be copied by assignment. */
struct pep440 {
    char text[PEP440_MAX + 1]; /* in lower case, no white space around it */
    struct pep440_part epoch;  /* digits; empty: 0 */
    struct pep440_part release;
    struct pep440_part pre; /* digits; empty: 0.  So are the next two. */
    struct pep440_part post;
    struct pep440_part dev;
    struct pep440_part local; /* with the separators as written */
    char pre_phase;           /* 'a', 'b' or 'r' for rc; 0: no pre-release */
    bool has_post;
    bool has_dev;
};

/* Reads a version that is all of `text`, but for white space around it.
 * false: it is none, or has more than PEP440_MAX bytes; nothing is written. */
bool pep440_parse(const char *text, size_t len, struct pep440 *ret_version);

/* Below, equal to or above 0 as `a` comes before, with or after `b`.  Trailing
 * zeros of the release do not count. */
int pep440_compare(const struct pep440 *a, const struct pep440 *b);

/* A pre-release or a development release: not offered unless asked for. */
bool pep440_is_prerelease(const struct pep440 *version);

/* Writes the normal form, e.g. "1!1.0rc1.post2.dev3+ab.1". */
void pep440_normalise(const struct pep440 *version,
                      char normal[static PEP440_NORMAL_MAX]);

#endif
