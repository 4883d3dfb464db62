#include "node/sim/operation.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/container_of.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)

enum { SLOTS_MAX = 24, STARTS_MAX = 2000, SHORT_LIFE_STEPS = 150, FAULT_SIZE = 1024 };

struct shard {
    uint64_t key; // A hash of cell, id and clock; 0: free.
    int64_t count;
};

enum phase { PHASE_RUN, PHASE_CHECK, PHASE_OVER };

struct workload {
    struct sim_world *sim;
    struct workload_options options;
    const struct workload_world *world;
    void *context;
    struct random random;
    struct model *model;
    enum phase phase;
    bool is_up, is_stopping;
    uint64_t starts, last_stamp, submitted;
    size_t slot_count, busy_count;
    struct workload_operation slots[SLOTS_MAX];
    bool name_is_busy[MODEL_PARTITIONS];
    size_t truncated_busy; // Operations under way to the table that is truncated.
    bool truncates;
    bool kills_soon;
    bool much_ddl, much_truncation;
    // Most lives are short: the log has many segments, and flushes that free them are cut short.
    bool has_short_lives;
    struct random short_lives; // How they end.
    bool shows_unsynced;       // The life before ended just before a sync.
    size_t checks_left;
    bool lost_power_at_the_end;
    struct workload_operation check; // The operation of the end.
    struct sim_call start_call, kill_call;
    uint64_t done[WORKLOAD_KIND_COUNT];
    char fault[FAULT_SIZE];
    struct shard *shards;
    size_t shard_count, shard_capacity;
};

static const char *const kind_texts[] = {
#define X(kind, text) [WORKLOAD_##kind] = text,
    WORKLOAD_KIND_MAP(X)
#undef X
};

const char *workload_kind_text(enum workload_kind kind)
{
    ASSERT(kind < WORKLOAD_KIND_COUNT);
    return kind_texts[kind];
}

// ---- Values ------------------------------------------------------------------------------------

// "<stamp>:", then letters; how many depends on the stamp alone: mostly few, sometimes many.
size_t workload_value_size(uint64_t stamp)
{
    uint64_t hash = stamp * 0x9e3779b97f4a7c15u;
    uint64_t chance = hash >> 32 & 1023;
    size_t extra = (size_t)(hash >> 8 & 0xffff);
    if (chance == 0) return 100000 + 4 * extra;
    if (chance < 50) return 4000 + extra / 4;
    return 24 + extra % 100;
}

void workload_value_put(uint64_t stamp, struct buffer *value)
{
    size_t start = value->size, size = workload_value_size(stamp);
    buffer_put_format(value, "%" PRIu64 ":", stamp);
    size_t head = value->size - start;
    ASSERT(head < size);
    uint8_t *rest = buffer_reserve(value, size - head);
    ASSERT(rest != NULL);
    for (size_t i = 0; i < size - head; i++)
        rest[i] = (uint8_t)('a' + (stamp + i * i) % 26);
}

bool workload_value_get(struct slice value, uint64_t *stamp)
{
    uint64_t number = 0;
    size_t at = 0;
    for (; at < value.size && value.data[at] >= '0' && value.data[at] <= '9'; at++)
        number = number * 10 + (value.data[at] - '0');
    if (at == value.size || value.data[at] != ':' || value.size != workload_value_size(number))
        return false;
    at++;
    for (size_t i = 0; at + i < value.size; i++)
        if (value.data[at + i] != (uint8_t)('a' + (number + i * i) % 26)) return false;
    *stamp = number;
    return true;
}

void workload_found_add(struct workload_operation *operation, size_t partition, size_t row,
                        uint64_t stamp)
{
    if (operation->found_count == operation->found_capacity) {
        operation->found_capacity =
            operation->found_capacity == 0 ? 16 : 2 * operation->found_capacity;
        operation->found =
            realloc(operation->found, operation->found_capacity * sizeof operation->found[0]);
        ASSERT(operation->found != NULL);
    }
    operation->found[operation->found_count++] =
        (struct workload_found){(uint32_t)partition, (uint32_t)row, stamp};
}

// ---- Faults found ------------------------------------------------------------------------------

void workload_fail(struct workload *workload, const char *format, ...)
{
    if (workload->fault[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(workload->fault, sizeof workload->fault, format, arguments);
    va_end(arguments);
    sim_world_note(workload->sim, "WRONG: %s", workload->fault);
}

const char *workload_fault(const struct workload *workload)
{
    return workload->fault[0] == '\0' ? NULL : workload->fault;
}

void *workload_context(const struct workload *workload)
{
    return workload->context;
}

bool workload_is_over(const struct workload *workload)
{
    return workload->phase == PHASE_OVER || workload->fault[0] != '\0';
}

uint64_t workload_done_count(const struct workload *workload, enum workload_kind kind)
{
    return workload->done[kind];
}

static struct shard *find_shard(struct workload *workload, uint64_t key)
{
    size_t mask = workload->shard_capacity - 1;
    size_t i = (size_t)key & mask;
    while (workload->shards[i].key != 0 && workload->shards[i].key != key)
        i = (i + 1) & mask;
    return &workload->shards[i];
}

static void grow_shards(struct workload *workload)
{
    struct shard *old = workload->shards;
    size_t old_capacity = workload->shard_capacity;
    workload->shard_capacity = old_capacity == 0 ? 1024 : 2 * old_capacity;
    workload->shards = calloc(workload->shard_capacity, sizeof *workload->shards);
    ASSERT(workload->shards != NULL);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].key != 0) *find_shard(workload, old[i].key) = old[i];
    free(old);
}

void workload_saw_shard(struct workload *workload, size_t partition, size_t row,
                        const uint8_t id[static 16], int64_t clock, int64_t count)
{
    struct {
        uint64_t place;
        int64_t clock;
        uint8_t id[16];
    } name = {partition * MODEL_CELLS + row, clock, {0}};
    memcpy(name.id, id, sizeof name.id);
    uint64_t key = checksum_xxh3(slice_make(&name, sizeof name), 0) | 1;
    if (2 * workload->shard_count >= workload->shard_capacity) grow_shards(workload);
    struct shard *shard = find_shard(workload, key);
    if (shard->key == 0) {
        *shard = (struct shard){key, count};
        workload->shard_count++;
    } else if (shard->count != count) {
        workload_fail(workload,
                      "a counter shard of k%zu/%zu has clock %" PRId64 " and two counts: %" PRId64
                      " and %" PRId64,
                      partition, row, clock, shard->count, count);
    }
}

// ---- Chances -----------------------------------------------------------------------------------

static uint64_t below(struct workload *workload, uint64_t count)
{
    return random_below(&workload->random, count);
}

static bool chance(struct workload *workload, double probability)
{
    return random_chance(&workload->random, probability);
}

// ---- The cells that an operation touches --------------------------------------------------------

static void view_cell(void *context, struct model_cell *cell)
{
    struct workload_operation *operation = context;
    operation_view(&operation->views, operation->workload->model, cell);
}

static void write_cell(void *context, struct model_cell *cell)
{
    const struct workload_operation *operation = context;
    bool is_delete = operation->kind != WORKLOAD_INSERT && operation->kind != WORKLOAD_SET_STATIC &&
                     operation->kind != WORKLOAD_CREATE_TABLE &&
                     operation->kind != WORKLOAD_ALTER_TABLE;
    model_write(operation->workload->model, cell, operation->stamp, is_delete);
}

static void acknowledge_cell(void *context, struct model_cell *cell)
{
    const struct workload_operation *operation = context;
    model_acknowledge(operation->workload->model, cell, operation->stamp);
}

static void refuse_cell(void *context, struct model_cell *cell)
{
    const struct workload_operation *operation = context;
    model_refuse(operation->workload->model, cell, operation->stamp);
}

// ---- The checks of a read ----------------------------------------------------------------------

static void check_view(struct workload_operation *operation, struct model_view *view)
{
    struct workload *workload = operation->workload;
    char message[512];
    size_t partition, row;
    bool twice;
    model_cell_place(workload->model, view->cell, &partition, &row);
    uint64_t stamp = operation_found(operation, partition, row, &twice);
    const char *wrong = operation->table == WORKLOAD_COUNTERS
                            ? model_read_counter(workload->model, view, (int64_t)stamp, message)
                            : model_read_value(workload->model, view, stamp, message);
    if (twice) wrong = "a row was read twice";
    if (wrong != NULL)
        workload_fail(workload, "%s of table %d, k%zu/%zu: %s", kind_texts[operation->kind],
                      (int)operation->table, partition, row, wrong);
}

static void end_read(struct workload_operation *operation, enum workload_outcome outcome)
{
    for (size_t i = 0; i < operation->views.count; i++) {
        struct model_view *view = &operation->views.items[i];
        if (outcome == WORKLOAD_DONE)
            check_view(operation, view);
        else
            model_read_drop(operation->workload->model, view);
    }
    operation->views.count = 0;
}

// ---- Making operations -------------------------------------------------------------------------

// How often each kind comes, out of the sum. Those that need CQL are last.
static const uint16_t weights[WORKLOAD_KIND_COUNT] = {
    [WORKLOAD_INSERT] = 260,      [WORKLOAD_SET_STATIC] = 30,      [WORKLOAD_DELETE_ROW] = 40,
    [WORKLOAD_DELETE_RANGE] = 25, [WORKLOAD_DELETE_PARTITION] = 8, [WORKLOAD_INCREMENT] = 260,
    [WORKLOAD_READ_ROW] = 180,    [WORKLOAD_READ_PARTITION] = 80,  [WORKLOAD_READ_SLICE] = 60,
    [WORKLOAD_SCAN] = 12,         [WORKLOAD_TRUNCATE] = 4,         [WORKLOAD_FLUSH] = 8,
    [WORKLOAD_CREATE_TABLE] = 14, [WORKLOAD_ALTER_TABLE] = 16,     [WORKLOAD_DROP_TABLE] = 7,
    [WORKLOAD_READ_SCHEMA] = 30,
};

static uint64_t weight_of(const struct workload *workload, size_t kind)
{
    bool is_ddl = kind >= WORKLOAD_CREATE_TABLE && kind <= WORKLOAD_DROP_TABLE;
    bool often =
        (is_ddl && workload->much_ddl) ||
        ((kind == WORKLOAD_TRUNCATE || kind == WORKLOAD_FLUSH) && workload->much_truncation);
    return (uint64_t)weights[kind] * (often ? 10 : 1);
}

static enum workload_kind pick_kind(struct workload *workload)
{
    uint64_t often[WORKLOAD_KIND_COUNT];
    for (size_t i = 0; i < WORKLOAD_KIND_COUNT; i++)
        often[i] = weight_of(workload, i);
    return operation_pick_kind(&workload->random, often,
                               workload->world->has_cql ? WORKLOAD_KIND_COUNT
                                                        : WORKLOAD_CREATE_TABLE);
}

static enum workload_table pick_table(struct workload *workload, enum workload_kind kind)
{
    switch (kind) {
    case WORKLOAD_INCREMENT:
        return WORKLOAD_COUNTERS;
    case WORKLOAD_TRUNCATE:
        return WORKLOAD_TRUNCATED;
    case WORKLOAD_CREATE_TABLE:
    case WORKLOAD_ALTER_TABLE:
    case WORKLOAD_DROP_TABLE:
    case WORKLOAD_READ_SCHEMA:
        return WORKLOAD_SCHEMA;
    case WORKLOAD_FLUSH:
        return (enum workload_table)below(workload, WORKLOAD_SCHEMA);
    default:
        break;
    }
    if (operation_is_read(kind) && chance(workload, 0.4)) return WORKLOAD_COUNTERS;
    return chance(workload, 0.8) ? WORKLOAD_VALUES : WORKLOAD_TRUNCATED;
}

// False: not now, because of what is under way.
static bool make_operation(struct workload *workload, struct workload_operation *operation)
{
    operation->kind = pick_kind(workload);
    operation->table = pick_table(workload, operation->kind);
    operation->partition = (size_t)below(workload, MODEL_PARTITIONS);
    operation->reversed = chance(workload, 0.3);
    operation->consistency = CONSISTENCY_ONE;
    operation->found_count = 0;
    operation_pick_rows(&workload->random, operation, MODEL_ROWS);
    if (operation->table == WORKLOAD_SCHEMA && workload->name_is_busy[operation->partition])
        return false;
    bool truncates = operation->kind == WORKLOAD_TRUNCATE;
    if (operation->table == WORKLOAD_TRUNCATED && !operation_is_read(operation->kind) &&
        (workload->truncates || (truncates && workload->truncated_busy > 0)))
        return false;
    struct model_cell *cell =
        model_cell_at(workload->model, operation->table, operation->partition, operation->row);
    if (operation->kind == WORKLOAD_INCREMENT && model_free_digits(cell) == 0) return false;
    if (workload->world->has_cql) operation_use_index(operation, workload->submitted);
    return true;
}

static void begin_operation(struct workload *workload, struct workload_operation *operation)
{
    if (operation_is_read(operation->kind)) {
        operation->views.count = 0;
        operation_visit(operation, operation->workload->model, view_cell, operation);
        return;
    }
    operation->stamp = ++workload->last_stamp;
    operation->life = workload->starts;
    if (operation->table == WORKLOAD_SCHEMA) workload->name_is_busy[operation->partition] = true;
    if (operation->table == WORKLOAD_TRUNCATED) workload->truncated_busy++;
    if (operation->kind == WORKLOAD_TRUNCATE) workload->truncates = true;
    if (operation->kind == WORKLOAD_INCREMENT)
        operation->delta = model_increment(
            workload->model,
            model_cell_at(workload->model, operation->table, operation->partition, operation->row),
            operation->stamp);
    else
        operation_visit(operation, operation->workload->model, write_cell, operation);
}

static void end_write(struct workload_operation *operation, enum workload_outcome outcome)
{
    struct workload *workload = operation->workload;
    // What has lost its answer may still be carried out, in any order with later operations: these
    // wait for the next life where the order counts.
    if (outcome != WORKLOAD_UNKNOWN && operation->life == workload->starts) {
        if (operation->table == WORKLOAD_SCHEMA)
            workload->name_is_busy[operation->partition] = false;
        if (operation->table == WORKLOAD_TRUNCATED) workload->truncated_busy--;
        if (operation->kind == WORKLOAD_TRUNCATE) workload->truncates = false;
    }
    if (outcome == WORKLOAD_DONE)
        operation_visit(operation, operation->workload->model, acknowledge_cell, operation);
    else if (outcome == WORKLOAD_REFUSED || outcome == WORKLOAD_NOT_SENT)
        operation_visit(operation, operation->workload->model, refuse_cell, operation);
}

// ---- Slots -------------------------------------------------------------------------------------

static void kill_now(struct sim_call *call)
{
    struct workload *workload = CONTAINER_OF(call, struct workload, kill_call);
    struct env *process = workload->world->process(workload->context);
    workload->kills_soon = false;
    if (process != NULL) sim_process_crash(process);
}

// An operator kills a node that says that it takes no more writes.
static void kill_soon(struct workload *workload)
{
    if (workload->kills_soon || !workload->is_up) return;
    workload->kills_soon = true;
    sim_world_call(workload->sim, &workload->kill_call, below(workload, 20 * NS_PER_MS), kill_now);
}

static void run_slot(struct sim_call *call);

static void schedule_slot(struct workload_operation *operation, uint64_t delay_ns)
{
    sim_world_call(operation->workload->sim, &operation->call, delay_ns, run_slot);
}

static uint64_t think_time(struct workload *workload)
{
    return chance(workload, 0.5) ? 0 : below(workload, 2 * NS_PER_MS);
}

static void go_on_checking(struct workload *workload);

static void operation_is_done(struct workload_operation *operation, enum workload_outcome outcome)
{
    struct workload *workload = operation->workload;
    static const char *const texts[] = {"done", "refused", "unknown", "not sent"};
    sim_world_note(workload->sim, "%s %d k%zu/%zu #%" PRIu64 ": %s", kind_texts[operation->kind],
                   (int)operation->table, operation->partition, operation->row, operation->stamp,
                   texts[outcome]);
    ASSERT(operation->is_busy);
    operation->is_busy = false;
    workload->busy_count--;
    if (operation_is_read(operation->kind))
        end_read(operation, outcome);
    else
        end_write(operation, outcome);
    if (outcome == WORKLOAD_DONE) workload->done[operation->kind]++;
    if (outcome != WORKLOAD_NOT_SENT) workload->submitted++;
    if (outcome == WORKLOAD_UNKNOWN && chance(workload, 0.5)) kill_soon(workload);
    if (workload->phase == PHASE_CHECK) {
        if (outcome == WORKLOAD_DONE && workload->checks_left > 0 &&
            operation_is_read(operation->kind))
            workload->checks_left--;
        go_on_checking(workload);
        return;
    }
    schedule_slot(operation, outcome == WORKLOAD_DONE ? think_time(workload) : 2 * NS_PER_MS);
}

static void submit(struct workload *workload, struct workload_operation *operation)
{
    begin_operation(workload, operation);
    operation->is_busy = true;
    operation->done = operation_is_done;
    workload->busy_count++;
    sim_world_note(workload->sim, "%s %d k%zu/%zu-%zu #%" PRIu64 " %+" PRId64,
                   kind_texts[operation->kind], (int)operation->table, operation->partition,
                   operation->row, operation->row_end, operation->stamp, operation->delta);
    workload->world->submit(workload->context, operation);
}

static void begin_checking(struct workload *workload);

static void run_slot(struct sim_call *call)
{
    struct workload_operation *operation = CONTAINER_OF(call, struct workload_operation, call);
    struct workload *workload = operation->workload;
    if (workload->fault[0] != '\0') return;
    if (workload->phase != PHASE_RUN || workload->submitted >= workload->options.operations) {
        begin_checking(workload);
        return;
    }
    operation->delta = 0;
    operation->stamp = 0;
    if (!workload->is_up || workload->is_stopping || !make_operation(workload, operation)) {
        schedule_slot(operation, below(workload, NS_PER_MS));
        return;
    }
    submit(workload, operation);
}

// ---- Lives -------------------------------------------------------------------------------------

static void start_store(struct sim_call *call);

static void start_later(struct workload *workload, uint64_t delay_ns)
{
    sim_world_call(workload->sim, &workload->start_call, delay_ns, start_store);
}

static void stop_store(struct sim_call *call)
{
    struct workload *workload = CONTAINER_OF(call, struct workload, kill_call);
    workload->kills_soon = false;
    if (!workload->is_up || workload->is_stopping) return;
    workload->is_stopping = true;
    sim_world_note(workload->sim, "stop");
    workload->world->stop(workload->context);
}

void workload_plan_end(struct workload *workload, struct env *process)
{
    if (workload->phase == PHASE_CHECK) return;
    if (workload->has_short_lives && random_chance(&workload->short_lives, 0.9)) {
        sim_process_crash_at(process, 1 + random_below(&workload->short_lives, SHORT_LIFE_STEPS),
                             random_chance(&workload->short_lives, 0.5));
        return;
    }
    if (chance(workload, 0.2)) {
        workload->kills_soon = true;
        sim_world_call(workload->sim, &workload->kill_call, below(workload, 60 * NS_PER_MS),
                       stop_store);
        // A stop may be cut short, too.
        if (chance(workload, 0.5)) return;
    }
    if (workload->shows_unsynced && chance(workload, 0.5)) {
        // What the life before left unsynced was seen by now, and goes.
        workload->shows_unsynced = false;
        sim_process_crash_at(process, 1 + below(workload, 120), true);
        return;
    }
    workload->shows_unsynced = chance(workload, 0.35);
    if (workload->shows_unsynced) {
        if (chance(workload, 0.5))
            sim_process_crash_at_sync_dir(process, 1 + below(workload, 12), chance(workload, 0.2));
        else
            sim_process_crash_at_sync_file(process, 1 + below(workload, 60), false);
        return;
    }
    uint64_t steps = 1 + (chance(workload, 0.3) ? below(workload, 60) : below(workload, 1200));
    sim_process_crash_at(process, steps, chance(workload, 0.6));
}

static void start_store(struct sim_call *call)
{
    struct workload *workload = CONTAINER_OF(call, struct workload, start_call);
    struct error error = {0};
    if (workload->fault[0] != '\0') return;
    if (++workload->starts > STARTS_MAX) {
        workload_fail(workload, "the store was started %d times and did not get its work done",
                      STARTS_MAX);
        return;
    }
    model_begin_life(workload->model);
    memset(workload->name_is_busy, 0, sizeof workload->name_is_busy);
    workload->truncated_busy = 0;
    workload->truncates = false;
    enum status status = workload->world->start(workload->context, &error);
    sim_world_note(workload->sim, "start: %s", status == STATUS_OK ? "ok" : error.text);
    if (status == STATUS_OK) {
        workload->is_up = true;
        workload->is_stopping = false;
        if (workload->phase == PHASE_CHECK) go_on_checking(workload);
    } else if (status != STATUS_IO && status != STATUS_NO_SPACE && status != STATUS_OVERLOADED) {
        workload_fail(workload, "the store does not start: %s", error.text);
    }
}

void workload_died(struct workload *workload)
{
    workload->is_up = workload->is_stopping = false;
    sim_world_cancel(workload->sim, &workload->kill_call);
    workload->kills_soon = false;
    start_later(workload, below(workload, 20 * NS_PER_MS));
}

void workload_stopped(struct workload *workload)
{
    sim_world_note(workload->sim, "stopped");
    workload_died(workload);
}

// ---- The end: no more faults, and everything is read -------------------------------------------

static const struct {
    enum workload_kind kind;
    enum workload_table table;
} last_reads[] = {
    {WORKLOAD_SCAN, WORKLOAD_VALUES},
    {WORKLOAD_SCAN, WORKLOAD_TRUNCATED},
    {WORKLOAD_SCAN, WORKLOAD_COUNTERS},
    {WORKLOAD_READ_SCHEMA, WORKLOAD_SCHEMA},
};
enum { LAST_READ_COUNT = sizeof last_reads / sizeof last_reads[0] };

static void begin_checking(struct workload *workload)
{
    if (workload->phase != PHASE_RUN) return;
    workload->phase = PHASE_CHECK;
    workload->checks_left = 2 * LAST_READ_COUNT;
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        if (fault != SIM_FAULT_COLD_READ && fault != SIM_FAULT_SEGMENTED)
            sim_world_set_chance(workload->sim, (enum sim_fault)fault, 0);
    sim_world_set_chance(workload->sim, SIM_FAULT_LOST_PAGE, 0.5);
    sim_world_set_chance(workload->sim, SIM_FAULT_LOST_NAME, 0.5);
    sim_world_note(workload->sim, "the end: everything is read, power is lost, and again");
    sim_world_cancel(workload->sim, &workload->kill_call);
    workload->kills_soon = false;
    struct env *process = workload->world->process(workload->context);
    // A life that a fault has crippled, or that was to end soon, ends now.
    if (process != NULL) sim_process_crash(process);
}

static void go_on_checking(struct workload *workload)
{
    if (workload->busy_count > 0 || !workload->is_up || workload->fault[0] != '\0') return;
    size_t left = workload->checks_left;
    struct env *process = workload->world->process(workload->context);
    if (left == LAST_READ_COUNT && !workload->lost_power_at_the_end) {
        // Half-way: what was read must survive this.
        workload->lost_power_at_the_end = true;
        workload->is_up = false;
        sim_machine_crash(sim_process_machine(process));
        return;
    }
    if (left == 0) {
        workload->phase = PHASE_OVER;
        return;
    }
    struct workload_operation *operation = &workload->check;
    size_t index = (left - 1) % LAST_READ_COUNT;
    if (last_reads[index].table == WORKLOAD_SCHEMA && !workload->world->has_cql) {
        workload->checks_left--;
        go_on_checking(workload);
        return;
    }
    *operation = (struct workload_operation){.workload = workload,
                                             .kind = last_reads[index].kind,
                                             .table = last_reads[index].table,
                                             .consistency = CONSISTENCY_ONE,
                                             .found = operation->found,
                                             .found_capacity = operation->found_capacity,
                                             .views = operation->views};
    operation->views.count = 0;
    submit(workload, operation);
}

// ---- Life of a workload ------------------------------------------------------------------------

struct workload *workload_create(struct sim_world *sim, const struct workload_options *options,
                                 const struct workload_world *world, void *context)
{
    struct workload *workload = calloc(1, sizeof *workload);
    ASSERT(workload != NULL);
    workload->sim = sim;
    workload->options = *options;
    workload->world = world;
    workload->context = context;
    random_init(&workload->random, options->seed ^ 0x776f726b6c6f6164);
    workload->model = model_create(WORKLOAD_TABLE_COUNT);
    workload->slot_count = options->slots > 0 ? options->slots : 1 + below(workload, SLOTS_MAX);
    ASSERT(workload->slot_count <= SLOTS_MAX);
    workload->much_ddl = chance(workload, 0.2);
    workload->much_truncation = chance(workload, 0.2);
    // Drawn apart: all other seeds stay what they are.
    random_init(&workload->short_lives, options->seed ^ 0x666c757368);
    workload->has_short_lives = !world->has_cql && random_chance(&workload->short_lives, 0.2);
    for (size_t i = 0; i < SLOTS_MAX; i++)
        workload->slots[i].workload = workload;
    return workload;
}

void workload_destroy(struct workload *workload)
{
    for (size_t i = 0; i < SLOTS_MAX; i++) {
        free(workload->slots[i].found);
        free(workload->slots[i].views.items);
    }
    free(workload->check.found);
    free(workload->check.views.items);
    free(workload->shards);
    model_destroy(workload->model);
    free(workload);
}

void workload_begin(struct workload *workload)
{
    start_later(workload, 0);
    for (size_t i = 0; i < workload->slot_count; i++)
        schedule_slot(&workload->slots[i], below(workload, NS_PER_MS));
}
