#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "requirement.h"
#include "requirements.h"

#include "../cli.h"

enum {
    MAX_LINE_BYTES = 1 << 20,
    MAX_DEPTH = 32 /* of files that include one another */
};

/* A file that is being read, and the one that includes it. */
struct reading {
    const char *path;
    FILE *file;
    struct stat identity;
    const struct reading *includer; /* NULL: named on the command line */
    int depth;
    unsigned line;       /* of what was read last */
    unsigned first_line; /* of the joined line */
    struct requirements *requirements;
};

static bool read_file(const char *path, const struct reading *includer,
                      struct requirements *requirements);

/* Where it stands: "FILE:LINE: ". */
static void complain_at(const struct reading *reading, const char *what)
{
    cli_complain("%s:%u: %s", reading->path, reading->first_line, what);
}

static void add(struct requirements *requirements,
                const struct requirement_line *line)
{
    struct requirement *list =
        realloc(requirements->list,
                (requirements->count + 1) * sizeof *requirements->list);
    struct requirement *added;

    if (!list) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    requirements->list = list;
    added = &list[requirements->count++];
    added->name = cli_format("%.*s", (int)line->len, line->text);
    added->pin =
        line->pin ? cli_format("%.*s", (int)line->pin_len, line->pin) : NULL;
}

/* NOLINTBEGIN(misc-no-recursion): at most MAX_DEPTH deep */

/* A path in a file is relative to the folder of that file. */
static bool include(const struct reading *reading, const char *path, size_t len)
{
    const char *slash = strrchr(reading->path, '/');
    const int folder_len =
        *path == '/' || !slash ? 0 : (int)(slash + 1 - reading->path);
    char *full =
        cli_format("%.*s%.*s", folder_len, reading->path, (int)len, path);
    const bool is_good = read_file(full, reading, reading->requirements);

    free(full);
    return is_good;
}

static bool take_line(const struct reading *reading, const char *text)
{
    struct requirement_line line;

    requirement_read(text, &line);
    switch (line.kind) {
    case REQUIREMENT_NAME:
        add(reading->requirements, &line);
        return true;
    case REQUIREMENT_INCLUDE:
        return include(reading, line.text, line.len);
    case REQUIREMENT_IGNORED:
        complain_at(reading, line.why);
        return true;
    case REQUIREMENT_WRONG:
        complain_at(reading, line.why);
        return false;
    case REQUIREMENT_NONE:
    default:
        return true;
    }
}

/* --- lines ---------------------------------------------------------------- */

static bool is_comment(const char *line)
{
    return line[strspn(line, " \t")] == '#';
}

enum taken {
    LINE_TAKEN,
    LINE_NONE, /* the end of the file, or an error of reading */
    LINE_WRONG
};

/* The next line as it stands, without its end. */
static enum taken next_raw_line(struct reading *reading, char **buffer,
                                size_t *size)
{
    const ssize_t got = getline(buffer, size, reading->file);
    char *line = *buffer;
    size_t len;

    if (got < 0)
        return LINE_NONE;
    reading->line++;
    len = (size_t)got;
    if (memchr(line, '\0', len) || len > MAX_LINE_BYTES)
        return LINE_WRONG;
    if (len > 0 && line[len - 1] == '\n')
        line[--len] = '\0';
    if (len > 0 && line[len - 1] == '\r')
        line[--len] = '\0';
    if (reading->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
        memmove(line, line + 3, len - 3 + 1);
    return LINE_TAKEN;
}

/* The next line with those that continue it: each but the last ends in a
 * backslash.  A comment is never continued.  `joined` has room for
 * MAX_LINE_BYTES and a NUL. */
static enum taken next_line(struct reading *reading, char **buffer,
                            size_t *size, char *joined)
{
    size_t len = 0;

    reading->first_line = reading->line + 1;
    *joined = '\0';
    for (;;) {
        const enum taken taken = next_raw_line(reading, buffer, size);
        const char *line = *buffer;
        size_t line_len;
        bool is_continued;

        if (taken != LINE_TAKEN)
            return taken == LINE_NONE && len > 0 ? LINE_TAKEN : taken;
        line_len = strlen(line);
        is_continued =
            line_len > 0 && line[line_len - 1] == '\\' && !is_comment(line);
        line_len -= is_continued;
        /* A comment must begin at the start or behind white space. */
        if (len + line_len + 1 > MAX_LINE_BYTES)
            return LINE_WRONG;
        if (len > 0 && is_comment(line))
            joined[len++] = ' ';
        memcpy(joined + len, line, line_len);
        len += line_len;
        joined[len] = '\0';
        if (!is_continued)
            return LINE_TAKEN;
    }
}

static bool read_lines(struct reading *reading)
{
    char *joined = cli_alloc(MAX_LINE_BYTES + 1);
    char *buffer = NULL;
    size_t size = 0;
    bool is_good = true;
    enum taken taken;

    while ((taken = next_line(reading, &buffer, &size, joined)) != LINE_NONE) {
        if (taken == LINE_WRONG)
            complain_at(reading, "a NUL, or more than 1 MiB in one line");
        if (taken == LINE_WRONG || !take_line(reading, joined))
            is_good = false;
    }
    if (ferror(reading->file)) {
        cli_complain("read %s: %s", reading->path, strerror(errno));
        is_good = false;
    }
    free(buffer);
    free(joined);
    return is_good;
}

/* --- files ---------------------------------------------------------------- */

static bool is_being_read(const struct stat *identity,
                          const struct reading *includer)
{
    for (; includer; includer = includer->includer) {
        if (includer->identity.st_dev == identity->st_dev &&
            includer->identity.st_ino == identity->st_ino)
            return true;
    }
    return false;
}

/* Tells why a file is not read, and where it was asked for. */
static bool refuse(const char *path, const struct reading *includer,
                   const char *why)
{
    char *message = cli_format("read %s: %s", path, why);

    if (includer)
        complain_at(includer, message);
    else
        cli_complain("%s", message);
    free(message);
    return false;
}

static bool read_file(const char *path, const struct reading *includer,
                      struct requirements *requirements)
{
    struct reading reading = {.path = path,
                              .includer = includer,
                              .depth = includer ? includer->depth + 1 : 1,
                              .requirements = requirements};
    bool is_good = false;

    if (reading.depth > MAX_DEPTH)
        return refuse(path, includer, "too many files that include another");
    reading.file = fopen(path, "re");
    if (!reading.file)
        return refuse(path, includer, strerror(errno));
    if (fstat(fileno(reading.file), &reading.identity) != 0)
        refuse(path, includer, strerror(errno));
    else if (is_being_read(&reading.identity, includer))
        refuse(path, includer, "it includes itself");
    else
        is_good = read_lines(&reading);
    fclose(reading.file);
    return is_good;
}

/* NOLINTEND(misc-no-recursion) */

bool requirements_read(const char *path, struct requirements *requirements)
{
    return read_file(path, NULL, requirements);
}

void requirements_free(struct requirements *requirements)
{
    for (size_t i = 0; i < requirements->count; i++) {
        free(requirements->list[i].name);
        free(requirements->list[i].pin);
    }
    free(requirements->list);
    *requirements = (struct requirements){0};
}
