// What a person must know when a status alone is too little: what failed, where, and what to do.
//
// The caller owns it and passes it as the last parameter; whoever meets the fault fills it, once,
// at the place where it happens. It may be NULL where the header says so.
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/status.h"

enum { ERROR_TEXT_SIZE = 512 };

struct error {
    enum status status;
    char text[ERROR_TEXT_SIZE]; // A sentence without a full stop; cut at the size, always with a
                                // NUL.
};

// Fills `error` (if not NULL) and returns `status`, so that a fault is one line:
//     return error_set(error, STATUS_CORRUPT, "%s: offset %" PRIu64 ": bad length", path, offset);
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
