//! What the scylla driver makes of a server: one function a claim. README.md in the folder above says how it is run.
//!
//!     drivers HOST,HOST,... [HELENUS RING_DIRECTORY]
mod values;

use futures::{StreamExt, TryStreamExt};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::client::Compression;
use scylla::cluster::metadata::{ColumnKind, Strategy};
use scylla::cluster::Node;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::response::PagingState;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchType};
use scylla::statement::unprepared::Statement;
use scylla::statement::Consistency;
use scylla::value::{Counter, CqlValue, Unset};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::ops::ControlFlow;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KEYSPACE: &str = "drivers_rust";
const NOT_HERE: &str = "needs a ring of Helenus's";

type Fault = Box<dyn std::error::Error + Send + Sync>;
type Outcome = Result<String, Fault>;

/// Where the claims are tried. `helenus` is the program and its ring's directory.
struct Server {
    hosts: Vec<String>,
    helenus: Option<(String, String)>,
    session: Session,
}

macro_rules! check {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!("{} (line {})", format!($($text)*), line!()).into());
        }
    };
}

macro_rules! equal {
    ($found:expr, $wanted:expr) => {
        match (&$found, &$wanted) {
            (found, wanted) => check!(found == wanted, "{found:?} instead of {wanted:?}"),
        }
    };
}

impl Server {
    fn tool(&self, words: &[&str]) -> Result<String, Fault> {
        let (program, directory) = self.helenus.as_ref().ok_or(NOT_HERE)?;
        let words = words.iter().map(|w| if *w == "DIRECTORY" { directory } else { *w });
        let done = Command::new(program).args(words).output()?;
        check!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8(done.stdout)?)
    }

    fn ring(&self, action: &str, node: usize) -> Result<(), Fault> {
        self.tool(&["ring", action, "--dir", "DIRECTORY", &node.to_string()]).map(|_| ())
    }

    async fn run(&self, text: &str) -> Result<(), Fault> {
        run(&self.session, text).await
    }
}

fn builder(hosts: &[String], compression: Option<Compression>) -> SessionBuilder {
    let profile = ExecutionProfile::builder().consistency(Consistency::Quorum).request_timeout(Some(Duration::from_secs(30))).build();
    SessionBuilder::new()
        .known_node(format!("{}:9042", hosts[0]))
        .compression(compression)
        .connection_timeout(Duration::from_secs(10))
        .default_execution_profile_handle(profile.into_handle())
}

async fn connect(hosts: &[String], compression: Option<Compression>) -> Result<Session, Fault> {
    Ok(builder(hosts, compression).use_keyspace(KEYSPACE, false).build().await?)
}

async fn run(session: &Session, text: &str) -> Result<(), Fault> {
    session.query_unpaged(text, ()).await.map_err(|e| format!("{text}: {e}"))?;
    Ok(())
}

fn statement(text: &str, level: Consistency) -> Statement {
    let mut statement = Statement::new(text);
    statement.set_consistency(level);
    statement
}

async fn rows<R: for<'a> DeserializeRow<'a, 'a>>(session: &Session, text: impl Into<Statement>, values: impl SerializeRow) -> Result<Vec<R>, Fault> {
    let result = session.query_unpaged(text, values).await?.into_rows_result()?;
    let all = result.rows::<R>()?.collect::<Result<Vec<R>, _>>()?;
    Ok(all)
}

/// The only column of the only row.
async fn one<T>(session: &Session, text: impl Into<Statement>) -> Result<T, Fault>
where
    (T,): for<'a> DeserializeRow<'a, 'a>,
{
    let mut all = rows::<(T,)>(session, text, ()).await?;
    check!(all.len() == 1, "{} rows", all.len());
    Ok(all.remove(0).0)
}

async fn refused(session: &Session, text: impl Into<Statement>) -> Result<(DbError, String), Fault> {
    let statement = text.into();
    let words = statement.contents.clone();
    match session.query_unpaged(statement, ()).await {
        Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(kind, message))) => Ok((kind, message)),
        Err(other) => Err(format!("{words}: {other:?}").into()),
        Ok(_) => Err(format!("{words}: not refused").into()),
    }
}

async fn wait_until<F: Future<Output = Result<bool, Fault>>>(seconds: u64, what: &str, holds: impl Fn() -> F) -> Result<(), Fault> {
    let begin = Instant::now();
    while !holds().await? {
        check!(begin.elapsed() < Duration::from_secs(seconds), "{what}: not after {seconds} s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn address(node: &Node) -> String {
    node.address.ip().to_string()
}

async fn connects_with_each_compression(at: &Server) -> Outcome {
    for compression in [None, Some(Compression::Lz4), Some(Compression::Snappy)] {
        let other = connect(&at.hosts, compression).await?;
        let large = "x".repeat(300_000) + "y";
        let found = rows::<(String, String)>(&other, format!("SELECT release_version, (text) '{large}' AS t FROM system.local"), ()).await?;
        equal!(found, vec![("5.0.4".to_string(), large)]);
    }
    Ok("v4, which is all that it knows: plain, lz4, snappy where the server has it".into())
}

async fn metadata_is_whole(at: &Server) -> Outcome {
    at.run("CREATE TYPE meta_type (a int, b frozen<list<text>>)").await?;
    at.run(
        "CREATE TABLE meta (a int, b text, c timeuuid, s set<int> static, v frozen<meta_type>, w vector<float, 3>, \
         PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC)",
    )
    .await?;
    at.session.refresh_metadata().await?;
    let state = at.session.get_cluster_state();
    let nodes: BTreeSet<String> = state.get_nodes_info().iter().map(|n| address(n)).collect();
    equal!(nodes, at.hosts.iter().cloned().collect());
    for node in state.get_nodes_info() {
        equal!((node.datacenter.as_deref(), node.rack.as_deref()), (Some("datacenter1"), Some("rack1")));
    }
    let keyspace = state.get_keyspace(KEYSPACE).ok_or("no keyspace")?;
    equal!(keyspace.strategy, Strategy::SimpleStrategy { replication_factor: at.hosts.len() });
    let table = keyspace.tables.get("meta").ok_or("no table")?;
    equal!((table.partition_key.join(" "), table.clustering_key.join(" ")), ("a b".to_string(), "c".to_string()));
    check!(matches!(table.columns["s"].kind, ColumnKind::Static), "{:?}", table.columns["s"]);
    for (column, words) in [("a", "Int"), ("b", "Text"), ("c", "Timeuuid"), ("s", "Set"), ("v", "meta_type"), ("w", "Vector")] {
        let kind = format!("{:?}", table.columns[column].typ);
        check!(kind.contains(words), "{column}: {kind}");
    }
    let fields: Vec<&str> = keyspace.user_defined_types["meta_type"].field_types.iter().map(|(name, _)| name.as_ref()).collect();
    equal!(fields, ["a", "b"]);
    at.session.await_schema_agreement().await?;
    Ok(format!("{} keyspaces", state.keyspaces_iter().count()))
}

async fn replicas_are_those_of_the_server(at: &Server) -> Outcome {
    at.tool(&["ring", "--ring", &at.hosts[0], "--json"])?;
    for factor in 1..=3 {
        let name = format!("{KEYSPACE}_{factor}");
        at.run(&format!("CREATE KEYSPACE {name} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {factor}}}")).await?;
        at.run(&format!("CREATE TABLE {name}.t (k text PRIMARY KEY)")).await?;
        at.session.refresh_metadata().await?;
        for i in 0..10 {
            let key = format!("key {i}");
            let endpoints = at.session.get_cluster_state().get_endpoints(&name, "t", &(&key,))?;
            let theirs: Vec<String> = endpoints.iter().map(|(node, _)| address(node)).collect();
            let ours: Vec<String> = serde_json::from_str(&at.tool(&["getendpoints", "--ring", &at.hosts[0], "--json", &name, "t", &key])?)?;
            equal!(theirs, ours);
            equal!(ours.len(), factor);
        }
        at.run(&format!("DROP KEYSPACE {name}")).await?;
    }
    Ok(String::new())
}

async fn prepared_statements_survive_changes(at: &Server) -> Outcome {
    let two = connect(&at.hosts, None).await?;
    run(&two, "CREATE TABLE prepared (k int PRIMARY KEY, a text)").await?;
    let insert = at.session.prepare("INSERT INTO prepared (k, a) VALUES (?, ?)").await?;
    let select = at.session.prepare("SELECT * FROM prepared WHERE k = ?").await?;
    check!(insert.is_token_aware(), "the partition key is not found");
    at.session.execute_unpaged(&insert, (1, "one")).await?;
    run(&two, "ALTER TABLE prepared ADD b list<int>").await?;
    run(&two, "UPDATE prepared SET b = [1, 2] WHERE k = 1").await?;
    let result = at.session.execute_unpaged(&select, (1,)).await?.into_rows_result()?;
    check!(result.rows_num() == 1 && result.column_specs().len() >= 2, "{} rows", result.rows_num());
    run(&two, "DROP TABLE prepared").await?;
    run(&two, "CREATE TABLE prepared (k int PRIMARY KEY, a text)").await?;
    at.session.execute_unpaged(&insert, (2, "two")).await?; // UNPREPARED, prepared again, executed.
    equal!(one::<String>(&at.session, "SELECT a FROM prepared WHERE k = 2").await?, "two");
    Ok(String::new())
}

async fn pages_go_on_at_another_node(at: &Server) -> Outcome {
    at.run("CREATE TABLE pages (p int, c int, v text, PRIMARY KEY (p, c))").await?;
    let insert = at.session.prepare("INSERT INTO pages (p, c, v) VALUES (?, ?, ?)").await?;
    let all = 0..1000;
    futures::stream::iter(all.clone())
        .map(|i| at.session.execute_unpaged(&insert, (i % 10, i, "v")))
        .buffer_unordered(100)
        .try_collect::<Vec<_>>()
        .await?;
    let state = at.session.get_cluster_state();
    let nodes = state.get_nodes_info();
    for text in ["SELECT c FROM pages", "SELECT c FROM pages WHERE p IN (0,1,2,3,4,5,6,7,8,9)", "SELECT c FROM pages WHERE c >= 0 ALLOW FILTERING"] {
        let mut seen = Vec::new();
        let mut paging = PagingState::start();
        for page in 0.. {
            let mut statement = Statement::new(text).with_page_size(7);
            let node = NodeIdentifier::Node(nodes[page % nodes.len()].clone());
            statement.set_load_balancing_policy(Some(SingleTargetLoadBalancingPolicy::new(node, None)));
            let (result, next) = at.session.query_single_page(statement, (), paging).await?;
            let result = result.into_rows_result()?;
            check!(result.rows_num() <= 7, "a page of {} rows", result.rows_num());
            for row in result.rows::<(i32,)>()? {
                seen.push(row?.0);
            }
            match next.into_paging_control_flow() {
                ControlFlow::Break(()) => break,
                ControlFlow::Continue(state) => paging = state,
            }
        }
        seen.sort();
        equal!(seen, all.clone().collect::<Vec<i32>>());
    }
    let ordered = Statement::new("SELECT c FROM pages WHERE p = 3 ORDER BY c DESC LIMIT 50").with_page_size(7);
    let found: Vec<(i32,)> = at.session.query_iter(ordered, ()).await?.rows_stream::<(i32,)>()?.try_collect().await?;
    equal!(found, (0..50).map(|i| (993 - 10 * i,)).collect::<Vec<_>>());
    Ok(String::new())
}

async fn batches_do_all_they_hold(at: &Server) -> Outcome {
    at.run("CREATE TABLE batched (k int PRIMARY KEY, v text)").await?;
    at.run("CREATE TABLE batched_counts (k int PRIMARY KEY, n counter)").await?;
    let insert = at.session.prepare("INSERT INTO batched (k, v) VALUES (?, ?)").await?;
    let add = at.session.prepare("UPDATE batched_counts SET n = n + ? WHERE k = ?").await?;
    for kind in [BatchType::Logged, BatchType::Unlogged] {
        at.run("TRUNCATE batched").await?;
        let mut batch = Batch::new(kind);
        let mut values = Vec::new();
        for i in 0..20 {
            batch.append_statement(insert.clone());
            values.push((i, i.to_string()));
        }
        at.session.batch(&batch, values).await?;
        let mut mixed = Batch::new(kind);
        mixed.append_statement("INSERT INTO batched (k, v) VALUES (100, 'text')");
        mixed.append_statement(insert.clone());
        mixed.append_statement("DELETE FROM batched USING TIMESTAMP 1 WHERE k = 100");
        at.session.batch(&mixed, ((), (101, "it's"), ())).await?;
        let found: BTreeMap<i32, String> = rows::<(i32, String)>(&at.session, "SELECT k, v FROM batched", ()).await?.into_iter().collect();
        check!(found.len() == 22 && found[&19] == "19" && found[&100] == "text" && found[&101] == "it's", "{found:?}");
    }
    let mut counters = Batch::new(BatchType::Counter);
    let mut values = Vec::new();
    for i in 0..30 {
        counters.append_statement(add.clone());
        values.push((Counter(i), (i % 3) as i32));
    }
    at.session.batch(&counters, values).await?;
    let counts: BTreeMap<i32, Counter> = rows::<(i32, Counter)>(&at.session, "SELECT k, n FROM batched_counts", ()).await?.into_iter().collect();
    equal!(counts, BTreeMap::from([(0, Counter(135)), (1, Counter(145)), (2, Counter(155))]));
    let mut wrong = Batch::new(BatchType::Logged);
    wrong.append_statement(add);
    check!(at.session.batch(&wrong, ((Counter(1), 1),)).await.is_err(), "a counter in a logged batch");
    Ok(String::new())
}

async fn every_type_there_and_back(at: &Server) -> Outcome {
    at.run("CREATE TYPE street (name text, number int)").await?;
    at.run("CREATE TYPE address (street frozen<street>, zip text, tags frozen<set<text>>)").await?;
    let cases = values::all(KEYSPACE);
    let columns: String = cases.iter().enumerate().map(|(i, (name, _))| format!(", c{i} {name}")).collect();
    at.run(&format!("CREATE TABLE every_type (k int PRIMARY KEY{columns})")).await?;
    let mut count = 0;
    for compression in [None, Some(Compression::Lz4)] {
        let other = connect(&at.hosts, compression).await?;
        for (i, (name, values)) in cases.iter().enumerate() {
            let insert = other.prepare(format!("INSERT INTO every_type (k, c{i}) VALUES (?, ?)")).await?;
            let all = values.iter().map(|(literal, value)| (literal.as_str(), Some(value))).chain([("null", None)]);
            for (k, (literal, value)) in all.enumerate() {
                let select = format!("SELECT c{i} FROM every_type WHERE k = {k}");
                other.execute_unpaged(&insert, (k as i32, value)).await.map_err(|e| format!("{name} {literal}: {e}"))?;
                let bound = one::<Option<CqlValue>>(&other, select.as_str()).await?;
                run(&other, &format!("INSERT INTO every_type (k, c{i}) VALUES ({k}, {literal})")).await?;
                let written = one::<Option<CqlValue>>(&other, select.as_str()).await?;
                check!(
                    bound.as_ref() == value && written.as_ref() == value,
                    "{name} {literal}: bound {value:?}, read {bound:?}, of the literal {written:?}"
                );
                count += 1;
            }
        }
        let blob = vec![7u8; 3 << 20];
        let insert = other.prepare("INSERT INTO every_type (k, c2) VALUES (?, ?)").await?;
        other.execute_unpaged(&insert, (99, &blob)).await?;
        check!(one::<Vec<u8>>(&other, "SELECT c2 FROM every_type WHERE k = 99").await? == blob, "3 MiB are others");
        let insert = other.prepare("INSERT INTO every_type (k, c0, c1) VALUES (?, ?, ?)").await?;
        other.execute_unpaged(&insert, (7, "kept", 1i64)).await?;
        other.execute_unpaged(&insert, (7, Unset, 2i64)).await?;
        equal!(one::<String>(&other, "SELECT c0 FROM every_type WHERE k = 7").await?, "kept");
    }
    Ok(format!("{count} values of {} types", cases.len()))
}

async fn counters_count(at: &Server) -> Outcome {
    at.run("CREATE TABLE counts (k text, c int, n counter, m counter, PRIMARY KEY (k, c))").await?;
    let add = at.session.prepare("UPDATE counts SET n = n + ?, m = m - ? WHERE k = ? AND c = ?").await?;
    for n in [1, -5, i64::MAX - 100, 0] {
        at.session.execute_unpaged(&add, (Counter(n), Counter(n), "a", 1)).await?;
    }
    let found = rows::<(Counter, Counter)>(&at.session, "SELECT n, m FROM counts", ()).await?;
    equal!(found, [(Counter(i64::MAX - 104), Counter(104 - i64::MAX))]);
    at.run("DELETE n FROM counts WHERE k = 'a' AND c = 1").await?;
    equal!(one::<Option<Counter>>(&at.session, "SELECT n FROM counts").await?, None);
    Ok(String::new())
}

/// Is the change applied, and what does the answer say is there?
async fn conditional(session: &Session, text: &str, values: impl SerializeRow) -> Result<(bool, HashMap<String, Option<CqlValue>>), Fault> {
    let prepared = session.prepare(text).await?;
    let result = session.execute_unpaged(&prepared, values).await?.into_rows_result()?;
    let names: Vec<String> = result.column_specs().iter().map(|c| c.name().to_string()).collect();
    let row = result.first_row::<scylla::value::Row>()?;
    let mut found: HashMap<_, _> = names.into_iter().zip(row.columns).collect();
    let applied = found.remove("[applied]").flatten() == Some(CqlValue::Boolean(true));
    Ok((applied, found))
}

async fn conditions_say_what_was_there(at: &Server) -> Outcome {
    at.run("CREATE TABLE conditional (k int, c int, v text, s text static, PRIMARY KEY (k, c))").await?;
    let insert = "INSERT INTO conditional (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS";
    let update = "UPDATE conditional SET v = ? WHERE k = ? AND c = 1 IF v = ?";
    check!(conditional(&at.session, insert, (1, 1, "a")).await?.0, "applied");
    let (applied, found) = conditional(&at.session, insert, (1, 1, "b")).await?;
    check!(!applied && found["v"] == Some(CqlValue::Text("a".into())) && found["s"].is_none() && found.len() == 4, "{found:?}");
    check!(conditional(&at.session, update, ("c", 1, "a")).await?.0, "applied");
    let (applied, found) = conditional(&at.session, update, ("d", 1, "a")).await?;
    check!(!applied && found == HashMap::from([("v".to_string(), Some(CqlValue::Text("c".into())))]), "{found:?}");
    // Eight tasks add to one cell by compare and set: none is lost, and none counts that is not known of.
    let unknown = AtomicI64::new(0);
    at.run("INSERT INTO conditional (k, c, v) VALUES (2, 1, '0')").await?;
    let read = statement("SELECT v FROM conditional WHERE k = 2 AND c = 1", Consistency::Serial);
    futures::future::try_join_all((0..8).map(|_| async {
        let mut done = 0;
        while done < 5 {
            let old = one::<String>(&at.session, read.clone()).await?;
            let new = (old.parse::<i32>()? + 1).to_string();
            match conditional(&at.session, update, (new, 2, old)).await {
                Ok((applied, _)) => done += applied as i32,
                Err(e) if e.to_string().contains("Cas") => {
                    unknown.fetch_add(1, SeqCst);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }))
    .await?;
    let sum = one::<String>(&at.session, read).await?.parse::<i32>()?;
    let unknown = unknown.into_inner() as i32;
    check!(40 <= sum && sum <= 40 + unknown, "{sum} instead of 40, and {unknown} of unknown end");
    Ok(format!("{unknown} of unknown end among 40 that were contended"))
}

async fn nodes_that_go_and_come_are_noticed(at: &Server) -> Outcome {
    let third = || async {
        let state = at.session.get_cluster_state();
        Ok(state.get_nodes_info().iter().any(|n| address(n) == at.hosts[2] && n.is_connected()))
    };
    at.ring("kill", 3)?;
    wait_until(10, "it is down", || async { third().await.map(|up: bool| !up) }).await?;
    at.ring("restart", 3)?;
    wait_until(30, "it is up", third).await?;
    Ok(String::new())
}

async fn sums_under_load_are_exact(at: &Server) -> Outcome {
    at.run("CREATE TABLE load (k int PRIMARY KEY, n counter)").await?;
    at.run("CREATE TABLE load_rows (p int, c int, v int, PRIMARY KEY (p, c))").await?;
    let mut sums = BTreeMap::new();
    for i in 0..5000i64 {
        *sums.entry((i % 17) as i32).or_insert(0) += i;
    }
    for compression in [None, Some(Compression::Lz4)] {
        let other = connect(&at.hosts, compression).await?;
        run(&other, "TRUNCATE load").await?;
        let add = other.prepare("UPDATE load SET n = n + ? WHERE k = ?").await?;
        let insert = other.prepare("INSERT INTO load_rows (p, c, v) VALUES (?, ?, ?)").await?;
        let (add, insert, other) = (&add, &insert, &other);
        futures::stream::iter(0..5000i32)
            .map(|i| async move {
                other.execute_unpaged(add, (Counter(i as i64), i % 17)).await?;
                other.execute_unpaged(insert, (i % 17, i, i)).await
            })
            .buffer_unordered(200)
            .try_collect::<Vec<_>>()
            .await?;
        let counted = rows::<(i32, Counter)>(other, "SELECT k, n FROM load", ()).await?;
        equal!(counted.into_iter().map(|(k, n)| (k, n.0)).collect::<BTreeMap<_, _>>(), sums);
        let summed = rows::<(i32, i32)>(other, "SELECT p, sum(v) FROM load_rows GROUP BY p", ()).await?;
        equal!(summed.into_iter().map(|(k, n)| (k, n as i64)).collect::<BTreeMap<_, _>>(), sums);
    }
    Ok("twice 5,000 increments and 5,000 rows, 200 in flight".into())
}

async fn a_restart_loses_nothing_acknowledged(at: &Server) -> Outcome {
    at.tool(&["status", "--ring", &at.hosts[0]])?;
    at.run("CREATE TABLE kept (k int PRIMARY KEY, v int)").await?;
    at.run("CREATE TABLE kept_sum (k int PRIMARY KEY, n counter)").await?;
    let insert = at.session.prepare("INSERT INTO kept (k, v) VALUES (?, ?)").await?;
    let add = at.session.prepare("UPDATE kept_sum SET n = n + 1 WHERE k = 0").await?;
    let acknowledged = Mutex::new(BTreeSet::new());
    let (next, rows_done, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let (added, unknown) = (AtomicI64::new(0), AtomicI64::new(0));
    let work = futures::future::join_all((0..8).map(|_| async {
        while !stop.load(SeqCst) {
            let key = next.fetch_add(1, SeqCst) as i32;
            if at.session.execute_unpaged(&insert, (key, key)).await.is_ok() {
                acknowledged.lock().unwrap().insert(key);
                rows_done.fetch_add(1, SeqCst);
            }
            let which = if at.session.execute_unpaged(&add, ()).await.is_ok() { &added } else { &unknown };
            which.fetch_add(1, SeqCst);
        }
    }));
    let direct = async {
        let outcome = async {
            for action in ["", "kill", "restart", "restart"] {
                if !action.is_empty() {
                    at.ring(action, 2)?;
                }
                let begun = rows_done.load(SeqCst);
                let done = &rows_done;
                wait_until(20, &format!("writes go on after {action}"), || async move { Ok(done.load(SeqCst) > begun + 500) }).await?;
            }
            Ok::<(), Fault>(())
        }
        .await;
        stop.store(true, SeqCst);
        outcome
    };
    futures::join!(work, direct).1?;
    let found: Vec<(i32,)> = at.session.query_iter("SELECT k FROM kept", ()).await?.rows_stream::<(i32,)>()?.try_collect().await?;
    let found: BTreeSet<i32> = found.into_iter().map(|(k,)| k).collect();
    let acknowledged = acknowledged.into_inner()?;
    let lost = acknowledged.difference(&found).count();
    check!(lost == 0, "{lost} of {} acknowledged rows are lost", acknowledged.len());
    let counted = one::<Counter>(&at.session, "SELECT n FROM kept_sum WHERE k = 0").await?.0;
    let (added, unknown) = (added.into_inner(), unknown.into_inner());
    check!(added <= counted && counted <= added + unknown, "{counted} counted, {added} acknowledged, {unknown} unknown");
    Ok(format!("{} rows, {counted} increments, {unknown} of unknown end", acknowledged.len()))
}

async fn errors_say_what_is_wrong(at: &Server) -> Outcome {
    for (text, kind, words) in [
        ("SELEC * FROM x", DbError::SyntaxError, "line 1:0 no viable alternative at input 'SELEC'"),
        ("SELECT * FROM nowhere", DbError::Invalid, "table nowhere does not exist"),
        ("SELECT nothing FROM system.local", DbError::Invalid, "Undefined column name nothing in table system.local"),
        ("INSERT INTO meta (a) VALUES (1)", DbError::Invalid, "Some partition key parts are missing: b"),
        ("CREATE KEYSPACE bad WITH replication = {'class': 'NoStrategy'}", DbError::ConfigError, "NoStrategy"),
    ] {
        let (found, message) = refused(&at.session, text).await?;
        check!(found == kind && message.contains(words), "{text}: {found:?} {message}");
    }
    let (exists, _) = refused(&at.session, "CREATE TABLE meta (k int PRIMARY KEY)").await?;
    equal!(exists, DbError::AlreadyExists { keyspace: KEYSPACE.into(), table: "meta".into() });
    let needed = at.hosts.len() + 2;
    at.run(&format!("CREATE KEYSPACE {KEYSPACE}_far WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {needed}}}")).await?;
    at.run(&format!("CREATE TABLE {KEYSPACE}_far.t (k int PRIMARY KEY)")).await?;
    let insert = format!("INSERT INTO {KEYSPACE}_far.t (k) VALUES (1)");
    let (unavailable, _) = refused(&at.session, statement(&insert, Consistency::All)).await?;
    equal!(unavailable, DbError::Unavailable { consistency: Consistency::All, required: needed as i32, alive: at.hosts.len() as i32 });
    Ok(String::new())
}

async fn traces_are_found(at: &Server) -> Outcome {
    at.run("CREATE TABLE traced (k int PRIMARY KEY)").await?;
    let text = "INSERT INTO traced (k) VALUES (1)";
    let mut traced = Statement::new(text);
    traced.set_tracing(true);
    let id = at.session.query_unpaged(traced, ()).await?.tracing_id().ok_or("no trace")?;
    let trace = at.session.get_tracing_info(&id).await?;
    equal!(trace.request.as_deref(), Some("Execute CQL3 query"));
    equal!(trace.parameters.and_then(|p| p.get("query").cloned()).as_deref(), Some(text));
    check!(trace.duration > Some(0) && trace.events.len() > 2, "{:?}", trace.events);
    check!(trace.coordinator.is_some_and(|c| at.hosts.contains(&c.to_string())), "{:?}", trace.coordinator);
    Ok(String::new())
}

async fn warnings_reach_the_client(at: &Server) -> Outcome {
    let result = at.session.query_unpaged("SELECT count(*) FROM pages", ()).await?;
    equal!(result.warnings().collect::<Vec<_>>(), ["Aggregation query used without partition key"]);
    Ok(String::new())
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().collect();
    let hosts: Vec<String> = arguments[1].split(',').map(String::from).collect();
    let helenus = (arguments.len() == 4).then(|| (arguments[2].clone(), arguments[3].clone()));
    let first = builder(&hosts, None).build().await?;
    run(&first, &format!("DROP KEYSPACE IF EXISTS {KEYSPACE}")).await?;
    let factor = hosts.len();
    run(&first, &format!("CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': {factor}}}")).await?;
    let session = connect(&hosts, None).await?;
    let at = Arc::new(Server { hosts, helenus, session });
    let (mut passed, mut failed) = (0, 0);
    macro_rules! claims {
        ($($claim:ident),* $(,)?) => {$(
            let begin = Instant::now();
            let outcome = $claim(&at).await;
            let name = format!("{} ({:.1} s)", stringify!($claim), begin.elapsed().as_secs_f64());
            match outcome {
                Ok(detail) => { passed += 1; println!("ok   {name} {detail}") }
                Err(e) if e.to_string() == NOT_HERE => println!("-    {name} {e}"),
                Err(e) => { failed += 1; println!("FAIL {name} {e}") }
            }
        )*};
    }
    claims!(
        connects_with_each_compression, metadata_is_whole, replicas_are_those_of_the_server, prepared_statements_survive_changes,
        pages_go_on_at_another_node, batches_do_all_they_hold, every_type_there_and_back, counters_count, conditions_say_what_was_there,
        nodes_that_go_and_come_are_noticed, sums_under_load_are_exact, a_restart_loses_nothing_acknowledged, errors_say_what_is_wrong,
        traces_are_found, warnings_reach_the_client,
    );
    for name in [KEYSPACE.to_string(), format!("{KEYSPACE}_far")] {
        run(&first, &format!("DROP KEYSPACE IF EXISTS {name}")).await?;
    }
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
