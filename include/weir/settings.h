/**
 * @file
 * Settings: pool options from layers of YAML files and the environment.
 *
 * Layers, later wins: built-in defaults; settings/PROJECT.yaml;
 * settings/local.yaml; $XDG_CONFIG_HOME/PROJECT/config.yaml;
 * $XDG_CONFIG_HOME/PROJECT/local.yaml; the environment
 * (PROJECT_HTTP_CONNECTION_POOL__KEY); the file named by `path` or by the
 * environment's PROJECT_CONFIG.
 */
#ifndef WEIR_SETTINGS_H
#define WEIR_SETTINGS_H

#include <weir/node.h>
#include <weir/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Loaded settings.  Opaque; immutable, so usable from any thread. */
typedef struct weir_settings weir_settings;

/** One effective value and where it came from. */
typedef struct weir_setting {
    size_t size;         /**< of this struct, set by weir */
    const char *section; /**< "http_connection_pool" */
    const char *key;     /**< "max_connections" */
    const char *value;   /**< as YAML would read it back: "100", "true" */
    const char *layer;   /**< "default", a file's path, or "environment" */
    unsigned line;       /**< in that file, from 1; 0 = none */
    unsigned column;     /**< in that line, from 1; 0 = none */
} weir_setting;

/**
 * Loads all layers.  A missing layer is skipped; a file named on purpose must
 * exist.  Nothing is half-applied: on failure there are no settings.
 *
 * @param project  "weir" for the command; letters, digits, '-' and '_'.
 * @param path     a file named on purpose, or NULL.
 * @retval WEIR_E_SETTINGS  "settings/weir.yaml:3:20:
 *         http_connection_pool.max_connections: found \"many\", expected an
 *         integer from 1 to 1000000"
 * @retval WEIR_E_FILE  a file cannot be read; the message names it.
 */
WEIR_API weir_status weir_settings_load(const char *project, const char *path,
                                        weir_settings **ret_settings,
                                        weir_error *ret_err);
/** Loads defaults and environment alone: what weir_shared() uses. */
WEIR_API weir_status weir_settings_load_environment(
    const char *project, weir_settings **ret_settings, weir_error *ret_err);
/** Frees settings; NULL is allowed. */
WEIR_API void weir_settings_free(weir_settings *settings);
/**
 * Fills @p options.  Its strings are lent: valid while @p settings lives.
 *
 * @param size  of the caller's struct; weir_settings_pool_options() gives it.
 */
WEIR_API void weir_settings_pool_options_sized(const weir_settings *settings,
                                               weir_pool_options *options,
                                               size_t size);
/** Fills `*(options)` from the settings. */
#define weir_settings_pool_options(settings, options)                          \
    weir_settings_pool_options_sized((settings), (options), sizeof *(options))

/**
 * A section of the program's own, as all layers say it together.  A sequence or
 * a scalar takes the place of what an earlier layer said; mappings merge key by
 * key.  In the environment `__` leads into a mapping:
 * PROJECT_WATCH__SERVICES__API__INTERVAL=5.
 *
 * @param name  its key at the top of a file, e.g. "watch".
 * @return lent; NULL: no layer says anything.
 */
WEIR_API const weir_node *weir_settings_section(const weir_settings *settings,
                                                const char *name);

/** Number of effective values. */
WEIR_API size_t weir_settings_count(const weir_settings *settings);
/** Value @p index, 0 to count - 1, in the order of the documentation. */
WEIR_API weir_setting weir_settings_at(const weir_settings *settings,
                                       size_t index);

#ifdef __cplusplus
}
#endif
#endif
