/* The embedded origin: libmicrohttpd in a child process, so that its CPU time
 * and memory are not the client's. */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum {
    ORIGIN_THREADS = 2,
    CERT_DAYS = 2
};

/* --- a certificate for the run ------------------------------------------- */

static bool add_name(X509 *cert)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool is_added;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name,
                                    "IP:127.0.0.1");
    is_added = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

static X509 *make_cert(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    X509_NAME *name;

    if (!cert)
        return NULL;
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), CERT_DAYS * 86400L);
    X509_set_pubkey(cert, key);
    name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"weir bench", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    if (!add_name(cert) || !X509_sign(cert, key, EVP_sha256())) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

/* PEM as text, to free. */
static char *pem_text(BIO *bio)
{
    char *bytes;
    const long len = BIO_get_mem_data(bio, &bytes);

    return cli_format("%.*s", (int)len, bytes);
}

static bool make_pems(char **ret_cert, char **ret_key)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = key ? make_cert(key) : NULL;
    BIO *cert_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_mem());
    const bool is_made =
        cert && cert_bio && key_bio && PEM_write_bio_X509(cert_bio, cert) &&
        PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);

    if (is_made) {
        *ret_cert = pem_text(cert_bio);
        *ret_key = pem_text(key_bio);
    }
    BIO_free(cert_bio);
    BIO_free(key_bio);
    X509_free(cert);
    EVP_PKEY_free(key);
    return is_made;
}

/* --- the server ---------------------------------------------------------- */

struct pages {
    struct MHD_Response *document;
    struct MHD_Response *check;
};

static enum MHD_Result answer(void *user, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_len, void **state)
{
    static int begun;
    const struct pages *pages = user;

    (void)method;
    (void)version;
    (void)upload;
    if (!*state) { /* the head; the request is complete at the next call */
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_len) {
        *upload_len = 0;
        return MHD_YES;
    }
    if (strcmp(url, ORIGIN_DOCUMENT) == 0)
        return MHD_queue_response(connection, MHD_HTTP_OK, pages->document);
    if (strcmp(url, ORIGIN_CHECK) == 0)
        return MHD_queue_response(connection, MHD_HTTP_OK, pages->check);
    return MHD_queue_response(connection, MHD_HTTP_NOT_FOUND, pages->check);
}

static struct MHD_Response *page(const char *text, size_t len)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    MHD_add_response_header(response, "Content-Type", "application/json");
    return response;
}

/* JSON of ORIGIN_DOCUMENT_LEN bytes, like an index's page on a package. */
static struct MHD_Response *document_page(void)
{
    char *text = cli_alloc(ORIGIN_DOCUMENT_LEN + 64);
    struct MHD_Response *response;
    size_t len =
        (size_t)sprintf(text, "{\"info\":{\"version\":\"1.0\"},\"x\":\"");

    memset(text + len, 'x', ORIGIN_DOCUMENT_LEN - len);
    len = ORIGIN_DOCUMENT_LEN +
          (size_t)sprintf(text + ORIGIN_DOCUMENT_LEN, "\"}");
    response = page(text, len);
    free(text);
    return response;
}

static unsigned port_of(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}

static struct MHD_Daemon *listen_on(const struct pages *pages, unsigned flags,
                                    const char *cert, const char *key)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return MHD_start_daemon(
        flags | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL,
        answer, (void *)(uintptr_t)pages, MHD_OPTION_SOCK_ADDR, &addr,
        MHD_OPTION_THREAD_POOL_SIZE, ORIGIN_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, 4000u, MHD_OPTION_LISTEN_BACKLOG_SIZE,
        1024u, cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, cert,
        MHD_OPTION_HTTPS_MEM_KEY, key, MHD_OPTION_END);
}

/* The child: serves until the parent closes its end of `life`. */
static void serve(int life, int report, const char *cert, const char *key)
{
    static const char check[] = "{\"status\":\"ok\"}";
    const struct pages pages = {document_page(), page(check, sizeof check - 1)};
    struct MHD_Daemon *plain = listen_on(&pages, 0, NULL, NULL);
    struct MHD_Daemon *tls = listen_on(&pages, MHD_USE_TLS, cert, key);
    unsigned ports[2] = {plain ? port_of(plain) : 0, tls ? port_of(tls) : 0};
    char byte;

    if (write(report, ports, sizeof ports) == sizeof ports)
        while (read(life, &byte, 1) < 0 && errno == EINTR)
            ;
    _exit(0);
}

/* --- the parent's side --------------------------------------------------- */

static bool write_ca(struct origin *origin, const char *cert)
{
    FILE *file;

    strcpy(origin->folder, "/tmp/weir-bench-XXXXXX");
    if (!mkdtemp(origin->folder)) {
        cli_complain("bench: %s: %s", origin->folder, strerror(errno));
        return false;
    }
    snprintf(origin->ca_file, sizeof origin->ca_file, "%s/ca.pem",
             origin->folder);
    file = fopen(origin->ca_file, "w");
    if (file && fputs(cert, file) >= 0 && fclose(file) == 0)
        return true;
    cli_complain("bench: write %s: %s", origin->ca_file, strerror(errno));
    return false;
}

static bool fork_server(struct origin *origin, const char *cert,
                        const char *key)
{
    unsigned ports[2] = {0};
    int life[2];
    int report[2];

    if (pipe(life) != 0 || pipe(report) != 0)
        return false;
    fflush(NULL);
    origin->pid = fork();
    if (origin->pid == 0) {
        close(life[1]);
        close(report[0]);
        signal(SIGINT, SIG_IGN);
        serve(life[0], report[1], cert, key);
    }
    close(life[0]);
    close(report[1]);
    origin->life = life[1];
    if (origin->pid < 0 ||
        read(report[0], ports, sizeof ports) != (ssize_t)sizeof ports)
        ports[0] = 0;
    close(report[0]);
    origin->plain_port = ports[0];
    origin->tls_port = ports[1];
    return ports[0] && ports[1];
}

bool bench_origin_start(struct origin *origin)
{
    char *cert = NULL;
    char *key = NULL;
    bool is_up;

    *origin = (struct origin){.pid = -1, .life = -1};
    if (!make_pems(&cert, &key)) {
        cli_complain("bench: no certificate could be made");
        return false;
    }
    if (!write_ca(origin, cert)) {
        bench_origin_stop(origin);
        return false;
    }
    is_up = fork_server(origin, cert, key);
    free(cert);
    free(key);
    if (!is_up) {
        cli_complain("bench: the embedded origin did not start");
        bench_origin_stop(origin);
    }
    return is_up;
}

void bench_origin_stop(struct origin *origin)
{
    if (origin->life >= 0)
        close(origin->life);
    if (origin->pid > 0)
        waitpid(origin->pid, NULL, 0);
    if (origin->ca_file[0])
        unlink(origin->ca_file);
    if (origin->folder[0])
        rmdir(origin->folder);
}
