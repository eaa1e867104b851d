#include "address.h"

#include <string.h>
#include <sys/socket.h>

#include "../cli.h"

bool watch_control_address(const char *path, struct sockaddr_un *ret_address)
{
    const size_t len = strlen(path);

    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0 || len >= sizeof ret_address->sun_path) {
        cli_complain("control socket %s: the path has %zu bytes, expected 1 to "
                     "%zu; see the setting watch.control",
                     path, len, sizeof ret_address->sun_path - 1);
        return false;
    }
    memcpy(ret_address->sun_path, path, len + 1);
    return true;
}
