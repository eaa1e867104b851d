#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "net/tls_inner.h"

enum {
    /* One receive takes a burst of two full records. */
    READ_BUFFER_BYTES = 32 * 1024,
    /* 112 bits: RSA of 2048, no SHA-1 (NIST SP 800-131A). */
    SECURITY_LEVEL = 2,
};

void wr_tls_clear_errors(void)
{
    if (ERR_peek_error())
        ERR_clear_error();
}

const char *wr_tls_describe(unsigned long code, char *buf, size_t cap)
{
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    if (wr_tls_alert(code))
        snprintf(buf, cap, "the peer says: %s", wr_tls_alert(code));
    else if (code && ERR_SYSTEM_ERROR(code))
        wr_system_text(ERR_GET_REASON(code), buf, cap);
    else if (reason)
        snprintf(buf, cap, "%s", reason);
    else
        snprintf(buf, cap, "OpenSSL error %lx", code);
    return buf;
}

const char *wr_tls_take_error(char *buf, size_t cap, unsigned long *ret_code)
{
    const unsigned long code = ERR_peek_error();

    wr_tls_describe(code, buf, cap);
    ERR_clear_error();
    if (ret_code)
        *ret_code = code;
    return buf;
}

/* WEIR_E_TLS, "CA file /x.pem: no such file or directory". */
static weir_status set_file_error(weir_error *err, const char *what,
                                  const char *path)
{
    unsigned long code;
    char text[128];

    wr_tls_take_error(text, sizeof text, &code);
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        return wr_error_no_memory(err);
    wr_error_set(err, WEIR_E_TLS, "%s %s: %s", what, path, text);
    if (err)
        err->tls_code = code;
    return WEIR_E_TLS;
}

static weir_status set_version(SSL_CTX *ctx, const char *text, weir_error *err)
{
    int version;

    if (!text || strcmp(text, "1.2") == 0)
        version = TLS1_2_VERSION;
    else if (strcmp(text, "1.3") == 0)
        version = TLS1_3_VERSION;
    else
        return wr_error_set(err, WEIR_E_OPTION,
                            "TLS version \"%.16s\": expected \"1.2\" or "
                            "\"1.3\"",
                            text);
    if (SSL_CTX_set_min_proto_version(ctx, version) != 1)
        return wr_error_set(err, WEIR_E_TLS,
                            "this OpenSSL has no TLS version %s", text);
    return WEIR_OK;
}

/* Without this OpenSSL would ask for a pass phrase on the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's signature */
static int no_password(char *buf, int size, int rwflag, void *user)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)user;
    return -1;
}

static weir_status load_identity(SSL_CTX *ctx,
                                 const struct wr_tls_options *options,
                                 weir_error *err)
{
    const char *key =
        options->key_file ? options->key_file : options->cert_file;

    if (!options->cert_file)
        return WEIR_OK;
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    if (SSL_CTX_use_certificate_chain_file(ctx, options->cert_file) != 1)
        return set_file_error(err, "certificate file", options->cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ctx) != 1)
        return set_file_error(err, "key file", key);
    return WEIR_OK;
}

static weir_status load_cas(SSL_CTX *ctx, const struct wr_tls_options *options,
                            weir_error *err)
{
    if (options->ca_file &&
        SSL_CTX_load_verify_file(ctx, options->ca_file) != 1)
        return set_file_error(err, "CA file", options->ca_file);
    if (options->ca_path && SSL_CTX_load_verify_dir(ctx, options->ca_path) != 1)
        return set_file_error(err, "CA folder", options->ca_path);
    return WEIR_OK;
}

/* A chain is worth what its weakest key and digest are, so these are not left
 * to the system's openssl.cnf or to how OpenSSL was built. */
static void set_verify(SSL_CTX *ctx, bool verify)
{
    if (!verify) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, wr_tls_on_verify);
    if (SSL_CTX_get_security_level(ctx) < SECURITY_LEVEL)
        SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
}

static weir_status configure(SSL_CTX *ctx, const struct wr_tls_options *options,
                             weir_error *err)
{
    static const unsigned char alpn[] = "\x08http/1.1";

    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* A cut must be told apart from a close_notify (RFC 9112 section 9.8),
     * whatever the system's openssl.cnf says. */
    SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* Off, so that records without data come back to us and are counted. */
    SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, READ_BUFFER_BYTES);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
                                            SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, wr_tls_on_new_session);
    SSL_CTX_set_client_cert_cb(ctx, wr_tls_on_wanted);
    set_verify(ctx, options->verify);
    if (SSL_CTX_set_alpn_protos(ctx, alpn, sizeof alpn - 1) != 0)
        return wr_error_no_memory(err);
    return set_version(ctx, options->min_version, err);
}

static weir_status load(struct wr_tls_context *context,
                        const struct wr_tls_options *options, weir_error *err)
{
    weir_status status = configure(context->ctx, options, err);

    if (!status)
        status = load_identity(context->ctx, options, err);
    if (!status)
        status = load_cas(context->ctx, options, err);
    if (!status)
        status = wr_tls_digest(context->ctx, options, context->digest, err);
    return status;
}

weir_status wr_tls_context_new(const struct wr_tls_options *options,
                               struct wr_tls_context **ret_context,
                               weir_error *ret_err)
{
    struct wr_tls_context *context = wr_calloc(1, sizeof *context);
    weir_status status;

    if (!context)
        return wr_error_no_memory(ret_err);
    wr_tls_clear_errors();
    pthread_mutex_init(&context->store_lock, NULL);
    atomic_init(&context->has_system_store, false);
    context->verify = options->verify;
    context->wants_system_store =
        options->verify && !options->ca_file && !options->ca_path;
    context->ctx = SSL_CTX_new(TLS_client_method());
    status = context->ctx ? load(context, options, ret_err)
                          : wr_error_no_memory(ret_err);
    wr_tls_clear_errors();
    if (status) {
        wr_tls_context_free(context);
        return status;
    }
    *ret_context = context;
    return WEIR_OK;
}

weir_status wr_tls_context_prepare(struct wr_tls_context *context,
                                   weir_error *ret_err)
{
    weir_status status = WEIR_OK;

    if (!context->wants_system_store ||
        atomic_load_explicit(&context->has_system_store, memory_order_acquire))
        return WEIR_OK;
    pthread_mutex_lock(&context->store_lock);
    if (!atomic_load_explicit(&context->has_system_store,
                              memory_order_relaxed)) {
        if (SSL_CTX_set_default_verify_paths(context->ctx) == 1)
            atomic_store_explicit(&context->has_system_store, true,
                                  memory_order_release);
        else
            status = set_file_error(ret_err, "CA store",
                                    X509_get_default_cert_file());
    }
    pthread_mutex_unlock(&context->store_lock);
    wr_tls_clear_errors();
    return status;
}

void wr_tls_context_free(struct wr_tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ctx);
    pthread_mutex_destroy(&context->store_lock);
    wr_free(context);
}

const unsigned char *wr_tls_context_digest(const struct wr_tls_context *context)
{
    return context->digest;
}
