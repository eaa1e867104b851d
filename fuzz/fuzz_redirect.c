/* The target of a redirect: "base LF reference".  What comes of it is refused,
 * or is a URL without user information and dot segments that resolves to
 * itself. */
#include "fuzz.h"

#include "http/resolve.h"

/* The path has no "." and ".." in it. */
static bool is_clean(struct wr_slice target)
{
    const char *query = memchr(target.data, '?', target.len);
    const size_t path_len = query ? (size_t)(query - target.data) : target.len;
    size_t from = 1;

    for (size_t at = 1; at <= path_len; at++) {
        if (at < path_len && target.data[at] != '/')
            continue;
        if (at - from == 1 && target.data[from] == '.')
            return false;
        if (at - from == 2 && memcmp(target.data + from, "..", 2) == 0)
            return false;
        from = at + 1;
    }
    return true;
}

static void check_target(const struct wr_url *base, const struct wr_buf *text)
{
    struct wr_url url;
    struct wr_buf printed = {0};
    struct wr_buf again = {0};
    weir_error err;

    if (wr_url_parse(&url, text->data, text->len, &err) != WEIR_OK) {
        CHECK(err.code == WEIR_E_URL);
        fuzz_check_message(err.message);
        return;
    }
    CHECK(!url.userinfo.data);
    /* A reference without a path takes over that of the base as it is. */
    CHECK(is_clean(url.target) || !is_clean(base->target));
    CHECK(wr_url_print(&url, &printed));
    CHECK(wr_url_resolve(base, (struct wr_slice){printed.data, printed.len},
                         &again, &err) == WEIR_OK);
    if (is_clean(url.target))
        CHECK(again.len == printed.len &&
              memcmp(again.data, printed.data, printed.len) == 0);
    wr_buf_done(&again);
    wr_buf_done(&printed);
    wr_url_done(&url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    const struct fuzz_input first = fuzz_until(&input, '\n');
    struct wr_buf text = {0};
    struct wr_url base;
    weir_error err;
    char *reference;
    weir_status status;

    if (size > 8192 || wr_url_parse(&base, (const char *)first.data, first.len,
                                    &err) != WEIR_OK)
        return -1;
    reference = fuzz_copy(input);
    status = wr_url_resolve(&base, (struct wr_slice){reference, input.len},
                            &text, &err);
    if (status == WEIR_OK) {
        check_target(&base, &text);
    } else {
        CHECK(status == WEIR_E_REDIRECT);
        fuzz_check_message(err.message);
    }
    free(reference);
    wr_buf_done(&text);
    wr_url_done(&base);
    return 0;
}
