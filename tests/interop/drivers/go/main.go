// What gocql makes of a server: one function a claim. README.md in the folder above says how it is run.
//
//	drivers HOST,HOST,... [HELENUS RING_DIRECTORY]
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/apache/cassandra-gocql-driver/v2/lz4"
)

const keyspace = "drivers_go"

var (
	hosts         = strings.Split(os.Args[1], ",")
	helenus, ring string // The program and its ring's directory; empty with a server of another make.
)

type claim struct {
	name  string
	holds func(*gocql.Session) string
}

// A claim ends early by one of these.
type fault struct{ text string }
type notHere struct{ text string }

func fail(format string, values ...any) {
	_, _, line, _ := runtime.Caller(2)
	panic(fault{fmt.Sprintf(format, values...) + fmt.Sprintf(" (line %d)", line)})
}

func check(holds bool, format string, values ...any) {
	if !holds {
		fail(format, values...)
	}
}

func must(err error) {
	if err != nil {
		fail("%T: %v", err, err)
	}
}

func equal(found, wanted any) {
	if !reflect.DeepEqual(found, wanted) {
		fail("%#v instead of %#v", found, wanted)
	}
}

func needsRing() {
	if ring == "" {
		panic(notHere{"needs a ring of Helenus's"})
	}
}

func tool(words ...string) []byte {
	output, err := exec.Command(helenus, words...).Output()
	must(err)
	return output
}

func endpoints(keyspace, table, key string) (addresses []string) {
	must(json.Unmarshal(tool("getendpoints", "--ring", hosts[0], "--json", keyspace, table, key), &addresses))
	return addresses
}

func waitUntil(seconds float64, what string, holds func() bool) {
	for begin := time.Now(); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin).Seconds() > seconds {
			fail("%s: not after %v s", what, seconds)
		}
	}
}

// cluster is what most claims connect with: all nodes, by token, each replica in its turn.
func cluster(version int, compressed bool) *gocql.ClusterConfig {
	config := gocql.NewCluster(hosts[0])
	config.ProtoVersion = version
	config.Keyspace = keyspace
	config.Consistency = gocql.Quorum
	config.Timeout = 30 * time.Second
	config.ConnectTimeout = 10 * time.Second
	config.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy(), gocql.DoNotShuffleReplicas())
	config.ReconnectInterval = time.Second
	config.ReconnectionPolicy = &gocql.ConstantReconnectionPolicy{MaxRetries: 3, Interval: 100 * time.Millisecond}
	config.RetryPolicy = &gocql.SimpleRetryPolicy{NumRetries: 0}
	config.Metadata.CacheMode = gocql.Full
	if authority := os.Getenv("CA"); authority != "" { // With --tls.
		config.SslOpts = &gocql.SslOptions{CaPath: authority, EnableHostVerification: true}
	}
	if compressed {
		config.Compressor = lz4.LZ4Compressor{}
	}
	return config
}

func open(config *gocql.ClusterConfig) *gocql.Session {
	session, err := config.CreateSession()
	if err != nil {
		fail("cannot connect: %v", err)
	}
	return session
}

// versions does something at a session of each protocol version.
func versions(do func(version int, session *gocql.Session)) {
	for version := 3; version <= 5; version++ {
		session := open(cluster(version, false))
		do(version, session)
		session.Close()
	}
}

func run(session *gocql.Session, text string, values ...any) {
	if err := session.Query(text, values...).Exec(); err != nil {
		fail("%.200s: %v", text, err)
	}
}

// one reads the only column of the only row.
func one[T any](session *gocql.Session, text string, values ...any) (value T) {
	if err := session.Query(text, values...).Scan(&value); err != nil {
		fail("%.200s: %v", text, err)
	}
	return value
}

// refused gives the error of a statement that must have one.
func refused[T error](session *gocql.Session, text string) (e T) {
	err := session.Query(text).Exec()
	if !errors.As(err, &e) {
		fail("%s: %T %v", text, err, err)
	}
	return e
}

// outcome is what a claim came to: a word and what is to be said of it.
func outcome(session *gocql.Session, of claim) (word, text string) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case fault:
			word, text = "FAIL", e.text
		case notHere:
			word, text = "-", e.text
		default:
			word, text = "FAIL", fmt.Sprint(e)
		}
	}()
	return "ok", of.holds(session)
}

func main() {
	if len(os.Args) == 4 {
		helenus, ring = os.Args[2], os.Args[3]
	}
	config := cluster(4, false)
	config.Keyspace = ""
	session, err := config.CreateSession()
	if err != nil {
		fmt.Println("FAIL cannot connect:", err)
		fmt.Println("0 passed, 1 failed")
		os.Exit(1)
	}
	run(session, "DROP KEYSPACE IF EXISTS "+keyspace)
	run(session, fmt.Sprintf("CREATE KEYSPACE %s WITH replication = {'class': 'SimpleStrategy', 'replication_factor': %d}", keyspace, len(hosts)))
	session.Close()
	session = open(cluster(4, false))
	count := map[string]int{}
	for _, c := range claims {
		begin := time.Now()
		word, text := outcome(session, c)
		count[word]++
		fmt.Printf("%-4s %s (%.1f s) %s\n", word, c.name, time.Since(begin).Seconds(), text)
	}
	run(session, "DROP KEYSPACE IF EXISTS "+keyspace)
	run(session, "DROP KEYSPACE IF EXISTS "+keyspace+"_far")
	session.Close()
	fmt.Printf("%d passed, %d failed\n", count["ok"], count["FAIL"])
	if count["FAIL"] > 0 {
		os.Exit(1)
	}
}
