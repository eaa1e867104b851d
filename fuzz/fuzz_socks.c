/* Answers of a SOCKS5 proxy: a byte of flags, then turns, each a length and so
 * many bytes, one after each question.  The outcome does not depend on how an
 * answer is split, and a tunnel is never there before the proxy has agreed. */
#include "tunnel_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    const unsigned flags = fuzz_byte(&input);
    const char *proxy = flags & 1 ? "socks5h://user:secret@proxy.example:1080"
                                  : "socks5h://proxy.example:1080";
    const char *host = flags & 2   ? "192.0.2.7"
                       : flags & 4 ? "2001:db8::7"
                                   : "example.org";
    struct tunnel_outcome whole;
    struct tunnel_outcome singly;

    tunnel_run(proxy, host, input, SIZE_MAX, &whole);
    tunnel_run(proxy, host, input, 1, &singly);
    if (whole.result == WR_PARSE_DONE) {
        /* VER, REP 0 of the reply, whole (RFC 1928 section 6). */
        CHECK(whole.last_len >= 7 && whole.last[0] == 5 && whole.last[1] == 0);
        CHECK(whole.questions == (whole.was_user_asked ? 3u : 2u));
    }
    CHECK(whole.was_user_asked <= (flags & 1));
    CHECK(!strstr(whole.err.message, "secret"));
    tunnel_compare(&whole, &singly);
    return 0;
}
