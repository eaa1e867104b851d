/* The shortest program: one URL through the shared pool. */
#include <stdio.h>

#include <weir/weir.h>

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "https://example.org/";
    weir_error err;
    weir_response *res;

    if (weir_get(weir_shared(), url, &res, &err) != WEIR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%d, %zu bytes\n", weir_response_status(res),
           weir_response_body(res).len);
    weir_response_free(res);
    weir_shared_close(0, NULL);
    return 0;
}
