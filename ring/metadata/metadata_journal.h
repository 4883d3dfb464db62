// The metadata log's file: entries in order, each durable before its writer is told. What they mean
// is the log's business (metadata_log_state.h).
//
//     DIR/log-<number of the state>
//     file   = u64 magic | u64 number | u64 XXH3 of state | u32 size | state, entry*
//     entry  = u32 kind << 28 | size | u64 place | u64 synced | u64 XXH3 of bytes, seeded with all
//     | bytes
//
// `place` counts the entries: the first behind the state is number + 1. `synced` is the newest
// place that was durable when the entry was written: it tells a torn tail (nobody was told of it;
// cut) from damage to what was acknowledged (CORRUPT). When the entries outweigh the state, a new
// file begins with the state of now and the old one goes.
//
// The head of a state is durable as a whole: it is written under another name and renamed.
#ifndef RING_METADATA_JOURNAL_H
#define RING_METADATA_JOURNAL_H

#include "base/buffer.h"
#include "base/env.h"

struct metadata_journal;

enum { JOURNAL_KINDS = 16 };

struct metadata_journal_events {
    // While it opens: the state at the head, unless it is empty, and each entry in order.
    enum status (*restore)(void *context, uint64_t number, struct slice state, struct error *error);
    void (*replay)(void *context, unsigned kind, struct slice bytes);
    // For a new file: the number of the log and the state that it has then.
    uint64_t (*snapshot)(void *context, struct buffer *state);
    // What else of older entries has to be in a file whose state is that of `number`:
    // metadata_journal_carry() for each.
    void (*carry)(void *context, uint64_t number);
};

// Makes the directory if it is missing; that its name is durable in the parent is its owner's
// business (a node syncs its directory before it serves anybody). A first file begins with a state
// if `begins_with_state`. Blocks: for start-up only. CORRUPT, IO, NO_SPACE.
MUST_USE enum status metadata_journal_open(struct env *env, const char *directory,
                                           bool begins_with_state,
                                           const struct metadata_journal_events *events,
                                           void *context, struct metadata_journal **journal,
                                           struct error *error);
// Calls `drained` in a later turn, once nothing is under way, neither an entry nor a new file.
void metadata_journal_drain(struct metadata_journal *journal, void (*drained)(void *context),
                            void *context);
// Only when drained, or before the first entry.
void metadata_journal_close(struct metadata_journal *journal);
// Frees it without a look at what is under way.
void metadata_journal_abandon(struct metadata_journal *journal);

// Lives in its owner's memory until `done`.
struct metadata_journal_entry {
    // OK: durable, and all that was put before it. IO, NO_SPACE: it may or may not be there after
    // the next start; the journal takes no more.
    void (*done)(struct metadata_journal_entry *entry, enum status status);
    struct slice bytes; // Valid until `done`.
    unsigned kind;
    struct metadata_journal_entry *next; // The rest is the journal's.
};

// `done` never comes inside this call. What gathers while one write is under way shares the next
// sync. `done` is called in order, and no new file begins between those of one write.
void metadata_journal_put(struct metadata_journal *journal, struct metadata_journal_entry *entry,
                          unsigned kind, struct slice bytes,
                          void (*done)(struct metadata_journal_entry *entry, enum status status));
// In the call of `carry`.
void metadata_journal_carry(struct metadata_journal *journal, unsigned kind, struct slice bytes);

// Begins a new file with another state than ours, of a higher number, once what is under way is
// done. One at a time; the state is valid until `done`.
struct metadata_journal_state {
    void (*done)(struct metadata_journal_state *state, enum status status);
    uint64_t number;
    struct slice bytes;
};
void metadata_journal_replace(struct metadata_journal *journal,
                              struct metadata_journal_state *state);

// Not OK: a write failed, nothing more is taken.
enum status metadata_journal_fault(const struct metadata_journal *journal);

#endif
