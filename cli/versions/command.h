/* Asking a tool for its version: runs its command, and finds the version in
 * what that prints. */
#ifndef WEIR_CLI_VERSIONS_COMMAND_H
#define WEIR_CLI_VERSIONS_COMMAND_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    COMMAND_OUTPUT_MAX = 65536 /* bytes of each stream; more is dropped */
};

enum command_end {
    COMMAND_ENDED,     /* with exit status 0 */
    COMMAND_NOT_FOUND, /* there is no such program */
    COMMAND_FAILED,    /* could not be run, or ended badly; see `why` */
    COMMAND_TIMED_OUT,
    COMMAND_STOPPED /* because stop_fd became readable */
};

/* What a command printed: its standard output, or, when that is blank, its
 * standard error. */
struct command_output {
    enum command_end end;
    char *text; /* ends in a NUL; to free */
    char why[200];
};

/* Runs a program with its arguments, without a shell, standard input empty, in
 * a process group of its own.  After limit_s seconds, or once stop_fd is
 * readable, the whole group is killed.
 *
 * stop_fd: -1: nothing stops it. */
void command_run(char *const *argv, double limit_s, int stop_fd,
                 struct command_output *ret_output);

/* The version in an output: what the pattern's first group matches, or all of
 * the match when it has none; without a pattern, the last word of the first
 * line.  Borrowed from `text`; NULL: there is none. */
const char *command_find_version(const char *text, const regex_t *pattern,
                                 size_t *ret_len);

#endif
