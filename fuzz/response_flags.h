/* The first byte of an input of fuzz_response. */
#ifndef RESPONSE_FLAGS_H
#define RESPONSE_FLAGS_H

enum {
    RESPONSE_HEAD = 1,   /* the request's method was HEAD */
    RESPONSE_STRICT = 2, /* the strict option is on */
    RESPONSE_CUT = 4,    /* the connection ends without close_notify */
    RESPONSE_NARROW = 8, /* small limits */
};

#endif
