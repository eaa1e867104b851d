/* One option after another, and what is said of one that is none. */
#include <getopt.h>
#include <string.h>

#include "cli.h"

enum {
    OPTIONS_MAX = 96
};

static bool begins_with(const char *word, const char *beginning, size_t len)
{
    return strncmp(word, beginning, len) == 0;
}

/* How many long options a word, up to its '=', may be short for. */
static unsigned count_meant(const struct option *longs, const char *word)
{
    const size_t len = strcspn(word, "=");
    unsigned count = 0;

    for (; longs->name; longs++)
        count += begins_with(longs->name, word, len);
    return count;
}

static const char *suggest(const struct option *longs, const char *word)
{
    const char *names[OPTIONS_MAX];
    size_t count = 0;

    for (; longs[count].name && count + 1 < OPTIONS_MAX; count++)
        names[count] = longs[count].name;
    names[count] = NULL;
    return weir_suggest(word, names);
}

static void refuse_long(const char *command, const char *word,
                        const struct option *longs)
{
    const char *near;

    if (optopt) {
        cli_usage_error(command, "--%.*s takes no argument",
                        (int)strcspn(word, "="), word);
    } else if (count_meant(longs, word) > 1) {
        cli_usage_error(command, "--%s may be one of several options", word);
    } else {
        near = suggest(longs, word);
        cli_usage_error(command, "unknown option --%s%s%s%s", word,
                        near ? "; did you mean --" : "", near ? near : "",
                        near ? "?" : "");
    }
}

/* Of a long option `optopt` is the value, and 0 if there is no such option. */
static bool is_long(const char *word, const struct option *longs)
{
    const size_t len = strcspn(word, "=");

    if (!begins_with(word, "--", 2) || !optopt)
        return !optopt;
    for (; longs->name; longs++) {
        if (longs->val == optopt && begins_with(longs->name, word + 2, len - 2))
            return true;
    }
    return false;
}

int cli_option(const char *command, int argc, char **argv, const char *shorts,
               const struct option *longs)
{
    const char *word;
    int option;

    opterr = 0;
    option = getopt_long(argc, argv, shorts, longs, NULL);
    if (option != '?' && option != ':')
        return option;
    word = argv[optind - 1];
    if (option == ':' && is_long(word, longs))
        cli_usage_error(command, "%s needs an argument", word);
    else if (option == ':')
        cli_usage_error(command, "-%c needs an argument", optopt);
    else if (is_long(word, longs))
        refuse_long(command, word + 2, longs);
    else
        cli_usage_error(command, "unknown option -%c", optopt);
    return '?';
}
