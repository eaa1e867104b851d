/* libcurl: one easy handle whose cache holds a connection to each of many
 * origins, asked in turn.  They are names of one server. */
#include "curl.h"

struct many {
    CURL *easy;
    char (*urls)[384];
    unsigned count;
    unsigned at;
};

static void get(void *user)
{
    struct many *many = user;

    curl_easy_setopt(many->easy, CURLOPT_URL, many->urls[many->at]);
    curl_client_get(many->easy);
    many->at = (many->at + 1) % many->count;
}

int main(int argc, char **argv)
{
    const struct client_args args = client_args(argc, argv, 8000);
    struct many many = {.count = args.count,
                        .urls = calloc(args.count, sizeof *many.urls)};
    struct curl_slist *to = NULL;
    char host[64];
    char rest[256];
    char connect_to[80];
    int exit_code;

    if (sscanf(args.url, "http://%63[^:]%255s", host, rest) != 2)
        client_die("curl: URL must be http://ADDRESS:PORT/PATH");
    curl_global_init(CURL_GLOBAL_ALL);
    many.easy = curl_client_easy(&args);
    snprintf(connect_to, sizeof connect_to, "::%s:", host);
    to = curl_slist_append(to, connect_to);
    curl_easy_setopt(many.easy, CURLOPT_CONNECT_TO, to);
    curl_easy_setopt(many.easy, CURLOPT_MAXCONNECTS, (long)args.count);
    for (unsigned i = 0; i < args.count; i++)
        snprintf(many.urls[i], sizeof many.urls[i], "http://h%u.test%s", i,
                 rest);
    for (unsigned i = 0; i < args.count; i++)
        get(&many);
    exit_code = client_run(&args, get, &many);
    curl_easy_cleanup(many.easy);
    curl_slist_free_all(to);
    free(many.urls);
    curl_global_cleanup();
    return exit_code;
}
