//! What the cdrs-tokio driver makes of a server, by each protocol version and compression that it knows: less than the
//! other programs ask, of a driver that was written without a look at them. README.md in the folder above.
//!
//!     cdrs HOST,HOST,... [HELENUS RING_DIRECTORY]
use cdrs_tokio::cluster::session::{Session, SessionBuilder, TcpSessionBuilder};
use cdrs_tokio::cluster::{NodeTcpConfigBuilder, TcpConnectionManager};
use cdrs_tokio::compression::Compression;
use cdrs_tokio::error::Error;
use cdrs_tokio::frame::events::ServerEvent;
use cdrs_tokio::frame::message_batch::BatchType;
use cdrs_tokio::frame::message_error::{AlreadyExistsError, ErrorType};
use cdrs_tokio::frame::message_result::ResResultBody;
use cdrs_tokio::frame::{Envelope, Version};
use cdrs_tokio::load_balancing::TopologyAwareLoadBalancingStrategy;
use cdrs_tokio::query::{BatchQueryBuilder, PreparedQuery, QueryValues};
use cdrs_tokio::query_values;
use cdrs_tokio::transport::TransportTcp;
use cdrs_tokio::types::blob::Blob;
use cdrs_tokio::types::rows::Row;
use cdrs_tokio::types::IntoRustByIndex;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const KEYSPACE: &str = "drivers_cdrs";

type Client = Session<TransportTcp, TcpConnectionManager, TopologyAwareLoadBalancingStrategy<TransportTcp, TcpConnectionManager>>;
type Fault = Box<dyn std::error::Error + Send + Sync>;

macro_rules! check {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!("{} (line {})", format!($($text)*), line!()).into());
        }
    };
}

async fn connect(hosts: &[String], version: Version, compression: Compression) -> Result<Client, Fault> {
    let nodes = hosts.iter().map(|h| format!("{h}:9042").into()).collect();
    let config = NodeTcpConfigBuilder::new().with_contact_points(nodes).with_version(version).build().await?;
    let strategy = TopologyAwareLoadBalancingStrategy::new(None, true);
    Ok(TcpSessionBuilder::new(strategy, config).with_compression(compression).build().await?)
}

/// The driver prepares again at the node that does not know a statement, and may then ask yet another one.
async fn execute(session: &Client, statement: &PreparedQuery, values: QueryValues) -> Result<Envelope, Error> {
    let mut tries = 6;
    loop {
        match session.exec_with_values(statement, values.clone()).await {
            Err(Error::Server { body, .. }) if tries > 0 && matches!(body.ty, ErrorType::Unprepared(_)) => tries -= 1,
            other => return other,
        }
    }
}

async fn rows(session: &Client, text: &str, values: QueryValues) -> Result<Vec<Row>, Fault> {
    let body = session.query_with_values(text, values).await?.response_body()?;
    Ok(body.into_rows().ok_or_else(|| format!("{text}: no rows"))?)
}

/// Pairs of an int and a number.
async fn numbers(session: &Client, text: &str) -> Result<BTreeMap<i32, i64>, Fault> {
    let mut all = BTreeMap::new();
    for row in rows(session, text, query_values!()).await? {
        all.insert(row.get_r_by_index(0)?, row.get_r_by_index(1)?);
    }
    Ok(all)
}

async fn prepared_statements_survive_changes(session: &Client, _: &Client) -> Result<(), Fault> {
    session.query(format!("CREATE TABLE {KEYSPACE}.prepared (k int PRIMARY KEY, a text)")).await?;
    let insert = session.prepare(format!("INSERT INTO {KEYSPACE}.prepared (k, a) VALUES (?, ?)")).await?;
    let select = session.prepare(format!("SELECT * FROM {KEYSPACE}.prepared WHERE k = ?")).await?;
    execute(session, &insert, query_values!(1i32, "one")).await?;
    session.query(format!("ALTER TABLE {KEYSPACE}.prepared ADD b list<int>")).await?;
    let body = execute(session, &select, query_values!(1i32)).await?.response_body()?;
    check!(body.into_rows().is_some_and(|r| r.len() == 1), "the row is not found");
    session.query(format!("DROP TABLE {KEYSPACE}.prepared")).await?;
    session.query(format!("CREATE TABLE {KEYSPACE}.prepared (k int PRIMARY KEY, a text)")).await?;
    execute(session, &insert, query_values!(2i32, "two")).await?; // UNPREPARED, prepared again, executed.
    let found = rows(session, &format!("SELECT a FROM {KEYSPACE}.prepared WHERE k = 2"), query_values!()).await?;
    let text: String = found[0].get_r_by_index(0)?;
    check!(text == "two", "{text}");
    Ok(())
}

async fn values_come_back(session: &Client, _: &Client) -> Result<(), Fault> {
    session.query(format!("CREATE TABLE {KEYSPACE}.vals (k int PRIMARY KEY, t text, b blob, l list<int>, d double)")).await?;
    let insert = session.prepare(format!("INSERT INTO {KEYSPACE}.vals (k, t, b, l, d) VALUES (?, ?, ?, ?, ?)")).await?;
    let large: Vec<u8> = (0..3usize << 20).map(|i| (i * 31) as u8).collect(); // Many segments of v5.
    let many: Vec<i32> = (0..1000).collect();
    execute(session, &insert, query_values!(1i32, "Grüße 🌍", Blob::from(large.clone()), many.clone(), 0.1f64)).await?;
    let found = rows(session, &format!("SELECT t, b, l, d FROM {KEYSPACE}.vals WHERE k = 1"), query_values!()).await?;
    let (text, blob): (String, Blob) = (found[0].get_r_by_index(0)?, found[0].get_r_by_index(1)?);
    let (list, double): (cdrs_tokio::types::list::List, f64) = (found[0].get_r_by_index(2)?, found[0].get_r_by_index(3)?);
    let list: Vec<i32> = cdrs_tokio::types::AsRustType::as_r_type(&list)?;
    check!(text == "Grüße 🌍" && blob.into_vec() == large && list == many && double == 0.1, "{text} {double} {} numbers", list.len());
    Ok(())
}

async fn pages_follow_each_other(session: &Client, _: &Client) -> Result<(), Fault> {
    session.query(format!("CREATE TABLE {KEYSPACE}.pages (p int, c int, PRIMARY KEY (p, c))")).await?;
    let insert = session.prepare(format!("INSERT INTO {KEYSPACE}.pages (p, c) VALUES (?, ?)")).await?;
    let insert = &insert;
    futures::stream::iter(0..1000i32)
        .map(|i| async move { execute(session, insert, query_values!(i % 10, i)).await })
        .buffer_unordered(100)
        .try_collect::<Vec<_>>()
        .await?;
    let mut session_pager = session.paged(7);
    let mut pager = session_pager.query(format!("SELECT c FROM {KEYSPACE}.pages"));
    let mut seen = Vec::new();
    loop {
        let page = pager.next().await?;
        check!(page.len() <= 7, "a page of {} rows", page.len());
        for row in page {
            let c: i32 = row.get_r_by_index(0)?;
            seen.push(c);
        }
        if !pager.has_more() {
            break;
        }
    }
    seen.sort();
    check!(seen == (0..1000).collect::<Vec<_>>(), "{} rows", seen.len());
    Ok(())
}

async fn sums_under_load_are_exact(session: &Client, _: &Client) -> Result<(), Fault> {
    session.query(format!("CREATE TABLE {KEYSPACE}.load (k int PRIMARY KEY, n counter)")).await?;
    let add = session.prepare(format!("UPDATE {KEYSPACE}.load SET n = n + ? WHERE k = ?")).await?;
    let add = &add;
    futures::stream::iter(0..5000i64)
        .map(|i| async move { execute(session, add, query_values!(i, (i % 17) as i32)).await })
        .buffer_unordered(200)
        .try_collect::<Vec<_>>()
        .await?;
    let mut batch = BatchQueryBuilder::new().with_batch_type(BatchType::Counter);
    for i in 0..17i32 {
        batch = batch.add_query_prepared(add, query_values!(1i64, i));
    }
    session.batch(batch.build()?).await?;
    let mut sums: BTreeMap<i32, i64> = (0..17).map(|k| (k, 1)).collect();
    for i in 0..5000i64 {
        *sums.get_mut(&((i % 17) as i32)).unwrap() += i;
    }
    let found = numbers(session, &format!("SELECT k, n FROM {KEYSPACE}.load")).await?;
    check!(found == sums, "{found:?} instead of {sums:?}");
    Ok(())
}

async fn errors_say_what_is_wrong(session: &Client, _: &Client) -> Result<(), Fault> {
    for (text, wanted) in [
        ("SELEC * FROM x".to_string(), ErrorType::Syntax),
        (format!("SELECT * FROM {KEYSPACE}.nowhere"), ErrorType::Invalid),
        ("CREATE KEYSPACE bad WITH replication = {'class': 'NoStrategy'}".to_string(), ErrorType::Config),
        (
            format!("CREATE TABLE {KEYSPACE}.load (k int PRIMARY KEY)"),
            ErrorType::AlreadyExists(AlreadyExistsError { ks: KEYSPACE.into(), table: "load".into() }),
        ),
    ] {
        match session.query(&text).await {
            Err(Error::Server { body, .. }) => check!(body.ty == wanted, "{text}: {body:?}"),
            other => return Err(format!("{text}: {other:?}").into()),
        }
    }
    Ok(())
}

async fn warnings_and_events_arrive(session: &Client, other: &Client) -> Result<(), Fault> {
    let answer = session.query(format!("SELECT count(*) FROM {KEYSPACE}.pages")).await?;
    let wanted: &[&str] = if answer.version == Version::V3 { &[] } else { &["Aggregation query used without partition key"] };
    check!(answer.warnings == wanted, "{:?}", answer.warnings);
    check!(matches!(answer.response_body()?.into_rows(), Some(r) if r.len() == 1), "no count");
    let mut events = session.create_event_receiver();
    let made = other.query(format!("CREATE TABLE {KEYSPACE}.heard (k int PRIMARY KEY)")).await?.response_body()?;
    check!(matches!(made, cdrs_tokio::frame::message_response::ResponseBody::Result(ResResultBody::SchemaChange(_))), "{made:?}");
    let heard = async {
        loop {
            if let ServerEvent::SchemaChange(change) = events.recv().await? {
                if format!("{change:?}").contains("heard") {
                    return Ok::<(), Fault>(());
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.map_err(|_| "no event after 20 s")??;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let hosts: Vec<String> = std::env::args().nth(1).ok_or("no host")?.split(',').map(String::from).collect();
    let other = connect(&hosts, Version::V4, Compression::None).await?;
    let (mut passed, mut failed) = (0, 0);
    for version in [Version::V3, Version::V4, Version::V5] {
        for compression in [Compression::None, Compression::Lz4] {
            other.query(format!("DROP KEYSPACE IF EXISTS {KEYSPACE}")).await?;
            // The driver asks at ONE: with one replica it reads what it wrote.
            other.query(format!("CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")).await?;
            let session = connect(&hosts, version, compression).await?;
            macro_rules! claims {
                ($($claim:ident),* $(,)?) => {$(
                    let begin = Instant::now();
                    let outcome = $claim(&session, &other).await;
                    let name = format!("{} {version} {compression:?} ({:.1} s)", stringify!($claim), begin.elapsed().as_secs_f64());
                    match outcome {
                        Ok(()) => { passed += 1; println!("ok   {name}") }
                        Err(e) => { failed += 1; println!("FAIL {name} {e}") }
                    }
                )*};
            }
            claims!(
                prepared_statements_survive_changes, values_come_back, pages_follow_each_other, sums_under_load_are_exact,
                errors_say_what_is_wrong, warnings_and_events_arrive,
            );
        }
    }
    other.query(format!("DROP KEYSPACE IF EXISTS {KEYSPACE}")).await?;
    println!("{passed} passed, {failed} failed");
    std::process::exit(i32::from(failed > 0));
}
