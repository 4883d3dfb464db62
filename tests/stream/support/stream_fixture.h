// What tests of the node's side have in common: a real env, an empty directory, and in it a node's
// lower half (metadata, engine, coordinator) with the counter table ks.t (a text, b text, n
// counter).
#ifndef TESTS_STREAM_SUPPORT_STREAM_FIXTURE_H
#define TESTS_STREAM_SUPPORT_STREAM_FIXTURE_H

#include "ring/coordinator/coordinator.h"
#include "ring/metadata/metadata.h"
#include "storage/engine/engine.h"

struct stream_fixture {
    struct env *env;
    char directory[256];
    size_t memtable_space_max; // From the next restart on; 0: the default.
    struct metadata *metadata;
    struct engine *engine;
    struct coordinator *coordinator;
};

void stream_fixture_setup(struct stream_fixture *fixture);
void stream_fixture_teardown(struct stream_fixture *fixture);
// Ends the node's half in good order, and begins it again from its directory.
void stream_fixture_restart(struct stream_fixture *fixture);
// Runs the loop until `*done` is set, or fails the test after half a minute.
void stream_fixture_run_until(struct stream_fixture *fixture, const bool *done);

// The counter of a cell: its total, 0 when there is none.
int64_t stream_fixture_read(struct stream_fixture *fixture, const char *a, const char *b);
// The cells that the table has.
size_t stream_fixture_count(struct stream_fixture *fixture);
// Writes a file into the directory and gives its path, valid until the next call.
const char *stream_fixture_write(struct stream_fixture *fixture, const char *name,
                                 const char *text);

// Submits a job and records a batch; both must succeed.
struct uuid stream_fixture_submit(struct stream_fixture *fixture);
void stream_fixture_record(struct stream_fixture *fixture, struct uuid job, uint64_t number,
                           uint64_t done_through);

#endif
