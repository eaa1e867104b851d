#include "conn/response.h"

#include "base/mem.h"
#include "conn/decoding.h"

struct weir_response *wr_response_new(unsigned fields_max)
{
    struct weir_response *response = wr_malloc(
        sizeof *response + (size_t)fields_max * 2 * sizeof response->fields[0]);

    if (!response)
        return NULL;
    *response = (struct weir_response){.fields_max = fields_max};
    return response;
}

void wr_response_delete(struct weir_response *response)
{
    wr_course_free(response->course);
    wr_decoding_end(response);
    wr_exchange_done(&response->exchange);
    wr_free(response);
}
