/* weir watch history: what has happened, from the database. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../table.h"
#include "event_text.h"
#include "face_settings.h"
#include "history.h"
#include "settings.h"
#include "stamp.h"

static const char help[] =
    "usage: weir watch history [NAME] [--since WHEN] [--limit N] [--json]\n\n"
    "Shows the events that were kept, oldest first.\n\n"
    "  NAME           of this service alone\n"
    "  --since WHEN   from then on: 90s, 15m, 2h, 7d ago, or a moment such as\n"
    "                 2026-11-28 or 2026-11-28T13:53 (UTC)\n"
    "  --limit N      the latest N; 0: all; 100\n"
    "  --json         JSON lines, as in the event file\n\n"
    "Exit codes: 0 shown, 1 the history cannot be read, 2 bad usage or\n"
    "settings.\n";

struct options {
    struct history_query query;
    bool as_json;
};

/* Below 0: go on; else an exit code. */
static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {{"since", required_argument, 0, 's'},
                                          {"limit", required_argument, 0, 'n'},
                                          {"json", no_argument, 0, 'j'},
                                          {"help", no_argument, 0, 'h'},
                                          {0}};
    const uint64_t now_ms = (uint64_t)time(NULL) * 1000;
    int option;

    options->query.limit = 100;
    optind = 0; /* the options of `weir watch` have been taken before */
    while ((option = cli_option("watch history", argc, argv, ":n:h", known)) !=
           -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_ALL;
        }
        if (option == 'j') {
            options->as_json = true;
        } else if (option == 'n') {
            if (!cli_count("watch history", "--limit", optarg, 0, 1000000000,
                           &options->query.limit))
                return EXIT_USAGE;
        } else if (option != 's') {
            return EXIT_USAGE;
        } else if (!watch_read_since(optarg, now_ms,
                                     &options->query.since_ms)) {
            return cli_usage_error("watch history",
                                   "--since: found '%s', expected a time such "
                                   "as 15m, 7d or 2026-11-28T13:53",
                                   optarg);
        }
    }
    if (optind < argc)
        options->query.service = argv[optind++];
    if (optind < argc)
        return cli_usage_error("watch history", "more than one NAME");
    return -1;
}

static void print_line(void *user, const struct watch_event *event)
{
    size_t len;
    char *line = watch_event_line(event, &len);

    (void)user;
    fwrite(line, 1, len, stdout);
    free(line);
}

static void add_row(void *user, const struct watch_event *event)
{
    const enum tone tone =
        watch_event_is_failure(event->kind) ? TONE_BAD : TONE_PLAIN;
    char stamp[WATCH_STAMP_SIZE];

    watch_stamp(event->at_ms, stamp);
    table_cell(user, TONE_DIM, "%s", stamp);
    table_cell(user, TONE_PLAIN, "%s",
               event->service[0] ? event->service : "-");
    table_cell(user, tone, "%s", watch_event_name(event->kind));
    table_cell(user, TONE_PLAIN, "%s", event->detail);
}

static int show(struct history *history, const struct options *options)
{
    static const char *const titles[] = {"TIME", "SERVICE", "EVENT", "DETAIL",
                                         NULL};
    struct table *table = options->as_json ? NULL : table_new(titles);
    const bool is_good = history_read(history, &options->query,
                                      table ? add_row : print_line, table);

    if (table && is_good)
        table_print(table, stdout, cli_can_colour(stdout));
    if (table)
        table_free(table);
    return is_good && fflush(stdout) == 0 ? EXIT_ALL : EXIT_SOME_FAILED;
}

static int open_and_show(const weir_settings *settings, const char *name,
                         const struct options *options)
{
    char *folder = watch_settings_state(settings);
    struct history *history = folder ? history_open(folder, name, 0) : NULL;
    const int status = history ? show(history, options) : EXIT_SOME_FAILED;

    history_close(history);
    free(folder);
    return status;
}

int watch_history(int argc, char **argv, const char *config)
{
    struct options options = {0};
    struct watch_face_settings face;
    weir_settings *settings;
    weir_error err;
    int status = parse(argc, argv, &options);

    if (status >= 0)
        return status;
    settings = cli_load_settings(config);
    if (!settings)
        return EXIT_USAGE;
    if (!watch_face_settings_read(&face, settings, NULL, &err)) {
        cli_complain("%s", err.message);
        status = EXIT_USAGE;
    } else if (!face.events.history[0]) {
        cli_complain("watch.events.history is empty: no history is kept");
        status = EXIT_USAGE;
    } else {
        status = open_and_show(settings, face.events.history, &options);
    }
    weir_settings_free(settings);
    return status;
}
