/* The floor: a hand-written write/read loop over one connection.  TLS reads
 * ahead. */
#include "floor.h"

struct floor_client {
    struct floor_peer peer;
    struct floor_link link;
    char in[1 << 21];
};

static void get(void *user)
{
    struct floor_client *client = user;

    floor_get(&client->peer, &client->link, client->in, sizeof client->in);
}

int main(int argc, char **argv)
{
    static struct floor_client client;
    const struct client_args args = client_args(argc, argv, 0);

    floor_peer_init(&client.peer, &args);
    floor_connect(&client.peer, &client.link);
    floor_limit_reads(&client.link);
    return client_run(&args, get, &client);
}
