/* The other end of the control socket: `weir watch status` and its like. */
#ifndef WEIR_WATCH_CLIENT_H
#define WEIR_WATCH_CLIENT_H

/* Arguments from the verb on.  Returns an exit code. */
int watch_client(int argc, char **argv, const char *config);

#endif
