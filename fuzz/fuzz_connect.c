/* Answers of an HTTP proxy to CONNECT: a byte of flags, then the answer.  A 2xx
 * alone opens the tunnel, and the outcome does not depend on the split. */
#include "tunnel_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    const unsigned flags = fuzz_byte(&input);
    const char *proxy = flags & 1 ? "http://user:secret@proxy.example:3128"
                                  : "http://proxy.example:3128";
    struct tunnel_outcome whole;
    struct tunnel_outcome pieces;
    size_t first;

    if (input.len > 1 << 16)
        return -1;
    first = input.len ? 1 + (flags >> 1) % input.len : 1;
    tunnel_run_one(proxy, "example.org", input, SIZE_MAX, &whole);
    tunnel_run_one(proxy, "example.org", input, first, &pieces);
    tunnel_compare(&whole, &pieces);
    tunnel_run_one(proxy, "example.org", input, 1, &pieces);
    tunnel_compare(&whole, &pieces);
    if (whole.result == WR_PARSE_DONE)
        CHECK(input.len >= 14 && memcmp(input.data, "HTTP/1.", 7) == 0);
    return 0;
}
