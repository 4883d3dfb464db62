// The job service among its own files.
//
//     job_service.c   connections, requests, operations
//     job_submit.c    SUBMIT: a job begins or goes on
//     job_records.c   BATCH, DONE, STOP, LIST, RING: the metadata log
//     job_tasks.c     PART, TASK: sums to reducers
//     job_audit.c     AUDIT: counts against the log
//     job_intake.c    INTAKE…: copies of inputs that can not be read twice
#ifndef STREAM_JOB_SERVICE_STATE_H
#define STREAM_JOB_SERVICE_STATE_H

#include "base/arena.h"
#include "base/log.h"
#include "ring/transport/transport.h"
#include "stream/job/job_protocol.h"
#include "stream/job/job_runner.h"
#include "stream/job/job_service.h"
#include "stream/job/reducer.h"

// Jobs whose totals are kept at a time; the one not used for longest is forgotten. Workers.
enum { JOB_SERVICE_REDUCERS_MAX = 16, JOB_SERVICE_WORKERS_MAX = 64 };

#define JOB_SERVICE_ANSWER_MAX (256 * (size_t)KIB)

_Static_assert((int)OUTPUTS_MAX <= (int)JOB_OUTPUTS_MAX, "a job's outputs fit its record");

// A request that waits for the metadata log or a reducer. When its worker goes, `connection`
// becomes NULL and nobody is told.
struct job_service_operation {
    struct job_service *service;
    struct job_service_operation *next, **place;
    struct transport_connection *connection;
    uint64_t id;
    struct metadata_job_change change;
    struct job_submission submission;       // SUBMIT: its slices are in the arena.
    struct job_script script;               // Of it, if it has one.
    struct job_output outputs[OUTPUTS_MAX]; // SUBMIT: of the tables as they are now.
    struct uuid job;
    enum { WAITS_NOT, WAITS_TO_LIST, WAITS_TO_RESUME } waits; // For all that was asked before.
    bool is_list; // Answered with what is known, whatever is missed.
    bool is_task; // Nobody waits for those.
    uint64_t skipped;
    uint64_t number, cut; // TASK.
    // SUBMIT and LIST, until the log is caught up with; TASK, until it has the batch's record.
    void (*caught_up)(struct job_service_operation *operation, struct cursor *bytes);
    struct slice request; // In the arena.
    uint64_t log_number, give_up_ns;
    struct env_timer timer;
    struct job_audit *audit;   // AUDIT's, else NULL.
    struct job_intake *intake; // INTAKE…'s, else NULL. In the arena.
    struct arena arena;
};

// What a connection's worker sent so far.
struct job_service_worker {
    struct transport_connection *connection; // NULL: free.
    struct gather *gather;
};

struct job_service_reducer {
    struct uuid job;
    struct reducer *reducer;
};

struct job_service {
    struct env *env;
    struct job_service_options options;
    struct transport_server *server; // NULL: messaging's, or closing.
    bool is_closing;
    struct log log;
    struct job_service_operation *operations; // The newest first.
    struct job_service_worker workers[JOB_SERVICE_WORKERS_MAX];
    struct job_service_reducer reducers[JOB_SERVICE_REDUCERS_MAX];
    size_t reducer_count, operation_count;
    struct job_runner *runner; // NULL: no job is run here.
    struct job_intakes *intakes;
    bool is_answering;
    struct env_task end;
    void (*closed)(void *context);
    void *context;
};

// ---- job_service.c

void job_service_answer(struct transport_connection *connection, uint64_t id,
                        const struct buffer *answer);
void job_service_say(struct transport_connection *connection, uint64_t id,
                     const struct error *error);
void job_service_say_bad(struct transport_connection *connection, uint64_t id);
struct job_service_operation *job_service_begin(struct job_service *service,
                                                struct transport_connection *connection,
                                                uint64_t id);
void job_service_finish(struct job_service_operation *operation);
// Answers with a status alone and ends the operation.
void job_service_finish_with(struct job_service_operation *operation, enum status status,
                             const char *text);
const struct jobs *job_service_jobs(const struct job_service *service);
// Asks the other members whether we miss something, then calls `caught_up` with the request. At
// once in a ring of one; TIMED_OUT when too few answer.
void job_service_catch_up(struct job_service_operation *operation, struct slice request,
                          void (*caught_up)(struct job_service_operation *, struct cursor *));
// Some operations, or what else goes on, may have been the last: ends a service that closes.
void job_service_look_at_end(struct job_service *service);
// Those that wait for what was asked before, and have nothing older before them.
void job_service_answer_waiting(struct job_service *service);

// ---- job_submit.c

void job_submit_request(struct job_service *service, struct transport_connection *connection,
                        uint64_t id, struct slice request);
// The job is there: tells the worker where it stands.
void job_submit_tell(struct job_service_operation *operation, const struct job *job);

// ---- job_records.c

void job_records_batch(struct job_service *service, struct transport_connection *connection,
                       uint64_t id, struct cursor *bytes);
void job_records_done(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct cursor *bytes);
void job_records_stop(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct slice request);
void job_records_list(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct slice request);
void job_records_tell_list(struct job_service_operation *operation);
void job_records_resume(struct job_service *service, struct transport_connection *connection,
                        uint64_t id, struct slice request);
void job_records_halt(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct slice request);
void job_records_fetch(struct job_service *service, struct transport_connection *connection,
                       uint64_t id, struct cursor *bytes);
void job_records_ring(struct job_service *service, struct transport_connection *connection,
                      uint64_t id, struct cursor *bytes);
void job_records_put_ring(const struct job_service *service, struct buffer *answer);

// The newest of this name, or the one of this id; NULL.
const struct job *job_records_find(const struct job_service *service, struct slice text);

// ---- job_audit.c

struct job_audit;
void job_audit_request(struct job_service *service, struct transport_connection *connection,
                       uint64_t id, struct slice request);
void job_audit_free(struct job_audit *audit);

// ---- job_intake.c

// The copies of inputs that this member keeps.
struct job_intakes;
struct job_intake;
struct job_intakes *job_intakes_create(struct job_service *service);
void job_intakes_destroy(struct job_intakes *intakes); // Idle, or of a process that is dead.
void job_intakes_stop(struct job_intakes *intakes);
bool job_intakes_is_idle(const struct job_intakes *intakes);
void job_intake_free(struct job_intake *intake);
void job_intake_request(struct job_service *service, struct transport_connection *connection,
                        uint8_t type, uint64_t id, struct slice request);

// ---- job_tasks.c

void job_tasks_part(struct job_service *service, struct transport_connection *connection,
                    uint64_t id, struct cursor *bytes);
void job_tasks_task(struct job_service *service, struct transport_connection *connection,
                    uint64_t id, struct slice request);
// The totals of a job that has ended are of no more use.
void job_tasks_forget_finished(struct job_service *service, struct uuid job);
void job_tasks_forget_worker(struct job_service *service,
                             const struct transport_connection *connection);

#endif
