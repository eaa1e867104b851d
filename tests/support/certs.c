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

bool certs_make(const char *folder, const struct certs_spec *spec)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509 *issuer = spec->issuer ? read_certificate(folder, spec->issuer) : cert;
    EVP_PKEY *signer = spec->issuer ? read_key(folder, spec->issuer) : key;
    bool ok = key && cert && issuer && signer;

    ok = ok && fill_in(cert, key, spec, issuer) &&
         X509_sign(cert, signer, EVP_sha256()) &&
         write_certificate(folder, spec->name, cert) &&
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
        {"ca", "weir test CA", NULL, NULL, true, false, -2, 30},
        {"other-ca", "another test CA", NULL, NULL, true, false, -2, 30},
        {"server", NULL, names, "ca", false, false, -2, 30},
        {"wrong-name", NULL, "DNS:other.test", "ca", false, false, -2, 30},
        {"cn-only", "localhost", NULL, "ca", false, false, -2, 30},
        {"partial", NULL, "DNS:loc*host", "ca", false, false, -2, 30},
        {"expired", NULL, names, "ca", false, false, -2, -1},
        {"future", NULL, names, "ca", false, false, 1, 30},
        {"self-signed", NULL, names, NULL, false, false, -2, 30},
        {"client", "weir client", NULL, "ca", false, true, -2, 30},
        {"other-client", NULL, NULL, "other-ca", false, true, -2, 30},
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
