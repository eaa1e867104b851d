#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "package_name.h"
#include "pep440.h"
#include "requirement.h"

/* What is left of a line, without the comment and the white space at its end.
 * A stretch, so that the line stays as it is. */
struct rest {
    const char *at;
    const char *end;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(struct rest *rest)
{
    while (rest->at < rest->end && is_space(*rest->at))
        rest->at++;
}

static bool is_over(const struct rest *rest)
{
    return rest->at == rest->end;
}

static bool begins(const struct rest *rest, const char *text)
{
    const size_t len = strlen(text);

    return (size_t)(rest->end - rest->at) >= len &&
           memcmp(rest->at, text, len) == 0;
}

static bool take(struct rest *rest, const char *text)
{
    if (!begins(rest, text))
        return false;
    rest->at += strlen(text);
    return true;
}

__attribute__((format(printf, 2, 3))) static void
wrong(struct requirement_line *line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    line->kind = REQUIREMENT_WRONG;
    vsnprintf(line->why, sizeof line->why, format, args);
    va_end(args);
}

/* "found '…', expected …", with no more of the rest than fits a line. */
static void expected(struct requirement_line *line, const struct rest *rest,
                     const char *what)
{
    const int len = (int)(rest->end - rest->at);

    if (len == 0)
        wrong(line, "found nothing, expected %s", what);
    else
        wrong(line, "found '%.*s%s', expected %s", len > 40 ? 40 : len,
              rest->at, len > 40 ? "…" : "", what);
}

/* --- where a line ends ---------------------------------------------------- */

/* A comment begins with '#' at the start, or behind white space. */
static const char *end_of(const char *line)
{
    const char *end = line;

    while (*end && !(*end == '#' && (end == line || is_space(end[-1]))))
        end++;
    while (end > line && is_space(end[-1]))
        end--;
    return end;
}

/* Options of one requirement, as --hash, follow it behind white space; they say
 * nothing about its name. */
static void cut_options(struct rest *rest)
{
    for (const char *at = rest->at + 1; at < rest->end; at++) {
        if (*at == '-' && is_space(at[-1])) {
            rest->end = at;
            while (is_space(rest->end[-1]))
                rest->end--;
            return;
        }
    }
}

/* --- options -------------------------------------------------------------- */

/* -rPATH, -r PATH, --requirement PATH, --requirement=PATH */
static bool take_include(struct rest *rest)
{
    struct rest left = *rest;

    if (take(&left, "--requirement")) {
        if (!is_over(&left) && !take(&left, "=") && !is_space(*left.at))
            return false;
    } else if (!take(&left, "-r")) {
        return false;
    }
    skip_space(&left);
    *rest = left;
    return true;
}

static void read_option(struct rest *rest, struct requirement_line *line)
{
    int len = 0;

    if (take_include(rest)) {
        line->kind = REQUIREMENT_INCLUDE;
        line->text = rest->at;
        line->len = (size_t)(rest->end - rest->at);
        if (line->len == 0)
            wrong(line, "found -r alone, expected a file behind it");
        else if (memmem(rest->at, line->len, "://", 3))
            wrong(line, "found a URL behind -r, expected a file");
        return;
    }
    while (rest->at + len < rest->end && !is_space(rest->at[len]) &&
           rest->at[len] != '=')
        len++;
    line->kind = REQUIREMENT_IGNORED;
    snprintf(line->why, sizeof line->why, "option %.*s is ignored",
             len > 40 ? 40 : len, rest->at);
}

/* --- requirements --------------------------------------------------------- */

/* URLs, and paths of folders and archives, as pip knows them. */
static bool is_no_name(const struct rest *rest)
{
    static const char *const archives[] = {
        ".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", NULL};
    const char *end = rest->at;

    while (end < rest->end && !is_space(*end) && *end != ';' && *end != '@' &&
           *end != '[')
        end++;
    if (*rest->at == '.' || memchr(rest->at, '/', (size_t)(end - rest->at)))
        return true;
    for (const char *const *archive = archives; *archive; archive++) {
        const size_t len = strlen(*archive);

        if ((size_t)(end - rest->at) > len &&
            memcmp(end - len, *archive, len) == 0)
            return true;
    }
    return false;
}

/* [extra,extra] */
static bool take_extras(struct rest *rest, struct requirement_line *line)
{
    if (!take(rest, "["))
        return true;
    skip_space(rest);
    if (take(rest, "]"))
        return true;
    for (;;) {
        size_t len;

        skip_space(rest);
        len = package_name_len(rest->at);
        if (len == 0 || len > (size_t)(rest->end - rest->at)) {
            expected(line, rest, "the name of an extra");
            return false;
        }
        rest->at += len;
        skip_space(rest);
        if (take(rest, "]"))
            return true;
        if (!take(rest, ",")) {
            expected(line, rest, "',' or ']' behind an extra");
            return false;
        }
    }
}

/* A version of a clause is read; "==1.*" has a star. */
static bool is_good_version(const char *relation, const char *text, size_t len)
{
    struct pep440 version;

    if (strcmp(relation, "===") == 0)
        return len > 0;
    if ((strcmp(relation, "==") == 0 || strcmp(relation, "!=") == 0) &&
        len > 2 && memcmp(text + len - 2, ".*", 2) == 0)
        len -= 2;
    return pep440_parse(text, len, &version);
}

/* What "==" names exactly, or "===" if it is a version at all. */
static void note_pin(const char *relation, const char *text, size_t len,
                     struct requirement_line *line)
{
    struct pep440 version;

    if (strncmp(relation, "==", 2) == 0 && pep440_parse(text, len, &version)) {
        line->pin = text;
        line->pin_len = len;
    }
}

/* RELATION VERSION */
static bool take_clause(struct rest *rest, struct requirement_line *line)
{
    /* An relation stands before its own beginnings. */
    static const char *const relations[] = {
        "===", "==", "~=", "!=", "<=", ">=", "<", ">", NULL};
    const char *const *relation = relations;
    const char *text;
    size_t len = 0;

    while (*relation && !take(rest, *relation))
        relation++;
    if (!*relation) {
        expected(line, rest, "==, ~=, !=, <=, >=, <, > or ===");
        return false;
    }
    skip_space(rest);
    text = rest->at;
    while (text + len < rest->end && !is_space(text[len]) &&
           !strchr(",;)", text[len]))
        len++;
    if (!is_good_version(*relation, text, len)) {
        expected(line, &(struct rest){text, text + len},
                 "a version such as 1.2.3");
        return false;
    }
    note_pin(*relation, text, len, line);
    rest->at += len;
    skip_space(rest);
    return true;
}

/* Clauses with commas between them, maybe in parentheses; or none. */
static bool take_clauses(struct rest *rest, struct requirement_line *line)
{
    const bool has_parentheses = take(rest, "(");

    skip_space(rest);
    if (!has_parentheses && (is_over(rest) || *rest->at == ';'))
        return true;
    do {
        skip_space(rest);
        if (!take_clause(rest, line))
            return false;
    } while (take(rest, ","));
    if (has_parentheses && !take(rest, ")")) {
        expected(line, rest, "',' or ')'");
        return false;
    }
    skip_space(rest);
    return true;
}

static void read_name(struct rest *rest, struct requirement_line *line)
{
    size_t len = package_name_len(rest->at);

    if (len > (size_t)(rest->end - rest->at))
        len = 0;
    if (len == 0) {
        expected(line, rest, "the name of a package");
        return;
    }
    line->text = rest->at;
    line->len = len;
    rest->at += len;
    skip_space(rest);
    if (!take_extras(rest, line))
        return;
    skip_space(rest);
    if (!begins(rest, "@") && !take_clauses(rest, line))
        return;
    if (is_over(rest) || begins(rest, "@")) {
        line->kind = REQUIREMENT_NAME;
    } else if (!take(rest, ";")) {
        expected(line, rest, "',', ';' or the end of the line");
    } else {
        skip_space(rest);
        if (is_over(rest))
            expected(line, rest, "a marker behind ';'");
        else
            line->kind = REQUIREMENT_NAME;
    }
}

void requirement_read(const char *line, struct requirement_line *ret_line)
{
    struct rest rest = {line, end_of(line)};

    *ret_line = (struct requirement_line){.kind = REQUIREMENT_NONE};
    skip_space(&rest);
    if (is_over(&rest))
        return;
    if (*rest.at == '-') {
        read_option(&rest, ret_line);
        return;
    }
    cut_options(&rest);
    if (is_no_name(&rest)) {
        const int len = (int)(rest.end - rest.at);

        ret_line->kind = REQUIREMENT_IGNORED;
        snprintf(ret_line->why, sizeof ret_line->why,
                 "'%.*s' is a file or a URL, and ignored", len > 60 ? 60 : len,
                 rest.at);
        return;
    }
    read_name(&rest, ret_line);
}
