// The pieces of a remote read: whom they ask, what they make of the answers (remote_read.h has the
// picture).
#include "ring/coordinator/remote_piece.h"

#include "base/checksum.h"
#include "base/container_of.h"
#include "base/env_marks.h"
#include "base/limits.h"
#include "ring/coordinator/read_encoder.h"
#include "ring/coordinator/read_repair.h"

enum {
    HAS_DATA = REMOTE_BIT(REMOTE_HAS_DATA),
    ASKED_DATA = REMOTE_BIT(REMOTE_ASKED_DATA),
    HAS_ANSWER = HAS_DATA | REMOTE_BIT(REMOTE_HAS_DIGEST),
    ASKED = ASKED_DATA | REMOTE_BIT(REMOTE_ASKED_DIGEST),
    IS_EQUAL = REMOTE_BIT(REMOTE_IS_EQUAL),
    SENT_REPAIR = REMOTE_BIT(REMOTE_SENT_REPAIR),
};

static void piece_step(struct remote_piece *piece);

// ---- The end ------------------------------------------------------------------------------------

// Nothing that was asked for is wanted any more.
static void contact_drop(struct remote_contact *contact)
{
    struct messaging *messaging = coordinator_messaging(contact->piece->remote->coordinator);
    unsigned waits = ASKED | SENT_REPAIR;
    bool is_under_way = (waits & REMOTE_BIT(contact->answer)) != 0;
    if (contact->local != NULL && is_under_way)
        replica_read_forget(contact->local);
    else if (contact->local != NULL)
        replica_read_give_back(contact->local);
    contact->local = NULL;
    if (is_under_way && messaging != NULL) messaging_cancel(messaging, &contact->request);
}

void remote_piece_drop(struct remote_piece *piece)
{
    for (uint16_t i = 0; i < piece->contact_count; i++)
        contact_drop(&piece->contacts[i]);
}

// With the numbers of the piece that is to blame.
void remote_piece_fail(struct remote_piece *piece, enum coordinator_outcome outcome)
{
    struct coordinator_result *result = &piece->remote->read->result;
    if (piece->remote->has_failed) return;
    remote_read_fail(piece->remote, outcome);
    result->required = piece->required;
    result->alive = piece->alive;
    result->failures = piece->faults.failures;
    result->fault_count = piece->faults.fault_count;
    memcpy(result->faults, piece->faults.faults, sizeof result->faults);
    bool is_repairing = piece->state == REMOTE_REPAIRING;
    result->received = remote_plan_count(piece, is_repairing ? IS_EQUAL : HAS_ANSWER);
    result->data_present = piece->state != REMOTE_ASKING || remote_plan_count(piece, HAS_DATA) > 0;
    if (outcome == COORDINATOR_TIMED_OUT)
        env_mark(piece->remote->coordinator->env, ENV_MARK_READ_TIMED_OUT);
}

static void piece_fail_status(struct remote_piece *piece, enum status status)
{
    coordinator_result_blame(&piece->faults, MEMBER_NONE, status);
    remote_piece_fail(piece,
                      status == STATUS_OVERLOADED ? COORDINATOR_OVERLOADED : COORDINATOR_FAILED);
}

// ---- Asking -------------------------------------------------------------------------------------

static void contact_lose(struct remote_contact *contact, enum status status)
{
    contact->answer = REMOTE_LOST;
    bool is_silent =
        status == STATUS_CLOSED || status == STATUS_TIMED_OUT || status == STATUS_CANCELED;
    if (!is_silent) coordinator_result_blame(&contact->piece->faults, contact->member, status);
}

static void contact_take_data(struct remote_contact *contact, struct slice data)
{
    struct remote_read *remote = contact->piece->remote;
    contact->answer = REMOTE_HAS_DATA;
    contact->data = data;
    remote->size += data.size;
    remote->pool->remote_size += data.size;
    if (remote->pool->remote_size > REMOTE_READS_SIZE_MAX)
        remote_piece_fail(contact->piece, COORDINATOR_OVERLOADED);
}

static void contact_heard_local(struct remote_contact *contact, enum status status)
{
    if (status == STATUS_OK) {
        contact_take_data(contact, buffer_slice(&contact->local->chunk));
        return;
    }
    contact_lose(contact, status);
    replica_read_give_back(contact->local);
    contact->local = NULL;
}

static void contact_local_done(struct replica_read *local, enum status status)
{
    struct remote_contact *contact = local->owner;
    struct remote_piece *piece = contact->piece;
    contact_heard_local(contact, status);
    // A node that stops has nobody to ask any more.
    if (coordinator_messaging(piece->remote->coordinator) == NULL)
        remote_piece_fail(piece, COORDINATOR_TIMED_OUT);
    piece_step(piece);
    remote_read_go_on(piece->remote);
}

// Cassandra's name of the verb.
static const char *contact_verb_text(const struct remote_contact *contact)
{
    return contact->piece->in_partition ? "READ" : "RANGE";
}

static void contact_tell_answer(const struct remote_contact *contact, enum status status)
{
    const struct remote_read *remote = contact->piece->remote;
    struct trace *trace = remote->read->trace;
    char text[COORDINATOR_MEMBER_TEXT_SIZE];
    if (trace == NULL) return;
    replica_trace_heard(remote->coordinator, contact->member, status);
    (void)coordinator_member_text(remote->coordinator, contact->member, text);
    if (status != STATUS_OK) {
        trace_add(trace, TRACE_THREAD_RESPONSE, "No answer of use from %s: %s", text,
                  status_text(status));
        return;
    }
    trace_add(trace, TRACE_THREAD_MESSAGE, "%s_RSP message received from %s",
              contact_verb_text(contact), text);
    trace_add(trace, TRACE_THREAD_RESPONSE, "Processing response from %s", text);
}

static void contact_tell_asked(const struct remote_contact *contact, bool wants_data, size_t size)
{
    const struct remote_read *remote = contact->piece->remote;
    struct trace *trace = remote->read->trace;
    char text[COORDINATOR_MEMBER_TEXT_SIZE];
    if (trace == NULL) return;
    if (contact->member == remote->coordinator->self) {
        trace_add(trace, TRACE_THREAD_READ, "Executing %s query on %.*s",
                  contact->piece->is_scan ? "range" : "single-partition",
                  TRACE_NAME(remote->read->table->name));
        return;
    }
    (void)coordinator_member_text(remote->coordinator, contact->member, text);
    trace_add(trace, TRACE_THREAD_REQUEST, "reading %s from %s", wants_data ? "data" : "digest",
              text);
    trace_add(trace, TRACE_THREAD_MESSAGE, "Sending %s_REQ message to %s message size %zu bytes",
              contact_verb_text(contact), text, size);
}

static void contact_answered(struct messaging_request *request, enum status status,
                             struct slice answer)
{
    struct remote_contact *contact = CONTAINER_OF(request, struct remote_contact, request);
    struct remote_piece *piece = contact->piece;
    struct remote_read *remote = piece->remote;
    contact_tell_answer(contact, status);
    remote->coordinator->counts.answers++;
    if (status != STATUS_OK) {
        contact_lose(contact, status);
    } else if (contact->answer == REMOTE_ASKED_DATA) {
        contact_take_data(contact, arena_copy(&remote->arena, answer));
    } else if (answer.size == sizeof contact->digest) {
        contact->answer = REMOTE_HAS_DIGEST;
        memcpy(contact->digest, answer.data, sizeof contact->digest);
    } else {
        contact_lose(contact, STATUS_CORRUPT);
    }
    if (status == STATUS_OK)
        read_latency_record(&remote->pool->latency,
                            env_monotonic_ns(remote->coordinator->env) - contact->asked_ns);
    piece_step(piece);
    remote_read_go_on(remote);
}

static struct read_request piece_request(const struct remote_piece *piece)
{
    const struct coordinator_read *read = piece->remote->read;
    return (struct read_request){
        .table = read->table->id,
        .layout_hash = read->table->layout_hash,
        .is_scan = !piece->in_partition,
        .now_s = read->now_s,
        .row_max = piece->row_max,
        .key = piece->key,
        .range = piece->range,
        .filter = piece->filter,
        .index = read->index,
        .index_key = read->index_key,
    };
}

static void contact_ask(struct remote_contact *contact, bool wants_data)
{
    struct remote_piece *piece = contact->piece;
    struct remote_read *remote = piece->remote;
    struct read_request request = piece_request(piece);
    if (contact->member == remote->coordinator->self) { // We have no use for a digest.
        enum status status;
        contact_tell_asked(contact, true, 0);
        contact->answer = REMOTE_ASKED_DATA;
        contact->local = replica_read_take(remote->pool);
        contact->local->done = contact_local_done;
        contact->local->owner = contact;
        if (replica_read_start(contact->local, remote->read->table, &request, &status))
            contact_heard_local(contact, status);
        return;
    }
    struct messaging *messaging = coordinator_messaging(remote->coordinator);
    if (messaging == NULL) {
        contact_lose(contact, STATUS_CLOSED);
        return;
    }
    struct buffer *bytes = &remote->pool->scratch;
    request.wants_digest = !wants_data;
    buffer_clear(bytes);
    enum verb verb = replica_trace_put(remote->coordinator, remote->read->trace, contact->member,
                                       VERB_READ, bytes);
    read_request_put(&request, bytes);
    contact->answer = wants_data ? REMOTE_ASKED_DATA : REMOTE_ASKED_DIGEST;
    contact->asked_ns = env_monotonic_ns(remote->coordinator->env);
    contact_tell_asked(contact, wants_data, bytes->size);
    messaging_send(messaging, &contact->request, contact->member, verb, buffer_slice(bytes),
                   remote->timeout_ns, contact_answered);
}

// ---- Chunks -------------------------------------------------------------------------------------

static void piece_add_chunk(struct remote_piece *piece, struct slice bytes)
{
    struct read_chunk *chunk = arena_alloc(&piece->remote->arena, sizeof *chunk);
    *chunk = (struct read_chunk){bytes, NULL};
    if (piece->last == NULL)
        piece->chunks = chunk;
    else
        piece->last->next = chunk;
    piece->last = chunk;
}

// All replicas that count agree on this.
static void piece_resolve(struct remote_piece *piece, struct slice chunk, bool is_trusted)
{
    piece->is_trusted = is_trusted && (piece->is_trusted || piece->chunks == NULL);
    piece_add_chunk(piece, chunk);
    piece->state = REMOTE_RESOLVED;
    piece->remote->open_count--;
    if (read_decoder_has_more(chunk)) return;
    if (!piece->is_scan || !piece->in_partition) {
        piece->is_over = true;
        return;
    }
    // The partition in which the range was cut is there; behind it the range goes on.
    piece->reach = (struct read_reach){.key = piece->key, .is_known = true};
}

// There is nothing behind the last chunk, though it thought so.
static void piece_close(struct remote_piece *piece)
{
    static const uint8_t end[] = {READ_TAG_END};
    piece_add_chunk(piece, slice_make(end, sizeof end));
    piece->is_over = true;
}

void remote_piece_begin(struct remote_piece *piece)
{
    for (uint16_t i = 0; i < piece->contact_count; i++) {
        contact_drop(&piece->contacts[i]);
        piece->contacts[i].answer = REMOTE_NOT_ASKED;
    }
    piece->state = REMOTE_ASKING;
    piece->faults.failures = piece->faults.fault_count = 0;
    piece->reach = (struct read_reach){0};
    piece->remote->open_count++;
    piece_step(piece);
}

// The data of the last chunk may lie in an operation that reads the next.
static void piece_keep_last(struct remote_piece *piece)
{
    for (uint16_t i = 0; i < piece->contact_count; i++) {
        const struct replica_read *local = piece->contacts[i].local;
        if (local != NULL && piece->last->bytes.data == local->chunk.data)
            piece->last->bytes = arena_copy(&piece->remote->arena, piece->last->bytes);
    }
}

// Moves on behind what is there. False: nothing is left.
static bool piece_move_on(struct remote_piece *piece)
{
    struct remote_read *remote = piece->remote;
    const struct table *table = remote->read->table;
    const struct read_reach *reach = &piece->reach;
    struct partition_filter cut;
    const struct partition_filter *filter =
        piece->in_partition ? &piece->filter : &remote->read->filter;
    if (read_reach_cut_filter(reach, table, filter, &remote->arena, &cut)) {
        piece->key = reach->key;
        piece->filter = cut;
        piece->in_partition = true;
    } else if (piece->is_scan) {
        piece->in_partition = false;
        piece->filter = remote->read->filter;
    } else {
        return false;
    }
    if (piece->is_scan)
        piece->range.start = (struct scan_bound){reach->key.token, reach->key.bytes, false};
    return true;
}

void remote_piece_continue(struct remote_piece *piece)
{
    struct remote_read *remote = piece->remote;
    env_mark(remote->coordinator->env, ENV_MARK_READ_CONTINUED);
    // Many of the rows that one replica counts may be deleted by what another has.
    if (piece->row_max > 0) piece->row_max = piece->row_max < 16 ? 64 : piece->row_max * 4;
    if (piece->row_max > READ_STEP_ROWS_MAX) piece->row_max = 0;
    piece_keep_last(piece);
    if (!piece->reach.is_known) {
        enum status status =
            read_reach_of_chunk(piece->last, remote->read->table, piece->filter.reversed,
                                &remote->arena, &piece->reach);
        if (status != STATUS_OK) {
            piece_fail_status(piece, status);
            return;
        }
    }
    if (piece_move_on(piece))
        remote_piece_begin(piece);
    else
        piece_close(piece);
}

// ---- Answers that differ ------------------------------------------------------------------------

static void contact_repaired(struct messaging_request *request, enum status status,
                             struct slice answer)
{
    struct remote_contact *contact = CONTAINER_OF(request, struct remote_contact, request);
    struct remote_piece *piece = contact->piece;
    for (size_t i = 0; i < answer.size && status == STATUS_OK; i++)
        status = (enum status)answer.data[i];
    if (status == STATUS_OK)
        contact->answer = REMOTE_IS_EQUAL;
    else
        contact_lose(contact, status);
    piece_step(piece);
    remote_read_go_on(piece->remote);
}

static enum status contact_repair(struct remote_contact *contact, const struct read_repair *repair,
                                  const struct read_chunk *merged)
{
    struct remote_read *remote = contact->piece->remote;
    struct buffer *body = &remote->pool->body;
    struct read_repair_source source = {{contact->data, NULL}, contact->local != NULL};
    buffer_clear(body);
    enum status status =
        read_repair_put_difference(repair, merged, &contact->piece->reach, &source, body);
    if (status != STATUS_OK) return status;
    // Places that an index gave are no rows to be written.
    bool is_repaired =
        slice_is_null(remote->read->index_key) &&
        !slice_equals(remote->read->table->params.read_repair, slice_of_text("NONE"));
    if (body->size == 0 || !is_repaired) {
        contact->answer = REMOTE_IS_EQUAL;
        return STATUS_OK;
    }
    env_mark(remote->coordinator->env, ENV_MARK_READ_REPAIRING);
    struct messaging *messaging = coordinator_messaging(remote->coordinator);
    if (messaging == NULL) return STATUS_CLOSED;
    contact->answer = REMOTE_SENT_REPAIR;
    if (contact->local != NULL) replica_read_give_back(contact->local);
    contact->local = NULL;
    messaging_send(messaging, &contact->request, contact->member, VERB_WRITE, buffer_slice(body),
                   remote->timeout_ns, contact_repaired);
    return STATUS_OK;
}

static enum status piece_merge(struct remote_piece *piece)
{
    struct remote_read *remote = piece->remote;
    struct read_repair repair = {
        .table = remote->read->table,
        .reversed = piece->filter.reversed,
        .now_s = remote->read->now_s,
        .arena = &remote->arena,
        .bytes = &remote->pool->scratch,
    };
    struct read_repair_source *sources =
        ARENA_NEW_ARRAY(&remote->arena, struct read_repair_source, piece->contact_count);
    size_t count = 0;
    for (uint16_t i = 0; i < piece->contact_count; i++) {
        const struct remote_contact *contact = &piece->contacts[i];
        if (contact->answer == REMOTE_HAS_DATA)
            sources[count++] =
                (struct read_repair_source){{contact->data, NULL}, contact->local != NULL};
    }
    struct read_chunk merged;
    enum status status = read_repair_merge(&repair, sources, count, &merged, &piece->reach);
    piece->state = REMOTE_REPAIRING;
    for (uint16_t i = 0; i < piece->contact_count && status == STATUS_OK; i++)
        if (piece->contacts[i].answer == REMOTE_HAS_DATA)
            status = contact_repair(&piece->contacts[i], &repair, &merged);
    piece->merged = merged.bytes;
    // Memory that one large row needed is not kept for ever.
    if (remote->pool->scratch.capacity > MIB) buffer_deinit(&remote->pool->scratch);
    if (remote->pool->body.capacity > MIB) buffer_deinit(&remote->pool->body);
    return status;
}

// ---- The states of a piece ----------------------------------------------------------------------

static const struct remote_contact *piece_find_data(const struct remote_piece *piece)
{
    for (uint16_t i = 0; i < piece->contact_count; i++)
        if (piece->contacts[i].answer == REMOTE_HAS_DATA) return &piece->contacts[i];
    return NULL;
}

static bool piece_answers_are_equal(const struct remote_piece *piece,
                                    const struct remote_contact *data)
{
    uint8_t digest[CHECKSUM_XXH128_SIZE];
    bool has_digest = false;
    for (uint16_t i = 0; i < piece->contact_count; i++) {
        const struct remote_contact *contact = &piece->contacts[i];
        if (contact == data) continue;
        if (contact->answer == REMOTE_HAS_DATA && !slice_equals(contact->data, data->data))
            return false;
        if (contact->answer != REMOTE_HAS_DIGEST) continue;
        if (!has_digest) checksum_xxh128(data->data, digest);
        has_digest = true;
        if (memcmp(contact->digest, digest, sizeof digest) != 0) return false;
    }
    return true;
}

// The data of all that have answered are wanted.
static void piece_collect(struct remote_piece *piece)
{
    env_mark(piece->remote->coordinator->env, ENV_MARK_READ_MISMATCH);
    piece->state = REMOTE_COLLECTING;
    trace_add(piece->remote->read->trace, TRACE_THREAD_REQUEST,
              "Digest mismatch: all replicas are asked for their data");
    for (uint16_t i = 0; i < piece->contact_count; i++) {
        struct remote_contact *contact = &piece->contacts[i];
        if (contact->answer == REMOTE_ASKED_DIGEST) {
            contact_drop(contact);
            contact->answer = REMOTE_NOT_ASKED;
        } else if (contact->answer == REMOTE_HAS_DIGEST) {
            contact_ask(contact, true);
        }
    }
}

// Asks one more. False: there is none, and the piece fails.
static bool piece_ask_next(struct remote_piece *piece, unsigned answers, bool wants_data)
{
    struct remote_contact *contact = remote_plan_next_contact(piece, answers);
    if (contact == NULL) {
        bool has_fault = piece->faults.failures > 0;
        remote_piece_fail(piece, has_fault ? COORDINATOR_FAILED : COORDINATOR_TIMED_OUT);
        return false;
    }
    if (remote_plan_count(piece, REMOTE_BIT(REMOTE_LOST)) > 0)
        env_mark(piece->remote->coordinator->env, ENV_MARK_READ_REPLACED);
    contact_ask(contact, wants_data);
    return true;
}

// One of those that gave a digest gives the data in place of the one that was lost.
static bool piece_ask_for_data(struct remote_piece *piece)
{
    for (uint16_t i = 0; i < piece->contact_count; i++) {
        if (piece->contacts[i].answer != REMOTE_HAS_DIGEST) continue;
        contact_ask(&piece->contacts[i], true);
        return true;
    }
    return false;
}

// These return whether to look again.
static bool piece_step_asking(struct remote_piece *piece)
{
    const struct remote_contact *data = piece_find_data(piece);
    if (data != NULL && remote_plan_suffices(piece, HAS_ANSWER)) {
        if (piece_answers_are_equal(piece, data)) {
            piece_resolve(piece, data->data, data->local != NULL);
            return false;
        }
        piece_collect(piece);
        return true;
    }
    bool has_data = remote_plan_count(piece, HAS_DATA | ASKED_DATA) > 0;
    if (!remote_plan_suffices(piece, HAS_ANSWER | ASKED))
        return piece_ask_next(piece, HAS_ANSWER | ASKED, !has_data);
    if (has_data) return false;
    // All asked are digests still on their way: their data is asked for when they have come.
    return piece_ask_for_data(piece);
}

static bool piece_step_collecting(struct remote_piece *piece)
{
    if (remote_plan_suffices(piece, HAS_DATA)) {
        enum status status = piece_merge(piece);
        if (status != STATUS_OK) piece_fail_status(piece, status);
        return status == STATUS_OK;
    }
    if (remote_plan_suffices(piece, HAS_DATA | ASKED_DATA)) return false;
    return piece_ask_next(piece, HAS_DATA | ASKED_DATA, true);
}

static bool piece_step_repairing(struct remote_piece *piece)
{
    if (remote_plan_suffices(piece, IS_EQUAL)) {
        piece_resolve(piece, piece->merged, true);
        return false;
    }
    if (remote_plan_suffices(piece, IS_EQUAL | SENT_REPAIR)) return false;
    // Too many were lost meanwhile. With the others it begins again.
    if (remote_plan_next_contact(piece, IS_EQUAL | SENT_REPAIR) == NULL) {
        remote_piece_fail(piece, COORDINATOR_TIMED_OUT);
        return false;
    }
    for (uint16_t i = 0; i < piece->contact_count; i++) {
        struct remote_contact *contact = &piece->contacts[i];
        contact_drop(contact);
        if (contact->answer != REMOTE_LOST) contact->answer = REMOTE_NOT_ASKED;
    }
    piece->reach = (struct read_reach){0};
    piece->state = REMOTE_ASKING;
    return true;
}

static void piece_step(struct remote_piece *piece)
{
    bool again = true;
    while (again && !piece->remote->has_failed) {
        switch (piece->state) {
        case REMOTE_ASKING:
            again = piece_step_asking(piece);
            break;
        case REMOTE_COLLECTING:
            again = piece_step_collecting(piece);
            break;
        case REMOTE_REPAIRING:
            again = piece_step_repairing(piece);
            break;
        case REMOTE_RESOLVED:
            return;
        }
    }
}

// One more is asked, since those that were asked are slow.
void remote_piece_speculate(struct remote_piece *piece)
{
    bool is_waiting = piece->state == REMOTE_ASKING || piece->state == REMOTE_COLLECTING;
    if (!is_waiting || piece->is_each_quorum) return;
    struct remote_contact *contact = remote_plan_next_contact(piece, 0);
    if (contact == NULL) return;
    env_mark(piece->remote->coordinator->env, ENV_MARK_READ_SPECULATED);
    trace_add(piece->remote->read->trace, TRACE_THREAD_REQUEST, "speculating read retry");
    bool has_data = remote_plan_count(piece, HAS_DATA) > 0;
    contact_ask(contact, piece->state == REMOTE_COLLECTING || !has_data);
    piece_step(piece);
}
