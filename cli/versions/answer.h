/* What an index answers for a package: the JSON of <index>/pypi/<package>/json.
 *
 * A release is on offer unless it is yanked: info.version says which one is the
 * newest, and `releases` which others there are. */
#ifndef WEIR_CLI_VERSIONS_ANSWER_H
#define WEIR_CLI_VERSIONS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "pep440.h"

/* The newest versions on offer, as the index spells them; "": none. */
struct answer {
    char newest[PEP440_MAX + 1];     /* no pre-release */
    char newest_pre[PEP440_MAX + 1]; /* or one, if it is newer */
};

enum {
    ANSWER_WHY_MAX = 200
};

/* Reads a body.  false: it is malformed, and `why` says at what place. */
bool answer_read(const char *body, size_t len, struct answer *ret_answer,
                 char why[static ANSWER_WHY_MAX]);

#endif
