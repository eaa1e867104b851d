#include "drive/outcome.h"

#include <errno.h>

bool wr_is_final(weir_status code)
{
    return code == WEIR_E_CANCELLED || code == WEIR_E_CLOSED ||
           code == WEIR_E_TOTAL_TIMEOUT;
}

/* A fault of this machine says nothing of the origin. */
static bool is_local_fault(int system_code)
{
    switch (system_code) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRNOTAVAIL:
    case EACCES:
    case EPERM:
        return true;
    default:
        return false;
    }
}

enum wr_outcome wr_outcome_of_error(const weir_error *error)
{
    switch (error->code) {
    case WEIR_E_ACQUIRE_TIMEOUT:
        return WR_OUTCOME_NEUTRAL;
    case WEIR_E_TOTAL_TIMEOUT:
        return error->stage == WEIR_STAGE_WAIT ? WR_OUTCOME_NEUTRAL
                                               : WR_OUTCOME_BAD;
    default:
        break;
    }
    switch (weir_status_class(error->code)) {
    case WEIR_CLASS_RESOLVE:
    case WEIR_CLASS_CONNECT:
    case WEIR_CLASS_TLS:
    case WEIR_CLASS_PEER:
    case WEIR_CLASS_TIME:
        return is_local_fault(error->system_code) ? WR_OUTCOME_NEUTRAL
                                                  : WR_OUTCOME_BAD;
    default:
        return WR_OUTCOME_NEUTRAL;
    }
}

enum wr_outcome wr_outcome_of(const struct wr_ending *ending)
{
    if (ending->error)
        return wr_outcome_of_error(ending->error);
    return ending->exchange->head.status >= 500 ? WR_OUTCOME_BAD
                                                : WR_OUTCOME_GOOD;
}

void wr_debt_settle_locked(struct wr_course *course, struct wr_debt *debt,
                           enum wr_outcome outcome, uint64_t now_ns)
{
    if (debt->has_pass)
        wr_origin_report(course->origin, &course->policy.breaker, &debt->pass,
                         outcome, now_ns);
    if (debt->has_retry)
        wr_origin_end_retry(course->origin);
    *debt = (struct wr_debt){.has_pass = false};
}
