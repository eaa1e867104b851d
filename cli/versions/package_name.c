#include <stdbool.h>

#include "package_name.h"

#include "../cli.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

static bool is_mark(char c)
{
    return c == '-' || c == '_' || c == '.';
}

size_t package_name_len(const char *text)
{
    size_t len = 0;

    for (size_t i = 0; is_alphanumeric(text[i]) || (i > 0 && is_mark(text[i]));
         i++) {
        if (is_alphanumeric(text[i]))
            len = i + 1;
    }
    return len;
}

char *package_name_normalise(const char *name, size_t len)
{
    char *normal = cli_alloc(len + 1);
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        const char c = name[i];

        if (!is_mark(c))
            normal[at++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
        else if (at > 0 && normal[at - 1] != '-')
            normal[at++] = '-';
    }
    return normal;
}
