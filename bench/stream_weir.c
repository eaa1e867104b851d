/* weir for large bodies: read into one buffer of the program's. */
#include "weir.h"

static void get(void *user)
{
    static char in[64 << 10];
    struct weir_client *client = user;
    weir_response *response;
    weir_error err;
    size_t len;

    if (weir_send(client->pool, client->request, &response, &err) != WEIR_OK)
        client_die(err.message);
    if (weir_response_status(response) != 200)
        client_die("weir: status is not 200");
    do {
        if (weir_response_read(response, in, sizeof in, &len, &err) != WEIR_OK)
            client_die(err.message);
    } while (len > 0);
    weir_response_free(response);
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 0);
    const weir_pool_options options = weir_client_options(&args);
    struct weir_client client;
    int exit_code;

    weir_client_open(&client, &args, &options);
    exit_code = client_run(&args, get, &client);
    weir_client_close(&client);
    return exit_code;
}
