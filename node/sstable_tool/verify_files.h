// The first part of a verification: that the files are all there, and that the bytes of Data.db are
// what was written. No row is looked at.
#ifndef NODE_SSTABLE_TOOL_VERIFY_FILES_H
#define NODE_SSTABLE_TOOL_VERIFY_FILES_H

#include "node/sstable_tool/verify_progress.h"
#include "node/sstable_tool/verify_report.h"

// Fails only where nothing can be said about the files (IO).
MUST_USE enum status verify_files(struct env *env, struct verify_report *report,
                                  struct verify_progress *progress, struct error *error);

#endif
