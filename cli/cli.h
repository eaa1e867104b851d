/* What the subcommands of `weir` share.
 *
 * The command uses the public headers alone: it is the first program written
 * against them. */
#ifndef WEIR_CLI_H
#define WEIR_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include <weir/weir.h>

/* Exit codes; documented and stable. */
enum {
    EXIT_ALL = 0,
    EXIT_SOME_FAILED = 1,
    EXIT_USAGE = 2
};

/* Each takes its own name as argv[0] and returns an exit code.  `config` is
 * the file named by --config, or NULL. */
int cli_fetch(int argc, char **argv, const char *config);
int cli_config(int argc, char **argv, const char *config);
int cli_providers(int argc, char **argv, const char *config);
int cli_watch(int argc, char **argv, const char *config);
int cli_bench(int argc, char **argv, const char *config);
int cli_versions(int argc, char **argv, const char *config);

/* "weir: …" on standard error. */
__attribute__((format(printf, 1, 2))) void cli_complain(const char *format,
                                                        ...);
/* The same, with a hint at --help; returns EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int
cli_usage_error(const char *command, const char *format, ...);

struct option;
/* getopt_long() that says itself what is wrong with an option: '?' then, for
 * EXIT_USAGE.  `shorts` begins with a colon. */
int cli_option(const char *command, int argc, char **argv, const char *shorts,
               const struct option *longs);

/* A number of an option.  false: it has complained. */
bool cli_seconds(const char *command, const char *option, const char *text,
                 double *ret_seconds);
bool cli_count(const char *command, const char *option, const char *text,
               long min, long max, long *ret_count);

/* malloc and friends for a command: out of memory ends it with a message. */
void *cli_alloc(size_t size);
char *cli_copy(const char *text);
__attribute__((format(printf, 1, 2))) char *cli_format(const char *format, ...);

/* Loads the settings; NULL: it has complained. */
weir_settings *cli_load_settings(const char *config);
/* The time since some moment, in seconds. */
double cli_now(void);

#endif
