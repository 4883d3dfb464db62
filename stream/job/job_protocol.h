// What workers and nodes say to each other about jobs, over ring/transport/transport.h.
//
//     SUBMIT  submission 16 bytes | name vbytes | code u64 | sources uv | source hash u64 |
//             targets | script, if nodes shall run it (ring/metadata/jobs.h)
//     BATCH   job 16 | batch | done_through uv | grand total u64 | depth uv
//     PART    job 16 | n uv | cut u64 | map index uv | output uv | (cell key vbytes | sum zv)*
//     TASK    job 16 | n uv | cut u64 | ts zv | done_through uv | parts uv | home uv | log uv |
//             ranges vbytes | targets
//     DONE    job 16 | done_through uv | grand total u64 | sums hash u64 | state u8
//     LIST    jobs to skip uv
//     STOP    name or id, as text, vbytes
//     RING    nothing
//     FETCH   job 16
//     RESUME  name or id, as text, vbytes
//     HALT    the same
//     AUDIT   the same
//
// For inputs that can not be read twice, to the members that keep copies of them (intake_copy.h):
//
//     INTAKE_OPEN   job 16 | source uv | epoch u64 | home uv | log uv
//     INTAKE        job 16 | source uv | epoch u64 | previous uv | offset uv | done uv | bytes
//     INTAKE_ADOPT  job 16 | source uv | epoch u64 | offset uv
//     INTAKE_READ   job 16 | source uv | epoch u64 | offset uv | size uv
//
//     batch   = number uv | ts zv | sources uv × (from uv | to uv) | input hash u64 | sums hash u64
//     targets = uv × (keyspace vbytes | table vbytes | columns uv × vbytes)
//     ranges  = (after u64 | through u64)*: tokens in (after, through], ascending; the first may go
//               round the end of the ring; none: the whole ring
//     ring    = log uv | self uv | members uv × (address vbytes | port u16 | is up u8) |
//               places uv × (token u64 | member uv); no members: a ring of one
//
// Every answer begins: status u8 | text vbytes. When the status is OK more follows: SUBMIT has the
// job, each output's columns and the ring, BATCH the log's number, TASK the report (n uv | cut u64
// | cells uv | hash u64), LIST jobs until the end: name vbytes | job | tables uv × vbytes; none
// when there are no more; RING the ring; FETCH submission 16 | name vbytes | script;
// AUDIT the log's total u64 | the tables' u64 | cells uv; INTAKE_OPEN promised u64 | end uv |
// adopted u64 | its end uv; INTAKE_READ bytes.
//
// `log` is the number of the metadata log at the node `home` that recorded the batch: a reducer on
// another node that is behind it catches up first (invariant 11).
#ifndef STREAM_JOB_PROTOCOL_H
#define STREAM_JOB_PROTOCOL_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "base/env.h"
#include "ring/metadata/jobs.h"
#include "storage/token.h"
#include "stream/dataset/output.h"

enum job_message {
    JOB_SUBMIT = 1,
    JOB_BATCH,
    JOB_PART,
    JOB_TASK,
    JOB_DONE,
    JOB_ANSWER,
    JOB_LIST,
    JOB_STOP,
    JOB_RING,
    JOB_FETCH,
    JOB_RESUME,
    JOB_HALT,
    JOB_AUDIT,
    JOB_INTAKE_OPEN,
    JOB_INTAKE,
    JOB_INTAKE_ADOPT,
    JOB_INTAKE_READ
};

// Bytes of cells in one PART.
#define JOB_PART_SIZE ((size_t)MIB)

struct job_target {
    struct slice keyspace, table;
    struct slice columns[OUTPUT_COLUMNS_MAX];
    size_t column_count;
};

struct job_submission {
    struct uuid id;
    struct slice name;
    uint64_t code_hash;
    uint32_t source_count;
    uint64_t source_hash;
    struct job_target targets[OUTPUTS_MAX];
    size_t target_count;
    const struct job_script *script; // NULL: none. Taking gives one in the memory handed over.
};

struct job_task {
    struct uuid job;
    uint64_t number, cut;
    int64_t timestamp_us;
    uint64_t done_through;
    uint64_t part_count;
    uint16_t home;
    uint64_t log_number;
    struct slice ranges; // As above.
};

struct job_part {
    struct uuid job;
    uint64_t number, cut, map_index, output;
    struct slice cells;
};

struct job_report {
    uint64_t cells, hash;
};

// The ring as workers see it. A larger one is used through one node only.
enum { JOB_MEMBERS_MAX = 64, JOB_PLACES_MAX = 1024, JOB_RANGE_SIZE = 16 };
struct job_member {
    struct env_address address; // For workers.
    bool is_up;                 // As the node that was asked thinks.
};
struct job_place {
    struct token token;
    uint16_t member;
};
struct job_ring {
    uint64_t log_number;
    uint16_t self, member_count;
    struct job_member members[JOB_MEMBERS_MAX];
    size_t place_count;
    struct job_place places[JOB_PLACES_MAX]; // Ascending.
};

void job_put_submission(struct buffer *bytes, const struct job_submission *submission);
// False: malformed. Slices point into the bytes.
bool job_take_submission(struct cursor *bytes, struct job_submission *submission,
                         struct job_script *script);

void job_put_batch(struct buffer *bytes, const struct job_batch *batch, uint32_t source_count);
bool job_take_batch(struct cursor *bytes, struct job_batch *batch, uint32_t *source_count);

void job_put_targets(struct buffer *bytes, const struct job_target *targets, size_t count);
bool job_take_targets(struct cursor *bytes, struct job_target *targets, size_t *count);

// Without the targets, which follow. Taking checks the ranges too.
void job_put_task(struct buffer *bytes, const struct job_task *task);
bool job_take_task(struct cursor *bytes, struct job_task *task);
bool job_ranges_have(struct slice ranges, struct token token);

void job_put_ring(struct buffer *bytes, const struct job_ring *ring);
bool job_take_ring(struct cursor *bytes, struct job_ring *ring);

void job_put_part(struct buffer *bytes, const struct job_part *part);
bool job_take_part(struct cursor *bytes, struct job_part *part);

// A job as the answer to SUBMIT has it; reading copies at most `batches_max` batches.
void job_put_job(struct buffer *bytes, const struct job *job);
bool job_take_job(struct cursor *bytes, struct job *job, struct job_batch *batches,
                  size_t batches_max);

void job_put_answer(struct buffer *bytes, enum status status, const char *text);
// What a node said: its status, with its text in `error`. MALFORMED.
MUST_USE enum status job_take_answer(struct cursor *bytes, struct error *error);

#endif
