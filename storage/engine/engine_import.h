// Takes SSTables of others into a table: of a real Cassandra, of another node, of a snapshot
// (nodetool import; org.apache.cassandra.db.SSTableImporter).
//
//     each in turn:  verified and brought into the table's directory, in steps on the compaction
//     lane -> an errand: manifest ADDING, commit, manifest LIVE -> read from then on
//
// An SSTable comes whole or not at all. A file that is faulty stays where it was and is named; the
// others come all the same. Counters: the node counts on under a new id, since what comes may have
// counts of its own one that it no longer knows (invariant 2).
#ifndef STORAGE_ENGINE_IMPORT_H
#define STORAGE_ENGINE_IMPORT_H

#include "storage/engine/engine.h"
#include "storage/engine/import_sstable.h"

struct engine_import_options {
    struct uuid table;
    const char *directory; // Where the files are: absolute.
    bool copies;           // Else the files go from there.
    bool is_quick;         // Not verified.
    bool keeps_level, keeps_repaired;
    const struct import_range *ranges; // The node's tokens; NULL: any come.
    size_t range_count;
};

enum { ENGINE_IMPORT_FAULTS_MAX = 100 };

// In its owner's memory until `done`.
struct engine_import {
    // OK: whatever was good has come; `fault_count` files were not. NOT_FOUND: no such table or
    // directory.
    void (*done)(struct engine_import *import, enum status status, const struct error *error);
    size_t sstable_count, imported_count, fault_count;
    uint64_t done_bytes, total_bytes; // Of the present one.
    // Sentences with the file, for `done`: ENGINE_IMPORT_FAULTS_MAX at most.
    const char *const *faults;
};

void engine_import(struct engine *engine, const struct engine_import_options *options,
                   struct engine_import *import,
                   void (*done)(struct engine_import *import, enum status status,
                                const struct error *error));

#endif
