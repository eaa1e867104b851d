/* weir versions: are my tools up to date? */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../progress.h"
#include "package_name.h"
#include "versions.h"

enum {
    EXIT_NOT_CURRENT = 3 /* --check alone */
};

static const char help[] =
    "usage: weir versions [OPTION...] [NAME...]\n\n"
    "Compares the versions of tools that are installed with the newest of an\n"
    "index.  Without a NAME: the tools of the settings, or ruff, pyright, uv.\n"
    "\n"
    "  --requirements FILE  check every name in a requirements file; may be\n"
    "                       given again\n"
    "  --pre                offer pre-releases too\n"
    "  --check              exit with 3 if a tool is not up to date\n"
    "  --refresh            ask for everything anew\n"
    "  --index URL          base address of the index\n"
    "  --json               one JSON object\n"
    "  --no-progress        no progress bar\n"
    "  --config FILE        settings on top of all other layers\n\n"
    "Exit codes: 0 every tool was checked, 1 one could not be, 2 bad usage,\n"
    "settings or requirements, 3 with --check: one is not up to date.\n";

/* A key whose value goes to a member, and what is allowed for it. */
#define KEY(key, type, member, ...)                                            \
    {                                                                          \
        .name = (key), .kind = (type),                                         \
        .offset = offsetof(struct versions_options, member), __VA_ARGS__       \
    }

static const struct section_key keys[] = {
    KEY("index", SECTION_TEXT, index, .usual_text = VERSIONS_INDEX),
    KEY("pre", SECTION_FLAG, pre, .usual = 0),
    KEY("command_timeout", SECTION_SECONDS, command_timeout_s,
        .above_min = true, .max = 3600, .usual = 10),
    KEY("retry_attempts", SECTION_INTEGER, retry_attempts, .min = 1, .max = 100,
        .usual = 3),
    KEY("retry_delay", SECTION_SECONDS, retry_delay_s, .usual = 1),
    KEY("retry_backoff", SECTION_NUMBER, retry_backoff, .min = 1, .max = 100,
        .usual = 2),
    KEY("retry_max_delay", SECTION_SECONDS, retry_max_delay_s, .usual = 30),
    KEY("tools", SECTION_NODE, tools, .usual = 0),
    {.name = NULL},
};

static weir_status check_section(const void *target, weir_error *err)
{
    const struct versions_options *options = target;
    struct tools tools = {0};
    const weir_status status = tools_load(options->tools, &tools, err);

    tools_free(&tools);
    return status;
}

const struct section versions_section = {
    "versions", keys, sizeof(struct versions_options), check_section};

/* What the command line says. */
struct arguments {
    const char *config;
    const char *index;
    bool pre;
    struct versions_options flags;    /* those that are no settings */
    struct requirements requirements; /* of all files */
    bool has_requirements;
    char *const *names;
};

/* Everything of one run. */
struct session {
    weir_settings *settings;
    weir_pool_options pool; /* borrows from the settings */
    struct versions_options options;
    struct tools tools;
    struct checks checks;
};

/* --- command line --------------------------------------------------------- */

enum {
    OPT_CONFIG = 256,
    OPT_INDEX,
    OPT_REQUIREMENTS,
    OPT_PRE,
    OPT_CHECK,
    OPT_REFRESH,
    OPT_JSON,
    OPT_NO_PROGRESS
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"index", required_argument, NULL, OPT_INDEX},
    {"requirements", required_argument, NULL, OPT_REQUIREMENTS},
    {"pre", no_argument, NULL, OPT_PRE},
    {"check", no_argument, NULL, OPT_CHECK},
    {"refresh", no_argument, NULL, OPT_REFRESH},
    {"json", no_argument, NULL, OPT_JSON},
    {"no-progress", no_argument, NULL, OPT_NO_PROGRESS},
    {"help", no_argument, NULL, 'h'},
    {0}};

/* An exit code, or -1 to go on. */
static int take_option(struct arguments *arguments, int option)
{
    switch (option) {
    case OPT_CONFIG:
        arguments->config = optarg;
        return -1;
    case OPT_INDEX:
        arguments->index = optarg;
        return -1;
    case OPT_REQUIREMENTS:
        arguments->has_requirements = true;
        return requirements_read(optarg, &arguments->requirements) ? -1
                                                                   : EXIT_USAGE;
    case OPT_PRE:
        arguments->pre = true;
        return -1;
    case OPT_CHECK:
        arguments->flags.check = true;
        return -1;
    case OPT_REFRESH:
        arguments->flags.refresh = true;
        return -1;
    case OPT_JSON:
        arguments->flags.json = true;
        return -1;
    case OPT_NO_PROGRESS:
        arguments->flags.no_progress = true;
        return -1;
    case 'h':
        fputs(help, stdout);
        return EXIT_ALL;
    default:
        return EXIT_USAGE;
    }
}

static int parse(int argc, char **argv, struct arguments *arguments)
{
    int option;

    optind = 1;
    while ((option = cli_option("versions", argc, argv, ":h", long_options)) !=
           -1) {
        const int code = take_option(arguments, option);

        if (code >= 0)
            return code;
    }
    arguments->names = argv + optind;
    for (char *const *name = arguments->names; *name; name++) {
        const size_t len = package_name_len(*name);

        if (len == 0 || (*name)[len])
            return cli_usage_error("versions",
                                   "found '%s', expected the name of a tool or "
                                   "package",
                                   *name);
    }
    return -1;
}

/* --- one run -------------------------------------------------------------- */

static bool load(const struct arguments *arguments, struct session *session)
{
    weir_error err; /* the section has been checked */

    session->settings = cli_load_settings(arguments->config);
    session->options = arguments->flags;
    if (!session->settings ||
        !section_load(session->settings, &versions_section, &session->options))
        return false;
    weir_settings_pool_options(session->settings, &session->pool);
    if (arguments->index)
        session->options.index = arguments->index;
    session->options.pre |= arguments->pre;
    return index_is_good(session->options.index) &&
           tools_load(session->options.tools, &session->tools, &err) == WEIR_OK;
}

/* false: there is nothing to check, it has complained. */
static bool choose(const struct arguments *arguments, struct session *session)
{
    if (*arguments->names || arguments->has_requirements)
        checks_choose(&session->tools, arguments->names,
                      &arguments->requirements, &session->checks);
    else
        checks_choose_all(&session->tools, &session->checks);
    /* A requirements file may be empty. */
    if (session->checks.count > 0 || arguments->has_requirements)
        return true;
    cli_complain("versions: there is no tool to check");
    return false;
}

static int find_status(const struct session *session)
{
    int status = EXIT_ALL;

    for (size_t i = 0; i < session->checks.count; i++) {
        const enum check_state state =
            check_judge(&session->checks.list[i], session->options.pre).state;

        if (check_is_failure(state))
            return EXIT_SOME_FAILED;
        if (session->options.check && state != STATE_UP_TO_DATE)
            status = EXIT_NOT_CURRENT;
    }
    return status;
}

/* An exit code, unless a signal came. */
static int report(const struct session *session, weir_pool *pool)
{
    weir_pool_figures figures = {.size = sizeof figures};

    if (program_signal())
        return EXIT_SOME_FAILED;
    weir_pool_stats(pool, &figures);
    if (session->options.json)
        versions_print_json(&session->options, &session->checks, &figures);
    else
        versions_print_table(&session->options, &session->checks, &figures);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return find_status(session);
    if (errno != EPIPE)
        cli_complain("write standard output: %s", strerror(errno));
    return EXIT_SOME_FAILED;
}

static int run(struct session *session)
{
    const struct versions_options *options = &session->options;
    const unsigned in_flight =
        session->pool.max_per_host < session->pool.max_connections
            ? session->pool.max_per_host
            : session->pool.max_connections;
    struct program program;
    int status = program_begin(&program, &session->pool, PROGRAM_TELLS);
    sqlite3 *cache;

    if (status != EXIT_ALL)
        return status;
    cache = cache_open();
    if (cache && !options->refresh)
        cache_recall(cache, options->index, &session->checks);
    progress_begin(session->checks.count, !options->no_progress);
    checks_run(&session->checks, &program, options, in_flight);
    progress_end();
    if (cache)
        cache_keep(cache, options->index, &session->checks);
    store_close(cache);
    status = report(session, program.pool);
    return program_end(&program, 0, status);
}

int cli_versions(int argc, char **argv, const char *config)
{
    struct arguments arguments = {.config = config, .names = argv + argc};
    struct session session = {.settings = NULL};
    int status = parse(argc, argv, &arguments);

    if (status < 0)
        status = load(&arguments, &session) && choose(&arguments, &session)
                     ? run(&session)
                     : EXIT_USAGE;
    checks_free(&session.checks);
    tools_free(&session.tools);
    weir_settings_free(session.settings);
    requirements_free(&arguments.requirements);
    return status;
}
