/* TLS contexts: what they refuse, and what their digest knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/memory.h>

#include "certs_once.h"
#include "net/tls.h"

enum {
    PATH_BYTES = 256
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void copy_file(const char *from, const char *to, const char *mode)
{
    FILE *in_file = fopen(from, "r"), *out_file = fopen(to, mode);
    int c;

    assert_non_null(in_file);
    assert_non_null(out_file);
    while ((c = fgetc(in_file)) != EOF)
        fputc(c, out_file);
    fclose(in_file);
    fclose(out_file);
}

static void check_refused(const struct wr_tls_options *options,
                          weir_status code, const char *begin)
{
    struct wr_tls_context *context = NULL;
    weir_error err;

    assert_int_equal(wr_tls_context_new(options, &context, &err), code);
    assert_null(context);
    assert_int_equal(err.code, code);
    if (strncmp(err.message, begin, strlen(begin)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", err.message, begin);
    assert_true(strlen(err.message) > strlen(begin));
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(wr_tls_context_new(options, &context, NULL), code);
}

static void a_missing_or_broken_ca_source_is_named(void **state)
{
    char begin[2 * PATH_BYTES];
    const char *path = cert_file("not-there.pem");

    (void)state;
    snprintf(begin, sizeof begin, "CA file %s: no such file or directory",
             path);
    begin[strlen(begin) - 1] = '\0'; /* something must follow */
    check_refused(&(struct wr_tls_options){.verify = true, .ca_file = path},
                  WEIR_E_TLS, begin);
    /* Also when nothing would be verified: an option is never silent. */
    check_refused(&(struct wr_tls_options){.ca_file = path}, WEIR_E_TLS, begin);

    path = cert_file("garbage.pem");
    write_file(path, "This is no certificate.\n");
    snprintf(begin, sizeof begin, "CA file %s: ", path);
    check_refused(&(struct wr_tls_options){.verify = true, .ca_file = path},
                  WEIR_E_TLS, begin);

    path = cert_file("not-there");
    snprintf(begin, sizeof begin, "CA folder %s: no such file or director",
             path);
    check_refused(&(struct wr_tls_options){.verify = true, .ca_path = path},
                  WEIR_E_TLS, begin);
}

static void a_client_certificate_that_cannot_be_used_is_named(void **state)
{
    char begin[2 * PATH_BYTES];

    (void)state;
    snprintf(begin, sizeof begin, "certificate file %s: no such file",
             cert_file("none.pem"));
    check_refused(&(struct wr_tls_options){.cert_file = cert_file("none.pem")},
                  WEIR_E_TLS, begin);
    snprintf(begin, sizeof begin, "key file %s: no such file",
             cert_file("none.key"));
    check_refused(&(struct wr_tls_options){.cert_file = cert_file("client.pem"),
                                           .key_file = cert_file("none.key")},
                  WEIR_E_TLS, begin);
    snprintf(begin, sizeof begin, "key file %s: ", cert_file("server.key"));
    check_refused(&(struct wr_tls_options){.cert_file = cert_file("client.pem"),
                                           .key_file = cert_file("server.key")},
                  WEIR_E_TLS, begin);
    /* client.pem alone has no key in it */
    snprintf(begin, sizeof begin, "key file %s: ", cert_file("client.pem"));
    check_refused(
        &(struct wr_tls_options){.cert_file = cert_file("client.pem")},
        WEIR_E_TLS, begin);
}

/* The library never asks on the terminal. */
static void a_key_under_a_pass_phrase_is_refused(void **state)
{
    char begin[2 * PATH_BYTES];

    (void)state;
    snprintf(begin, sizeof begin, "key file %s: ", cert_file("locked.key"));
    check_refused(&(struct wr_tls_options){.cert_file = cert_file("client.pem"),
                                           .key_file = cert_file("locked.key")},
                  WEIR_E_TLS, begin);
}

/* rule 7: TLS 1.2 and later */
static void versions_below_1_2_are_refused(void **state)
{
    (void)state;
    check_refused(&(struct wr_tls_options){.min_version = "1.1"}, WEIR_E_OPTION,
                  "TLS version \"1.1\": expected \"1.2\" or \"1.3");
    check_refused(&(struct wr_tls_options){.min_version = ""}, WEIR_E_OPTION,
                  "TLS version");
}

/* Same digest, same trust. */
struct digest {
    unsigned char bytes[WR_DIGEST_LEN];
};

static struct digest digest_of(const struct wr_tls_options *options)
{
    struct wr_tls_context *context;
    struct digest digest;
    weir_error err;

    if (wr_tls_context_new(options, &context, &err) != WEIR_OK)
        fail_msg("%s", err.message);
    memcpy(digest.bytes, wr_tls_context_digest(context), WR_DIGEST_LEN);
    wr_tls_context_free(context);
    assert_int_equal(ERR_peek_error(), 0);
    return digest;
}

static bool is_same(const struct wr_tls_options *a,
                    const struct wr_tls_options *b)
{
    const struct digest x = digest_of(a), y = digest_of(b);

    return memcmp(x.bytes, y.bytes, WR_DIGEST_LEN) == 0;
}

/* rule 1.9: every option that decides who is trusted is in the digest */
static void every_option_changes_the_digest(void **state)
{
    const struct wr_tls_options variants[] = {
        {.verify = true},
        {.verify = false},
        {.verify = true, .min_version = "1.3"},
        {.verify = true, .ca_file = cert_file("ca.pem")},
        {.verify = false, .ca_file = cert_file("ca.pem")},
        {.verify = true, .ca_file = cert_file("other-ca.pem")},
        {.verify = true, .ca_path = cert_file("hashed")},
        {.verify = true,
         .ca_file = cert_file("ca.pem"),
         .ca_path = cert_file("hashed")},
        {.verify = true, .cert_file = cert_file("client-chain.pem")},
        {.verify = true,
         .cert_file = cert_file("other-client.pem"),
         .key_file = cert_file("other-client.key")},
    };
    const size_t count = sizeof variants / sizeof *variants;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (is_same(&variants[i], &variants[j]) != (i == j))
                fail_msg("variants %zu and %zu", i, j);
        }
    }
}

static void defaults_written_out_are_the_same(void **state)
{
    (void)state;
    assert_true(is_same(
        &(struct wr_tls_options){.verify = true},
        &(struct wr_tls_options){.verify = true, .min_version = "1.2"}));
}

static void content_counts_and_not_the_path(void **state)
{
    const struct wr_tls_options ca = {.verify = true,
                                      .ca_file = cert_file("ca.pem")};
    const struct wr_tls_options copy = {.verify = true,
                                        .ca_file = cert_file("copy.pem")};
    const struct wr_tls_options split = {.cert_file = cert_file("client.pem"),
                                         .key_file = cert_file("client.key")};
    const struct wr_tls_options joint = {.cert_file =
                                             cert_file("client-chain.pem")};

    (void)state;
    copy_file(ca.ca_file, copy.ca_file, "w");
    assert_true(is_same(&ca, &copy));
    assert_true(is_same(&split, &joint));
    copy_file(cert_file("other-ca.pem"), copy.ca_file, "a");
    assert_false(is_same(&ca, &copy)); /* the file has changed */
}

static void a_folder_counts_by_names_and_content(void **state)
{
    const struct wr_tls_options options = {.verify = true,
                                           .ca_path = cert_file("hashed")};
    const struct digest before = digest_of(&options);
    char added[PATH_BYTES + 16];
    struct digest after;

    (void)state;
    snprintf(added, sizeof added, "%s/README", options.ca_path);
    write_file(added, "OpenSSL does not look at this.\n");
    after = digest_of(&options);
    assert_memory_equal(before.bytes, after.bytes, WR_DIGEST_LEN);
    unlink(added);

    snprintf(added, sizeof added, "%s/0123abcd.0", options.ca_path);
    copy_file(cert_file("other-ca.pem"), added, "w");
    after = digest_of(&options);
    assert_memory_not_equal(before.bytes, after.bytes, WR_DIGEST_LEN);
    copy_file(cert_file("ca.pem"), added, "w");
    assert_memory_not_equal(digest_of(&options).bytes, after.bytes,
                            WR_DIGEST_LEN);
    unlink(added);
    after = digest_of(&options);
    assert_memory_equal(before.bytes, after.bytes, WR_DIGEST_LEN);
}

static void the_place_of_the_system_store_counts(void **state)
{
    const struct wr_tls_options options = {.verify = true};
    const struct digest before = digest_of(&options);
    struct digest after;

    (void)state;
    setenv("SSL_CERT_FILE", cert_file("ca.pem"), 1);
    after = digest_of(&options);
    unsetenv("SSL_CERT_FILE");
    assert_memory_not_equal(before.bytes, after.bytes, WR_DIGEST_LEN);
}

static int allocations_left;

static void *failing_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *failing_realloc(void *ptr, size_t size)
{
    return allocations_left-- > 0 ? realloc(ptr, size) : NULL;
}

static void each_allocation_may_fail(void **state)
{
    const weir_allocator failing = {failing_malloc, failing_realloc, free};
    const struct wr_tls_options options = {.verify = true,
                                           .ca_path = cert_file("hashed")};
    struct wr_tls_context *context = NULL;

    (void)state;
    assert_int_equal(weir_set_allocator(&failing), WEIR_OK);
    for (int n = 0; !context; n++) {
        weir_error err = {.code = WEIR_OK};

        allocations_left = n;
        if (wr_tls_context_new(&options, &context, &err) != WEIR_OK)
            assert_int_equal(err.code, WEIR_E_NO_MEMORY);
        assert_true(n < 100);
    }
    wr_tls_context_free(context);
    allocations_left = 0;
    assert_null(wr_tls_sessions_new(10));
    assert_int_equal(weir_set_allocator(NULL), WEIR_OK);
    wr_tls_context_free(NULL);
    wr_tls_sessions_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_or_broken_ca_source_is_named),
        cmocka_unit_test(a_client_certificate_that_cannot_be_used_is_named),
        cmocka_unit_test(a_key_under_a_pass_phrase_is_refused),
        cmocka_unit_test(versions_below_1_2_are_refused),
        cmocka_unit_test(every_option_changes_the_digest),
        cmocka_unit_test(defaults_written_out_are_the_same),
        cmocka_unit_test(content_counts_and_not_the_path),
        cmocka_unit_test(a_folder_counts_by_names_and_content),
        cmocka_unit_test(the_place_of_the_system_store_counts),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, make_certs, drop_certs);
}
