/* What a caller's options become: complete, checked, comparable, owned. */
#include <string.h>

#include <weir/version.h>

#include "base/error.h"
#include "base/mem.h"
#include "settings/options.h"
#include "settings/value.h"

/* No version of weir will have options as large as this. */
enum {
    LARGEST_SIZE = 4096
};

/* One member, or an end of the options, that a size must not cut. */
static bool is_cut(size_t size, size_t offset, size_t width)
{
    return size > offset && size < offset + width;
}

/* A size that some version of weir may have set. */
static bool is_size_possible(size_t size)
{
    if (size < sizeof(size_t) || size > LARGEST_SIZE)
        return false;
    for (const struct wr_option *option = wr_option_table; option->name;
         option++) {
        if (is_cut(size, option->offset, wr_option_width(option->kind)))
            return false;
    }
    return !is_cut(size, offsetof(weir_pool_options, trace),
                   sizeof(weir_trace_fn)) &&
           !is_cut(size, offsetof(weir_pool_options, trace_user),
                   sizeof(void *)) &&
           !is_cut(size, offsetof(weir_pool_options, loop), sizeof(weir_loop));
}

/* Offset of the first byte that this version does not know and that is not
 * zero; 0 = none. */
static size_t find_unknown(const weir_pool_options *given, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)given;

    for (size_t i = sizeof *given; i < size; i++) {
        if (bytes[i])
            return i;
    }
    return 0;
}

static weir_status check_each(const weir_pool_options *options, weir_error *err)
{
    for (const struct wr_option *option = wr_option_table; option->name;
         option++) {
        const struct wr_value value = wr_value_load(option, options);
        char found[WR_FOUND_CAP];
        char expected[WR_EXPECTED_CAP];

        if (wr_value_is_valid(option, &value))
            continue;
        wr_value_found(option, &value, found);
        wr_value_expected(option, expected);
        return wr_error_set(err, WEIR_E_OPTION, "%s: found %s, expected %s",
                            option->name, found, expected);
    }
    return WEIR_OK;
}

static bool is_text_set(const char *text)
{
    return text && *text;
}

const char *wr_options_conflict(const weir_pool_options *options,
                                const char **ret_expected)
{
    if (is_text_set(options->key_file) && !is_text_set(options->cert_file)) {
        *ret_expected = "a cert_file with it";
        return "key_file";
    }
    if (options->dns_min_ttl > options->dns_max_ttl) {
        *ret_expected = "at most dns_max_ttl";
        return "dns_min_ttl";
    }
    return NULL;
}

static weir_status check_together(const weir_pool_options *options,
                                  weir_error *err)
{
    const char *expected;
    const char *name = wr_options_conflict(options, &expected);
    const struct wr_option *option;
    struct wr_value value;
    char found[WR_FOUND_CAP];

    if (!name)
        return WEIR_OK;
    option = wr_option_find(name, strlen(name));
    value = wr_value_load(option, options);
    wr_value_found(option, &value, found);
    return wr_error_set(err, WEIR_E_OPTION, "%s: found %s, expected %s", name,
                        found, expected);
}

/* What no settings file can hold: the program itself runs the loop or not. */
static weir_status check_loop(const weir_pool_options *options, weir_error *err)
{
    if (options->loop != WEIR_LOOP_HOSTED &&
        options->loop != WEIR_LOOP_EXTERNAL)
        return wr_error_set(err, WEIR_E_OPTION,
                            "loop: found %d, expected WEIR_LOOP_HOSTED or "
                            "WEIR_LOOP_EXTERNAL",
                            (int)options->loop);
    if (options->loop == WEIR_LOOP_EXTERNAL &&
        options->poller == WEIR_POLLER_POLL)
        return wr_error_set(err, WEIR_E_OPTION,
                            "poller: found poll, expected auto or epoll: an "
                            "external loop is one descriptor");
    return WEIR_OK;
}

weir_status wr_options_import(weir_pool_options *ret_options,
                              const weir_pool_options *given,
                              weir_error *ret_err)
{
    weir_pool_options options;
    weir_status status;
    size_t size;
    size_t unknown;

    weir_pool_options_init(&options);
    if (!given) {
        *ret_options = options;
        return WEIR_OK;
    }
    memcpy(&size, given, sizeof size);
    if (!is_size_possible(size))
        return wr_error_set(ret_err, WEIR_E_OPTION,
                            "size: found %zu, expected the one that "
                            "weir_pool_options_init() sets",
                            size);
    unknown = find_unknown(given, size);
    if (unknown)
        return wr_error_set(
            ret_err, WEIR_E_OPTION,
            "size: found an option at byte %zu that weir " WEIR_VERSION
            " does not know, expected 0",
            unknown);
    memcpy(&options, given, size < sizeof options ? size : sizeof options);
    options.size = sizeof options;
    status = check_each(&options, ret_err);
    if (status == WEIR_OK)
        status = check_together(&options, ret_err);
    if (status == WEIR_OK)
        status = check_loop(&options, ret_err);
    if (status == WEIR_OK)
        *ret_options = options;
    return status;
}

static bool is_text(enum wr_option_kind kind)
{
    return kind == WR_OPTION_TEXT || kind == WR_OPTION_TLS;
}

static bool is_same(const struct wr_option *option, const weir_pool_options *a,
                    const weir_pool_options *b)
{
    const struct wr_value left = wr_value_load(option, a);
    const struct wr_value right = wr_value_load(option, b);

    if (is_text(option->kind))
        return !strcmp(left.text ? left.text : "",
                       right.text ? right.text : "");
    if (option->kind == WR_OPTION_SECONDS || option->kind == WR_OPTION_NUMBER)
        return !(left.seconds < right.seconds) &&
               !(left.seconds > right.seconds);
    return left.whole == right.whole;
}

const char *wr_options_difference(const weir_pool_options *a,
                                  const weir_pool_options *b, bool live_too)
{
    for (const struct wr_option *option = wr_option_table; option->name;
         option++) {
        if ((live_too || !option->live) && !is_same(option, a, b))
            return option->name;
    }
    if (a->loop != b->loop)
        return "loop";
    if (a->trace != b->trace)
        return "trace";
    return a->trace_user != b->trace_user ? "trace_user" : NULL;
}

weir_status wr_options_copy(weir_pool_options *ret_copy, char **ret_block,
                            const weir_pool_options *options)
{
    weir_pool_options copy = *options;
    size_t total = 0;
    char *block;
    char *end;

    for (const struct wr_option *option = wr_option_table; option->name;
         option++) {
        const struct wr_value value = wr_value_load(option, options);

        if (is_text(option->kind) && value.text)
            total += strlen(value.text) + 1;
    }
    block = wr_malloc(total);
    if (!block)
        return WEIR_E_NO_MEMORY;
    end = block;
    for (const struct wr_option *option = wr_option_table; option->name;
         option++) {
        struct wr_value value = wr_value_load(option, options);
        size_t len;

        if (!is_text(option->kind) || !value.text)
            continue;
        len = strlen(value.text) + 1;
        value.text = memcpy(end, value.text, len);
        end += len;
        wr_value_store(option, &value, &copy);
    }
    *ret_copy = copy;
    *ret_block = block;
    return WEIR_OK;
}
