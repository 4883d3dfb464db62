// What workers and nodes say to each other about jobs, over ring/transport/transport.h.
//
//     SUBMIT  submission 16 bytes | name vbytes | code u64 | sources uv | source hash u64 |
//             outputs uv × (keyspace vbytes | table vbytes | columns uv × vbytes)
//     BATCH   job 16 | batch | done_through uv | grand total u64 | depth uv
//     PART    job 16 | n uv | cut u64 | map index uv | output uv | (cell key vbytes | sum zv)*
//     TASK    job 16 | n uv | cut u64 | ts zv | done_through uv | parts uv
//     DONE    job 16 | done_through uv | grand total u64 | state u8
//     LIST    jobs to skip uv
//     STOP    name or id, as text, vbytes
//
//     batch = number uv | ts zv | sources uv × (from uv | to uv) | input hash u64 | sums hash u64
//
// Every answer begins: status u8 | text vbytes. When the status is OK more follows: SUBMIT has the
// job and each output's columns, TASK has the report (cells uv | hash u64), LIST has jobs until the
// end: name vbytes | job | tables uv × vbytes; none when there are no more.
#ifndef STREAM_JOB_PROTOCOL_H
#define STREAM_JOB_PROTOCOL_H

#include "base/buffer.h"
#include "base/cursor.h"
#include "ring/metadata/jobs.h"
#include "stream/dataset/output.h"

enum job_message {
    JOB_SUBMIT = 1,
    JOB_BATCH,
    JOB_PART,
    JOB_TASK,
    JOB_DONE,
    JOB_ANSWER,
    JOB_LIST,
    JOB_STOP
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
};

struct job_task {
    struct uuid job;
    uint64_t number, cut;
    int64_t timestamp_us;
    uint64_t done_through;
    uint64_t part_count;
};

struct job_part {
    struct uuid job;
    uint64_t number, cut, map_index, output;
    struct slice cells;
};

struct job_report {
    uint64_t cells, hash;
};

void job_put_uuid(struct buffer *bytes, struct uuid uuid);
struct uuid job_take_uuid(struct cursor *bytes);

void job_put_submission(struct buffer *bytes, const struct job_submission *submission);
// False: malformed. Slices point into the bytes.
bool job_take_submission(struct cursor *bytes, struct job_submission *submission);

void job_put_batch(struct buffer *bytes, const struct job_batch *batch, uint32_t source_count);
bool job_take_batch(struct cursor *bytes, struct job_batch *batch, uint32_t *source_count);

void job_put_task(struct buffer *bytes, const struct job_task *task);
bool job_take_task(struct cursor *bytes, struct job_task *task);

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
