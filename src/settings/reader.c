/* What a program reads of a section of its own, node by node.  All nodes are of
 * a merged tree: without aliases, odd ones at its leaves. */
#include "settings/reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "settings/complain.h"
#include "settings/schema.h"
#include "settings/section.h"

enum {
    PATH_CAP = 128,
    WORDS_CAP = 128
};

static const struct wr_node *own(const weir_node *node)
{
    return (const struct wr_node *)(const void *)node;
}

weir_node_kind weir_node_get_kind(const weir_node *node)
{
    const struct wr_node *mine = own(node);

    if (mine->oddity)
        return WEIR_NODE_UNUSABLE;
    switch (mine->kind) {
    case WR_NODE_MAPPING:
        return WEIR_NODE_MAPPING;
    case WR_NODE_SEQUENCE:
        return WEIR_NODE_SEQUENCE;
    default:
        return WEIR_NODE_SCALAR;
    }
}

bool weir_node_is_null(const weir_node *node)
{
    return wr_node_is_null(own(node));
}

static const char *text_of(const struct wr_node *node)
{
    return node->kind == WR_NODE_SCALAR && !node->oddity ? node->text : NULL;
}

const char *weir_node_text(const weir_node *node)
{
    return text_of(own(node));
}

const char *weir_node_key(const weir_node *node)
{
    const struct wr_node *key = own(node)->key;

    return key ? text_of(key) : NULL;
}

const weir_node *weir_node_first(const weir_node *node)
{
    return node ? wr_node_lend(STAILQ_FIRST(&own(node)->children)) : NULL;
}

const weir_node *weir_node_next(const weir_node *node)
{
    /* Sections follow one another at the top, but that is nobody's business. */
    return own(node)->parent && own(node)->parent->parent
               ? wr_node_lend(STAILQ_NEXT(own(node), next))
               : NULL;
}

const weir_node *weir_node_find(const weir_node *node, const char *key)
{
    if (!node || own(node)->kind != WR_NODE_MAPPING)
        return NULL;
    return wr_node_lend(wr_node_find(own(node), key, strlen(key)));
}

const char *weir_node_layer(const weir_node *node)
{
    return own(node)->place.layer;
}

unsigned weir_node_line(const weir_node *node)
{
    return own(node)->place.line;
}

unsigned weir_node_column(const weir_node *node)
{
    return own(node)->place.column;
}

/* --- errors -------------------------------------------------------------- */

static size_t index_of(const struct wr_node *node)
{
    const struct wr_node *before;
    size_t index = 0;

    STAILQ_FOREACH (before, &node->parent->children, next) {
        if (before == node)
            break;
        index++;
    }
    return index;
}

/* "watch.services.api.command[1]" */
static void write_path(const struct wr_node *node, char path[PATH_CAP])
{
    const struct wr_node *way[WR_TREE_DEPTH + 1];
    size_t depth = 0;
    size_t len = 0;

    for (; node->parent && depth <= WR_TREE_DEPTH; node = node->parent)
        way[depth++] = node;
    path[0] = '\0';
    while (depth > 0 && len < PATH_CAP - 1) {
        const struct wr_node *step = way[--depth];
        char name[WR_FOUND_CAP] = "?";

        if (step->key && text_of(step->key))
            wr_text_shown(step->key->text, step->key->len, name);
        if (step->key)
            len += (size_t)snprintf(path + len, PATH_CAP - len, "%s%s",
                                    len ? "." : "", name);
        else
            len += (size_t)snprintf(path + len, PATH_CAP - len, "[%zu]",
                                    index_of(step));
    }
}

weir_status weir_node_complain(const weir_node *node, weir_error *ret_err,
                               const char *format, ...)
{
    char path[PATH_CAP];
    char found[WR_FOUND_CAP];
    char expected[WORDS_CAP];
    va_list args;

    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    write_path(own(node), path);
    wr_node_found(own(node), found);
    return wr_complain(ret_err, &own(node)->place, path, NULL,
                       "found %s, expected %s", found, expected);
}

weir_status weir_node_complain_key(const weir_node *node, weir_error *ret_err,
                                   const char *format, ...)
{
    const struct wr_node *key = own(node)->key;
    char path[PATH_CAP];
    char words[WORDS_CAP];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    write_path(own(node), path);
    return wr_complain(ret_err, key ? &key->place : &own(node)->place, path,
                       NULL, "%s", words);
}

/* --- values -------------------------------------------------------------- */

static enum wr_schema_type type_of(const struct wr_node *node)
{
    return text_of(node) && node->is_plain
               ? wr_schema_type(node->text, node->len)
               : WR_SCHEMA_TEXT;
}

/* false: not an integer, or of more than 63 bits. */
static bool read_integer(const struct wr_node *node, int64_t *ret)
{
    const bool is_negative = node->text[0] == '-';
    uint64_t whole;

    if (type_of(node) != WR_SCHEMA_INTEGER ||
        !wr_schema_integer(node->text + is_negative, node->len - is_negative,
                           &whole) ||
        whole > INT64_MAX)
        return false;
    *ret = is_negative ? -(int64_t)whole : (int64_t)whole;
    return true;
}

weir_status weir_node_integer(const weir_node *node, int64_t min, int64_t max,
                              int64_t *ret, weir_error *ret_err)
{
    int64_t value;

    if (!read_integer(own(node), &value) || value < min || value > max)
        return weir_node_complain(node, ret_err, "an integer from %lld to %lld",
                                  (long long)min, (long long)max);
    *ret = value;
    return WEIR_OK;
}

/* "a number from 0 to 10", or with one bound or none. */
static weir_status refuse_number(const weir_node *node, double min, double max,
                                 weir_error *err)
{
    if (isinf(min) && isinf(max))
        return weir_node_complain(node, err, "a number");
    if (isinf(max))
        return weir_node_complain(node, err, "a number, %g or more", min);
    if (isinf(min))
        return weir_node_complain(node, err, "a number, at most %g", max);
    return weir_node_complain(node, err, "a number from %g to %g", min, max);
}

weir_status weir_node_number(const weir_node *node, double min, double max,
                             double *ret, weir_error *ret_err)
{
    const enum wr_schema_type type = type_of(own(node));
    double value;

    if (type != WR_SCHEMA_INTEGER && type != WR_SCHEMA_FLOAT)
        return refuse_number(node, min, max, ret_err);
    if (!wr_schema_float(own(node)->text, own(node)->len, &value))
        return wr_error_no_memory(ret_err);
    if (!isfinite(value) || value < min || value > max)
        return refuse_number(node, min, max, ret_err);
    *ret = value;
    return WEIR_OK;
}

weir_status weir_node_boolean(const weir_node *node, bool *ret,
                              weir_error *ret_err)
{
    if (type_of(own(node)) != WR_SCHEMA_BOOL)
        return weir_node_complain(node, ret_err, "true or false");
    *ret = (own(node)->text[0] | 0x20) == 't';
    return WEIR_OK;
}

weir_status weir_node_string(const weir_node *node, const char **ret,
                             weir_error *ret_err)
{
    const struct wr_node *mine = own(node);
    const enum wr_schema_type type = type_of(mine);
    const bool is_raw = mine->place.variable && type != WR_SCHEMA_NULL;

    if (!text_of(mine) || (type != WR_SCHEMA_TEXT && !is_raw) ||
        strlen(mine->text) != mine->len)
        return weir_node_complain(node, ret_err, "text");
    *ret = mine->text;
    return WEIR_OK;
}
