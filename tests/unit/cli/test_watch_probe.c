/* What an error of a health check says of the service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "watch/probe.h"

static enum watch_verdict judge(weir_status code, weir_stage stage,
                                int system_code)
{
    const weir_error error = {.code = code,
                              .error_class = weir_status_class(code),
                              .stage = stage,
                              .system_code = system_code};

    return watch_probe_judge(&error);
}

/* Every code there is: of whom it speaks. */
static void test_every_code_has_a_verdict(void **state)
{
    (void)state;
#define WEIR_X(name, number, cls, meaning)                                     \
    if (name != WEIR_OK) {                                                     \
        const weir_error_class of = WEIR_CLASS_##cls;                          \
        const bool is_local =                                                  \
            of == WEIR_CLASS_USAGE || of == WEIR_CLASS_LOCAL ||                \
            of == WEIR_CLASS_CLOSED || of == WEIR_CLASS_CANCELLED ||           \
            name == WEIR_E_QUEUE_FULL;                                         \
                                                                               \
        assert_int_equal(judge(name, WEIR_STAGE_CONNECT, 0),                   \
                         is_local ? WATCH_VERDICT_UNKNOWN                      \
                                  : WATCH_VERDICT_BAD);                        \
    }
    WEIR_STATUS_TABLE(WEIR_X)
#undef WEIR_X
}

static void test_what_waits_in_our_own_line_has_asked_nobody(void **state)
{
    (void)state;
    assert_int_equal(judge(WEIR_E_ACQUIRE_TIMEOUT, WEIR_STAGE_WAIT, 0),
                     WATCH_VERDICT_UNKNOWN);
    assert_int_equal(judge(WEIR_E_TOTAL_TIMEOUT, WEIR_STAGE_WAIT, 0),
                     WATCH_VERDICT_UNKNOWN);
    assert_int_equal(judge(WEIR_E_TOTAL_TIMEOUT, WEIR_STAGE_RESPONSE, 0),
                     WATCH_VERDICT_BAD);
}

static void test_shortage_is_ours_wherever_it_shows(void **state)
{
    static const int codes[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_int_equal(judge(WEIR_E_CONNECT, WEIR_STAGE_CONNECT, codes[i]),
                         WATCH_VERDICT_UNKNOWN);
        assert_int_equal(judge(WEIR_E_RESOLVE, WEIR_STAGE_RESOLVE, codes[i]),
                         WATCH_VERDICT_UNKNOWN);
    }
    assert_int_equal(judge(WEIR_E_CONNECT, WEIR_STAGE_CONNECT, ECONNREFUSED),
                     WATCH_VERDICT_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_verdict),
        cmocka_unit_test(test_what_waits_in_our_own_line_has_asked_nobody),
        cmocka_unit_test(test_shortage_is_ours_wherever_it_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
