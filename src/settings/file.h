/* Reading a settings file. */
#ifndef WR_SETTINGS_FILE_H
#define WR_SETTINGS_FILE_H

#include "base/buf.h"

/* Appends all bytes of a file.  0, or errno's value: EFBIG beyond `most`. */
int wr_file_read(const char *path, size_t most, struct wr_buf *out);

#endif
