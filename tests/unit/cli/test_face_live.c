/* The live table, for terminals of all sizes. */
#include "made_up.h"

#include <table.h>
#include <watch/live_frame.h>

static const struct watch_outlets no_outlets;

static char *frame_of(const struct watch_view *view, int columns, int lines,
                      bool in_colour)
{
    struct watch_recent recent = {0};
    char *frame;

    for (int i = 0; i < 10; i++)
        watch_recent_emit(&recent, &made_up_event);
    frame = live_frame(&(struct live_sight){view, &recent, &no_outlets,
                                            "weir: watch: something is wrong"},
                       (struct live_size){columns, lines}, in_colour);
    watch_recent_done(&recent);
    return frame;
}

/* Without colours, for counting. */
static void strip(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (*from == '\033')
            from = strchr(from, 'm');
        else
            *to++ = *from;
    }
    *to = '\0';
}

static void check_size(char *frame, int columns, int lines)
{
    int count = 0;

    for (char *line = frame; *line; count++) {
        char *end = strchr(line, '\n');

        assert_non_null(end);
        *end = '\0';
        if (cli_width(line) > columns)
            fail_msg("%d columns in %d: '%s'", cli_width(line), columns, line);
        line = end + 1;
    }
    if (count > lines)
        fail_msg("%d lines in %d", count, lines);
}

static void test_it_fits_any_terminal(void **state)
{
    (void)state;
    for (int columns = 10; columns <= 200; columns += 5) {
        for (int lines = 1; lines <= 40; lines++) {
            char *frame = frame_of(&made_up_view, columns, lines, true);

            strip(frame);
            check_size(frame, columns, lines);
            free(frame);
        }
    }
}

static void test_services_are_told(void **state)
{
    char *frame = frame_of(&made_up_view, 120, 40, false);

    (void)state;
    assert_non_null(strstr(frame, "weir watch: 1 of 3 healthy"));
    assert_non_null(strstr(frame, "13:53:36"));
    assert_non_null(strstr(frame, "healthy 1.2 ms"));
    assert_non_null(strstr(frame, "unhealthy"));
    assert_non_null(strstr(frame, "BACKOFF, 4.2 s"));
    assert_non_null(strstr(frame, "2 h 3 min"));
    assert_non_null(strstr(frame, "exit status 1: ??[2Jno database"));
    assert_non_null(strstr(frame, "3 open (1 lent, 2 idle)"));
    assert_non_null(strstr(frame, "process_died"));
    assert_non_null(strstr(frame, "\nweir: watch: something is wrong\n"));
    assert_null(strchr(frame, '\033'));
    free(frame);
}

static void test_colours_only_where_wanted(void **state)
{
    char *frame = frame_of(&made_up_view, 120, 40, true);

    (void)state;
    assert_non_null(strstr(frame, "\033[32mRUNNING\033[0m"));
    assert_non_null(strstr(frame, "\033[31mRUNNING\033[0m"));
    assert_non_null(strstr(frame, "\033[33mBACKOFF, 4.2 s\033[0m"));
    free(frame);
}

/* 300 services, and 20 lines: the three that are not well are among them. */
static void test_the_sick_come_first_where_there_is_no_room(void **state)
{
    enum {
        MANY = 300
    };
    static struct watch_service_view many[MANY];
    static char names[MANY][16];
    struct watch_view view = made_up_view;
    char *frame;

    (void)state;
    for (int i = 0; i < MANY; i++) {
        many[i] = made_up_services[i % 100 == 99 ? 1 : 0];
        snprintf(names[i], sizeof names[i], "service-%d-", i);
        many[i].name = names[i];
    }
    view.services = many;
    view.count = MANY;
    frame = frame_of(&view, 100, 20, false);
    assert_non_null(strstr(frame, "service-99-"));
    assert_non_null(strstr(frame, "service-199-"));
    assert_non_null(strstr(frame, "service-299-"));
    assert_non_null(strstr(frame, "service-10-"));
    assert_null(strstr(frame, "service-11-"));
    assert_non_null(strstr(frame, "… and 286 more"));
    check_size(frame, 100, 20);
    free(frame);
}

static void test_wide_names_are_cut_by_columns(void **state)
{
    static struct watch_service_view one;
    struct watch_view view = made_up_view;
    char *frame;

    (void)state;
    one = made_up_services[0];
    one.name = "語語語語語語語語語語語語語語語語語語語語語語語語語語語語語語";
    view.services = &one;
    view.count = 1;
    frame = frame_of(&view, 80, 24, false);
    assert_non_null(strstr(frame, "語…"));
    check_size(frame, 80, 24);
    free(frame);
}

static void test_no_services_is_a_frame_too(void **state)
{
    struct watch_view view = made_up_view;
    char *frame;

    (void)state;
    view.count = 0;
    frame = frame_of(&view, 80, 24, false);
    assert_non_null(strstr(frame, "0 of 0 healthy"));
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_fits_any_terminal),
        cmocka_unit_test(test_services_are_told),
        cmocka_unit_test(test_colours_only_where_wanted),
        cmocka_unit_test(test_the_sick_come_first_where_there_is_no_room),
        cmocka_unit_test(test_wide_names_are_cut_by_columns),
        cmocka_unit_test(test_no_services_is_a_frame_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
