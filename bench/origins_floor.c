/* The control of many origins: as many open connections, used in turn. */
#include "floor.h"

struct control {
    struct floor_peer peer;
    struct floor_link *links;
    unsigned count;
    unsigned at;
    char in[1 << 16];
};

static void get(void *user)
{
    struct control *control = user;

    floor_get(&control->peer, &control->links[control->at], control->in,
              sizeof control->in);
    control->at = (control->at + 1) % control->count;
}

int main(int argc, char **argv)
{
    static struct control control;
    const struct client_args args = client_args(argc, argv, 8000);

    control.count = args.count;
    control.links = calloc(args.count, sizeof *control.links);
    floor_peer_init(&control.peer, &args);
    for (unsigned i = 0; i < args.count; i++) {
        floor_connect(&control.peer, &control.links[i]);
        floor_limit_reads(&control.links[i]);
        floor_get(&control.peer, &control.links[i], control.in,
                  sizeof control.in);
    }
    return client_run(&args, get, &control);
}
