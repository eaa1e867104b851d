/* weir providers: the command line, and what each of its words does. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "../program.h"
#include "../store.h"
#include "../trace.h"
#include "providers.h"

/* Bytes of an answer; a list of models is far smaller. */
#define BODY_MAX ((uint64_t)8 << 20)

static const char help[] =
    "usage: weir providers [OPTION...] [ID...]\n"
    "       weir providers select [--need-model NAME] [OPTION...] [ID...]\n"
    "       weir providers history [--days N] [--json] [ID...]\n\n"
    "Asks the AI providers of the settings, all at once over one pool, which\n"
    "of them are available, and shows latency, models and reasons.  With IDs\n"
    "only those.\n\n"
    "  select    print the id of the first available one in order of\n"
    "            preference, and record what was asked\n"
    "  history   availability and latency of those recorded\n\n"
    "      --need-model NAME  select one that has this model\n"
    "      --days N           history of the last N days; all by default\n"
    "      --timeout S        for each check, instead of the settings'\n"
    "      --json             one JSON document\n"
    "  -v, --verbose          each step of the pool as it happens\n"
    "      --config FILE      settings on top of all other layers\n\n"
    "Exit codes: 0 at least one is available (history: shown), 1 none is,\n"
    "2 bad usage or settings, 130 and 143 ended by SIGINT and SIGTERM.\n";

enum word {
    WORD_LIST,
    WORD_SELECT,
    WORD_HISTORY
};

struct options {
    const char *config;
    enum word word;
    const char *need_model;
    double days;    /* 0: all */
    double timeout; /* 0: the settings' */
    bool as_json;
    bool is_verbose;
    char **ids;
    int id_count;
};

enum {
    OPT_CONFIG_FILE = 256,
    OPT_NEED_MODEL,
    OPT_DAYS,
    OPT_TIMEOUT,
    OPT_AS_JSON
};

static const struct option long_options[] = {
    {"config", required_argument, NULL, OPT_CONFIG_FILE},
    {"need-model", required_argument, NULL, OPT_NEED_MODEL},
    {"days", required_argument, NULL, OPT_DAYS},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"json", no_argument, NULL, OPT_AS_JSON},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {0}};

static bool positive(const char *option, const char *argument, double *ret)
{
    double value;

    if (!cli_seconds("providers", option, argument, &value))
        return false;
    if (value > 0) {
        *ret = value;
        return true;
    }
    cli_usage_error("providers", "%s: found %s, expected more than 0", option,
                    argument);
    return false;
}

/* -1: go on; else an exit code. */
static int take_option(struct options *options, int option)
{
    switch (option) {
    case OPT_CONFIG_FILE:
        options->config = optarg;
        return -1;
    case OPT_NEED_MODEL:
        options->need_model = optarg;
        return -1;
    case OPT_DAYS:
        return positive("--days", optarg, &options->days) ? -1 : EXIT_USAGE;
    case OPT_TIMEOUT:
        return positive("--timeout", optarg, &options->timeout) ? -1
                                                                : EXIT_USAGE;
    case OPT_AS_JSON:
        options->as_json = true;
        return -1;
    case 'v':
        options->is_verbose = true;
        return -1;
    case 'h':
        fputs(help, stdout);
        return EXIT_ALL;
    default:
        return EXIT_USAGE;
    }
}

static int check_options(const struct options *options)
{
    if (options->need_model && options->word != WORD_SELECT)
        return cli_usage_error("providers",
                               "--need-model is for 'weir providers select'");
    if (options->days > 0 && options->word != WORD_HISTORY)
        return cli_usage_error("providers",
                               "--days is for 'weir providers history'");
    if (options->timeout > 0 && options->word == WORD_HISTORY)
        return cli_usage_error("providers",
                               "--timeout: history makes no request");
    return -1;
}

/* The word stands before the ids. */
static int parse(int argc, char **argv, struct options *options)
{
    static const char *const words[] = {
        [WORD_SELECT] = "select", [WORD_HISTORY] = "history"};
    int option;
    int status = -1;

    optind = 1;
    while (status < 0 && (option = cli_option("providers", argc, argv, ":vh",
                                              long_options)) != -1)
        status = take_option(options, option);
    if (status >= 0)
        return status;
    for (int i = WORD_SELECT; optind < argc && i <= WORD_HISTORY; i++) {
        if (strcmp(argv[optind], words[i]) == 0) {
            options->word = (enum word)i;
            optind++;
            break;
        }
    }
    options->ids = argv + optind;
    options->id_count = argc - optind;
    return check_options(options);
}

/* --- checking ------------------------------------------------------------- */

static void print_reasons(const struct check *checks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (checks[i].outcome != OUTCOME_AVAILABLE)
            cli_complain("%s: %s%s%s", checks[i].provider->id,
                         outcome_words(checks[i].outcome),
                         checks[i].detail ? ": " : "",
                         checks[i].detail ? checks[i].detail : "");
    }
}

static int show_all(const struct options *options, struct board *board)
{
    const struct check *checks;
    size_t count;
    int status = EXIT_SOME_FAILED;

    board_wait_all(board);
    if (program_signal())
        return status;
    checks = board_checks(board, &count);
    for (size_t i = 0; i < count; i++) {
        if (checks[i].outcome == OUTCOME_AVAILABLE)
            status = EXIT_ALL;
    }
    if (options->as_json)
        providers_report_json(checks, count, NULL, false);
    else
        providers_report_table(checks, count);
    return status;
}

/* That nothing could be written down is told, and changes no selection. */
static void record(const struct check *checks, size_t count, double keep_days)
{
    sqlite3 *store = providers_history_open();

    if (store)
        providers_history_record(store, checks, count, keep_days);
    store_close(store);
}

static int select_one(const struct options *options, struct board *board,
                      double keep_days)
{
    const struct check *selected = board_wait_first(board, options->need_model);
    const struct check *checks;
    size_t count;

    board_stop(board);
    if (program_signal())
        return EXIT_SOME_FAILED;
    checks = board_checks(board, &count);
    if (options->as_json)
        providers_report_json(checks, count, selected, true);
    else if (selected)
        puts(selected->provider->id);
    else
        print_reasons(checks, count);
    record(checks, count, keep_days);
    return selected ? EXIT_ALL : EXIT_SOME_FAILED;
}

static void set_pool_options(const struct options *options,
                             const weir_settings *settings,
                             const struct chain *chain, weir_pool_options *pool)
{
    weir_settings_pool_options(settings, pool);
    pool->proxy_environment = true; /* a command asks, a library does not */
    pool->max_body = pool->max_body < BODY_MAX ? pool->max_body : BODY_MAX;
    if (pool->max_waiting < chain->count)
        pool->max_waiting = (unsigned)chain->count;
    if (options->is_verbose)
        pool->trace = cli_trace;
}

static int check(const struct options *options, const weir_settings *settings,
                 const struct provider_settings *section,
                 const struct chain *chain)
{
    weir_pool_options pool;
    struct program program;
    struct board *board;
    int status;

    set_pool_options(options, settings, chain, &pool);
    status = program_begin(&program, &pool, PROGRAM_CLOSES);
    if (status != EXIT_ALL)
        return status;
    board = board_begin(chain, program.pool);
    status = options->word == WORD_SELECT
                 ? select_one(options, board, section->keep_days)
                 : show_all(options, board);
    if (fflush(stdout) != 0 || ferror(stdout))
        status = EXIT_SOME_FAILED;
    status = program_end(&program, 0, status);
    board_free(board);
    return status;
}

static int read_and_check(const struct options *options,
                          const weir_settings *settings)
{
    struct provider_settings section;
    struct chain chain = {0};
    weir_error err;
    int status = EXIT_USAGE;

    if (!section_load(settings, &providers_section, &section))
        return EXIT_USAGE;
    if (provider_chain_read(&section, &chain, &err) != WEIR_OK) {
        cli_complain("%s", err.message);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < chain.count && options->timeout > 0; i++)
        chain.list[i].timeout = options->timeout;
    if (provider_chain_restrict(&chain, options->ids, options->id_count))
        status = check(options, settings, &section, &chain);
    provider_chain_free(&chain);
    return status;
}

int cli_providers(int argc, char **argv, const char *config)
{
    struct options options = {.config = config};
    weir_settings *settings;
    int status = parse(argc, argv, &options);

    if (status >= 0)
        return status;
    if (options.word == WORD_HISTORY)
        return providers_history_show(options.ids, options.id_count,
                                      options.days, options.as_json);
    settings = cli_load_settings(options.config);
    if (!settings)
        return EXIT_USAGE;
    status = read_and_check(&options, settings);
    weir_settings_free(settings);
    return status;
}
