// What the Node driver makes of a server: one function a claim. README.md in the folder above says how it is run.
//
//     drivers.js HOST,HOST,... [HELENUS RING_DIRECTORY]
'use strict';
const assert = require('assert');
const { execFileSync } = require('child_process');
const fs = require('fs');
const cassandra = require('cassandra-driver');
const { VALUES, show } = require('./values.js');
const { types, concurrent, policies } = cassandra;
const { Long, consistencies, responseErrorCodes } = types;

const hosts = process.argv[2].split(',');
const [helenus, ring] = process.argv.slice(3);
const KEYSPACE = 'drivers_node';
const VERSIONS = [3, 4]; // All that this driver knows.

class NotHere extends Error {}

function needsRing() {
  if (!ring) throw new NotHere("needs a ring of Helenus's");
}

function tool(...words) {
  return execFileSync(helenus, words.map(String), { encoding: 'utf8', timeout: 60000 });
}

async function connect(version = 4, options = {}) {
  const client = new cassandra.Client({
    contactPoints: hosts.slice(0, 1), localDataCenter: 'datacenter1', keyspace: KEYSPACE,
    protocolOptions: { maxVersion: version },
    queryOptions: { consistency: consistencies.quorum, prepare: true },
    socketOptions: { readTimeout: 30000 },
    refreshSchemaDelay: 10,
    policies: { reconnection: new policies.reconnection.ConstantReconnectionPolicy(200), retry: new policies.retry.FallthroughRetryPolicy() },
    pooling: { warmup: true },
    sslOptions: process.env.CA && { ca: [fs.readFileSync(process.env.CA)], rejectUnauthorized: true }, // With --tls.
    ...options,
  });
  await client.connect();
  return client;
}

async function versions(act, options) {
  for (const version of VERSIONS) {
    const client = await connect(version, options);
    try {
      await act(client, version);
    } finally {
      await client.shutdown();
    }
  }
}

async function waitUntil(seconds, what, holds) {
  const end = Date.now() + seconds * 1000;
  while (!await holds()) {
    assert(Date.now() < end, `${what}: not after ${seconds} s`);
    await new Promise(done => setTimeout(done, 20));
  }
}

async function refused(promise, code, words = '') {
  let error = null;
  await promise.catch(e => { error = e; });
  assert(error !== null && error.code === code && error.message.includes(words), `${code} ${words}: ${error && error.code} ${error}`);
  return error;
}

async function rows(client, text, values = [], options = {}) {
  return (await client.execute(text, values, options)).rows;
}

async function connectsByEachVersion() {
  const tried = [];
  for (const version of [...VERSIONS, undefined]) {
    const client = await connect(version, version ? {} : { protocolOptions: {} });
    const large = 'x'.repeat(300000) + 'y';
    const [row] = await rows(client, `SELECT release_version, (text) '${large}' AS t FROM system.local`, [], { prepare: false });
    assert.strictEqual(row.release_version, '5.0.4');
    assert.strictEqual(row.t, large);
    const used = client.controlConnection.protocolVersion;
    assert.strictEqual(used, version || 4);
    tried.push(version ? `v${version}` : `negotiated v${used}`);
    await client.shutdown();
  }
  return tried.join(', ');
}

async function metadataIsWhole(client) {
  await client.execute('CREATE TYPE meta_type (a int, b frozen<list<text>>)');
  await client.execute('CREATE TABLE meta (a int, b text, c timeuuid, s set<int> static, v frozen<meta_type>, w vector<float, 3>, ' +
    "PRIMARY KEY ((a, b), c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s' AND gc_grace_seconds = 77");
  await client.execute('CREATE INDEX meta_v ON meta (v)');
  const nodes = client.hosts.values();
  assert.deepStrictEqual(nodes.map(h => h.address.split(':')[0]).sort(), hosts);
  for (const h of nodes) assert.deepStrictEqual([h.datacenter, h.rack, h.cassandraVersion, h.tokens.length], ['datacenter1', 'rack1', '5.0.4', 16]);
  const keyspace = client.metadata.keyspaces[KEYSPACE];
  assert.strictEqual(keyspace.durableWrites, true);
  assert.strictEqual(keyspace.strategyOptions.replication_factor, String(hosts.length));
  const table = await client.metadata.getTable(KEYSPACE, 'meta');
  assert.deepStrictEqual(table.partitionKeys.map(c => c.name), ['a', 'b']);
  assert.deepStrictEqual([table.clusteringKeys.map(c => c.name), table.clusteringOrder], [['c'], ['DESC']]);
  assert.strictEqual(table.columnsByName.s.isStatic, true);
  assert.deepStrictEqual([table.comment, table.gcGraceSeconds], ["it's", 77]);
  const { dataTypes } = types;
  const codes = { a: dataTypes.int, b: dataTypes.text, c: dataTypes.timeuuid, s: dataTypes.set, v: dataTypes.udt, w: dataTypes.custom };
  for (const [name, code] of Object.entries(codes)) assert.strictEqual(table.columnsByName[name].type.code, code, name);
  assert.deepStrictEqual(table.indexes.map(i => [i.name, i.target]), [['meta_v', 'v']]);
  const type = await client.metadata.getUdt(KEYSPACE, 'meta_type');
  assert.deepStrictEqual(type.fields.map(f => f.name), ['a', 'b']);
  assert(await client.metadata.checkSchemaAgreement());
}

async function replicasAreThoseOfTheServer(client) {
  needsRing();
  // A token is more than a number of JavaScript's holds.
  const owners = JSON.parse(tool('ring', '--ring', hosts[0], '--json').replace(/"token": *(-?\d+)/g, '"token": "$1"'));
  const theirs = new Map(client.hosts.values().flatMap(h => [...h.tokens].map(t => [String(t), h.address.split(':')[0]])));
  assert.strictEqual(theirs.size, owners.length);
  for (const { token, address } of owners) assert.strictEqual(theirs.get(token), address.split(':')[0]);
  for (const factor of [1, 2, 3]) {
    const name = `${KEYSPACE}_${factor}`;
    await client.execute(`CREATE KEYSPACE ${name} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${factor}}`);
    await client.execute(`CREATE TABLE ${name}.t (k text PRIMARY KEY)`);
    await client.metadata.refreshKeyspace(name);
    for (let i = 0; i < 10; i++) {
      const found = client.metadata.getReplicas(name, Buffer.from(`key ${i}`)).map(h => h.address.split(':')[0]);
      assert.deepStrictEqual(found, JSON.parse(tool('getendpoints', '--ring', hosts[0], '--json', name, 't', `key ${i}`)));
    }
    await client.execute(`DROP KEYSPACE ${name}`);
  }
  return `${owners.length} tokens`;
}

async function preparedStatementsSurviveChanges() {
  await versions(async (one, version) => {
    const two = await connect(version);
    await two.execute('DROP TABLE IF EXISTS prepared');
    await two.execute('CREATE TABLE prepared (k int PRIMARY KEY, a text)');
    const insert = 'INSERT INTO prepared (k, a) VALUES (:k, :a)';
    const select = 'SELECT * FROM prepared WHERE k = ?';
    await one.execute(insert, { k: 1, a: 'one' });
    assert.strictEqual(show({ ...(await rows(one, select, [1]))[0] }), show({ k: 1, a: 'one' }));
    await two.execute('ALTER TABLE prepared ADD b list<int>');
    await two.execute('UPDATE prepared SET b = [1, 2] WHERE k = 1');
    const [changed] = await rows(one, select, [1]);
    assert.strictEqual(changed.a, 'one');
    await two.execute('DROP TABLE prepared');
    await two.execute('CREATE TABLE prepared (k int PRIMARY KEY, a text)');
    await one.execute(insert, { k: 2, a: 'two' }); // UNPREPARED, prepared again, executed.
    const [again] = await rows(one, select, [2]);
    assert.deepStrictEqual([again.k, again.a], [2, 'two']);
    await two.shutdown();
  });
}

async function pagesGoOnAtAnotherNode(client) {
  await client.execute('CREATE TABLE pages (p int, c int, v text, PRIMARY KEY (p, c))');
  const all = [...Array(1000).keys()];
  await concurrent.executeConcurrent(client, 'INSERT INTO pages (p, c, v) VALUES (?, ?, ?)', all.map(i => [i % 10, i, `v${i}`]));
  await versions(async other => {
    const nodes = other.hosts.values();
    for (const text of ['SELECT c FROM pages', 'SELECT c FROM pages WHERE p IN (0,1,2,3,4,5,6,7,8,9)', 'SELECT c FROM pages WHERE c >= 0 ALLOW FILTERING']) {
      const seen = [];
      let pageState, pages = 0;
      do {
        const result = await other.execute(text, [], { fetchSize: 7, pageState, host: nodes[pages++ % nodes.length] });
        assert(result.rows.length <= 7, `a page of ${result.rows.length} rows`);
        seen.push(...result.rows.map(r => r.c));
        pageState = result.pageState;
      } while (pageState);
      assert.deepStrictEqual(seen.sort((a, b) => a - b), all, text);
    }
    const ordered = [];
    for await (const row of await other.execute('SELECT c FROM pages WHERE p = 3 ORDER BY c DESC LIMIT 50', [], { fetchSize: 7 })) ordered.push(row.c);
    assert.deepStrictEqual(ordered, all.filter(c => c % 10 === 3).reverse().slice(0, 50));
    let streamed = 0;
    await new Promise((done, failed) => other.stream('SELECT c FROM pages', [], { fetchSize: 7, autoPage: true })
      .on('readable', function () { while (this.read()) streamed++; }).on('end', done).on('error', failed));
    assert.strictEqual(streamed, 1000);
  });
}

async function batchesDoAllTheyHold(client) {
  await client.execute('CREATE TABLE batched (k int PRIMARY KEY, v text)');
  await client.execute('CREATE TABLE batched_counts (k int PRIMARY KEY, n counter)');
  const twenty = [...Array(20).keys()];
  await versions(async other => {
    for (const logged of [true, false]) {
      await other.execute('TRUNCATE batched');
      const batch = twenty.map(i => ({ query: 'INSERT INTO batched (k, v) VALUES (?, ?)', params: [i, String(i)] }));
      await other.batch([...batch, "INSERT INTO batched (k, v) VALUES (100, 'text')", 'DELETE FROM batched USING TIMESTAMP 1 WHERE k = 100'], { logged });
      const found = new Map((await rows(other, 'SELECT * FROM batched')).map(r => [r.k, r.v]));
      assert(found.size === 21 && twenty.every(i => found.get(i) === String(i)) && found.get(100) === 'text', show(found));
    }
    await other.batch(['INSERT INTO batched (k, v) VALUES (200, \'unprepared\')'], { prepare: false });
    await other.execute('TRUNCATE batched_counts');
    const adds = [...Array(30).keys()].map(i => ({ query: 'UPDATE batched_counts SET n = n + ? WHERE k = ?', params: [Long.fromNumber(i), i % 3] }));
    await other.batch(adds, { counter: true });
    const counts = (await rows(other, 'SELECT * FROM batched_counts')).sort((a, b) => a.k - b.k);
    assert.deepStrictEqual(counts.map(r => Number(r.n)), [135, 145, 155]);
    await refused(other.batch(adds, { logged: true }), responseErrorCodes.invalid);
  });
}

// The driver binds null for a list or a set without elements.
function isEmpty(value) {
  return Array.isArray(value) && value.length === 0 || value instanceof Set && value.size === 0;
}

async function everyTypeThereAndBack(client) {
  await client.execute('CREATE TYPE street (name text, number int)');
  await client.execute('CREATE TYPE address (street frozen<street>, zip text, tags frozen<set<text>>)');
  await client.execute(`CREATE TABLE every_type (k int PRIMARY KEY, ${VALUES.map(([type], i) => `c${i} ${type}`).join(', ')})`);
  let count = 0;
  await versions(async (other, version) => {
    for (const [i, [type, values]] of VALUES.entries()) {
      if (version === 3 && ['date', 'time', 'smallint', 'tinyint'].includes(type)) continue; // Of v4; the driver cannot bind them in v3.
      const select = `SELECT c${i} AS v FROM every_type WHERE k = ?`;
      for (const [k, [literal, value]] of [...values, ['null', null]].entries()) {
        await other.execute(`INSERT INTO every_type (k, c${i}) VALUES (?, ?)`, [k, value])
          .catch(e => assert.fail(`v${version} ${type} ${literal}: ${e.message}`));
        const bound = (await rows(other, select, [k]))[0].v;
        await other.execute(`INSERT INTO every_type (k, c${i}) VALUES (${k}, ${literal})`, [], { prepare: false });
        const written = (await rows(other, select, [k]))[0].v;
        assert(show(bound) === (isEmpty(value) ? 'null' : show(value)) && show(written) === show(value),
          `v${version} ${type} ${literal}: bound ${show(value)}, read ${show(bound)}, of the literal ${show(written)}`);
        count++;
      }
    }
    const blob = Buffer.alloc(3 << 20, '0123456789abcdef');
    await other.execute('INSERT INTO every_type (k, c2) VALUES (?, ?)', [99, blob]);
    assert((await rows(other, 'SELECT c2 FROM every_type WHERE k = 99'))[0].c2.equals(blob));
    if (version >= 4) {
      await other.execute('INSERT INTO every_type (k, c0, c10) VALUES (?, ?, ?)', [7, 'kept', 1]);
      await other.execute('INSERT INTO every_type (k, c0, c10) VALUES (?, ?, ?)', [7, types.unset, 2]);
      const [row] = await rows(other, 'SELECT c0, c10 FROM every_type WHERE k = 7');
      assert.deepStrictEqual([row.c0, row.c10], ['kept', 2]);
    }
  }, { encoding: { map: Map, set: Set } }); // For these alone: the driver does not understand its own metadata with them.
  return `${count} values of ${VALUES.length} types`;
}

async function countersCount(client) {
  await client.execute('CREATE TABLE counts (k text, c int, n counter, m counter, PRIMARY KEY (k, c))');
  for (const n of [Long.ONE, Long.fromNumber(-5), Long.MAX_VALUE.subtract(100), Long.ZERO]) {
    await client.execute('UPDATE counts SET n = n + ?, m = m - ? WHERE k = ? AND c = ?', [n, n, 'a', 1]);
  }
  const sum = Long.MAX_VALUE.subtract(104);
  const [row] = await rows(client, 'SELECT n, m FROM counts');
  assert(row.n.equals(sum) && row.m.equals(sum.negate()), show(row));
  await client.execute("DELETE n FROM counts WHERE k = 'a' AND c = 1");
  const [left] = await rows(client, 'SELECT n, m FROM counts');
  assert(left.n === null && left.m.equals(sum.negate()), show(left));
}

async function conditionsSayWhatWasThere(client) {
  await client.execute('CREATE TABLE conditional (k int, c int, v text, s text static, PRIMARY KEY (k, c))');
  const insert = 'INSERT INTO conditional (k, c, v) VALUES (?, ?, ?) IF NOT EXISTS';
  let result = await client.execute(insert, [1, 1, 'a']);
  assert(result.wasApplied());
  result = await client.execute(insert, [1, 1, 'b']);
  assert(!result.wasApplied());
  assert.strictEqual(show({ ...result.first() }), show({ '[applied]': false, k: 1, c: 1, s: null, v: 'a' }));
  const update = 'UPDATE conditional SET v = ? WHERE k = 1 AND c = 1 IF v = ?';
  assert((await client.execute(update, ['c', 'a'])).wasApplied());
  result = await client.execute(update, ['d', 'a']);
  assert.strictEqual(show({ ...result.first() }), show({ '[applied]': false, v: 'c' }));
  result = await client.batch([{ query: insert, params: [1, 2, 'new'] }, { query: update, params: ['e', 'x'] }]);
  assert(!result.wasApplied() && result.first().c === 1, show(result.rows));
  assert.strictEqual(Number((await rows(client, 'SELECT count(*) AS n FROM conditional WHERE k = 1'))[0].n), 1);
  // Eight at once add to one cell by compare and set: none is lost, and none counts that is not known of.
  let unknown = 0;
  await client.execute("INSERT INTO conditional (k, c, v) VALUES (2, 1, '0')");
  await Promise.all([...Array(8)].map(async () => {
    for (let done = 0; done < 5;) {
      const [{ v }] = await rows(client, 'SELECT v FROM conditional WHERE k = 2 AND c = 1', [], { consistency: consistencies.serial });
      try {
        done += (await client.execute('UPDATE conditional SET v = ? WHERE k = 2 AND c = 1 IF v = ?', [String(Number(v) + 1), v])).wasApplied();
      } catch (e) {
        if (e.code !== responseErrorCodes.writeTimeout) throw e;
        unknown++;
      }
    }
  }));
  const [{ v }] = await rows(client, 'SELECT v FROM conditional WHERE k = 2 AND c = 1');
  assert(Number(v) >= 40 && Number(v) <= 40 + unknown, `${v} instead of 40, and ${unknown} of unknown end`);
  return `${unknown} of unknown end among 40 that were contended`;
}

async function schemaEventsAreHeard(client) {
  const other = await connect(3);
  const table = () => client.metadata.getTable(KEYSPACE, 'heard');
  await other.execute('CREATE TABLE heard (k int PRIMARY KEY)');
  await waitUntil(10, 'a table that another made', async () => await table() !== null);
  await other.execute('ALTER TABLE heard ADD v int');
  await waitUntil(10, 'its new column', async () => (await table()).columnsByName.v !== undefined);
  await other.execute('CREATE INDEX heard_v ON heard (v)');
  await waitUntil(10, 'an index', async () => (await table()).indexes.length === 1);
  await other.execute('DROP TABLE heard');
  await waitUntil(10, 'its end', async () => await table() === null);
  const far = `${KEYSPACE}_heard`;
  await other.execute(`CREATE KEYSPACE ${far} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`);
  await waitUntil(10, 'a keyspace', () => far in client.metadata.keyspaces);
  await other.execute(`DROP KEYSPACE ${far}`);
  await waitUntil(10, 'its end', () => !(far in client.metadata.keyspaces));
  await other.shutdown();
}

async function nodesThatGoAndComeAreHeardOf(client) {
  needsRing();
  const heard = [];
  for (const event of ['hostUp', 'hostDown']) client.on(event, h => heard.push(`${event} ${h.address.split(':')[0]}`));
  tool('ring', 'kill', '--dir', ring, 3);
  await waitUntil(10, 'it is down', () => heard.includes(`hostDown ${hosts[2]}`));
  tool('ring', 'restart', '--dir', ring, 3);
  await waitUntil(20, 'it is up', () => heard.includes(`hostUp ${hosts[2]}`));
}

async function sumsUnderLoadAreExact(client) {
  await client.execute('CREATE TABLE load (k int PRIMARY KEY, n counter)');
  await client.execute('CREATE TABLE load_rows (p int, c int, v int, PRIMARY KEY (p, c))');
  const many = [...Array(5000).keys()];
  const sums = Array(17).fill(0);
  for (const i of many) sums[i % 17] += i;
  await versions(async other => {
    await other.execute('TRUNCATE load');
    await concurrent.executeConcurrent(other, 'UPDATE load SET n = n + ? WHERE k = ?', many.map(i => [Long.fromNumber(i), i % 17]), { concurrencyLevel: 200 });
    await concurrent.executeConcurrent(other, 'INSERT INTO load_rows (p, c, v) VALUES (?, ?, ?)', many.map(i => [i % 17, i, i]), { concurrencyLevel: 200 });
    for (const [k, sum] of sums.entries()) {
      assert.strictEqual(Number((await rows(other, 'SELECT n FROM load WHERE k = ?', [k]))[0].n), sum);
      assert.strictEqual((await rows(other, 'SELECT sum(v) AS s FROM load_rows WHERE p = ?', [k]))[0].s, sum);
    }
  });
  return 'twice 5,000 increments and 5,000 rows, 200 in flight';
}

async function aRestartLosesNothingAcknowledged(client) {
  needsRing();
  await client.execute('CREATE TABLE kept (k int PRIMARY KEY, v int)');
  await client.execute('CREATE TABLE kept_sum (k int PRIMARY KEY, n counter)');
  const acknowledged = [], failures = {};
  let next = 0, added = 0, unknown = 0, stop = false;
  const failed = e => { failures[e.constructor.name] = (failures[e.constructor.name] || 0) + 1; };
  const workers = [...Array(8)].map(async () => {
    while (!stop) {
      const key = next++;
      await client.execute('INSERT INTO kept (k, v) VALUES (?, ?)', [key, key]).then(() => acknowledged.push(key), failed);
      await client.execute('UPDATE kept_sum SET n = n + 1 WHERE k = 0').then(() => added++, e => { unknown++; failed(e); });
    }
  });
  const goesOn = async what => {
    const begun = acknowledged.length;
    await waitUntil(20, what, () => acknowledged.length > begun + 500);
  };
  await goesOn('writes go on');
  tool('ring', 'kill', '--dir', ring, 2);
  await goesOn('writes go on without it');
  tool('ring', 'restart', '--dir', ring, 2);
  await goesOn('writes go on with it');
  tool('ring', 'restart', '--dir', ring, 2);
  await goesOn('writes go on after a restart in good order');
  stop = true;
  await Promise.all(workers);
  const found = new Set();
  for await (const row of await client.execute('SELECT k FROM kept', [], { fetchSize: 5000 })) found.add(row.k);
  const lost = acknowledged.filter(k => !found.has(k));
  assert.strictEqual(lost.length, 0, `${lost.length} of ${acknowledged.length} acknowledged rows are lost`);
  const counted = Number((await rows(client, 'SELECT n FROM kept_sum WHERE k = 0'))[0].n);
  assert(added <= counted && counted <= added + unknown, `${counted} counted, ${added} acknowledged, ${unknown} unknown`);
  return `${acknowledged.length} rows, ${counted} increments; failed: ${JSON.stringify(failures)}`;
}

async function errorsSayWhatIsWrong() {
  const far = `${KEYSPACE}_far`, needed = hosts.length + 2;
  await versions(async client => {
    const run = (text, options = {}) => client.execute(text, [], { prepare: false, ...options });
    await refused(run('SELEC * FROM x'), responseErrorCodes.syntaxError, "line 1:0 no viable alternative at input 'SELEC'");
    await refused(run('SELECT * FROM nowhere'), responseErrorCodes.invalid, 'table nowhere does not exist');
    await refused(run('SELECT nothing FROM system.local'), responseErrorCodes.invalid, 'Undefined column name nothing in table system.local');
    await refused(run("CREATE KEYSPACE bad WITH replication = {'class': 'NoStrategy'}"), responseErrorCodes.configError, 'NoStrategy');
    await refused(run('INSERT INTO meta (a) VALUES (1)'), responseErrorCodes.invalid, 'Some partition key parts are missing: b');
    const exists = await refused(run('CREATE TABLE meta (k int PRIMARY KEY)'), responseErrorCodes.alreadyExists);
    assert.deepStrictEqual([exists.keyspace, exists.table], [KEYSPACE, 'meta']);
    await run(`CREATE KEYSPACE IF NOT EXISTS ${far} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${needed}}`);
    await run(`CREATE TABLE IF NOT EXISTS ${far}.t (k int PRIMARY KEY)`);
    const e = await refused(run(`INSERT INTO ${far}.t (k) VALUES (1)`, { consistency: consistencies.all }), responseErrorCodes.unavailableException);
    assert.deepStrictEqual([e.consistencies, e.required, e.alive], [consistencies.all, needed, hosts.length]);
  });
}

async function tracesAreFound(client) {
  await client.execute('CREATE TABLE traced (k int PRIMARY KEY)');
  await versions(async other => {
    const result = await other.execute('INSERT INTO traced (k) VALUES (1)', [], { traceQuery: true, prepare: false });
    const trace = await other.metadata.getTrace(result.info.traceId);
    assert.strictEqual(trace.requestType, 'Execute CQL3 query');
    assert.strictEqual(trace.parameters.query || trace.parameters.get('query'), 'INSERT INTO traced (k) VALUES (1)');
    assert(hosts.includes(String(trace.coordinator)) && trace.duration > 0 && trace.events.length > 2, show(trace.duration));
  });
}

async function warningsReachTheClient() {
  await versions(async (client, version) => {
    const { info } = await client.execute('SELECT count(*) FROM pages');
    assert.deepStrictEqual(info.warnings || [], version === 3 ? [] : ['Aggregation query used without partition key']);
  });
}

async function aCustomPayloadDoesNoHarm() {
  const client = await connect(4);
  const { info } = await client.execute('SELECT key FROM system.local', [], { customPayload: { a: Buffer.from([1]), b: Buffer.alloc(0) } });
  assert(!info.customPayload);
  await client.shutdown();
}

const CLAIMS = { connectsByEachVersion, metadataIsWhole, replicasAreThoseOfTheServer, preparedStatementsSurviveChanges, pagesGoOnAtAnotherNode,
  batchesDoAllTheyHold, everyTypeThereAndBack, countersCount, conditionsSayWhatWasThere, schemaEventsAreHeard, nodesThatGoAndComeAreHeardOf,
  sumsUnderLoadAreExact, aRestartLosesNothingAcknowledged, errorsSayWhatIsWrong, tracesAreFound, warningsReachTheClient, aCustomPayloadDoesNoHarm };

async function main() {
  const first = await connect(4, { keyspace: undefined });
  await first.execute(`DROP KEYSPACE IF EXISTS ${KEYSPACE}`);
  await first.execute(`CREATE KEYSPACE ${KEYSPACE} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': ${hosts.length}}`);
  const client = await connect();
  let passed = 0, failed = 0;
  for (const [name, holds] of Object.entries(CLAIMS)) {
    const claim = name.replace(/[A-Z]/g, c => '_' + c.toLowerCase());
    const begin = Date.now();
    try {
      const detail = await holds(client) || '';
      passed++;
      console.log(`ok   ${claim} (${((Date.now() - begin) / 1000).toFixed(1)} s) ${detail}`);
    } catch (e) {
      if (e instanceof NotHere) {
        console.log(`-    ${claim}: ${e.message}`);
        continue;
      }
      failed++;
      const line = (/drivers\.js:\d+/.exec((e.stack || '').split('\n').filter(l => !/refused|waitUntil/.test(l)).join('\n')) || [''])[0];
      console.log(`FAIL ${claim}: ${String(e.message).slice(0, 600)} ${line}`);
    }
  }
  for (const name of [KEYSPACE, `${KEYSPACE}_far`]) await first.execute(`DROP KEYSPACE IF EXISTS ${name}`);
  await client.shutdown();
  await first.shutdown();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed ? 1 : 0;
}

main().catch(e => {
  console.log(`FAIL ${e.stack}\n0 passed, 1 failed`);
  process.exit(1);
});
