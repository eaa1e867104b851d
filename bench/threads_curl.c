/* libcurl: threads with an easy handle each; its connection cache may not be
 * shared by threads that run at once. */
#include "curl.h"
#include "threads.h"

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 8);
    struct client_team team = {&args, curl_client_get,
                               calloc(args.count, sizeof(void *))};
    int exit_code;

    curl_global_init(CURL_GLOBAL_ALL);
    for (unsigned i = 0; i < args.count; i++)
        team.clients[i] = curl_client_easy(&args);
    exit_code = client_run_many(&args, client_team_run, &team);
    for (unsigned i = 0; i < args.count; i++)
        curl_easy_cleanup(team.clients[i]);
    free(team.clients);
    curl_global_cleanup();
    return exit_code;
}
