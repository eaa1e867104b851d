/* URLs: what is taken apart is canonical, and says the same when it is printed
 * and taken apart again; what is refused is refused with its place. */
#include "fuzz.h"

#include "http/resolve.h"
#include "http/url.h"

static bool is_same(struct wr_slice a, struct wr_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* No byte that could end a line or a word on the wire. */
static void check_visible(struct wr_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        CHECK(text.data[i] > ' ' && text.data[i] != 0x7f);
}

static void check_parts(const struct wr_url *url)
{
    CHECK(url->host.len > 0 && url->host.data[url->host.len] == '\0');
    CHECK(url->target.len > 0 && url->target.data[0] == '/');
    CHECK(url->port != 0);
    check_visible(url->host);
    check_visible(url->authority);
    check_visible(url->target);
    CHECK(!memchr(url->target.data, '#', url->target.len));
    CHECK(!memchr(url->authority.data, '@', url->authority.len));
    for (size_t i = 0; i < url->host.len; i++)
        CHECK(url->host.data[i] < 'A' || url->host.data[i] > 'Z' ||
              url->host_kind == WR_HOST_IPV6); /* its zone has case */
    if (url->userinfo.data)
        CHECK(memchr(url->userinfo.data, ':', url->userinfo.len));
}

static void check_again(const struct wr_url *url)
{
    struct wr_buf text = {0};
    struct wr_url again;
    weir_error err;

    CHECK(wr_url_print(url, &text));
    CHECK(wr_url_parse(&again, text.data, text.len, &err) == WEIR_OK);
    CHECK(wr_url_same_origin(url, &again));
    CHECK(is_same(url->host, again.host));
    CHECK(is_same(url->authority, again.authority));
    CHECK(is_same(url->target, again.target));
    CHECK(url->host_kind == again.host_kind);
    CHECK(!again.userinfo.data);
    wr_url_done(&again);
    wr_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wr_url url = {0};
    weir_error err;
    char *text;
    weir_status status;

    if (size > 8192)
        return -1;
    text = fuzz_copy((struct fuzz_input){data, size});
    status = wr_url_parse(&url, text, size, &err);
    free(text);
    if (status != WEIR_OK) {
        CHECK(status == WEIR_E_URL && err.code == WEIR_E_URL);
        CHECK(err.offset <= size);
        CHECK(!url.block);
        fuzz_check_message(err.message);
        return 0;
    }
    check_parts(&url);
    check_again(&url);
    wr_url_done(&url);
    return 0;
}
