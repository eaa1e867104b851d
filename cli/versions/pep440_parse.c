/* Reading a version: the grammar of PEP 440, appendix B, by descent.
 *
 * At no place can two rules begin alike: whatever is optional is taken when it
 * fits, and nothing is ever taken back. */
#include <string.h>

#include "pep440.h"

/* What is left to read.  The text is in lower case and ends in a NUL, which no
 * rule takes. */
struct cursor {
    const char *text;
    unsigned char at;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_separator(char c)
{
    return c == '-' || c == '_' || c == '.';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct pep440_part take_digits(struct cursor *cursor)
{
    struct pep440_part part = {.at = cursor->at};

    while (is_digit(cursor->text[cursor->at]))
        cursor->at++;
    part.len = (unsigned char)(cursor->at - part.at);
    return part;
}

static bool take_char(struct cursor *cursor, char c)
{
    if (cursor->text[cursor->at] != c)
        return false;
    cursor->at++;
    return true;
}

/* One of the words of a segment with an optional separator before it, another
 * behind it, and an optional number: "-beta_2", "rc", ".dev.3". */
static const char *take_segment(struct cursor *cursor, const char *const *words,
                                struct pep440_part *ret_number)
{
    const char *start = cursor->text + cursor->at;

    start += is_separator(*start);
    for (; *words; words++) {
        const size_t len = strlen(*words);

        if (strncmp(start, *words, len) != 0)
            continue;
        cursor->at = (unsigned char)(start + len - cursor->text);
        cursor->at += is_separator(cursor->text[cursor->at]);
        *ret_number = take_digits(cursor);
        return *words;
    }
    return NULL;
}

/* [N!]N(.N)* */
static bool take_epoch_and_release(struct cursor *cursor,
                                   struct pep440 *version)
{
    struct pep440_part first = take_digits(cursor);

    if (first.len == 0)
        return false;
    if (take_char(cursor, '!')) {
        version->epoch = first;
        first = take_digits(cursor);
    }
    version->release = first;
    while (cursor->text[cursor->at] == '.' &&
           is_digit(cursor->text[cursor->at + 1])) {
        cursor->at++;
        take_digits(cursor);
    }
    version->release.len = (unsigned char)(cursor->at - first.at);
    return first.len > 0;
}

static void take_pre(struct cursor *cursor, struct pep440 *version)
{
    /* A word stands before its own beginnings. */
    static const char *const words[] = {"alpha", "a",  "beta", "b", "preview",
                                        "pre",   "rc", "c",    NULL};
    const char *word = take_segment(cursor, words, &version->pre);

    if (word)
        version->pre_phase = *word == 'a' || *word == 'b' ? *word : 'r';
}

static void take_post(struct cursor *cursor, struct pep440 *version)
{
    static const char *const words[] = {"post", "rev", "r", NULL};
    const char *rest = cursor->text + cursor->at;

    if (rest[0] == '-' && is_digit(rest[1])) {
        cursor->at++;
        version->post = take_digits(cursor);
        version->has_post = true;
    } else {
        version->has_post = take_segment(cursor, words, &version->post);
    }
}

static void take_dev(struct cursor *cursor, struct pep440 *version)
{
    static const char *const words[] = {"dev", NULL};

    version->has_dev = take_segment(cursor, words, &version->dev);
}

/* Letters and digits, in segments with one separator between two. */
static bool take_local(struct cursor *cursor, struct pep440 *version)
{
    bool is_open = true; /* a segment must follow */

    if (!take_char(cursor, '+'))
        return true;
    version->local.at = cursor->at;
    for (char c; (c = cursor->text[cursor->at]) != '\0'; cursor->at++) {
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') &&
            !(is_separator(c) && !is_open))
            return false;
        is_open = is_separator(c);
    }
    version->local.len = (unsigned char)(cursor->at - version->local.at);
    return !is_open;
}

/* Copies what is between white space, in lower case.  false: it is too long,
 * or has bytes that no version has. */
static bool copy_text(const char *text, size_t len, struct pep440 *version)
{
    while (len > 0 && is_space(text[len - 1]))
        len--;
    while (len > 0 && is_space(*text)) {
        text++;
        len--;
    }
    if (len > PEP440_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];

        if (c <= ' ' || c > '~')
            return false;
        version->text[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return true;
}

bool pep440_parse(const char *text, size_t len, struct pep440 *ret_version)
{
    struct pep440 version = {.pre_phase = 0};
    struct cursor cursor = {.text = version.text};

    if (!copy_text(text, len, &version))
        return false;
    take_char(&cursor, 'v');
    if (!take_epoch_and_release(&cursor, &version))
        return false;
    take_pre(&cursor, &version);
    take_post(&cursor, &version);
    take_dev(&cursor, &version);
    if (!take_local(&cursor, &version) || version.text[cursor.at] != '\0')
        return false;
    *ret_version = version;
    return true;
}
