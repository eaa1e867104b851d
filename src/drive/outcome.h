/* What the end of an attempt says of its origin, and what it owes to the
 * origin's record. */
#ifndef WR_DRIVE_OUTCOME_H
#define WR_DRIVE_OUTCOME_H

#include "drive/runtime.h"

/* Does it end a call, whatever its course says? */
bool wr_is_final(weir_status code);
enum wr_outcome wr_outcome_of_error(const weir_error *error);
enum wr_outcome wr_outcome_of(const struct wr_ending *ending);
/* The attempt that owes has ended. */
void wr_debt_settle_locked(struct wr_course *course, struct wr_debt *debt,
                           enum wr_outcome outcome, uint64_t now_ns);

#endif
