/* An origin and a pool, one of each, as most of these tests have them.  Behind
 * headers whose functions have a `pool` of their own. */
#ifndef INTEGRATION_ORIGIN_POOL_H
#define INTEGRATION_ORIGIN_POOL_H

#include "client.h"

#include "origin.h"

static struct origin *origin;
static weir_pool *pool;

/* A set-up's last step: 0, or -1 without an origin. */
static inline int start_both(const struct origin_options *how,
                             const weir_pool_options *options)
{
    origin = origin_start(how);
    pool = must_open(options);
    return origin ? 0 : -1;
}

/* A plain origin, and a pool as every test has it. */
static inline int set_up_plain(void **state)
{
    const weir_pool_options options = test_options();

    (void)state;
    return start_both(NULL, &options);
}

/* Another pool in place of the one there is. */
static inline void open_pool(const weir_pool_options *options)
{
    weir_pool_free(pool);
    pool = must_open(options);
}

/* May be called between two parts of one test. */
static inline int tear_down(void **state)
{
    (void)state;
    weir_pool_free(pool);
    pool = NULL;
    origin_stop(origin);
    origin = NULL;
    return 0;
}

#endif
