/* weir versions, its parts: which tools, their checks, the run, the report.
 *
 * A check asks two at once: the tool for the version that is installed, and
 * the index for the newest on offer.  Neither waits for the other, and no
 * check for another. */
#ifndef WEIR_CLI_VERSIONS_H
#define WEIR_CLI_VERSIONS_H

#include <regex.h>
#include <stdatomic.h>

#include "../cli.h"
#include "../program.h"
#include "../section.h"
#include "../store.h"
#include "answer.h"
#include "requirements.h"

/* The one place that knows where packages of Python are listed. */
#define VERSIONS_INDEX "https://pypi.org"

/* What the settings and the options say. */
struct versions_options {
    const char *index; /* base address */
    bool pre;          /* offer pre-releases */
    double command_timeout_s;
    long retry_attempts;
    double retry_delay_s;
    double retry_backoff;
    double retry_max_delay_s;
    const weir_node *tools;
    /* options alone */
    bool refresh;
    bool json;
    bool check;
    bool no_progress;
};

/* --- tools ---------------------------------------------------------------- */

struct tool {
    char *name;       /* as it was written first */
    char *package;    /* of the index, in normal form */
    char **argv;      /* ends in NULL */
    regex_t *pattern; /* of the version in its output; NULL: the last word */
};

/* All that are known, each in memory of its own. */
struct tools {
    struct tool **list;
    size_t count;
};

/* The usual tools, as the settings change them; tools_free() in any case. */
weir_status tools_load(const weir_node *node, struct tools *tools,
                       weir_error *err);
/* The tool of a name, which is one of a package and has no NUL; one that the
 * settings do not know has that name's package and `NAME --version`. */
const struct tool *tools_get(struct tools *tools, const char *name);
void tools_free(struct tools *tools);

/* --- checks --------------------------------------------------------------- */

enum installed_end {
    INSTALLED_KNOWN,
    INSTALLED_NOT, /* there is no such program */
    INSTALLED_UNREADABLE
};

/* The version that is there. */
struct installed {
    enum installed_end end;
    char version[PEP440_MAX + 1];
    char why[256]; /* UNREADABLE */
};

enum offer_end {
    OFFER_OPEN, /* not answered */
    OFFER_MADE,
    OFFER_UNREACHABLE,
    OFFER_UNKNOWN, /* the index has no such package */
    OFFER_MALFORMED
};

/* How a call to the index had no answer at all. */
enum silence {
    SILENCE_NONE,   /* it had one, or its connection was lost */
    SILENCE_UNSURE, /* no connection, but it was not tried often enough */
    SILENCE_TIMEOUT,
    SILENCE_NO_HOST /* no connection could be made, however often */
};

/* What the index has. */
struct offer {
    enum offer_end end;
    enum silence silence;
    struct answer answer;
    char *etag;        /* of the answer; NULL: none */
    bool is_confirmed; /* an answer of before is still good (304) */
    unsigned attempts;
    char why[300]; /* all but MADE */
};

#define VERSIONS_STATES(X)                                                     \
    X(UP_TO_DATE, "up_to_date", "up to date")                                  \
    X(UPDATE, "update_available", "update available")                          \
    X(NOT_INSTALLED, "not_installed", "not installed")                         \
    X(NO_RELEASE, "no_release", "no release on offer")                         \
    X(UNREACHABLE, "index_unreachable", "index unreachable")                   \
    X(UNKNOWN, "unknown_package", "unknown package")                           \
    X(MALFORMED, "malformed_answer", "malformed answer")                       \
    X(UNREADABLE, "version_unreadable", "installed version unreadable")

enum check_state {
#define WEIR_X(name, id, label) STATE_##name,
    VERSIONS_STATES(WEIR_X)
#undef WEIR_X
};

struct check {
    const struct tool *tool; /* borrowed */
    const char *pin; /* what a requirements file asks for, in the place of what
                      * is installed; borrowed; NULL: none */
    struct installed installed;
    struct offer offer;
    atomic_int open; /* questions that have no answer yet */
};

struct checks {
    struct check *list;
    size_t count;
};

/* One for each name and each requirement; none twice. */
void checks_choose(struct tools *tools, char *const *names,
                   const struct requirements *requirements,
                   struct checks *ret_checks);
/* One for each tool. */
void checks_choose_all(const struct tools *tools, struct checks *ret_checks);
void checks_free(struct checks *checks);

/* Asks for all of them, until a signal comes. */
void checks_run(const struct checks *checks, const struct program *program,
                const struct versions_options *options, size_t in_flight);

/* What the two answers say together, and why if it is bad; `newest` is borrowed
 * from the check, or NULL. */
struct verdict {
    enum check_state state;
    const char *newest;
    char why[600];
};
struct verdict check_judge(const struct check *check, bool pre);
/* The question itself could not be answered. */
bool check_is_failure(enum check_state state);

/* --- the index ------------------------------------------------------------ */

/* Address of a package's JSON; to free. */
char *index_url(const char *index, const char *package);
/* The same without user and password, to be shown or kept; to free. */
char *index_without_user(const char *url);
/* Asks for it; `on_end` comes once, on the pool's loop.  false: it could not
 * begin, the offer says why and on_end will not come. */
bool index_ask(weir_pool *pool, const struct versions_options *options,
               struct check *check, void (*on_end)(void *user), void *user);
/* false: the address is no good, it has complained. */
bool index_is_good(const char *index);

/* --- what was answered before --------------------------------------------- */

/* NULL: there is no cache, and all work goes on without; it has complained. */
sqlite3 *cache_open(void);
/* Fills in the answers of earlier runs, with their ETags. */
void cache_recall(sqlite3 *cache, const char *index,
                  const struct checks *checks);
/* Keeps those of this run, and forgets what has not been used for long. */
void cache_keep(sqlite3 *cache, const char *index, const struct checks *checks);

/* --- report --------------------------------------------------------------- */

void versions_print_table(const struct versions_options *options,
                          const struct checks *checks,
                          const weir_pool_figures *figures);
void versions_print_json(const struct versions_options *options,
                         const struct checks *checks,
                         const weir_pool_figures *figures);

#endif
