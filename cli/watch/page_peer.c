/* TCP has no SO_PEERCRED, but the kernel knows the user of each socket, and
 * that of the peer has our two ends the other way round.  It is asked for that
 * one (sock_diag(7)); where it does not answer, as in some containers, its
 * table is searched, which takes a while on a busy machine. */
#include "page_peer.h"

#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ESTABLISHED = 1,
    END_SIZE = 48 /* "0100007F:1F90", or 32 digits before the colon */
};

union ends {
    struct sockaddr_storage any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* --- asking -------------------------------------------------------------- */

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 what;
};

static struct question make_question(const union ends *peer,
                                     const union ends *own)
{
    struct question question = {
        .head = {.nlmsg_len = sizeof question,
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST},
        .what = {.sdiag_family = (uint8_t)peer->any.ss_family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = UINT32_MAX}};
    struct inet_diag_sockid *id = &question.what.id;

    id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    if (peer->any.ss_family == AF_INET) {
        id->idiag_sport = peer->v4.sin_port;
        id->idiag_dport = own->v4.sin_port;
        id->idiag_src[0] = peer->v4.sin_addr.s_addr;
        id->idiag_dst[0] = own->v4.sin_addr.s_addr;
    } else {
        id->idiag_sport = peer->v6.sin6_port;
        id->idiag_dport = own->v6.sin6_port;
        memcpy(id->idiag_src, &peer->v6.sin6_addr, sizeof id->idiag_src);
        memcpy(id->idiag_dst, &own->v6.sin6_addr, sizeof id->idiag_dst);
    }
    return question;
}

/* false: no answer.  The kernel has it ready when send() returns. */
static bool ask_kernel(const struct question *question,
                       struct inet_diag_msg *ret_answer)
{
    union {
        struct nlmsghdr head;
        char bytes[1024];
    } answer;
    const int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    ssize_t len = -1;

    if (fd < 0)
        return false;
    if (send(fd, question, sizeof *question, 0) > 0)
        len = recv(fd, &answer, sizeof answer, MSG_DONTWAIT);
    close(fd);
    if (len < (ssize_t)NLMSG_LENGTH(sizeof *ret_answer) ||
        answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    memcpy(ret_answer, NLMSG_DATA(&answer.head), sizeof *ret_answer);
    return true;
}

/* --- searching ----------------------------------------------------------- */

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

/* Only what is established (01) and has an inode, as in is_owned(). */
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

/* --- both ---------------------------------------------------------------- */

/* A socket that its process has closed belongs to nobody and would read as
 * root's: only one that is established, and has an inode, tells a user. */
static bool is_owned(const struct inet_diag_msg *answer)
{
    return answer->idiag_state == ESTABLISHED && answer->idiag_inode != 0;
}

static bool find_ends(int fd, union ends *ret_peer, union ends *ret_own)
{
    socklen_t len = sizeof *ret_peer;

    memset(ret_peer, 0, sizeof *ret_peer);
    memset(ret_own, 0, sizeof *ret_own);
    if (getpeername(fd, (struct sockaddr *)ret_peer, &len) != 0)
        return false;
    len = sizeof *ret_own;
    return getsockname(fd, (struct sockaddr *)ret_own, &len) == 0 &&
           (ret_peer->any.ss_family == AF_INET ||
            ret_peer->any.ss_family == AF_INET6);
}

bool page_peer_search(int fd, uid_t *ret_user)
{
    union ends peer;
    union ends own;

    if (!find_ends(fd, &peer, &own))
        return false;
    return peer.any.ss_family == AF_INET ? find_v4(&peer.v4, &own.v4, ret_user)
                                         : find_v6(&peer.v6, &own.v6, ret_user);
}

bool page_peer_user(int fd, uid_t *ret_user)
{
    union ends peer;
    union ends own;
    struct question question;
    struct inet_diag_msg answer;

    if (!find_ends(fd, &peer, &own))
        return false;
    question = make_question(&peer, &own);
    if (!ask_kernel(&question, &answer))
        return page_peer_search(fd, ret_user);
    *ret_user = answer.idiag_uid;
    return is_owned(&answer);
}
