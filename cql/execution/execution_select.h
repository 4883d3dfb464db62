// SELECT being executed: what the files execution_select*.c share (execution_select.c has the
// picture).
#ifndef CQL_EXECUTION_EXECUTION_SELECT_H
#define CQL_EXECUTION_EXECUTION_SELECT_H

#include "cql/execution/execution.h"
#include "storage/merge/live_rows.h"

struct select_tombstones; // execution_select_tombstones.c

// What consuming changes, and a restart puts back.
struct select_progress {
    uint32_t rows;              // In the buffer: of this page.
    size_t rows_size;           // Bytes of the buffer.
    uint32_t rows_in_partition; // Rows or groups, for PER PARTITION LIMIT.
    bool partition_had_rows;    // Then its static row makes no row of its own.
    struct slice key;           // The place: as in struct paging_state.
    bool in_partition, inclusive;
    struct clustering clustering;
    bool is_full;      // A page or the LIMIT.
    bool is_step_over; // As many rows as a step may look at.
    bool failed;       // The execution's error says why.
    uint64_t looked_at;
    bool group_is_open;
    struct slice group_key;
    struct clustering group_clustering;
    size_t sorted_count;
    // Of the partition at hand, of a scan all together; and what is to be warned of, the last
    // first.
    uint64_t tombstones, live_count;
    const struct select_tombstones *warned;
    bool has_told; // A trace knows of these of some partition.
};

// ORDER BY over several partitions: a row with what it is sorted by.
struct sorted_row {
    size_t offset, size;
    struct clustering clustering;
    double nearness; // ANN OF
};

struct select_work {
    struct coordinator_read read;
    struct execution *execution;
    const struct select_plan *plan;
    struct selection_context context;
    size_t counted;             // What it has in the processor's results_size.
    struct arena *arena;        // Of this step.
    uint64_t step_look_max;     // Rows and partitions that it may look at.
    struct partition_key *keys; // NULL: a scan.
    size_t key_count, next_key;
    struct clustering_range *ranges, *cut_ranges;
    size_t range_count;
    struct scan_range scan;
    bool scan_is_over;
    struct partition_key resumed_key; // Of a partition that is read alone.
    struct row_filter *filters;
    size_t filter_count;
    bool filters_rows;   // Some filter is about rows, not only about partitions.
    uint32_t rows_max;   // Of this page: the page size or what is left of LIMIT.
    uint32_t limit_left; // UINT32_MAX: no LIMIT.
    uint32_t per_partition_limit;
    bool has_page;
    struct select_progress progress, saved;
    struct selection_group group, saved_group;
    struct sorted_row *sorted;
    size_t sorted_capacity;
    struct slice *components;  // Of the present partition's key.
    struct memtable *memtable; // Of a virtual table.
    enum consistency consistency;
    struct paxos_cas *cas;      // Of a serial read; NULL: it is none.
    struct slice ann_vector;    // ANN OF
    double nearness;            // Of the present row.
    struct select_index *index; // Rows are found by it; NULL: by key, or by looking at all.
};

// execution_select_rows.c: one partition that a step reads, its rows and groups.
enum status select_consume(struct coordinator_read *read, struct partition_iterator *partition,
                           bool *enough);
void select_restart(struct coordinator_read *read);
// A step begins: what `select_restart` goes back to; what the step before left is carried over.
void select_save(struct select_work *work);
void select_carry(struct select_work *work);
void select_close_group(struct select_work *work);
// ORDER BY over several partitions, when all rows are there.
void select_sort(struct select_work *work);

// execution_select_tombstones.c: what was met of a partition, when a step leaves it. False: too
// many, the execution's error is set.
bool select_count_tombstones(struct select_work *work, struct partition_key key,
                             const struct live_rows *rows);
// All rows are there.
void select_warn_tombstones(struct select_work *work);
void select_note_figures(const struct select_work *work);
void select_tell_rows(struct select_work *work); // To the trace.

// execution_select_index.c: as select_next_read() and select_move_on() when `work->index` is there.
// Begins with it if the statement has an index that serves, before a page's place is taken up.
// False: the execution's error is set.
bool select_index_begin(struct select_work *work);
bool select_index_next_read(struct select_work *work);
void select_index_move_on(struct select_work *work);
bool select_index_is_looking(const struct select_work *work);
// An index could not be read: from now on all rows are looked at. False: it was no index.
bool select_index_give_up(struct select_work *work);

// execution_select_ann.c: these do nothing without ANN OF. False: the execution's error is set.
bool select_ann_begin(struct select_work *work);
bool select_ann_check_level(struct select_work *work);
bool select_ann_check_limit(struct select_work *work);
// The row has a vector that is near enough; its nearness is noted.
bool select_ann_takes(struct select_work *work, const struct row_view *view);

// execution_select.c
// The ranges of rows that lie behind the place, in `cut_ranges`. Their number.
size_t select_cut_ranges(struct select_work *work);
bool select_next_read(struct select_work *work);
void select_move_on(struct select_work *work);
void select_finish(struct select_work *work);
// A new execution of the same statement, bound; NULL: the execution's error is set.
struct select_work *select_begin(struct execution *execution);
void select_run(struct select_work *work);

// execution_select_serial.c: the read of one partition at SERIAL. It begins select_begin() anew
// each time that Paxos allows it to read; select_end_serial() takes over once the rows are there.
void select_start_serial(struct select_work *work);
void select_end_serial(struct select_work *work);

// execution_select_virtual.c: the whole of it, in memory.
void select_run_virtual(struct select_work *work);

#endif
