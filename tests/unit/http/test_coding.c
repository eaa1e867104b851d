/* Content codings (RFC 9110 section 8.4): what holds for every one of them, and
 * is tested of those that are built in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coding_check.h"
#include "shortage.h"

/* --- every coding -------------------------------------------------------- */

static void check_round_trip(const char *codings)
{
    static const size_t sizes[] = {0, 1, 100, 100 << 10};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct wr_buf plain = make_text(sizes[i], (uint32_t)i);
        struct wr_buf body = encoded(codings, slice(&plain));

        assert_gives(decode(codings, slice(&body)), slice(&plain));
        wr_buf_done(&plain);
        wr_buf_done(&body);
    }
}

static void test_a_body_comes_back(void **state)
{
    (void)state;
    for_each_list(check_round_trip);
}

static void check_splits(const char *codings)
{
    struct wr_buf plain = make_text(400, 3);
    struct wr_buf body = encoded(codings, slice(&plain));

    for (size_t first = 1; first < body.len; first++) {
        struct split two = {first, MOST_IN, MOST_OUT, 0};

        assert_gives(decode_split(codings, slice(&body), &no_limits, two),
                     slice(&plain));
        two.cap = 7;
        assert_gives(decode_split(codings, slice(&body), &no_limits, two),
                     slice(&plain));
    }
    assert_gives(decode_split(codings, slice(&body), &no_limits, by_byte),
                 slice(&plain));
    wr_buf_done(&plain);
    wr_buf_done(&body);
}

static void test_input_may_be_split_anywhere(void **state)
{
    (void)state;
    for_each_list(check_splits);
}

static void check_byte_by_byte(const char *codings)
{
    struct wr_buf plain = make_text(100 << 10, 5);
    struct wr_buf body = encoded(codings, slice(&plain));
    const struct split narrow = {MOST_IN, MOST_IN, 1, 0};

    assert_gives(decode_split(codings, slice(&body), &no_limits, by_byte),
                 slice(&plain));
    assert_gives(decode_split(codings, slice(&body), &no_limits, narrow),
                 slice(&plain));
    wr_buf_done(&plain);
    wr_buf_done(&body);
}

static void test_a_byte_at_a_time_is_enough(void **state)
{
    (void)state;
    for_each_list(check_byte_by_byte);
}

static void check_truncated(const char *codings)
{
    struct wr_buf plain = make_text(200, 7);
    struct wr_buf body = encoded(codings, slice(&plain));

    assert_gives(decode(codings, upto(slice(&body), 0)), text(""));
    for (size_t len = 1; len < body.len; len++) {
        assert_fails(decode(codings, upto(slice(&body), len)), WEIR_E_CODING,
                     "ended early");
        assert_fails(
            decode_split(codings, upto(slice(&body), len), &no_limits, by_byte),
            WEIR_E_CODING, "ended early");
    }
    wr_buf_done(&plain);
    wr_buf_done(&body);
}

static void test_a_truncated_body_ended_early(void **state)
{
    (void)state;
    for_each_list(check_truncated);
}

/* A stack's inner body may be truncated in an outer one that is whole. */
static void check_inner_truncated(const char *codings)
{
    const struct wr_coding_list list = list_of(codings);
    const struct wr_coding_list inner = {1, {list.list[0]}};
    struct wr_coding_list outer = {0};
    struct wr_buf plain = make_text(200, 7);
    struct wr_buf body = encode_list(slice(&plain), &inner);
    struct wr_buf cut;

    for (unsigned i = 1; i < list.count; i++)
        outer.list[outer.count++] = list.list[i];
    if (outer.count) {
        cut = encode_list(upto(slice(&body), body.len / 2), &outer);
        assert_fails(decode(codings, slice(&cut)), WEIR_E_CODING,
                     "ended early");
        assert_fails(decode_split(codings, slice(&cut), &no_limits, by_byte),
                     WEIR_E_CODING, "ended early");
        wr_buf_done(&cut);
    }
    wr_buf_done(&plain);
    wr_buf_done(&body);
}

static void test_a_truncated_inner_body_ended_early(void **state)
{
    (void)state;
    for_each_list(check_inner_truncated);
}

/* Whatever a damaged body gives, it is the same for any split. */
static void check_flipped(const char *codings)
{
    const struct wr_coding_limits limits = {4096, 100};
    struct wr_buf plain = make_text(120, 9);
    struct wr_buf body = encoded(codings, slice(&plain));

    for (size_t bit = 0; bit < body.len * 8; bit++) {
        struct outcome one;
        struct outcome two;

        body.data[bit / 8] ^= (char)(1 << bit % 8);
        one = decode_split(codings, slice(&body), &limits, whole);
        two = decode_split(codings, slice(&body), &limits, by_byte);
        assert_true(one.status == WEIR_OK || one.status == WEIR_E_CODING ||
                    one.status == WEIR_E_LIMIT);
        assert_int_equal(one.status == WEIR_OK, two.status == WEIR_OK);
        if (one.status == WEIR_OK) {
            assert_int_equal(one.used, two.used);
            assert_gives(two, slice(&one.out));
        } else {
            free_outcome(&two);
        }
        free_outcome(&one);
        body.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    wr_buf_done(&plain);
    wr_buf_done(&body);
}

static void test_flipped_bits_do_no_harm(void **state)
{
    (void)state;
    for_each_list(check_flipped);
}

static void check_garbage(const char *codings)
{
    struct wr_buf noise = make_text(3000, 11);
    uint32_t seed = 13;

    for (unsigned i = 0; i < 200; i++) {
        struct outcome outcome;

        for (size_t at = 0; at < noise.len; at++)
            noise.data[at] = (char)next_random(&seed);
        outcome = decode(codings, slice(&noise));
        assert_int_not_equal(outcome.status, WEIR_E_NO_MEMORY);
        free_outcome(&outcome);
    }
    wr_buf_done(&noise);
}

static void test_garbage_does_no_harm(void **state)
{
    (void)state;
    for_each_list(check_garbage);
}

static void check_calls_after_the_last(const char *codings)
{
    const struct wr_coding_list list = list_of(codings);
    struct wr_buf body = encoded(codings, text("hello"));
    struct wr_slice in = slice(&body);
    struct wr_slice none = {0};
    struct wr_decoder *decoder;
    enum wr_parse_result result;
    weir_error err;
    char out[64];
    size_t len;

    assert_int_equal(wr_decoder_new(&list, &no_limits, &decoder, &err),
                     WEIR_OK);
    assert_int_equal(wr_decoder_run(decoder, &none, out, 64, &len, &err),
                     WR_PARSE_MORE);
    assert_int_equal(len, 0);
    assert_int_equal(wr_decoder_end(decoder, &err), WEIR_OK);
    result = wr_decoder_run(decoder, &in, out, 64, &len, NULL);
    assert_int_equal(len, 5);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(wr_decoder_run(decoder, &none, out, 1, &len, &err),
                         result);
        assert_int_equal(len, 0);
        assert_int_equal(wr_decoder_end(decoder, &err), WEIR_OK);
    }
    wr_decoder_free(decoder);
    wr_buf_done(&body);
}

static void test_more_calls_change_nothing(void **state)
{
    (void)state;
    wr_decoder_free(NULL);
    for_each_list(check_calls_after_the_last);
}

static void check_failed_for_good(const char *codings)
{
    const struct wr_coding_list list = list_of(codings);
    const struct wr_coding_limits limits = {4, UINT64_MAX};
    struct wr_buf body = encoded(codings, text("hello"));
    struct wr_slice in = slice(&body);
    struct wr_decoder *decoder;
    weir_error err;
    char out[64];
    size_t len = 77;

    assert_int_equal(wr_decoder_new(&list, &limits, &decoder, &err), WEIR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wr_decoder_run(decoder, &in, out, 64, &len, &err),
                         WR_PARSE_ERROR);
        assert_int_equal(err.code, WEIR_E_LIMIT);
        assert_int_equal(len, 77);
    }
    assert_int_equal(wr_decoder_end(decoder, NULL), WEIR_E_LIMIT);
    wr_decoder_free(decoder);
    wr_buf_done(&body);
}

static void test_an_error_is_for_good(void **state)
{
    (void)state;
    for_each_list(check_failed_for_good);
}

/* --- memory -------------------------------------------------------------- */

/* Decodes with the nth request for memory failing.  false: there was none. */
static bool run_short(const struct wr_coding_list *list, struct wr_slice body,
                      long nth, char *out, size_t cap)
{
    struct wr_decoder *decoder = NULL;
    enum wr_parse_result result = WR_PARSE_MORE;
    weir_error err = {0};
    size_t len = 0;

    shortage_begin();
    shortage_in = nth;
    if (wr_decoder_new(list, &no_limits, &decoder, &err) != WEIR_OK) {
        assert_null(decoder);
        result = WR_PARSE_ERROR;
    }
    while (result == WR_PARSE_MORE && (body.len || len == cap))
        result = wr_decoder_run(decoder, &body, out, cap, &len, &err);
    if (result == WR_PARSE_ERROR)
        assert_int_equal(err.code, WEIR_E_NO_MEMORY);
    wr_decoder_free(decoder);
    assert_int_equal(shortage_held, 0);
    shortage_end();
    return result == WR_PARSE_ERROR;
}

static void check_shortages(const char *codings)
{
    const struct wr_coding_list list = list_of(codings);
    struct wr_buf plain = make_text(100 << 10, 17);
    struct wr_buf body = encoded(codings, slice(&plain));
    char out[999];
    long nth = 0;

    while (run_short(&list, slice(&body), nth, out, sizeof out))
        nth++;
    assert_true(nth > (long)list.count);
    wr_buf_done(&plain);
    wr_buf_done(&body);
}

static void test_each_shortage_is_an_error(void **state)
{
    (void)state;
    for_each_list(check_shortages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_body_comes_back),
        cmocka_unit_test(test_input_may_be_split_anywhere),
        cmocka_unit_test(test_a_byte_at_a_time_is_enough),
        cmocka_unit_test(test_a_truncated_body_ended_early),
        cmocka_unit_test(test_a_truncated_inner_body_ended_early),
        cmocka_unit_test(test_flipped_bits_do_no_harm),
        cmocka_unit_test(test_garbage_does_no_harm),
        cmocka_unit_test(test_more_calls_change_nothing),
        cmocka_unit_test(test_an_error_is_for_good),
        cmocka_unit_test(test_each_shortage_is_an_error),
    };

    return cmocka_run_group_tests(tests, open_rooms, close_rooms);
}
