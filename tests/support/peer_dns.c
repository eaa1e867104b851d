/* dnsmasq as a peer of a test. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer_inner.h"

bool peer_set_hosts(const struct peer *peer, const char *lines)
{
    FILE *file = peer_create(peer, "hosts");

    if (!file)
        return false;
    fputs(lines, file);
    if (fclose(file) != 0)
        return false;
    return peer->pid == 0 || kill(peer->pid, SIGHUP) == 0;
}

struct peer *peer_start_dnsmasq(const char *address, unsigned short upstream)
{
    static const char program[] = "/usr/sbin/dnsmasq";
    struct peer *peer;
    char hosts[128], port[32], listen[64], server[64];
    char *const argv[] = {WORD(program),
                          WORD("--no-daemon"),
                          WORD("--conf-file=/dev/null"),
                          WORD("--no-resolv"),
                          WORD("--no-hosts"),
                          WORD("--bind-interfaces"),
                          WORD("--local=/test/"),
                          server,
                          WORD("--local-ttl=0"),
                          WORD("--cache-size=0"),
                          hosts,
                          port,
                          listen,
                          NULL};

    if (access(program, X_OK) != 0) {
        fputs("skipped: dnsmasq is not installed\n", stderr);
        return NULL;
    }
    peer = peer_new();
    if (!peer)
        return NULL;
    peer->port = peer_find_port();
    snprintf(hosts, sizeof hosts, "--addn-hosts=%s/hosts", peer->folder);
    snprintf(port, sizeof port, "--port=%u", peer->port);
    snprintf(server, sizeof server, "--server=/else.test/127.0.0.1#%u",
             upstream);
    snprintf(listen, sizeof listen, "--listen-address=127.0.0.1,%s", address);
    return peer_given(peer, peer_set_hosts(peer, "") &&
                                peer_spawn(peer, argv) && peer_await(peer));
}
