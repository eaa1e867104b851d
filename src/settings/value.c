#include "settings/value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "settings/schema.h"

/* Bytes of a user's text that a message shows. */
enum {
    SHOWN = 32
};

static const char *choice_name(const struct wr_option *option, uint64_t value)
{
    for (const struct wr_choice *c = option->choices; c->name; c++) {
        if (c->value == value)
            return c->name;
    }
    return NULL;
}

static bool read_choice(const struct wr_option *option, const char *text,
                        uint64_t *ret)
{
    for (const struct wr_choice *c = option->choices; c->name; c++) {
        if (!strcmp(c->name, text)) {
            *ret = c->value;
            return true;
        }
    }
    return false;
}

/* "any, 4 or 6" */
static void list_choices(const struct wr_option *option, char *buf, size_t cap)
{
    size_t len = 0;

    for (const struct wr_choice *c = option->choices; c->name; c++) {
        const char *between = c == option->choices ? ""
                              : c[1].name          ? ", "
                                                   : " or ";

        len += (size_t)snprintf(buf + len, cap - len, "%s%s", between, c->name);
    }
}

/* Members by size: weir_pool_options holds integers of 1, 4 and 8 bytes. */
static uint64_t load_whole(const void *member, size_t width)
{
    uint8_t one;
    uint32_t four;
    uint64_t eight;

    switch (width) {
    case sizeof one:
        memcpy(&one, member, sizeof one);
        return one;
    case sizeof four:
        memcpy(&four, member, sizeof four);
        return four;
    default:
        memcpy(&eight, member, sizeof eight);
        return eight;
    }
}

static void store_whole(void *member, size_t width, uint64_t whole)
{
    const uint8_t one = (uint8_t)whole;
    const uint32_t four = (uint32_t)whole;

    switch (width) {
    case sizeof one:
        memcpy(member, &one, sizeof one);
        break;
    case sizeof four:
        memcpy(member, &four, sizeof four);
        break;
    default:
        memcpy(member, &whole, sizeof whole);
        break;
    }
}

struct wr_value wr_value_load(const struct wr_option *option,
                              const weir_pool_options *options)
{
    const char *member = (const char *)options + option->offset;
    struct wr_value value = {0};

    switch (option->kind) {
    case WR_OPTION_SECONDS:
    case WR_OPTION_NUMBER:
        memcpy(&value.seconds, member, sizeof value.seconds);
        break;
    case WR_OPTION_TEXT:
    case WR_OPTION_TLS:
        memcpy(&value.text, member, sizeof value.text);
        break;
    default:
        value.whole = load_whole(member, wr_option_width(option->kind));
        break;
    }
    return value;
}

void wr_value_store(const struct wr_option *option,
                    const struct wr_value *value, weir_pool_options *options)
{
    char *member = (char *)options + option->offset;

    switch (option->kind) {
    case WR_OPTION_SECONDS:
    case WR_OPTION_NUMBER:
        memcpy(member, &value->seconds, sizeof value->seconds);
        break;
    case WR_OPTION_TEXT:
    case WR_OPTION_TLS:
        memcpy(member, &value->text, sizeof value->text);
        break;
    default:
        store_whole(member, wr_option_width(option->kind), value->whole);
        break;
    }
}

static uint64_t highest(const struct wr_option *option)
{
    return option->max < 0x1p64 ? (uint64_t)option->max : UINT64_MAX;
}

/* A path or a field value: no control characters. */
static bool is_clean(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    }
    return true;
}

bool wr_value_is_valid(const struct wr_option *option,
                       const struct wr_value *value)
{
    switch (option->kind) {
    case WR_OPTION_SECONDS:
    case WR_OPTION_NUMBER:
        /* Not a number compares false. */
        return value->seconds <= option->max &&
               (option->above_min ? value->seconds > option->min
                                  : value->seconds >= option->min);
    case WR_OPTION_TEXT:
        return !value->text || is_clean(value->text);
    case WR_OPTION_TLS:
        return value->text &&
               (!strcmp(value->text, "1.2") || !strcmp(value->text, "1.3"));
    case WR_OPTION_CHOICE:
        return choice_name(option, value->whole) != NULL;
    default:
        return value->whole >= (uint64_t)option->min &&
               value->whole <= highest(option);
    }
}

static enum wr_schema_type type_of(const struct wr_scalar *scalar)
{
    return scalar->plain ? wr_schema_type(scalar->text, scalar->len)
                         : WR_SCHEMA_TEXT;
}

bool wr_scalar_is_null(const struct wr_scalar *scalar)
{
    return type_of(scalar) == WR_SCHEMA_NULL;
}

/* Choices (address family, poller, TLS version) need no quotes: 1.2 means
 * "1.2". */
bool wr_value_read(const struct wr_option *option,
                   const struct wr_scalar *scalar, struct wr_value *ret_value)
{
    const enum wr_schema_type type = type_of(scalar);
    struct wr_value value = {0};
    bool is_read;

    if (strlen(scalar->text) != scalar->len)
        return false;
    switch (option->kind) {
    case WR_OPTION_BOOL:
        is_read = type == WR_SCHEMA_BOOL;
        value.whole = is_read && (*scalar->text | 0x20) == 't';
        break;
    case WR_OPTION_SECONDS:
    case WR_OPTION_NUMBER:
        is_read = (type == WR_SCHEMA_INTEGER || type == WR_SCHEMA_FLOAT) &&
                  wr_schema_float(scalar->text, scalar->len, &value.seconds);
        break;
    case WR_OPTION_TEXT:
        is_read =
            type == WR_SCHEMA_TEXT || type == WR_SCHEMA_NULL || scalar->raw;
        value.text = type == WR_SCHEMA_NULL ? NULL : scalar->text;
        break;
    case WR_OPTION_TLS:
        is_read = true;
        value.text = scalar->text;
        break;
    case WR_OPTION_CHOICE:
        is_read = read_choice(option, scalar->text, &value.whole);
        break;
    default:
        is_read = type == WR_SCHEMA_INTEGER &&
                  wr_schema_integer(scalar->text, scalar->len, &value.whole);
        break;
    }
    if (is_read)
        *ret_value = value;
    return is_read;
}

/* May stand in a YAML block mapping without quotes; narrower than YAML. */
static bool can_be_plain(const char *text)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._";
    static const char later[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._"
                                "+-=~()@% ";
    const size_t len = strlen(text);

    return len && strchr(first, *text) && strspn(text, later) == len &&
           text[len - 1] != ' ' && wr_schema_type(text, len) == WR_SCHEMA_TEXT;
}

static bool print_text(const char *text, struct wr_buf *out)
{
    bool is_done;

    if (!text)
        return wr_buf_append_text(out, "null");
    if (can_be_plain(text))
        return wr_buf_append_text(out, text);
    is_done = wr_buf_append(out, "\"", 1);
    for (; *text && is_done; text++) {
        if (*text == '"' || *text == '\\')
            is_done = wr_buf_append(out, "\\", 1);
        is_done = is_done && wr_buf_append(out, text, 1);
    }
    return is_done && wr_buf_append(out, "\"", 1);
}

/* What stands before the last '@', but for the scheme, becomes "***". */
static bool print_secret(const char *text, struct wr_buf *out)
{
    const char *at = text ? strrchr(text, '@') : NULL;
    const size_t letters =
        text ? strspn(text, "abcdefghijklmnopqrstuvwxyz5") : 0;
    const bool has_scheme = at && !strncmp(text + letters, "://", 3);
    const int shown = has_scheme ? (int)(letters + sizeof "://" - 1) : 0;
    struct wr_buf masked = {0};
    bool is_done;

    if (!at)
        return print_text(text, out);
    is_done = wr_buf_append_format(&masked, "%.*s***%s", shown, text, at) &&
              wr_buf_append(&masked, "", 1) && print_text(masked.data, out);
    wr_buf_done(&masked);
    return is_done;
}

bool wr_value_print(const struct wr_option *option,
                    const struct wr_value *value, struct wr_buf *out)
{
    char number[WR_SECONDS_CAP];

    switch (option->kind) {
    case WR_OPTION_BOOL:
        return wr_buf_append_text(out, value->whole ? "true" : "false");
    case WR_OPTION_SECONDS:
    case WR_OPTION_NUMBER:
        return wr_seconds_text(value->seconds, number) &&
               wr_buf_append_text(out, number);
    case WR_OPTION_TEXT:
    case WR_OPTION_TLS:
        return option->is_secret ? print_secret(value->text, out)
                                 : print_text(value->text, out);
    case WR_OPTION_CHOICE:
        return print_text(choice_name(option, value->whole), out);
    default:
        return wr_buf_append_format(out, "%llu",
                                    (unsigned long long)value->whole);
    }
}

/* Controls become dots; at most SHOWN bytes, never half a character. */
void wr_text_shown(const char *text, size_t len, char shown[WR_FOUND_CAP])
{
    size_t n = len < SHOWN ? len : SHOWN;

    while (n < len && n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];

        shown[i] = c < 0x20 || c == 0x7f ? '.' : text[i];
    }
    snprintf(shown + n, WR_FOUND_CAP - n, "%s", n < len ? "..." : "");
}

static void show_quoted(const char *text, size_t len, char found[WR_FOUND_CAP])
{
    char shown[WR_FOUND_CAP];

    wr_text_shown(text, len, shown);
    snprintf(found, WR_FOUND_CAP, "\"%.*s\"", WR_FOUND_CAP - 3, shown);
}

void wr_value_found(const struct wr_option *option,
                    const struct wr_value *value, char found[WR_FOUND_CAP])
{
    char number[WR_SECONDS_CAP];

    switch (option->kind) {
    case WR_OPTION_SECONDS:
    case WR_OPTION_NUMBER:
        snprintf(found, WR_FOUND_CAP, "%s",
                 wr_seconds_text(value->seconds, number) ? number : "a number");
        break;
    case WR_OPTION_TEXT:
    case WR_OPTION_TLS:
        if (option->is_secret)
            snprintf(found, WR_FOUND_CAP, "%s", WR_SECRET_FOUND);
        else if (value->text)
            show_quoted(value->text, strlen(value->text), found);
        else
            snprintf(found, WR_FOUND_CAP, "null");
        break;
    default:
        snprintf(found, WR_FOUND_CAP, "%llu", (unsigned long long)value->whole);
        break;
    }
}

void wr_scalar_found(const struct wr_scalar *scalar, char found[WR_FOUND_CAP])
{
    const enum wr_schema_type type = type_of(scalar);

    if (type == WR_SCHEMA_NULL)
        snprintf(found, WR_FOUND_CAP, "null");
    else if (type == WR_SCHEMA_TEXT)
        show_quoted(scalar->text, scalar->len, found);
    else
        wr_text_shown(scalar->text, scalar->len, found);
}

void wr_value_expected(const struct wr_option *option,
                       char expected[WR_EXPECTED_CAP])
{
    const char *words = "text without control characters, or null";

    switch (option->kind) {
    case WR_OPTION_BOOL:
        words = "true or false";
        break;
    case WR_OPTION_NUMBER:
        snprintf(expected, WR_EXPECTED_CAP, "a number from %g to %g",
                 option->min, option->max);
        return;
    case WR_OPTION_SECONDS:
        words = option->above_min ? "seconds above 0" : "seconds, 0 or more";
        break;
    case WR_OPTION_TEXT:
        break;
    case WR_OPTION_TLS:
        words = "\"1.2\" or \"1.3\"";
        break;
    case WR_OPTION_CHOICE:
        list_choices(option, expected, WR_EXPECTED_CAP);
        return;
    default:
        snprintf(expected, WR_EXPECTED_CAP, "an integer from %llu to %llu",
                 (unsigned long long)option->min,
                 (unsigned long long)highest(option));
        return;
    }
    snprintf(expected, WR_EXPECTED_CAP, "%s", words);
}
