/* weir bench: the same requests with the pool and without, in turn. */
#include "bench.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: weir bench [OPTION...] [URL]\n\n"
    "Measures what the pool is worth: the same requests with the pool and "
    "with\n"
    "a connection for each, in rounds that take turns, so that drift of the\n"
    "machine cancels out.  Without a URL it starts an origin of its own on\n"
    "loopback and runs these scenarios:\n\n"
    "  versions    10 JSON documents of 60 KB over TLS, one after another\n"
    "  health      20 small checks, one after another\n"
    "  providers   5 small checks at once, 10 times\n"
    "  concurrent  400 small requests, 16 at a time\n\n"
    "      --scenario NAME    only this one; may be given again\n"
    "  -n, --requests N       requests in a run (with a URL: 100)\n"
    "  -c, --concurrency N    at a time (with a URL: 1)\n"
    "      --driver NAME      loop: asynchronous calls on one thread "
    "(default);\n"
    "                         blocking: a thread for each request at a time\n"
    "      --rounds N         rounds, each with the pool and without (25)\n"
    "      --json             one JSON document with every sample\n"
    "      --cacert FILE      trust these certificates alone (with a URL)\n"
    "  -k, --insecure         verify nothing (with a URL)\n"
    "      --config FILE      settings on top of all layers\n\n"
    "Exit codes: 0 measured, 1 a request failed, 2 bad usage or settings.\n";

const char *const bench_driver_names[] = {
    [DRIVER_LOOP] = "loop", [DRIVER_BLOCKING] = "blocking", NULL};

static const struct scenario scenarios[] = {
    {"versions", "10 JSON documents of 60 KB over TLS, one after another",
     ORIGIN_DOCUMENT, true, 10, 1, NULL, DRIVER_LOOP},
    {"health", "20 small checks, one after another", ORIGIN_CHECK, false, 20, 1,
     NULL, DRIVER_LOOP},
    {"providers", "5 small checks at once, 10 times", ORIGIN_CHECK, false, 50,
     5, NULL, DRIVER_LOOP},
    {"concurrent", "400 small requests, 16 at a time", ORIGIN_CHECK, false, 400,
     16, NULL, DRIVER_LOOP},
};

enum {
    SCENARIOS = sizeof scenarios / sizeof *scenarios
};

struct bench_options {
    const char *config;
    const char *url;
    const char *ca_file;
    bool is_wanted[SCENARIOS];
    bool any_wanted;
    bool insecure;
    bool as_json;
    long requests;    /* 0: the scenario's */
    long concurrency; /* 0: the scenario's */
    long rounds;
    enum driver driver;
};

/* --- the command line ---------------------------------------------------- */

/* Index of a scenario, or SCENARIOS. */
static size_t find_scenario(const char *name)
{
    size_t i = 0;

    while (i < SCENARIOS && strcmp(name, scenarios[i].name) != 0)
        i++;
    return i;
}

static bool want(struct bench_options *options, const char *name)
{
    const char *names[SCENARIOS + 1] = {NULL};
    const size_t found = find_scenario(name);
    const char *near;

    if (found < SCENARIOS) {
        options->is_wanted[found] = true;
        options->any_wanted = true;
        return true;
    }
    for (size_t i = 0; i < SCENARIOS; i++)
        names[i] = scenarios[i].name;
    near = weir_suggest(name, names);
    cli_usage_error("bench",
                    "--scenario: found '%s', expected versions, health, "
                    "providers or concurrent%s%s",
                    name, near ? "; did you mean " : "", near ? near : "");
    return false;
}

static bool choose_driver(struct bench_options *options, const char *name)
{
    const char *near = weir_suggest(name, bench_driver_names);

    for (int i = 0; bench_driver_names[i]; i++) {
        if (strcmp(name, bench_driver_names[i]) == 0) {
            options->driver = (enum driver)i;
            return true;
        }
    }
    cli_usage_error("bench",
                    "--driver: found '%s', expected loop or blocking%s%s", name,
                    near ? "; did you mean " : "", near ? near : "");
    return false;
}

static bool take_option(struct bench_options *options, int option)
{
    switch (option) {
    case 's':
        return want(options, optarg);
    case 'n':
        return cli_count("bench", "--requests", optarg, 1, 1000000,
                         &options->requests);
    case 'c':
        return cli_count("bench", "--concurrency", optarg, 1, 1000,
                         &options->concurrency);
    case 'd':
        return choose_driver(options, optarg);
    case 'r':
        return cli_count("bench", "--rounds", optarg, 1, 10000,
                         &options->rounds);
    case 'j':
        options->as_json = true;
        return true;
    case 'a':
        options->ca_file = optarg;
        return true;
    case 'k':
        options->insecure = true;
        return true;
    case 'f':
        options->config = optarg;
        return true;
    default:
        return false;
    }
}

/* false: it has complained. */
static bool is_url(const char *text)
{
    weir_request *request;
    weir_error err;

    if (weir_request_new("GET", text, &request, &err) != WEIR_OK) {
        cli_usage_error("bench", "%s", err.message);
        return false;
    }
    weir_request_free(request);
    return true;
}

/* Returns -1 to go on, or an exit code. */
static int parse(int argc, char **argv, struct bench_options *options)
{
    static const struct option long_options[] = {
        {"scenario", required_argument, NULL, 's'},
        {"requests", required_argument, NULL, 'n'},
        {"concurrency", required_argument, NULL, 'c'},
        {"driver", required_argument, NULL, 'd'},
        {"rounds", required_argument, NULL, 'r'},
        {"json", no_argument, NULL, 'j'},
        {"cacert", required_argument, NULL, 'a'},
        {"insecure", no_argument, NULL, 'k'},
        {"config", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {0}};
    int option;

    options->rounds = 25;
    optind = 1;
    while ((option = cli_option("bench", argc, argv, ":n:c:kh",
                                long_options)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_ALL;
        }
        if (!take_option(options, option))
            return EXIT_USAGE;
    }
    if (argc - optind > 1)
        return cli_usage_error("bench", "more than one URL");
    options->url = argv[optind];
    if (options->url && find_scenario(options->url) < SCENARIOS)
        return cli_usage_error("bench",
                               "found '%s', expected a URL; did you mean "
                               "--scenario %s?",
                               options->url, options->url);
    if (options->url && options->any_wanted)
        return cli_usage_error("bench", "--scenario and a URL exclude each "
                                        "other");
    if (!options->url && (options->ca_file || options->insecure))
        return cli_usage_error("bench", "--cacert and --insecure need a URL");
    return !options->url || is_url(options->url) ? -1 : EXIT_USAGE;
}

/* --- measuring ----------------------------------------------------------- */

static bool measure(const struct scenario *scenario, const char *url,
                    const weir_pool_options *options, long rounds,
                    struct measured *measured)
{
    measured->scenario = scenario;
    measured->rounds = rounds;
    for (int mode = 0; mode < MODES; mode++)
        measured->runs[mode] =
            cli_alloc((size_t)rounds * sizeof *measured->runs[mode]);
    for (long round = 0; round < rounds; round++) {
        for (int turn = 0; turn < MODES; turn++) {
            const enum mode mode = (enum mode)((turn + round) % MODES);

            if (!bench_run(scenario, url, options, mode,
                           &measured->runs[mode][round]))
                return false;
        }
    }
    return true;
}

static void free_measured(struct measured *measured)
{
    for (int mode = 0; mode < MODES; mode++) {
        for (long i = 0; measured->runs[mode] && i < measured->rounds; i++)
            free(measured->runs[mode][i].latencies);
        free(measured->runs[mode]);
    }
}

static void print_title(const struct bench_options *options)
{
    printf("weir %s: with the pool against a connection for each request\n"
           "driver %s; %ld rounds; each run is a process of its own with a "
           "pool that is\n"
           "empty at its start; in every other round the order is reversed;\n"
           "times on the monotonic clock, CPU of the client process alone\n",
           weir_version(), bench_driver_names[options->driver],
           options->rounds);
}

static void print_closing(const struct measured *measured, size_t count)
{
    printf("\nat least 15 %% faster with the pool: ");
    for (size_t i = 0; i < count; i++) {
        report_verdict(&measured[i], stdout);
        fputs(i + 1 < count ? ", " : "\n", stdout);
    }
}

/* Measures all that is wanted; `origin` is NULL with a URL. */
static int run_all(const struct bench_options *options,
                   const weir_pool_options *pool, const struct origin *origin,
                   const struct scenario *list, size_t count)
{
    struct measured measured[SCENARIOS] = {0};
    size_t done = 0;
    int status = EXIT_ALL;

    if (!options->as_json)
        print_title(options);
    for (; done < count && status == EXIT_ALL; done++) {
        const struct scenario *scenario = &list[done];
        char *url = origin ? cli_format("%s://127.0.0.1:%u%s",
                                        scenario->tls ? "https" : "http",
                                        scenario->tls ? origin->tls_port
                                                      : origin->plain_port,
                                        scenario->path)
                           : cli_copy(scenario->url);

        if (!measure(scenario, url, pool, options->rounds, &measured[done]))
            status = EXIT_SOME_FAILED;
        else if (!options->as_json)
            report_table(&measured[done], stdout);
        fflush(stdout);
        free(url);
    }
    if (status == EXIT_ALL && options->as_json)
        report_json(measured, count, stdout);
    else if (status == EXIT_ALL)
        print_closing(measured, count);
    for (size_t i = 0; i < done; i++)
        free_measured(&measured[i]);
    return status;
}

/* The scenarios wanted, with what the options change in them. */
static size_t choose(const struct bench_options *options, struct scenario *list)
{
    size_t count = 0;

    if (options->url) {
        list[count++] = (struct scenario){.name = "url",
                                          .summary = options->url,
                                          .requests = 100,
                                          .concurrency = 1,
                                          .url = options->url};
    }
    for (size_t i = 0; !options->url && i < SCENARIOS; i++) {
        if (!options->any_wanted || options->is_wanted[i])
            list[count++] = scenarios[i];
    }
    for (size_t i = 0; i < count; i++) {
        list[i].driver = options->driver;
        if (options->requests)
            list[i].requests = options->requests;
        if (options->concurrency)
            list[i].concurrency = options->concurrency;
    }
    return count;
}

int cli_bench(int argc, char **argv, const char *config)
{
    struct bench_options options = {.config = config};
    struct scenario list[SCENARIOS];
    weir_pool_options pool;
    weir_settings *settings;
    struct origin origin;
    int status = parse(argc, argv, &options);
    size_t count;

    if (status >= 0)
        return status;
    settings = cli_load_settings(options.config);
    if (!settings)
        return EXIT_USAGE;
    weir_settings_pool_options(settings, &pool);
    count = choose(&options, list);
    if (options.url) {
        pool.ca_file = options.ca_file ? options.ca_file : pool.ca_file;
        pool.verify = pool.verify && !options.insecure;
        status = run_all(&options, &pool, NULL, list, count);
    } else if (!bench_origin_start(&origin)) {
        status = EXIT_SOME_FAILED;
    } else {
        pool.ca_file = origin.ca_file;
        pool.ca_path = NULL;
        status = run_all(&options, &pool, &origin, list, count);
        bench_origin_stop(&origin);
    }
    weir_settings_free(settings);
    return status;
}
