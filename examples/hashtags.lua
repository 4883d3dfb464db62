-- Counts every hashtag of a file of tweets, under "ALL" and under the tweet's day.
--
--     helenus stream run examples/hashtags.lua FILE [KEYSPACE]
--
-- FILE holds one status object of JSON on each line (.gz too); "-" is standard input. The table is
--
--     CREATE TABLE hashtags (hashtag text, interval text, mentions counter,
--       PRIMARY KEY((hashtag), interval)) WITH CLUSTERING ORDER BY (interval DESC)
--
-- All operators here are native: no Lua runs while tweets are counted.
local file, keyspace = arg[1] or "-", arg[2] or "demo_ks"

local ssc = StreamingContext("hashtags", Seconds(1))

local mentions = ssc:jsonStream{path = file, fields = {"text", "created_at"}}
  :map(day(2))           -- (text, yyyyMMdd)
  :flatMap(hashtags(1))  -- (hashtag, yyyyMMdd), one for each that stands in the text

local columns_of_table = SomeColumns("hashtag", "interval", "mentions")

mentions:map(columns(1, "ALL")):countByValue()
  :saveToCassandra(keyspace, "hashtags", columns_of_table)

mentions:countByValue()
  :saveToCassandra(keyspace, "hashtags", columns_of_table)

ssc:start()
ssc:awaitTermination()
