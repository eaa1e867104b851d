/* The floor for large bodies: 64 KiB a read into one buffer. */
#include "floor.h"

struct stream {
    struct floor_peer peer;
    struct floor_link link;
    char in[64 << 10];
};

static void get(void *user)
{
    struct stream *stream = user;
    size_t len = 0;
    size_t want = 0;

    floor_send(&stream->peer, &stream->link);
    while (want == 0 || len < want) {
        /* Only the head is kept until it is whole. */
        const size_t at = want == 0 ? len : 0;
        const ssize_t got =
            floor_read(&stream->link, stream->in + at, sizeof stream->in - at);

        if (got <= 0)
            client_die("floor: read");
        len += (size_t)got;
        if (want == 0)
            want = floor_answer_length(stream->in, len);
    }
}

int main(int argc, char **argv)
{
    static struct stream stream;
    const struct client_args args = client_args(argc, argv, 0);

    floor_peer_init(&stream.peer, &args);
    floor_connect(&stream.peer, &stream.link);
    floor_limit_reads(&stream.link);
    return client_run(&args, get, &stream);
}
