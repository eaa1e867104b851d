#include "conn/decoding.h"

#include "base/error.h"

enum {
    COLLECT_STEP = 65536
};

static weir_status find_codings(struct weir_response *response,
                                weir_error *ret_err)
{
    const struct wr_head *head = &response->exchange.head;
    const char *block = response->exchange.in.data;
    weir_status status = WEIR_OK;

    for (uint32_t i = 0; i < head->field_count && status == WEIR_OK; i++) {
        const struct wr_field_ref *field = &head->fields[i];

        if (wr_slice_is(wr_field_name(field, block), "Content-Encoding"))
            status = wr_codings_add(&response->codings,
                                    wr_field_value(field, block), ret_err);
    }
    return status;
}

weir_status wr_decoding_begin(struct weir_response *response,
                              const struct wr_coding_limits *limits,
                              weir_error *ret_err)
{
    weir_status status;

    if (response->exchange.state == WR_EXCHANGE_DONE)
        return WEIR_OK; /* no body, whatever the fields say */
    status = find_codings(response, ret_err);
    if (status != WEIR_OK || response->codings.count == 0)
        return status;
    return wr_decoder_new(&response->codings, limits, &response->decoder,
                          ret_err);
}

void wr_decoding_end(struct weir_response *response)
{
    wr_decoder_free(response->decoder);
    response->decoder = NULL;
    response->codings.count = 0;
    wr_buf_done(&response->decoded);
}

enum wr_step wr_decoding_next(struct weir_response *response, char *buf,
                              size_t cap, size_t *ret_len, weir_error *ret_err)
{
    for (;;) {
        enum wr_step step;

        *ret_len = 0;
        if (wr_decoder_run(response->decoder, &response->coded, buf, cap,
                           ret_len, ret_err) == WR_PARSE_ERROR)
            return WR_STEP_ERROR;
        if (*ret_len > 0)
            return WR_STEP_WAIT;
        step = wr_exchange_next(&response->exchange, &response->coded, ret_err);
        if (step == WR_STEP_DONE &&
            wr_decoder_end(response->decoder, ret_err) != WEIR_OK)
            return WR_STEP_ERROR;
        if (step != WR_STEP_WAIT || response->coded.len == 0)
            return step;
    }
}

enum wr_step wr_decoding_collect(struct weir_response *response,
                                 uint64_t max_body, weir_error *ret_err)
{
    struct wr_buf *decoded = &response->decoded;

    for (;;) {
        enum wr_step step;
        size_t len;

        if (!wr_buf_reserve(decoded, COLLECT_STEP)) {
            wr_error_no_memory(ret_err);
            return WR_STEP_ERROR;
        }
        step = wr_decoding_next(response, decoded->data + decoded->len,
                                decoded->cap - decoded->len, &len, ret_err);
        if (step != WR_STEP_WAIT || len == 0)
            return step;
        decoded->len += len;
        if (decoded->len > max_body) {
            wr_exchange_body_too_large(max_body, ret_err);
            return WR_STEP_ERROR;
        }
    }
}
