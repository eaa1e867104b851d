#include "rules.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct rule_help rules_help[] = {
    {"delay-ms", "N", "every packet takes N ms, so the round trip 2 N; 0"},
    {"jitter-ms", "N", "and up to N ms more, in order; 0"},
    {"loss", "PERCENT", "of the packets are lost; 0"},
    {"duplicate", "PERCENT", "of the packets arrive twice; 0"},
    {"reorder", "PERCENT", "of the packets are held back; 0"},
    {"reorder-ms", "N", "by so much; 3"},
    {"hole", "WHICH",
     "none, near, far or both: swallows what comes from\n"
     "                           there, also what is on its "
     "way; none"},
    {"unreachable", "WHAT",
     "none, net, host, port or admin: a router answers\n"
     "                           the near side so, by "
     "ICMP; none"},
    {"only", "ADDRESS",
     "loss, hole and router concern this far address\n"
     "                           alone; any"},
    {"seed", "N", "of all that is random; 1"},
    {NULL, NULL, NULL}};

void rules_init(struct rules *rules)
{
    memset(rules, 0, sizeof *rules);
    rules->reorder_ms = 3;
    rules->seed = 1;
}

static bool complain(char *why, size_t cap, const char *name, const char *value,
                     const char *expected)
{
    snprintf(why, cap, "%s \"%s\": expected %s", name, value, expected);
    return false;
}

static bool read_number(const char *text, double max, double *ret)
{
    char *end;
    const double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value) || value < 0 || value > max)
        return false;
    *ret = value;
    return true;
}

/* Position of `value` in a list that ends with NULL, or -1. */
static int choose(const char *value, const char *const *list)
{
    for (int i = 0; list[i]; i++) {
        if (strcmp(value, list[i]) == 0)
            return i;
    }
    return -1;
}

static bool set_hole(struct rules *rules, const char *value)
{
    static const char *const words[] = {"none", "near", "far", "both", NULL};
    const int chosen = choose(value, words);

    if (chosen < 0)
        return false;
    rules->hole[NEAR] = chosen & 1;
    rules->hole[FAR] = chosen & 2;
    return true;
}

static bool set_unreachable(struct rules *rules, const char *value)
{
    static const char *const words[] = {"none", "net",   "host",
                                        "port", "admin", NULL};
    const int chosen = choose(value, words);

    if (chosen < 0)
        return false;
    rules->unreachable = chosen;
    return true;
}

static bool set_only(struct rules *rules, const char *value)
{
    unsigned char address[16];

    if (strcmp(value, "any") == 0) {
        rules->family = 0;
        return true;
    }
    for (int i = 0; i < 2; i++) {
        const int family = i ? AF_INET6 : AF_INET;

        if (inet_pton(family, value, address) == 1) {
            rules->family = family;
            memcpy(rules->only, address, sizeof address);
            return true;
        }
    }
    return false;
}

static bool set_seed(struct rules *rules, const char *value)
{
    double seed;

    if (!read_number(value, 4294967295.0, &seed))
        return false;
    rules->seed = (uint64_t)seed;
    return true;
}

bool rules_set(struct rules *rules, const char *name, const char *value,
               char *why, size_t cap)
{
    const struct {
        const char *name;
        double *at;
        double max;
        const char *expected;
    } numbers[] = {
        {"delay-ms", &rules->delay_ms, 60000, "0 to 60000"},
        {"jitter-ms", &rules->jitter_ms, 60000, "0 to 60000"},
        {"reorder-ms", &rules->reorder_ms, 60000, "0 to 60000"},
        {"loss", &rules->loss, 100, "0 to 100"},
        {"duplicate", &rules->duplicate, 100, "0 to 100"},
        {"reorder", &rules->reorder, 100, "0 to 100"},
    };
    static const struct {
        const char *name;
        bool (*set)(struct rules *rules, const char *value);
        const char *expected;
    } words[] = {
        {"hole", set_hole, "none, near, far or both"},
        {"unreachable", set_unreachable, "none, net, host, port or admin"},
        {"only", set_only, "an IP address or any"},
        {"seed", set_seed, "0 to 4294967295"},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(name, numbers[i].name) == 0)
            return read_number(value, numbers[i].max, numbers[i].at) ||
                   complain(why, cap, name, value, numbers[i].expected);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(name, words[i].name) == 0)
            return words[i].set(rules, value) ||
                   complain(why, cap, name, value, words[i].expected);
    }
    snprintf(why, cap, "there is no rule \"%s\"", name);
    return false;
}
