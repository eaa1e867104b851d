/* weir fetch: the command line. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "fetch_pool.h"

static const char help[] =
    "usage: weir fetch [OPTION...] URL...\n\n"
    "Fetches URLs in their order, or --parallel, through one pool.\n\n"
    "Request\n"
    "  -X, --request METHOD      method\n"
    "  -H, --header 'NAME: VALUE' add a field\n"
    "  -d, --data DATA|@FILE|@-  body; several are joined with '&'\n"
    "      --json DATA|@FILE|@-  body and Accept of application/json\n"
    "  -I, --head                HEAD\n"
    "      --compressed          ask for a coded body, and decode it\n"
    "  -u, --user USER:PASSWORD  Basic credentials\n"
    "      --bearer TOKEN|@FILE  a bearer token\n"
    "      --input FILE|-        a URL a line, or a JSON object a line:\n"
    "                            method, url, fields, body or body_file, id\n"
    "Output\n"
    "  -o, --output FILE         body to a file; once for each URL\n"
    "  -O, --remote-name         body to a file named as in the URL\n"
    "  -i, --include             the head of the response, too\n"
    "      --report json         a JSON object for each request, on a line\n"
    "      --no-body             leave the body out of the report\n"
    "  -v, --verbose             each step of the pool as it happens\n"
    "      --stats               figures of the pool at the end\n"
    "  -s, --silent              no errors, no progress\n"
    "      --no-progress         no progress\n"
    "  -f, --fail                HTTP status of 400 or more is a failure\n"
    "Connection\n"
    "      --parallel N          N requests at a time over one pool\n"
    "      --no-pool             a connection of its own for each request\n"
    "      --unix-socket PATH    connect to a Unix-domain socket\n"
    "      --resolve HOST:PORT:ADDR  connect to ADDR instead of asking DNS\n"
    "      --interface ADDR      local address\n"
    "      --proxy URL           through this proxy: http, https, socks5 or\n"
    "                            socks5h; without it those of the environment\n"
    "      --noproxy LIST        hosts, domains and networks without a proxy\n"
    "      --proxy-user USER:PASSWORD  credentials for it\n"
    "  -4, --ipv4  -6, --ipv6    one address family only\n"
    "Persistence\n"
    "  -L, --location            follow redirects, at most 10\n"
    "      --max-redirects N     follow at most N redirects\n"
    "      --redirect-downgrade  also from https to http\n"
    "      --retry N             try again up to N times what may pass\n"
    "      --retry-delay S       longest delay before the first retry\n"
    "      --retry-backoff F     factor from one delay to the next\n"
    "      --retry-max-delay S   longest delay, also of Retry-After\n"
    "      --breaker N           refuse an origin after N failures in a row\n"
    "      --breaker-rate F      or when that share of its requests failed,\n"
    "      --breaker-window S    over so long a time,\n"
    "      --breaker-min-requests N  of at least N\n"
    "      --breaker-open S      how long, until one request probes it\n"
    "      --hedge [S]           a second request after S seconds without a\n"
    "                            response; without S after what 95 % of the\n"
    "                            responses of the origin took less than\n"
    "TLS\n"
    "      --cacert FILE         trust these certificates alone\n"
    "      --capath FOLDER       the same, a hashed folder\n"
    "      --cert FILE           client certificate, PEM\n"
    "      --key FILE            its key, PEM\n"
    "      --tls-min VERSION     1.2 or 1.3\n"
    "  -k, --insecure            verify nothing\n"
    "Limits, in seconds or bytes\n"
    "  -m, --timeout S           the whole request\n"
    "      --connect-timeout S   DNS, TCP and TLS\n"
    "      --acquire-timeout S   waiting for a connection\n"
    "      --first-byte-timeout S  request sent to first byte\n"
    "      --read-timeout S      between two reads\n"
    "      --max-decoded BYTES   largest body, decoded\n"
    "      --max-decode-ratio N  of it to what came, beyond 1 MiB\n"
    "      --max-body BYTES      largest body that a report holds\n"
    "      --config FILE         settings on top of all layers\n\n"
    "Exit codes: 0 all fetched, 1 some failed, 2 bad usage or settings.\n";

static const struct option long_options[] = {
    {"request", required_argument, NULL, 'X'},
    {"header", required_argument, NULL, 'H'},
    {"data", required_argument, NULL, 'd'},
    {"json", required_argument, NULL, OPT_JSON},
    {"head", no_argument, NULL, 'I'},
    {"compressed", no_argument, NULL, OPT_COMPRESSED},
    {"user", required_argument, NULL, 'u'},
    {"bearer", required_argument, NULL, OPT_BEARER},
    {"input", required_argument, NULL, OPT_INPUT},
    {"output", required_argument, NULL, 'o'},
    {"remote-name", no_argument, NULL, 'O'},
    {"include", no_argument, NULL, 'i'},
    {"report", required_argument, NULL, OPT_REPORT},
    {"no-body", no_argument, NULL, OPT_NO_BODY},
    {"verbose", no_argument, NULL, 'v'},
    {"stats", no_argument, NULL, OPT_STATS},
    {"silent", no_argument, NULL, 's'},
    {"no-progress", no_argument, NULL, OPT_NO_PROGRESS},
    {"fail", no_argument, NULL, 'f'},
    {"parallel", required_argument, NULL, OPT_PARALLEL},
    {"no-pool", no_argument, NULL, OPT_NO_POOL},
    {"unix-socket", required_argument, NULL, OPT_UNIX_SOCKET},
    {"resolve", required_argument, NULL, OPT_RESOLVE},
    {"interface", required_argument, NULL, OPT_INTERFACE},
    {"proxy", required_argument, NULL, OPT_PROXY},
    {"noproxy", required_argument, NULL, OPT_NOPROXY},
    {"proxy-user", required_argument, NULL, OPT_PROXY_USER},
    {"ipv4", no_argument, NULL, '4'},
    {"ipv6", no_argument, NULL, '6'},
    {"location", no_argument, NULL, 'L'},
    {"max-redirects", required_argument, NULL, OPT_MAX_REDIRECTS},
    {"redirect-downgrade", no_argument, NULL, OPT_REDIRECT_DOWNGRADE},
    {"retry", required_argument, NULL, OPT_RETRY},
    {"retry-delay", required_argument, NULL, OPT_RETRY_DELAY},
    {"retry-backoff", required_argument, NULL, OPT_RETRY_BACKOFF},
    {"retry-max-delay", required_argument, NULL, OPT_RETRY_MAX_DELAY},
    {"breaker", required_argument, NULL, OPT_BREAKER},
    {"breaker-rate", required_argument, NULL, OPT_BREAKER_RATE},
    {"breaker-window", required_argument, NULL, OPT_BREAKER_WINDOW},
    {"breaker-min-requests", required_argument, NULL, OPT_BREAKER_MIN_REQUESTS},
    {"breaker-open", required_argument, NULL, OPT_BREAKER_OPEN},
    {"hedge", optional_argument, NULL, OPT_HEDGE},
    {"cacert", required_argument, NULL, OPT_CACERT},
    {"capath", required_argument, NULL, OPT_CAPATH},
    {"cert", required_argument, NULL, OPT_CERT},
    {"key", required_argument, NULL, OPT_KEY},
    {"tls-min", required_argument, NULL, OPT_TLS_MIN},
    {"insecure", no_argument, NULL, 'k'},
    {"timeout", required_argument, NULL, 'm'},
    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
    {"acquire-timeout", required_argument, NULL, OPT_ACQUIRE_TIMEOUT},
    {"first-byte-timeout", required_argument, NULL, OPT_FIRST_BYTE_TIMEOUT},
    {"read-timeout", required_argument, NULL, OPT_READ_TIMEOUT},
    {"max-decoded", required_argument, NULL, OPT_MAX_DECODED},
    {"max-decode-ratio", required_argument, NULL, OPT_MAX_DECODE_RATIO},
    {"max-body", required_argument, NULL, OPT_MAX_BODY},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"help", no_argument, NULL, 'h'},
    {0}};

void texts_add(struct texts *texts, const char *text)
{
    char **list = realloc(texts->list, (texts->count + 1) * sizeof *list);

    if (!list) {
        cli_complain("out of memory");
        exit(EXIT_SOME_FAILED);
    }
    texts->list = list;
    texts->list[texts->count++] = cli_copy(text);
}

void texts_free(struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        free(texts->list[i]);
    free(texts->list);
}

void fetch_free_options(struct fetch_options *options)
{
    texts_free(&options->fields);
    texts_free(&options->data);
    texts_free(&options->outputs);
    texts_free(&options->resolves);
    texts_free(&options->urls);
    free(options->pool_changes);
    free(options->proxy);
    weir_settings_free(options->settings);
}

/* The time limits. */
static bool take_time(struct fetch_options *options, int option)
{
    static const struct {
        int option;
        const char *name;
        weir_timeout which;
    } times[] = {
        {'m', "--timeout", WEIR_TIMEOUT_TOTAL},
        {OPT_CONNECT_TIMEOUT, "--connect-timeout", WEIR_TIMEOUT_CONNECT},
        {OPT_ACQUIRE_TIMEOUT, "--acquire-timeout", WEIR_TIMEOUT_ACQUIRE},
        {OPT_FIRST_BYTE_TIMEOUT, "--first-byte-timeout",
         WEIR_TIMEOUT_FIRST_BYTE},
        {OPT_READ_TIMEOUT, "--read-timeout", WEIR_TIMEOUT_IDLE_READ},
    };

    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (times[i].option == option)
            return cli_seconds("fetch", times[i].name, optarg,
                               &options->timeouts[times[i].which]);
    }
    return false;
}

static bool take_flag(struct fetch_options *options, int option)
{
    switch (option) {
    case 'I':
        options->head = true;
        return true;
    case 'O':
        options->remote_name = true;
        return true;
    case 'i':
        options->include = true;
        return true;
    case OPT_NO_BODY:
        options->no_body = true;
        return true;
    case 'v':
        options->verbose = true;
        return true;
    case OPT_STATS:
        options->stats = true;
        return true;
    case 's':
        options->silent = true;
        return true;
    case OPT_NO_PROGRESS:
        options->no_progress = true;
        return true;
    case 'f':
        options->fail = true;
        return true;
    default:
        return false;
    }
}

/* Options with a text.  -1: taken; else an exit code, or -2: not one. */
static int take_text(struct fetch_options *options, int option)
{
    switch (option) {
    case 'X':
        options->method = optarg;
        return -1;
    case 'H':
        texts_add(&options->fields, optarg);
        return strchr(optarg, ':') ? -1
                                   : cli_usage_error("fetch",
                                                     "-H '%s': expected "
                                                     "'NAME: VALUE'",
                                                     optarg);
    case 'd':
        texts_add(&options->data, optarg);
        return -1;
    case OPT_JSON:
        options->json = optarg;
        return -1;
    case OPT_INPUT:
        options->input = optarg;
        return -1;
    case 'o':
        texts_add(&options->outputs, optarg);
        return -1;
    case OPT_REPORT:
        options->report = true;
        return strcmp(optarg, "json") == 0
                   ? -1
                   : cli_usage_error("fetch",
                                     "--report: found '%s', expected json",
                                     optarg);
    case OPT_UNIX_SOCKET:
        options->unix_socket = optarg;
        return -1;
    case OPT_RESOLVE:
        texts_add(&options->resolves, optarg);
        return -1;
    case OPT_INTERFACE:
        options->interface = optarg;
        return -1;
    case OPT_CONFIG:
        options->config = optarg;
        return -1;
    case 'u':
        options->user = optarg;
        return strchr(optarg, ':') ? -1
                                   : cli_usage_error("fetch", "-u: expected "
                                                              "USER:PASSWORD");
    case OPT_PROXY_USER:
        options->proxy_user = optarg;
        return strchr(optarg, ':')
                   ? -1
                   : cli_usage_error("fetch", "--proxy-user: expected "
                                              "USER:PASSWORD");
    case OPT_BEARER:
        options->bearer = optarg;
        return -1;
    default:
        return -2;
    }
}

static int check(const struct fetch_options *options)
{
    if (options->urls.count == 0 && !options->input)
        return cli_usage_error("fetch", "no URL");
    if (options->user && options->bearer)
        return cli_usage_error("fetch", "-u and --bearer exclude each other");
    if (options->data.count > 0 && options->json)
        return cli_usage_error("fetch", "-d and --json exclude each other");
    if (options->remote_name && options->outputs.count > 0)
        return cli_usage_error("fetch", "-o and -O exclude each other");
    if (options->report &&
        (options->remote_name || options->outputs.count || options->include))
        return cli_usage_error("fetch",
                               "--report excludes -o, -O and -i: the report "
                               "holds head and body");
    if (options->outputs.count > options->urls.count)
        return cli_usage_error("fetch", "more -o than URLs");
    return -1;
}

static bool is_number(const char *text)
{
    char *end;

    strtod(text, &end);
    return end != text && *end == '\0';
}

/* An argument that may be there: "--hedge=0.5", or a number that follows.  No
 * URL is a number. */
static const char *argument_of(int option, int argc, char **argv)
{
    if (option == OPT_HEDGE && !optarg && optind < argc &&
        is_number(argv[optind]))
        return argv[optind++];
    return optarg;
}

int fetch_parse(int argc, char **argv, struct fetch_options *options)
{
    int option;

    for (int i = 0; i <= WEIR_TIMEOUT_TOTAL; i++)
        options->timeouts[i] = -1;
    options->parallel = 1;
    optind = 1;
    while ((option = cli_option("fetch", argc, argv, ":X:H:d:Iu:o:OivsfL46km:h",
                                long_options)) != -1) {
        int taken;

        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_ALL;
        }
        if (option == '?')
            return EXIT_USAGE;
        if (option == OPT_PARALLEL) {
            if (!cli_count("fetch", "--parallel", optarg, 1, 10000,
                           &options->parallel))
                return EXIT_USAGE;
            continue;
        }
        if (take_flag(options, option) ||
            fetch_take_pool_option(options, option,
                                   argument_of(option, argc, argv)))
            continue;
        taken = take_text(options, option);
        if (taken >= 0)
            return taken;
        if (taken == -2 && !take_time(options, option))
            return EXIT_USAGE;
    }
    while (optind < argc)
        texts_add(&options->urls, argv[optind++]);
    if (check(options) >= 0)
        return EXIT_USAGE;
    options->settings = cli_load_settings(options->config);
    if (!options->settings)
        return EXIT_USAGE;
    weir_settings_pool_options(options->settings, &options->pool);
    return fetch_change_pool(options) ? -1 : EXIT_USAGE;
}
