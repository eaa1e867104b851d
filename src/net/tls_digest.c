/* One digest over everything that decides who is trusted (protocol-rules 1.9).
 *
 * What has been loaded is hashed as it was loaded, certificate by certificate,
 * so that file and digest cannot differ; the key of a client certificate is in
 * it as the public key that it was checked against.  A folder of CAs is read by
 * OpenSSL when it looks for an issuer, so here the names it can look up are
 * hashed with the files' bytes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/tls_inner.h"

/* Length and bytes, so that parts cannot run into one another. */
static bool put(EVP_MD_CTX *md, const void *bytes, size_t len)
{
    const uint64_t size = len;

    return EVP_DigestUpdate(md, &size, sizeof size) == 1 &&
           EVP_DigestUpdate(md, bytes, len) == 1;
}

static bool put_text(EVP_MD_CTX *md, const char *text)
{
    return put(md, text, strlen(text));
}

static bool put_certificate(EVP_MD_CTX *md, const X509 *cert)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    return X509_digest(cert, EVP_sha256(), digest, &len) == 1 &&
           put(md, digest, len);
}

static bool put_crl(EVP_MD_CTX *md, const X509_CRL *crl)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    return X509_CRL_digest(crl, EVP_sha256(), digest, &len) == 1 &&
           put(md, digest, len);
}

/* What ca_file has brought: the store holds nothing else yet. */
static bool put_store(EVP_MD_CTX *md, SSL_CTX *ctx)
{
    STACK_OF(X509_OBJECT) *objects =
        X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));

    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        const X509_OBJECT *object = sk_X509_OBJECT_value(objects, i);
        const X509 *cert = X509_OBJECT_get0_X509(object);
        const X509_CRL *crl = X509_OBJECT_get0_X509_CRL(object);

        if (cert && !put_certificate(md, cert))
            return false;
        if (crl && !put_crl(md, crl))
            return false;
    }
    return true;
}

/* The client's certificate and its chain. */
static bool put_identity(EVP_MD_CTX *md, SSL_CTX *ctx)
{
    const X509 *cert = SSL_CTX_get0_certificate(ctx);
    STACK_OF(X509) *chain = NULL;

    if (!cert)
        return put_text(md, "no certificate");
    if (!put_certificate(md, cert) ||
        SSL_CTX_get0_chain_certs(ctx, &chain) != 1)
        return false;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (!put_certificate(md, sk_X509_value(chain, i)))
            return false;
    }
    return true;
}

/* "9d66eef0.0", "9d66eef0.r1": the names that OpenSSL looks up. */
static bool is_hashed_name(const char *name)
{
    const char *rest = name + 9;

    if (strspn(name, "0123456789abcdef") != 8 || name[8] != '.')
        return false;
    rest += *rest == 'r';
    return *rest && rest[strspn(rest, "0123456789")] == '\0';
}

/* Adds the bytes of a file; one that cannot be read counts as empty, as it
 * does for OpenSSL. */
static bool put_file(EVP_MD_CTX *md, int folder, const char *name)
{
    const int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned char chunk[4096];
    ssize_t got = 0;
    bool ok = true;

    if (fd < 0)
        return true;
    while (ok && (got = read(fd, chunk, sizeof chunk)) > 0)
        ok = EVP_DigestUpdate(md, chunk, (size_t)got) == 1;
    close(fd);
    return ok;
}

static bool append_file_digest(struct wr_buf *digests, EVP_MD_CTX *md,
                               int folder, const char *name)
{
    unsigned char digest[WR_DIGEST_LEN];

    return EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
           put_text(md, name) && put_file(md, folder, name) &&
           EVP_DigestFinal_ex(md, digest, NULL) == 1 &&
           wr_buf_append(digests, digest, sizeof digest);
}

static int compare_digests(const void *a, const void *b)
{
    return memcmp(a, b, WR_DIGEST_LEN);
}

/* The folder's files in any order: their digests, sorted. */
static weir_status put_folder(EVP_MD_CTX *md, const char *path, weir_error *err)
{
    DIR *folder = opendir(path);
    EVP_MD_CTX *file_md = EVP_MD_CTX_new();
    struct wr_buf digests = {0};
    const struct dirent *item;
    bool ok = file_md != NULL;

    if (!folder) {
        EVP_MD_CTX_free(file_md);
        return wr_error_system(err, WEIR_E_TLS, errno, "CA folder %s", path);
    }
    while (ok && (item = readdir(folder)) != NULL) {
        if (is_hashed_name(item->d_name))
            ok = append_file_digest(&digests, file_md, dirfd(folder),
                                    item->d_name);
    }
    if (digests.len)
        qsort(digests.data, digests.len / WR_DIGEST_LEN, WR_DIGEST_LEN,
              compare_digests);
    ok = ok && put(md, digests.data ? digests.data : "", digests.len);
    wr_buf_done(&digests);
    EVP_MD_CTX_free(file_md);
    closedir(folder);
    return ok ? WEIR_OK : wr_error_no_memory(err);
}

/* The system's store is known by where it is. */
static bool put_system_store(EVP_MD_CTX *md)
{
    const char *file = getenv(X509_get_default_cert_file_env());
    const char *folder = getenv(X509_get_default_cert_dir_env());

    return put_text(md, file ? file : X509_get_default_cert_file()) &&
           put_text(md, folder ? folder : X509_get_default_cert_dir());
}

static weir_status put_all(EVP_MD_CTX *md, SSL_CTX *ctx,
                           const struct wr_tls_options *options,
                           weir_error *err)
{
    const uint32_t numbers[] = {(uint32_t)SSL_CTX_get_min_proto_version(ctx),
                                (uint32_t)SSL_CTX_get_max_proto_version(ctx),
                                options->verify};

    if (!put(md, numbers, sizeof numbers) || !put_text(md, "http/1.1") ||
        !put_identity(md, ctx) ||
        !put_text(md, options->ca_file ? "file" : "no file") ||
        !put_store(md, ctx) ||
        !put_text(md, options->ca_path ? "folder" : "no folder"))
        return wr_error_no_memory(err);
    if (options->ca_path)
        return put_folder(md, options->ca_path, err);
    if (!options->ca_file && !put_system_store(md))
        return wr_error_no_memory(err);
    return WEIR_OK;
}

weir_status wr_tls_digest(SSL_CTX *ctx, const struct wr_tls_options *options,
                          unsigned char ret_digest[WR_DIGEST_LEN],
                          weir_error *ret_err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    weir_status status;

    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(md);
        return wr_error_no_memory(ret_err);
    }
    status = put_all(md, ctx, options, ret_err);
    if (!status && EVP_DigestFinal_ex(md, ret_digest, NULL) != 1)
        status = wr_error_no_memory(ret_err);
    EVP_MD_CTX_free(md);
    return status;
}
