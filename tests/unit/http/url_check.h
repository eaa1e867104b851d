/* What test_url.c and test_host.c have in common. */
#ifndef URL_CHECK_H
#define URL_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "guard.h"

#include "http/url.h"

static struct guard room;
static struct wr_url url;
static weir_error err;

/* Parses a copy that ends at an unreadable page. */
static inline weir_status parse_bytes(const char *text, size_t len)
{
    memset(&err, 0, sizeof err);
    return wr_url_parse(&url, guard_at_end(&room, text, len), len, &err);
}

static inline weir_status parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static inline void accept(const char *text)
{
    const weir_status status = parse(text);

    if (status)
        print_error("%s: %s\n", text, err.message);
    assert_int_equal(status, WEIR_OK);
}

static inline void assert_text(struct wr_slice slice, const char *text)
{
    if (slice.len != strlen(text) || memcmp(slice.data, text, slice.len) != 0)
        print_error("\"%.*s\" is not \"%s\"\n", (int)slice.len, slice.data,
                    text);
    assert_int_equal(slice.len, strlen(text));
    assert_memory_equal(slice.data, text, slice.len);
}

/* Refused with the offset; *url stays as it was. */
static inline void refuse(const char *text, size_t offset)
{
    const struct wr_url before = {.port = 7};

    url = before;
    if (parse(text) != WEIR_E_URL || err.offset != offset)
        print_error("%s: offset %zu: %s\n", text, (size_t)err.offset,
                    err.message);
    assert_int_equal(err.code, WEIR_E_URL);
    assert_int_equal(err.error_class, WEIR_CLASS_USAGE);
    assert_int_equal(err.offset, offset);
    assert_non_null(strstr(err.message, "invalid URL: "));
    assert_non_null(strstr(err.message, "expected "));
    assert_memory_equal(&url, &before, sizeof url);
}

static inline void check_host(const char *text, enum wr_host_kind kind,
                              const char *host, const char *authority)
{
    accept(text);
    assert_int_equal(url.host_kind, kind);
    assert_text(url.host, host);
    assert_int_equal(url.host.data[url.host.len], '\0');
    assert_text(url.authority, authority);
    wr_url_done(&url);
}

static inline int open_room(void **state)
{
    (void)state;
    room = guard_open(4096);
    return 0;
}

static inline int close_room(void **state)
{
    (void)state;
    guard_close(&room);
    return 0;
}

#endif
