/* What a wire does to the packets that it carries.
 *
 * A rule is a name and a value as text, the same on the command line
 * (--loss 5) and while the wire works ("loss 5"). */
#ifndef WIRE_RULES_H
#define WIRE_RULES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which of the two ends a packet comes from. */
enum side {
    NEAR,
    FAR,
    SIDES
};

struct rules {
    double delay_ms;  /* each way */
    double jitter_ms; /* more at most; keeps the order */
    double loss;      /* percent */
    double duplicate; /* percent */
    double reorder;   /* percent that are held back by reorder_ms */
    double reorder_ms;
    bool hole[SIDES]; /* swallows all that comes from there */
    int unreachable;  /* what a router says to NEAR: enum unreachable */
    int family;       /* of `only`; 0 = loss, hole and router concern all */
    unsigned char only[16]; /* the far address that they concern */
    uint64_t seed;
};

/* What a router answers; ICMP codes differ between the families. */
enum unreachable {
    REACHABLE,
    NET_UNREACHABLE,
    HOST_UNREACHABLE,
    PORT_UNREACHABLE,
    ADMIN_PROHIBITED,
};

/* One line a rule, for a usage text. */
struct rule_help {
    const char *name;
    const char *value;
    const char *text;
};

void rules_init(struct rules *rules);
/* Sets one; false with why in `why`, and nothing is changed. */
bool rules_set(struct rules *rules, const char *name, const char *value,
               char *why, size_t cap);
/* Ends with a name of NULL. */
extern const struct rule_help rules_help[];

#endif
