/* libcurl for large bodies: its largest buffer, nothing kept. */
#include "curl.h"

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 0);
    CURL *easy;
    int exit_code;

    curl_global_init(CURL_GLOBAL_ALL);
    easy = curl_client_easy(&args);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)CURL_MAX_READ_SIZE);
    exit_code = client_run(&args, curl_client_get, easy);
    curl_easy_cleanup(easy);
    curl_global_cleanup();
    return exit_code;
}
