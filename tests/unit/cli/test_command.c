/* Running a tool's command, against real programs, and finding the version in
 * what it prints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli.h"
#include "versions/command.h"

#define LONG_S 60.0 /* never reached */

static struct command_output run_script(const char *script, double limit_s,
                                        int stop_fd)
{
    char *copy = cli_copy(script);
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, copy, NULL};
    struct command_output output;

    command_run(argv, limit_s, stop_fd, &output);
    free(copy);
    return output;
}

static void must_print(const char *script, const char *expected)
{
    struct command_output output = run_script(script, LONG_S, -1);

    if (output.end != COMMAND_ENDED)
        fail_msg("%s: %s", script, output.why);
    assert_string_equal(output.text, expected);
    free(output.text);
}

static void must_end(const char *script, enum command_end end, const char *why)
{
    struct command_output output = run_script(script, LONG_S, -1);

    assert_int_equal(output.end, end);
    assert_string_equal(output.why, why);
    free(output.text);
}

static void test_standard_output_or_else_standard_error(void **state)
{
    (void)state;
    must_print("echo tool 1.2; echo warning >&2", "tool 1.2\n");
    must_print("echo; echo tool 1.2 >&2", "tool 1.2\n");
    must_print(":", "");
}

static void test_arguments_are_not_for_a_shell(void **state)
{
    char *argv[] = {(char[]){"echo"}, (char[]){"$HOME; `id` *"}, NULL};
    struct command_output output;

    (void)state;
    command_run(argv, LONG_S, -1, &output);
    assert_string_equal(output.text, "$HOME; `id` *\n");
    free(output.text);
}

static void test_standard_input_is_empty(void **state)
{
    (void)state;
    must_print("cat; echo end", "end\n");
}

static void test_signals_are_as_usual_in_the_program(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    must_end("kill -PIPE $$", COMMAND_FAILED,
             "ended by signal 13 (Broken pipe)");
    signal(SIGPIPE, SIG_DFL);
}

static void test_bad_ends_say_why(void **state)
{
    (void)state;
    must_end("exit 3", COMMAND_FAILED, "exit status 3");
    must_end("echo no config >&2; echo more >&2; exit 1", COMMAND_FAILED,
             "exit status 1: no config");
}

static void test_programs_that_cannot_be_run(void **state)
{
    char *missing[] = {(char[]){"weir-no-such-program"}, NULL};
    char *folder[] = {(char[]){"/"}, NULL};
    struct command_output output;

    (void)state;
    command_run(missing, LONG_S, -1, &output);
    assert_int_equal(output.end, COMMAND_NOT_FOUND);
    free(output.text);
    command_run(folder, LONG_S, -1, &output);
    assert_int_equal(output.end, COMMAND_FAILED);
    assert_string_equal(output.why, "Permission denied");
    free(output.text);
}

static void test_a_flood_is_bounded(void **state)
{
    struct command_output output = run_script(
        "echo first 1; head -c 300000 /dev/zero | tr '\\0' x", LONG_S, -1);

    (void)state;
    assert_int_equal(output.end, COMMAND_ENDED);
    assert_int_equal(strlen(output.text), COMMAND_OUTPUT_MAX);
    free(output.text);
}

static void test_a_flood_without_end_is_cut_off_at_the_limit(void **state)
{
    struct command_output output = run_script("exec yes", 0.2, -1);

    (void)state;
    assert_int_equal(output.end, COMMAND_TIMED_OUT);
    free(output.text);
}

/* What a killed program has left: it holds the write end of a pipe, which ends
 * once all of its group are dead. */
static void must_be_dead(int read_end)
{
    char byte;

    alarm(30);
    assert_int_equal(read(read_end, &byte, 1), 0);
    alarm(0);
    close(read_end);
}

static void test_the_whole_group_is_killed_at_the_limit(void **state)
{
    int ends[2];
    struct command_output output;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    output = run_script("trap '' TERM INT; sleep 1000 & sleep 1000", 0.2, -1);
    close(ends[1]);
    assert_int_equal(output.end, COMMAND_TIMED_OUT);
    assert_string_equal(output.why, "had not ended after 0.2 seconds");
    free(output.text);
    must_be_dead(ends[0]);
}

static void test_it_stops_when_told(void **state)
{
    int ends[2];
    int stop[2];
    struct command_output output;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
    assert_int_equal(write(stop[1], "x", 1), 1);
    output = run_script("sleep 1000 & sleep 1000", LONG_S, stop[0]);
    close(ends[1]);
    assert_int_equal(output.end, COMMAND_STOPPED);
    free(output.text);
    must_be_dead(ends[0]);
    close(stop[0]);
    close(stop[1]);
}

/* A process that the tool leaves behind holds its output open. */
static void test_the_end_of_the_program_is_the_end(void **state)
{
    struct command_output output;
    char pid[16] = "";

    (void)state;
    output = run_script("echo tool 1.2; sleep 1000 & echo $!", LONG_S, -1);
    assert_int_equal(output.end, COMMAND_ENDED);
    assert_non_null(strchr(output.text, '\n'));
    snprintf(pid, sizeof pid, "%s", strchr(output.text, '\n') + 1);
    assert_int_equal(kill((pid_t)strtol(pid, NULL, 10), SIGKILL), 0);
    free(output.text);
}

/* --- the version ---------------------------------------------------------- */

static void must_find(const char *text, const char *pattern,
                      const char *expected)
{
    regex_t compiled;
    size_t len = 0;
    const char *found;

    if (pattern)
        assert_int_equal(
            regcomp(&compiled, pattern, REG_EXTENDED | REG_NEWLINE), 0);
    found = command_find_version(text, pattern ? &compiled : NULL, &len);
    if (!expected) {
        assert_null(found);
    } else if (!found || len != strlen(expected) ||
               memcmp(found, expected, len) != 0) {
        fail_msg("\"%s\": found \"%.*s\", expected \"%s\"", text, (int)len,
                 found ? found : "", expected);
    }
    if (pattern)
        regfree(&compiled);
}

static void test_the_last_word_of_the_first_line(void **state)
{
    (void)state;
    must_find("ruff 0.1.6\n", NULL, "0.1.6");
    must_find("0.1.6", NULL, "0.1.6");
    must_find("\n  tool,\tversion 2.0 \r\nCopyright 2023\n", NULL, "2.0");
    must_find("", NULL, NULL);
    must_find(" \n\t\n", NULL, NULL);
}

static void test_a_pattern(void **state)
{
    (void)state;
    must_find("uv 0.5.1 (ab12 2024-01-01)\n", "^uv ([^ ]+)", "0.5.1");
    must_find("x\nnode v18.1\n", "v[0-9.]+", "v18.1");
    must_find("one\ntwo 2\n", "^two (.*)$", "2");
    must_find("one\n", "^two (.*)$", NULL);
    must_find("b", "(a)|b", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_standard_output_or_else_standard_error),
        cmocka_unit_test(test_arguments_are_not_for_a_shell),
        cmocka_unit_test(test_standard_input_is_empty),
        cmocka_unit_test(test_signals_are_as_usual_in_the_program),
        cmocka_unit_test(test_bad_ends_say_why),
        cmocka_unit_test(test_programs_that_cannot_be_run),
        cmocka_unit_test(test_a_flood_is_bounded),
        cmocka_unit_test(test_a_flood_without_end_is_cut_off_at_the_limit),
        cmocka_unit_test(test_the_whole_group_is_killed_at_the_limit),
        cmocka_unit_test(test_it_stops_when_told),
        cmocka_unit_test(test_the_end_of_the_program_is_the_end),
        cmocka_unit_test(test_the_last_word_of_the_first_line),
        cmocka_unit_test(test_a_pattern),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
