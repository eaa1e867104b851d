/* What the clients of libcurl share. */
#ifndef BENCH_CURL_H
#define BENCH_CURL_H

#include <curl/curl.h>

#include "client.h"

static inline size_t curl_client_drop(char *bytes, size_t size, size_t count,
                                      void *user)
{
    (void)bytes;
    (void)user;
    return size * count;
}

/* A handle that drops the body. */
static inline CURL *curl_client_easy(const struct client_args *args)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_URL, args->url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, curl_client_drop);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (args->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, args->ca_file);
    return easy;
}

static inline void curl_client_check(CURL *easy, CURLcode code)
{
    long status = 0;

    if (code != CURLE_OK)
        client_die("curl: perform");
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200)
        client_die("curl: status is not 200");
}

static inline void curl_client_get(void *easy)
{
    curl_client_check(easy, curl_easy_perform(easy));
}

#endif
