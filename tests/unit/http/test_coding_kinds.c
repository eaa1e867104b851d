/* What is particular to each content coding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coding_check.h"

static void test_codings_have_names(void **state)
{
    (void)state;
    assert_string_equal(wr_coding_name(WR_CODING_GZIP), "gzip");
    assert_string_equal(wr_coding_name(WR_CODING_DEFLATE), "deflate");
    assert_string_equal(wr_coding_name(WR_CODING_BR), "br");
    assert_string_equal(wr_coding_name(WR_CODING_ZSTD), "zstd");
}

#if defined(WEIR_HAVE_ZLIB)

/* --- deflate ------------------------------------------------------------- */

static void test_deflate_with_and_without_wrapper(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 100, 5000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct wr_buf plain = make_text(sizes[i], 19);

        for (int window = 9; window <= 15; window++) {
            for (int sign = -1; sign <= 1; sign += 2) {
                struct wr_buf body = {0};

                encode_zlib(&body, slice(&plain), sign * window);
                assert_gives(decode("deflate", slice(&body)), slice(&plain));
                assert_gives(
                    decode_split("deflate", slice(&body), &no_limits, by_byte),
                    slice(&plain));
                wr_buf_done(&body);
            }
        }
        wr_buf_done(&plain);
    }
}

static void test_a_stored_deflate_block_is_no_wrapper(void **state)
{
    const struct wr_slice body = {"\x01\x02\x00\xfd\xffhi", 7};

    (void)state;
    assert_gives(decode("deflate", body), text("hi"));
    assert_gives(decode_split("deflate", body, &no_limits, by_byte),
                 text("hi"));
}

static void test_deflate_refuses_a_dictionary(void **state)
{
    const struct wr_slice body = {"\x78\xbb\x00\x00\x00\x01\x03\x00", 8};

    (void)state;
    assert_fails(decode("deflate", body), WEIR_E_CODING, "dictionary");
}

static void test_what_follows_deflate_is_passed_over(void **state)
{
    struct wr_buf body = encoded("deflate", text("hello"));
    struct outcome outcome;

    (void)state;
    assert_true(wr_buf_append(&body, "rest", 4));
    outcome = decode("deflate", slice(&body));
    assert_true(outcome.done);
    assert_int_equal(outcome.used, body.len - 4);
    assert_gives(outcome, text("hello"));
    wr_buf_done(&body);
}

static void test_flushed_deflate_is_given(void **state)
{
    static const int windows[] = {31, 15, -15};
    char out[256];

    (void)state;
    for (int i = 0; i < 3; i++) {
        z_stream stream = {.next_in = (Bytef *)"hello", .avail_in = 5};

        assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, windows[i], 9,
                                      Z_DEFAULT_STRATEGY),
                         Z_OK);
        stream.next_out = (Bytef *)out;
        stream.avail_out = sizeof out;
        assert_int_equal(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
        assert_gives_flushed(i ? "deflate" : "gzip", out, stream.total_out);
        deflateEnd(&stream);
    }
}

/* --- gzip ---------------------------------------------------------------- */

static void test_gzip_members_are_one_body(void **state)
{
    static const char *const parts[] = {"one ", "", "two ", "three"};
    struct wr_buf body = {0};

    (void)state;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        encode(&body, text(parts[i]), WR_CODING_GZIP);
    assert_gives(decode("gzip", slice(&body)), text("one two three"));
    for (size_t first = 1; first < body.len; first++) {
        const struct split two = {first, MOST_IN, 1, 0};

        assert_gives(decode_split("gzip", slice(&body), &no_limits, two),
                     text("one two three"));
    }
    wr_buf_done(&body);
}

static void test_what_follows_gzip_is_passed_over(void **state)
{
    static const struct wr_slice rests[] = {
        {"\0", 1},          {"\0\0\0\0\0\0\0\0\0", 9}, {"garbage", 7},
        {"\x1f", 1},        {"\x1f\x8c\x08", 3},       {"\0\x1f\x8b\x08", 4},
        {"\x1f\x1f\x8b", 3}};

    (void)state;
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        struct wr_buf body = encoded("gzip", text("hello"));

        assert_true(wr_buf_append(&body, rests[i].data, rests[i].len));
        assert_gives(decode("gzip", slice(&body)), text("hello"));
        assert_gives(decode_split("gzip", slice(&body), &no_limits, by_byte),
                     text("hello"));
        wr_buf_done(&body);
    }
}

static void test_a_second_member_must_be_whole(void **state)
{
    struct wr_buf body = encoded("gzip", text("hello"));
    const size_t one = body.len;

    (void)state;
    encode(&body, text("world"), WR_CODING_GZIP);
    for (size_t len = one + 2; len < body.len; len++)
        assert_fails(decode("gzip", upto(slice(&body), len)), WEIR_E_CODING,
                     "gzip content ended early");
    body.data[body.len - 1] ^= 1;
    assert_fails(decode("gzip", slice(&body)), WEIR_E_CODING,
                 "invalid gzip content: incorrect length check");
    body.data[one + 2] = 7;
    assert_fails(decode("gzip", slice(&body)), WEIR_E_CODING,
                 "invalid gzip content: unknown compression method");
    wr_buf_done(&body);
}

/* The outer coding must come to its end all the same. */
static void test_garbage_within_an_outer_coding(void **state)
{
    struct wr_buf inner = encoded("gzip", text("hello"));
    struct wr_buf body = {0};

    (void)state;
    assert_true(wr_buf_append(&inner, "garbage", 7));
    encode(&body, slice(&inner), WR_CODING_DEFLATE);
    assert_gives(decode("gzip, deflate", slice(&body)), text("hello"));
    assert_fails(decode("gzip, deflate", upto(slice(&body), body.len - 1)),
                 WEIR_E_CODING, "deflate content ended early");
    body.data[body.len - 1] ^= 1;
    assert_fails(decode("gzip, deflate", slice(&body)), WEIR_E_CODING,
                 "invalid deflate content: incorrect data check");
    wr_buf_done(&inner);
    wr_buf_done(&body);
}

#endif

#if defined(WEIR_HAVE_BROTLI)

/* --- br ------------------------------------------------------------------ */

static void test_what_follows_br_is_passed_over(void **state)
{
    struct wr_buf body = encoded("br", text("hello"));
    struct outcome outcome;

    (void)state;
    assert_true(wr_buf_append(&body, "rest", 4));
    outcome = decode("br", slice(&body));
    assert_true(outcome.done);
    assert_int_equal(outcome.used, body.len - 4);
    assert_gives(outcome, text("hello"));
    wr_buf_done(&body);
}

static void test_flushed_br_is_given(void **state)
{
    BrotliEncoderState *encoder = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    const uint8_t *in = (const uint8_t *)"hello";
    uint8_t bytes[256];
    uint8_t *out = bytes;
    size_t in_len = 5;
    size_t room = sizeof bytes;

    (void)state;
    assert_true(BrotliEncoderCompressStream(encoder, BROTLI_OPERATION_FLUSH,
                                            &in_len, &in, &room, &out, NULL));
    assert_gives_flushed("br", bytes, sizeof bytes - room);
    BrotliEncoderDestroyInstance(encoder);
}

/* RFC 7932 section 9.1: 0x11 begins no stream; brotli's own extension uses it
 * for windows of up to 1 GiB. */
static void test_br_refuses_a_large_window(void **state)
{
    const struct wr_slice body = {"\x11\x1e\x06", 3};

    (void)state;
    assert_fails(decode("br", body), WEIR_E_CODING, "invalid br content");
}

#endif

#if defined(WEIR_HAVE_ZSTD)

/* --- zstd ---------------------------------------------------------------- */

static void test_zstd_frames_are_one_body(void **state)
{
    static const char skipped[] = "\x5a\x2a\x4d\x18\x03\0\0\0abc";
    static const char empty[] = "\x50\x2a\x4d\x18\0\0\0\0";
    struct wr_buf body = {0};

    (void)state;
    assert_true(wr_buf_append(&body, skipped, sizeof skipped - 1));
    assert_gives(decode("zstd", slice(&body)), text(""));
    encode(&body, text("one "), WR_CODING_ZSTD);
    encode(&body, text(""), WR_CODING_ZSTD);
    assert_true(wr_buf_append(&body, skipped, sizeof skipped - 1));
    encode(&body, text("two"), WR_CODING_ZSTD);
    assert_true(wr_buf_append(&body, empty, sizeof empty - 1));
    assert_gives(decode("zstd", slice(&body)), text("one two"));
    for (size_t first = 1; first < body.len; first++) {
        const struct split two = {first, MOST_IN, 1, 0};

        assert_gives(decode_split("zstd", slice(&body), &no_limits, two),
                     text("one two"));
    }
    assert_fails(decode("zstd", upto(slice(&body), body.len - 1)),
                 WEIR_E_CODING, "zstd content ended early");
    wr_buf_done(&body);
}

static void test_zstd_refuses_what_is_no_frame(void **state)
{
    /* An empty frame of version 0.7. */
    static const struct wr_slice rests[] = {
        {"garbage", 7}, {"\0\0\0\0", 4}, {"\x27\xb5\x2f\xfd\0\0\0\0\0", 9}};

    (void)state;
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        struct wr_buf body = encoded("zstd", text("hello"));

        assert_fails(decode("zstd", rests[i]), WEIR_E_CODING,
                     "invalid zstd content");
        assert_true(wr_buf_append(&body, rests[i].data, rests[i].len));
        assert_fails(decode("zstd", slice(&body)), WEIR_E_CODING,
                     "invalid zstd content");
        wr_buf_done(&body);
    }
}

static void test_flushed_zstd_is_given(void **state)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_inBuffer in = {"hello", 5, 0};
    char bytes[256];
    ZSTD_outBuffer out = {bytes, sizeof bytes, 0};

    (void)state;
    assert_int_equal(ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush), 0);
    assert_gives_flushed("zstd", bytes, out.pos);
    ZSTD_freeCCtx(context);
}

/* A frame of five bytes in a raw block, whose header tells its size and wants
 * a window of 2^(10 + exponent) bytes. */
static void test_zstd_windows_are_at_most_8_mib(void **state)
{
    char body[] = "\x28\xb5\x2f\xfd\x80\0\x05\0\0\0\x29\0\0hello";
    const struct wr_slice frame = {body, sizeof body - 1};

    (void)state;
    body[5] = 13 << 3; /* 8 MiB */
    assert_gives(decode("zstd", frame), text("hello"));
    assert_gives(decode_split("zstd", frame, &no_limits, by_byte),
                 text("hello"));
    body[5] = (13 << 3) + 1; /* 9 MiB */
    assert_fails(decode("zstd", frame), WEIR_E_CODING, "memory");
    assert_fails(decode_split("zstd", frame, &no_limits, by_byte),
                 WEIR_E_CODING, "memory");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codings_have_names),
#if defined(WEIR_HAVE_ZLIB)
        cmocka_unit_test(test_deflate_with_and_without_wrapper),
        cmocka_unit_test(test_a_stored_deflate_block_is_no_wrapper),
        cmocka_unit_test(test_deflate_refuses_a_dictionary),
        cmocka_unit_test(test_what_follows_deflate_is_passed_over),
        cmocka_unit_test(test_flushed_deflate_is_given),
        cmocka_unit_test(test_gzip_members_are_one_body),
        cmocka_unit_test(test_what_follows_gzip_is_passed_over),
        cmocka_unit_test(test_a_second_member_must_be_whole),
        cmocka_unit_test(test_garbage_within_an_outer_coding),
#endif
#if defined(WEIR_HAVE_BROTLI)
        cmocka_unit_test(test_what_follows_br_is_passed_over),
        cmocka_unit_test(test_flushed_br_is_given),
        cmocka_unit_test(test_br_refuses_a_large_window),
#endif
#if defined(WEIR_HAVE_ZSTD)
        cmocka_unit_test(test_zstd_frames_are_one_body),
        cmocka_unit_test(test_zstd_refuses_what_is_no_frame),
        cmocka_unit_test(test_flushed_zstd_is_given),
        cmocka_unit_test(test_zstd_windows_are_at_most_8_mib),
#endif
    };

    return cmocka_run_group_tests(tests, open_rooms, close_rooms);
}
