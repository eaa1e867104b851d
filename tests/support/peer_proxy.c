/* Proxies of several makes, each with the least configuration that works. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs.h"
#include "peer_inner.h"

/* The program at one of its usual places; NULL after saying it is not there. */
static const char *find_program(const char *name)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/bin",
                                          "/usr/local/sbin"};
    static char path[64];

    for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (access(path, X_OK) == 0)
            return path;
    }
    fprintf(stderr, "skipped: %s is not installed\n", name);
    return NULL;
}

/* A peer with a port, whose folder a proxy may write to that gives up root. */
static struct peer *new_proxy(void)
{
    struct peer *peer = peer_new();

    if (!peer)
        return NULL;
    peer->port = peer_find_port();
    return peer_given(peer, peer->port && chmod(peer->folder, 0777) == 0);
}

static struct peer *start(struct peer *peer, bool is_written,
                          char *const argv[])
{
    return peer_given(peer,
                      is_written && peer_spawn(peer, argv) && peer_await(peer));
}

/* --- squid --------------------------------------------------------------- */

#define SQUID_HELPER "/usr/lib/squid/basic_ncsa_auth"

/* Whom the helper lets in; it knows the hashes of htpasswd. */
static bool write_passwords(const struct peer *peer, const char *userinfo)
{
    char path[128];
    char command[512];

    snprintf(path, sizeof path, "%s/passwords", peer->folder);
    snprintf(command, sizeof command,
             "printf '%%s:%%s\\n' '%.*s' \"$(openssl passwd -apr1 '%s')\" >%s",
             (int)strcspn(userinfo, ":"), userinfo, strchr(userinfo, ':') + 1,
             path);
    return system(command) == 0 && chmod(path, 0644) == 0;
}

static bool write_squid(const struct peer *peer, const char *userinfo)
{
    const char *folder = peer->folder;
    FILE *file = peer_create(peer, "squid.conf");

    if (!file)
        return false;
    fprintf(file,
            "http_port 127.0.0.1:%u\npid_filename %s/pid\n"
            "cache_log %s/cache.log\naccess_log none\ncache deny all\n"
            "coredump_dir %s\nshutdown_lifetime 0 seconds\npinger_enable off\n"
            "netdb_filename none\nvisible_hostname proxy.test\n"
            "memory_pools off\ncache_mem 1 MB\nmax_filedescriptors 1024\n"
            "dns_nameservers 127.0.0.1\n",
            peer->port, folder, folder, folder);
    if (userinfo)
        fprintf(file,
                "auth_param basic program " SQUID_HELPER " %s/passwords\n"
                "auth_param basic children 1\nauth_param basic realm test\n"
                "acl known proxy_auth REQUIRED\nhttp_access allow known\n"
                "http_access deny all\n",
                folder);
    else
        fputs("http_access allow all\n", file);
    return fclose(file) == 0 && (!userinfo || write_passwords(peer, userinfo));
}

struct peer *peer_start_squid(const char *userinfo)
{
    const char *program = find_program("squid");
    struct peer *peer = program ? new_proxy() : NULL;
    char config[128];
    char name[32];
    char *const argv[] = {WORD(program), WORD("-N"), WORD("-n"), name,
                          WORD("-f"),    config,     NULL};

    if (!peer)
        return NULL;
    snprintf(config, sizeof config, "%s/squid.conf", peer->folder);
    snprintf(name, sizeof name, "test%u", peer->port);
    return start(peer, write_squid(peer, userinfo), argv);
}

/* --- tinyproxy ----------------------------------------------------------- */

static bool write_tinyproxy(const struct peer *peer, const char *userinfo)
{
    FILE *file = peer_create(peer, "tinyproxy.conf");

    if (!file)
        return false;
    fprintf(file,
            "Port %u\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\n"
            "LogFile \"%s/log\"\nLogLevel Error\n",
            peer->port, peer->folder);
    if (userinfo)
        fprintf(file, "BasicAuth %.*s %s\n", (int)strcspn(userinfo, ":"),
                userinfo, strchr(userinfo, ':') + 1);
    return fclose(file) == 0;
}

struct peer *peer_start_tinyproxy(const char *userinfo)
{
    const char *program = find_program("tinyproxy");
    struct peer *peer = program ? new_proxy() : NULL;
    char config[128];
    char *const argv[] = {WORD(program), WORD("-d"), WORD("-c"), config, NULL};

    if (!peer)
        return NULL;
    snprintf(config, sizeof config, "%s/tinyproxy.conf", peer->folder);
    return start(peer, write_tinyproxy(peer, userinfo), argv);
}

/* --- dante --------------------------------------------------------------- */

static bool write_dante(const struct peer *peer)
{
    FILE *file = peer_create(peer, "danted.conf");

    if (!file)
        return false;
    fprintf(file,
            "logoutput: %s/log\ninternal: 127.0.0.1 port = %u\n"
            "external: 127.0.0.1\nclientmethod: none\nsocksmethod: none\n",
            peer->folder, peer->port);
    if (geteuid() == 0)
        fputs("user.privileged: root\nuser.unprivileged: nobody\n", file);
    fputs("client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n"
          "socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }\n",
          file);
    return fclose(file) == 0;
}

struct peer *peer_start_dante(void)
{
    const char *program = find_program("danted");
    struct peer *peer = program ? new_proxy() : NULL;
    char config[128];
    char pid[128];
    char *const argv[] = {WORD(program), WORD("-N"), WORD("1"), WORD("-p"),
                          pid,           WORD("-f"), config,    NULL};

    if (!peer)
        return NULL;
    snprintf(config, sizeof config, "%s/danted.conf", peer->folder);
    snprintf(pid, sizeof pid, "%s/pid", peer->folder);
    return start(peer, write_dante(peer), argv);
}

/* --- haproxy ------------------------------------------------------------- */

/* Certificate and key in one file. */
static bool join(const struct peer *peer, const char *certs, const char *cert)
{
    static const char *const ends[] = {"pem", "key"};
    FILE *file = peer_create(peer, "both.pem");

    if (!file)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        char name[64];
        char path[256];
        FILE *part;
        int c;

        snprintf(name, sizeof name, "%s.%s", cert, ends[i]);
        part = fopen(certs_path(certs, name, path, sizeof path), "re");
        while (part && (c = getc(part)) != EOF)
            putc(c, file);
        if (part)
            fclose(part);
    }
    return fclose(file) == 0;
}

static bool write_haproxy(const struct peer *peer, unsigned short port)
{
    FILE *file = peer_create(peer, "haproxy.conf");

    if (!file)
        return false;
    fprintf(file,
            "global\n  maxconn 200\ndefaults\n  mode tcp\n"
            "  timeout connect 10s\n  timeout client 60s\n"
            "  timeout server 60s\n"
            "listen proxy\n  bind 127.0.0.1:%u ssl crt %s/both.pem alpn "
            "http/1.1\n  server behind 127.0.0.1:%u\n",
            peer->port, peer->folder, port);
    return fclose(file) == 0;
}

static struct peer *start_haproxy(struct peer *peer, const char *program,
                                  bool is_written)
{
    char config[128];
    char *const argv[] = {WORD(program), WORD("-db"), WORD("-f"), config, NULL};

    snprintf(config, sizeof config, "%s/haproxy.conf", peer->folder);
    return start(peer, is_written, argv);
}

struct peer *peer_start_haproxy(const char *certs, const char *cert,
                                unsigned short port)
{
    const char *program = find_program("haproxy");
    struct peer *peer = program ? new_proxy() : NULL;

    if (!peer)
        return NULL;
    return start_haproxy(peer, program,
                         join(peer, certs, cert) && write_haproxy(peer, port));
}

static bool write_balancer(const struct peer *peer, unsigned short port)
{
    FILE *file = peer_create(peer, "haproxy.conf");

    if (!file)
        return false;
    fprintf(file,
            "global\n  maxconn 200\ndefaults\n  mode http\n  retries 0\n"
            "  timeout connect 5s\n  timeout client 60s\n"
            "  timeout server 60s\n"
            "listen balancer\n  bind 127.0.0.1:%u\n"
            "  server behind 127.0.0.1:%u\n",
            peer->port, port);
    return fclose(file) == 0;
}

struct peer *peer_start_balancer(unsigned short port)
{
    const char *program = find_program("haproxy");
    struct peer *peer = program ? new_proxy() : NULL;

    if (!peer)
        return NULL;
    return start_haproxy(peer, program, write_balancer(peer, port));
}
