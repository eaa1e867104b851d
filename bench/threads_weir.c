/* weir: threads that share one pool. */
#include "threads.h"
#include "weir.h"

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 8);
    const weir_pool_options options = weir_client_options(&args);
    struct weir_client *clients = calloc(args.count, sizeof *clients);
    struct client_team team = {&args, weir_client_get,
                               calloc(args.count, sizeof(void *))};
    int exit_code;

    for (unsigned i = 0; i < args.count; i++) {
        if (i == 0)
            weir_client_open(&clients[i], &args, &options);
        else
            clients[i].pool = clients[0].pool;
        if (i > 0 && weir_request_new("GET", args.url, &clients[i].request,
                                      NULL) != WEIR_OK)
            client_die("weir: request");
        team.clients[i] = &clients[i];
    }
    exit_code = client_run_many(&args, client_team_run, &team);
    for (unsigned i = 1; i < args.count; i++)
        weir_request_free(clients[i].request);
    weir_client_close(&clients[0]);
    free(clients);
    free(team.clients);
    return exit_code;
}
