#include "page_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cli.h"

enum {
    BACKLOG = 64
};

static bool read_port(const char *text, in_port_t *ret_port)
{
    char *end;
    unsigned long port;

    if (strlen(text) > 5 || text[0] < '0' || text[0] > '9')
        return false;
    port = strtoul(text, &end, 10);
    if (*end || port > UINT16_MAX)
        return false;
    *ret_port = htons((in_port_t)port);
    return true;
}

static bool set_v6(const char *host, in_port_t port,
                   struct sockaddr_storage *ret_address)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = port};

    if (inet_pton(AF_INET6, host, &address.sin6_addr) != 1)
        return false;
    memcpy(ret_address, &address, sizeof address);
    return true;
}

static bool set_v4(const char *host, in_port_t port,
                   struct sockaddr_storage *ret_address)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};

    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return false;
    memcpy(ret_address, &address, sizeof address);
    return true;
}

bool page_read_address(const char *text, struct sockaddr_storage *ret_address,
                       weir_error *ret_err)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    const size_t len = colon ? (size_t)(colon - text) : 0;
    in_port_t port;

    memset(ret_address, 0, sizeof *ret_address);
    if (colon && len < sizeof host && read_port(colon + 1, &port)) {
        memcpy(host, text, len);
        host[len] = '\0';
        if (host[0] == '[' && host[len - 1] == ']') {
            host[len - 1] = '\0';
            if (set_v6(host + 1, port, ret_address))
                return true;
        } else if (set_v4(host, port, ret_address)) {
            return true;
        }
    }
    *ret_err =
        (weir_error){.code = WEIR_E_OPTION, .error_class = WEIR_CLASS_USAGE};
    snprintf(ret_err->message, sizeof ret_err->message,
             "listen: found '%.100s', expected an address and a port such as "
             "127.0.0.1:8090 or [::1]:0",
             text);
    return false;
}

bool page_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(
            &((const struct sockaddr_in6 *)address)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >>
               24 ==
           127;
}

int page_listen(const struct sockaddr_storage *address, const char *text,
                weir_error *ret_err)
{
    const int on = 1;
    const int fd = socket(address->ss_family,
                          SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const socklen_t len = address->ss_family == AF_INET6
                              ? sizeof(struct sockaddr_in6)
                              : sizeof(struct sockaddr_in);

    if (fd >= 0 &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (const struct sockaddr *)address, len) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    *ret_err = (weir_error){.code = WEIR_E_SYSTEM,
                            .error_class = WEIR_CLASS_LOCAL,
                            .system_code = errno};
    snprintf(ret_err->message, sizeof ret_err->message, "listen on %.100s: %s",
             text, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

char *page_address_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN];

    memset(&address, 0, sizeof address);
    getsockname(fd, (struct sockaddr *)&address, &len);
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;

        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        return cli_format("[%s]:%u", host, ntohs(v6->sin6_port));
    }
    inet_ntop(AF_INET, &((const struct sockaddr_in *)&address)->sin_addr, host,
              sizeof host);
    return cli_format("%s:%u", host,
                      ntohs(((const struct sockaddr_in *)&address)->sin_port));
}
