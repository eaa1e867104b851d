/* Files that appear under their name only when they are whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetch.h"

/* Only a regular file, or none yet, can be replaced; /dev/null and pipes are
 * written straight. */
static bool can_replace(const char *path)
{
    struct stat info;

    return lstat(path, &info) != 0 || S_ISREG(info.st_mode);
}

static int make_temporary(struct whole_file *whole)
{
    mode_t mask;
    int fd;

    whole->temporary = cli_format("%s.XXXXXX", whole->path);
    fd = mkstemp(whole->temporary);
    if (fd >= 0) {
        mask = umask(0);
        umask(mask);
        fchmod(fd, 0666 & ~mask);
    }
    return fd;
}

bool whole_open(struct whole_file *whole, const char *path)
{
    int fd;

    *whole = (struct whole_file){.path = cli_copy(path)};
    fd = can_replace(path) ? make_temporary(whole)
                           : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    whole->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (whole->file)
        return true;
    cli_complain("write %s: %s", path, strerror(errno));
    free(whole->path);
    free(whole->temporary);
    return false;
}

bool whole_close(struct whole_file *whole, bool keep)
{
    bool is_good = fclose(whole->file) == 0;

    if (keep && is_good && whole->temporary)
        is_good = rename(whole->temporary, whole->path) == 0;
    if (keep && !is_good)
        cli_complain("write %s: %s", whole->path, strerror(errno));
    if (whole->temporary && !(keep && is_good))
        unlink(whole->temporary);
    free(whole->path);
    free(whole->temporary);
    return !keep || is_good;
}
