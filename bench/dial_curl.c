/* libcurl with a connection for every request.  TLS resumes where the server
 * lets it. */
#include "curl.h"

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 0);
    CURL *easy;
    int exit_code;

    curl_global_init(CURL_GLOBAL_ALL);
    easy = curl_client_easy(&args);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    exit_code = client_run(&args, curl_client_get, easy);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    return exit_code;
}
