/* The floor of many threads: each with a connection of its own. */
#include "floor.h"
#include "threads.h"

struct floor_thread {
    const struct floor_peer *peer;
    struct floor_link link;
    char in[1 << 16];
};

static void get(void *user)
{
    struct floor_thread *thread = user;

    floor_get(thread->peer, &thread->link, thread->in, sizeof thread->in);
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 8);
    struct client_team team = {&args, get, calloc(args.count, sizeof(void *))};
    struct floor_peer peer = {0};

    floor_peer_init(&peer, &args);
    for (unsigned i = 0; i < args.count; i++) {
        struct floor_thread *thread = calloc(1, sizeof *thread);

        thread->peer = &peer;
        floor_connect(&peer, &thread->link);
        floor_limit_reads(&thread->link);
        team.clients[i] = thread;
    }
    return client_run_many(&args, client_team_run, &team);
}
