/* libcurl: one easy handle, used again and again, as its manual advises. */
#include <curl/curl.h>

#include "client.h"

static size_t take(char *bytes, size_t size, size_t count, void *user)
{
    size_t *total = user;

    (void)bytes;
    *total += size * count;
    return size * count;
}

static void get(void *user)
{
    CURL *curl = user;
    long status = 0;

    if (curl_easy_perform(curl) != CURLE_OK)
        client_die("curl: perform");
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        client_die("curl: status is not 200");
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv);
    size_t total = 0;
    CURL *curl;
    int exit_code;

    curl_global_init(CURL_GLOBAL_ALL);
    curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, args.url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &total);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (args.ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, args.ca_file);
    exit_code = client_run(&args, get, curl);
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return exit_code;
}
