/* Eight threads share one pool: at most four connections to the host, each
 * used again and again; the figures at the end say how often. */
#include <pthread.h>
#include <stdio.h>

#include <weir/weir.h>

enum {
    THREADS = 8,
    REQUESTS = 50
};

struct job {
    weir_pool *pool;
    const char *url;
    int failed;
};

static void *work(void *user)
{
    struct job *job = user;

    for (int i = 0; i < REQUESTS; i++) {
        weir_error err;
        weir_response *res;

        if (weir_get(job->pool, job->url, &res, &err) != WEIR_OK) {
            fprintf(stderr, "%s\n", err.message);
            job->failed++;
            continue;
        }
        weir_response_free(res);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    weir_pool_options options;
    weir_pool_figures figures = {.size = sizeof figures};
    weir_error err;
    weir_pool *pool;
    int failed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s URL\n", argv[0]);
        return 2;
    }
    weir_pool_options_init(&options);
    options.max_per_host = 4;
    if (weir_pool_open(&options, &pool, &err) != WEIR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){.pool = pool, .url = argv[1]};
        pthread_create(&threads[i], NULL, work, &jobs[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        failed += jobs[i].failed;
    }
    weir_pool_stats(pool, &figures);
    printf("%llu requests over %llu connections\n",
           (unsigned long long)figures.requests,
           (unsigned long long)figures.dialed);
    weir_pool_close(pool, 1.0, NULL);
    weir_pool_free(pool);
    return failed ? 1 : 0;
}
