/* The figures for Prometheus, held against the grammar of its text form, and
 * the status document. */
#include "made_up.h"

#include <ctype.h>

#include <watch/metrics.h>
#include <watch/status_json.h>

static const struct watch_outlets outlets = {
    .has_file = true,
    .file_lost = 3,
    .has_webhook = true,
    .webhook = {.queued = 4, .delivered = 5, .refused = 6, .dropped = 7}};

static char *make_metrics(void)
{
    struct watch_recent recent = {0};
    size_t len;
    char *text;

    watch_recent_emit(&recent, &made_up_event);
    text = watch_metrics(&made_up_view, &recent, &outlets, &len);
    assert_int_equal(strlen(text), len);
    watch_recent_done(&recent);
    return text;
}

/* A line of the text, as a whole. */
static void assert_line(const char *text, const char *line)
{
    const size_t len = strlen(line);

    for (const char *at = text; (at = strstr(at, line)); at += len) {
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return;
    }
    fail_msg("no line '%s'", line);
}

static void test_services_and_pool_are_told(void **state)
{
    char *text = make_metrics();

    (void)state;
    assert_line(text, "weir_service_up{service=\"api\"} 1");
    assert_line(text, "weir_service_up{service=\"worker\"} 0");
    assert_line(text, "weir_service_healthy{service=\"api\"} 1");
    assert_line(text, "weir_service_wanted{service=\"batch\"} 0");
    assert_line(text, "weir_service_uptime_seconds{service=\"api\"} 7384");
    assert_line(text, "weir_service_restarts_total{service=\"worker\"} 4");
    assert_line(text,
                "weir_service_probe_latency_seconds{service=\"api\"} 0.00125");
    assert_line(text,
                "weir_service_state{service=\"worker\",state=\"BACKOFF\"} 1");
    assert_line(text,
                "weir_service_state{service=\"worker\",state=\"RUNNING\"} 0");
    assert_line(text, "weir_watch_start_time_seconds 1795866616.042");
    assert_line(text, "weir_watch_services 4");
    assert_line(text, "weir_pool_requests_total 1234");
    assert_line(text, "weir_pool_connections_open 3");
    assert_line(text, "weir_pool_closed_total{reason=\"idle limit\"} 0");
    assert_line(text, "weir_watch_events_total{event=\"process_died\"} 1");
    assert_line(text, "weir_watch_file_lost_total 3");
    assert_line(text, "weir_watch_webhook_dropped_total 7");
    assert_null(strstr(text, "history_lost")); /* there is no history */
    free(text);
}

static void test_label_values_are_escaped(void **state)
{
    char *text = make_metrics();

    (void)state;
    assert_line(text, "weir_service_up{service=\"we\\\"ird\\\\na\\nme\"} 1");
    free(text);
}

/* --- the grammar --------------------------------------------------------- */

static const char *skip_name(const char *at)
{
    if (!isalpha((unsigned char)*at) && *at != '_' && *at != ':')
        fail_msg("no name at '%.40s'", at);
    while (isalnum((unsigned char)*at) || *at == '_' || *at == ':')
        at++;
    return at;
}

static const char *skip_labels(const char *at)
{
    do {
        at = skip_name(at + 1);
        assert_memory_equal(at, "=\"", 2);
        for (at += 2; *at != '"'; at++) {
            assert_int_not_equal(*at, '\n');
            if (*at == '\\') {
                at++;
                assert_true(*at == '\\' || *at == '"' || *at == 'n');
            }
        }
        at++;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

/* name{labels} value; the name is of the family that TYPE has announced. */
static void check_sample(const char *line, const char *family)
{
    const char *at = skip_name(line);
    char *end;

    if ((size_t)(at - line) != strlen(family) ||
        strncmp(line, family, strlen(family)) != 0)
        fail_msg("'%.60s' in family %s", line, family);
    if (*at == '{')
        at = skip_labels(at);
    assert_int_equal(*at, ' ');
    strtod(at + 1, &end);
    assert_true(end > at + 1);
    assert_int_equal(*end, '\n');
}

/* "# HELP name text", then "# TYPE name counter|gauge", once a family; a
 * counter's name ends in _total. */
static void check_head(const char **line, char family[128])
{
    char type[16];
    char again[128];
    const char *next = strchr(*line, '\n') + 1;

    assert_int_equal(sscanf(*line, "# HELP %127s %*c", family), 1);
    assert_int_equal(sscanf(next, "# TYPE %127s %15s", again, type), 2);
    assert_string_equal(family, again);
    assert_true(strcmp(type, "gauge") == 0 || strcmp(type, "counter") == 0);
    assert_int_equal(strcmp(type, "counter") == 0,
                     strlen(family) > 6 &&
                         strcmp(family + strlen(family) - 6, "_total") == 0);
    *line = strchr(next, '\n') + 1;
}

static void test_the_text_keeps_the_grammar(void **state)
{
    char *text = make_metrics();
    char family[128] = "";
    char families[64][128];
    size_t count = 0;

    (void)state;
    for (const char *line = text; *line;) {
        if (*line != '#') {
            check_sample(line, family);
            line = strchr(line, '\n') + 1;
            continue;
        }
        check_head(&line, family);
        for (size_t i = 0; i < count; i++)
            assert_string_not_equal(families[i], family);
        assert_true(count < 64);
        strcpy(families[count++], family);
    }
    assert_true(count > 30);
    free(text);
}

/* --- the document -------------------------------------------------------- */

static const json_t *get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!value)
        fail_msg("no %s", key);
    return value;
}

static void test_the_document_tells_all(void **state)
{
    struct watch_recent recent = {0};
    json_t *status;
    const json_t *services;
    const json_t *service;

    (void)state;
    watch_recent_emit(&recent, &made_up_event);
    status = watch_status_json(&made_up_view, &recent, &outlets);
    assert_int_equal(json_integer_value(get(status, "count")), 4);
    assert_string_equal(json_string_value(get(status, "now")),
                        "2026-11-28T13:53:36.042Z");
    services = get(status, "services");
    service = json_array_get(services, 0);
    assert_string_equal(json_string_value(get(service, "state")), "RUNNING");
    assert_true(json_is_null(get(service, "last_error")));
    assert_true(json_is_null(get(service, "next_start_s")));
    assert_int_equal(json_integer_value(get(get(service, "health"), "status")),
                     200);
    service = json_array_get(services, 2);
    assert_string_equal(json_string_value(get(service, "last_error")),
                        "exit status 1: \xEF\xBF\xBD\033[2Jno database");
    assert_true(json_is_null(get(service, "health")));
    assert_true(json_is_null(get(service, "pid")));
    assert_int_equal(json_integer_value(get(get(status, "pool"), "reused")),
                     88);
    assert_int_equal(json_array_size(get(status, "events")), 1);
    assert_int_equal(json_integer_value(get(
                         get(get(status, "outlets"), "webhook"), "dropped")),
                     7);
    json_decref(status);
    watch_recent_done(&recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services_and_pool_are_told),
        cmocka_unit_test(test_label_values_are_escaped),
        cmocka_unit_test(test_the_text_keeps_the_grammar),
        cmocka_unit_test(test_the_document_tells_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
