/* Asking for a tunnel: what goes out, and every answer split at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "shortage.h"

#include "http/tunnel.h"

static const struct wr_head_limits limits = {256, 1024, 16, false};
static struct wr_proxy proxy;
static struct wr_tunnel tunnel;
static weir_error err;

/* What is asked, and the answer, turn by turn. */
struct turn {
    const char *asked;
    size_t asked_len;
    const char *answer;
    size_t answer_len;
};

#define TURN(asked, answer)                                                    \
    {                                                                          \
        (asked), sizeof(asked) - 1, (answer), sizeof(answer) - 1               \
    }

static void ask(const char *url, const char *host, uint16_t port)
{
    if (wr_proxy_parse(&proxy, url, &err) != WEIR_OK)
        fail_msg("%s: %s", url, err.message);
    assert_int_equal(wr_tunnel_ask(&tunnel, &proxy, host, port, &limits, &err),
                     WEIR_OK);
}

static void done(void)
{
    wr_tunnel_done(&tunnel);
    wr_tunnel_done(&tunnel);
    wr_proxy_done(&proxy);
}

/* The question that stands, taken in two pieces. */
static void check_asked(const struct turn *turn)
{
    struct wr_slice unsent = wr_tunnel_unsent(&tunnel);

    assert_int_equal(unsent.len, turn->asked_len);
    assert_memory_equal(unsent.data, turn->asked, turn->asked_len);
    wr_tunnel_sent(&tunnel, 1);
    unsent = wr_tunnel_unsent(&tunnel);
    assert_int_equal(unsent.len, turn->asked_len - 1);
    wr_tunnel_sent(&tunnel, unsent.len);
    assert_int_equal(wr_tunnel_unsent(&tunnel).len, 0);
}

/* Gives an answer in pieces of `piece` bytes, the first of `first`. */
static enum wr_parse_result give(const struct turn *turn, size_t first,
                                 size_t piece)
{
    enum wr_parse_result result = WR_PARSE_MORE;
    size_t at = 0;

    while (at < turn->answer_len && result == WR_PARSE_MORE) {
        size_t len = at == 0 ? first : piece;

        if (len > turn->answer_len - at)
            len = turn->answer_len - at;
        result = wr_tunnel_take(&tunnel, turn->answer + at, len, &err);
        at += len;
    }
    return result;
}

/* Runs the turns with every split of each answer: in two pieces at every byte,
 * and byte by byte. */
static void run(const char *url, const char *host, const struct turn *turns,
                unsigned count, enum wr_parse_result wanted,
                const char *message)
{
    size_t longest = 0;

    for (unsigned i = 0; i < count; i++)
        longest = turns[i].answer_len > longest ? turns[i].answer_len : longest;
    for (size_t split = 1; split <= longest + 1; split++) {
        const bool singly = split == longest + 1;
        enum wr_parse_result result = WR_PARSE_MORE;

        ask(url, host, 443);
        for (unsigned i = 0; i < count && result == WR_PARSE_MORE; i++) {
            check_asked(&turns[i]);
            result = give(&turns[i], singly ? 1 : split, singly ? 1 : longest);
        }
        assert_int_equal(result, wanted);
        if (message)
            assert_string_equal(err.message, message);
        done();
    }
}

#define AGREES(url, host, ...)                                                 \
    do {                                                                       \
        static const struct turn turns[] = {__VA_ARGS__};                      \
        run((url), (host), turns, sizeof turns / sizeof *turns, WR_PARSE_DONE, \
            NULL);                                                             \
    } while (0)
#define REFUSES(url, host, message, status, ...)                               \
    do {                                                                       \
        static const struct turn turns[] = {__VA_ARGS__};                      \
        run((url), (host), turns, sizeof turns / sizeof *turns,                \
            WR_PARSE_ERROR, (message));                                        \
        assert_int_equal(err.code, (status));                                  \
    } while (0)

/* --- CONNECT ------------------------------------------------------------- */

#define ASKED "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"

static void connect_is_agreed_to(void **state)
{
    (void)state;
    AGREES("http://p:1", "a.example", TURN(ASKED, "HTTP/1.1 200 OK\r\n\r\n"));
    AGREES(
        "http://p:1", "a.example",
        TURN(ASKED, "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n"));
    AGREES("https://p:1", "a.example", TURN(ASKED, "HTTP/1.1 204 \r\n\r\n"));
    AGREES("http://p:1", "::1",
           TURN("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n",
                "HTTP/1.1 200 OK\r\n\r\n"));
    AGREES("http://p:1", "fe80::1%eth0",
           TURN("CONNECT [fe80::1]:443 HTTP/1.1\r\nHost: [fe80::1]:443\r\n\r\n",
                "HTTP/1.1 200 OK\r\n\r\n"));
}

/* RFC 9110 section 9.3.6 */
static void connect_has_no_body_whatever_the_fields_say(void **state)
{
    (void)state;
    AGREES("http://p:1", "a.example",
           TURN(ASKED, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
    AGREES(
        "http://p:1", "a.example",
        TURN(ASKED, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
}

static void connect_sends_basic(void **state)
{
    (void)state;
    AGREES("http://user:secret@p:1", "a.example",
           TURN("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"
                "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n\r\n",
                "HTTP/1.1 200 OK\r\n\r\n"));
}

static void connect_passes_over_interim_responses(void **state)
{
    (void)state;
    AGREES("http://p:1", "a.example",
           TURN(ASKED, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nA: b\r\n"
                       "\r\nHTTP/1.1 200 OK\r\n\r\n"));
    ask("http://p:1", "a.example", 443);
    for (int i = 0; i < 16; i++)
        assert_int_equal(
            wr_tunnel_take(&tunnel, "HTTP/1.1 100 \r\n\r\n", 17, &err),
            WR_PARSE_MORE);
    assert_int_equal(wr_tunnel_take(&tunnel, "HTTP/1.1 100 \r\n\r\n", 17, &err),
                     WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_LIMIT);
    done();
}

static void connect_is_refused(void **state)
{
    (void)state;
    REFUSES("http://p:1", "a.example",
            "proxy p:1: CONNECT a.example:443: 407 Proxy Authentication "
            "Required",
            WEIR_E_PROXY,
            TURN(ASKED, "HTTP/1.1 407 Proxy Authentication Required\r\n"
                        "Content-Length: 0\r\n\r\n"));
    REFUSES("http://u:secret@[::1]:1", "b", "proxy [::1]:1: CONNECT b:443: 503",
            WEIR_E_PROXY,
            TURN("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n"
                 "Proxy-Authorization: Basic dTpzZWNyZXQ=\r\n\r\n",
                 "HTTP/1.1 503 \r\n\r\n"));
    REFUSES("http://p:1", "a.example",
            "proxy p:1: CONNECT a.example:443: 101 no", WEIR_E_PROXY,
            TURN(ASKED, "HTTP/1.1 101 no\r\n\r\n"));
    REFUSES("http://p:1", "a.example",
            "proxy p:1: CONNECT a.example:443: 302 ?", WEIR_E_PROXY,
            TURN(ASKED, "HTTP/1.1 302 \xff\r\n\r\n"));
}

static void connect_is_answered_with_something_else(void **state)
{
    static const struct turn behind =
        TURN(ASKED, "HTTP/1.1 200 OK\r\n\r\nmore");
    static const struct turn no_http = TURN(ASKED, "SSH-2.0\r\n");
    char longer[300];

    (void)state;
    ask("http://p:1", "a.example", 443);
    assert_int_equal(give(&behind, 100, 100), WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_PROTOCOL);
    assert_string_equal(err.message, "proxy p:1: CONNECT a.example:443: 4 "
                                     "bytes behind the answer");
    done();
    ask("http://p:1", "a.example", 443);
    assert_int_equal(give(&no_http, 100, 100), WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_PROTOCOL);
    assert_non_null(strstr(err.message, "proxy p:1: CONNECT a.example:443: "
                                        "invalid response"));
    done();
    memset(longer, 'x', sizeof longer);
    memcpy(longer, "HTTP/1.1 200 ", 13);
    ask("http://p:1", "a.example", 443);
    assert_int_equal(wr_tunnel_take(&tunnel, longer, sizeof longer, &err),
                     WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_LIMIT);
    done();
}

/* --- SOCKS5 -------------------------------------------------------------- */

#define HELLO "\x05\x01\x00"
#define HELLO_USER "\x05\x02\x00\x02"
#define NO_USER "\x05\x00"
#define ASK_NAME                                                               \
    "\x05\x01\x00\x03\x09"                                                     \
    "a.example\x01\xbb"
#define GRANTED "\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"

static void socks_agrees_with_any_kind_of_address(void **state)
{
    (void)state;
    AGREES("socks5h://p", "a.example", TURN(HELLO, NO_USER),
           TURN(ASK_NAME, GRANTED));
    AGREES("socks5h://p", "a.example", TURN(HELLO, NO_USER),
           TURN(ASK_NAME, "\x05\x00\x00\x03\x03"
                          "abc\x12\x34"));
    AGREES("socks5h://p", "a.example", TURN(HELLO, NO_USER),
           TURN(ASK_NAME, "\x05\x00\x00\x03\x00\x12\x34"));
    AGREES("socks5h://p", "a.example", TURN(HELLO, NO_USER),
           TURN(ASK_NAME, "\x05\x00\x00\x04"
                          "0123456789abcdef\x12\x34"));
    AGREES("socks5://p", "127.0.0.1", TURN(HELLO, NO_USER),
           TURN("\x05\x01\x00\x01\x7f\x00\x00\x01\x01\xbb", GRANTED));
    AGREES("socks5h://p", "::1%eth0", TURN(HELLO, NO_USER),
           TURN("\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb",
                GRANTED));
}

/* RFC 1929 */
static void socks_with_user_and_password(void **state)
{
    (void)state;
    AGREES("socks5h://me:pass@p", "a.example", TURN(HELLO_USER, "\x05\x02"),
           TURN("\x01\x02me\x04pass", "\x01\x00"), TURN(ASK_NAME, GRANTED));
    /* It need not ask for them. */
    AGREES("socks5h://me:pass@p", "a.example", TURN(HELLO_USER, NO_USER),
           TURN(ASK_NAME, GRANTED));
    REFUSES("socks5h://me:secret@p", "a.example",
            "proxy p:1080: SOCKS5 a.example:443: user or password refused",
            WEIR_E_PROXY, TURN(HELLO_USER, "\x05\x02"),
            TURN("\x01\x02me\x06secret", "\x01\x01"));
    REFUSES("socks5h://me:secret@p", "a.example",
            "proxy p:1080: SOCKS5 a.example:443: invalid answer: version of "
            "authentication 5",
            WEIR_E_PROTOCOL, TURN(HELLO_USER, "\x05\x02"),
            TURN("\x01\x02me\x06secret", "\x05\x00"));
}

static void socks_refuses_the_method(void **state)
{
    (void)state;
    REFUSES("socks5h://p", "a.example",
            "proxy p:1080: SOCKS5 a.example:443: authentication is required",
            WEIR_E_PROXY, TURN(HELLO, "\x05\xff"));
    REFUSES("socks5h://me:pass@p", "a.example",
            "proxy p:1080: SOCKS5 a.example:443: neither no authentication "
            "nor user and password will do",
            WEIR_E_PROXY, TURN(HELLO_USER, "\x05\xff"));
    /* One that was not offered. */
    REFUSES("socks5h://p", "a.example",
            "proxy p:1080: SOCKS5 a.example:443: invalid answer: method 2",
            WEIR_E_PROTOCOL, TURN(HELLO, "\x05\x02"));
    REFUSES("socks5h://p", "a.example",
            "proxy p:1080: SOCKS5 a.example:443: invalid answer: version 72",
            WEIR_E_PROTOCOL, TURN(HELLO, "HTTP/1.1 400\r\n\r\n"));
}

static void socks_gives_its_reason(void **state)
{
    static const char *const reasons[] = {
        "general failure (reply 1)",
        "not allowed by its rules (reply 2)",
        "network unreachable (reply 3)",
        "host unreachable (reply 4)",
        "connection refused (reply 5)",
        "TTL expired (reply 6)",
        "command not supported (reply 7)",
        "address type not supported (reply 8)",
        "unknown reply (reply 9)",
    };

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        const char reply[] = {5, (char)(i + 1), 0, 1, 0, 0, 0, 0, 0, 0};
        const struct turn turns[] = {
            TURN(HELLO, NO_USER),
            {ASK_NAME, sizeof ASK_NAME - 1, reply, sizeof reply}};
        char message[128];

        snprintf(message, sizeof message,
                 "proxy p:1080: SOCKS5 a.example:443: %s", reasons[i]);
        run("socks5h://p", "a.example", turns, 2, WR_PARSE_ERROR, message);
        assert_int_equal(err.code, WEIR_E_PROXY);
    }
}

static void socks_is_broken(void **state)
{
    static const struct turn early = TURN(HELLO, NO_USER GRANTED);
    static const struct turn method = TURN(HELLO, NO_USER);
    static const struct turn behind = TURN(ASK_NAME, GRANTED "x");

    (void)state;
    REFUSES("socks5h://p", "a.example",
            "proxy p:1080: SOCKS5 a.example:443: invalid answer: address type "
            "2",
            WEIR_E_PROTOCOL, TURN(HELLO, NO_USER),
            TURN(ASK_NAME, "\x05\x00\x00\x02\x00"));
    ask("socks5h://p", "a.example", 443);
    assert_int_equal(give(&early, 100, 100), WR_PARSE_ERROR);
    assert_int_equal(err.code, WEIR_E_PROTOCOL);
    done();
    ask("socks5h://p", "a.example", 443);
    assert_int_equal(give(&method, 2, 2), WR_PARSE_MORE);
    assert_int_equal(give(&behind, 100, 100), WR_PARSE_ERROR);
    assert_string_equal(
        err.message,
        "proxy p:1080: SOCKS5 a.example:443: bytes behind the answer");
    done();
}

/* Each allocation in turn fails. */
static void without_memory_it_is_an_error(void **state)
{
    static const char *const urls[] = {"http://p", "socks5h://me:pass@p"};
    static const struct turn connected = TURN(ASKED, "HTTP/1.1 200 OK\r\n\r\n");

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(wr_proxy_parse(&proxy, urls[i], &err), WEIR_OK);
        for (long n = 0;; n++) {
            weir_status status;

            shortage_begin();
            shortage_in = n;
            status =
                wr_tunnel_ask(&tunnel, &proxy, "a.example", 1, &limits, &err);
            if (status == WEIR_OK &&
                give(&connected, 100, 100) != WR_PARSE_ERROR)
                n = -2;
            else if (i == 0 || status != WEIR_OK)
                assert_int_equal(err.code, WEIR_E_NO_MEMORY);
            else if (err.code != WEIR_E_NO_MEMORY)
                n = -2; /* the answer is not that of SOCKS */
            wr_tunnel_done(&tunnel);
            assert_int_equal(shortage_held, 0);
            shortage_end();
            if (n < 0)
                break;
        }
        wr_proxy_done(&proxy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connect_is_agreed_to),
        cmocka_unit_test(connect_has_no_body_whatever_the_fields_say),
        cmocka_unit_test(connect_sends_basic),
        cmocka_unit_test(connect_passes_over_interim_responses),
        cmocka_unit_test(connect_is_refused),
        cmocka_unit_test(connect_is_answered_with_something_else),
        cmocka_unit_test(socks_agrees_with_any_kind_of_address),
        cmocka_unit_test(socks_with_user_and_password),
        cmocka_unit_test(socks_refuses_the_method),
        cmocka_unit_test(socks_gives_its_reason),
        cmocka_unit_test(socks_is_broken),
        cmocka_unit_test(without_memory_it_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
