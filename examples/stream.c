/* Sends a file as it is read and writes the answer as it comes: neither is ever
 * in memory whole. */
#include <stdio.h>

#include <weir/weir.h>

static int copy_body(weir_response *res)
{
    char buf[16384];
    size_t len;
    weir_error err;

    for (;;) {
        if (weir_response_read(res, buf, sizeof buf, &len, &err) != WEIR_OK) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        if (len == 0)
            return 0;
        if (fwrite(buf, 1, len, stdout) != len)
            return 1;
    }
}

int main(int argc, char **argv)
{
    weir_request *req;
    weir_response *res;
    weir_error err;
    int status;

    if (argc != 3) {
        fprintf(stderr, "usage: %s URL FILE\n", argv[0]);
        return 2;
    }
    if (weir_request_new("PUT", argv[1], &req, &err) != WEIR_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    if (weir_request_set_body_file(req, argv[2], &err) != WEIR_OK ||
        weir_send(weir_shared(), req, &res, &err) != WEIR_OK) {
        fprintf(stderr, "%s\n", err.message);
        weir_request_free(req);
        return 1;
    }
    status = copy_body(res);
    weir_response_free(res);
    weir_request_free(req);
    weir_shared_close(0, NULL);
    return status;
}
