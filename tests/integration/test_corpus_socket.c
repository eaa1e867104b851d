/* Every case of tests/corpus/h1 through a real socket, in one piece and byte by
 * byte, and with each driver: what the cases say of a response must come out of
 * the public interface, and the next request must get its own answer. */
#include "certified.h"

#include <stdlib.h>

#include "corpus.h"
#include "origin.h"

/* The fewest cases that must be there. */
enum {
    CASES_MIN = 500,
    SINGLY_MAX = 600, /* bytes of a response that is sent byte by byte */
};

/* The least that the options allow.  Cases with smaller limits are for the
 * parser alone, and so is the one without a byte: through a socket that is no
 * response cut short, but a connection lost before one. */
enum {
    LEAST_BYTES = 64
};

#define NEXT "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"

static struct corpus corpus;

/* What a response was, taken down while it lived. */
struct seen {
    const struct corpus_case *wanted;
    weir_status code;
    weir_error err;
    int status;
    int version;
    char *body;
    size_t body_len;
    bool has_reason; /* as the case says */
    bool has_fields;
    bool has_trailers;
    uint64_t connection;
};

static bool is_testable(const struct corpus_case *wanted)
{
    return wanted->bytes.len > 0 &&
           (!wanted->status_line || wanted->status_line >= LEAST_BYTES) &&
           (!wanted->section || wanted->section >= LEAST_BYTES);
}

/* Bytes behind the response may come when the next request is under way: then
 * nobody can tell that they are no answer to it (RFC 9112 section 9.2). */
static bool is_testable_singly(const struct corpus_case *wanted)
{
    return is_testable(wanted) && wanted->bytes.len <= SINGLY_MAX &&
           wanted->surplus == 0;
}

/* Must the peer close for the case to come out as it says? */
static bool ends_by_closing(const struct corpus_case *wanted)
{
    if (wanted->error || wanted->cut)
        return true;
    return wanted->framing ? strcmp(wanted->framing, "close") == 0
                           : wanted->reuse != 1;
}

/* The cases judge what the response alone says; a server that keeps it for no
 * longer than the margin, or sends more, ends the reuse as well (rules 2.12 and
 * 2.13). */
static bool is_reusable(const struct corpus_case *wanted)
{
    return wanted->reuse == 1 && wanted->surplus == 0 &&
           (wanted->keep_alive < 0 || wanted->keep_alive > 2);
}

/* --- what the case says -------------------------------------------------- */

static bool equals(weir_slice slice, const char *bytes, size_t len)
{
    return slice.len == len && (!len || memcmp(slice.data, bytes, len) == 0);
}

/* "Name: value", as the corpus writes a field. */
static bool is_field(weir_field field, const struct corpus_bytes *line)
{
    const char *colon = memchr(line->data, ':', line->len);
    const size_t name_len = colon ? (size_t)(colon - line->data) : 0;
    const size_t skip_len = name_len + 1 + (colon && colon[1] == ' ');

    return colon && equals(field.name, line->data, name_len) &&
           skip_len <= line->len &&
           equals(field.value, line->data + skip_len, line->len - skip_len);
}

static bool has_fields(const weir_response *response,
                       const struct corpus_case *wanted)
{
    if (wanted->fields.count == 0)
        return true;
    if (weir_response_field_count(response) != wanted->fields.count)
        return false;
    for (size_t i = 0; i < wanted->fields.count; i++) {
        if (!is_field(weir_response_field(response, i),
                      &wanted->fields.lines[i]))
            return false;
    }
    return true;
}

static bool has_trailers(const weir_response *response,
                         const struct corpus_case *wanted)
{
    if (weir_response_trailer_count(response) != wanted->trailers.count)
        return false;
    for (size_t i = 0; i < wanted->trailers.count; i++) {
        if (!is_field(weir_response_trailer(response, i),
                      &wanted->trailers.lines[i]))
            return false;
    }
    return true;
}

/* --- one case ------------------------------------------------------------ */

static void note_head(struct seen *seen, const weir_response *response)
{
    const struct corpus_case *wanted = seen->wanted;

    seen->status = weir_response_status(response);
    seen->version = weir_response_version(response);
    seen->connection = weir_response_connection(response);
    seen->has_reason =
        !wanted->reason.data || equals(weir_response_reason(response),
                                       wanted->reason.data, wanted->reason.len);
    seen->has_fields = has_fields(response, wanted);
}

static void note_body(struct seen *seen, const void *data, size_t len)
{
    seen->body = realloc(seen->body, seen->body_len + len + 1);
    assert_non_null(seen->body);
    memcpy(seen->body + seen->body_len, data, len);
    seen->body_len += len;
}

static void note_end(struct seen *seen, const weir_response *response)
{
    seen->has_trailers =
        seen->code != WEIR_OK || has_trailers(response, seen->wanted);
}

static void call_blocking(weir_pool *pool, weir_request *request,
                          struct seen *seen)
{
    weir_response *response = NULL;
    char buf[4096];
    size_t len;

    seen->code = weir_send(pool, request, &response, &seen->err);
    if (seen->code != WEIR_OK)
        return;
    note_head(seen, response);
    do {
        len = 0;
        seen->code =
            weir_response_read(response, buf, sizeof buf, &len, &seen->err);
        note_body(seen, buf, len);
    } while (seen->code == WEIR_OK && len > 0);
    note_end(seen, response);
    weir_response_free(response);
}

static void on_head(void *user, weir_call *call, weir_response *response)
{
    (void)call;
    note_head((struct seen *)user, response);
}

static weir_flow on_data(void *user, weir_call *call, const void *data,
                         size_t len)
{
    (void)call;
    note_body((struct seen *)user, data, len);
    return WEIR_FLOW_ON;
}

static void call_by_loop(weir_pool *pool, weir_request *request,
                         struct seen *seen)
{
    static const weir_handlers handlers = {
        .size = sizeof handlers, .on_response = on_head, .on_body = on_data};
    weir_response *response = NULL;

    seen->code =
        submit_and_wait(pool, request, &handlers, seen, &response, &seen->err);
    note_end(seen, response);
    weir_response_free(response);
}

static void take_down(const struct corpus_case *wanted, weir_pool *pool,
                      const char *url, struct seen *seen)
{
    weir_request *request = must_request(wanted->head ? "HEAD" : "GET", url);

    memset(seen, 0, sizeof *seen);
    seen->wanted = wanted;
    if (is_driver("blocking"))
        call_blocking(pool, request, seen);
    else
        call_by_loop(pool, request, seen);
    weir_request_free(request);
}

/* NULL: as the case says. */
static const char *differs(const struct corpus_case *wanted,
                           const struct seen *seen)
{
    if (strcmp(weir_status_name(seen->code),
               wanted->error ? wanted->error : "WEIR_OK") != 0)
        return "outcome";
    if (seen->status == 0)
        return NULL; /* refused before there was anything to see */
    if (wanted->status && seen->status != wanted->status)
        return "status";
    if (wanted->version && seen->version != wanted->version)
        return "version";
    if (!seen->has_reason)
        return "reason";
    if (!seen->has_fields)
        return "fields";
    if (wanted->body.data &&
        (seen->body_len != wanted->body.len ||
         (seen->body_len &&
          memcmp(seen->body, wanted->body.data, seen->body_len) != 0)))
        return "body";
    if (!seen->has_trailers)
        return "trailers";
    return NULL;
}

/* The next request gets its own answer, on the connection it should. */
static const char *differs_next(const struct corpus_case *wanted,
                                struct origin *origin, weir_pool *pool)
{
    struct outcome next;

    get(pool, origin_url(origin, "/next"), &next);
    if (next.code != WEIR_OK || strcmp(next.body, "next") != 0)
        return "next answer";
    if (!ends_by_closing(wanted) && wanted->reuse >= 0 &&
        next.is_reused != is_reusable(wanted))
        return "reuse";
    if (ends_by_closing(wanted) && next.is_reused)
        return "reuse of what was closed";
    return figures_of(pool).stale_retries ? "stale retry" : NULL;
}

static weir_pool *open_for(const struct corpus_case *wanted)
{
    weir_pool_options options = test_options();

    options.total_timeout = 10;
    options.strict = wanted->strict;
    options.verify = false;
    if (wanted->status_line)
        options.max_status_line = wanted->status_line;
    if (wanted->section)
        options.max_header_bytes = wanted->section;
    if (wanted->field_limit)
        options.max_header_fields = wanted->field_limit;
    return must_open(&options);
}

static bool run(const struct corpus_case *wanted, enum origin_verb how)
{
    static const struct origin_step answers_next[] = {O_EXPECT, O_SEND(NEXT),
                                                      O_AGAIN};
    const struct origin_step stays[] = {
        O_EXPECT,
        {how, wanted->bytes.data, wanted->bytes.len, 0},
        O_EXPECT,
        O_SEND(NEXT),
        O_END};
    const struct origin_step closes[] = {
        stays[0],
        stays[1],
        {wanted->cut ? ORIGIN_CUT : ORIGIN_CLOSE, 0, 0, 0},
        O_POST(0),
        O_END};
    struct origin *origin = origin_start(
        &(struct origin_options){.certs = wanted->cut ? certs : NULL});
    weir_pool *pool = open_for(wanted);
    const char *what;
    struct seen seen;

    assert_non_null(origin);
    origin_script(origin, 0, ends_by_closing(wanted) ? closes : stays);
    origin_script(origin, 1, answers_next);
    take_down(wanted, pool, origin_url(origin, "/first"), &seen);
    what = differs(wanted, &seen);
    /* Byte by byte, it is weir who closes after an error, and first. */
    if (ends_by_closing(wanted) &&
        !(how == ORIGIN_SEND_SINGLY && wanted->error))
        assert_true(origin_wait(origin, 0));
    if (!what)
        what = differs_next(wanted, origin, pool);
    if (what)
        print_error("%s:%u: %s: %s differs (%s %s)\n", wanted->file,
                    wanted->line, wanted->name, what,
                    weir_status_name(seen.code),
                    seen.code ? seen.err.message : "");
    free(seen.body);
    weir_pool_free(pool);
    origin_stop(origin);
    return what == NULL;
}

static void test_every_case_of_the_corpus(void **state)
{
    unsigned run_count = 0;
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < corpus.count; i++) {
        if (!is_testable(&corpus.cases[i]))
            continue;
        run_count++;
        bad += !run(&corpus.cases[i], ORIGIN_SEND);
    }
    print_message("# cases responses %u\n", run_count);
    assert_true(run_count >= CASES_MIN);
    assert_int_equal(bad, 0);
}

static void test_every_case_byte_by_byte(void **state)
{
    unsigned run_count = 0;
    unsigned bad = 0;

    (void)state;
    for (size_t i = 0; i < corpus.count; i++) {
        if (!is_testable_singly(&corpus.cases[i]))
            continue;
        run_count++;
        bad += !run(&corpus.cases[i], ORIGIN_SEND_SINGLY);
    }
    print_message("# cases responses-byte-by-byte %u\n", run_count);
    assert_true(run_count >= CASES_MIN);
    assert_int_equal(bad, 0);
}

static int load(void **state)
{
    if (make_certs(state) != 0)
        return -1;
    return corpus_load(&corpus, WEIR_TESTS_DIR "/corpus/h1") ? 0 : -1;
}

static int unload(void **state)
{
    corpus_free(&corpus);
    return drop_certs(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_case_of_the_corpus),
        cmocka_unit_test(test_every_case_byte_by_byte),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
