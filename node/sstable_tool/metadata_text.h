// What an SSTable's metadata is, for people: the lines of Cassandra's sstablemetadata
// (org.apache.cassandra.tools.SSTableMetadataViewer). And for programs, as one JSON object.
#ifndef NODE_SSTABLE_TOOL_METADATA_TEXT_H
#define NODE_SSTABLE_TOOL_METADATA_TEXT_H

#include "node/sstable_tool/metadata_scan.h"
#include "node/sstable_tool/tool_sstable.h"

struct metadata_view {
    const struct tool_sstable *sstable;
    const struct type *const *key_types;
    size_t key_type_count;
    bool has_keys;
    struct partition_key first_key, last_key;
    const char *compressor;           // Its Java class; NULL: not compressed.
    int64_t gc_before;                // Seconds.
    int64_t units_per_second;         // Of timestamps.
    const struct metadata_scan *scan; // Or NULL.
};

void metadata_text_put(const struct metadata_view *view, struct buffer *text);
void metadata_json_put(const struct metadata_view *view, struct buffer *text);

#endif
