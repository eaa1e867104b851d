/* weir watch: which of its verbs. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "../cli.h"
#include "client.h"
#include "face.h"
#include "run.h"

static const char help[] =
    "usage: weir watch [run] [OPTION...]\n"
    "       weir watch VERB [SERVICE] [OPTION...]\n\n"
    "Keeps the services of the settings' section `watch` running and checks\n"
    "their health.\n\n"
    "  run              the supervisor, in the foreground\n"
    "    --listen HOST:PORT  the page, /status.json and /metrics there\n"
    "    --events FILE       events as JSON lines; - is standard output\n"
    "    --plain             lines instead of the live table\n"
    "  status           all services\n"
    "  start SERVICE    and its like ask the supervisor that runs, and wait\n"
    "  stop SERVICE     until it is done\n"
    "  restart SERVICE\n"
    "  reload           reads the settings again\n"
    "  down             ends all services in order, and the supervisor\n"
    "    --json              the answer as JSON\n"
    "    --no-wait           as soon as the order has been given\n"
    "  history          what has happened; see `weir watch history --help`\n\n"
    "  --config FILE    settings on top of all other layers\n\n"
    "Exit codes: 0 done, or all wanted services are healthy; 1 not so, "
    "refused,\n"
    "failed, or no supervisor runs; 2 bad usage or settings; 128 and more: "
    "ended\n"
    "by that signal.\n";

static int run(int argc, char **argv, const char *config)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"listen", required_argument, NULL, 'l'},
        {"events", required_argument, NULL, 'e'},
        {"plain", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    struct watch_face_options face = {.listen = NULL};
    int option;

    optind = 1;
    while ((option = cli_option("watch", argc, argv, ":h", options)) != -1) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case 'l':
            face.listen = optarg;
            break;
        case 'e':
            face.events = optarg;
            break;
        case 'p':
            face.is_plain = true;
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_ALL;
        default:
            return EXIT_USAGE;
        }
    }
    if (optind < argc)
        return cli_usage_error("watch",
                               "unexpected argument '%s'; a verb comes before "
                               "the options",
                               argv[optind]);
    return watch_run(config, &face);
}

static const struct {
    const char *name;
    int (*go)(int argc, char **argv, const char *config);
} verbs[] = {
    {"run", run},
    {"status", watch_client},
    {"start", watch_client},
    {"stop", watch_client},
    {"restart", watch_client},
    {"reload", watch_client},
    {"down", watch_client},
    {"history", watch_history},
};

enum {
    VERBS = sizeof verbs / sizeof *verbs
};

static int refuse_verb(const char *name)
{
    const char *names[VERBS + 1] = {NULL};
    const char *near;

    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i].name;
    near = weir_suggest(name, names);
    return near ? cli_usage_error("watch",
                                  "unknown verb '%s'; did you mean '%s'?", name,
                                  near)
                : cli_usage_error("watch", "unknown verb '%s'", name);
}

int cli_watch(int argc, char **argv, const char *config)
{
    if (argc < 2 || argv[1][0] == '-')
        return run(argc, argv, config);
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].go(argc - 1, argv + 1, config);
    }
    return refuse_verb(argv[1]);
}
