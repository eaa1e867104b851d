/* Bounds on what a body may become (protocol-rules 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weir/memory.h>

#include "alloc.h"
#include "coding_check.h"

/* --- bounds -------------------------------------------------------------- */

static void check_max_output(const char *codings)
{
    static const size_t sizes[] = {0, 1, 2, 5000, 70000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const struct wr_coding_limits exact = {sizes[i], UINT64_MAX};
        const struct wr_coding_limits below = {sizes[i] - 1, UINT64_MAX};
        const struct split odd = {3, 100, 999, 0};
        struct wr_buf plain = make_text(sizes[i], 15);
        struct wr_buf body = encoded(codings, slice(&plain));

        assert_gives(decode_split(codings, slice(&body), &exact, whole),
                     slice(&plain));
        assert_gives(decode_split(codings, slice(&body), &exact, by_byte),
                     slice(&plain));
        assert_gives(decode_split(codings, slice(&body), &exact, odd),
                     slice(&plain));
        if (sizes[i]) {
            assert_fails(decode_split(codings, slice(&body), &below, whole),
                         WEIR_E_LIMIT, "max_decoded");
            assert_fails(decode_split(codings, slice(&body), &below, by_byte),
                         WEIR_E_LIMIT, "max_decoded");
            assert_fails(decode_split(codings, slice(&body), &below, odd),
                         WEIR_E_LIMIT, "max_decoded");
        }
        wr_buf_done(&plain);
        wr_buf_done(&body);
    }
}

static void test_max_output_is_exact(void **state)
{
    (void)state;
    for_each_list(check_max_output);
}

static void check_free_ratio(const char *codings)
{
    const struct wr_coding_limits strict = {UINT64_MAX, 1};
    const struct wr_coding_limits loose = {UINT64_MAX, 1 << 20};
    struct wr_buf plain = make_zeros(WR_RATIO_FREE + 1);
    struct wr_buf free_of_it =
        encoded(codings, upto(slice(&plain), WR_RATIO_FREE));
    struct wr_buf past_it = encoded(codings, slice(&plain));

    assert_gives(decode_split(codings, slice(&free_of_it), &strict, whole),
                 upto(slice(&plain), WR_RATIO_FREE));
    assert_gives(decode_split(codings, slice(&past_it), &loose, whole),
                 slice(&plain));
    assert_fails(decode_split(codings, slice(&past_it), &strict, whole),
                 WEIR_E_LIMIT, "max_decode_ratio, 1 bytes");
    wr_buf_done(&plain);
    wr_buf_done(&free_of_it);
    wr_buf_done(&past_it);
}

static void test_a_mebibyte_is_free_of_the_ratio(void **state)
{
    (void)state;
    for_each_list(check_free_ratio);
}

/* A body that is sparse at first and dense later, or the reverse, so that the
 * ratio is worst somewhere within. */
static struct wr_buf make_patches(uint32_t seed)
{
    struct wr_buf plain = {0};

    for (int i = 0; i < 4; i++) {
        const size_t zeros = next_random(&seed) % (1 << 20);
        const size_t words = next_random(&seed) % (16 << 10);
        struct wr_buf patch = make_text(words, seed);
        struct wr_buf gap = make_zeros(zeros + 1);

        assert_true(wr_buf_append(&plain, patch.data, patch.len) || !patch.len);
        assert_true(wr_buf_append(&plain, gap.data, gap.len));
        wr_buf_done(&patch);
        wr_buf_done(&gap);
    }
    return plain;
}

/* The least ratio that lets a body pass. */
static uint64_t find_ratio(const char *codings, struct wr_slice body)
{
    uint64_t low = 0;
    uint64_t high = 1 << 22;

    while (high - low > 1) {
        const struct wr_coding_limits limits = {UINT64_MAX, (low + high) / 2};
        struct outcome outcome = decode_split(codings, body, &limits, whole);

        if (outcome.status == WEIR_OK)
            high = limits.max_ratio;
        else
            low = limits.max_ratio;
        free_outcome(&outcome);
    }
    return high;
}

/* At the border of the ratio all splits come to the same. */
static void check_ratio_border(const char *codings)
{
    struct wr_buf plain = make_patches(1);
    struct wr_buf body = encoded(codings, slice(&plain));
    const uint64_t least = find_ratio(codings, slice(&body));
    const struct wr_coding_limits pass = {UINT64_MAX, least};
    const struct wr_coding_limits fail = {UINT64_MAX, least - 1};
    const struct split splits[] = {{1, 1, MOST_OUT, 0},
                                   {1500, 700, 333, 0},
                                   {3000, 3000, MOST_OUT, 2},
                                   {MOST_IN, MOST_IN, 1000, 3}};

    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        assert_gives(decode_split(codings, slice(&body), &pass, splits[i]),
                     slice(&plain));
        assert_fails(decode_split(codings, slice(&body), &fail, splits[i]),
                     WEIR_E_LIMIT, "max_decode_ratio");
    }
    wr_buf_done(&plain);
    wr_buf_done(&body);
}

static void test_the_ratio_hangs_on_no_split(void **state)
{
    (void)state;
    for_each_list(check_ratio_border);
}

#if defined(WEIR_HAVE_ZLIB)

/* --- bombs --------------------------------------------------------------- */

/* gzip members of 16 MiB of zeros each; 64 are 1 GiB from 1 MiB. */
static struct wr_buf make_bomb(unsigned members)
{
    struct wr_buf plain = make_zeros(16 << 20);
    struct wr_buf one = encoded("gzip", slice(&plain));
    struct wr_buf all = {0};

    while (members-- > 0)
        assert_true(wr_buf_append(&all, one.data, one.len));
    wr_buf_done(&plain);
    wr_buf_done(&one);
    return all;
}

/* Decodes until the limit, and keeps nothing.  Returns the bytes given; memory
 * never exceeded what a decoder may take. */
static uint64_t set_off(const char *codings, struct wr_slice bomb,
                        const struct wr_coding_limits *limits,
                        const char *message)
{
    static const weir_allocator counting = {alloc_malloc, alloc_realloc,
                                            alloc_free};
    const struct wr_coding_list list = list_of(codings);
    const uint64_t before = alloc_bytes();
    static char out[64 << 10];
    struct wr_decoder *decoder;
    uint64_t given = 0;
    weir_error err;
    size_t len;

    weir_set_allocator(&counting);
    assert_int_equal(wr_decoder_new(&list, limits, &decoder, NULL), WEIR_OK);
    while (wr_decoder_run(decoder, &bomb, out, sizeof out, &len, &err) !=
           WR_PARSE_ERROR) {
        assert_true(len == sizeof out);
        assert_true(alloc_bytes() - before < list.count * (64U << 10));
        given += len;
    }
    wr_decoder_free(decoder);
    assert_int_equal(alloc_bytes(), before);
    weir_set_allocator(NULL);
    assert_int_equal(err.code, WEIR_E_LIMIT);
    assert_non_null(strstr(err.message, message));
    return given;
}

static void test_a_bomb_goes_out(void **state)
{
    static const struct wr_coding_limits ratio = {UINT64_MAX, 100};
    static const struct wr_coding_limits output = {10 << 20, UINT64_MAX};
    struct wr_buf bomb = make_bomb(64);

    (void)state;
    assert_in_range(bomb.len, 1000000, 1 << 20);
    assert_in_range(
        set_off("gzip", slice(&bomb), &ratio, "max_decode_ratio, 100"),
        WR_RATIO_FREE - (64 << 10), WR_RATIO_FREE + (64 << 10));
    assert_in_range(set_off("gzip", slice(&bomb), &output, "max_decoded"),
                    (10 << 20) - (64 << 10), 10 << 20);
    wr_buf_done(&bomb);
}

/* 10 GiB in 10 MiB in a few KiB: all is in the first step of input. */
static void test_a_bomb_in_a_bomb_goes_out(void **state)
{
    static const struct wr_coding_limits ratio = {UINT64_MAX, 5000};
    static const struct wr_coding_limits output = {10 << 20, UINT64_MAX};
    struct wr_buf bomb = make_bomb(640);
    struct wr_buf outer = encoded("gzip", slice(&bomb));

    (void)state;
    assert_true(outer.len < 100 << 10);
    assert_true(set_off("gzip, gzip", slice(&outer), &ratio,
                        "max_decode_ratio") <= outer.len * 5000 + (64 << 10));
    assert_in_range(
        set_off("gzip, gzip", slice(&outer), &output, "max_decoded"),
        (10 << 20) - (64 << 10), 10 << 20);
    wr_buf_done(&bomb);
    wr_buf_done(&outer);
}

/* A GiB within that becomes nothing: 16 MiB of empty members, in members. */
static void test_a_bomb_without_output_goes_out(void **state)
{
    static const struct wr_coding_limits limits = {100, 100};
    struct wr_buf empty = encoded("gzip", text(""));
    struct wr_buf many = {0};
    struct wr_buf one = {0};

    (void)state;
    while (many.len < 16 << 20)
        assert_true(wr_buf_append(&many, empty.data, empty.len));
    encode(&one, slice(&many), WR_CODING_GZIP);
    assert_int_equal(set_off("gzip, gzip", slice(&one), &limits,
                             "gzip content is past max_decode_ratio"),
                     0);
    wr_buf_done(&empty);
    wr_buf_done(&many);
    wr_buf_done(&one);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_output_is_exact),
        cmocka_unit_test(test_a_mebibyte_is_free_of_the_ratio),
        cmocka_unit_test(test_the_ratio_hangs_on_no_split),
#if defined(WEIR_HAVE_ZLIB)
        cmocka_unit_test(test_a_bomb_goes_out),
        cmocka_unit_test(test_a_bomb_in_a_bomb_goes_out),
        cmocka_unit_test(test_a_bomb_without_output_goes_out),
#endif
    };

    return cmocka_run_group_tests(tests, open_rooms, close_rooms);
}
