/* The floor: a hand-written write/read loop over one connection.  A time limit
 * on reads is set once, as weir does.  TLS reads ahead. */
#include "floor.h"

struct floor_client {
    struct floor_peer peer;
    struct floor_link link;
    char in[1 << 21];
};

static void get(void *user)
{
    struct floor_client *client = user;
    size_t len = 0;
    size_t want = 0;

    floor_send(&client->peer, &client->link);
    while (want == 0 || len < want) {
        const ssize_t got = floor_read(&client->link, client->in + len,
                                       sizeof client->in - len);

        if (got <= 0)
            client_die("floor: read");
        len += (size_t)got;
        if (want == 0)
            want = floor_answer_length(client->in, len);
    }
}

int main(int argc, char **argv)
{
    static struct floor_client client;
    const struct client_args args = client_args(argc, argv);
    const struct timeval limit = {30, 0};

    floor_peer_init(&client.peer, &args);
    floor_connect(&client.peer, &client.link);
    setsockopt(client.link.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return client_run(&args, get, &client);
}
