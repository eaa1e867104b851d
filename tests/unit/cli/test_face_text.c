/* Moments, spans and events as text. */
#include "made_up.h"

#include <jansson.h>
#include <watch/event_text.h>
#include <watch/stamp.h>

static void assert_stamp(uint64_t at_ms, const char *expected)
{
    char text[WATCH_STAMP_SIZE];

    watch_stamp(at_ms, text);
    assert_string_equal(text, expected);
    assert_int_equal(strlen(text), WATCH_STAMP_LEN);
}

static void test_stamps_are_rfc_3339_in_utc(void **state)
{
    (void)state;
    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    assert_stamp(0, "1970-01-01T00:00:00.000Z");
    assert_stamp(MADE_UP_NOW, "2026-11-28T13:53:36.042Z");
    assert_stamp(UINT64_C(951782399999), "2000-02-28T23:59:59.999Z");
    unsetenv("TZ");
    tzset();
}

static void assert_span(uint64_t span_ms, const char *expected)
{
    char text[WATCH_SPAN_SIZE];

    watch_span(span_ms, text);
    assert_string_equal(text, expected);
}

static void test_spans_have_two_units_at_most(void **state)
{
    (void)state;
    assert_span(0, "0.0 s");
    assert_span(4299, "4.2 s");
    assert_span(59999, "59 s");
    assert_span(60000, "1 min 0 s");
    assert_span(7384000, "2 h 3 min");
    assert_span(UINT64_C(198000000), "2 d 7 h");
    assert_span(UINT64_MAX, "213503982334 d 14 h");
}

static void assert_since(const char *text, uint64_t expected_ms)
{
    uint64_t found_ms = 1;

    if (!watch_read_since(text, MADE_UP_NOW, &found_ms))
        fail_msg("%s is refused", text);
    if (found_ms != expected_ms)
        fail_msg("%s: %llu", text, (unsigned long long)found_ms);
}

static void test_since_is_a_span_or_a_moment(void **state)
{
    (void)state;
    assert_since("90s", MADE_UP_NOW - 90000);
    assert_since("15m", MADE_UP_NOW - 900000);
    assert_since("2h", MADE_UP_NOW - 7200000);
    assert_since("7d", MADE_UP_NOW - UINT64_C(604800000));
    assert_since("4000000000s", 0);
    assert_since("2026-11-28", UINT64_C(1795824000000));
    assert_since("2026-11-28T13:53", UINT64_C(1795874000000) - 20000);
    assert_since("2026-11-28 13:53:36.042", MADE_UP_NOW);
    assert_since("2026-11-28T13:53:36.042Z", MADE_UP_NOW);
    assert_since("2026-11-28T14:53:36.0429999+01:00", MADE_UP_NOW);
    assert_since("2026-11-28T12:23:36.042-01:30", MADE_UP_NOW);
}

static void test_since_refuses_all_else(void **state)
{
    static const char *const bad[] = {
        "",
        "s",
        "15",
        "15 m",
        "15mm",
        "-1h",
        "99999999999999999999s",
        "2026-02-29",
        "2026-13-01",
        "2026-11-28T",
        "2026-11-28T24:00",
        "2026-11-28T13:53:36.",
        "2026-11-28T13:53+1:00",
        "2026-11-28T13:53Zulu",
        "yesterday",
        "1969-12-31",
        "2026-11-28T13:60",
    };
    uint64_t found_ms;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (watch_read_since(bad[i], MADE_UP_NOW, &found_ms))
            fail_msg("'%s' is taken", bad[i]);
    }
}

static void test_an_event_is_one_line_of_json(void **state)
{
    static const char expected[] =
        "{\"time\":\"2026-11-28T13:53:36.042Z\",\"event\":\"process_died\","
        "\"service\":\"api\",\"failure\":true,"
        "\"detail\":\"exit status 1: no \\\"database\\\"\\nat all\","
        "\"pid\":4711,\"exit_code\":1,\"restarts\":2}\n";
    size_t len;
    char *line = watch_event_line(&made_up_event, &len);

    (void)state;
    assert_string_equal(line, expected);
    assert_int_equal(len, strlen(expected));
    free(line);
}

static void test_what_an_event_has_not_is_left_out(void **state)
{
    const struct watch_event event = {.kind = WATCH_EVENT_WATCH_STARTED,
                                      .service = "",
                                      .detail = "",
                                      .exit_code = -1};
    size_t len;
    char *line = watch_event_line(&event, &len);

    (void)state;
    assert_string_equal(line, "{\"time\":\"1970-01-01T00:00:00.000Z\","
                              "\"event\":\"watch_started\","
                              "\"failure\":false}\n");
    free(line);
}

/* One of two bytes in JSON for each of the service's. */
static void test_a_long_detail_is_cut_to_what_a_pipe_takes(void **state)
{
    struct watch_event event = made_up_event;
    char detail[20001];
    json_t *json;
    size_t len;
    char *line;

    (void)state;
    memset(detail, '"', sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    event.detail = detail;
    line = watch_event_line(&event, &len);
    assert_true(len <= WATCH_LINE_MAX);
    assert_true(len > WATCH_LINE_MAX / 4);
    json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_non_null(
        strstr(json_string_value(json_object_get(json, "detail")), "\"\"…"));
    json_decref(json);
    free(line);
}

static void assert_clean(const char *text, const char *expected)
{
    char *clean = watch_clean_text(text);

    assert_string_equal(clean, expected);
    free(clean);
}

static void test_whatever_a_service_writes_becomes_utf_8(void **state)
{
    (void)state;
    assert_clean("", "");
    assert_clean("naïve 語 😀", "naïve 語 😀");
    assert_clean("a\xff"
                 "b",
                 "a\xEF\xBF\xBD"
                 "b");
    assert_clean("\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"); /* overlong */
    assert_clean("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_clean("\xF4\x90\x80\x80",
                 "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_clean("cut \xE8\xAA", "cut \xEF\xBF\xBD\xEF\xBF\xBD");
}

static void test_words_cannot_steer_the_terminal(void **state)
{
    struct watch_event event = made_up_event;
    char *words;

    (void)state;
    event.detail = "a\033[2Jb\nc\xC2\x9B"
                   "d\xff";
    words = watch_event_words(&event);
    assert_string_equal(words, "2026-11-28T13:53:36.042Z  api  process_died  "
                               "a?[2Jb?c?d?");
    free(words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps_are_rfc_3339_in_utc),
        cmocka_unit_test(test_spans_have_two_units_at_most),
        cmocka_unit_test(test_since_is_a_span_or_a_moment),
        cmocka_unit_test(test_since_refuses_all_else),
        cmocka_unit_test(test_an_event_is_one_line_of_json),
        cmocka_unit_test(test_what_an_event_has_not_is_left_out),
        cmocka_unit_test(test_a_long_detail_is_cut_to_what_a_pipe_takes),
        cmocka_unit_test(test_whatever_a_service_writes_becomes_utf_8),
        cmocka_unit_test(test_words_cannot_steer_the_terminal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
