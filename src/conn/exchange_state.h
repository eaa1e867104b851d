/* Shared by exchange.c and exchange_out.c alone. */
#ifndef WR_CONN_EXCHANGE_STATE_H
#define WR_CONN_EXCHANGE_STATE_H

#include "conn/exchange.h"

/* The one place that changes the state; asserts that it may. */
void wr_exchange_set_state(struct wr_exchange *ex,
                           enum wr_exchange_state state);

#endif
