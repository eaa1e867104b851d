#include "certs.h"

#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_BYTES = 512
};

/* Members that many specs share. */
#define DAYS(begin, end) .begins_days = (begin), .ends_days = (end)
#define CA .is_ca = true, DAYS(-2, 30)
#define BY_CA .issuer = "ca", DAYS(-2, 30)

/* OpenSSL is not built with the thread sanitizer, which so cannot see what
 * orders its threads' use of a shared certificate.  Our own code is watched as
 * before, callbacks from OpenSSL included. */
__attribute__((visibility("default"))) const char *
__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libcrypto.so\ncalled_from_lib:libssl.so\n";
}

static bool complain(const char *what)
{
    fprintf(stderr, "certs: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    return false;
}

const char *certs_path(const char *folder, const char *file, char *buf,
                       size_t cap)
{
    snprintf(buf, cap, "%s/%s", folder, file);
    return buf;
}

static FILE *open_file(const char *folder, const char *name, const char *ending,
                       const char *mode)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    return fopen(path, mode);
}

static X509 *read_certificate(const char *folder, const char *name)
{
    FILE *file = open_file(folder, name, ".pem", "r");
    X509 *cert = file ? PEM_read_X509(file, NULL, NULL, NULL) : NULL;

    if (file)
        fclose(file);
    return cert;
}

static EVP_PKEY *read_key(const char *folder, const char *name)
{
    FILE *file = open_file(folder, name, ".key", "r");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

    if (file)
        fclose(file);
    return key;
}

static bool write_key(const char *folder, const char *name, const char *ending,
                      const char *mode, EVP_PKEY *key, const char *phrase)
{
    FILE *file = open_file(folder, name, ending, mode);
    int ok;

    if (!file)
        return complain("opening a key file");
    ok = PEM_write_PKCS8PrivateKey(file, key, phrase ? EVP_aes_128_cbc() : NULL,
                                   phrase, phrase ? (int)strlen(phrase) : 0,
                                   NULL, NULL);
    fclose(file);
    return ok == 1 || complain("writing a key");
}

static bool write_certificate(const char *folder, const char *name, X509 *cert)
{
    FILE *file = open_file(folder, name, ".pem", "w");
    int ok;

    if (!file)
        return complain("opening a certificate file");
    ok = PEM_write_X509(file, cert);
    fclose(file);
    return ok == 1 || complain("writing a certificate");
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX context;
    bool ok;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ok = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok || complain(value);
}

/* OpenSSL's own texts end at a NUL, so this name is put together by hand. */
static bool add_nul_name(X509 *cert, const char *text)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    char bytes[64];
    const size_t len = strlen(text);
    bool ok = names && name && value && len < sizeof bytes;

    for (size_t i = 0; ok && i < len; i++)
        bytes[i] = (char)(text[i] == '|' ? '\0' : text[i]);
    ok = ok && ASN1_STRING_set(value, bytes, (int)len) == 1;
    if (ok)
        GENERAL_NAME_set0_value(name, GEN_DNS, value);
    else
        ASN1_IA5STRING_free(value);
    ok = ok && sk_GENERAL_NAME_push(names, name) > 0;
    if (!ok)
        GENERAL_NAME_free(name);
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0,
                                 X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    return ok || complain(text);
}

static bool add_extensions(X509 *cert, X509 *issuer,
                           const struct certs_spec *spec)
{
    const char *usage = spec->is_client ? "clientAuth" : "serverAuth";

    if (!add_extension(cert, issuer, NID_basic_constraints,
                       spec->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE"))
        return false;
    if (!add_extension(cert, issuer, NID_key_usage,
                       spec->is_ca ? "critical,keyCertSign,cRLSign"
                                   : "critical,digitalSignature"))
        return false;
    if (!add_extension(cert, issuer, NID_subject_key_identifier, "hash") ||
        !add_extension(cert, issuer, NID_authority_key_identifier,
                       spec->issuer ? "keyid:always" : "keyid"))
        return false;
    if (!spec->is_ca && !add_extension(cert, issuer, NID_ext_key_usage, usage))
        return false;
    if (spec->nul_name && !add_nul_name(cert, spec->nul_name))
        return false;
    return !spec->alt_names ||
           add_extension(cert, issuer, NID_subject_alt_name, spec->alt_names);
}

static bool fill_in(X509 *cert, EVP_PKEY *key, const struct certs_spec *spec,
                    X509 *issuer)
{
    const char *name = spec->common_name ? spec->common_name : spec->name;
    X509_NAME *subject = X509_get_subject_name(cert);
    BIGNUM *serial = BN_new();
    bool ok;

    ok = serial && BN_rand(serial, 120, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
         BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) &&
         X509_set_version(cert, X509_VERSION_3) &&
         X509_time_adj_ex(X509_getm_notBefore(cert), spec->begins_days, 0,
                          NULL) &&
         X509_time_adj_ex(X509_getm_notAfter(cert), spec->ends_days, 0, NULL) &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                    (const unsigned char *)name, -1, -1, 0) &&
         X509_set_issuer_name(cert, X509_get_subject_name(issuer)) &&
         X509_set_pubkey(cert, key);
    BN_free(serial);
    return ok ? add_extensions(cert, issuer, spec) : complain(spec->name);
}

/* Behind its own certificate, that of its issuer, for a server to send. */
static bool append_chain(const char *folder, const struct certs_spec *spec)
{
    X509 *next = spec->chain ? read_certificate(folder, spec->chain) : NULL;
    FILE *file = next ? open_file(folder, spec->name, ".pem", "a") : NULL;
    const bool ok = file && PEM_write_X509(file, next) == 1;

    if (file)
        fclose(file);
    X509_free(next);
    return ok || !spec->chain;
}

static bool sign(X509 *cert, EVP_PKEY *signer, const char *digest)
{
    const EVP_MD *md = EVP_get_digestbyname(digest ? digest : "SHA256");

    return md && X509_sign(cert, signer, md) > 0;
}

bool certs_make(const char *folder, const struct certs_spec *spec)
{
    EVP_PKEY *key =
        spec->rsa_bits ? EVP_RSA_gen(spec->rsa_bits) : EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509 *issuer = spec->issuer ? read_certificate(folder, spec->issuer) : cert;
    EVP_PKEY *signer = spec->issuer ? read_key(folder, spec->issuer) : key;
    bool ok = key && cert && issuer && signer;

    ok = ok && fill_in(cert, key, spec, issuer) &&
         sign(cert, signer, spec->digest) &&
         write_certificate(folder, spec->name, cert) &&
         append_chain(folder, spec) &&
         write_key(folder, spec->name, ".key", "w", key, NULL);
    if (spec->issuer) {
        X509_free(issuer);
        EVP_PKEY_free(signer);
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok || complain(spec->name);
}

/* hashed/HASH.0, the way `openssl rehash` would name it. */
static bool make_hashed(const char *folder, const char *name)
{
    X509 *cert = read_certificate(folder, name);
    char path[PATH_BYTES], hash[32];
    bool ok;

    certs_path(folder, "hashed", path, sizeof path);
    if (!cert || mkdir(path, 0700) != 0)
        return complain("hashed folder");
    snprintf(hash, sizeof hash, "%08lx.0", X509_subject_name_hash(cert));
    ok = write_certificate(path, hash, cert);
    X509_free(cert);
    if (ok) { /* write_certificate has put .pem behind the name */
        char from[PATH_BYTES + 48], to[PATH_BYTES + 48];

        snprintf(from, sizeof from, "%s/%s.pem", path, hash);
        snprintf(to, sizeof to, "%s/%s", path, hash);
        ok = rename(from, to) == 0;
    }
    return ok || complain("hashed folder");
}

static bool make_client_files(const char *folder)
{
    X509 *cert = read_certificate(folder, "client");
    EVP_PKEY *key = read_key(folder, "client");
    const bool ok = cert && key &&
                    write_certificate(folder, "client-chain", cert) &&
                    write_key(folder, "client-chain", ".pem", "a", key, NULL) &&
                    write_key(folder, "locked", ".key", "w", key, "secret");

    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

static bool make_all(const char *folder)
{
    static const char names[] = "DNS:localhost,DNS:example.test,"
                                "DNS:*.wild.test,IP:127.0.0.1,IP:::1";
    static const struct certs_spec specs[] = {
        {.name = "ca", .common_name = "weir test CA", CA},
        {.name = "other-ca", .common_name = "another test CA", CA},
        {.name = "server", .alt_names = names, BY_CA},
        {.name = "wrong-name", .alt_names = "DNS:other.test", BY_CA},
        {.name = "cn-only", .common_name = "localhost", BY_CA},
        {.name = "partial", .alt_names = "DNS:loc*host", BY_CA},
        {.name = "expired", .alt_names = names, .issuer = "ca", DAYS(-2, -1)},
        {.name = "future", .alt_names = names, .issuer = "ca", DAYS(1, 30)},
        {.name = "self-signed", .alt_names = names, DAYS(-2, 30)},
        {.name = "client",
         .common_name = "weir client",
         .is_client = true,
         BY_CA},
        {.name = "other-client",
         .issuer = "other-ca",
         .is_client = true,
         DAYS(-2, 30)},
    };

    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        if (!certs_make(folder, &specs[i]))
            return false;
    }
    return make_hashed(folder, "ca") && make_client_files(folder);
}

char *certs_new(void)
{
    const char *parent = getenv("TMPDIR");
    char path[PATH_BYTES];
    char *folder;

    snprintf(path, sizeof path, "%s/weir-certs-XXXXXX",
             parent && *parent ? parent : "/tmp");
    if (!mkdtemp(path)) {
        complain("mkdtemp");
        return NULL;
    }
    folder = strdup(path);
    if (folder && make_all(folder))
        return folder;
    certs_done(folder);
    return NULL;
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *item;

    while (folder && (item = readdir(folder)) != NULL) {
        if (strcmp(item->d_name, ".") && strcmp(item->d_name, ".."))
            unlinkat(dirfd(folder), item->d_name, 0);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

void certs_done(char *folder)
{
    char path[PATH_BYTES];

    if (!folder)
        return;
    remove_folder(certs_path(folder, "hashed", path, sizeof path));
    remove_folder(folder);
    free(folder);
}
