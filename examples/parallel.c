/* Fetches several URLs at once, on a thread of weir's own, and tells of each as
 * it ends.
 *
 *   cc parallel.c $(pkg-config --cflags --libs weir) && ./a.out URL... */
#include <stdio.h>
#include <stdlib.h>

#include <weir/weir.h>

static weir_call *submit(const char *url)
{
    weir_request *request;
    weir_call *call = NULL;
    weir_error err;

    if (weir_request_new("GET", url, &request, &err) != WEIR_OK) {
        fprintf(stderr, "%s: %s\n", url, err.message);
        return NULL;
    }
    if (weir_submit(weir_shared(), request, NULL, NULL, &call, &err) != WEIR_OK)
        fprintf(stderr, "%s: %s\n", url, err.message);
    weir_request_free(request); /* the call keeps what it needs */
    return call;
}

/* The call has ended. */
static int tell(const char *url, weir_call *call)
{
    weir_response *res;
    weir_error err;

    if (weir_call_wait(call, 0, &res, &err) != WEIR_OK) {
        fprintf(stderr, "%s: %s\n", url, err.message);
        return 1;
    }
    printf("%s: %d, %zu bytes\n", url, weir_response_status(res),
           weir_response_body(res).len);
    weir_response_free(res);
    return 0;
}

int main(int argc, char **argv)
{
    const size_t count = (size_t)argc - 1;
    weir_call **calls;
    size_t left = 0;
    size_t i;
    int failed = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: %s URL...\n", argv[0]);
        return 2;
    }
    calls = calloc(count, sizeof(weir_call *));
    if (!calls) {
        fprintf(stderr, "%s: out of memory\n", argv[0]);
        return 1;
    }
    for (i = 0; i < count; i++) {
        calls[i] = submit(argv[i + 1]);
        left += calls[i] != NULL;
        failed |= calls[i] == NULL;
    }
    while (left-- > 0) {
        weir_calls_wait(calls, count, WEIR_WAIT_ANY, -1, &i);
        failed |= tell(argv[i + 1], calls[i]);
        weir_call_free(calls[i]);
        calls[i] = NULL; /* passed over from now on */
    }
    free(calls);
    weir_shared_close(1, NULL);
    return failed;
}
