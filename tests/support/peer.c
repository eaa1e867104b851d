#include "peer_inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    START_MS = 20000, /* a server that does not accept by then is given up */
    STEP_MS = 10,
    JSON_BYTES = 60000
};

static const char *const nginx_programs[] = {
    "/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx", NULL};

/* --- folder -------------------------------------------------------------- */

struct peer *peer_new(void)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        abort();
    strcpy(peer->folder, "/tmp/peer-XXXXXX");
    if (!mkdtemp(peer->folder)) {
        perror("peer: temporary folder");
        free(peer);
        return NULL;
    }
    snprintf(peer->path, sizeof peer->path, "%s/socket", peer->folder);
    return peer;
}

static int remove_one(const char *path, const struct stat *info, int kind,
                      struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

FILE *peer_create(const struct peer *peer, const char *name)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", peer->folder, name);
    file = fopen(path, "we");
    if (!file)
        perror(path);
    return file;
}

char peer_byte(size_t i)
{
    return (char)('a' + i % 26);
}

static bool write_pattern(const struct peer *peer, const char *name, size_t len)
{
    FILE *file = peer_create(peer, name);

    if (!file)
        return false;
    for (size_t i = 0; i < len; i++)
        putc(peer_byte(i), file);
    return fclose(file) == 0;
}

/* ["…"] of exactly JSON_BYTES. */
static bool write_json(const struct peer *peer)
{
    FILE *file = peer_create(peer, "www/60k.json");

    if (!file)
        return false;
    fputs("[\"", file);
    for (size_t i = 0; i < JSON_BYTES - 4; i++)
        putc(peer_byte(i), file);
    fputs("\"]", file);
    return fclose(file) == 0;
}

static bool write_files(const struct peer *peer)
{
    char path[128];

    snprintf(path, sizeof path, "%s/www", peer->folder);
    return mkdir(path, 0755) == 0 && write_pattern(peer, "www/102", 102) &&
           write_pattern(peer, "www/10k", 10240) && write_json(peer) &&
           write_pattern(peer, "www/1m", 1 << 20);
}

static bool write_config(const struct peer *peer, const char *certs)
{
    static const char *const temporary[] = {"client_body", "proxy", "fastcgi",
                                            "uwsgi", "scgi"};
    const char *folder = peer->folder;
    FILE *file = peer_create(peer, "nginx.conf");

    if (!file)
        return false;
    if (geteuid() == 0)
        fputs("user root;\n", file);
    fprintf(file,
            "daemon off;\nmaster_process off;\npid %s/pid;\n"
            "error_log %s/log;\nevents { worker_connections %d; }\n"
            "http {\n"
            "access_log off;\nkeepalive_requests 1000000;\n"
            "client_max_body_size 64m;\n",
            folder, folder, PEER_CONNECTIONS);
    for (unsigned i = 0; i < sizeof temporary / sizeof *temporary; i++)
        fprintf(file, "%s_temp_path %s/%s;\n", temporary[i], folder,
                temporary[i]);
    fputs("server {\n", file);
    for (unsigned host = 1; host <= PEER_ADDRESSES; host++)
        fprintf(file, "listen 127.0.0.%u:%u backlog=4096;\n", host, peer->port);
    fprintf(file,
            "listen 127.0.0.1:%u ssl backlog=4096;\n"
            "listen unix:%s;\nssl_protocols TLSv1.2 TLSv1.3;\n"
            "ssl_certificate %s/server.pem;\n"
            "ssl_certificate_key %s/server.key;\n"
            "root %s/www;\n"
            "location /close/ { alias %s/www/; keepalive_timeout 0; }\n"
            "location /upload { return 204; }\n"
            "}\n}\n",
            peer->tls_port, peer->path, certs, certs, folder, folder);
    return fclose(file) == 0;
}

/* --- process ------------------------------------------------------------- */

static struct sockaddr_in loopback(unsigned short port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

static bool can_bind(unsigned short port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in addr = loopback(port);
    const bool is_free =
        fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof addr) == 0;

    if (fd >= 0)
        close(fd);
    return is_free;
}

/* It lies below those that the kernel gives to connections: one of them could
 * take it before the peer does, or while a peer that is restarted is away.
 * Processes that look at the same time begin at places of their own. */
unsigned short peer_find_port(void)
{
    enum {
        FIRST = 10000,
        COUNT = 20000,
        STEP = 7919 /* a prime, so that all are tried */
    };
    static unsigned asked;

    for (unsigned tries = 0; tries < COUNT; tries++) {
        const unsigned place =
            ((unsigned)getpid() * 61 + ++asked * STEP) % COUNT;

        if (can_bind((unsigned short)(FIRST + place)))
            return (unsigned short)(FIRST + place);
    }
    return 0;
}

static bool accepts(unsigned short port)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in addr = loopback(port);
    const bool yes =
        connect(fd, (const struct sockaddr *)&addr, sizeof addr) == 0;

    close(fd);
    return yes;
}

/* The child: only what may be done between fork and exec. */
static void become(char *const argv[], int log_fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    execv(argv[0], argv);
    _exit(127);
}

bool peer_spawn(struct peer *peer, char *const argv[])
{
    const pid_t parent = getpid();
    char path[128];
    int log_fd;

    snprintf(path, sizeof path, "%s/output", peer->folder);
    log_fd = open(path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
    peer->pid = fork();
    if (peer->pid == 0)
        become(argv, log_fd, parent);
    close(log_fd);
    if (peer->pid < 0)
        perror("peer: fork");
    return peer->pid > 0;
}

static void print_output(const struct peer *peer)
{
    char path[128];
    char line[512];
    FILE *file;

    snprintf(path, sizeof path, "%s/output", peer->folder);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        fputs(line, stderr);
    if (file)
        fclose(file);
}

/* It listens on one after another. */
static bool accepts_all(const struct peer *peer)
{
    return accepts(peer->port) && (!peer->tls_port || accepts(peer->tls_port));
}

/* Waits until it accepts, or has ended. */
bool peer_await(const struct peer *peer)
{
    struct pollfd ended = {(int)syscall(SYS_pidfd_open, peer->pid, 0), POLLIN,
                           0};
    bool yes = false;

    for (int ms = 0; ms < START_MS && !yes; ms += STEP_MS) {
        yes = accepts_all(peer);
        if (!yes && poll(&ended, 1, STEP_MS) > 0)
            break;
    }
    if (ended.fd >= 0)
        close(ended.fd);
    if (!yes)
        print_output(peer);
    return yes;
}

struct peer *peer_given(struct peer *peer, bool is_good)
{
    if (is_good)
        return peer;
    peer_stop(peer);
    return NULL;
}

/* NULL: it is not installed. */
static const char *nginx_program(void)
{
    const char *const *program = nginx_programs;

    while (*program && access(*program, X_OK) != 0)
        program++;
    return *program;
}

static bool spawn_nginx(struct peer *peer)
{
    char config[128];
    char prefix[128];
    char *const argv[] = {WORD(nginx_program()), WORD("-p"), prefix, WORD("-e"),
                          WORD("stderr"),        WORD("-c"), config, NULL};

    snprintf(config, sizeof config, "%s/nginx.conf", peer->folder);
    snprintf(prefix, sizeof prefix, "%s/", peer->folder);
    return peer_spawn(peer, argv) && peer_await(peer);
}

struct peer *peer_start_nginx(const char *certs)
{
    struct peer *peer;

    if (!nginx_program()) {
        fputs("skipped: nginx is not installed\n", stderr);
        return NULL;
    }
    peer = peer_new();
    if (!peer)
        return NULL;
    peer->port = peer_find_port();
    peer->tls_port = peer_find_port();
    return peer_given(peer, peer->port && peer->tls_port && write_files(peer) &&
                                write_config(peer, certs) && spawn_nginx(peer));
}

void peer_kill(struct peer *peer)
{
    if (peer->pid <= 0)
        return;
    kill(peer->pid, SIGKILL);
    waitpid(peer->pid, NULL, 0);
    peer->pid = 0;
    unlink(peer->path); /* it would refuse to listen there */
}

bool peer_restart(struct peer *peer)
{
    peer_kill(peer);
    return spawn_nginx(peer);
}

static bool has_httpbin(void)
{
    return access("/usr/bin/python3", X_OK) == 0 &&
           system("/usr/bin/python3 -c 'import httpbin, gunicorn' "
                  "2>/dev/null") == 0;
}

struct peer *peer_start_httpbin(void)
{
    struct peer *peer;
    char address[32];

    if (!has_httpbin()) {
        fputs("skipped: httpbin or gunicorn is not installed\n", stderr);
        return NULL;
    }
    peer = peer_new();
    if (!peer)
        return NULL;
    peer->port = peer_find_port();
    snprintf(address, sizeof address, "127.0.0.1:%u", peer->port);

    char *const argv[] = {WORD("/usr/bin/python3"),
                          WORD("-m"),
                          WORD("gunicorn"),
                          WORD("-b"),
                          address,
                          WORD("-k"),
                          WORD("gthread"),
                          WORD("--threads"),
                          WORD("8"),
                          WORD("--keep-alive"),
                          WORD("30"),
                          WORD("--graceful-timeout"),
                          WORD("1"),
                          WORD("httpbin:app"),
                          NULL};

    return peer_given(peer,
                      peer->port && peer_spawn(peer, argv) && peer_await(peer));
}

void peer_stop(struct peer *peer)
{
    if (!peer)
        return;
    if (peer->pid > 0) {
        kill(peer->pid, SIGTERM);
        while (waitpid(peer->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    nftw(peer->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(peer);
}

const char *peer_url(const struct peer *peer, bool tls, const char *path,
                     char *buf, size_t cap)
{
    snprintf(buf, cap, "%s://127.0.0.1:%u%s", tls ? "https" : "http",
             tls ? peer->tls_port : peer->port, path);
    return buf;
}

const char *peer_url_at(const struct peer *peer, unsigned host,
                        const char *path, char *buf, size_t cap)
{
    snprintf(buf, cap, "http://127.0.0.%u:%u%s", host, peer->port, path);
    return buf;
}

unsigned short peer_port(const struct peer *peer)
{
    return peer->port;
}

const char *peer_path(const struct peer *peer)
{
    return peer->path;
}
