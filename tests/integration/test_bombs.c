/* Coded bodies that would fill any memory: they end quickly, and what the
 * process takes meanwhile stays small.  The figures are printed.
 *
 * The bomb is 1 MiB of zstd that stands for 10 GiB: 262,144 blocks of four
 * bytes, each of which says "40,960 times this byte" (RFC 8878 section 3.1.1.2,
 * RLE_Block). */
#include "client.h"

#include <sys/resource.h>

#include "origin_pool.h"
#include "sanitized.h"

enum {
    MIB = 1 << 20,
    BLOCKS = 262144,
    BLOCK = 40960,
    BOMB = 6 + 4 * BLOCKS,
    LONG_STREAM = IS_SANITIZED ? 64 * MIB : 1024 * MIB,
    GROWTH_MIB = IS_SANITIZED ? 64 : 8 /* beyond what it has already */
};

_Static_assert((uint64_t)BLOCKS *BLOCK == UINT64_C(10) << 30, "10 GiB");

static char *answer;
static size_t answer_len;

/* --- the bomb ------------------------------------------------------------ */

/* A frame of unknown size with a window of 128 KiB (section 3.1.1.1). */
static void write_bomb(char *at)
{
    static const unsigned char head[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3};

    memcpy(at, head, sizeof head);
    at += sizeof head;
    for (uint32_t i = 0; i < BLOCKS; i++, at += 4) {
        const uint32_t block = BLOCK << 3 | 1 << 1 | (i == BLOCKS - 1);

        at[0] = (char)(block & 0xff);
        at[1] = (char)(block >> 8 & 0xff);
        at[2] = (char)(block >> 16);
        at[3] = 'x';
    }
}

/* What every connection answers to every request. */
static void answer_bomb(const char *codings)
{
    static struct origin_step steps[3];
    int head;

    answer = malloc(BOMB + 1024);
    head = snprintf(answer, 1024,
                    "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n"
                    "Content-Length: %d\r\n\r\n",
                    codings, BOMB);
    write_bomb(answer + head);
    answer_len = (size_t)head + BOMB;
    steps[0] = (struct origin_step)O_EXPECT;
    steps[1] = (struct origin_step){ORIGIN_SEND, answer, answer_len, 0};
    steps[2] = (struct origin_step)O_AGAIN;
    origin_script(origin, 0, steps);
}

static int set_up(void **state)
{
    (void)state;
    origin = origin_start(NULL);
    answer_bomb("zstd");
    return origin ? 0 : -1;
}

static int clean_up(void **state)
{
    tear_down(state); /* the origin sends it no more */
    free(answer);
    return 0;
}

/* Does this build know zstd? */
static bool asks_for_zstd(const weir_pool_options *options)
{
    struct origin *echo = origin_start(NULL);
    weir_pool *asking = must_open(options);
    struct outcome out;
    bool yes;

    get(asking, origin_url(echo, "/"), &out);
    yes = strstr(origin_request(echo, 0, 0)->head, "zstd") != NULL;
    weir_pool_free(asking);
    origin_stop(echo);
    return yes;
}

static weir_pool_options decoding(void)
{
    weir_pool_options options = test_options();

    options.decompress = true;
    return options;
}

static void open_decoding(const weir_pool_options *options)
{
    if (!asks_for_zstd(options))
        skip();
    open_pool(options);
}

/* --- measuring ----------------------------------------------------------- */

/* The most memory that the process has had, in KiB. */
static long peak_kib(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

struct measure {
    double begun;
    long kib;
};

static struct measure start_measure(void)
{
    return (struct measure){seconds_now(), peak_kib()};
}

static void end_measure(const struct measure *measure, const char *what)
{
    const double took = seconds_now() - measure->begun;
    const double grown = (double)(peak_kib() - measure->kib) / 1024;

    print_message("%s, %s: %.3f s, %.1f MiB more\n", test_driver(), what, took,
                  grown);
    assert_true(grown < GROWTH_MIB);
    assert_true(took < 20);
}

/* --- tests --------------------------------------------------------------- */

static void goes_out(const char *why, bool is_streamed, size_t at_most)
{
    weir_request *request = must_request("GET", origin_url(origin, "/"));
    const struct measure measure = start_measure();
    struct outcome out;
    char what[64];

    (is_streamed ? stream : fetch)(pool, request, &out);
    snprintf(what, sizeof what, "%s by %s, %zu bytes", why,
             is_streamed ? "stream" : "fetch", out.len);
    end_measure(&measure, what);
    assert_code(&out, WEIR_E_LIMIT);
    assert_non_null(strstr(out.err.message, why));
    assert_true(out.len <= at_most);
    assert_int_equal(figures_of(pool).open, 0);
    weir_request_free(request);
}

static void test_ten_gibibytes_in_one_mebibyte(void **state)
{
    const weir_pool_options options = decoding();

    (void)state;
    open_decoding(&options);
    goes_out("max_decode_ratio", true, 4 * MIB);
    goes_out("max_decode_ratio", false, 4 * MIB);
}

/* A program that allows any ratio reads as much as it wants; memory does not
 * grow with it. */
static void test_a_stream_of_any_length_takes_no_memory(void **state)
{
    weir_pool_options options = decoding();

    (void)state;
    options.max_decode_ratio = 1000000;
    options.max_decoded = LONG_STREAM;
    open_decoding(&options);
    goes_out("max_decoded", true, LONG_STREAM);
    options.max_body = MIB;
    open_decoding(&options);
    goes_out("max_body", false, MIB);
}

static void test_thirty_stacked_codings(void **state)
{
    const weir_pool_options options = decoding();
    char codings[30 * 6 + 1] = "";

    (void)state;
    for (int i = 0; i < 30; i++)
        strcat(codings, i ? ", zstd" : "zstd");
    free(answer);
    answer_bomb(codings);
    open_decoding(&options);
    goes_out("5", true, 0);
    goes_out("5", false, 0);
}

/* A response that is given up with all of its body to come. */
static void test_a_rest_is_dropped_undecoded(void **state)
{
    weir_pool_options options = decoding();
    weir_request *request;
    struct measure measure;

    (void)state;
    options.max_decode_ratio = 1000000;
    open_decoding(&options);
    request = must_request("GET", origin_url(origin, "/"));
    measure = start_measure();
    for (int i = 0; i < 20; i++) {
        weir_response *response = NULL;
        char byte;
        size_t len;

        assert_int_equal(weir_send(pool, request, &response, NULL), WEIR_OK);
        assert_int_equal(weir_response_read(response, &byte, 1, &len, NULL),
                         WEIR_OK);
        assert_int_equal(len, 1);
        weir_response_free(response);
    }
    end_measure(&measure, "20 rests of 10 GiB");
    assert_int_equal(figures_of(pool).closed[WEIR_CLOSE_ABANDONED], 20);
    weir_request_free(request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ten_gibibytes_in_one_mebibyte),
        TEST(test_a_stream_of_any_length_takes_no_memory),
        TEST(test_thirty_stacked_codings),
        TEST(test_a_rest_is_dropped_undecoded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
