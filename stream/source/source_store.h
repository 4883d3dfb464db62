// Where a live source keeps what it read, if that is not a directory of its own (intake.h): on
// members of a ring. Offsets as there. One thing is under way at a time; events come in later
// turns.
#ifndef STREAM_SOURCE_STORE_H
#define STREAM_SOURCE_STORE_H

#include "base/error.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

struct source_store_events {
    void (*opened)(void *context, uint64_t end); // What is stored ends there.
    void (*appended)(void *context);             // It is safe, and may be recorded.
    void (*was_read)(void *context, struct slice bytes);
    void (*failed)(void *context, const struct error *error); // Nothing more will come.
};

struct source_store {
    // What is before `from` is of no use any more.
    void (*open)(struct source_store *store, uint64_t from,
                 const struct source_store_events *events, void *context);
    // The bytes stay valid until they are stored.
    void (*append)(struct source_store *store, struct slice bytes);
    // All of them are stored.
    void (*read)(struct source_store *store, uint64_t offset, size_t size);
    void (*done)(struct source_store *store, uint64_t offset);
};

#endif
