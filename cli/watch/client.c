#include "client.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../table.h"
#include "address.h"
#include "settings.h"
#include "stamp.h"

enum {
    STEP = 65536
};

/* --- asking -------------------------------------------------------------- */

static int connect_to(const char *path)
{
    struct sockaddr_un address;
    int fd;

    if (!watch_control_address(path, &address))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    if (errno == ENOENT || errno == ECONNREFUSED)
        cli_complain("no supervisor runs: nobody listens at %s", path);
    else
        cli_complain("control socket %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool send_all(int fd, const char *text)
{
    size_t len = strlen(text);

    while (len > 0) {
        const ssize_t put = send(fd, text, len, MSG_NOSIGNAL);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        text += put;
        len -= (size_t)put;
    }
    return true;
}

/* A whole line, to free; NULL: it has not come. */
static char *receive_line(int fd)
{
    char *line = cli_alloc(STEP);
    size_t room = STEP;
    size_t len = 0;
    ssize_t got;

    for (;;) {
        if (len + 1 == room) {
            char *larger = cli_alloc(2 * room);

            memcpy(larger, line, len);
            free(line);
            line = larger;
            room *= 2;
        }
        got = recv(fd, line + len, room - 1 - len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            free(line);
            return NULL;
        }
        len += (size_t)got;
        if (line[len - 1] == '\n') {
            line[len] = '\0';
            return line;
        }
    }
}

/* request: given.  NULL: it has complained. */
static json_t *ask(const char *path, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT);
    char *line = cli_format("%s\n", text ? text : "{}");
    const int fd = connect_to(path);
    char *received = NULL;
    json_t *answer = NULL;

    json_decref(request);
    free(text);
    if (fd >= 0) {
        received = send_all(fd, line) ? receive_line(fd) : NULL;
        close(fd);
        answer = received ? json_loads(received, 0, NULL) : NULL;
        if (!answer)
            cli_complain("the supervisor at %s has gone without an answer",
                         path);
    }
    free(received);
    free(line);
    return answer;
}

/* --- showing ------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static enum tone tone_of(const json_t *service)
{
    const char *state = text_of(service, "state");

    if (json_is_true(json_object_get(service, "healthy")))
        return TONE_GOOD;
    if (strcmp(state, "FAILED") == 0 || strcmp(state, "TIMEOUT") == 0)
        return TONE_BAD;
    return json_is_true(json_object_get(service, "wanted")) ? TONE_WARN
                                                            : TONE_DIM;
}

static const char *health_of(const json_t *service)
{
    if (strcmp(text_of(service, "state"), "RUNNING") != 0)
        return "";
    return json_is_true(json_object_get(service, "healthy")) ? "healthy"
                                                             : "unhealthy";
}

static void add_row(struct table *table, const json_t *service)
{
    const double uptime =
        json_number_value(json_object_get(service, "uptime_s"));
    const json_t *next = json_object_get(service, "next_start_s");
    const char *waits_for = text_of(service, "waits_for");
    char span[WATCH_SPAN_SIZE] = "";

    table_cell(table, TONE_PLAIN, "%s", text_of(service, "name"));
    table_cell(table, tone_of(service), "%s", text_of(service, "state"));
    table_cell(table, tone_of(service), "%s", health_of(service));
    table_cell(table, TONE_PLAIN, "%lld",
               (long long)json_integer_value(json_object_get(service, "pid")));
    if (uptime > 0)
        watch_span((uint64_t)(uptime * 1000), span);
    table_cell(table, TONE_PLAIN, "%s", span);
    table_cell(
        table, TONE_PLAIN, "%lld",
        (long long)json_integer_value(json_object_get(service, "restarts")));
    if (*waits_for)
        table_cell(table, TONE_DIM, "waits for %s", waits_for);
    else if (json_is_real(next))
        table_cell(table, TONE_WARN, "next start in %.1f s; %s",
                   json_real_value(next), text_of(service, "last_error"));
    else
        table_cell(table, TONE_DIM, "%s", text_of(service, "last_error"));
}

static void print_table(const json_t *status)
{
    static const char *const titles[] = {"SERVICE",    "STATE",   "HEALTH",
                                         ">PID",       ">UPTIME", ">RESTARTS",
                                         "LAST ERROR", NULL};
    struct table *table = table_new(titles);
    size_t index;
    json_t *service;

    json_array_foreach(json_object_get(status, "services"), index, service)
    {
        add_row(table, service);
    }
    table_print(table, stdout, cli_can_colour(stdout));
    table_free(table);
}

static bool is_all_well(const json_t *status)
{
    size_t index;
    json_t *service;

    json_array_foreach(json_object_get(status, "services"), index, service)
    {
        if (json_is_true(json_object_get(service, "wanted")) &&
            !json_is_true(json_object_get(service, "healthy")))
            return false;
    }
    return true;
}

static int show(const char *verb, const json_t *answer, bool as_json)
{
    const json_t *status = json_object_get(answer, "status");
    const bool is_good = json_is_true(json_object_get(answer, "ok"));
    const char *waits_for = text_of(answer, "waits_for");

    if (as_json) {
        json_dumpf(status ? status : answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (!is_good) {
        cli_complain("%s: %s", verb, text_of(answer, "error"));
    } else if (status) {
        print_table(status);
    } else if (*waits_for) {
        printf("%s: waits for %s\n", text_of(answer, "service"), waits_for);
    } else if (*text_of(answer, "state")) {
        printf("%s: %s\n", text_of(answer, "service"),
               text_of(answer, "state"));
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return EXIT_SOME_FAILED;
    return is_good && (!status || is_all_well(status)) ? EXIT_ALL
                                                       : EXIT_SOME_FAILED;
}

/* --- the command line ---------------------------------------------------- */

struct arguments {
    const char *verb;
    const char *service; /* NULL: none */
    const char *config;
    bool as_json;
    bool waits;
};

static bool needs_service(const char *verb)
{
    return strcmp(verb, "start") == 0 || strcmp(verb, "stop") == 0 ||
           strcmp(verb, "restart") == 0;
}

/* EXIT_ALL, or it has complained. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"no-wait", no_argument, NULL, 'n'},
        {0}};
    int option;

    optind = 1;
    while ((option = cli_option("watch", argc, argv, ":", options)) != -1) {
        if (option == 'c')
            arguments->config = optarg;
        else if (option == 'j')
            arguments->as_json = true;
        else if (option == 'n')
            arguments->waits = false;
        else
            return EXIT_USAGE;
    }
    if (needs_service(arguments->verb)) {
        if (optind == argc)
            return cli_usage_error("watch", "%s: which service?",
                                   arguments->verb);
        arguments->service = argv[optind++];
    }
    if (optind < argc)
        return cli_usage_error("watch", "%s: unexpected argument '%s'",
                               arguments->verb, argv[optind]);
    return EXIT_ALL;
}

static json_t *request_of(const struct arguments *arguments)
{
    json_t *request = json_pack("{s:s, s:b}", "do", arguments->verb, "wait",
                                arguments->waits);

    if (arguments->service)
        json_object_set_new(request, "service",
                            json_string(arguments->service));
    return request;
}

int watch_client(int argc, char **argv, const char *config)
{
    struct arguments arguments = {
        .verb = argv[0], .config = config, .waits = true};
    int code = read_arguments(argc, argv, &arguments);
    weir_settings *settings;
    char *control;
    json_t *answer = NULL;

    if (code != EXIT_ALL)
        return code;
    settings = cli_load_settings(arguments.config);
    if (!settings)
        return EXIT_USAGE;
    control = watch_settings_control(settings);
    code = EXIT_USAGE;
    if (control) {
        answer = ask(control, request_of(&arguments));
        code = answer ? show(arguments.verb, answer, arguments.as_json)
                      : EXIT_SOME_FAILED;
    }
    json_decref(answer);
    free(control);
    weir_settings_free(settings);
    return code;
}
