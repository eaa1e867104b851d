/* COUNT threads, each with its share of the requests, one after another. */
#ifndef BENCH_THREADS_H
#define BENCH_THREADS_H

#include <pthread.h>

#include "client.h"

struct client_team {
    const struct client_args *args;
    void (*get)(void *client);
    void **clients; /* one a thread */
};

struct client_share {
    const struct client_team *team;
    void *client;
    long count;
    pthread_t thread;
};

static inline void *client_share_run(void *user)
{
    const struct client_share *share = user;

    for (long i = 0; i < share->count; i++)
        share->team->get(share->client);
    return NULL;
}

static inline void client_team_run(void *user, long count)
{
    const struct client_team *team = user;
    const unsigned size = team->args->count;
    struct client_share *shares = calloc(size, sizeof *shares);

    for (unsigned i = 0; i < size; i++) {
        shares[i] = (struct client_share){
            .team = team, .client = team->clients[i], .count = count / size};
        pthread_create(&shares[i].thread, NULL, client_share_run, &shares[i]);
    }
    for (unsigned i = 0; i < size; i++)
        pthread_join(shares[i].thread, NULL);
    free(shares);
}

#endif
