/* The smallest program: it compiles as C and as C++, and needs no network.
 * Nothing listens on port 1 of the loopback address. */
#include <stdio.h>

#include <weir/weir.h>

int main(void)
{
    weir_error err;
    weir_response *res;
    weir_status got =
        weir_get(weir_shared(), "http://127.0.0.1:1/", &res, &err);
    printf("weir %s: %s\n", weir_version(), weir_status_name(got));
    if (got != WEIR_OK)
        printf("%s\n", err.message);
    else
        weir_response_free(res);
    weir_shared_close(0, NULL);
    return got == WEIR_E_CONNECT ? 0 : 1;
}
