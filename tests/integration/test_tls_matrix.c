/* Certificates and versions, good and bad, against a real handshake: whom weir
 * lets in, and what it says of whom it does not (protocol-rules.md, section 7).
 * Nothing is sent to a server that has been refused. */
#include "certified.h"
#include "origin_pool.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

static unsigned tried;

#define DAYS(begin, end) .begins_days = (begin), .ends_days = (end)
#define BY_CA .issuer = "ca", DAYS(-2, 30)

/* On top of the standard set. */
static const struct certs_spec specs[] = {
    {.name = "middle", .issuer = "ca", .is_ca = true, DAYS(-2, 30)},
    {.name = "old-middle", .issuer = "ca", .is_ca = true, DAYS(-2, -1)},
    {.name = "chained",
     .alt_names = "DNS:localhost",
     .issuer = "middle",
     .chain = "middle",
     DAYS(-2, 30)},
    {.name = "unchained",
     .alt_names = "DNS:localhost",
     .issuer = "middle",
     DAYS(-2, 30)},
    {.name = "old-chained",
     .alt_names = "DNS:localhost",
     .issuer = "old-middle",
     .chain = "old-middle",
     DAYS(-2, 30)},
    {.name = "by-a-server", /* which is no authority */
     .alt_names = "DNS:localhost",
     .issuer = "server",
     .chain = "server",
     DAYS(-2, 30)},
    {.name = "of-a-stranger",
     .alt_names = "DNS:localhost",
     .issuer = "other-ca",
     DAYS(-2, 30)},
    {.name = "no-address", .alt_names = "DNS:localhost", BY_CA},
    {.name = "other-address", .alt_names = "IP:127.0.0.2,IP:::2", BY_CA},
    {.name = "address-as-name", .alt_names = "DNS:127.0.0.1", BY_CA},
    {.name = "address-as-cn",
     .common_name = "127.0.0.1",
     .alt_names = "DNS:localhost",
     BY_CA},
    {.name = "star", .alt_names = "DNS:*", BY_CA},
    {.name = "star-top", .alt_names = "DNS:*.test", BY_CA},
    {.name = "star-middle", .alt_names = "DNS:a.*.wild.test", BY_CA},
    {.name = "star-parts",
     .alt_names = "DNS:a*.wild.test,DNS:*a.wild.test,"
                  "DNS:a*a.wild.test",
     BY_CA},
    {.name = "star-idna", .alt_names = "DNS:xn--*.wild.test", BY_CA},
    {.name = "star-twice", .alt_names = "DNS:*.*.wild.test", BY_CA},
    {.name = "nul", .nul_name = "localhost|.evil.test", BY_CA},
    {.name = "nul-first", .nul_name = "|localhost", BY_CA},
    {.name = "nul-last", .nul_name = "localhost|", BY_CA},
    {.name = "weak-key", .alt_names = "DNS:localhost", .rsa_bits = 1024, BY_CA},
    {.name = "sha1", .alt_names = "DNS:localhost", .digest = "SHA1", BY_CA},
    {.name = "rsa-ca", .rsa_bits = 2048, .is_ca = true, DAYS(-2, 30)},
    {.name = "md5",
     .alt_names = "DNS:localhost",
     .digest = "MD5",
     .issuer = "rsa-ca",
     DAYS(-2, 30)},
    {.name = "old-client", .issuer = "ca", .is_client = true, DAYS(-2, -1)},
};

static int begin(void **state)
{
    if (make_certs(state) != 0)
        return -1;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        if (!certs_make(certs, &specs[i]))
            return -1;
    }
    return 0;
}

static int end(void **state)
{
    printf("# cases tls-handshakes %u\n", tried);
    return drop_certs(state);
}

/* A server, and a pool that is to judge it. */
struct meeting {
    const char *cert; /* NULL = "server" */
    const char *host; /* NULL = localhost */
    const char *ca;   /* whom the pool trusts; NULL = "ca.pem" */
    int max_version;
    bool careless; /* verify: false */
    bool wants_client;
    const char *client; /* certificate that the pool has; NULL = none */
};

static void meet(const struct meeting *meeting, struct outcome *out)
{
    const char *host = meeting->host ? meeting->host : "localhost";
    weir_pool_options options = test_options();
    weir_request *request;
    char cert[64], key[64];

    tear_down(NULL);
    origin = origin_start(
        &(struct origin_options){.certs = certs,
                                 .cert = meeting->cert,
                                 .tls_max_version = meeting->max_version,
                                 .wants_client = meeting->wants_client});
    assert_non_null(origin);
    options.ca_file = cert_file(meeting->ca ? meeting->ca : "ca.pem");
    options.verify = !meeting->careless;
    if (meeting->client) {
        snprintf(cert, sizeof cert, "%s.pem", meeting->client);
        snprintf(key, sizeof key, "%s.key", meeting->client);
        options.cert_file = cert_file(cert);
        options.key_file = cert_file(key);
    }
    pool = must_open(&options);
    request = must_request("GET", origin_url_of(origin, host, "/"));
    weir_request_set_address(request, "127.0.0.1", NULL);
    fetch(pool, request, out);
    weir_request_free(request);
    tried++;
}

static void check_believed(const struct meeting *meeting)
{
    struct outcome out;

    meet(meeting, &out);
    if (out.code != WEIR_OK)
        fail_msg("%s at %s: %s", meeting->cert, meeting->host, out.err.message);
    assert_answer(&out, "GET / 0");
}

/* What was said, in every part of it; and that nothing is left. */
static void check_refusal(const struct outcome *out, weir_status code,
                          const char *cert, const char *says)
{
    if (out->code != code)
        fail_msg("%s: %s (%s)", cert, weir_status_name(out->code),
                 out->code ? out->err.message : "");
    assert_int_equal(out->err.error_class, WEIR_CLASS_TLS);
    if (!strstr(out->err.message, says))
        fail_msg("%s: \"%s\" does not say \"%s\"", cert, out->err.message,
                 says);
    assert_memory_equal(out->err.message, "TLS with ", 9);
    assert_int_equal(figures_of(pool).open, 0);
    assert_int_equal(origin_requests_in_all(origin), 0);
}

static void check_refused(const struct meeting *meeting, long verdict,
                          const char *says)
{
    struct outcome out;

    meet(meeting, &out);
    check_refusal(&out, WEIR_E_TLS_VERIFY, meeting->cert, says);
    assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
    assert_int_equal(out.err.tls_code, verdict);
    assert_false(out.err.may_have_been_processed);
    assert_int_equal(figures_of(pool).dial_failures, 1);
}

#define BELIEVED(...) check_believed(&(struct meeting){__VA_ARGS__})
#define REFUSED(verdict, says, ...)                                            \
    check_refused(&(struct meeting){__VA_ARGS__}, X509_V_ERR_##verdict, says)

/* --- time and chain ------------------------------------------------------ */

static void test_out_of_its_time(void **state)
{
    (void)state;
    REFUSED(CERT_HAS_EXPIRED, "certificate has expired (it ended on 20",
            .cert = "expired");
    REFUSED(CERT_NOT_YET_VALID, "not yet valid (it begins on 20",
            .cert = "future");
    REFUSED(CERT_HAS_EXPIRED,
            "certificate has expired (CN=old-middle: it ended"
            " on 20",
            .cert = "old-chained");
}

static void test_chains(void **state)
{
    (void)state;
    BELIEVED(.cert = "chained");
    REFUSED(UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            "unable to get local issuer certificate (CN=middle)",
            .cert = "unchained");
    /* Whoever has the missing one may trust it alone. */
    REFUSED(UNABLE_TO_GET_ISSUER_CERT, "unable to get issuer certificate",
            .cert = "unchained", .ca = "middle.pem");
    REFUSED(UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            "unable to get local issuer certificate (CN=another test CA)",
            .cert = "of-a-stranger");
    BELIEVED(.cert = "of-a-stranger", .ca = "other-ca.pem");
    REFUSED(DEPTH_ZERO_SELF_SIGNED_CERT, "self-signed", .cert = "self-signed");
    REFUSED(INVALID_CA, "invalid CA certificate (CN=server)",
            .cert = "by-a-server");
    REFUSED(INVALID_PURPOSE, "purpose", .cert = "client");
}

/* --- names --------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    BELIEVED(.host = "localhost");
    BELIEVED(.host = "LocalHost");
    BELIEVED(.host = "localhost.");
    BELIEVED(.host = "example.test");
    REFUSED(HOSTNAME_MISMATCH,
            "TLS with localhost: hostname mismatch (the certificate is for "
            "other.test)",
            .cert = "wrong-name");
    REFUSED(HOSTNAME_MISMATCH, "(the certificate is for no name)",
            .cert = "cn-only");
}

static void test_wildcards(void **state)
{
    static const char *const bad[][2] = {{"server", "wild.test"},
                                         {"server", "a.b.wild.test"},
                                         {"star", "localhost"},
                                         {"star-top", "example.test"},
                                         {"star-middle", "a.b.wild.test"},
                                         {"star-parts", "ab.wild.test"},
                                         {"star-parts", "ba.wild.test"},
                                         {"star-parts", "aba.wild.test"},
                                         {"star-idna", "xn--a.wild.test"},
                                         {"star-twice", "a.b.wild.test"},
                                         {"partial", "localhost"}};

    (void)state;
    BELIEVED(.host = "a.wild.test");
    BELIEVED(.host = "XN--A.wild.test");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(HOSTNAME_MISMATCH, "hostname mismatch", .cert = bad[i][0],
                .host = bad[i][1]);
}

static void test_addresses(void **state)
{
    (void)state;
    BELIEVED(.host = "127.0.0.1");
    BELIEVED(.host = "[::1]");
    REFUSED(IP_ADDRESS_MISMATCH, "(the certificate is for localhost)",
            .cert = "no-address", .host = "127.0.0.1");
    REFUSED(IP_ADDRESS_MISMATCH, "(the certificate is for 127.0.0.2, ::2)",
            .cert = "other-address", .host = "127.0.0.1");
    REFUSED(IP_ADDRESS_MISMATCH, "IP address mismatch", .cert = "other-address",
            .host = "[::1]");
    REFUSED(IP_ADDRESS_MISMATCH, "IP address mismatch",
            .cert = "address-as-name", .host = "127.0.0.1");
    REFUSED(IP_ADDRESS_MISMATCH, "IP address mismatch", .cert = "address-as-cn",
            .host = "127.0.0.1");
}

/* CVE-2009-2408: what stands before a NUL is not the name. */
static void test_nul_in_a_name(void **state)
{
    (void)state;
    REFUSED(HOSTNAME_MISMATCH, "(the certificate is for localhost?.evil.test)",
            .cert = "nul");
    REFUSED(HOSTNAME_MISMATCH, "hostname mismatch", .cert = "nul",
            .host = "evil.test");
    REFUSED(HOSTNAME_MISMATCH, "hostname mismatch", .cert = "nul-first");
    REFUSED(HOSTNAME_MISMATCH, "hostname mismatch", .cert = "nul-last");
}

/* --- strength ------------------------------------------------------------ */

static void test_weak_keys_and_digests(void **state)
{
    (void)state;
    REFUSED(EE_KEY_TOO_SMALL, "key too weak", .cert = "weak-key");
    REFUSED(CA_MD_TOO_WEAK, "digest algorithm too weak", .cert = "sha1");
    REFUSED(CA_MD_TOO_WEAK, "digest algorithm too weak", .cert = "md5",
            .ca = "rsa-ca.pem");
}

static void test_old_versions(void **state)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct outcome out;

        for (unsigned careless = 0; careless < 2; careless++) {
            meet(&(struct meeting){.max_version = versions[i],
                                   .careless = careless},
                 &out);
            check_refusal(&out, WEIR_E_TLS, "an old version",
                          "TLS 1.2 or later");
            assert_int_equal(out.err.stage, WEIR_STAGE_TLS);
            assert_false(out.err.may_have_been_processed);
        }
    }
    BELIEVED(.max_version = TLS1_2_VERSION);
    BELIEVED(.max_version = TLS1_3_VERSION);
}

/* --- whoever writes verify: false gets what was asked for ---------------- */

static void test_without_verification(void **state)
{
    static const char *const bad[] = {
        "expired",       "future", "unchained",  "of-a-stranger",
        "self-signed",   "client", "wrong-name", "cn-only",
        "other-address", "star",   "nul"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        BELIEVED(.cert = bad[i], .careless = true);
}

/* --- the client's own certificate ---------------------------------------- */

/* TLS 1.2 refuses within the handshake, TLS 1.3 behind it, when the request may
 * be on its way; either way the server's reason is told. */
static void test_client_certificates(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const struct {
        const char *client;
        const char *says;
    } bad[] = {{NULL, "certificate"},
               {"other-client", "unknown ca"},
               {"self-signed", "ca"},
               {"old-client", "certificate expired"},
               {"server", "certificate"}};

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        const int version = versions[v];
        struct outcome out;

        BELIEVED(.max_version = version, .wants_client = true,
                 .client = "client");
        BELIEVED(.max_version = version, .client = "client");
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            meet(&(struct meeting){.max_version = version,
                                   .wants_client = true,
                                   .client = bad[i].client},
                 &out);
            check_refusal(&out, WEIR_E_TLS,
                          bad[i].client ? bad[i].client : "no certificate",
                          bad[i].says);
            assert_int_not_equal(out.err.tls_code, 0);
            assert_int_equal(origin_handshakes(origin), 0);
        }
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_out_of_its_time),
        TEST(test_chains),
        TEST(test_names),
        TEST(test_wildcards),
        TEST(test_addresses),
        TEST(test_nul_in_a_name),
        TEST(test_weak_keys_and_digests),
        TEST(test_old_versions),
        TEST(test_without_verification),
        TEST(test_client_certificates),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
