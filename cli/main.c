/* weir: the command.  Finds the subcommand and hands over. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv, const char *config);
} commands[] = {
    {"fetch", "fetch URLs through one pool", cli_fetch},
    {"providers", "which AI provider answers?", cli_providers},

    {"versions", "are my tools up to date?", cli_versions},
    {"watch", "keep services running and healthy", cli_watch},
    {"bench", "measure what the pool is worth", cli_bench},
    {"config", "show every setting and where it came from", cli_config},
};

enum {
    COMMANDS = sizeof commands / sizeof *commands
};

static void usage(FILE *out)
{
    fputs("usage: weir [--config FILE] COMMAND [ARGUMENT...]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'weir COMMAND --help' tells more; so does 'man weir-COMMAND'.\n"
          "  --config FILE   settings on top of all other layers\n"
          "  --version       version of the command and of the library\n",
          out);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[COMMANDS + 1] = {NULL};
    const char *near;

    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    near = weir_suggest(name, names);
    cli_complain("unknown command '%s'%s%s%s\n'weir help' lists them.", name,
                 near ? "; did you mean '" : "", near ? near : "",
                 near ? "'?" : "");
    return EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    static char flag[] = "--help";
    const struct command *command = argc > 1 ? find(argv[1]) : NULL;

    if (argc > 1 && !command)
        return unknown(argv[1]);
    if (!command) {
        usage(stdout);
        return EXIT_ALL;
    }
    return command->run(2, (char *[]){argv[1], flag, NULL}, NULL);
}

/* Takes the options before the command.  Returns the index of the command, or
 * a negative exit code less one when there is nothing more to do. */
static int take_options(int argc, char **argv, const char **config)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
            printf("weir %s (library %s)\n", WEIR_VERSION, weir_version());
            return -1 - EXIT_ALL;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage(stdout);
            return -1 - EXIT_ALL;
        }
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            *config = argv[++i];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            *config = argv[i] + 9;
        } else {
            cli_complain("%s '%s'",
                         strcmp(argv[i], "--config") == 0 ? "no file behind"
                                                          : "unknown option",
                         argv[i]);
            usage(stderr);
            return -1 - EXIT_USAGE;
        }
    }
    return i;
}

int main(int argc, char **argv)
{
    const char *config = NULL;
    const struct command *command;
    const int at = take_options(argc, argv, &config);

    signal(SIGPIPE, SIG_IGN); /* a closed output is an error like any other */
    if (at < 0)
        return -at - 1;
    if (at == argc) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[at], "help") == 0)
        return help(argc - at, argv + at);
    command = find(argv[at]);
    if (!command)
        return unknown(argv[at]);
    return command->run(argc - at, argv + at, config);
}
