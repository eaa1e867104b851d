/* TCP has no SO_PEERCRED; the kernel's table of sockets has the user of each,
 * and that of the peer names us as its remote end. */
#include "page_peer.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    END_SIZE = 48 /* "0100007F:1F90", or 32 digits before the colon */
};

/* An end as the table writes it: the address in words of the machine's own
 * order, the port as a number. */
static void write_v6(const struct in6_addr *address, in_port_t port,
                     char end[END_SIZE])
{
    uint32_t words[4];

    memcpy(words, address, sizeof words);
    snprintf(end, END_SIZE,
             "%08" PRIX32 "%08" PRIX32 "%08" PRIX32 "%08" PRIX32 ":%04X",
             words[0], words[1], words[2], words[3], ntohs(port));
}

static void write_v4(struct in_addr address, in_port_t port, char end[END_SIZE])
{
    snprintf(end, END_SIZE, "%08" PRIX32 ":%04X", address.s_addr, ntohs(port));
}

/* A program may reach 127.0.0.1 by a socket of IPv6; it is in that table
 * then. */
static void write_mapped(struct in_addr address, in_port_t port,
                         char end[END_SIZE])
{
    struct in6_addr mapped = {.s6_addr = {[10] = 0xFF, [11] = 0xFF}};

    memcpy(&mapped.s6_addr[12], &address, sizeof address);
    write_v6(&mapped, port, end);
}

/* A socket that its process has closed belongs to nobody and would read as
 * root's: only one that is established (01), and has an inode, tells a user. */
static bool find(const char *table, const char *local, const char *remote,
                 uid_t *ret_user)
{
    char line[512];
    char ends[2][END_SIZE];
    bool is_found = false;
    FILE *file = fopen(table, "re");

    if (!file)
        return false;
    while (!is_found && fgets(line, sizeof line, file)) {
        char state[8];
        char user[24];
        char inode[24];

        /* sl local remote state queues timer retransmits uid timeout inode */
        is_found = sscanf(line, "%*s %47s %47s %7s %*s %*s %*s %23s %*s %23s",
                          ends[0], ends[1], state, user, inode) == 5 &&
                   strcmp(ends[0], local) == 0 &&
                   strcmp(ends[1], remote) == 0 && strcmp(state, "01") == 0 &&
                   strcmp(inode, "0") != 0;
        if (is_found)
            *ret_user = (uid_t)strtoul(user, NULL, 10);
    }
    fclose(file);
    return is_found;
}

static bool find_v4(const struct sockaddr_in *peer,
                    const struct sockaddr_in *own, uid_t *ret_user)
{
    char ends[2][END_SIZE];

    write_v4(peer->sin_addr, peer->sin_port, ends[0]);
    write_v4(own->sin_addr, own->sin_port, ends[1]);
    if (find("/proc/self/net/tcp", ends[0], ends[1], ret_user))
        return true;
    write_mapped(peer->sin_addr, peer->sin_port, ends[0]);
    write_mapped(own->sin_addr, own->sin_port, ends[1]);
    return find("/proc/self/net/tcp6", ends[0], ends[1], ret_user);
}

static bool find_v6(const struct sockaddr_in6 *peer,
                    const struct sockaddr_in6 *own, uid_t *ret_user)
{
    char ends[2][END_SIZE];

    write_v6(&peer->sin6_addr, peer->sin6_port, ends[0]);
    write_v6(&own->sin6_addr, own->sin6_port, ends[1]);
    return find("/proc/self/net/tcp6", ends[0], ends[1], ret_user);
}

bool page_peer_user(int fd, uid_t *ret_user)
{
    union {
        struct sockaddr_storage any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = {0}, own = {0};
    socklen_t len = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0)
        return false;
    len = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return false;
    if (peer.any.ss_family == AF_INET)
        return find_v4(&peer.v4, &own.v4, ret_user);
    return peer.any.ss_family == AF_INET6 &&
           find_v6(&peer.v6, &own.v6, ret_user);
}
