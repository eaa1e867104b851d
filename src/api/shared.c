/* The process-wide pool: made on first use, at most one at a time.
 *
 * A closed shared pool's handle may still be in somebody's hands, so its shell
 * is kept until the process ends; it answers WEIR_E_CLOSED. */
#include <stdatomic.h>

#include <weir/settings.h>

#include "api/pool.h"
#include "base/error.h"
#include "base/mem.h"
#include "drive/forking.h"
#include "settings/options.h"

static struct {
    pthread_mutex_t lock;
    _Atomic(struct weir_pool *) pool; /* NULL: none, or closed */
    weir_error failure;               /* of the last try to make one */
    struct weir_pool **retired;       /* shells */
    size_t retired_count;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- fork ---------------------------------------------------------------- */

static void hold(void)
{
    pthread_mutex_lock(&shared.lock);
}

static void let_go(void)
{
    pthread_mutex_unlock(&shared.lock);
}

static void renew(void)
{
    pthread_mutex_init(&shared.lock, NULL);
}

/* What is told last is asked first: this lock comes before those of pools. */
static void ask_to_be_told(void)
{
    wr_forking_prepare();
    pthread_atfork(hold, let_go, renew);
}

/* --- making one ---------------------------------------------------------- */

/* From the environment, with the program's options over it if given. */
static weir_status make_locked(const weir_pool_options *options,
                               weir_error *err)
{
    weir_settings *settings = NULL;
    weir_pool_options from_settings;
    struct weir_pool **retired;
    struct weir_pool *pool;
    weir_status status;

    /* Room for the shell, so that closing cannot fail. */
    retired = wr_realloc(shared.retired, (shared.retired_count + 1) *
                                             sizeof(struct weir_pool *));
    if (!retired)
        return wr_error_no_memory(err);
    shared.retired = retired;
    if (!options) {
        status = weir_settings_load_environment("weir", &settings, err);
        if (status != WEIR_OK)
            return status;
        weir_settings_pool_options(settings, &from_settings);
        options = &from_settings;
    }
    status = weir_pool_open(options, &pool, err);
    weir_settings_free(settings);
    if (status == WEIR_OK)
        atomic_store_explicit(&shared.pool, pool, memory_order_release);
    return status;
}

/* Options of the caller against those of the living pool. */
static weir_status compare(struct weir_pool *pool,
                           const weir_pool_options *options, weir_error *err)
{
    weir_pool_options imported;
    const char *different;
    const weir_status status = wr_options_import(&imported, options, err);

    if (status != WEIR_OK)
        return status;
    pthread_mutex_lock(&pool->lock);
    different = wr_options_difference(&pool->options, &imported, true);
    pthread_mutex_unlock(&pool->lock);
    if (!different)
        return WEIR_OK;
    return wr_error_set(err, WEIR_E_CONFLICT,
                        "%s: differs from that of the shared pool, which "
                        "exists already",
                        different);
}

weir_status weir_shared_open(const weir_pool_options *options,
                             weir_pool **ret_pool, weir_error *ret_err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    weir_error scratch;
    weir_error *err = ret_err ? ret_err : &scratch;
    weir_status status = WEIR_OK;
    struct weir_pool *pool;

    if (!ret_pool)
        return wr_error_set(ret_err, WEIR_E_INVALID,
                            "weir_shared_open: ret_pool is NULL");
    pthread_once(&once, ask_to_be_told);
    pthread_mutex_lock(&shared.lock);
    pool = atomic_load_explicit(&shared.pool, memory_order_relaxed);
    if (!pool) {
        status = make_locked(options, err);
        pool = atomic_load_explicit(&shared.pool, memory_order_relaxed);
        if (status == WEIR_OK)
            shared.failure.code = WEIR_OK;
        else
            shared.failure = *err;
    } else if (options) {
        status = compare(pool, options, err);
    }
    pthread_mutex_unlock(&shared.lock);
    if (status == WEIR_OK)
        *ret_pool = pool;
    return status;
}

weir_pool *weir_shared(void)
{
    struct weir_pool *pool =
        atomic_load_explicit(&shared.pool, memory_order_acquire);

    if (!pool)
        weir_shared_open(NULL, &pool, NULL);
    return pool;
}

weir_status wr_no_pool(weir_error *ret_err)
{
    weir_status status;

    pthread_mutex_lock(&shared.lock);
    if (shared.failure.code != WEIR_OK &&
        !atomic_load_explicit(&shared.pool, memory_order_relaxed)) {
        status = shared.failure.code;
        if (ret_err)
            *ret_err = shared.failure;
    } else {
        status = wr_error_set(ret_err, WEIR_E_INVALID, "pool is NULL");
    }
    pthread_mutex_unlock(&shared.lock);
    return status;
}

weir_status weir_shared_close(double grace, weir_close_report *ret_report)
{
    static const weir_close_report nothing = {0};
    struct weir_pool *pool;

    if (!(grace >= 0))
        return WEIR_E_INVALID;
    pthread_mutex_lock(&shared.lock);
    pool = atomic_load_explicit(&shared.pool, memory_order_relaxed);
    if (pool) {
        atomic_store_explicit(&shared.pool, NULL, memory_order_relaxed);
        shared.retired[shared.retired_count++] = pool;
    }
    pthread_mutex_unlock(&shared.lock);
    if (pool)
        return weir_pool_close(pool, grace, ret_report);
    if (ret_report)
        wr_export(ret_report, &nothing, sizeof nothing);
    return WEIR_OK;
}
