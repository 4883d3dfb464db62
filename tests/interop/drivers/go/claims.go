package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

var claims = []claim{
	{"connects_by_each_version", connectsByEachVersion},
	{"metadata_is_whole", metadataIsWhole},
	{"replicas_are_those_of_the_server", replicasAreThoseOfTheServer},
	{"prepared_statements_survive_changes", preparedStatementsSurviveChanges},
	{"pages_go_on_at_another_node", pagesGoOnAtAnotherNode},
	{"batches_do_all_they_hold", batchesDoAllTheyHold},
	{"every_type_there_and_back", everyTypeThereAndBack},
	{"counters_count", countersCount},
	{"conditions_say_what_was_there", conditionsSayWhatWasThere},
	{"schema_events_are_heard", schemaEventsAreHeard},
	{"nodes_that_go_and_come_are_heard_of", nodesThatGoAndComeAreHeardOf},
	{"sums_under_load_are_exact", sumsUnderLoadAreExact},
	{"a_restart_loses_nothing_acknowledged", aRestartLosesNothingAcknowledged},
	{"errors_say_what_is_wrong", errorsSayWhatIsWrong},
	{"traces_are_found", tracesAreFound},
	{"v5_names_a_keyspace_and_a_time", v5NamesAKeyspaceAndATime},
	{"warnings_reach_the_client", warningsReachTheClient},
	{"a_custom_payload_does_no_harm", aCustomPayloadDoesNoHarm},
}

func connectsByEachVersion(*gocql.Session) string {
	var tried []string
	for version := 3; version <= 5; version++ {
		for _, compressed := range []bool{false, true} {
			session := open(cluster(version, compressed))
			equal(one[string](session, "SELECT release_version FROM system.local"), "5.0.4")
			large := strings.Repeat("x", 300000) + "y"
			equal(one[string](session, "SELECT (text) '"+large+"' AS t FROM system.local"), large)
			session.Close()
			tried = append(tried, fmt.Sprintf("v%d%s", version, map[bool]string{true: " lz4"}[compressed]))
		}
	}
	session := open(cluster(0, false)) // The driver finds the newest version.
	equal(one[string](session, "SELECT native_protocol_version FROM system.local"), "5")
	session.Close()
	return strings.Join(tried, ", ") + ", negotiated"
}

func columnNames(columns []*gocql.ColumnMetadata) (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

func metadataIsWhole(session *gocql.Session) string {
	run(session, "CREATE TYPE meta_type (a int, b frozen<list<text>>)")
	run(session, "CREATE TABLE meta (a int, b text, c timeuuid, s set<int> static, v frozen<meta_type>, w vector<float, 3>, "+
		"PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC)")
	run(session, "CREATE INDEX meta_v ON meta (v)")
	var addresses []string
	for _, h := range session.GetHosts() {
		addresses = append(addresses, h.ConnectAddress().String())
		equal([]string{h.DataCenter(), h.Rack()}, []string{"datacenter1", "rack1"})
		equal(h.Version().String(), "v5.0.4")
		equal(len(h.Tokens()), 16)
	}
	sort.Strings(addresses)
	equal(addresses, hosts)
	var metadata *gocql.KeyspaceMetadata
	waitUntil(30, "the table", func() bool { // The driver reads the schema a moment after a change.
		found, err := session.KeyspaceMetadata(keyspace)
		metadata = found
		return err == nil && found.Tables["meta"] != nil
	})
	check(metadata.DurableWrites && strings.HasSuffix(metadata.StrategyClass, "SimpleStrategy"), "%+v", metadata)
	table := metadata.Tables["meta"]
	equal(columnNames(table.PartitionKey), []string{"a", "b"})
	equal(columnNames(table.ClusteringColumns), []string{"c"})
	equal(table.Columns["c"].Order, gocql.DESC)
	equal(table.Columns["s"].Kind, gocql.ColumnStatic)
	kinds := map[string]gocql.Type{"a": gocql.TypeInt, "b": gocql.TypeText, "c": gocql.TypeTimeUUID, "s": gocql.TypeSet, "w": gocql.TypeCustom}
	for name, kind := range kinds {
		check(table.Columns[name].Type.Type() == kind, "%s: %v", name, table.Columns[name].Type)
	}
	equal(metadata.UserTypes["meta_type"].FieldNames, []string{"a", "b"})
	return fmt.Sprintf("%d nodes, %d tables", len(addresses), len(metadata.Tables))
}

func replicasAreThoseOfTheServer(session *gocql.Session) string {
	needsRing()
	var owners []struct {
		Token   json.Number
		Address string
	}
	must(json.Unmarshal(tool("ring", "--ring", hosts[0], "--json"), &owners))
	theirs := map[string]string{}
	for _, h := range session.GetHosts() {
		for _, token := range h.Tokens() {
			theirs[token] = h.ConnectAddress().String()
		}
	}
	equal(len(theirs), len(owners))
	for _, o := range owners {
		equal(theirs[o.Token.String()], o.Address[:strings.LastIndex(o.Address, ":")])
	}
	// Which node the driver asks first for a key is the first replica.
	for factor := 1; factor <= 3; factor++ {
		name := fmt.Sprintf("%s_%d", keyspace, factor)
		run(session, fmt.Sprintf("CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': %d}", name, factor))
		run(session, "CREATE TABLE "+name+".t (k text PRIMARY KEY)")
		config := cluster(4, false)
		config.Keyspace = name
		other := open(config)
		for i := 0; i < 10; i++ {
			key := fmt.Sprintf("key %d", i)
			iterator := other.Query("SELECT k FROM "+name+".t WHERE k = ?", key).Iter()
			asked := iterator.Host().ConnectAddress().String()
			must(iterator.Close())
			ours := endpoints(name, "t", key)
			check(len(ours) == factor && asked == ours[0], "%s of factor %d: asked %s, replicas %v", key, factor, asked, ours)
		}
		other.Close()
		run(session, "DROP KEYSPACE "+name)
	}
	return fmt.Sprintf("%d tokens", len(owners))
}

func preparedStatementsSurviveChanges(*gocql.Session) string {
	versions(func(version int, session *gocql.Session) {
		two := open(cluster(version, false))
		defer two.Close()
		run(session, "DROP TABLE IF EXISTS prepared")
		run(session, "CREATE TABLE prepared (k int PRIMARY KEY, a text)")
		row := func(key int) map[string]any {
			row := map[string]any{}
			must(session.Query("SELECT * FROM prepared WHERE k = ?", key).MapScan(row))
			return row
		}
		run(session, "INSERT INTO prepared (k, a) VALUES (?, ?)", 1, "one")
		equal(row(1), map[string]any{"k": 1, "a": "one"})
		waitUntil(30, "the partition key", func() bool { // With v3 the driver has it of its own metadata, a moment later.
			metadata, err := session.StatementMetadata(context.Background(), "INSERT INTO prepared (k, a) VALUES (?, ?)", keyspace)
			return err == nil && len(metadata.PKBindColumnIndexes) == 1 && metadata.PKBindColumnIndexes[0] == 0
		})
		run(two, "ALTER TABLE prepared ADD b list<int>")
		run(two, "UPDATE prepared SET b = [1, 2] WHERE k = 1")
		found := row(1)
		check(found["a"] == "one" && (version < 5 || found["b"] != nil), "v%d: %v", version, found)
		run(two, "DROP TABLE prepared")
		run(two, "CREATE TABLE prepared (k int PRIMARY KEY, a text)")
		run(session, "INSERT INTO prepared (k, a) VALUES (?, ?)", 2, "two") // UNPREPARED, prepared again, executed.
		found = row(2)
		check(found["k"] == 2 && found["a"] == "two", "v%d: %v", version, found)
	})
	return ""
}

func pagesGoOnAtAnotherNode(session *gocql.Session) string {
	run(session, "CREATE TABLE pages (p int, c int, v text, PRIMARY KEY (p, c))")
	parallel(1000, 100, func(i int) {
		must(session.Query("INSERT INTO pages (p, c, v) VALUES (?, ?, ?)", i%10, i, "v").Exec())
	})
	all := make([]int, 1000)
	for i := range all {
		all[i] = i
	}
	versions(func(version int, session *gocql.Session) {
		nodes := session.GetHosts()
		for _, text := range []string{"SELECT c FROM pages", "SELECT c FROM pages WHERE p IN (0,1,2,3,4,5,6,7,8,9)", "SELECT c FROM pages WHERE c >= 0 ALLOW FILTERING"} {
			var state []byte
			var seen []int
			for pages := 0; ; pages++ {
				iterator := session.Query(text).PageSize(7).PageState(state).SetHostID(nodes[pages%len(nodes)].HostID()).Iter()
				state = append([]byte{}, iterator.PageState()...)
				check(iterator.NumRows() <= 7, "a page of %d rows", iterator.NumRows())
				scanner := iterator.Scanner()
				for n := iterator.NumRows(); n > 0 && scanner.Next(); n-- {
					var c int
					must(scanner.Scan(&c))
					seen = append(seen, c)
				}
				if len(state) == 0 {
					must(scanner.Err())
					break
				}
			}
			sort.Ints(seen)
			equal(seen, all)
		}
		iterator := session.Query("SELECT c FROM pages WHERE p = 3 ORDER BY c DESC LIMIT 50").PageSize(7).Iter()
		for c, wanted := 0, 993; iterator.Scan(&c); wanted -= 10 {
			equal(c, wanted)
		}
		must(iterator.Close())
	})
	return ""
}

func batchesDoAllTheyHold(session *gocql.Session) string {
	run(session, "CREATE TABLE batched (k int PRIMARY KEY, v text)")
	run(session, "CREATE TABLE batched_counts (k int PRIMARY KEY, n counter)")
	versions(func(version int, session *gocql.Session) {
		for _, kind := range []gocql.BatchType{gocql.LoggedBatch, gocql.UnloggedBatch} {
			run(session, "TRUNCATE batched")
			batch := session.Batch(kind)
			for i := 0; i < 20; i++ {
				batch.Query("INSERT INTO batched (k, v) VALUES (?, ?)", i, fmt.Sprint(i))
			}
			batch.Query("INSERT INTO batched (k, v) VALUES (100, 'text')")
			must(batch.Exec())
			equal(one[int](session, "SELECT count(*) FROM batched"), 21)
			equal(one[string](session, "SELECT v FROM batched WHERE k = 100"), "text")
		}
		run(session, "TRUNCATE batched_counts")
		batch := session.Batch(gocql.CounterBatch)
		for i := 0; i < 30; i++ {
			batch.Query("UPDATE batched_counts SET n = n + ? WHERE k = ?", i, i%3)
		}
		must(batch.Exec())
		for k, n := range []int64{135, 145, 155} {
			equal(one[int64](session, "SELECT n FROM batched_counts WHERE k = ?", k), n)
		}
		mixed := session.Batch(gocql.LoggedBatch)
		mixed.Query("UPDATE batched_counts SET n = n + 1 WHERE k = 1")
		err := mixed.Exec()
		var e gocql.RequestError
		check(errors.As(err, &e) && e.Code() == gocql.ErrCodeInvalid, "a counter in a logged batch: %v", err)
	})
	return ""
}

func countersCount(session *gocql.Session) string {
	run(session, "CREATE TABLE counts (k text, c int, n counter, m counter, PRIMARY KEY (k, c))")
	for _, n := range []int64{1, -5, math.MaxInt64 - 100, 0} {
		run(session, "UPDATE counts SET n = n + ?, m = m - ? WHERE k = ? AND c = ?", n, n, "a", 1)
	}
	var n, m *int64
	must(session.Query("SELECT n, m FROM counts").Scan(&n, &m))
	check(*n == math.MaxInt64-104 && *m == 104-math.MaxInt64, "%d %d", *n, *m)
	run(session, "DELETE n FROM counts WHERE k = 'a' AND c = 1")
	must(session.Query("SELECT n, m FROM counts").Scan(&n, &m))
	check(n == nil && *m == 104-math.MaxInt64, "%v %d", n, *m)
	return ""
}

func conditionsSayWhatWasThere(session *gocql.Session) string {
	run(session, "CREATE TABLE conditional (k int, c int, v text, s text static, PRIMARY KEY (k, c))")
	insert := "INSERT INTO conditional (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS"
	there := map[string]any{}
	applied, err := session.Query(insert, 1, 1, "a").MapScanCAS(there)
	check(err == nil && applied, "%v", err)
	there = map[string]any{}
	applied, err = session.Query(insert, 1, 1, "b").MapScanCAS(there)
	check(err == nil && !applied, "%v", err)
	check(there["k"] == 1 && there["c"] == 1 && there["v"] == "a", "%v", there)
	var found string
	applied, err = session.Query("UPDATE conditional SET v = ? WHERE k = 1 AND c = 1 IF v = ?", "c", "a").ScanCAS(&found)
	check(err == nil && applied, "%v", err)
	applied, err = session.Query("UPDATE conditional SET v = ? WHERE k = 1 AND c = 1 IF v = ?", "d", "a").ScanCAS(&found)
	check(err == nil && !applied && found == "c", "%v %v", err, found)
	batch := session.Batch(gocql.LoggedBatch)
	batch.Query(insert, 1, 2, "new")
	batch.Query("UPDATE conditional SET v = ? WHERE k = 1 AND c = 1 IF v = ?", "e", "x")
	there = map[string]any{}
	applied, iterator, err := batch.MapExecCAS(there)
	check(err == nil && !applied && there["c"] == 1, "%v %v", err, there)
	must(iterator.Close())
	equal(one[int](session, "SELECT count(*) FROM conditional WHERE k = 1"), 1)
	// Eight goroutines add to one cell by compare and set: none is lost, and none counts that is not known of.
	var unknown int64
	run(session, "INSERT INTO conditional (k, c, v) VALUES (2, 1, '0')")
	parallel(8, 8, func(int) {
		for done := 0; done < 5; {
			var old, now string
			must(session.Query("SELECT v FROM conditional WHERE k = 2 AND c = 1").Consistency(gocql.Serial).Scan(&old))
			var number int
			fmt.Sscan(old, &number)
			applied, err := session.Query("UPDATE conditional SET v = ? WHERE k = 2 AND c = 1 IF v = ?", fmt.Sprint(number+1), old).ScanCAS(&now)
			var timeout *gocql.RequestErrWriteTimeout
			var cannotTell *gocql.RequestErrCASWriteUnknown
			if errors.As(err, &timeout) || errors.As(err, &cannotTell) {
				atomic.AddInt64(&unknown, 1)
				continue
			}
			must(err)
			if applied {
				done++
			}
		}
	})
	var sum int64
	fmt.Sscan(one[string](session, "SELECT v FROM conditional WHERE k = 2 AND c = 1"), &sum)
	check(40 <= sum && sum <= 40+unknown, "%d instead of 40, and %d of unknown end", sum, unknown)
	return fmt.Sprintf("%d of unknown end among 40 that were contended", unknown)
}

// What an application that listens hears.
type listener struct {
	mutex sync.Mutex
	heard []string
}

func (l *listener) add(words ...string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.heard = append(l.heard, strings.Join(words, " "))
}

func (l *listener) has(text string) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, h := range l.heard {
		if h == text {
			return true
		}
	}
	return false
}

func (l *listener) OnTableCreated(e gocql.OnTableCreatedEvent) { l.add("created", e.Table.Name) }
func (l *listener) OnTableDropped(e gocql.OnTableDroppedEvent) { l.add("dropped", e.Table.Name) }
func (l *listener) OnTableUpdated(e gocql.OnTableUpdatedEvent) { l.add("updated", e.New.Name) }
func (l *listener) OnUserTypeCreated(e gocql.OnUserTypeCreatedEvent) {
	l.add("created type", e.UserType.Name)
}
func (l *listener) OnUserTypeDropped(e gocql.OnUserTypeDroppedEvent) {
	l.add("dropped type", e.UserType.Name)
}
func (l *listener) OnUserTypeUpdated(e gocql.OnUserTypeUpdatedEvent) {
	l.add("updated type", e.New.Name)
}
func (l *listener) OnHostUp(e gocql.HostUpEvent) { l.add("up", e.Host.ConnectAddress().String()) }
func (l *listener) OnHostDown(e gocql.HostDownEvent) {
	l.add("down", e.Host.ConnectAddress().String())
}

func schemaEventsAreHeard(session *gocql.Session) string {
	heard := &listener{}
	config := cluster(5, false)
	config.Metadata.SchemaListener.TableChangeListener = heard
	config.Metadata.SchemaListener.UserTypeChangeListener = heard
	listening := open(config)
	defer listening.Close()
	for _, step := range []struct{ statement, event string }{
		{"CREATE TABLE heard (k int PRIMARY KEY)", "created heard"},
		{"ALTER TABLE heard ADD v int", "updated heard"},
		{"CREATE TYPE heard_type (a int)", "created type heard_type"},
		{"ALTER TYPE heard_type ADD b int", "updated type heard_type"},
		{"DROP TABLE heard", "dropped heard"},
		{"DROP TYPE heard_type", "dropped type heard_type"},
	} {
		run(session, step.statement)
		waitUntil(30, step.event, func() bool { return heard.has(step.event) })
	}
	return ""
}

func nodesThatGoAndComeAreHeardOf(*gocql.Session) string {
	needsRing()
	heard := &listener{}
	config := cluster(5, false)
	config.Metadata.HostListener.HostStateChangeListener = heard
	session := open(config)
	defer session.Close()
	tool("ring", "kill", "--dir", ring, "3")
	waitUntil(10, "it is down", func() bool { return heard.has("down " + hosts[2]) })
	tool("ring", "restart", "--dir", ring, "3")
	waitUntil(20, "it is up", func() bool { return heard.has("up " + hosts[2]) })
	return ""
}

// parallel does count things, some at a time. What fails in one fails the claim.
func parallel(count, workers int, do func(i int)) {
	var next int64 = -1
	var group sync.WaitGroup
	faults := make(chan any, workers)
	for w := 0; w < workers; w++ {
		group.Add(1)
		go func() {
			defer group.Done()
			defer func() {
				if e := recover(); e != nil {
					faults <- e
				}
			}()
			for i := int(atomic.AddInt64(&next, 1)); i < count; i = int(atomic.AddInt64(&next, 1)) {
				do(i)
			}
		}()
	}
	group.Wait()
	if len(faults) > 0 {
		panic(<-faults)
	}
}

func sumsUnderLoadAreExact(session *gocql.Session) string {
	run(session, "CREATE TABLE load (k int PRIMARY KEY, n counter)")
	run(session, "CREATE TABLE load_rows (p int, c int, v int, PRIMARY KEY (p, c))")
	sums := make([]int64, 17)
	for i := 0; i < 5000; i++ {
		sums[i%17] += int64(i)
	}
	for version := 3; version <= 5; version++ {
		other := open(cluster(version, version != 4))
		run(session, "TRUNCATE load")
		parallel(5000, 200, func(i int) {
			must(other.Query("UPDATE load SET n = n + ? WHERE k = ?", i, i%17).Exec())
			must(other.Query("INSERT INTO load_rows (p, c, v) VALUES (?, ?, ?)", i%17, i, i).Exec())
		})
		for k, sum := range sums {
			equal(one[int64](other, "SELECT n FROM load WHERE k = ?", k), sum)
			equal(int64(one[int](other, "SELECT sum(v) FROM load_rows WHERE p = ?", k)), sum)
		}
		other.Close()
	}
	return "3 times 5,000 increments and 5,000 rows, 200 in flight"
}

func aRestartLosesNothingAcknowledged(session *gocql.Session) string {
	needsRing()
	run(session, "CREATE TABLE kept (k int PRIMARY KEY, v int)")
	run(session, "CREATE TABLE kept_sum (k int PRIMARY KEY, n counter)")
	var acknowledged sync.Map
	var rows, added, unknown, next, stop int64
	var group sync.WaitGroup
	for w := 0; w < 8; w++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for atomic.LoadInt64(&stop) == 0 {
				key := int(atomic.AddInt64(&next, 1))
				if session.Query("INSERT INTO kept (k, v) VALUES (?, ?)", key, key).Exec() == nil {
					acknowledged.Store(key, true)
					atomic.AddInt64(&rows, 1)
				}
				if session.Query("UPDATE kept_sum SET n = n + 1 WHERE k = 0").Exec() == nil {
					atomic.AddInt64(&added, 1)
				} else {
					atomic.AddInt64(&unknown, 1)
				}
			}
		}()
	}
	goesOn := func(what string) {
		begin := atomic.LoadInt64(&rows)
		waitUntil(20, what, func() bool { return atomic.LoadInt64(&rows) > begin+500 })
	}
	goesOn("writes go on")
	tool("ring", "kill", "--dir", ring, "2")
	goesOn("writes go on without it")
	tool("ring", "restart", "--dir", ring, "2")
	goesOn("writes go on with it")
	tool("ring", "restart", "--dir", ring, "2")
	goesOn("writes go on after a restart in good order")
	atomic.StoreInt64(&stop, 1)
	group.Wait()
	found := map[int]bool{}
	iterator := session.Query("SELECT k FROM kept").Iter()
	for k := 0; iterator.Scan(&k); {
		found[k] = true
	}
	must(iterator.Close())
	lost := 0
	acknowledged.Range(func(key, _ any) bool {
		if !found[key.(int)] {
			lost++
		}
		return true
	})
	check(lost == 0, "%d of %d acknowledged rows are lost", lost, rows)
	counted := one[int64](session, "SELECT n FROM kept_sum WHERE k = 0")
	check(added <= counted && counted <= added+unknown, "%d counted, %d acknowledged, %d unknown", counted, added, unknown)
	return fmt.Sprintf("%d rows, %d increments, %d of unknown end", rows, counted, unknown)
}

func errorsSayWhatIsWrong(*gocql.Session) string {
	far, needed := keyspace+"_far", len(hosts)+2
	versions(func(version int, session *gocql.Session) {
		code := func(text string, code int, words string) {
			e := refused[gocql.RequestError](session, text)
			check(e.Code() == code && strings.Contains(e.Message(), words), "%s: %x %s", text, e.Code(), e.Message())
		}
		code("SELEC * FROM x", gocql.ErrCodeSyntax, "line 1:0 no viable alternative at input 'SELEC'")
		code("SELECT * FROM nowhere", gocql.ErrCodeInvalid, "table nowhere does not exist")
		code("SELECT nothing FROM system.local", gocql.ErrCodeInvalid, "Undefined column name nothing in table system.local")
		code("CREATE KEYSPACE bad WITH replication = {'class': 'NoStrategy'}", gocql.ErrCodeConfig, "NoStrategy")
		code("INSERT INTO meta (a) VALUES (1)", gocql.ErrCodeInvalid, "Some partition key parts are missing: b")
		exists := refused[*gocql.RequestErrAlreadyExists](session, "CREATE TABLE meta (k int PRIMARY KEY)")
		equal([]string{exists.Keyspace, exists.Table}, []string{keyspace, "meta"})
		run(session, fmt.Sprintf("CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': %d}", far, needed))
		run(session, "CREATE TABLE IF NOT EXISTS "+far+".t (k int PRIMARY KEY)")
		err := session.Query("INSERT INTO " + far + ".t (k) VALUES (1)").Consistency(gocql.All).Exec()
		var unavailable *gocql.RequestErrUnavailable
		check(errors.As(err, &unavailable), "%T %v", err, err)
		check(unavailable.Consistency == gocql.All && unavailable.Required == needed && unavailable.Alive == len(hosts), "%+v", unavailable)
	})
	return ""
}

func tracesAreFound(session *gocql.Session) string {
	run(session, "CREATE TABLE traced (k int PRIMARY KEY)")
	versions(func(version int, session *gocql.Session) {
		var id []byte
		remember := tracer(func(trace []byte) { id = append([]byte{}, trace...) })
		must(session.Query("INSERT INTO traced (k) VALUES (1)").Trace(remember).Exec())
		check(len(id) == 16, "no trace")
		var text bytes.Buffer
		waitUntil(10, "the trace is whole", func() bool {
			text.Reset()
			gocql.NewTraceWriter(session, &text).Trace(id)
			return strings.Count(text.String(), "\n") > 3 && !strings.Contains(text.String(), "duration: 0s")
		})
		check(!strings.Contains(text.String(), "Error:"), "%s", text.String())
	})
	return ""
}

type tracer func([]byte)

func (t tracer) Trace(id []byte) { t(id) }

func v5NamesAKeyspaceAndATime(*gocql.Session) string {
	session := open(cluster(5, false))
	defer session.Close()
	elsewhere, now := keyspace+"_elsewhere", int(time.Now().Unix())+10000
	run(session, "CREATE KEYSPACE "+elsewhere+" WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	run(session, "CREATE TABLE "+elsewhere+".elsewhere (k int PRIMARY KEY, v int)")
	there := func(now int, text string, values ...any) *gocql.Query {
		return session.Query(text, values...).SetKeyspace(elsewhere).WithNowInSeconds(now)
	}
	must(there(now, "INSERT INTO elsewhere (k, v) VALUES (?, 2) USING TTL 1000", 1).Exec())
	var left int
	must(there(now+400, "SELECT TTL(v) FROM elsewhere WHERE k = ?", 1).Scan(&left))
	equal(left, 600)
	err := there(now+1000, "SELECT TTL(v) FROM elsewhere WHERE k = ?", 1).Scan(&left)
	check(errors.Is(err, gocql.ErrNotFound), "a row of the past: %v", err)
	batch := session.Batch(gocql.LoggedBatch).SetKeyspace(elsewhere).WithNowInSeconds(now)
	batch.Query("INSERT INTO elsewhere (k, v) VALUES (2, 2) USING TTL 1000")
	must(batch.Exec())
	must(there(now+1, "SELECT TTL(v) FROM elsewhere WHERE k = 2").Scan(&left))
	equal(left, 999)
	run(session, "DROP KEYSPACE "+elsewhere)
	return ""
}

func warningsReachTheClient(*gocql.Session) string {
	versions(func(version int, session *gocql.Session) {
		iterator := session.Query("SELECT count(*) FROM pages").Iter()
		warnings := iterator.Warnings()
		must(iterator.Close())
		if version == 3 {
			equal(len(warnings), 0)
		} else {
			equal(warnings, []string{"Aggregation query used without partition key"})
		}
	})
	return ""
}

func aCustomPayloadDoesNoHarm(*gocql.Session) string {
	versions(func(version int, session *gocql.Session) {
		if version >= 4 {
			iterator := session.Query("SELECT key FROM system.local").CustomPayload(map[string][]byte{"a": {1}, "b": {}}).Iter()
			equal(len(iterator.GetCustomPayload()), 0)
			must(iterator.Close())
		}
	})
	return ""
}
