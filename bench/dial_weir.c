/* weir with pooling switched off: a connection for every request.  TLS resumes
 * where the server lets it. */
#include "weir.h"

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 0);
    weir_pool_options options = weir_client_options(&args);
    struct weir_client client;
    int exit_code;

    options.enabled = false;
    weir_client_open(&client, &args, &options);
    exit_code = client_run(&args, weir_client_get, &client);
    weir_client_close(&client);
    return exit_code;
}
