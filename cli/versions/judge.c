/* The verdict on a check. */
#include <stdio.h>
#include <string.h>

#include "versions.h"

static const char *newest_of(const struct offer *offer, bool pre)
{
    const char *newest = pre ? offer->answer.newest_pre : offer->answer.newest;

    return offer->end == OFFER_MADE && *newest ? newest : NULL;
}

static bool is_newer(const char *newest, const char *installed)
{
    struct pep440 a;
    struct pep440 b;

    return pep440_parse(newest, strlen(newest), &a) &&
           pep440_parse(installed, strlen(installed), &b) &&
           pep440_compare(&a, &b) > 0;
}

static enum check_state state_of(const struct check *check, const char *newest)
{
    static const enum check_state of_offer[] = {
        [OFFER_OPEN] = STATE_UNREACHABLE,
        [OFFER_UNREACHABLE] = STATE_UNREACHABLE,
        [OFFER_UNKNOWN] = STATE_UNKNOWN,
        [OFFER_MALFORMED] = STATE_MALFORMED,
    };

    if (check->offer.end != OFFER_MADE)
        return of_offer[check->offer.end];
    if (check->installed.end == INSTALLED_UNREADABLE)
        return STATE_UNREADABLE;
    if (check->installed.end == INSTALLED_NOT)
        return STATE_NOT_INSTALLED;
    if (!newest)
        return STATE_NO_RELEASE;
    return is_newer(newest, check->installed.version) ? STATE_UPDATE
                                                      : STATE_UP_TO_DATE;
}

struct verdict check_judge(const struct check *check, bool pre)
{
    struct verdict verdict = {.newest = newest_of(&check->offer, pre)};
    const bool is_unreadable = check->installed.end == INSTALLED_UNREADABLE;
    const bool is_refused = check->offer.end != OFFER_MADE;

    verdict.state = state_of(check, verdict.newest);
    snprintf(verdict.why, sizeof verdict.why, "%s%s%s",
             is_refused ? check->offer.why : "",
             is_refused && is_unreadable ? "; installed version: " : "",
             is_unreadable ? check->installed.why : "");
    return verdict;
}

bool check_is_failure(enum check_state state)
{
    switch (state) {
    case STATE_UNREACHABLE:
    case STATE_UNKNOWN:
    case STATE_MALFORMED:
    case STATE_UNREADABLE:
        return true;
    case STATE_UP_TO_DATE:
    case STATE_UPDATE:
    case STATE_NOT_INSTALLED:
    case STATE_NO_RELEASE:
    default:
        return false;
    }
}
