// The second part of a verification: every row is read. Order, types, the index and its blocks, the
// summary, the filter and the statistics are compared with what is there.
#ifndef NODE_SSTABLE_TOOL_VERIFY_ROWS_H
#define NODE_SSTABLE_TOOL_VERIFY_ROWS_H

#include "node/sstable_tool/tool_sstable.h"
#include "node/sstable_tool/verify_progress.h"
#include "node/sstable_tool/verify_report.h"

// Of an open SSTable. Fails only where nothing more can be said (IO).
MUST_USE enum status verify_rows(struct tool_sstable *sstable, struct verify_report *report,
                                 struct verify_progress *progress, struct error *error);

#endif
