/* What is said of a certificate that was refused, and of a peer that refused
 * us: the fact, where, and what was found there.  All that a certificate holds
 * is a stranger's, so it goes into messages printable and short. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/tls_inner.h"

enum {
    DETAIL_BYTES = 144,
    NAMES_MAX = 3, /* of a certificate that are told */
    ALERTS = 1000  /* reasons from here on are alerts of the peer */
};

struct detail {
    size_t len;
    char text[DETAIL_BYTES];
};

static void add(struct detail *detail, const char *bytes, size_t len)
{
    const size_t room = sizeof detail->text - 1 - detail->len;

    for (size_t i = 0; i < len && i < room; i++) {
        const char c = bytes[i];

        detail->text[detail->len++] = (char)(c > ' ' && c < 127 ? c : '?');
    }
    detail->text[detail->len] = '\0';
}

static void add_text(struct detail *detail, const char *text)
{
    const size_t room = sizeof detail->text - detail->len;
    const int len = snprintf(detail->text + detail->len, room, "%s", text);

    detail->len += (size_t)len < room ? (size_t)len : room - 1;
}

/* "CN=middle" */
static void add_subject(struct detail *detail, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text;
    long len;

    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0) {
        len = BIO_get_mem_data(bio, &text);
        for (long i = 0; i < len; i++) {
            if (text[i] == ' ')
                add_text(detail, " ");
            else
                add(detail, text + i, 1);
        }
    }
    BIO_free(bio);
}

/* A name or an address; false: of another kind. */
static bool add_name(struct detail *detail, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *value;
    const unsigned char *bytes;
    int type, len;

    value = GENERAL_NAME_get0_value(name, &type);
    if (type != GEN_DNS && type != GEN_IPADD)
        return false;
    bytes = ASN1_STRING_get0_data(value);
    len = ASN1_STRING_length(value);
    if (type == GEN_DNS)
        add(detail, (const char *)bytes, (size_t)len);
    else if ((len == 4 || len == 16) &&
             inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text))
        add_text(detail, text);
    else
        return false;
    return true;
}

/* "the certificate is for a.test, b.test, c.test and 4 more" */
static void add_names(struct detail *detail, X509 *cert)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int told = 0;

    add_text(detail, "the certificate is for ");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (told == NAMES_MAX) {
            char more[32];

            snprintf(more, sizeof more, " and %d more",
                     sk_GENERAL_NAME_num(names) - i);
            add_text(detail, more);
            break;
        }
        if (told)
            add_text(detail, ", ");
        told += add_name(detail, sk_GENERAL_NAME_value(names, i));
    }
    if (!told)
        add_text(detail, "no name");
    GENERAL_NAMES_free(names);
}

/* "it ended on 2026-11-27 13:00:00 UTC" */
static void add_time(struct detail *detail, const char *what,
                     const ASN1_TIME *at)
{
    char text[64];
    struct tm when;

    if (ASN1_TIME_to_tm(at, &when) != 1)
        return;
    snprintf(text, sizeof text, "%s on %04d-%02d-%02d %02d:%02d:%02d UTC", what,
             when.tm_year + 1900, when.tm_mon + 1, when.tm_mday, when.tm_hour,
             when.tm_min, when.tm_sec);
    add_text(detail, text);
}

/* What was found in `cert`, which stands `depth` above the server's own. */
static void explain(struct detail *detail, long verdict, X509 *cert, int depth)
{
    switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        add_names(detail, cert);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        add_subject(detail, X509_get_issuer_name(cert));
        return;
    default:
        break;
    }
    if (depth > 0)
        add_subject(detail, X509_get_subject_name(cert));
    if (verdict != X509_V_ERR_CERT_HAS_EXPIRED &&
        verdict != X509_V_ERR_CERT_NOT_YET_VALID)
        return;
    if (depth > 0)
        add_text(detail, ": ");
    if (verdict == X509_V_ERR_CERT_HAS_EXPIRED)
        add_time(detail, "it ended", X509_get0_notAfter(cert));
    else
        add_time(detail, "it begins", X509_get0_notBefore(cert));
}

void wr_tls_set_refusal(const char *host, long verdict, X509 *cert, int depth,
                        weir_error *err)
{
    struct detail detail = {0};

    if (cert)
        explain(&detail, verdict, cert, depth);
    wr_error_set(err, WEIR_E_TLS_VERIFY, "TLS with %.100s: %s%s%s%s", host,
                 X509_verify_cert_error_string(verdict), detail.len ? " (" : "",
                 detail.text, detail.len ? ")" : "");
    if (err)
        err->tls_code = (unsigned long)verdict;
}

/* OpenSSL names alerts after the version that they are of: "sslv3 alert
 * handshake failure" in TLS 1.3 too. */
const char *wr_tls_alert(unsigned long code)
{
    const char *text;

    if (ERR_GET_LIB(code) != ERR_LIB_SSL || ERR_GET_REASON(code) < ALERTS)
        return NULL;
    text = ERR_reason_error_string(code);
    text = text ? strstr(text, " alert ") : NULL;
    return text ? text + strlen(" alert ") : NULL;
}

const char *wr_tls_hint(SSL *ssl, unsigned long code, bool lacks_identity)
{
    const int reason = ERR_GET_REASON(code);

    if (!code || ERR_GET_LIB(code) != ERR_LIB_SSL)
        return "";
    if (reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
        reason == SSL_R_UNSUPPORTED_PROTOCOL)
        return SSL_get_min_proto_version(ssl) == TLS1_3_VERSION
                   ? " (expected TLS 1.3)"
                   : " (expected TLS 1.2 or later)";
    if (reason == SSL_R_WRONG_VERSION_NUMBER)
        return " (what answers there speaks no TLS)";
    if (lacks_identity && wr_tls_alert(code))
        return " (it asked for a client certificate, and cert_file is not set)";
    return "";
}
