/**
 * @file
 * A program's own section of the settings, as a tree to read.
 *
 * The layers that hold the pool's options may hold sections of the program
 * too.  weir merges them in the same order and by the same rules, checks
 * nothing in them, and lends the outcome node by node; the readers below check
 * one value each, and their errors name file, line, column and key as those of
 * the pool's options do.
 *
 * All nodes are lent by the settings: valid while these live, never changed,
 * usable from any thread.
 */
#ifndef WEIR_NODE_H
#define WEIR_NODE_H

#include <stddef.h>

#include <weir/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A value in a section: a scalar, a mapping or a sequence.  Opaque. */
typedef struct weir_node weir_node;

/** What a node is. */
typedef enum weir_node_kind {
    WEIR_NODE_SCALAR = 1, /**< text, a number, a flag or null */
    WEIR_NODE_MAPPING,    /**< values under keys */
    WEIR_NODE_SEQUENCE,   /**< values in a row */
    /**
     * What no value can be, such as one with a tag, an alias without its
     * anchor, or a second value under one key.  Every reader refuses it and
     * tells what it is.
     */
    WEIR_NODE_UNUSABLE,
} weir_node_kind;

/** Kind of a node. */
WEIR_API weir_node_kind weir_node_get_kind(const weir_node *node);
/** A scalar that says nothing: null, ~ or nothing at all. */
WEIR_API bool weir_node_is_null(const weir_node *node);
/** Text of a scalar as it was written, quotes removed; else NULL. */
WEIR_API const char *weir_node_text(const weir_node *node);
/**
 * Key of a value in a mapping.  NULL: it is in none, or its key is not a
 * scalar; weir_node_complain_key() tells what it is.
 */
WEIR_API const char *weir_node_key(const weir_node *node);
/** First value in a mapping or sequence; NULL: none.  NULL has none. */
WEIR_API const weir_node *weir_node_first(const weir_node *node);
/** The value behind this one in its mapping or sequence; NULL: none. */
WEIR_API const weir_node *weir_node_next(const weir_node *node);
/** The value under a key; NULL: none, or no mapping.  NULL has none. */
WEIR_API const weir_node *weir_node_find(const weir_node *node,
                                         const char *key);

/** The layer it came from: a file's path or "environment". */
WEIR_API const char *weir_node_layer(const weir_node *node);
/** Line in that file, from 1; 0 = none. */
WEIR_API unsigned weir_node_line(const weir_node *node);
/** Column in that line, in characters, from 1; 0 = none. */
WEIR_API unsigned weir_node_column(const weir_node *node);

/**
 * Reads an integer, as in the core schema of YAML 1.2: 5, -5, 0x32.
 *
 * @param min, max  both allowed.
 * @param ret       written only on success.
 * @retval WEIR_E_SETTINGS  "settings/weir.yaml:3:20: watch.restarts: found
 *                          \"many\", expected an integer from 0 to 100"
 */
WEIR_API weir_status weir_node_integer(const weir_node *node, int64_t min,
                                       int64_t max, int64_t *ret,
                                       weir_error *ret_err);
/**
 * Reads a number: 5, 0.5, 1e3.
 *
 * @param min, max  both allowed; an infinite one bounds nothing, but what was
 *                  written must be finite all the same.
 * @param ret       written only on success.
 * @retval WEIR_E_SETTINGS  of another type, or out of range
 */
WEIR_API weir_status weir_node_number(const weir_node *node, double min,
                                      double max, double *ret,
                                      weir_error *ret_err);
/**
 * Reads a flag: true or false.
 * @param ret  written only on success.
 * @retval WEIR_E_SETTINGS  of another type
 */
WEIR_API weir_status weir_node_boolean(const weir_node *node, bool *ret,
                                       weir_error *ret_err);
/**
 * Reads text: what is in quotes, and what without them is no number, flag or
 * null.  Whatever is in a variable of the environment, but nothing, is text.
 * @param ret  lent; written only on success.
 * @retval WEIR_E_SETTINGS  of another type, or with a NUL in it
 */
WEIR_API weir_status weir_node_string(const weir_node *node, const char **ret,
                                      weir_error *ret_err);

/**
 * Fills in an error about a value: "FILE:3:20: watch.user: found 5, expected "
 * and then what the format gives.
 * @return WEIR_E_SETTINGS
 */
WEIR_API weir_status weir_node_complain(const weir_node *node,
                                        weir_error *ret_err, const char *format,
                                        ...) WEIR_PRINTF(3, 4);
/**
 * Fills in an error about the key of a value: "FILE:3:3: watch.usr: " and then
 * what the format gives, e.g. "unknown key, did you mean user?".
 * @return WEIR_E_SETTINGS
 */
WEIR_API weir_status weir_node_complain_key(const weir_node *node,
                                            weir_error *ret_err,
                                            const char *format, ...)
    WEIR_PRINTF(3, 4);
/**
 * The name that was most likely meant by a word that is none of them, for a
 * hint such as that of weir_node_complain_key().
 *
 * A third of the letters of the longer one, three at the most, may be wrong,
 * missing, too many or swapped; of a short one, one.  Upper and lower case are
 * the same.
 *
 * @param word   borrowed for the call.
 * @param names  borrowed; NULL ends it.
 * @return one of them; NULL: none is so near.
 *
 * Threads: any.
 */
WEIR_API const char *weir_suggest(const char *word, const char *const *names);

#ifdef __cplusplus
}
#endif
#endif
