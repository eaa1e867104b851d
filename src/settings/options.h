/* Every pool option, once: name, kind, range, default.
 *
 * Validation, settings files, the environment, `weir config` and the docs all
 * read this table, so that an option is enforced everywhere or nowhere. */
#ifndef WR_SETTINGS_OPTIONS_H
#define WR_SETTINGS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <weir/pool.h>

enum wr_option_kind {
    WR_OPTION_BOOL,
    WR_OPTION_UNSIGNED, /* unsigned */
    WR_OPTION_SIZE,     /* size_t */
    WR_OPTION_UINT64,
    WR_OPTION_SECONDS, /* double */
    WR_OPTION_NUMBER,  /* double without a unit */
    WR_OPTION_TEXT,    /* const char *; NULL and "" mean none */
    WR_OPTION_CHOICE,  /* an enum, by the names in `choices` */
    WR_OPTION_TLS,     /* const char *: "1.2", "1.3" */
};

struct wr_choice {
    const char *name; /* NULL ends the list */
    unsigned value;
};

struct wr_option {
    const char *name; /* as in the struct and in settings */
    enum wr_option_kind kind;
    size_t offset;   /* in weir_pool_options */
    double min, max; /* numbers: both allowed */
    bool above_min;  /* seconds: min itself is refused ("> 0") */
    bool live;       /* may change in weir_pool_reconfigure */
    bool is_secret;  /* text: "user:password@" in it is not shown */
    const struct wr_choice *choices; /* CHOICE */
    const char *summary;
};

/* Ends with a NULL name; in the order of the documentation. */
extern const struct wr_option wr_option_table[];

const struct wr_option *wr_option_find(const char *name, size_t len);
/* The same in another table of this form. */
const struct wr_option *wr_option_find_in(const struct wr_option *table,
                                          const char *name, size_t len);
/* Bytes that a value of this kind takes in weir_pool_options. */
size_t wr_option_width(enum wr_option_kind kind);

/* Fills a caller's struct of `size` bytes, of an older or newer version: what
 * it has no room for is left out, what it knows beyond ours becomes zero. */
void wr_options_give(weir_pool_options *ret_options, size_t size,
                     const weir_pool_options *options);
/* Takes what the caller gave (any older or newer size), fills defaults for what
 * it lacks, refuses non-zero bytes beyond what this version knows, and checks
 * every range.  Strings stay borrowed.  given NULL = defaults.
 * WEIR_E_OPTION: "max_per_host: found 0, expected an integer from 1 to
 * 1000000". */
weir_status wr_options_import(weir_pool_options *ret_options,
                              const weir_pool_options *given,
                              weir_error *ret_err);
/* Options that are right one by one but contradict each other.  The name of
 * the one to blame, and what was expected of it; NULL = none. */
const char *wr_options_conflict(const weir_pool_options *options,
                                const char **ret_expected);
/* Name of the first option that differs (strings by content), or NULL.
 * live_too false: only those that cannot change while a pool lives. */
const char *wr_options_difference(const weir_pool_options *a,
                                  const weir_pool_options *b, bool live_too);
/* Owned copies of all strings: one block, freed with wr_free(*ret_block). */
weir_status wr_options_copy(weir_pool_options *ret_copy, char **ret_block,
                            const weir_pool_options *options);

#endif
