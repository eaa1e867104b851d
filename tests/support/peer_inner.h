/* Shared by peer.c (servers), peer_proxy.c and peer_dns.c alone. */
#ifndef PEER_INNER_H
#define PEER_INNER_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "peer.h"

/* execv() writes to no argument, though its type could. */
#define WORD(text) ((char *)(uintptr_t)(text))

struct peer {
    pid_t pid; /* 0 = not running */
    unsigned short port;
    unsigned short tls_port;
    char folder[64];
    char path[96];
};

/* With a temporary folder; NULL after printing why. */
struct peer *peer_new(void);
/* A file in the folder, to write to. */
FILE *peer_create(const struct peer *peer, const char *name);
/* A port that was free a moment ago; 0 = none. */
unsigned short peer_find_port(void);
/* Starts the program as a child. */
bool peer_spawn(struct peer *peer, char *const argv[]);
/* Waits until it accepts, or has ended. */
bool peer_await(const struct peer *peer);
/* The peer if it is good; else it is stopped, and NULL. */
struct peer *peer_given(struct peer *peer, bool is_good);

#endif
