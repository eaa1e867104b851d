#include "place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE "wire0"

/* The far side has more addresses than one, for names that have several. */
static const char *const addresses[SIDES][4] = {
    [NEAR] = {NEAR_ADDRESS, NULL},
    [FAR] = {FAR_ADDRESS, "10.99.0.3", "10.99.0.4", NULL},
};
static const char *const addresses_6[SIDES] = {NEAR_ADDRESS_6, FAR_ADDRESS_6};

static bool say(char *why, size_t cap, const char *what)
{
    snprintf(why, cap, "%s: %s", what, strerror(errno));
    return false;
}

static bool write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    const bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Who is not root becomes it in a user namespace of its own. */
static bool become_root(char *why, size_t cap)
{
    const unsigned uid = getuid(), gid = getgid();
    char map[32];

    if (geteuid() == 0)
        return true;
    if (unshare(CLONE_NEWUSER) != 0)
        return say(why, cap, "user namespace");
    snprintf(map, sizeof map, "0 %u 1", uid);
    if (!write_file("/proc/self/uid_map", map))
        return say(why, cap, "user namespace, uid_map");
    snprintf(map, sizeof map, "0 %u 1", gid);
    return (write_file("/proc/self/setgroups", "deny") &&
            write_file("/proc/self/gid_map", map)) ||
           say(why, cap, "user namespace, gid_map");
}

static int open_tun(void)
{
    const int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    struct ifreq request = {0};

    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    strcpy(request.ifr_name, DEVICE);
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool bring_up(int control, const char *device)
{
    struct ifreq request = {0};

    strcpy(request.ifr_name, device);
    if (ioctl(control, SIOCGIFFLAGS, &request) != 0)
        return false;
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    return ioctl(control, SIOCSIFFLAGS, &request) == 0;
}

static bool set_address(int control, const char *label, const char *address)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    struct ifreq request = {0};

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", label);
    inet_pton(AF_INET, address, &addr.sin_addr);
    memcpy(&request.ifr_addr, &addr, sizeof addr);
    if (ioctl(control, SIOCSIFADDR, &request) != 0)
        return false;
    addr.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&request.ifr_netmask, &addr, sizeof addr);
    return ioctl(control, SIOCSIFNETMASK, &request) == 0;
}

/* A machine may have no IPv6; then the wire has none. */
static void set_address_6(const char *address)
{
    const int control = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct in6_ifreq request = {
        .ifr6_prefixlen = 64,
        .ifr6_ifindex = (int)if_nametoindex(DEVICE),
    };

    inet_pton(AF_INET6, address, &request.ifr6_addr);
    if (control >= 0) {
        ioctl(control, SIOCSIFADDR, &request);
        close(control);
    }
}

static bool configure(enum side side, char *why, size_t cap)
{
    const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = control >= 0 && bring_up(control, "lo");

    for (int i = 0; ok && addresses[side][i]; i++) {
        char label[IFNAMSIZ];

        snprintf(label, sizeof label, i ? DEVICE ":%d" : DEVICE, i);
        ok = set_address(control, label, addresses[side][i]);
    }
    ok = ok && bring_up(control, DEVICE);
    if (!ok)
        say(why, cap, "address of " DEVICE);
    else
        set_address_6(addresses_6[side]);
    if (control >= 0)
        close(control);
    return ok;
}

static bool make(struct place *place, enum side side, char *why, size_t cap)
{
    if (unshare(CLONE_NEWNET) != 0)
        return say(why, cap, "network namespace");
    place->net = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (place->net < 0)
        return say(why, cap, "/proc/self/ns/net");
    place->tun = open_tun();
    if (place->tun < 0)
        return say(why, cap, "/dev/net/tun");
    return configure(side, why, cap);
}

bool places_make(struct place places[SIDES], char *why, size_t cap)
{
    return become_root(why, cap) && make(&places[NEAR], NEAR, why, cap) &&
           make(&places[FAR], FAR, why, cap);
}
