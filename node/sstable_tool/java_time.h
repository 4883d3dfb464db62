// Moments as Cassandra's tools print them, in UTC.
#ifndef NODE_SSTABLE_TOOL_JAVA_TIME_H
#define NODE_SSTABLE_TOOL_JAVA_TIME_H

#include "base/buffer.h"

// "2026-11-22T05:34:12.437129Z" with no, 3, 6 or 9 digits behind the point (Instant.toString).
void java_time_put_micros(int64_t micros, struct buffer *text);
void java_time_put_seconds(int64_t seconds, struct buffer *text);
// "11/22/2026 05:34:12" (SimpleDateFormat "MM/dd/yyyy HH:mm:ss").
void java_time_put_date(int64_t ms, struct buffer *text);
// "3472 days 5 hours 20 minutes" (DurationFormatUtils.formatDurationWords).
void java_time_put_words(int64_t seconds, struct buffer *text);

#endif
