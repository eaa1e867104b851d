#include "conn/response.h"

#include "base/mem.h"
#include "conn/decoding.h"

struct weir_response *wr_response_new(unsigned fields_max)
{
    struct weir_response *response = wr_calloc(1, sizeof *response);

    if (response)
        response->fields_max = fields_max;
    return response;
}

void wr_response_delete(struct weir_response *response)
{
    wr_course_free(response->course);
    wr_decoding_end(response);
    wr_exchange_done(&response->exchange);
    wr_free(response->fields);
    wr_free(response);
}
