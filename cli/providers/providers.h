/* weir providers, its parts: what is known of each provider, its key, checks
 * over the pool, history, reports. */
#ifndef WEIR_CLI_PROVIDERS_H
#define WEIR_CLI_PROVIDERS_H

#include <jansson.h>
#include <sqlite3.h>

#include "../cli.h"
#include "../section.h"

/* --- the settings --------------------------------------------------------- */

enum provider_kind {
    KIND_OLLAMA,
    KIND_LLAMA_SERVER,
    KIND_OPENAI,
};
/* Names of the kinds, NULL-terminated. */
extern const char *const provider_kinds[];

/* One provider, as the settings have it.  Texts are lent by them. */
struct provider {
    const char *id;
    const char *name;
    int kind;
    const char *base_url;
    const char *key_env;  /* variable that holds the key, or NULL */
    const char *key_file; /* file that does, or NULL */
    bool needs_key;
    double timeout; /* seconds for the whole check */
    int cost_tier;
    const char *default_model; /* or NULL */
    const char *setup_url;     /* or NULL */
    const weir_node *node;     /* where it was written; NULL: built in */
};
/* Names of the cost tiers, NULL-terminated. */
extern const char *const provider_costs[];

/* The section itself. */
struct provider_settings {
    double timeout;
    double keep_days;       /* for which history is kept */
    const weir_node *chain; /* ids in order of preference; NULL: all */
    const weir_node *known; /* id: provider */
};
extern const struct section providers_section;

/* Providers in order of preference. */
struct chain {
    struct provider *list;
    size_t count;
};

/* Reads the chain.  *chain is empty on failure. */
weir_status provider_chain_read(const struct provider_settings *settings,
                                struct chain *chain, weir_error *err);
/* Leaves those named, in the order of the chain.  false: one is unknown or
 * named twice; it has complained, and lists the known ones. */
bool provider_chain_restrict(struct chain *chain, char **ids, int count);
void provider_chain_free(struct chain *chain);

/* --- keys ----------------------------------------------------------------- */

/* A provider's key.  It is sent to the provider and goes nowhere else. */
struct key {
    char *text;    /* NULL: there is none to be used */
    char *problem; /* why; NULL: none is wanted */
};

void provider_key_read(const struct provider *provider, struct key *key);
/* Leaves nothing of it in memory. */
void provider_key_free(struct key *key);

/* --- checks --------------------------------------------------------------- */

/* How a check ended; names are stable, see outcome_name(). */
enum outcome {
    OUTCOME_PENDING,
    OUTCOME_AVAILABLE,
    OUTCOME_NOT_CONFIGURED,
    OUTCOME_REFUSED,
    OUTCOME_TIMED_OUT,
    OUTCOME_BAD_KEY,
    OUTCOME_WRONG_STATUS,
    OUTCOME_MALFORMED,
    OUTCOME_UNRESOLVED,
    OUTCOME_UNREACHABLE,
    OUTCOME_TLS,
    OUTCOME_LOST,
    OUTCOME_LOCAL, /* this machine's fault, not the provider's */
    OUTCOME_CANCELLED,
    OUTCOME_MODEL_MISSING, /* available, without the model that is wanted */
};

struct names {
    char **list;
    size_t count;
};

struct check {
    const struct provider *provider;
    enum outcome outcome;
    char *detail;   /* why it is unavailable, for people; or NULL */
    bool was_asked; /* a request was made */
    double latency; /* seconds, of all its requests */
    struct names models;
};

struct board; /* all checks */

/* Begins to check all of the chain at once. */
struct board *board_begin(const struct chain *chain, weir_pool *pool);
/* Waits until all have ended. */
void board_wait_all(struct board *board);
/* Waits until it is known which is the first in the chain that is available
 * and, unless NULL, has this model; those that lack it become MODEL_MISSING.
 * NULL: none, and all have ended. */
const struct check *board_wait_first(struct board *board, const char *model);
/* Ends those that are still under way, by closing the pool. */
void board_stop(struct board *board);
/* After all have ended. */
const struct check *board_checks(const struct board *board, size_t *ret_count);
void board_free(struct board *board);

/* "timed_out" */
const char *outcome_name(enum outcome outcome);
/* "timed out" */
const char *outcome_words(enum outcome outcome);
/* The provider has this model; Ollama's "NAME" is "NAME:latest". */
bool provider_has_model(const struct check *check, const char *model);

/* --- kinds ---------------------------------------------------------------- */

/* Requests of a check, in order. */
struct kind {
    const char *usual_url;
    bool needs_key;
    const char *paths[2]; /* NULL: no second one */
    /* Where the last answer lists the models: {LIST: [{NAME: "…"}]}. */
    const char *list;
    const char *name;
};
const struct kind *provider_kind_of(const struct provider *provider);
/* Address of one of the requests.  To free. */
char *provider_kind_url(const struct provider *provider, size_t step);
/* Reads the models.  NULL, or what is wrong with the answer, to free. */
char *provider_kind_read_models(const struct kind *kind, weir_slice body,
                                struct names *models);
void names_free(struct names *texts);

/* --- history -------------------------------------------------------------- */

/* NULL: it has complained. */
sqlite3 *providers_history_open(void);
/* Writes down what was asked and has ended.  false: it has complained. */
bool providers_history_record(sqlite3 *store, const struct check *checks,
                              size_t count, double keep_days);
/* weir providers history.  An exit code. */
int providers_history_show(char **ids, int count, double days, bool as_json);

/* --- reports -------------------------------------------------------------- */

void providers_report_table(const struct check *checks, size_t count);
/* selected: as the first key, or NULL for a listing. */
void providers_report_json(const struct check *checks, size_t count,
                           const struct check *selected, bool is_selection);

#endif
