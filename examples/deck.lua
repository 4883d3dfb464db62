-- The job of "Data at the Speed of your Users", as its slides have it in Scala: counts #iphone and
-- #android, under "ALL" and under the day of the batch, every two seconds.
--
--     helenus tweets --serve 8080 &
--     helenus stream run examples/deck.lua http://127.0.0.1:8080/ [KEYSPACE]
local url, keyspace = arg[1] or "http://127.0.0.1:8080/", arg[2] or "demo_ks"

local ssc = StreamingContext("deck", Seconds(2))
local stream = ssc:createStream(url)

local hashtags_of_interest = {["#iphone"] = true, ["#android"] = true}

local counts = stream
  :flatMap(function(text) return words(lower(text)) end)
  :filter(function(word) return hashtags_of_interest[word] end)
  :map(function(word) return word, 1 end)
  :reduceByKey(add)

counts
  :map(function(hashtag, mentions) return hashtag, "ALL", mentions end)
  :saveToCassandra(keyspace, "hashtags", SomeColumns("hashtag", "interval", "mentions"))

counts
  :map(function(hashtag, mentions) return hashtag, today(), mentions end)
  :saveToCassandra(keyspace, "hashtags", SomeColumns("hashtag", "interval", "mentions"))

ssc:start()
ssc:awaitTermination()
