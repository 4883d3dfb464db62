// SELECT at SERIAL or LOCAL_SERIAL (org.apache.cassandra.service.StorageProxy.readWithPaxos): what
// is read is what all conditional statements before it left.
//
//     STARTED --a quorum promised--> the SELECT, all of it --rows--> PROPOSING nothing --> done
//        ^-------------------someone else was faster--------------------/
#include "base/container_of.h"
#include "cql/execution/execution_select.h"

struct select_serial {
    struct paxos_cas cas;
    struct execution *execution;
    struct select_work *work; // Of the present try.
};

static struct select_serial *select_serial_of(struct paxos_cas *cas)
{
    return CONTAINER_OF(cas, struct select_serial, cas);
}

static void select_serial_abandon(struct execution *execution)
{
    struct select_work *work = execution->state->work;
    coordinator_read_abandon(&work->read);
    paxos_cas_abandon(work->cas);
}

static void select_serial_ready(struct paxos_cas *cas)
{
    struct select_serial *serial = select_serial_of(cas);
    struct execution *execution = serial->execution;
    if (serial->work == NULL) {
        buffer_clear(&execution->result.rows);
        serial->work = select_begin(execution);
        if (serial->work == NULL) {
            paxos_cas_cancel(cas);
            execution_fail(execution);
            return;
        }
    }
    struct select_work *work = serial->work;
    work->cas = cas;
    work->consistency = cas->read_consistency;
    serial->work = NULL; // The next try is another one.
    execution->state->abandon = select_serial_abandon;
    select_run(work);
}

static void select_serial_done(struct paxos_cas *cas, const struct coordinator_result *result)
{
    struct execution *execution = select_serial_of(cas)->execution;
    const struct select_plan *plan = &execution->statement->plan->select;
    if (!execution_check(execution, result, false, "CAS")) return;
    if (plan->warning != NULL) execution_add_warning(execution, plan->warning);
    execution_succeed(execution, RESULT_ROWS);
}

void select_end_serial(struct select_work *work)
{
    paxos_cas_propose(work->cas, NULL, 0);
}

void select_start_serial(struct select_work *work)
{
    struct execution *execution = work->execution;
    struct paxos *paxos = execution->processor->paxos;
    const char *text = NULL;
    if (work->key_count > 1)
        text = "SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time";
    else if (paxos == NULL)
        text = "Serial reads are not served here";
    if (text != NULL) {
        cql_error_set(&execution->error, CQL_ERROR_INVALID, "%s", text);
        execution_fail(execution);
        return;
    }
    struct select_serial *serial = ARENA_NEW(&execution->arena, struct select_serial);
    serial->execution = execution;
    serial->work = work;
    serial->cas = (struct paxos_cas){
        .ready = select_serial_ready,
        .done = select_serial_done,
        .table = work->plan->table,
        .key = work->keys[0],
        .serial_consistency = work->consistency,
        .commit_consistency = CONSISTENCY_QUORUM,
    };
    work->cas = &serial->cas;
    execution->state->abandon = select_serial_abandon;
    paxos_cas_start(paxos, &serial->cas);
}
