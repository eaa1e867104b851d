#include "section.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- members of the command's struct -------------------------------------- */

static void store(const struct section_key *key, void *target, double number,
                  const char *text, const weir_node *node)
{
    char *member = (char *)target + key->offset;
    const bool flag = number > 0;
    const long whole = (long)number;
    const int place = (int)number;

    switch (key->kind) {
    case SECTION_FLAG:
        memcpy(member, &flag, sizeof flag);
        break;
    case SECTION_INTEGER:
        memcpy(member, &whole, sizeof whole);
        break;
    case SECTION_NUMBER:
    case SECTION_SECONDS:
        memcpy(member, &number, sizeof number);
        break;
    case SECTION_TEXT:
        memcpy(member, &text, sizeof text);
        break;
    case SECTION_CHOICE:
        memcpy(member, &place, sizeof place);
        break;
    case SECTION_NODE:
        *(const weir_node **)(void *)member = node;
        break;
    }
}

/* --- reading -------------------------------------------------------------- */

static weir_status read_number(const weir_node *node,
                               const struct section_key *key, double *ret,
                               weir_error *err)
{
    const char *what = key->kind == SECTION_SECONDS ? "seconds" : "a number";
    const double max = key->max > 0 ? key->max : INFINITY;
    double value;

    if (weir_node_number(node, -INFINITY, INFINITY, &value, err) == WEIR_OK &&
        value <= max &&
        (key->above_min ? value > key->min : value >= key->min)) {
        *ret = value;
        return WEIR_OK;
    }
    if (isfinite(max))
        return weir_node_complain(node, err, "%s %s %g to %g", what,
                                  key->above_min ? "above" : "from", key->min,
                                  max);
    return key->above_min
               ? weir_node_complain(node, err, "%s above %g", what, key->min)
               : weir_node_complain(node, err, "%s, %g or more", what,
                                    key->min);
}

static weir_status read_integer(const weir_node *node,
                                const struct section_key *key, double *ret,
                                weir_error *err)
{
    const int64_t max = key->max > 0 ? (int64_t)key->max : INT32_MAX;
    int64_t value;
    weir_status status =
        weir_node_integer(node, (int64_t)key->min, max, &value, err);

    if (status == WEIR_OK)
        *ret = (double)value;
    return status;
}

static weir_status read_choice(const weir_node *node,
                               const struct section_key *key, double *ret,
                               weir_error *err)
{
    const char *text = weir_node_text(node);
    char list[128] = "";
    size_t len = 0;

    for (int i = 0; key->choices[i]; i++) {
        if (text && strcmp(text, key->choices[i]) == 0) {
            *ret = i;
            return WEIR_OK;
        }
    }
    for (int i = 0; key->choices[i] && len < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s",
                                i == 0                ? ""
                                : key->choices[i + 1] ? ", "
                                                      : " or ",
                                key->choices[i]);
    return weir_node_complain(node, err, "%s", list);
}

static weir_status read_value(const weir_node *node,
                              const struct section_key *key, void *target,
                              weir_error *err)
{
    double number = 0;
    const char *text = NULL;
    bool flag = false;
    weir_status status = WEIR_OK;

    switch (key->kind) {
    case SECTION_FLAG:
        status = weir_node_boolean(node, &flag, err);
        number = flag;
        break;
    case SECTION_INTEGER:
        status = read_integer(node, key, &number, err);
        break;
    case SECTION_NUMBER:
    case SECTION_SECONDS:
        status = read_number(node, key, &number, err);
        break;
    case SECTION_TEXT:
        status = weir_node_string(node, &text, err);
        break;
    case SECTION_CHOICE:
        status = read_choice(node, key, &number, err);
        break;
    case SECTION_NODE:
        break;
    }
    if (status == WEIR_OK)
        store(key, target, number, text, node);
    return status;
}

static const struct section_key *find(const struct section_key *keys,
                                      const char *name)
{
    for (; keys->name; keys++) {
        if (strcmp(keys->name, name) == 0)
            return keys;
    }
    return NULL;
}

static weir_status refuse_key(const weir_node *child,
                              const struct section_key *keys, weir_error *err)
{
    const char *key = weir_node_key(child);
    const char *names[64] = {NULL};
    const char *near;

    if (!key)
        return weir_node_complain_key(child, err, "no name of a setting");
    for (size_t i = 0; i < sizeof names / sizeof *names - 1 && keys[i].name;
         i++)
        names[i] = keys[i].name;
    near = weir_suggest(key, names);
    return near ? weir_node_complain_key(child, err,
                                         "unknown key, did you mean %s?", near)
                : weir_node_complain_key(child, err, "unknown key");
}

weir_status section_read(const weir_node *node, const struct section_key *keys,
                         void *target, weir_error *err)
{
    for (const struct section_key *key = keys; key->name; key++)
        store(key, target, key->usual, key->usual_text, NULL);
    if (!node || weir_node_is_null(node))
        return WEIR_OK;
    if (weir_node_get_kind(node) != WEIR_NODE_MAPPING)
        return weir_node_complain(node, err, "a mapping");
    for (const weir_node *child = weir_node_first(node); child;
         child = weir_node_next(child)) {
        const char *name = weir_node_key(child);
        const struct section_key *key = name ? find(keys, name) : NULL;
        weir_status status = WEIR_OK;

        if (!key)
            return refuse_key(child, keys, err);
        if (!weir_node_is_null(child))
            status = read_value(child, key, target, err);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

bool section_load(const weir_settings *settings, const struct section *section,
                  void *target)
{
    weir_error err;

    if (section_read(weir_settings_section(settings, section->name),
                     section->keys, target, &err) == WEIR_OK &&
        (!section->check || section->check(target, &err) == WEIR_OK))
        return true;
    cli_complain("%s", err.message);
    return false;
}

/* --- showing -------------------------------------------------------------- */

/* The fewest digits that read back as the same number, as in 10.0. */
static char *print_number(double number)
{
    char text[40];

    if (fabs(number) < 1e15 && fabs(number - round(number)) <= 0)
        return cli_format("%.1f", number);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (fabs(strtod(text, NULL) - number) <= 0)
            break;
    }
    return cli_copy(text);
}

/* Narrower than YAML: letters first, and no word that means something. */
static bool can_be_plain(const char *text)
{
    static const char *const words[] = {"null",  "Null",  "NULL",
                                        "true",  "True",  "TRUE",
                                        "false", "False", "FALSE"};
    static const char first[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ/_";
    static const char later[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0)
            return false;
    }
    return *text && strchr(first, *text) && text[strspn(text, later)] == '\0';
}

char *section_quote(const char *text)
{
    char *quoted;
    char *at;

    if (can_be_plain(text))
        return cli_copy(text);
    quoted = cli_alloc(4 * strlen(text) + 3);
    at = quoted;
    *at++ = '"';
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 || byte == 0x7f) {
            at += sprintf(at, "\\x%02x", byte);
            continue;
        }
        if (byte == '"' || byte == '\\')
            *at++ = '\\';
        *at++ = *text;
    }
    *at++ = '"';
    *at = '\0';
    return quoted;
}

char *section_print(const struct section_key *key, const void *target)
{
    const char *member = (const char *)target + key->offset;
    bool flag;
    long whole;
    double number;
    const char *text;
    int place;

    switch (key->kind) {
    case SECTION_FLAG:
        memcpy(&flag, member, sizeof flag);
        return cli_copy(flag ? "true" : "false");
    case SECTION_INTEGER:
        memcpy(&whole, member, sizeof whole);
        return cli_format("%ld", whole);
    case SECTION_NUMBER:
    case SECTION_SECONDS:
        memcpy(&number, member, sizeof number);
        return print_number(number);
    case SECTION_TEXT:
        memcpy(&text, member, sizeof text);
        if (!text)
            return cli_copy("null");
        return key->is_secret ? cli_copy("\"***\"") : section_quote(text);
    case SECTION_CHOICE:
        memcpy(&place, member, sizeof place);
        return section_quote(key->choices[place]);
    case SECTION_NODE:
        break;
    }
    return NULL;
}
