#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void cli_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("weir: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

int cli_usage_error(const char *command, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fprintf(stderr, "weir %s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry 'weir %s --help'.\n", command);
    va_end(args);
    return EXIT_USAGE;
}

bool cli_seconds(const char *command, const char *option, const char *text,
                 double *ret_seconds)
{
    char *end;
    const double seconds = strtod(text, &end);

    if (end == text || *end || !isfinite(seconds) || seconds < 0) {
        cli_usage_error(command, "%s: found '%s', expected seconds such as 2.5",
                        option, text);
        return false;
    }
    *ret_seconds = seconds;
    return true;
}

bool cli_count(const char *command, const char *option, const char *text,
               long min, long max, long *ret_count)
{
    char *end;
    long count;

    errno = 0;
    count = strtol(text, &end, 10);
    if (end == text || *end || errno || count < min || count > max) {
        cli_usage_error(command,
                        "%s: found '%s', expected a number from %ld to %ld",
                        option, text, min, max);
        return false;
    }
    *ret_count = count;
    return true;
}

void *cli_alloc(size_t size)
{
    void *ptr = calloc(1, size ? size : 1);

    if (!ptr) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    return ptr;
}

char *cli_copy(const char *text)
{
    return cli_format("%s", text);
}

char *cli_format(const char *format, ...)
{
    va_list args;
    char *text;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text = cli_alloc((size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}

weir_settings *cli_load_settings(const char *config)
{
    weir_settings *settings;
    weir_error err;

    if (weir_settings_load("weir", config, &settings, &err) == WEIR_OK)
        return settings;
    cli_complain("%s", err.message);
    return NULL;
}

double cli_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}
