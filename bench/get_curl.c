/* libcurl: one easy handle, used again and again, as its manual advises. */
#include "curl.h"

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 0);
    CURL *easy;
    int exit_code;

    curl_global_init(CURL_GLOBAL_ALL);
    easy = curl_client_easy(&args);
    exit_code = client_run(&args, curl_client_get, easy);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    return exit_code;
}
